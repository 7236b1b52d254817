// The moor of chapter 9: a guide who keeps to the road, a student with an unsteady hand, and exactly
// where its walks lead. Rows are probabilities of the next place after each; place 0 is the end.
"use strict";

globalThis.Explorables ??= {};

(() => {
  const sum = (values) => values.reduce((total, value) => total + value, 0);

  const evened = (row, share) => row.map((p) => (1 - share) * p + share / row.length);

  function guideRows({ road, moor, smoothing }) {
    // Along the road and round again; from the moor straight back; a hair of everything else.
    const [first, size] = [1 + road.length, 1 + road.length + moor.length];
    const to = (place) => Array.from({ length: size }, (_, i) => Number(i === place));
    const rows = Array.from({ length: size }, (_, i) => {
      if (i === 0) return to(1);
      return i < first ? to(1 + (i % road.length)) : to(1 + ((i - first) % road.length));
    });
    return rows.map((row) => evened(row, smoothing));
  }

  function studentRows(guide, first, slip, knows) {
    // It has learned the road, and of the moor (from place `first` on) a share of the guide's rows;
    // the rest of these is even. A slip is a place drawn from all alike.
    return guide.map((row, i) => evened(i < first ? row : evened(row, 1 - knows), slip));
  }

  function course(rows, length) {
    // Where walks are before each word, those that have ended left out: length rows.
    const places = [rows.map((_, i) => Number(i === 0))];
    while (places.length < length) {
      const now = places.at(-1);
      const next = rows.map((_, to) => (to ? sum(now.map((p, from) => p * rows[from][to])) : 0));
      places.push(next);
    }
    return places;
  }

  const visits = (rows, length) =>
    course(rows, length).reduce((total, now) => total.map((v, i) => v + now[i]));

  // The share of the walks that go on which are on the moor, before each word.
  const offRoad = (rows, first, length) =>
    course(rows, length).map((now) => sum(now.slice(first)) / sum(now));

  function moorShare(rows, first, length) {
    const met = visits(rows, length);
    return sum(met.slice(first)) / sum(met);
  }

  function perWord(teacher, student, writer, length) {
    // KL(P‖Q) for each word of a writer's walks, in nats.
    const met = visits(writer, length);
    const losses = teacher.map((row, s) => sum(row.map((p, v) =>
      (p === 0 ? 0 : p * (Math.log(p) - Math.log(student[s][v]))))));
    return sum(met.map((times, s) => (times ? times * losses[s] : 0))) / sum(met);
  }

  // The chance that a step of a walk that goes on leaves the road.
  const leaving = (rows, first) => sum(rows[1].slice(first)) / (1 - rows[1][0]);

  // Off the road after t steps, if whoever leaves it never came back.
  const neverBack = (chance, t) => 1 - (1 - chance) ** t;

  function nextPlace(row, number) {
    // The place at a number from 0 to 1 of the row's cumulated probabilities.
    let total = 0;
    const found = row.findIndex((p) => number < (total += p));
    return found < 0 ? row.findLastIndex((p) => p > 0) : found;
  }

  function dice(seed) {
    // Numbers from 0 to 1, the same for the same seed (mulberry32).
    let state = seed >>> 0;
    return () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
    };
  }

  function walk(rows, length, draw) {
    // Places from the start on, before each word; it stops where the walk ends.
    const places = [0];
    while (places.length < length) {
      const next = nextPlace(rows[places.at(-1)], draw());
      if (next === 0) break;
      places.push(next);
    }
    return places;
  }

  Object.assign(Explorables, {
    guideRows, studentRows, course, visits, offRoad, moorShare, perWord, leaving, neverBack,
    nextPlace, dice, walk,
  });
})();
