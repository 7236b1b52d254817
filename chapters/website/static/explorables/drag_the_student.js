// Drag the student: the bars of Q over those of P, and what each word adds to both directions of KL.
"use strict";

(() => {
  const { LOSSES, sum, forwardTerms, reverseTerms, logitGradient, logSoftmax } = Explorables;
  const { clamp, shown, set, draw, make, canvas, slider, start } = Explorables;

  // ---------------------------------------------------------------- numbers

  const RATE = 1; // of a step, in the student's logits

  function withShare(q, word, share) {
    // One word is given a share; the others split the rest in their old proportions.
    const others = sum(q.filter((_, i) => i !== word));
    const even = 1 / (q.length - 1);
    return q.map((old, i) => {
      if (i === word) return share;
      return (1 - share) * (others > 0 ? old / others : even);
    });
  }

  function step(loss, p, q) {
    // One step of gradient descent in the logits. A word at exactly 0 has the logit -∞, and stays.
    const [logP, logQ] = [p.map(Math.log), q.map(Math.log)];
    const gradient = logitGradient(loss, logP, logQ);
    return logSoftmax(logQ.map((z, i) => z - RATE * gradient[i])).map(Math.exp);
  }

  function shares(p, q) {
    // What each word adds to KL(P‖Q) and to KL(Q‖P), and the sums.
    const [logP, logQ] = [p.map(Math.log), q.map(Math.log)];
    const [forward, reverse] = [forwardTerms(logP, logQ), reverseTerms(logP, logQ)];
    return { forward, reverse, sums: { forward: sum(forward), reverse: sum(reverse) } };
  }

  Object.assign(Explorables, { withShare, step, shares });

  // ---------------------------------------------------------------- drawing

  const TOP = 16, BASE = 196; // of the probabilities, in pixels
  const WORDS = BASE + 22; // the line of the words
  const PANELS = { forward: 268, reverse: 406 }; // where the panels of the two sums begin
  const NARROW = 480; // where a panel needs two lines for its head
  const PANEL = 126, HEIGHT = PANELS.reverse + PANEL;
  const TITLES = { forward: "KL(P‖Q)", reverse: "KL(Q‖P)" };
  const ADDS = { forward: "each word adds P log(P/Q)", reverse: "each word adds Q log(Q/P)" };

  const percent = (share) => `${Math.round(100 * share)} %`;
  const heightOf = (share) => share * (BASE - TOP);

  function column(svg, word, state, place) {
    // The parts of one word: the teacher's bar, the student's, its grip, and two signed bars.
    const teacher = draw("rect", { class: "teacher" }, svg);
    const handle = draw("g", { class: "grip bar" }, svg);
    const area = draw("rect", { class: "area", y: TOP - 10, height: BASE - TOP + 10 }, handle);
    const student = draw("rect", { class: "student" }, handle);
    const room = draw("rect", { class: "room", height: 36 }, handle);
    const ring = draw("rect", { class: "ring", height: 14, rx: 7 }, handle);
    const pill = draw("rect", { class: "dot", height: 8, rx: 4 }, handle);
    const text = (name, y) => draw("text", { class: name, y, "text-anchor": "middle" }, svg);
    const labels = {
      word: text("word", WORDS), p: text("of-teacher", WORDS + 17), q: text("of-student", 0),
    };
    labels.word.textContent = word;
    const terms = Object.keys(PANELS).map((name) => ({
      name, bar: draw("rect", { class: name }, svg), label: text(`number of-${name}`, 0),
    }));
    const tell = slider(handle, {
      label: `student's probability of ${word}`,
      least: 0,
      most: 1,
      step: 0.01,
      value: () => state.q[place],
      words: () => `${percent(state.q[place])}; the teacher gives ${percent(state.p[place])}`,
      move: (share) => state.give(place, share),
      drag: ({ y }) => state.give(place, clamp((BASE - y) / (BASE - TOP), 0, 1)),
    });
    return { teacher, area, student, room, ring, pill, labels, terms, tell };
  }

  function drawColumn(parts, place, state, left, width, found, scale) {
    const middle = left + width / 2, bar = Math.min(width * 0.56, 74), x = middle - bar / 2;
    const [p, q] = [state.p[place], state.q[place]];
    const top = BASE - heightOf(q);
    set(parts.teacher, { x: x - 7, width: bar + 14, y: BASE - heightOf(p), height: heightOf(p) });
    set(parts.student, { x, width: bar, y: top, height: heightOf(q) });
    set(parts.area, { x: left, width });
    set(parts.room, { x: x - 4, width: bar + 8, y: top - 18 });
    set(parts.ring, { x: middle - 20, width: 40, y: top - 7 });
    set(parts.pill, { x: middle - 16, width: 32, y: top - 4 });
    for (const label of Object.values(parts.labels)) set(label, { x: middle });
    parts.labels.p.textContent = `P ${percent(p)}`;
    parts.labels.q.textContent = `${place ? "" : "Q "}${percent(q)}`;
    set(parts.labels.q, { y: top - 12 });
    for (const { name, bar: signed, label } of parts.terms) {
      drawTerm(signed, label, found[name][place], PANELS[name], middle, bar * 0.7, scale);
    }
    parts.tell();
  }

  function drawTerm(signed, label, value, top, middle, width, scale) {
    // From the panel's zero line up or down; an infinite one fills the panel and fades.
    const zero = top + 92, infinite = value === Infinity;
    const height = infinite ? 62 : (Math.abs(value) / scale) * 46;
    const y = value < 0 ? zero : zero - height;
    set(signed, { x: middle - width / 2, width, y, height });
    signed.classList.toggle("infinite", infinite);
    label.classList.toggle("infinite", infinite);
    label.textContent = shown(value, 3, true).replace("+∞", "∞");
    const below = Math.max(y + height, zero) + 14;
    set(label, { x: middle, y: value < 0 ? below : infinite ? zero - 20 : y - 5 });
  }

  function panel(svg, name) {
    const line = draw("line", { class: "axis" }, svg);
    const title = draw("text", { class: `sum of-${name}`, y: PANELS[name], x: 0 }, svg);
    const adds = draw("text", { class: "remark", y: PANELS[name] }, svg, ADDS[name]);
    return { line, title, adds };
  }

  function drawPanel(parts, name, value, width) {
    const narrow = width < NARROW;
    const zero = PANELS[name] + 92;
    set(parts.line, { x1: 0, x2: width, y1: zero, y2: zero });
    parts.title.textContent = `${TITLES[name]} = ${shown(value, 4)}${value < Infinity ? " nats" : ""}`;
    set(parts.adds, { x: narrow ? 0 : width, y: PANELS[name] + (narrow ? 17 : 0) });
    set(parts.adds, { "text-anchor": narrow ? "start" : "end" });
  }

  function scaleOf(found) {
    // One scale for both panels: the largest finite term, rounded up so that it seldom changes.
    const finite = [...found.forward, ...found.reverse].filter(Number.isFinite);
    const largest = Math.max(...finite.map(Math.abs));
    return [0.25, 0.5, 0.75, 1, 1.5, 2, 3].find((scale) => largest <= scale) ?? largest;
  }

  function build(stage, { words, teacher, student }) {
    const state = { p: teacher, q: [...student], give };
    const svg = set(canvas(stage, HEIGHT), { role: "group", "aria-label": "bars of the student" });
    for (const share of [0.5, 1]) {
      const y = BASE - heightOf(share);
      draw("line", { class: "level-line", x1: 0, x2: "100%", y1: y, y2: y }, svg);
      draw("text", { class: "tick", x: 0, y: y - 4 }, svg, percent(share));
    }
    draw("line", { class: "axis", x1: 0, x2: "100%", y1: BASE, y2: BASE }, svg);
    const panels = Object.keys(PANELS).map((name) => [name, panel(svg, name)]);
    const columns = words.map((word, place) => column(svg, word, state, place));
    const buttons = make("p", { className: "buttons" }, stage);
    const steps = ["forward_kl", "reverse_kl"].map((loss) => {
      const button = make("button", { type: "button" }, buttons);
      button.textContent = `A step of ${LOSSES[loss].name}`;
      button.addEventListener("click", () => stepped(loss));
      return button;
    });
    const reset = make("button", { type: "button", textContent: "Reset" }, buttons);
    reset.addEventListener("click", () => { state.q = [...student]; redraw("Back at the start."); });
    const status = make("output", { className: "status" }, stage);

    function give(word, share) {
      state.q = withShare(state.q, word, share < 0.005 ? 0 : share);
      redraw("");
    }

    function stepped(loss) {
      if (shares(state.p, state.q).sums.forward === Infinity && loss === "forward_kl") {
        redraw("An infinite loss has no slope to follow. Give the word a little first.");
        return;
      }
      state.q = step(loss, state.p, state.q);
      const { sums } = shares(state.p, state.q);
      redraw(`KL(P‖Q) is now ${shown(sums.forward, 4)}, KL(Q‖P) ${shown(sums.reverse, 4)}.`);
    }

    function redraw(said) {
      const width = svg.widthNow(), each = width / words.length;
      const found = shares(state.p, state.q), scale = scaleOf(found);
      columns.forEach((parts, i) => drawColumn(parts, i, state, i * each, each, found, scale));
      for (const [name, parts] of panels) drawPanel(parts, name, found.sums[name], width);
      steps[0].setAttribute("aria-disabled", found.sums.forward === Infinity);
      if (said !== undefined) status.textContent = said;
      stage.dataset.state = JSON.stringify(state.q);
    }

    return redraw;
  }

  start("drag_the_student", build);
})();
