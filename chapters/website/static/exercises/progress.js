// What a reader has done: in this browser, and in files of the form that kdlib/exercises/progress.py
// keeps, so that it can be carried between page and notebook. Nothing is sent.
"use strict";

globalThis.Exercises ??= {};

(() => {
  const { version, states, done, exercises } = Exercises.book;
  const KEY = "kdlib:progress";

  const isCount = (value) => Number.isSafeInteger(value) && value > 0;

  // Whether an entry is one that this page or a notebook could have made of this exercise.
  function isEntry(id, entry) {
    if (!Object.hasOwn(exercises, id) || typeof entry !== "object" || entry === null) return false;
    const { points: of } = exercises[id];
    const { state, checks, points } = entry;
    if (!states.includes(state) || !isCount(checks)) return false;
    if (state === (of ? "solved" : "self-marked")) return false;
    return points === undefined || (of !== undefined && arePoints(points, of));
  }

  function arePoints(points, of) {
    if (!Array.isArray(points) || points.length !== 2 || points[1] !== of) return false;
    return Number.isInteger(points[0]) && points[0] >= 0 && points[0] <= of;
  }

  // {entries, others}: what a text of this form holds, and how many of its entries are none of ours.
  // Undefined for another text.
  function parsed(text) {
    const entries = Object.create(null);
    try {
      const { version: written, exercises: found } = JSON.parse(text);
      if (written !== version || typeof found !== "object" || Array.isArray(found)) return undefined;
      const all = Object.entries(found);
      for (const [id, entry] of all.filter(([id, entry]) => isEntry(id, entry))) {
        const { state, checks, points } = entry;
        entries[id] = points ? { state, checks, points } : { state, checks };
      }
      return { entries, others: all.length - Object.keys(entries).length };
    } catch {
      return undefined;
    }
  }

  const written = (entries) => `${JSON.stringify({ version, exercises: entries }, null, 1)}\n`;

  // What is done stays done; of a rubric the most points are kept.
  function recorded(entries, { exercise, state, points }) {
    const entry = entries[exercise] ?? { state: "tried", checks: 0 };
    const next = { state: done.includes(state) ? state : entry.state, checks: entry.checks + 1 };
    const best = most(points, entry.points);
    entries[exercise] = best ? { ...next, points: best } : next;
  }

  function merged(entries, more) {
    for (const [id, entry] of Object.entries(more)) {
      const own = entries[id] ?? entry;
      const place = Math.min(...[own, entry].map(({ state }) => states.indexOf(state)));
      const both = { state: states[place], checks: Math.max(own.checks, entry.checks) };
      const points = most(own.points, entry.points);
      entries[id] = points ? { ...both, points } : both;
    }
  }

  const most = (one, other) => (one && other ? [one, other].sort((a, b) => b[0] - a[0])[0] : one ?? other);

  // Where nothing may be kept, it lasts as long as the page.
  function shelf(storage) {
    const read = () => {
      try {
        return parsed(storage.getItem(KEY))?.entries ?? Object.create(null);
      } catch {
        return kept;
      }
    };
    let kept = Object.create(null);
    kept = read();
    const change = (how) => {
      kept = read(); // another page of the book may have written in the meantime
      how(kept);
      try {
        storage?.setItem(KEY, written(kept));
      } catch {
        // full, or forbidden
      }
    };
    return {
      entries: () => kept,
      refresh: () => (kept = read()),
      record: (made) => change((entries) => recorded(entries, made)),
      merge: (more) => change((entries) => merged(entries, more)),
      clear: () => change((entries) => Object.keys(entries).forEach((id) => delete entries[id])),
    };
  }

  Exercises.progress = { KEY, parsed, written, recorded, merged, shelf };
})();
