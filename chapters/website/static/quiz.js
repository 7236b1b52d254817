// Judges the quizzes of a page with the words of the exercises' own checker (kdlib.exercises).
// Nothing is sent or kept.
"use strict";

const UNREADABLE = "a number is expected, for example 0.25, 1/3 or 25 %";

function readNumber(text, whole) {
  // As `read_number` in kdlib/exercises/numbers.py; undefined for what cannot be read.
  let cleaned = text.trim().replaceAll("−", "-").replace(/nats$/, "").trim();
  const commas = cleaned.split(",").length - 1;
  if (/^[+-]?[1-9]\d{0,2}(,\d{3})+$/.test(cleaned) && (whole || commas > 1)) {
    cleaned = cleaned.replaceAll(",", "");
  }
  if (cleaned.includes(",") && cleaned.includes(".")) return undefined;
  const percent = cleaned.endsWith("%");
  const parts = cleaned.replace(/%$/, "").replaceAll(",", ".").split("/").map(plainNumber);
  if (parts.length > 2 || parts.includes(undefined) || parts[1] === 0) return undefined;
  const value = parts.length === 2 ? parts[0] / parts[1] : parts[0];
  return percent ? value / 100 : value;
}

function plainNumber(text) {
  const part = text.trim().toLowerCase();
  const infinite = /^([+-]?)inf(inity)?$/.exec(part);
  if (infinite) return infinite[1] === "-" ? -Infinity : Infinity;
  if (/^[+-]?nan$/.test(part)) return NaN;
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/.test(part) ? Number(part) : undefined;
}

function close(given, target, decimals) {
  if (!Number.isFinite(given) || !Number.isFinite(target)) return given === target;
  return Math.abs(given - target) <= 0.5 * 10 ** -decimals * (1 + 1e-6);
}

function nearlyEqual(a, b) {
  // As math.isclose with rel_tol=0.01.
  if (!Number.isFinite(a) || !Number.isFinite(b)) return a === b;
  return Math.abs(a - b) <= 0.01 * Math.max(Math.abs(a), Math.abs(b));
}

function judgeNumber(text, data) {
  if (text.trim() === "") return { outcome: "not attempted", sign: "○" };
  const given = readNumber(text, data.decimals === 0);
  if (given === undefined) return { outcome: "error", sign: "!", note: UNREADABLE };
  if (close(given, data.value, data.decimals)) return data.correct;
  return namedMistake(given, data) ?? unnamed(given, data);
}

function namedMistake(given, data) {
  for (const value of [given, -given, given / data.bits]) {
    const meant = data.wrongs.filter(
      ({ value: wrong }) =>
        close(value, Number(wrong), data.decimals) || nearlyEqual(value, Number(wrong)),
    );
    const distance = (wrong) => Math.abs(value - Number(wrong.value)) || 0;
    if (meant.length) return meant.reduce((a, b) => (distance(b) < distance(a) ? b : a)).verdict;
  }
  return undefined;
}

function unnamed(given, data) {
  const { value, decimals } = data;
  const wrong = (seen, expected, misconception) => ({
    outcome: "wrong", sign: "✗", seen, expected, misconception,
    name: misconception ? data.names[misconception] : "",
  });
  if (Number.isNaN(given)) return wrong("the value is not a number (NaN)", "a finite value");
  if (close(given, -value, decimals)) {
    return wrong("the sign is wrong", "the other sign", "sign-flipped");
  }
  if (data.nats && close(given, value * data.bits, decimals)) {
    return wrong("the value is in bits", "a value in nats", "nats-for-bits");
  }
  if (close(given, 100 * value, decimals)) {
    return wrong("the value is a percentage", "a plain number");
  }
  if (Math.abs(given - value) <= 0.5 * 10 ** (1 - decimals)) {
    return wrong("the value is close, but too far off to be rounding", `${decimals} decimals`);
  }
  const direction = given > value ? "large" : "small";
  return wrong(`the value is too ${direction}`, `a value to ${decimals} decimals`);
}

function judge(form, data) {
  if (form.dataset.kind === "number") return judgeNumber(form.querySelector("input").value, data);
  const chosen = form.querySelector("input:checked");
  return chosen ? data.verdicts[chosen.value] : { outcome: "not attempted", sign: "○" };
}

// ---------------------------------------------------------------- showing a verdict

const HEADS = {
  wrong: "not yet",
  error: "cannot be read",
  "not attempted": "no answer yet",
  "to be marked": "written; now mark it yourself",
};

function show(output, verdict) {
  output.dataset.outcome = verdict.outcome;
  const head = document.createElement("strong");
  head.textContent = `${verdict.sign} ${HEADS[verdict.outcome] ?? verdict.outcome}`;
  if (verdict.name) head.textContent += `: ${verdict.name}`;
  output.replaceChildren(head);
  addMistake(output, verdict);
}

function addMistake(output, verdict) {
  addRow(output, "Seen", verdict.seen);
  addRow(output, "Expected", verdict.expected);
  addRow(output, "", verdict.note);
  if (verdict.misconception) {
    const link = document.createElement("a");
    link.href = `misconceptions.html#misconception-${verdict.misconception}`;
    link.textContent = "What this mistake is, and where to read on";
    output.append(link);
  }
}

function addRow(output, label, text) {
  if (!text) return;
  const row = document.createElement("span");
  row.className = "line";
  if (label) {
    const name = document.createElement("b");
    name.textContent = `${label}: `;
    row.append(name);
  }
  row.append(text);
  output.append(row);
}

// ---------------------------------------------------------------- written answers

const COMPARE = "Compare your answer with the model answer, and tick the points that it makes.";

function markWritten(form, data) {
  // The first press shows the model answer, every other one marks with the ticks as they are.
  const output = form.querySelector("output");
  const marking = form.querySelector(".marking");
  const words = form.querySelector("textarea").value.match(/[\p{L}\p{N}_]+/gu) ?? [];
  if (words.length < data.few) {
    const note = `Write a few sentences: ${data.few} words at least.`;
    show(output, { outcome: "not attempted", sign: "○", note });
  } else if (marking.hidden) {
    marking.hidden = false;
    form.querySelector("button").textContent = "Mark my answer";
    show(output, { outcome: "to be marked", sign: "✎", note: COMPARE });
  } else {
    showMarks(output, [...form.querySelectorAll("[type=checkbox]")], data.missing);
  }
}

function showMarks(output, boxes, missing) {
  const made = boxes.filter((box) => box.checked).length;
  const outcome = `self-marked, ${made} of ${boxes.length} points`;
  show(output, { outcome, sign: "✎" });
  boxes.forEach((box, place) => {
    if (box.checked) return;
    addRow(output, `Point ${place + 1}`, `not yet: ${missing[place].name}`);
    addMistake(output, missing[place]);
  });
}

function start(form) {
  const data = JSON.parse(form.querySelector("script").textContent);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (form.dataset.kind === "written") markWritten(form, data);
    else show(form.querySelector("output"), judge(form, data));
  });
}

document.querySelectorAll("form.quiz").forEach(start);
