// Temperature: the next-word distribution of the book's teacher, at every temperature there is.
// All logits of every prompt are there, rounded (see chapters/website/explorables.py).
"use strict";

(() => {
  const { sum, logSoftmax, entropy } = Explorables;
  const { clamp, shown, set, draw, make, canvas, slider, grip, put, path, start } = Explorables;

  // ---------------------------------------------------------------- numbers

  function logitsOf({ highest, steps }, step) {
    // The logits in falling order: the highest, then the differences, seven bits to a byte, low first.
    const bytes = Uint8Array.from(atob(steps), (letter) => letter.charCodeAt(0));
    const found = [highest];
    let difference = 0, shift = 0;
    for (const byte of bytes) {
      difference += (byte & 127) << shift;
      shift += 7;
      if (byte & 128) continue;
      found.push(found.at(-1) - difference);
      [difference, shift] = [0, 0];
    }
    return found.map((level) => level * step);
  }

  const softened = (logits, temperature) => logSoftmax(logits.map((z) => z / temperature));

  function answer(logits, temperature, named) {
    // The probabilities of the first words, that of all others, the entropy and its exponential.
    const logP = softened(logits, temperature);
    const first = logP.slice(0, named).map(Math.exp);
    const others = sum(logP.slice(named).map(Math.exp));
    const nats = entropy(logP);
    return { first, others, entropy: nats, perplexity: Math.exp(nats) };
  }

  Object.assign(Explorables, { logitsOf, softened, answer });

  // ---------------------------------------------------------------- drawing

  const COLDEST = 0.1, HOTTEST = 10;
  const OCTAVE = Math.log(HOTTEST / COLDEST);
  const ROW = 21; // pixels, of a word
  const TOP = 22, BASE = 190, LEFT = 42, HEIGHT = 240; // of the curve

  const many = (number) => Math.round(number).toLocaleString("en-US");

  function bars(parent, state) {
    // A row for each word, the longest on top, and one for all others; a tick where it is at T = 1.
    const svg = set(canvas(parent, ROW * (state.named + 1) + 8), { role: "img" });
    svg.classList.add("rows");
    const rows = Array.from({ length: state.named + 1 }, (_, i) => {
      const y = ROW * i + 15 + (i === state.named ? 6 : 0);
      return {
        word: draw("text", { class: "word", y, "text-anchor": "end" }, svg),
        bar: draw("rect", { class: i < state.named ? "student" : "others", y: y - 12, height: 15 }, svg),
        tick: draw("line", { class: "before", y1: y - 14, y2: y + 5 }, svg),
        number: draw("text", { class: "number", y }, svg),
      };
    });
    return (found, before) => {
      const width = svg.widthNow(), left = 112, full = width - left - 52;
      const [now, then] = [found, before].map(({ first, others }) => [...first, others]);
      rows.forEach(({ word, bar, tick, number }, i) => {
        set(word, { x: left - 8 }).textContent = i === state.named
          ? `${many(state.logits.length - state.named)} others` : state.words[i];
        set(bar, { x: left, width: full * now[i] });
        set(tick, { x1: left + full * then[i], x2: left + full * then[i] });
        set(number, { x: left + full * Math.max(now[i], then[i]) + 7 }).textContent = shown(now[i]);
      });
      svg.setAttribute("aria-label", `At T = ${shown(state.temperature, 2)}: ${state.words
        .slice(0, 5).map((word, i) => `${word} ${shown(now[i])}`).join(", ")}, all words beyond the ` +
        `first ${state.named} together ${shown(now.at(-1))}.`);
    };
  }

  function curve(parent, state) {
    // How many words are open at every temperature; the grip on the curve is the temperature.
    const svg = set(canvas(parent, HEIGHT), { role: "group", "aria-label": "temperature" });
    const scale = () => (svg.widthNow() - LEFT - 16) / OCTAVE;
    const x = (t) => LEFT + Math.log(t / COLDEST) * scale();
    const y = (nats) => BASE - (nats / Math.log(state.logits.length)) * (BASE - TOP);
    draw("text", { class: "remark", x: 0, y: 10 }, svg, "as open as so many equally likely words");
    const levels = [1, 10, 100, 1000, 4096].map((words) => {
      const line = draw("line", { class: "level", x1: LEFT, x2: "100%" }, svg);
      const about = { class: "tick", "text-anchor": "end", x: LEFT - 5 };
      return { words, line, label: draw("text", about, svg, many(words)) };
    });
    const below = (y) => ({ y: BASE + y, "text-anchor": "middle" });
    const ticks = [0.1, 0.2, 0.5, 1, 2, 5, 10]
      .map((t) => [t, draw("text", { class: "tick", ...below(18) }, svg, t)]);
    draw("text", { class: "remark", x: "54%", ...below(40) }, svg, "temperature T");
    const line = draw("path", { class: "student-line" }, svg);
    const drop = draw("line", { class: "before" }, svg);
    const dot = grip(svg, "heat");
    const label = draw("text", { class: "of-student" }, svg);
    const tell = slider(dot, {
      label: "temperature", least: Math.log2(COLDEST), most: Math.log2(HOTTEST), step: 0.05,
      value: () => Math.log2(state.temperature),
      words: () => `T = ${shown(state.temperature, 2)}, entropy ${shown(state.found.entropy, 2)} nats`,
      move: (octaves) => state.heat(2 ** octaves),
      drag: (at) => state.heat(COLDEST * Math.exp((at.x - LEFT) / scale())),
    });
    return () => {
      for (const { words, line: level, label: text } of levels) {
        const at = y(Math.log(words));
        set(level, { y1: at, y2: at });
        set(text, { y: at + 4 });
      }
      for (const [t, tick] of ticks) set(tick, { x: x(t) });
      set(line, { d: path(state.curve.map(([t, nats]) => [x(t), y(nats)])) });
      const [px, py] = [x(state.temperature), y(state.found.entropy)];
      const right = px > svg.widthNow() / 2;
      set(drop, { x1: px, x2: px, y1: py, y2: BASE });
      set(label, { x: px + (right ? -20 : 20), y: py + (right ? -8 : -14) });
      set(label, { "text-anchor": right ? "end" : "start" });
      label.textContent = `T = ${shown(state.temperature, 2)}`;
      put(dot, px, py);
      tell();
    };
  }

  function build(stage, { named }) {
    const { prompts, step } = Explorables.teacher;
    const state = { named, temperature: 1, heat };
    const row = make("p", { className: "controls" }, stage);
    const label = make("label", { textContent: "After " }, row);
    const select = make("select", {}, label);
    prompts.forEach(({ text }, i) => select.add(new Option(`“${text} …”`, i)));
    const pair = make("div", { className: "pair" }, stage);
    const [drawBars, drawCurve] = [bars(pair, state), curve(make("div", {}, pair), state)];
    const numbers = make("p", { className: "numbers" }, pair.lastChild);
    const buttons = make("p", { className: "buttons" }, pair.lastChild);
    const reset = make("button", { type: "button", textContent: "Back to T = 1" }, buttons);

    function ask(number) {
      state.words = prompts[number].words;
      state.logits = logitsOf(prompts[number], step);
      state.before = answer(state.logits, 1, named);
      state.curve = Array.from({ length: 61 }, (_, i) => {
        const t = COLDEST * (HOTTEST / COLDEST) ** (i / 60);
        return [t, entropy(softened(state.logits, t))];
      });
      redraw();
    }

    function heat(temperature) {
      state.temperature = clamp(temperature, COLDEST, HOTTEST);
      redraw();
    }

    function redraw() {
      state.found = answer(state.logits, state.temperature, named);
      drawBars(state.found, state.before);
      drawCurve();
      const { entropy: nats, perplexity, others } = state.found;
      const cells = [["entropy, nats", shown(nats)], ["equally likely words", shown(perplexity, 1)],
        [`beyond the first ${named}`, shown(others)]];
      numbers.replaceChildren(...cells.map(([name, value]) => {
        const cell = make("span", {});
        make("b", { textContent: value }, cell);
        cell.append(` ${name}`);
        return cell;
      }));
      const { temperature } = state;
      stage.dataset.state = JSON.stringify({ prompt: Number(select.value), temperature });
    }

    select.addEventListener("change", () => ask(Number(select.value)));
    reset.addEventListener("click", () => heat(1));
    ask(0);
    return redraw;
  }

  start("temperature", build);
})();
