// Draws formulas, so that a reader's browser does not have to: see formulas.py.
//
//     node formulas.js MATHJAX_FOLDER < tasks > drawn
//
// In: a JSON list of {tex, display}. Out: {formulas: [SVG with MathML beside it], style}.
"use strict";

const fs = require("node:fs");
const path = require("node:path");

const COMPONENTS = ["input/tex-full", "output/svg", "adaptors/liteDOM", "a11y/assistive-mml"];

async function draw(folder, tasks) {
  const MathJax = await require(path.join(folder, "es5", "node-main.js")).init({
    loader: { load: COMPONENTS, versionWarnings: false },
    tex: {
      formatError(_, error) {
        throw error;
      },
    },
    svg: { fontCache: "none" }, // no ids: a formula may stand twice on a page
  });
  const adaptor = MathJax.startup.adaptor;
  const formulas = tasks.map(({ tex, display }) => {
    const drawn = MathJax.tex2svg(tex, { display });
    // On a phone a wide one is scrolled, with the keyboard too.
    if (display) adaptor.setAttribute(drawn, "tabindex", "0");
    return adaptor.outerHTML(drawn);
  });
  return { formulas, style: adaptor.textContent(MathJax.svgStylesheet()) };
}

const tasks = JSON.parse(fs.readFileSync(0, "utf-8"));
draw(path.resolve(process.argv[2]), tasks)
  .then((drawn) => fs.writeFileSync(1, JSON.stringify(drawn)))
  .catch((error) => {
    console.error(error.message ?? error);
    process.exit(1);
  });
