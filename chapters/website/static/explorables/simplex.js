// The triangle of three words: every student is a point; lines join those equally far from P.
"use strict";

(() => {
  const { divergence } = Explorables;
  const { clamp, shown, set, draw, make, canvas, slider, grip, put, path, start } = Explorables;

  // ---------------------------------------------------------------- numbers

  const CORNERS = [[0, 0], [1, 0], [0.5, Math.sqrt(3) / 2]]; // of words 1, 2 and 3, as in kdlib.plots
  const SIDE = 80; // ways from P to each edge, on which a contour's points are sought

  const placeOf = (q) =>
    [0, 1].map((axis) => q.reduce((total, share, i) => total + share * CORNERS[i][axis], 0));

  function sharesAt([x, y]) {
    // The shares of a place; of one outside, those of a place on the edge near it.
    const third = y / CORNERS[2][1];
    const second = x - third / 2;
    const shares = [1 - third - second, second, third].map((share) => Math.max(share, 0));
    const total = shares[0] + shares[1] + shares[2];
    return shares.map((share) => share / total);
  }

  const between = (loss, p, q) => divergence(loss, p.map(Math.log), q.map(Math.log));

  function border(side) {
    // Points all around the triangle, evenly: on each edge one word is absent.
    return [0, 1, 2].flatMap((from) => Array.from({ length: side }, (_, i) => {
      const point = [0, 0, 0];
      point[from] = 1 - i / side;
      point[(from + 1) % 3] = i / side;
      return point;
    }));
  }

  function contour(loss, p, level) {
    // The students at this divergence on the ways from P to the border, or null where the border
    // comes before. Both directions of KL grow along every such way, so halving it finds them.
    const around = border(SIDE);
    return [...around, around[0]].map((end) => {
      const at = (far) => p.map((share, i) => (1 - far) * share + far * end[i]);
      if (!(between(loss, p, end) > level)) return null;
      let [low, high] = [0, 1];
      for (let n = 0; n < 44; n++) {
        const middle = (low + high) / 2;
        if (between(loss, p, at(middle)) > level) high = middle;
        else low = middle;
      }
      return at(low);
    });
  }

  Object.assign(Explorables, { placeOf, sharesAt, contour });

  // ---------------------------------------------------------------- drawing

  const LEVELS = [0.01, 0.03, 0.1, 0.3, 1]; // nats
  const NAMED = 0.1; // smaller ones have no room for a name
  const MARGIN = 10, HEAD = 52; // pixels
  const TITLES = { forward_kl: "KL(P‖Q)", reverse_kl: "KL(Q‖P)" };
  const STEP = 0.01;

  function triangle(parent, loss, state) {
    const svg = set(canvas(parent, 100), { role: "group", "aria-label": `students by ${TITLES[loss]}` });
    const side = loss === "forward_kl" ? "forward" : "reverse";
    const title = draw("text", { class: `sum of-${side}`, x: 0, y: 18 }, svg);
    const edge = draw("path", { class: "edge" }, svg);
    const lines = LEVELS.map((level) => ({
      points: contour(loss, state.p, level),
      line: draw("path", { class: `contour ${side}` }, svg),
      label: draw("text", { class: "level-name" }, svg, level < NAMED ? "" : level),
    }));
    const corners = state.words.map((word) => draw("text", { class: "word" }, svg, word));
    const named = Object.entries({ P: state.p, ...state.others }).map(([name, q]) => ({
      q,
      mark: name === "P"
        ? draw("path", { class: "star", d: STAR }, svg) : draw("circle", { class: "other", r: 3.5 }, svg),
      label: draw("text", { class: "word" }, svg, name === "P" ? name : ""),
    }));
    const dot = grip(svg, "place");
    const size = () => Math.min(svg.widthNow() - 2 * MARGIN, 330);
    const left = () => (svg.widthNow() - size()) / 2;
    const base = () => HEAD + size() * CORNERS[2][1];
    const at = (q) => {
      const [x, y] = placeOf(q);
      return [left() + x * size(), base() - y * size()];
    };
    const tell = slider(dot, {
      label: `student in the triangle of ${TITLES[loss]}: up and down for ${state.words[2]}, ` +
        `left and right between ${state.words[0]} and ${state.words[1]}`,
      least: 0, most: 1, step: STEP,
      value: () => state.q[2],
      words: () => `${state.words.map((word, i) => `${word} ${shown(state.q[i], 2)}`).join(", ")}; ` +
        `${TITLES[loss]} ${shown(between(loss, state.p, state.q))}`.replace("∞", "infinite"),
      move: (share) => state.place(raised(state.q, share)),
      across: (steps) => state.place(moved(state.q, steps * STEP)),
      drag: ({ x, y }) => state.place(sharesAt([(x - left()) / size(), (base() - y) / size()])),
    });
    return () => {
      set(svg, { height: base() + 34 });
      set(edge, { d: path([[1, 0, 0], [0, 1, 0], [0, 0, 1]].map(at), true) });
      for (const { points, line, label } of lines) {
        set(line, { d: pieces(points).map((piece) => path(piece.map(at))).join("") });
        const [x, y] = at(points[SIDE + SIDE / 4] ?? points.find(Boolean)); // to the right
        set(label, { x, y: y + 4, "text-anchor": "middle" });
      }
      corners.forEach((label, i) => {
        const [x, y] = at([0, 1, 2].map((j) => Number(i === j)));
        set(label, { x, y: i === 2 ? y - 10 : y + 22 });
        set(label, { "text-anchor": ["start", "end", "middle"][i] });
      });
      for (const { q, mark, label } of named) {
        const [x, y] = at(q);
        put(mark, x, y);
        set(label, { x: x - 14, y: y - 8 });
      }
      put(dot, ...at(state.q));
      const value = between(loss, state.p, state.q);
      title.textContent = `${TITLES[loss]} = ${shown(value, 4)}${value < Infinity ? " nats" : ""}`;
      tell();
    };
  }

  const STAR = path(Array.from({ length: 10 }, (_, i) => {
    const [turn, far] = [(i * Math.PI) / 5 - Math.PI / 2, i % 2 ? 2.8 : 7];
    return [far * Math.cos(turn), far * Math.sin(turn)];
  }), true);

  function pieces(points) {
    // A line that the edge cuts has a gap; none begins in the middle of a piece.
    const gap = points.indexOf(null);
    const turned = gap < 0 ? points : [...points.slice(gap, -1), ...points.slice(0, gap)];
    const found = [[]];
    for (const point of turned) {
      if (point) found.at(-1).push(point);
      else found.push([]);
    }
    return found.filter((piece) => piece.length > 1);
  }

  function raised(q, share) {
    // The third word is given a share; the others keep their proportion.
    const rest = q[0] + q[1];
    const [one, two] = rest > 0 ? [q[0] / rest, q[1] / rest] : [0.5, 0.5];
    return [(1 - share) * one, (1 - share) * two, share];
  }

  function moved(q, amount) {
    // From the first word to the second.
    const goes = clamp(amount, -q[1], q[0]);
    return [q[0] - goes, q[1] + goes, q[2]];
  }

  function build(stage, { words, teacher, students, start: initial }) {
    const state = { words, p: teacher, q: [...initial], others: students, place };
    const numbers = make("p", { className: "numbers" }, stage);
    const pair = make("div", { className: "pair" }, stage);
    const charts = ["forward_kl", "reverse_kl"].map((loss) => triangle(pair, loss, state));
    const buttons = make("p", { className: "buttons" }, stage);
    for (const [name, q] of Object.entries(students)) {
      const button = make("button", { type: "button", textContent: name }, buttons);
      button.addEventListener("click", () => place([...q]));
    }

    function place(q) {
      const tidy = q.map((share) => (share < 0.002 ? 0 : share));
      const total = tidy[0] + tidy[1] + tidy[2];
      state.q = tidy.map((share) => share / total);
      redraw();
    }

    function redraw() {
      charts.forEach((chart) => chart());
      numbers.replaceChildren(...words.map((word, i) => {
        const cell = make("span", {});
        make("b", { textContent: shown(state.q[i]) }, cell);
        cell.append(` ${word}, P ${shown(teacher[i], 1)}`);
        return cell;
      }));
      stage.dataset.state = JSON.stringify(state.q);
    }

    return redraw;
  }

  start("simplex", build);
})();
