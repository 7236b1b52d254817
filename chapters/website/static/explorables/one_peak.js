// One peak for two: a student with one peak, a teacher with two, and the loss of every such student.
// The numbers are in peaks.js.
"use strict";

(() => {
  const { LOSSES, sum, divergence, onePeak, twoPeaks, peakLoss } = Explorables;
  const { downhill, spaced, landscape, basins } = Explorables;
  const { clamp, shown, set, draw, make, canvas, calm, slider, grip, put, path, start, picture } =
    Explorables;

  const LEAST = 0.5, MOST = 16; // of the width; the map's axis of widths is logarithmic
  const HIGH = 0.23; // probability at the top of the line's drawing
  const TOP = 26, BASE = 236, HEIGHT = 282, LEFT = 34;
  const TURNS = 4; // steps of the descent in one frame
  const BANDS = 14, FINER = 4;

  const GRID = {
    centres: spaced(0, 39, 118),
    widths: spaced(Math.log(LEAST), Math.log(MOST), 48).map(Math.exp),
  };

  function finer(map) {
    // The map with FINER times as many places along both axes, interpolated between its own.
    const between = (values, at, mix) => {
      const i = Math.min(Math.floor(at), values.length - 2);
      return mix(values[i], values[i + 1], at - i);
    };
    const mixed = (one, two, share) => one + share * (two - one);
    const along = (count) => spaced(0, count - 1, FINER * (count - 1) + 1);
    return along(map.length).map((r) => {
      const row = between(map, r, (one, two, share) => one.map((v, i) => mixed(v, two[i], share)));
      return along(row.length).map((c) => between(row, c, mixed));
    });
  }

  function bands(rough) {
    // The map in bands of equal loss, as the address of an image; the widest student on top.
    const map = finer(rough.map((row) => row.map(Math.log)));
    const ranked = rough.flat().map(Math.log).sort((a, b) => a - b);
    const [low, high] = [ranked[0], ranked[Math.floor(ranked.length * 0.92)]];
    const band = (value) => Math.floor(clamp((value - low) / (high - low || 1), 0, 0.999) * BANDS);
    return picture(map.map((row) => row.map((value) => band(value) / (BANDS - 1))));
  }

  // ---------------------------------------------------------------- the two drawings

  function ticksOf(svg) {
    const about = { class: "tick", y: BASE + 17, "text-anchor": "middle" };
    return [0, 10, 20, 30, 39].map((i) => [i, draw("text", about, svg, i)]);
  }

  function lineChart(parent, state) {
    // The teacher's two peaks, the student's one, and grips for its centre and its width.
    const svg = set(canvas(parent, HEIGHT), { role: "group", "aria-label": "teacher and student" });
    const teacher = draw("path", { class: "teacher" }, svg);
    const student = draw("path", { class: "student-line" }, svg);
    draw("line", { class: "axis", x1: 0, x2: "100%", y1: BASE, y2: BASE }, svg);
    const ticks = ticksOf(svg);
    const names = state.means.map((mean) => [mean, draw("text", { class: "word" }, svg, "P")]);
    const own = draw("text", { class: "of-student" }, svg, "Q, the student");
    const below = { class: "remark", x: "50%", y: BASE + 38, "text-anchor": "middle" };
    draw("text", below, svg, "outcome");
    const scale = () => (svg.widthNow() - 28) / 39;
    const x = (i) => 14 + i * scale(), y = (p) => BASE - Math.min(p / HIGH, 1) * (BASE - TOP);
    const [centre, width] = [grip(svg, "centre"), grip(svg, "width")];
    const tell = [
      slider(centre, {
        label: "student's centre", least: 0, most: 39, step: 0.25,
        value: () => state.centre, words: () => `centre ${shown(state.centre, 2)}, ${state.told()}`,
        move: (at) => state.place(at, state.width),
        drag: (at) => state.place((at.x - 14) / scale(), state.width),
      }),
      slider(width, {
        label: "student's width", least: LEAST, most: MOST, step: 0.25,
        value: () => state.width, words: () => `width ${shown(state.width, 2)}, ${state.told()}`,
        move: (wide) => state.place(state.centre, wide),
        drag: (at) => state.place(state.centre, Math.abs((at.x - 14) / scale() - state.centre)),
      }),
    ];
    return () => {
      const q = onePeak(state.logP.length, state.centre, state.width);
      const curve = (logs) => logs.map((value, i) => [x(i), y(Math.exp(value))]);
      const density = (i) => Math.exp(-(((i - state.centre) / state.width) ** 2) / 2 + logTop);
      const highest = q.indexOf(Math.max(...q)); // the nearest outcome; the curve's top is between
      const logTop = q[highest] + ((highest - state.centre) / state.width) ** 2 / 2;
      set(teacher, { d: path([[x(0), BASE], ...curve(state.logP), [x(39), BASE]], true) });
      set(student, { d: path(spaced(0, 39, 274).map((i) => [x(i), y(density(i))])) });
      const right = state.centre + state.width <= 39 ? 1 : -1;
      put(centre, x(state.centre), y(density(state.centre)));
      put(width, x(state.centre + right * state.width), y(density(state.centre + state.width)));
      for (const [i, tick] of ticks) set(tick, { x: x(i) });
      for (const [mean, name] of names) set(name, { x: x(mean), y: BASE - 8, "text-anchor": "middle" });
      const crowded = state.centre > 26;
      set(own, { x: x(state.centre) + (crowded ? -18 : 18), y: y(density(state.centre)) - 4 });
      set(own, { "text-anchor": crowded ? "end" : "start" });
      tell.forEach((one) => one());
    };
  }

  function mapChart(parent, state) {
    // The loss of all students as a map; its basins, the way that was rolled, and a grip.
    const svg = set(canvas(parent, HEIGHT), { role: "group", "aria-label": "map of the loss" });
    const field = { x: LEFT, y: TOP, height: BASE - TOP };
    const image = draw("image", { class: "map", preserveAspectRatio: "none", ...field }, svg);
    const above = { class: "remark", x: LEFT, y: TOP - 9 };
    draw("text", above, svg, "width of the student; dark: a small loss");
    const ground = draw("rect", { class: "ground", ...field }, svg);
    const marks = draw("g", { class: "basins" }, svg), way = draw("path", { class: "way" }, svg);
    const scale = () => (svg.widthNow() - LEFT - 14) / 39;
    const x = (centre) => LEFT + centre * scale();
    const y = (width) => BASE - (Math.log(width / LEAST) / Math.log(MOST / LEAST)) * (BASE - TOP);
    const back = ({ x: px, y: py }) => state.place(
      (px - LEFT) / scale(), LEAST * (MOST / LEAST) ** ((BASE - py) / (BASE - TOP)));
    const ticks = ticksOf(svg);
    for (const wide of [0.5, 1, 2, 4, 8, 16]) {
      draw("text", { class: "tick", x: LEFT - 6, y: y(wide) + 4, "text-anchor": "end" }, svg, wide);
    }
    const below = { class: "remark", x: "54%", y: BASE + 38, "text-anchor": "middle" };
    draw("text", below, svg, "centre of the student");
    const dot = grip(svg, "place");
    const tell = slider(dot, {
      label: "student on the map: left and right for the centre, up and down for the width",
      least: LEAST, most: MOST, step: 0.25, value: () => state.width,
      words: () => `centre ${shown(state.centre, 2)}, width ${shown(state.width, 2)}, ${state.told()}`,
      move: (wide) => state.place(state.centre, wide),
      across: (steps) => state.place(state.centre + 0.25 * steps, state.width), drag: back,
    });
    ground.addEventListener("click", (event) => {
      const box = svg.getBoundingClientRect();
      back({ x: event.clientX - box.left, y: event.clientY - box.top });
    });
    return () => {
      set(image, { width: 39 * scale(), href: state.picture });
      set(ground, { width: 39 * scale() });
      for (const [i, tick] of ticks) set(tick, { x: x(i) });
      marks.replaceChildren();
      for (const { centre, width, loss } of state.basins) {
        const [px, py] = [x(centre), y(width)], low = py > BASE - 24;
        draw("circle", { cx: px, cy: py, r: 4 }, marks);
        const place = { x: clamp(px, LEFT + 22, x(39) - 22), y: low ? py - 10 : py + 18 };
        draw("text", { ...place, "text-anchor": "middle" }, marks, shown(loss));
      }
      const inside = ({ centre, width }) => [x(clamp(centre, 0, 39)), y(clamp(width, LEAST, MOST))];
      set(way, { d: path(state.way.map(inside)) });
      put(dot, x(state.centre), y(state.width));
      tell();
    };
  }

  // ---------------------------------------------------------------- choosing a loss

  function chooser(parent, state) {
    const row = make("p", { className: "controls" }, parent);
    const label = make("label", { textContent: "Loss " }, row);
    const select = make("select", {}, label);
    for (const [id, { name }] of Object.entries(LOSSES)) select.add(new Option(name, id));
    const more = make("label", { className: "parameter" }, row);
    const symbol = make("span", {}, more);
    const range = make("input", { type: "range", min: 0.01, max: 0.99, step: 0.01 }, more);
    const choose = () => {
      const { parameter } = LOSSES[select.value];
      more.hidden = !parameter;
      if (parameter) range.value = parameter.initial;
      tune();
    };
    const tune = () => {
      const { parameter } = LOSSES[select.value];
      if (parameter) symbol.textContent = `${parameter.symbol} = ${shown(Number(range.value), 2)} `;
      range.setAttribute("aria-label", parameter ? parameter.name : "parameter");
      state.choose(select.value, parameter ? Number(range.value) : undefined);
    };
    select.addEventListener("change", choose);
    range.addEventListener("input", tune);
    return choose;
  }

  function build(stage, settings) {
    const logP = twoPeaks(settings), initial = settings.start;
    const means = settings.centres;
    const state = { ...initial, means, logP, loss: "reverse_kl", way: [], basins: [], place, choose, told };
    const choice = chooser(stage, state);
    const pair = make("div", { className: "pair" }, stage);
    const charts = [lineChart(pair, state), mapChart(pair, state)];
    const numbers = make("p", { className: "numbers" }, stage);
    const buttons = make("p", { className: "buttons" }, stage);
    const roll = make("button", { type: "button", textContent: "Let it roll downhill" }, buttons);
    const back = make("button", { type: "button", textContent: "Back to the start" }, buttons);
    const status = make("output", { className: "status" }, stage);
    let frame = 0, from = initial;

    const lossNow = () => peakLoss(state.loss, logP, state, state.parameter);
    function told() { return `${LOSSES[state.loss].name} ${shown(lossNow())} nats`; }

    function place(centre, width) {
      stop();
      const peak = { centre: clamp(centre, 0, 39), width: clamp(width, LEAST, MOST) };
      Object.assign(state, peak, { way: [] });
      redraw("");
    }

    function choose(loss, parameter) {
      stop();
      Object.assign(state, { loss, parameter, way: [] });
      state.basins = basins(loss, logP, parameter, GRID);
      state.picture = bands(landscape(loss, logP, parameter, GRID));
      redraw("");
    }

    function stop() {
      cancelAnimationFrame(frame);
      frame = 0;
      roll.textContent = "Let it roll downhill";
    }

    function rolled() {
      if (frame) { stop(); return; }
      from = { centre: state.centre, width: state.width };
      state.way = [from];
      const steps = downhill(state.loss, logP, from, state.parameter, settings.descent);
      const advance = () => {
        for (let i = 0; i < (calm() ? Infinity : TURNS); i++) {
          const { value, done } = steps.next();
          if (done) { stop(); redraw(ended()); return; }
          Object.assign(state, value);
          state.way.push(value);
        }
        redraw();
        frame = requestAnimationFrame(advance);
      };
      roll.textContent = "Stop";
      advance();
    }

    function ended() {
      const best = Math.min(...state.basins.map(({ loss }) => loss)), now = lossNow();
      const [centre, width] = [shown(state.centre, 2), shown(state.width, 2)];
      const where = `It came to rest at centre ${centre}, width ${width}, with ${shown(now)} nats.`;
      return `${where} ${now > best + 5e-4 ? `The best peak has ${shown(best)}.` : "No peak is better."}`;
    }

    function redraw(said) {
      charts.forEach((chart) => chart());
      const q = onePeak(logP.length, state.centre, state.width);
      const cells = [
        ["centre", state.centre, 2], ["width", state.width, 2],
        [LOSSES[state.loss].name, lossNow(), 3],
        ...["forward_kl", "reverse_kl"].filter((loss) => loss !== state.loss)
          .map((loss) => [LOSSES[loss].name, divergence(loss, logP, q), 3]),
      ];
      numbers.replaceChildren(...cells.map(([name, value, digits], i) => {
        const cell = make("span", { className: i === 2 ? "chosen" : "" });
        make("b", { textContent: shown(value, digits) }, cell);
        cell.append(` ${name}`);
        return cell;
      }));
      if (said !== undefined) status.textContent = said;
      const { centre, width, loss, parameter, basins: ends } = state;
      const rolling = frame > 0;
      stage.dataset.state = JSON.stringify({ centre, width, loss, parameter, basins: ends, rolling });
    }

    roll.addEventListener("click", rolled);
    back.addEventListener("click", () => place(from.centre, from.width));
    stage.querySelector("select").value = state.loss;
    choice();
    return redraw;
  }

  start("one_peak", build);
})();
