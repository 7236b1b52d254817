// What a judge says: the same fields as kdlib.exercises.judging.verdict.Verdict, and its sign.
"use strict";

globalThis.Exercises ??= {};

(() => {
  const NOTHING = { misconception: null, name: "", seen: "", expected: "", note: "" };
  const verdict = (outcome, fields) => ({ ...NOTHING, outcome, sign: Exercises.rules.signs[outcome], ...fields });

  Object.assign(Exercises, {
    untouched: (note = "") => verdict("not attempted", { note }),
    unreadable: (note) => verdict("error", { note }),
    unknown: (seen, expected) => verdict("wrong", { seen, expected }),
    verdict,
  });
})();
