// The forms of a page's exercises: what is filled in goes to a judge of static/exercises, and what that
// says is shown, with the words of the exercises' own checker. Nothing is sent.
"use strict";

(() => {
  // ---------------------------------------------------------------- what is filled in

  function answered(form) {
    const texts = () => [...form.querySelectorAll("input[type=text]")].map((input) => input.value);
    const letters = () => [...form.querySelectorAll("li")].map((item) => item.dataset.letter).join("");
    return {
      choice: () => form.querySelector("input:checked")?.value ?? null,
      number: () => texts()[0],
      ordering: () => (form.dataset.touched ? letters() : null),
      derivation: texts,
    }[form.dataset.kind]();
  }

  function judge(kind, answer, data) {
    const { judgeNumber, judgeOrdering, judgeDerivation, untouched } = Exercises;
    return {
      choice: () => (answer === null ? untouched() : data.verdicts[answer]),
      number: () => judgeNumber(answer, data),
      ordering: () => judgeOrdering(answer, data),
      derivation: () => judgeDerivation(answer, data),
    }[kind]();
  }

  // At the end of the list the button is hidden; the other one of the item is not.
  function focusOn(item, button) {
    button.focus();
    if (document.activeElement !== button) item.querySelector(`button:not([data-move=${button.dataset.move}])`).focus();
  }

  // What was moved keeps the focus, and its new place is said.
  function move(form, button) {
    const item = button.closest("li");
    const other = button.dataset.move === "up" ? item.previousElementSibling : item.nextElementSibling;
    if (!other) return;
    if (button.dataset.move === "up") other.before(item);
    else other.after(item);
    form.dataset.touched = "true";
    focusOn(item, button);
    const items = [...item.parentElement.children];
    const place = `${items.indexOf(item) + 1} of ${items.length}`;
    form.querySelector("output").replaceChildren(`(${item.dataset.letter}) is now ${place}.`);
  }

  // ---------------------------------------------------------------- showing a verdict

  const HEADS = {
    wrong: "not yet",
    error: "cannot be read",
    "not attempted": "no answer yet",
    "to be marked": "written; now mark it yourself",
  };

  function show(output, verdict) {
    output.dataset.outcome = verdict.outcome;
    const head = document.createElement("strong");
    head.textContent = `${verdict.sign} ${HEADS[verdict.outcome] ?? verdict.outcome}`;
    if (verdict.name) head.textContent += `: ${verdict.name}`;
    output.replaceChildren(head);
    addMistake(output, verdict);
  }

  function addMistake(output, verdict) {
    addRow(output, "Seen", verdict.seen);
    addRow(output, "Expected", verdict.expected);
    addRow(output, "", verdict.note);
    if (verdict.misconception) {
      const link = document.createElement("a");
      link.href = `misconceptions.html#misconception-${verdict.misconception}`;
      link.textContent = "What this mistake is, and where to read on";
      output.append(link);
    }
  }

  // As in the notebook, a wrong answer is told that there are hints: the first that is still closed.
  function offerHint(form, output) {
    const hints = [...form.parentElement.querySelectorAll("details.hint")];
    const next = hints.find((hint) => !hint.open);
    if (!next) return;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = `Show ${next.querySelector("summary").textContent.toLowerCase()}`;
    button.addEventListener("click", () => {
      next.open = true;
      next.querySelector("summary").focus();
      button.remove();
    });
    output.append(button);
  }

  function addRow(output, label, text) {
    if (!text) return;
    const row = document.createElement("span");
    row.className = "line";
    if (label) {
      const name = document.createElement("b");
      name.textContent = `${label}: `;
      row.append(name);
    }
    row.append(...withCode(text));
    output.append(row);
  }

  // What stands in backquotes is code, as in a notebook's verdict.
  function withCode(text) {
    return text.split(/`([^`\n]+)`/).map((part, place) => {
      if (place % 2 === 0) return part;
      const code = document.createElement("code");
      code.textContent = part;
      return code;
    });
  }

  // ---------------------------------------------------------------- written answers

  const COMPARE = "Compare your answer with the model answer, and tick the points that it makes.";

  function markWritten(form, data) {
    // The first press shows the model answer, every other one marks with the ticks as they are.
    const output = form.querySelector("output");
    const marking = form.querySelector(".marking");
    const words = form.querySelector("textarea").value.match(/[\p{L}\p{N}_]+/gu) ?? [];
    if (words.length < data.few) {
      const note = `Write a few sentences: ${data.few} words at least.`;
      show(output, { outcome: "not attempted", sign: "○", note });
    } else if (marking.hidden) {
      marking.hidden = false;
      form.querySelector("button").textContent = "Mark my answer";
      show(output, { outcome: "to be marked", sign: "✎", note: COMPARE });
    } else {
      showMarks(form, [...form.querySelectorAll("[type=checkbox]")], data.missing);
    }
  }

  function showMarks(form, boxes, missing) {
    const output = form.querySelector("output");
    const made = boxes.filter((box) => box.checked).length;
    const outcome = `self-marked, ${made} of ${boxes.length} points`;
    show(output, { outcome, sign: "✎" });
    report(form, made === boxes.length ? "self-marked" : "tried", [made, boxes.length]);
    boxes.forEach((box, place) => {
      if (box.checked) return;
      addRow(output, `Point ${place + 1}`, `not yet: ${missing[place].name}`);
      addMistake(output, missing[place]);
    });
  }

  // ---------------------------------------------------------------- the page

  // For who keeps the reader's progress: what a check made of an exercise.
  function report(form, state, points) {
    const detail = { exercise: form.id.replace(/^quiz-/, ""), state, points };
    form.dispatchEvent(new CustomEvent("exercise-checked", { bubbles: true, detail }));
  }

  function check(form, data) {
    const output = form.querySelector("output");
    const verdict = judge(form.dataset.kind, answered(form), data);
    show(output, verdict);
    if (verdict.outcome === "wrong") offerHint(form, output);
    if (verdict.outcome === "not attempted") return;
    report(form, verdict.outcome === "correct" ? "solved" : "tried");
  }

  // A verdict is about the answer that was checked, not about the next one.
  function forget(form) {
    const output = form.querySelector("output");
    delete output.dataset.outcome;
    output.replaceChildren();
  }

  function start(form) {
    const data = JSON.parse(form.querySelector("script").textContent);
    const isWritten = form.dataset.kind === "written";
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (isWritten) markWritten(form, data);
      else check(form, data);
    });
    if (!isWritten) form.addEventListener("input", () => forget(form));
    form.querySelectorAll("[data-move]").forEach((button) => {
      button.addEventListener("click", () => {
        forget(form);
        move(form, button);
      });
    });
  }

  globalThis.Exercises.judge = judge;
  document.querySelectorAll("form.quiz").forEach(start);
})();
