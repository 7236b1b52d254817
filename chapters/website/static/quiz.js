// Judges the quizzes of a page with the words of the exercises' own checker (kdlib.exercises).
// Nothing is sent or kept.
"use strict";

const UNREADABLE = "a number is expected, for example 0.25, 1/3 or 25 %";

function readNumber(text, whole) {
  // As `read_number` in kdlib/exercises/kinds/number_reader.py, but for formulas and the prompt's own
  // words; undefined for what cannot be read.
  let cleaned = text.trim().replaceAll("−", "-");
  cleaned = cleaned.replace(/(?<=[\d.)])\s*(nats?|bits?|times|x|×)$/i, "").trim();
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

function isRounding(given, value) {
  // As `_is_rounding` in kdlib/exercises/kinds/numbers.py: rounded to the decimals that it has.
  if (!Number.isFinite(given) || !Number.isFinite(value)) return false;
  const [digits, power] = String(given).split("e");
  const decimals = Math.max((digits.split(".")[1] ?? "").length - Number(power ?? 0), 0);
  return Math.abs(given - value) <= 0.5 * 10 ** -decimals * (1 + 1e-6);
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
  if (data.nats && /\bbits?\b/i.test(text)) {
    return slip(data, "the value is in bits", "nats", "nats-for-bits");
  }
  if (close(given, data.value, data.decimals)) {
    const whole = data.decimals === 0 && Number.isInteger(data.value);
    if (!whole || Number.isInteger(given)) return data.correct;
    return slip(data, "the value is no whole number", "a whole number");
  }
  return (
    named(given, data) ?? firstSlip(given, data) ?? secondSlip(given, data) ??
    coarse(given, data) ?? unnamed(given, data)
  );
}

function slip(data, seen, expected, misconception) {
  const name = misconception ? data.names[misconception] : "";
  return { outcome: "wrong", sign: "✗", seen, expected, misconception, name };
}

function named(given, data) {
  const meant = data.wrongs.filter(({ value }) => close(given, Number(value), data.decimals));
  const distance = (wrong) => Math.abs(given - Number(wrong.value)) || 0;
  if (!meant.length) return undefined;
  return meant.reduce((a, b) => (distance(b) < distance(a) ? b : a)).verdict;
}

function firstSlip(given, data) {
  if (close(given, -data.value, data.decimals)) {
    return slip(data, "the sign is wrong", "the other sign", "sign-flipped");
  }
  if (data.nats && close(given, data.value * data.bits, data.decimals)) {
    return slip(data, "the value is in bits", "a value in nats", "nats-for-bits");
  }
  return undefined;
}

function secondSlip(given, data) {
  // A named mistake and such a slip: what is seen of the one need not be seen here.
  for (const [factor, words] of [[-1, "minus"], [data.nats ? data.bits : 100, "in another unit,"]]) {
    for (const { value, verdict } of data.wrongs) {
      const wrong = Number(value);
      const isShare = factor !== 100 || (wrong > 0 && wrong <= 1);
      if (wrong && isShare && close(given, factor * wrong, data.decimals)) {
        return { ...verdict, seen: `the value looks like ${words} ${data.likeIt}` };
      }
    }
  }
  return undefined;
}

function coarse(given, data) {
  const rounded = data.wrongs.filter(
    ({ value }) => nearlyEqual(given, Number(value)) && isRounding(given, Number(value)),
  );
  if (rounded.length !== 1 || isRounding(given, data.value)) return undefined;
  return { ...rounded[0].verdict, seen: `the value looks like ${data.likeIt}` };
}

function unnamed(given, data) {
  const { value, decimals } = data;
  if (Number.isNaN(given)) return slip(data, "the value is not a number (NaN)", "a finite value");
  if (value > 0 && value <= 1 && isRounding(given, 100 * value)) {
    return slip(data, "the value looks like a percentage", "a plain number");
  }
  if (Math.abs(given - value) <= 0.5 * 10 ** (1 - decimals)) {
    return slip(data, "the value is close, but too far off to be rounding", `${decimals} decimals`);
  }
  const direction = given > value ? "large" : "small";
  return slip(data, `the value is too ${direction}`, `a value to ${decimals} decimals`);
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
