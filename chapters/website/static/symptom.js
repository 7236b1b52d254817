// Finds mistakes by what one sees: kdlib.exercises.museum.finder, on the page. Nothing is sent or kept.
"use strict";

const BEST = 5;
const ENDINGS = /(?:ing|ed|es|ly|s)$/;

function form(word, same) {
  if (word in same) return same[word];
  const stem = word.length > 4 ? word.replace(ENDINGS, "") : word;
  return stem in same ? same[stem] : stem;
}

function terms(text, known) {
  const words = text.toLowerCase().match(/[a-z]+|\b0\b/g) ?? [];
  return new Set(words.filter((word) => !known.none.includes(word)).map((w) => form(w, known.same)));
}

function likeness(asked, phrase, known) {
  const unknown = Math.log(1 + Object.keys(known.mistakes).length);
  const size = (some) => some.reduce((sum, t) => sum + (known.weights[t] ?? unknown) ** 2, 0);
  const shared = size(phrase.filter((term) => asked.has(term)));
  return shared ? shared / Math.sqrt(size([...asked]) * size(phrase)) : 0;
}

// The ids of the likeliest mistakes, the likeliest first.
function suspects(text, known) {
  const asked = terms(text, known);
  return Object.entries(known.mistakes)
    .map(([id, { phrases }]) => [id, Math.max(...phrases.map((p) => likeness(asked, p, known)))])
    .filter(([, score]) => score > 0)
    .sort((one, other) => other[1] - one[1])
    .slice(0, BEST)
    .map(([id]) => id);
}

function show(text, known, list) {
  const items = suspects(text, known).map((id) => {
    const item = document.createElement("li");
    const link = document.createElement("a");
    link.href = `#misconception-${id}`;
    link.textContent = known.mistakes[id].sign;
    item.append(link, ` ${known.mistakes[id].name}`);
    return item;
  });
  list.replaceChildren(...items);
}

if (typeof document !== "undefined") {
  const data = document.getElementById("symptom-data");
  const box = document.getElementById("symptom");
  if (data && box) {
    const known = JSON.parse(data.textContent);
    const list = document.getElementById("suspects");
    box.addEventListener("input", () => show(box.value, known, list));
    box.form.addEventListener("submit", (event) => {
      event.preventDefault();
      list.querySelector("a")?.click();
    });
  }
} else {
  module.exports = { suspects };
}
