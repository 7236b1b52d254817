// The cost calculator: what a run costs with the teacher beside the student, or with its answers kept.
// The numbers are in costs.js.
"use strict";

(() => {
  const { CACHES, parameters, bills, passesThatPay, dials } = Explorables;
  const { shown, set, draw, make, canvas, start } = Explorables;

  // ---------------------------------------------------------------- numbers as text

  const UNITS = ["", " thousand", " million", " billion", " trillion"];
  const BYTES = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];

  function few(value) {
    // As many digits as an eye takes in.
    if (value === Infinity) return "∞";
    if (value >= 100) return value.toLocaleString("en-US", { maximumFractionDigits: 0 });
    if (value === 0) return "0";
    return value < 0.001 ? "<0.001" : value.toFixed(value < 1 ? 3 : 1);
  }

  function scaled(value, names) {
    // 1,500 of the smallest unit are 1.5 of the next.
    let [left, unit] = [value, 0];
    const digits = () => Number(left.toPrecision(3));
    while (digits() >= 1000 && unit < names.length - 1) [left, unit] = [left / 1000, unit + 1];
    return [digits(), names[unit]];
  }

  const counted = (value) => scaled(value, UNITS).join("");
  const bytes = (value) => scaled(value, BYTES).join(" ");

  Object.assign(Explorables, { few, counted, bytes });

  const WORDS = {
    tokens: counted, passes: String, vocabulary: (v) => v.toLocaleString("en-US"),
    kept: String, gpu_flops: (v) => v.toExponential().replace("e+", "e"),
    gpu_bytes: (v) => `${bytes(v)}/s`, gpu_hour: (v) => `$${v.toFixed(2)}`,
    terabyte_month: (v) => `$${v}`,
  };

  // ---------------------------------------------------------------- the bars

  const ROW = 30, NAMES = 112, PARTS = ["storage", "teacher", "student"];
  const FAR = 3; // times the teacher beside: a longer bar is cut

  function bars(parent) {
    const svg = set(canvas(parent, 0), { role: "img" });
    return (found, price) => {
      const ways = Object.entries(found), beside = found["teacher beside"].dollars;
      const dollars = ways.map(([, way]) => way.dollars);
      const most = Math.min(Math.max(...dollars), FAR * beside) || 1;
      set(svg, { height: ROW * ways.length + 26 }).replaceChildren();
      PARTS.forEach((part, i) => {
        draw("rect", { class: part, x: NAMES + 92 * i, y: 2, width: 12, height: 12 }, svg);
        draw("text", { class: "remark", x: NAMES + 92 * i + 18, y: 13 }, svg, part);
      });
      const wide = (svg.widthNow() - NAMES - 96) / 1.06;
      ways.forEach(([name, way], i) => {
        const y = 26 + ROW * i, length = (value) => (value / most) * wide;
        draw("text", { class: "whose", x: NAMES - 10, y: y + 15, "text-anchor": "end" }, svg, name);
        let x = NAMES;
        const sizes = [way.storage, way.teacherHours * price, way.studentHours * price];
        sizes.forEach((size, part) => {
          const room = NAMES + 1.06 * wide - x, width = Math.min(length(size), room);
          draw("rect", { class: PARTS[part], x, y, width: Math.max(width, 0), height: 20 }, svg);
          x += Math.max(width, 0);
        });
        if (way.dollars > most) draw("path", { class: "cut", d: `M${x - 14},${y + 24}l8,-28` }, svg);
        draw("text", { class: "number", x: x + 7, y: y + 15 }, svg, `$${counted(way.dollars)}`);
      });
      svg.setAttribute("aria-label", `Dollars of each way: ${ways
        .map(([name, way]) => `${name} ${counted(way.dollars)}`).join(", ")}.`);
    };
  }

  // ---------------------------------------------------------------- the table

  const COLUMNS = ["way", "bytes a token", "stored", "teacher, GPU-h", "student, GPU-h", "dollars",
    "pays from pass"];

  function ledger(parent) {
    const box = make("div", { className: "ledger", tabIndex: 0 }, parent);
    set(box, { role: "region", "aria-label": "the bills" });
    const table = make("table", {}, box);
    const top = make("tr", {}, make("thead", {}, table));
    for (const name of COLUMNS) make("th", { scope: "col", textContent: name }, top);
    const body = make("tbody", {}, table);
    return (found, pays) => body.replaceChildren(...Object.entries(found).map(([name, way]) => {
      const row = make("tr", {});
      make("th", { scope: "row", textContent: name }, row);
      const cells = [few(way.bytesPerToken), bytes(way.storedBytes), few(way.teacherHours),
        few(way.studentHours), few(way.dollars),
        name in pays ? (pays[name] === Infinity ? "never" : few(pays[name])) : "–"];
      for (const text of cells) make("td", { textContent: text }, row);
      return row;
    }));
  }

  // ---------------------------------------------------------------- all of it

  function chooser(parent, label, models, chosen) {
    const select = make("select", {}, make("label", { textContent: `${label} ` }, parent));
    for (const name of Object.keys(models)) select.add(new Option(name, name));
    select.addEventListener("change", () => chosen(select.value));
    return select;
  }

  function build(stage, { plan, models, teacher, student, stops, names }) {
    const initial = { ...plan, vocabulary: plan.teacher.vocabulary };
    const state = { chosen: { teacher, student }, a: { ...initial } };
    const row = make("p", { className: "controls" }, stage);
    const selects = {
      teacher: chooser(row, "Teacher", models, (name) => {
        state.chosen.teacher = name;
        state.a.vocabulary = models[name].vocabulary; // the student shares it
        redraw();
      }),
      student: chooser(row, "Student", models, (name) => { state.chosen.student = name; redraw(); }),
    };
    const turned = dials(stage, Object.keys(stops).map((key) => ({
      name: names[key], stops: stops[key], words: WORDS[key],
      value: () => state.a[key],
      turn: (value) => { state.a[key] = value; redraw(); },
    })));
    const numbers = make("p", { className: "numbers" }, stage);
    const drawBars = bars(stage), drawLedger = ledger(stage);
    const buttons = make("p", { className: "buttons" }, stage);
    const back = make("button", { type: "button", textContent: "Back to the appendix" }, buttons);
    back.addEventListener("click", () => {
      Object.assign(state, { chosen: { teacher, student }, a: { ...initial } });
      redraw();
    });

    function redraw() {
      const { chosen, a } = state;
      for (const who of ["teacher", "student"]) {
        selects[who].value = chosen[who];
        a[who] = { ...models[chosen[who]], vocabulary: a.vocabulary };
      }
      const found = bills(a);
      const pays = Object.fromEntries(CACHES.map((name) => [name, passesThatPay(a, name)]));
      turned();
      drawBars(found, a.gpu_hour);
      drawLedger(found, pays);
      const taught = Object.entries(found).filter(([name]) => name !== "no teacher");
      const [cheapest] = taught.reduce((one, two) => (two[1].dollars < one[1].dollars ? two : one));
      const cells = [["parameters of the teacher", counted(parameters(a.teacher))],
        ["of the student", counted(parameters(a.student))], ["the cheapest with a teacher", cheapest]];
      numbers.replaceChildren(...cells.map(([name, value]) => {
        const cell = make("span", {});
        make("b", { textContent: value }, cell);
        cell.append(` ${name}`);
        return cell;
      }));
      const { teacher: big, student: small, ...rest } = a;
      stage.dataset.state = JSON.stringify({ chosen, ...rest });
    }

    return redraw;
  }

  start("cost_calculator", build);
})();
