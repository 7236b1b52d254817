// What all explorables share: elements, numbers as text, and a part that is dragged or moved by keys.
"use strict";

globalThis.Explorables ??= {};

(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const STEPS = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10 };

  const COLOURS = [ // of matplotlib's cividis: dark is low
    [0, 34, 78], [53, 69, 108], [102, 105, 112], [148, 142, 119], [200, 184, 102], [254, 232, 56],
  ];

  const clamp = (value, least, most) => Math.min(Math.max(value, least), most);

  function shown(value, digits = 3, signed = false) {
    // As Python's formatting, with a real minus and with ∞.
    if (!Number.isFinite(value)) return value < 0 ? "−∞" : "∞";
    const text = Math.abs(value).toFixed(digits);
    const zero = Number(text) === 0;
    return (value < 0 && !zero ? "−" : signed ? "+" : "") + text;
  }

  function set(part, attributes) {
    for (const [name, value] of Object.entries(attributes)) part.setAttribute(name, value);
    return part;
  }

  function draw(tag, attributes, parent, text) {
    const part = set(document.createElementNS(SVG, tag), attributes);
    if (text !== undefined) part.textContent = text;
    parent?.append(part);
    return part;
  }

  function make(tag, properties, parent) {
    const part = Object.assign(document.createElement(tag), properties);
    parent?.append(part);
    return part;
  }

  function canvas(parent, height) {
    // A drawing whose units are the pixels of the screen, so that letters keep their size.
    const svg = draw("svg", { height, class: "canvas" }, parent);
    svg.widthNow = () => Math.max(svg.clientWidth || svg.getBoundingClientRect().width, 200);
    return svg;
  }

  const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

  function placeIn(svg, event) {
    const box = svg.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  function slider(part, about) {
    // Makes `part` of a drawing a slider. about: label, least, most, step; value() and words() for
    // who hears the page; move(value) by keys; drag(point, event) by pointer. `across`, where there
    // is one, takes the left and right arrows of a part that moves in two directions.
    set(part, { role: "slider", tabindex: 0, "aria-label": about.label });
    set(part, { "aria-valuemin": about.least, "aria-valuemax": about.most });
    const svg = part.ownerSVGElement;
    part.addEventListener("pointerdown", (event) => {
      if (event.button || !part.contains(event.target)) return;
      // A finger that rests on a large area means to scroll; on a grip it means to drag.
      if (event.pointerType === "touch" && event.target.classList.contains("area")) return;
      part.setPointerCapture(event.pointerId);
      part.focus({ preventScroll: true });
      part.classList.add("dragged");
      about.drag(placeIn(svg, event), event);
      event.preventDefault();
    });
    part.addEventListener("pointermove", (event) => {
      if (part.hasPointerCapture(event.pointerId)) about.drag(placeIn(svg, event), event);
    });
    for (const end of ["pointerup", "pointercancel"]) {
      part.addEventListener(end, () => part.classList.remove("dragged"));
    }
    part.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const steps = STEPS[event.key] * (event.shiftKey && event.key.startsWith("Arrow") ? 10 : 1);
      const sideways = event.key === "ArrowLeft" || event.key === "ArrowRight";
      if (about.across && sideways) about.across(steps);
      else if (event.key in STEPS) {
        about.move(clamp(about.value() + steps * about.step, about.least, about.most));
      } else if (event.key === "Home") about.move(about.least);
      else if (event.key === "End") about.move(about.most);
      else return;
      event.preventDefault();
    });
    return () =>
      set(part, {
        "aria-valuenow": Number(about.value().toFixed(4)),
        "aria-valuetext": about.words(),
      });
  }

  function grip(svg, className) {
    // A dot to drag, with room for a finger around it.
    const part = draw("g", { class: `grip ${className}` }, svg);
    draw("circle", { r: 22, class: "room" }, part);
    draw("circle", { r: 12, class: "ring" }, part);
    draw("circle", { r: 7, class: "dot" }, part);
    return part;
  }

  const put = (part, x, y) => set(part, { transform: `translate(${x.toFixed(2)},${y.toFixed(2)})` });

  const path = (points, shut = false) =>
    points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(2)},${y.toFixed(2)}`).join("") +
    (shut ? "Z" : "");

  function colour(share) {
    const at = clamp(share, 0, 1) * (COLOURS.length - 1);
    const from = Math.min(Math.floor(at), COLOURS.length - 2);
    return COLOURS[from].map((c, i) => Math.round(c + (at - from) * (COLOURS[from + 1][i] - c)));
  }

  function picture(rows) {
    // Shares as colours, the last row on top: the address of an image.
    const [height, width] = [rows.length, rows[0].length];
    const board = Object.assign(document.createElement("canvas"), { width, height });
    const context = board.getContext("2d"), image = context.createImageData(width, height);
    [...rows].reverse().flat().forEach((share, i) => image.data.set([...colour(share), 255], 4 * i));
    context.putImageData(image, 0, 0);
    return board.toDataURL();
  }

  function start(name, build) {
    // Builds each such figure of the page, and draws it again where its width changes.
    for (const figure of document.querySelectorAll(`figure[data-explorable="${name}"]`)) {
      const stage = figure.querySelector(".stage");
      const settings = JSON.parse(figure.querySelector("script[type='application/json']").textContent);
      figure.classList.add("live");
      const redraw = build(stage, settings);
      let width = 0;
      new ResizeObserver(([{ contentRect }]) => {
        if (Math.abs(contentRect.width - width) < 0.5) return;
        width = contentRect.width;
        redraw();
      }).observe(stage);
    }
  }

  Object.assign(Explorables, {
    clamp, shown, set, draw, make, canvas, calm, slider, grip, put, path, picture, start,
  });
})();
