// The walk over the moor: a student that goes on from where its own mistakes have led it.
// The numbers are in moor.js.
"use strict";

(() => {
  const { guideRows, studentRows, offRoad, moorShare, perWord, leaving, neverBack } = Explorables;
  const { nextPlace, dice, walk, dials } = Explorables;
  const { shown, set, draw, make, canvas, calm, path, put, start } = Explorables;

  const HEIGHT = 300, MANY = 200, PAUSE = 350; // pixels; walks at once; milliseconds of a step
  const WIDE = 460; // pixels, from which the places of the moor have room for their names

  // ---------------------------------------------------------------- the map

  function places({ road, moor }) {
    // On three rings, as shares of width and height: each place of the moor near its way back.
    const at = (turn, far) => [0.5 + 0.5 * far * Math.sin(turn), 0.5 - 0.5 * far * Math.cos(turn)];
    const turn = (i) => (2 * Math.PI * i) / road.length;
    return [
      [0.5, 0.5], ...road.map((_, i) => at(turn(i), 0.58)),
      ...moor.map((_, i) => at(turn(i + (i < road.length ? 0.5 : 0)), i < road.length ? 0.94 : 0.27)),
    ];
  }

  function mapChart(parent, state, settings) {
    const svg = set(canvas(parent, HEIGHT), { role: "img" });
    const names = [".", ...settings.road, ...settings.moor], first = 1 + settings.road.length;
    const spots = places(settings);
    const road = draw("path", { class: "road" }, svg), way = draw("path", { class: "walked" }, svg);
    const parts = names.map((name, i) => (i === 0 ? null : {
      dot: draw("circle", { class: i < first ? "on-road" : "on-moor", r: i < first ? 5 : 3.5 }, svg),
      text: draw("text", { class: i < first ? "word" : "tick", "text-anchor": "middle" }, svg, name),
    }));
    const walker = draw("circle", { class: "walker", r: 8 }, svg);
    return () => {
      const wide = svg.widthNow(), roomy = wide >= WIDE;
      const at = (i) => [40 + spots[i][0] * (wide - 80), 12 + spots[i][1] * (HEIGHT - 34)];
      set(road, { d: path(settings.road.map((_, i) => at(1 + i)), true) });
      parts.forEach((part, i) => {
        if (!part) return;
        const [x, y] = at(i), here = i === state.walk.at(-1);
        put(part.dot, x, y);
        set(part.text, { x, y: y + 17 });
        part.text.style.display = roomy || i < first || here ? "" : "none";
      });
      const steps = state.walk.slice(1);
      set(way, { d: path(steps.map(at)) });
      walker.style.display = steps.length ? "" : "none";
      if (steps.length) put(walker, ...at(steps.at(-1)));
      walker.classList.toggle("lost", state.walk.at(-1) >= first);
      svg.setAttribute("aria-label", steps.length
        ? `The walk: ${steps.map((i) => names[i]).join(", ")}.`
        : "A road of eight places in a ring, and fifteen places of the moor around it.");
    };
  }

  // ---------------------------------------------------------------- off the road, step by step

  const TOP = 80, BASE = 252, LEFT = 46;
  const SCALES = [0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1];

  function offChart(parent, state, length) {
    const svg = set(canvas(parent, HEIGHT), { role: "img" });
    draw("text", { class: "remark", x: 0, y: 14 }, svg, "share of walks on the moor");
    draw("line", { class: "axis", x1: LEFT, x2: "100%", y1: BASE, y2: BASE }, svg);
    const x = (t) => LEFT + (t / (length - 1)) * (svg.widthNow() - LEFT - 12);
    const levels = [0, 0.5, 1].map((part) => ({
      part, text: draw("text", { class: "tick", x: LEFT - 6, "text-anchor": "end" }, svg),
    }));
    const below = { class: "tick", y: BASE + 18, "text-anchor": "middle" };
    const ticks = [0, 5, 10, 15].map((t) => [t, draw("text", below, svg, t)]);
    draw("text", { ...below, class: "remark", x: "54%", y: BASE + 40 }, svg, "steps from the gate");
    const lines = ["never-back", "way-back", "student-line"].map((name) =>
      draw("path", { class: name }, svg));
    ["never back: 1 − (1 − e)ᵗ", "knows all ways back", "this student"].forEach((text, i) => {
      const y = 28 + 17 * i, colour = ["of-reverse", "of-forward", "of-student"][i];
      draw("line", { class: lines[i].getAttribute("class"), x1: LEFT + 8, x2: LEFT + 36, y1: y, y2: y }, svg);
      draw("text", { class: colour, x: LEFT + 44, y: y + 4 }, svg, text);
    });
    const seen = draw("g", { class: "seen" }, svg);
    return () => {
      const e = leaving(state.rows, state.first);
      const curves = [
        Array.from({ length }, (_, t) => neverBack(e, t)),
        offRoad(state.knowing, state.first, length), state.off,
      ];
      const scale = SCALES.find((top) => 2 * Math.max(...curves[1], ...curves[2]) <= top) ?? 1;
      const y = (share) => BASE - Math.min(share / scale, 1) * (BASE - TOP - 6);
      const drawn = (curve) => curve.flatMap((share, t) => (share <= scale ? [[x(t), y(share)]] : []));
      for (const { part, text } of levels) {
        set(text, { y: y(part * scale) + 4 }).textContent = `${Number((100 * part * scale).toFixed(1))} %`;
      }
      for (const [t, tick] of ticks) set(tick, { x: x(t) });
      curves.forEach((curve, i) => set(lines[i], { d: path(drawn(curve)) }));
      seen.replaceChildren();
      state.seen.forEach(({ walks, lost }, t) => {
        if (walks && t) draw("circle", { cx: x(t), cy: y(lost / walks), r: 4 }, seen);
      });
      svg.setAttribute("aria-label", `On the moor after ${length - 1} steps: this student ` +
        `${shown(100 * state.off.at(-1), 1)} %, one that knows all ways back ` +
        `${shown(100 * curves[1].at(-1), 1)} %, one that never came back ` +
        `${shown(100 * curves[0].at(-1), 1)} %.`);
    };
  }

  // ---------------------------------------------------------------- all of it

  function build(stage, settings) {
    const { length, stops } = settings, names = [".", ...settings.road, ...settings.moor];
    const guide = guideRows(settings), first = 1 + settings.road.length;
    const state = { ...settings.start, first, guide };
    const draw = dice(1);
    const turned = dials(stage, [
      { name: "slips: words drawn from all places alike", stops: stops.slip, value: () => state.slip,
        words: (value) => `${shown(100 * value, 1)} %`, turn: (value) => changed({ slip: value }) },
      { name: "knows the ways back from the moor", stops: stops.knows, value: () => state.knows,
        words: (value) => `${shown(100 * value, 0)} %`, turn: (value) => changed({ knows: value }) },
    ]);
    const pair = make("div", { className: "pair" }, stage);
    const charts = [mapChart(pair, state, settings), offChart(pair, state, length)];
    const buttons = make("p", { className: "buttons" }, stage);
    const press = (text, act) => {
      const button = make("button", { type: "button", textContent: text }, buttons);
      button.addEventListener("click", act);
      return button;
    };
    press("A step", () => { stop(); stepped(); redraw(where()); });
    const run = press("Walk", () => (timer ? stop() : walking()));
    press(`${MANY} walks`, many);
    const numbers = make("p", { className: "numbers" }, stage);
    const status = make("output", { className: "status" }, stage);
    let timer = 0;

    function changed(what) {
      // Another student: what was seen of the last one does not count.
      stop();
      Object.assign(state, what, { walk: [0], ended: false });
      state.rows = studentRows(guide, first, state.slip, state.knows);
      state.knowing = studentRows(guide, first, state.slip, 1);
      state.off = offRoad(state.rows, first, length);
      state.seen = Array.from({ length }, () => ({ walks: 0, lost: 0 }));
      redraw("");
    }

    function count(t, place) {
      state.seen[t].walks += 1;
      state.seen[t].lost += Number(place >= first);
    }

    function stepped() {
      if (state.ended) Object.assign(state, { walk: [0], ended: false });
      if (state.walk.length === 1) count(0, 0);
      const next = nextPlace(state.rows[state.walk.at(-1)], draw());
      if (next === 0) { state.ended = true; return; }
      state.walk.push(next);
      count(state.walk.length - 1, next);
      state.ended = state.walk.length === length;
    }

    function where() {
      const here = state.walk.at(-1);
      if (state.ended) {
        const lost = state.walk.filter((place) => place >= first).length;
        return `The walk ends after ${state.walk.length - 1} steps; ${lost} of them led to the moor.`;
      }
      const back = guide[here].indexOf(Math.max(...guide[here]));
      return here < first ? `At the ${names[here]}, on the road.`
        : `In the ${names[here]}, off the road. The guide would go to the ${names[back]}.`;
    }

    function walking() {
      run.textContent = "Stop";
      const go = () => {
        do stepped(); while (calm() && !state.ended);
        if (state.ended) { stop(); redraw(where()); return; }
        redraw();
        timer = setTimeout(go, PAUSE);
      };
      go();
    }

    function stop() {
      clearTimeout(timer);
      timer = 0;
      run.textContent = "Walk";
    }

    function many() {
      stop();
      for (let i = 0; i < MANY; i++) {
        state.walk = walk(state.rows, length, draw);
        state.walk.forEach((place, t) => count(t, place));
      }
      state.ended = true;
      redraw(`${MANY} more walks. The last is on the map.`);
    }

    function redraw(said) {
      turned();
      charts.forEach((chart) => chart());
      const total = (name) => state.seen.reduce((sofar, each) => sofar + each[name], 0);
      const [given, own] = [guide, state.rows]
        .map((writer) => perWord(guide, state.rows, writer, length));
      const cells = [
        ["nats a word on the guide's walks", shown(given, 3)], ["on its own", shown(own, 3)],
        ["exposure bias", shown(own - given, 3)],
        ["of its words on the moor", `${shown(100 * moorShare(state.rows, first, length), 1)} %`],
        ["in the walks so far", total("walks") ? `${shown((100 * total("lost")) / total("walks"), 1)} %` : "–"],
      ];
      numbers.replaceChildren(...cells.map(([name, value], i) => {
        const cell = make("span", { className: i === 2 ? "chosen" : "" });
        make("b", { textContent: value }, cell);
        cell.append(` ${name}`);
        return cell;
      }));
      if (said !== undefined) status.textContent = said;
      const { slip, knows, walk: steps, seen, ended } = state;
      stage.dataset.state = JSON.stringify({ slip, knows, walk: steps, seen, ended, going: timer > 0 });
    }

    changed({});
    return redraw;
  }

  start("moor_walk", build);
})();
