// What is filled in to predict: options, a number line, an order, or a line of text where there are no
// data. Each gives {node, given(), fill(said), reveal()}; whoever uses it switches the whole on and off.
"use strict";

(() => {
  const { valueOf, numberAt, placeOf } = window.predictions;

  function made(tag, attributes = {}, ...inside) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...inside);
    return node;
  }

  // What stands in backquotes is code.
  function withCode(text) {
    return text.split(/`([^`\n]+)`/).map((part, place) => (place % 2 ? made("code", {}, part) : part));
  }

  // ---------------------------------------------------------------- one of several

  function choice({ id, options, right }) {
    const radios = options.map(({ letter }) => made("input", { type: "radio", name: id, value: letter }));
    const labels = options.map(({ text }, place) =>
      made("label", { class: "option" }, radios[place], made("span", {}, ...withCode(text))));
    return {
      nodes: labels,
      given: () => radios.find((radio) => radio.checked)?.value ?? "",
      fill: (said) => radios.forEach((radio) => (radio.checked = radio.value === said)),
      // Which one it is, to be found among the others; the verdict says it, too.
      reveal: () => options.forEach(({ letter }, place) => labels[place].classList.toggle("is-right", letter === right)),
    };
  }

  // ---------------------------------------------------------------- a number line

  function number(data) {
    const { range, ends, unit, title } = data;
    const line = made("input", { type: "range", min: 0, max: 100, step: 1, value: 50 });
    line.setAttribute("aria-label", `${title} A line from ${range}`);
    const box = made("input", { type: "text", inputmode: "decimal", autocomplete: "off", maxlength: 40 });
    const show = (value) => {
      const text = value === null ? "no number yet" : `${value} ${unit}`.trim();
      line.setAttribute("aria-valuetext", text);
      line.classList.toggle("unset", value === null);
    };
    const follow = () => {
      const value = box.value.trim() ? valueOf(data, box.value) : null;
      const isOnLine = typeof value === "number" && data.low <= value && value <= data.high;
      if (isOnLine) line.value = placeOf(data, value);
      show(isOnLine ? value : null);
    };
    const take = () => {
      box.value = numberAt(data, Number(line.value));
      show(box.value);
    };
    line.addEventListener("input", take);
    // A click on the middle of an untouched line moves nothing, and yet means the middle.
    line.addEventListener("click", () => line.classList.contains("unset") && take());
    box.addEventListener("input", follow);
    show(null);
    const [low, high] = ends.map((end) => made("span", { "aria-hidden": "true" }, end));
    const label = made("label", {}, "Your number ", box, unit ? ` ${unit}` : "");
    const track = made("span", { class: "track" }, line);
    return {
      nodes: [made("div", { class: "number-line" }, low, track, high), label],
      given: () => box.value,
      fill(said) {
        box.value = said;
        follow();
      },
      // Where it is, beside where it was thought to be; the verdict says it, too.
      reveal() {
        if (track.children.length > 1) return;
        const mark = made("span", { class: "truth", "aria-hidden": "true" }, "▲");
        mark.style.setProperty("--place", placeOf(data, data.right) / 100);
        track.append(mark);
      },
    };
  }

  // ---------------------------------------------------------------- an order

  function order({ items, ends, title }) {
    const list = made("ol", { "aria-label": title });
    const moved = made("span", { class: "moved", "aria-live": "polite" });
    const rows = items.map(({ letter, text }) => {
      const button = (way, sign) =>
        made("button", { type: "button", "data-move": way, "aria-label": `Move ${text} ${way}` }, sign);
      const moves = made("span", { class: "moves" }, button("up", "↑"), " ", button("down", "↓"));
      return made("li", { "data-letter": letter }, made("span", {}, ...withCode(text)), moves);
    });
    list.append(...rows);
    list.addEventListener("click", ({ target }) => {
      const button = target.closest("[data-move]");
      if (button) moved.textContent = move(button);
    });
    return {
      nodes: [made("p", { class: "end" }, ends[0]), list, made("p", { class: "end" }, ends[1]), moved],
      given: () => [...list.children].map((row) => row.dataset.letter).join(" "),
      fill(said) {
        const letters = said ? said.split(" ") : items.map(({ letter }) => letter);
        list.append(...letters.map((letter) => rows.find((row) => row.dataset.letter === letter)));
        moved.textContent = "";
      },
    };
  }

  // One place up or down; what was moved keeps the focus. Returns what is said of it.
  function move(button) {
    const row = button.closest("li");
    const isUp = button.dataset.move === "up";
    const other = isUp ? row.previousElementSibling : row.nextElementSibling;
    if (!other) return "";
    if (isUp) other.before(row);
    else other.after(row);
    button.focus();
    // At the end of the list the button is hidden; the other one of the row is not.
    if (document.activeElement !== button) row.querySelector(`button:not([data-move=${button.dataset.move}])`).focus();
    const all = [...row.parentElement.children];
    return `${row.firstChild.textContent} is now ${all.indexOf(row) + 1} of ${all.length}.`;
  }

  // ---------------------------------------------------------------- in one's own words

  function words() {
    const box = made("input", { type: "text", autocomplete: "off", maxlength: 300 });
    return {
      nodes: [made("label", {}, "In a few words ", box)],
      given: () => box.value.trim(),
      fill: (said) => (box.value = said),
    };
  }

  // The fields of a prediction in one group; without data, a line of text.
  function fields(data) {
    const { nodes, given, fill, reveal } = { choice, number, order }[data?.kind]?.(data) ?? words();
    const legend = made("legend", {}, data ? data.title : "Your prediction");
    const node = made("fieldset", { class: `guess ${data?.kind ?? "words"}` }, legend, ...nodes);
    return { node, given, fill, reveal: reveal ?? (() => {}) };
  }

  Object.assign(window.predictions, { fields, made });
})();
