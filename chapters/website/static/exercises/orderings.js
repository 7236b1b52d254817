// Whether an order is right, and else which pair stands the wrong way round: as in
// kdlib/exercises/kinds/orderings.py.
"use strict";

globalThis.Exercises ??= {};

(() => {
  // given: the letters as they stand, or null where nothing has been moved.
  function judgeOrdering(given, data) {
    if (given === null) return Exercises.untouched();
    const order = [...given].map((letter) => data.letters.indexOf(letter));
    for (const { early, late, verdict } of data.pairs) {
      if (order.indexOf(late) < order.indexOf(early)) return verdict;
    }
    const needs = (later, item) => data.needed.some(([a, b]) => a === later && b === item);
    const place = order.findIndex((item, i) => order.slice(i).some((later) => needs(later, item)));
    if (place < 0) return data.correct;
    return Exercises.unknown(
      `(${given[place]}) stands before something that belongs before it`,
      "whatever belongs before a thing stands before it",
    );
  }

  Object.assign(Exercises, { judgeOrdering });
})();
