// Shows what a reader has done: beside the exercises, in the contents, and on the page of exercises,
// where it can be saved, loaded and forgotten.
"use strict";

(() => {
  const { book, progress } = Exercises;
  const SIGNS = { solved: "✓ solved", "self-marked": "✎ self-marked", tried: "✗ tried" };
  const FILE = "kdlib-progress.json";

  function made(tag, className, text) {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text) node.textContent = text;
    return node;
  }

  // ---------------------------------------------------------------- ticks

  // One mark in a place, drawn anew; none where there is nothing to say.
  function mark(place, text, state = "", more = "") {
    place.querySelector(":scope > .tick")?.remove();
    if (!text) return;
    const tick = made("span", "tick", text);
    tick.dataset.state = state;
    if (more) tick.append(made("span", "visually-hidden", more));
    place.append(" ", tick);
  }

  function markExercises(entries) {
    document.querySelectorAll(".admonition.exercise").forEach((card) => {
      const state = entries[card.id.replace(/^exercise-/, "")]?.state;
      mark(card.querySelector(".admonition-title"), SIGNS[state], state);
    });
    document.querySelectorAll("td a[href*='#exercise-']").forEach((link) => {
      const state = entries[link.hash.replace(/^#exercise-/, "")]?.state;
      mark(link.parentElement, SIGNS[state], state);
    });
  }

  // "3/13" beside each chapter that has been begun.
  function markChapters(entries) {
    document.querySelectorAll("nav.bd-links a, ol.chapters a").forEach((link) => {
      const chapter = link.pathname.split("/").pop().replace(/\.html$/, "");
      const found = Object.keys(book.exercises).filter((id) => book.exercises[id].chapter === chapter);
      const begun = found.some((id) => id in entries);
      const place = link.querySelector(".title") ?? link;
      mark(place, begun ? `${count(found, entries)}/${found.length}` : "", "", " exercises done");
    });
  }

  const count = (ids, entries) => ids.filter((id) => book.done.includes(entries[id]?.state)).length;

  // ---------------------------------------------------------------- the page of exercises

  function summary(entries) {
    const ids = Object.keys(book.exercises);
    const open = ids.filter((id) => !book.done.includes(entries[id]?.state));
    const minutes = open.reduce((sum, id) => sum + book.exercises[id].minutes, 0);
    const left = open.length ? `; about ${Math.ceil(minutes / 60)} hours left` : "";
    return `${ids.length - open.length} of ${ids.length} exercises done${left}.`;
  }

  function button(text, action) {
    const node = made("button", "", text);
    node.type = "button";
    node.addEventListener("click", action);
    return node;
  }

  function save(entries) {
    const link = made("a");
    link.href = URL.createObjectURL(new Blob([progress.written(entries)], { type: "application/json" }));
    link.download = FILE;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 0);
  }

  async function load(file, shelf) {
    const found = progress.parsed(await file.text());
    if (!found) return `${file.name} is no file of progress. Give one that this page or kdlib exercises --save has written.`;
    shelf.merge(found.entries);
    const number = Object.keys(found.entries).length;
    const others = found.others ? ` ${found.others} of its entries are of no exercise of this book.` : "";
    return `${number} ${number === 1 ? "exercise" : "exercises"} added from ${file.name}.${others}`;
  }

  function panel(place, shelf, draw) {
    const [total, said] = [made("strong"), made("output")];
    const input = made("input");
    Object.assign(input, { type: "file", accept: ".json,application/json", hidden: true });
    input.addEventListener("change", async () => {
      const [file] = input.files;
      const text = file && (await load(file, shelf));
      input.value = "";
      draw();
      said.textContent = text ?? "";
    });
    const forget = () => {
      if (!confirm("Forget which exercises you have done, in this browser?")) return;
      shelf.clear();
      draw();
      said.textContent = "Forgotten.";
    };
    const row = made("p");
    row.append(
      button("Save to a file", () => save(shelf.entries())),
      button("Load from a file", () => input.click()),
      button("Forget", forget),
    );
    place.append(total, row, input, said);
    place.hidden = false;
    return (entries) => (total.textContent = summary(entries));
  }

  // ---------------------------------------------------------------- the page

  function begin() {
    let storage = null;
    try {
      storage = window.localStorage;
    } catch {
      // forbidden: this page alone remembers
    }
    const shelf = progress.shelf(storage);
    const place = document.getElementById("progress");
    let drawTotal = () => {};
    const draw = () => {
      const entries = shelf.entries();
      markExercises(entries);
      markChapters(entries);
      drawTotal(entries);
    };
    if (place) drawTotal = panel(place.querySelector(".panel"), shelf, draw);
    document.addEventListener("exercise-checked", ({ detail }) => {
      shelf.record(detail);
      draw();
    });
    window.addEventListener("storage", ({ key }) => {
      if (key !== null && key !== progress.KEY) return;
      shelf.refresh();
      draw();
    });
    draw();
  }

  begin();
})();
