// Dials: numbers that a reader sets, each along its stops, by dragging or by keys.
"use strict";

(() => {
  const { clamp, set, draw, make, canvas, slider, grip, put } = Explorables;

  const LINE = 32, HEIGHT = 46, MARGIN = 13; // pixels

  function nearest(stops, value) {
    // The place of the stop that is nearest, by ratio where all are above 0.
    const far = stops[0] > 0
      ? (stop) => Math.abs(Math.log(stop / value)) : (stop) => Math.abs(stop - value);
    return stops.reduce((best, stop, i) => (far(stop) < far(stops[best]) ? i : best), 0);
  }

  function dial(parent, { name, stops, value, words, turn }) {
    // One line: its name and value, a track below. value() is the state's, turn(stop) sets it.
    const svg = set(canvas(parent, HEIGHT), { role: "group", "aria-label": name });
    draw("text", { x: 0, y: 14 }, svg, name);
    const shown = draw("text", { class: "of-student", x: "100%", y: 14, "text-anchor": "end" }, svg);
    const track = draw("line", { class: "track", x1: MARGIN, y1: LINE, y2: LINE }, svg);
    const dot = grip(svg, "dial");
    const wide = () => svg.widthNow() - 2 * MARGIN;
    const at = () => nearest(stops, value());
    const tell = slider(dot, {
      label: name, least: 0, most: stops.length - 1, step: 1,
      value: at,
      words: () => words(value()),
      move: (i) => turn(stops[i]),
      drag: ({ x }) => turn(
        stops[clamp(Math.round(((x - MARGIN) / wide()) * (stops.length - 1)), 0, stops.length - 1)]),
    });
    return () => {
      shown.textContent = words(value());
      set(track, { x2: MARGIN + wide() });
      put(dot, MARGIN + (at() / (stops.length - 1)) * wide(), LINE);
      tell();
    };
  }

  function dials(parent, list) {
    const box = make("div", { className: "dials" }, parent);
    const redraws = list.map((about) => dial(box, about));
    return () => redraws.forEach((redraw) => redraw());
  }

  Object.assign(Explorables, { nearest, dials });
})();
