// Commit, then see: a form for the reader's prediction before the outputs that answer it. What was said
// stays in this browser. Where the chapter has data, the page says what became of it; elsewhere the
// reader does.
"use strict";

(() => {
  const { read: readGiven, verdict: verdictOn, tally, fields, made } = window.predictions;
  const ASKS = /^Predict[.:]?$/;
  const FORESAW = "yes";
  const MISSED = "no";

  // ---------------------------------------------------------------- what is kept

  // Whatever stands in the storage: only what this page could have written is taken.
  function read(storage, key) {
    const kept = Object.create(null);
    try {
      for (const [question, entry] of Object.entries(JSON.parse(storage.getItem(key)))) {
        const { said, foresaw } = entry;
        if (typeof said === "string") kept[question] = { said, foresaw };
      }
    } catch {
      // nothing is kept, or it is damaged
    }
    return kept;
  }

  // {question: {said, foresaw}} of this page. Where nothing may be kept, it lasts as long as the page.
  function shelf(storage, page) {
    const key = `kdlib:predictions:${page}`;
    const kept = read(storage, key);
    return {
      of: (question) => kept[question] ?? {},
      put(question, entry) {
        kept[question] = { ...kept[question], ...entry };
        try {
          storage?.setItem(key, JSON.stringify(kept));
        } catch {
          // full, or forbidden
        }
      },
    };
  }

  // ---------------------------------------------------------------- where it stands on the page

  const OUTPUT = "details:is(.below-input, .above-output)"; // not those of a cell's code
  const DATA = "script.predicted";
  const BETWEEN = `.exercise, .answer-cell, details.solution, ${DATA}`; // these ask, too

  // The cells that answer: those after the question's text, up to the next text.
  function answersOf(paragraph) {
    const found = [];
    for (let part = paragraph.nextElementSibling; part; part = part.nextElementSibling) {
      if (part.matches(BETWEEN)) continue;
      const cell = part.matches(".cell");
      if (cell && part.querySelector(OUTPUT)) found.push(part);
      if (asks(part) || (!cell && (found.length || part.matches("section")))) break;
    }
    return found;
  }

  // The first thing after the question's text.
  function endOf(paragraph) {
    let part = paragraph.nextElementSibling;
    while (!part.matches(`.cell, ${BETWEEN}`)) part = part.nextElementSibling;
    return part;
  }

  function asks(part) {
    return part.matches("p") && [...part.querySelectorAll("strong")].some((s) => ASKS.test(s.textContent));
  }

  // ---------------------------------------------------------------- one prediction

  function place(paragraph, kept, changed) {
    const cells = answersOf(paragraph);
    if (!cells.length) return null;
    const end = endOf(paragraph);
    const data = end.matches(DATA) ? JSON.parse(end.textContent) : null;
    const question = data?.id ?? paragraph.textContent.trim().replace(/\s+/g, " ");
    const parts = form(question, data);
    end.before(parts.form);
    const outputs = cells.flatMap((cell) => [...cell.querySelectorAll(OUTPUT)]);
    const draw = () => {
      redraw(parts, data, kept.of(question), isOpen(outputs));
      changed();
    };
    const open = () => {
      outputs.forEach((output) => (output.open = true));
      draw();
      parts.note.focus({ preventScroll: true }); // what had the focus is gone
    };
    parts.form.addEventListener("submit", (event) => {
      event.preventDefault();
      const problem = commit(parts, data, (entry) => kept.put(question, entry));
      if (problem) parts.note.textContent = problem;
      else open();
    });
    parts.look.addEventListener("click", open);
    parts.verdict.addEventListener("change", (event) => {
      kept.put(question, { foresaw: event.target.value });
      draw();
    });
    // "toggle" does not bubble; one listener on each.
    outputs.forEach((output) => output.addEventListener("toggle", draw));
    parts.guess.fill(sound(data, kept.of(question)).said ?? "");
    return { entry: () => sound(data, kept.of(question)), draw };
  }

  function isOpen(outputs) {
    return outputs.some((output) => output.open);
  }

  // What is kept, if it still answers this question.
  function sound(data, entry) {
    return data && !verdictOn(data, entry.said) ? {} : entry;
  }

  // Keep what is filled in; or what is wrong with it.
  function commit({ guess }, data, keep) {
    if (!data) {
      if (!guess.given()) return "Write what you expect, or press Show me.";
      keep({ said: guess.given() });
      return "";
    }
    const { said, problem } = readGiven(data, guess.given());
    if (problem) return `${problem[0].toUpperCase()}${problem.slice(1)}.`;
    keep({ said, foresaw: verdictOn(data, said).foreseen ? FORESAW : MISSED });
    return "";
  }

  function form(question, data) {
    const guess = fields(data);
    const button = made("button", { type: "submit" }, "Commit");
    const look = made("button", { type: "button" }, "Show me");
    const note = made("output", { "aria-live": "polite", tabindex: -1 });
    const verdict = made("fieldset", { class: "self-judged" }, made("legend", {}, "Was it so?"));
    for (const [value, words] of [[FORESAW, "I foresaw it"], [MISSED, "I did not"]]) {
      const radio = made("input", { type: "radio", name: `judged: ${question}`, value });
      verdict.append(made("label", {}, radio, ` ${words}`));
    }
    const whole = made("form", { class: "prediction" }, guess.node, button, " ", look, note, verdict);
    return { form: whole, guess, button, look, note, verdict };
  }

  // A prediction is made before the answer is seen, and judged after.
  function redraw({ guess, button, look, note, verdict }, data, entry, isSeen) {
    const { said, foresaw } = sound(data, entry);
    const outcome = data && said ? verdictOn(data, said) : null;
    const isLate = isSeen || outcome !== null;
    guess.node.disabled = button.disabled = look.disabled = isLate;
    if (isLate) guess.fill(said ?? "");
    verdict.hidden = data !== null || !(isSeen && said);
    verdict.querySelectorAll("input").forEach((radio) => (radio.checked = radio.value === foresaw));
    note.dataset.outcome = outcome ? (outcome.foreseen ? FORESAW : MISSED) : "";
    const early = isSeen && !said ? "Opened without a prediction. Close it to make one." : "";
    note.textContent = outcome?.words ?? early;
    if (outcome) guess.reveal();
  }

  // ---------------------------------------------------------------- the page

  function begin() {
    const name = location.pathname.split("/").pop().replace(/\.html$/, "");
    let storage = null;
    try {
      storage = window.localStorage;
    } catch {
      // forbidden: this page alone remembers
    }
    const kept = shelf(storage, name);
    const summary = document.getElementById("summary")?.closest("section");
    const total = made("p", { class: "foreseen", role: "status" });
    let all = [];
    const changed = () => (total.textContent = tally(all.map(({ entry }) => entry())));
    all = [...document.querySelectorAll("article p")].filter(asks)
      .map((paragraph) => place(paragraph, kept, changed)).filter(Boolean);
    all.forEach(({ draw }) => draw());
    if (all.length && summary) summary.before(total);
  }

  // The exercises' scripts, which read numbers, come after this one.
  document.addEventListener("DOMContentLoaded", begin);
})();
