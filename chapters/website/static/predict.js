// Commit, then see: a line for the reader's prediction before the outputs that answer it. What is
// written stays in this browser; nobody reads it but the reader, who also says whether it came true.
"use strict";

(() => {
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

  // How a chapter went, in a sentence.
  function tally(entries) {
    const judged = entries.filter((entry) => entry.said && entry.foresaw);
    const foreseen = judged.filter((entry) => entry.foresaw === FORESAW).length;
    const open = entries.filter((entry) => !entry.said).length;
    if (open === entries.length) return `${open} predictions to make, none made yet.`;
    const waiting = entries.length - open - judged.length;
    const parts = [`You foresaw ${foreseen} of the ${judged.length} that you have looked up`];
    if (waiting) parts.push(`${waiting} made and not looked up`);
    if (open) parts.push(`${open} not made`);
    return `${parts.join("; ")}.`;
  }

  // ---------------------------------------------------------------- where it stands on the page

  const OUTPUT = "details:is(.below-input, .above-output)"; // not those of a cell's code
  const BETWEEN = ".exercise, .answer-cell, details.solution"; // these ask, too

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

  function made(tag, className, text) {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text) node.textContent = text;
    return node;
  }

  // ---------------------------------------------------------------- one prediction

  function place(paragraph, kept, changed) {
    const cells = answersOf(paragraph);
    if (!cells.length) return null;
    const question = paragraph.textContent.trim().replace(/\s+/g, " ");
    const parts = line(question);
    endOf(paragraph).before(parts.form);
    const draw = () => {
      redraw(parts, kept.of(question), opened(cells));
      changed();
    };
    parts.form.addEventListener("submit", (event) => {
      event.preventDefault();
      const said = parts.box.value.trim();
      if (said && !opened(cells)) kept.put(question, { said });
      draw();
    });
    parts.form.addEventListener("change", (event) => {
      if (event.target.type === "radio") kept.put(question, { foresaw: event.target.value });
      draw();
    });
    // "toggle" does not bubble; one listener on each.
    cells.flatMap((cell) => [...cell.querySelectorAll(OUTPUT)]).forEach((part) => {
      part.addEventListener("toggle", draw);
    });
    parts.box.value = kept.of(question).said ?? "";
    return { question, draw };
  }

  function opened(cells) {
    return cells.some((cell) => cell.querySelector(`${OUTPUT}[open]`));
  }

  function line(question) {
    const form = made("form", "prediction");
    const label = made("label", "", "Your prediction ");
    const box = made("input");
    Object.assign(box, { type: "text", autocomplete: "off", maxLength: 300 });
    label.append(box);
    const button = made("button", "", "Keep it");
    const note = made("output");
    note.setAttribute("aria-live", "polite");
    const verdict = made("fieldset");
    verdict.append(made("legend", "", "Was it so?"));
    for (const [value, words] of [[FORESAW, "I foresaw it"], [MISSED, "I did not"]]) {
      const choice = made("label", "", ` ${words}`);
      const radio = made("input");
      Object.assign(radio, { type: "radio", name: question, value });
      choice.prepend(radio);
      verdict.append(choice);
    }
    form.append(label, " ", button, " ", note, verdict);
    return { form, box, button, note, verdict };
  }

  // A prediction is made before the answer is seen, and judged after.
  function redraw({ box, button, note, verdict }, { said, foresaw }, seen) {
    box.readOnly = button.disabled = seen;
    if (seen) box.value = said ?? "";
    verdict.hidden = !(seen && said);
    verdict.querySelectorAll("input").forEach((radio) => (radio.checked = radio.value === foresaw));
    if (seen && !said) note.textContent = "Opened without a prediction. Close it to make one.";
    else note.textContent = said && !seen ? "Kept. Now open the output below." : "";
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
    const total = made("p", "foreseen");
    total.setAttribute("role", "status");
    let all = [];
    const changed = () => (total.textContent = tally(all.map(({ question }) => kept.of(question))));
    all = [...document.querySelectorAll("article p")].filter(asks)
      .map((paragraph) => place(paragraph, kept, changed)).filter(Boolean);
    all.forEach(({ draw }) => draw());
    if (all.length && summary) summary.before(total);
  }

  window.predictions = { tally };
  begin();
})();
