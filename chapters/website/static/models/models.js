// The page "Three models": loads the weights when it is asked to, reads what is typed, draws the table.
// Nothing is sent or kept.
"use strict";

{
  const NAMES = ["teacher", "student", "control"];
  const CODE = ["tokenizer.js", "weights.js", "llama.js", "distributions.js"];
  const WORK = 30; // milliseconds, after which the page may answer its reader
  const QUIET = 700; // milliseconds without a change, after which the table is read out
  const SHOWN = 60; // tokens of the text
  const MANY = 20;

  const page = (globalThis.threeModels ??= {});
  const part = (name) => document.getElementById(`models-${name}`);
  const later = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

  // ---------------------------------------------------------------- loading

  const arrived = {}; // {model: {config, tensors}}

  const delivered = {}; // {name: true, or what was wrong with it}

  // The scripts with weights call this; a text is read at once and let go. An error inside a script
  // would not reach the one who added it.
  page.deliver = (name, about, text) => {
    try {
      receive(about, text);
      delivered[`${name}.js`] = true;
    } catch (error) {
      delivered[`${name}.js`] = error;
    }
  };

  function receive(about, text) {
    if (about.merges) {
      page.tokenizer = page.makeTokenizer(about);
      return;
    }
    const model = (arrived[about.model] ??= { config: about.config, tensors: {} });
    Object.assign(model.tensors, page.readPart(about, text));
  }

  function addScript(address) {
    return new Promise((done, failed) => {
      const script = document.createElement("script");
      script.charset = "utf-8";
      script.onload = () => done(script.remove());
      script.onerror = () => failed(new Error(`${address} cannot be loaded`));
      script.src = address;
      document.head.append(script);
    });
  }

  async function load(folder, files) {
    const total = Object.values(files).reduce((a, b) => a + b);
    let loaded = 0;
    for (const name of CODE) await addScript(folder + name);
    for (const [name, size] of Object.entries(files)) {
      await addScript(`${folder}weights/${name}`);
      if (delivered[name] !== true) throw delivered[name] ?? new Error(`${name} is damaged`);
      loaded += size;
      progress(loaded, total);
    }
    page.models = NAMES.map((name) => page.makeModel(arrived[name].config, arrived[name].tensors));
    NAMES.forEach((name) => delete arrived[name]);
  }

  function progress(loaded, total) {
    part("progress").value = loaded / total;
    const [done, all] = [loaded, total].map((bytes) => (bytes / 1e6).toFixed(1));
    part("status").textContent = `${done} of ${all} MB`;
  }

  async function start(about, folder) {
    part("load").disabled = true;
    part("progress").hidden = false;
    progress(0, Object.values(about.files).reduce((a, b) => a + b));
    try {
      await load(folder, about.files);
    } catch (error) {
      part("load").disabled = false;
      part("progress").hidden = true;
      part("status").textContent = `${error.message}. Press the button to try again.`;
      return;
    }
    const panel = new Panel(about);
    part("form").hidden = false;
    part("load").parentElement.hidden = true;
    part("text").focus();
    part("text").setSelectionRange(part("text").value.length, part("text").value.length);
    await panel.typed();
  }

  // ---------------------------------------------------------------- the panel

  class Panel {
    constructor(about) {
      this.about = about;
      this.memories = page.models.map(page.makeMemory);
      this.reading = null; // a promise, while something is read
      this.stale = false; // what is being read is no longer what stands there
      this.turn = null; // of whoever writes; a new one ends the old
      part("text").addEventListener("input", () => this.typed());
      part("temperature").addEventListener("input", () => this.draw());
      part("one").addEventListener("click", () => this.turn ?? this.write(1));
      part("many").addEventListener("click", () => (this.turn ? this.stop() : this.write(MANY)));
      part("back").addEventListener("click", () => this.back());
      part("form").addEventListener("submit", (event) => event.preventDefault());
    }

    get temperature() {
      return Number(part("temperature").value);
    }

    async typed() {
      this.stop();
      this.beginning = part("text").value;
      this.ids = page.encode(page.tokenizer, this.beginning);
      this.typedTokens = this.ids.length;
      await this.read();
    }

    async back() {
      part("text").value = this.beginning;
      await this.typed();
    }

    stop() {
      this.turn = null;
      part("many").textContent = `Write ${MANY}`;
    }

    // One reading at a time; one that has become stale begins again with what stands there now.
    async read() {
      this.stale = true;
      this.reading ??= this.readAll().finally(() => (this.reading = null));
      await this.reading;
    }

    async readAll() {
      part("table").setAttribute("aria-busy", "true");
      while (this.stale) {
        this.stale = false;
        const logits = await this.logitsNow();
        if (logits) this.logits = logits;
      }
      part("table").removeAttribute("aria-busy");
      this.draw();
    }

    async logitsNow() {
      const { end } = page.tokenizer;
      const ids = page.tail([end.id, ...this.ids], page.models[0].config.positions);
      const found = [];
      for (const [place, model] of page.models.entries()) {
        const logits = await page.read(model, this.memories[place], ids, () => this.pause());
        if (!logits) return null;
        found.push(logits);
      }
      return found;
    }

    async pause() {
      if (performance.now() - (this.rested ?? 0) > WORK) {
        await later(0);
        this.rested = performance.now();
      }
      return !this.stale;
    }

    // A token is drawn only once all that stands there has been read.
    async write(count) {
      const turn = (this.turn = {});
      if (count > 1) part("many").textContent = "Stop";
      for (let done = 0; done < count; done++) {
        await this.reading;
        if (this.turn !== turn || !this.next()) break;
        await this.read();
        await later(0);
      }
      if (this.turn === turn) this.stop();
    }

    // Adds a token; false where the writer has ended its text.
    next() {
      const writer = document.querySelector("[name=models-writer]:checked").value;
      const seed = Math.trunc(Number(part("seed").value)) || 0;
      const logP = this.shown.all[NAMES.indexOf(writer)];
      const id = page.sample(logP, page.draw(seed, this.ids.length));
      if (id === page.tokenizer.end.id) {
        part("tokens").append(element("span", `the ${writer} ends here`, { class: "written" }));
        this.say(`The ${writer} ends here.`);
        return false;
      }
      this.ids.push(id);
      const box = part("text");
      box.value = page.decode(page.tokenizer, this.ids);
      box.scrollTop = box.scrollHeight;
      return true;
    }

    draw() {
      this.shown = page.compared(this.logits, this.temperature, this.about.words);
      part("degrees").textContent = this.temperature.toFixed(2);
      drawTable(this.shown, this.about.scales, this.temperature, part("text").value);
      drawTokens(this.ids, this.typedTokens);
      this.say(spoken(this.shown));
    }

    say(words) {
      clearTimeout(this.saying);
      this.saying = setTimeout(() => (part("said").textContent = words), QUIET);
    }
  }

  // ---------------------------------------------------------------- drawing

  const percent = (share) => (share < 0.0005 ? "< 0.1\u00a0%" : `${(100 * share).toFixed(1)}\u00a0%`);
  const nats = (value) => (Math.abs(value) < 0.0005 ? "0.000" : value.toFixed(3));

  function element(tag, words = "", attributes = {}) {
    const made = document.createElement(tag);
    made.textContent = words;
    Object.entries(attributes).forEach(([name, value]) => made.setAttribute(name, value));
    return made;
  }

  function row(head, cells) {
    const made = element("tr");
    made.append(element("th", head, { scope: "row" }), ...cells);
    return made;
  }

  function cell(words) {
    const made = element("td");
    made.append(element("span", words));
    return made;
  }

  function barCell(share, full, best) {
    const made = cell(percent(share));
    if (best) made.className = "best";
    const bar = element("span", "", { class: "bar" });
    bar.style.setProperty("--share", (share / full).toFixed(3));
    made.append(bar);
    return made;
  }

  function drawTable(shown, scales, temperature, text) {
    const table = part("table");
    const largest = Math.max(...shown.shares.flat());
    const full = scales.find((scale) => largest <= scale + 1e-9) ?? 1;
    const rows = shown.ids.map((id, place) => {
      const cells = shown.shares[place].map((p, m) => barCell(p, full, id === shown.best[m]));
      return row(page.visible(page.tokenizer, id), cells);
    });
    const others = (shown.all[0].length - shown.ids.length).toLocaleString("en");
    rows.push(row(`${others} others`, shown.rest.map((share) => cell(percent(share)))));
    table.querySelector(".models-words").replaceChildren(...rows);
    const number = (value) => cell(value === null ? "–" : nats(value));
    table.querySelector(".models-numbers").replaceChildren(
      row("entropy, nats", shown.entropies.map(number)),
      row("forward KL(P‖Q)", [null, ...shown.forward].map(number)),
      row("reverse KL(Q‖P)", [null, ...shown.reverse].map(number)),
    );
    const words = text.length > 40 ? `…${text.slice(-40)}` : text;
    table.caption.textContent =
      `What may follow “${words}”, at temperature ${temperature.toFixed(2)}. A full bar is ` +
      `${(100 * full).toFixed(0)}\u00a0%; the likeliest of each model is bold.`;
  }

  function drawTokens(ids, typed) {
    const from = Math.max(ids.length - SHOWN, 0);
    const tokens = ids.slice(from).map((id, place) => {
      const kind = from + place < typed ? "typed" : "written";
      return element("span", page.visible(page.tokenizer, id), { class: kind });
    });
    part("tokens").replaceChildren(from ? "… " : "", ...tokens);
  }

  // The likeliest token of each model, in words to be read out.
  function spoken(shown) {
    const parts = NAMES.map((name, m) => {
      const word = page.decode(page.tokenizer, [shown.best[m]]).trim();
      const named = word || page.visible(page.tokenizer, shown.best[m]);
      return `${name} “${named}” ${percent(Math.exp(shown.all[m][shown.best[m]]))}`;
    });
    return `Likeliest next: ${parts.join(", ")}.`;
  }

  const about = typeof document === "undefined" ? null : part("data");
  if (about) {
    const { folder } = document.getElementById("models").dataset;
    part("load").parentElement.hidden = false;
    part("load").addEventListener("click", () => start(JSON.parse(about.textContent), folder));
  }
}
