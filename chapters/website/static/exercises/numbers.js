// A number, however it is written, and which mistake a wrong one shows: as in number_reader.py and
// numbers.py of kdlib/exercises/kinds.
"use strict";

globalThis.Exercises ??= {};

(() => {
  const { bare, quoted, evaluate, verdict, untouched, unreadable, unknown } = Exercises;
  const RULES = Exercises.rules.numbers;
  const [IN_FRONT, PERCENT, IN_BITS, UNIT] = ["ahead", "percent", "inBits", "unit"].map(
    (name) => new RegExp(...RULES[name]),
  );
  const PLAIN = /^[+-]?(\d(_?\d)*\.?(\d(_?\d)*)?|\.\d(_?\d)*)(e[+-]?\d+)?$/i;
  const { abs, max } = Math;

  // ---------------------------------------------------------------- reading

  // A number, or a text that says why there is none.
  function read(text, whole, words) {
    let cleaned = withoutUnit(bare(text).replace(IN_FRONT, ""), words);
    const isPercentage = PERCENT.test(cleaned);
    cleaned = cleaned.replace(PERCENT, "").replaceAll("−", "-").replaceAll("∞", "inf");
    cleaned = cleaned.replace(/(?<=\d)[\u2009\u202f\u00a0' ](?=\d{3}(?![\p{L}\p{N}_]))/gu, "");
    const commas = cleaned.split(",").length - 1;
    if (/^[+-]?[1-9]\d{0,2}(,\d{3})+$/.test(cleaned) && (whole || commas > 1)) {
      cleaned = cleaned.replaceAll(",", "");
    }
    if (cleaned.includes(",") && cleaned.replace(/[a-z][\p{L}\p{N}_]*\./gu, "").includes(".")) {
      return `${quoted(text)} has a comma and a point; write only one of them`;
    }
    cleaned = cleaned.replace(/(?<=\d),(?=\d)/g, ".");
    if (/^[^/()]*\/[^/()]*\/[^()]*$/.test(cleaned)) return `${quoted(text)} has two fraction bars`;
    const value = plainNumber(cleaned) ?? evaluate(cleaned);
    if (value === undefined) {
      return `${quoted(text)} is no number that can be read; write for example 0.25`;
    }
    return isPercentage ? value / 100 : value;
  }

  function plainNumber(text) {
    const part = text.trim().toLowerCase();
    const infinite = /^([+-]?)inf(inity)?$/.exec(part);
    if (infinite) return infinite[1] === "-" ? -Infinity : Infinity;
    if (/^[+-]?nan$/.test(part)) return NaN;
    return PLAIN.test(part) ? Number(part.replaceAll("_", "")) : undefined;
  }

  // Behind the number may stand its unit, or words of the question.
  function withoutUnit(text, words) {
    const found = UNIT.exec(text);
    if (!found) return text;
    const allowed = (word) =>
      [...RULES.units, ...words].includes(word) && !RULES.scales.includes(word);
    const behind = found[1].toLowerCase().match(/[a-z×]+/g) ?? [];
    return behind.every(allowed) ? text.slice(0, found.index).trim() : text;
  }

  // ---------------------------------------------------------------- closeness

  function close(given, target, decimals) {
    if (!Number.isFinite(given) || !Number.isFinite(target)) return given === target;
    return abs(given - target) <= 0.5 * 10 ** -decimals * (1 + 1e-6);
  }

  // Whether `given` is what `value` rounds to, at the decimals that `given` is written with.
  function isRounding(given, value) {
    if (!Number.isFinite(given) || !Number.isFinite(value)) return false;
    const [digits, power] = String(given).split("e");
    const decimals = max((digits.split(".")[1] ?? "").length - Number(power ?? 0), 0);
    return abs(given - value) <= 0.5 * 10 ** -decimals * (1 + 1e-6);
  }

  function nearlyEqual(a, b) {
    if (!Number.isFinite(a) || !Number.isFinite(b)) return a === b;
    return abs(a - b) <= RULES.near * max(abs(a), abs(b));
  }

  // ---------------------------------------------------------------- judging

  function judgeNumber(text, data) {
    if (text.trim() === "") return untouched();
    const given = read(text, data.decimals === 0, data.words);
    if (typeof given === "string") return unreadable(`${given}.`);
    if (data.nats && IN_BITS.test(text)) {
      return slip(data, "the value is in bits", "nats", "nats-for-bits");
    }
    if (close(given, data.value, data.decimals)) {
      const whole = data.decimals === 0 && Number.isInteger(data.value);
      if (!whole || Number.isInteger(given)) return data.correct;
      return unknown("the value is no whole number", "a whole number");
    }
    return (
      named(given, data) ?? firstSlip(given, data) ?? secondSlip(given, data) ??
      coarse(given, data) ?? unnamed(given, data)
    );
  }

  function slip(data, seen, expected, misconception) {
    return verdict("wrong", { seen, expected, misconception, name: data.names[misconception] });
  }

  function named(given, data) {
    const meant = data.wrongs.filter(({ value }) => close(given, Number(value), data.decimals));
    const distance = (wrong) => abs(given - Number(wrong.value)) || 0;
    if (!meant.length) return undefined;
    return meant.reduce((a, b) => (distance(b) < distance(a) ? b : a)).verdict;
  }

  function firstSlip(given, data) {
    if (close(given, -data.value, data.decimals)) {
      return slip(data, "the sign is wrong", "the other sign", "sign-flipped");
    }
    if (data.nats && close(given, data.value * RULES.bits, data.decimals)) {
      return slip(data, "the value is in bits", "a value in nats", "nats-for-bits");
    }
    return undefined;
  }

  // A named mistake and such a slip: what is seen of the one need not be seen here.
  function secondSlip(given, data) {
    const factor = data.nats ? RULES.bits : 100;
    for (const [times, words] of [[-1, "minus"], [factor, "in another unit,"]]) {
      for (const { value, verdict } of data.wrongs) {
        const wrong = Number(value);
        const isShare = times !== 100 || (wrong > 0 && wrong <= 1);
        if (wrong && isShare && close(given, times * wrong, data.decimals)) {
          return { ...verdict, seen: `the value looks like ${words} ${RULES.likeIt}` };
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
    return { ...rounded[0].verdict, seen: `the value looks like ${RULES.likeIt}` };
  }

  function unnamed(given, data) {
    const { value, decimals } = data;
    if (Number.isNaN(given)) return unknown("the value is not a number (NaN)", "a finite value");
    if (value > 0 && value <= 1 && isRounding(given, 100 * value)) {
      return unknown("the value looks like a percentage", "a plain number");
    }
    if (abs(given - value) <= 0.5 * 10 ** (1 - decimals)) {
      return unknown("the value is close, but too far off to be rounding", `${decimals} decimals`);
    }
    const direction = given > value ? "large" : "small";
    return unknown(`the value is too ${direction}`, `a value to ${decimals} decimals`);
  }

  Object.assign(Exercises, { judgeNumber, readNumber: read });
})();
