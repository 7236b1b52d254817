// The lambda map: label noise against the teacher's error, and the best student of every place.
// A world has its rows, the true next words after each word, and its visits: how often a text goes
// on after each. Chapter 6 and kdlib.toys.worlds have the same functions.
"use strict";

(() => {
  const { clamp, shown, set, draw, make, canvas, slider, grip, put, path, start, picture } =
    Explorables;

  // ---------------------------------------------------------------- numbers

  const SHARES = Array.from({ length: 101 }, (_, i) => i / 100); // of the teacher: alpha
  const CELLS = 25; // of the map's colours, along each axis

  const shareOf = (lambda) => (lambda === Infinity ? 1 : lambda / (1 + lambda));
  const lambdaOf = (share) => (share === 1 ? Infinity : share / (1 - share));

  const mixed = (one, other, share) => one.map((x, i) => (1 - share) * x + share * other[i]);
  const mixedRows = (one, other, share) => one.map((row, i) => mixed(row, other[i], share));

  // The closed form: (label + lambda P) / (1 + lambda).
  const bestStudent = (label, p, lambda) => mixed(label, p, shareOf(lambda));

  const labelNoise = (p, rate) => p.map((x) => (1 - rate) * x + (rate * (1 - x)) / (p.length - 1));

  function confused(p) {
    // The probabilities of the possible words, shifted by one place among them.
    const possible = p.flatMap((x, i) => (x > 0 ? [i] : []));
    const wrong = [...p];
    possible.forEach((i, k) => { wrong[i] = p[possible.at(k - 1)]; });
    return wrong;
  }

  const noisyRows = (rows, rate) => rows.map((row) => labelNoise(row, rate));
  const biasedRows = (rows, strength) => rows.map((row) => mixed(row, confused(row), strength));

  function harm({ visits, rows }, labels, teacher, share, entries) {
    // KL(truth‖Q) over a text, in nats; with a number of entries also what their scatter costs.
    let [distance, scatter] = [0, 0];
    rows.forEach((truth, s) => truth.forEach((p, v) => {
      if (p === 0) return;
      const l = labels[s][v], q = (1 - share) * l + share * teacher[s][v];
      distance += visits[s] * p * (Math.log(p) - Math.log(q));
      if (entries && share < 1) scatter += (p * l * (1 - l)) / q ** 2;
    }));
    return distance + (entries ? ((1 - share) ** 2 / (2 * entries)) * scatter : 0);
  }

  const harms = (world, labels, teacher, entries) =>
    SHARES.map((share) => harm(world, labels, teacher, share, entries));

  function bestOf(losses) {
    // The first of the lowest, and whether all are alike, so that none is best.
    const lowest = Math.min(...losses);
    return { share: SHARES[losses.indexOf(lowest)], loss: lowest,
      level: Math.max(...losses) - lowest < 1e-9 };
  }

  function corner(world, noise, error, entries) {
    const labels = noisyRows(world.rows, noise), teacher = biasedRows(world.rows, error);
    const losses = harms(world, labels, teacher, entries);
    return { labels, teacher, losses, best: bestOf(losses) };
  }

  Object.assign(Explorables, {
    shareOf, lambdaOf, bestStudent, labelNoise, confused, noisyRows, biasedRows, harm, harms, bestOf,
  });

  // ---------------------------------------------------------------- the map

  const TOP = 26, BASE = 256, LEFT = 40, HEIGHT = 302;

  function mapChart(parent, state, { most, step }) {
    const svg = set(canvas(parent, HEIGHT), { role: "group", "aria-label": "map of the best alpha" });
    const field = { x: LEFT, y: TOP, height: BASE - TOP };
    draw("text", { class: "remark", x: 0, y: TOP - 10 }, svg,
      "wrong labels; dark: labels alone, bright: teacher alone");
    const image = draw("image", { class: "map", preserveAspectRatio: "none", ...field }, svg);
    const ground = draw("rect", { class: "ground", ...field }, svg);
    const wide = () => svg.widthNow() - LEFT - 14;
    const x = (error) => LEFT + (error / most) * wide();
    const y = (noise) => BASE - (noise / most) * (BASE - TOP);
    const marks = [0, 1, 2, 3, 4, 5].map((i) => (i * most) / 5);
    for (const at of marks) {
      draw("text", { class: "tick", x: LEFT - 7, y: y(at) + 4, "text-anchor": "end" }, svg, at);
    }
    const below = { class: "tick", y: BASE + 18, "text-anchor": "middle" };
    const ticks = marks.map((at) => [at, draw("text", below, svg, at)]);
    draw("text", { ...below, class: "remark", x: "54%", y: BASE + 40 }, svg, "the teacher's error");
    const dot = grip(svg, "place");
    const back = (at) => state.place(
      (most * (BASE - at.y)) / (BASE - TOP), (most * (at.x - LEFT)) / wide());
    const tell = slider(dot, {
      label: "place on the map: up and down for wrong labels, left and right for the teacher's error",
      least: 0, most, step,
      value: () => state.noise,
      words: () => `${shown(state.noise, 2)} of the labels wrong, teacher's error ` +
        `${shown(state.error, 2)}, ${state.told()}`,
      move: (noise) => state.place(noise, state.error),
      across: (steps) => state.place(state.noise, state.error + step * steps),
      drag: back,
    });
    ground.addEventListener("click", (event) => {
      const box = svg.getBoundingClientRect();
      back({ x: event.clientX - box.left, y: event.clientY - box.top });
    });
    return () => {
      set(image, { width: wide(), href: state.colours });
      set(ground, { width: wide() });
      for (const [at, tick] of ticks) set(tick, { x: x(at) });
      put(dot, x(state.error), y(state.noise));
      tell();
    };
  }

  function colours(world, most, entries) {
    // The best alpha of each place, the most noise on top, as the address of an image.
    const along = Array.from({ length: CELLS }, (_, i) => ((i + 0.5) * most) / CELLS);
    const teachers = along.map((error) => biasedRows(world.rows, error));
    return picture(along.map((noise) => {
      const labels = noisyRows(world.rows, noise);
      return teachers.map((teacher) => bestOf(harms(world, labels, teacher, entries)).share);
    }));
  }

  // ---------------------------------------------------------------- the curve

  const SCALES = [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5];

  function curveChart(parent, state) {
    const svg = set(canvas(parent, HEIGHT), { role: "group", "aria-label": "error of each lambda" });
    draw("text", { class: "remark", x: 0, y: TOP - 10 }, svg, "KL(truth‖Q), nats");
    draw("line", { class: "axis", x1: LEFT, x2: "100%", y1: BASE, y2: BASE }, svg);
    const scale = () => SCALES.find((top) => Math.max(...state.losses) <= top) ??
      Math.max(...state.losses);
    const wide = () => svg.widthNow() - LEFT - 16;
    const x = (share) => LEFT + share * wide();
    const y = (loss) => BASE - (loss / scale()) * (BASE - TOP - 6);
    const levels = [0, 0.5, 1].map((part) => ({
      part, text: draw("text", { class: "tick", x: LEFT - 6, "text-anchor": "end" }, svg),
    }));
    const below = { class: "tick", y: BASE + 18, "text-anchor": "middle" };
    const ticks = [0, 0.25, 1, 4, Infinity].map((lambda) =>
      [shareOf(lambda), draw("text", below, svg, lambda === Infinity ? "∞" : lambda)]);
    draw("text", { ...below, class: "remark", x: "54%", y: BASE + 40 }, svg,
      "lambda, spaced by alpha = λ/(1 + λ)");
    const line = draw("path", { class: "student-line" }, svg);
    const best = draw("path", { class: "star", d: "M0,-8L5,0L0,8L-5,0Z" }, svg);
    const dot = grip(svg, "lambda");
    const label = draw("text", { class: "of-student" }, svg);
    const tell = slider(dot, {
      label: "alpha, the teacher's share", least: 0, most: 1, step: 0.01,
      value: () => state.share, words: () => state.told(),
      move: (share) => state.weigh(share),
      drag: (at) => state.weigh((at.x - LEFT) / wide()),
    });
    return () => {
      for (const { part, text } of levels) {
        const level = part * scale();
        set(text, { y: y(level) + 4 }).textContent = Number(level.toPrecision(3));
      }
      for (const [share, tick] of ticks) set(tick, { x: x(share) });
      set(line, { d: path(SHARES.map((share, i) => [x(share), y(state.losses[i])])) });
      put(best, x(state.best.share), y(state.best.loss));
      const [px, py] = [x(state.share), y(state.lossNow())];
      put(dot, px, py);
      const right = px > LEFT + wide() / 2;
      set(label, { x: px + (right ? -16 : 16), y: py - 14, "text-anchor": right ? "end" : "start" });
      label.textContent = `λ = ${shown(lambdaOf(state.share), 2)}`;
      tell();
    };
  }

  // ---------------------------------------------------------------- the student of one place

  const ROW = 25, NAMES = 74, HEAD = 30;
  const PARTS = [["truth", "before"], ["labels", "of-labels"], ["teacher", "of-the-teacher"],
    ["student", "of-the-student"]];

  function mark(name, parent) {
    if (name === "before") return draw("path", { class: name, d: "M0,-9V9" }, parent);
    if (name === "of-the-teacher") return draw("path", { class: name, d: "M-5,-5H5V5H-5Z" }, parent);
    return draw("circle", { class: name, r: name === "of-labels" ? 5 : 6 }, parent);
  }

  function rowsChart(parent, state) {
    // After one word: each student lies on the way from the labels to the teacher.
    const svg = set(canvas(parent, HEAD + ROW * state.words.length + 6), { role: "img" });
    const key = PARTS.map(([name, look]) =>
      [mark(look, svg), draw("text", { class: "remark", y: 14 }, svg, name)]);
    const rows = state.words.map((word, v) => {
      const y = HEAD + ROW * v + 12;
      draw("text", { class: "word", x: NAMES - 10, y: y + 4, "text-anchor": "end" }, svg,
        word === "." ? "the end" : word);
      return { y, way: draw("line", { class: "axis", y1: y, y2: y }, svg),
        marks: PARTS.map(([, look]) => mark(look, svg)) };
    });
    return () => {
      const wide = svg.widthNow() - NAMES - 12, { truth, labels, teacher, student } = state.after();
      const x = (p) => NAMES + (p / Math.max(...truth, ...labels, ...teacher)) * wide;
      key.forEach(([sign, text], i) => {
        put(sign, NAMES + (i * wide) / 4 + 6, 10);
        set(text, { x: NAMES + (i * wide) / 4 + 18 });
      });
      rows.forEach(({ y, way, marks }, v) => {
        set(way, { x1: x(labels[v]), x2: x(teacher[v]) });
        [truth, labels, teacher, student].forEach((p, i) => put(marks[i], x(p[v]), y));
      });
      svg.setAttribute("aria-label", `After ${state.words[state.last]}, the student gives: ${state
        .words.map((word, v) => `${word === "." ? "the end" : word} ${shown(student[v], 2)}, truth ` +
          `${shown(truth[v], 2)}`).join("; ")}.`);
    };
  }

  function choice(parent, words, options, chosen) {
    const label = make("label", { textContent: `${words} ` }, parent);
    const select = make("select", {}, label);
    options.forEach((name, i) => select.add(new Option(name, i)));
    select.addEventListener("change", () => chosen(Number(select.value)));
  }

  function build(stage, settings) {
    const { words, entries, most } = settings, kinds = Object.entries(entries);
    const state = { words, last: 0, entries: kinds[0][1], place, weigh, told, lossNow, after };
    const row = make("p", { className: "controls" }, stage);
    choice(row, "Labels", kinds.map(([name]) => name), (i) => {
      state.entries = kinds[i][1];
      state.colours = colours(settings, most, state.entries);
      place(state.noise, state.error);
    });
    const pair = make("div", { className: "pair" }, stage);
    const charts = [mapChart(pair, state, settings), curveChart(pair, state)];
    const numbers = make("p", { className: "numbers" }, stage);
    const buttons = make("p", { className: "buttons" }, stage);
    const best = make("button", { type: "button", textContent: "Back to the best lambda" }, buttons);
    best.addEventListener("click", () => weigh(state.best.share));
    choice(buttons, "Next word after", words.map((word) => (word === "." ? "the beginning" : word)),
      (i) => { state.last = i; redraw(); });
    charts.push(rowsChart(stage, state));

    function place(noise, error) {
      // To the nearest step, so that what is shown is where the dot is.
      const tidy = (value) => clamp(Math.round(value / settings.step) * settings.step, 0, most);
      Object.assign(state, { noise: tidy(noise), error: tidy(error) });
      Object.assign(state, corner(settings, state.noise, state.error, state.entries));
      weigh(state.best.share);
    }

    function weigh(share) {
      state.share = SHARES[Math.round(100 * clamp(share, 0, 1))];
      redraw();
    }

    function lossNow() { return state.losses[Math.round(100 * state.share)]; }

    function told() {
      const lambda = shown(lambdaOf(state.share), 2).replace("∞", "infinite");
      return `lambda ${lambda}, alpha ${shown(state.share, 2)}, KL ${shown(lossNow())} nats`;
    }

    function after() {
      const [truth, labels, teacher] = [settings.rows, state.labels, state.teacher]
        .map((rows) => rows[state.last]);
      return { truth, labels, teacher, student: bestStudent(labels, teacher, lambdaOf(state.share)) };
    }

    function redraw() {
      charts.forEach((chart) => chart());
      const { best: found, losses } = state;
      const cells = [
        ["best lambda", found.level ? "any" : shown(lambdaOf(found.share), 2)],
        ["best alpha", found.level ? "any" : shown(found.share, 2)],
        ["nats there", shown(found.loss)], ["at your lambda", shown(lossNow())],
        ["labels alone", shown(losses[0])], ["teacher alone", shown(losses.at(-1))],
      ];
      numbers.replaceChildren(...cells.map(([name, value], i) => {
        const cell = make("span", { className: i === 3 ? "chosen" : "" });
        make("b", { textContent: value }, cell);
        cell.append(` ${name}`);
        return cell;
      }));
      const { noise, error, share, last } = state;
      stage.dataset.state = JSON.stringify({ noise, error, share, last, entries: state.entries });
    }

    state.colours = colours(settings, most, state.entries);
    place(settings.start.noise, settings.start.error);
    return redraw;
  }

  start("lambda_map", build);
})();
