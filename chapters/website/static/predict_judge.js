// What a reader predicts, read and judged, as in kdlib/exercises/predictions/judging.py: word for word.
"use strict";

(() => {
  const ROUNDING = 1e-9; // of a distance: 0.3 is within 0.1 of 0.2
  const FORESAW = "yes";

  // ---------------------------------------------------------------- what was said

  // {said} or {problem} of what stands in a form: letters, or a number as it was written.
  function read(data, given) {
    return { choice: readLetter, number: readNumber, order: readOrder }[data.kind](data, given);
  }

  function readLetter({ options }, given) {
    const letters = options.map(({ letter }) => letter);
    return letters.includes(given) ? { said: given } : { problem: "choose one first" };
  }

  // The number itself is read as in a quiz: "1/3", "about 40", "0,5" are numbers too.
  function valueOf(data, text) {
    const bare = data.unit === "%" ? text.replaceAll("%", "") : text;
    return Exercises.readNumber(bare, data.isWhole, data.words);
  }

  function readNumber(data, text) {
    const bare = data.unit === "%" ? text.replaceAll("%", "") : text;
    if (!bare.trim()) return { problem: `a number is missing; give one from ${data.range}` };
    const value = valueOf(data, text);
    if (typeof value === "string") return { problem: value };
    if (data.low <= value && value <= data.high) return { said: text.trim() };
    const said = Exercises.quoted(text.trim());
    return { problem: `${said} is not on the line; give a number from ${data.range}` };
  }

  function readOrder({ items }, given) {
    const letters = [...given].filter((sign) => sign !== " ");
    const all = items.map(({ letter }) => letter);
    const isWhole = [...letters].sort().join() === [...all].sort().join();
    return isWhole
      ? { said: letters.join(" ") }
      : { problem: `give each of the letters ${all.join(", ")} once` };
  }

  // ---------------------------------------------------------------- what became of it

  // {foreseen, words}; null where what was kept is no answer to this question any more.
  function verdict(data, kept) {
    const { said } = typeof kept === "string" ? read(data, kept) : {};
    if (said === undefined) return null;
    return { choice: ofChoice, number: ofNumber, order: ofOrder }[data.kind](data, said);
  }

  function ofChoice({ options, right }, said) {
    const [chosen, best] = [said, right].map((one) => options.find(({ letter }) => letter === one));
    if (said === right) return { foreseen: true, words: `You foresaw it: ${best.text}.` };
    const words = `You said: ${chosen.text}. It is: ${best.text}. ${chosen.because}`;
    return { foreseen: false, words: words.trim() };
  }

  function ofNumber(data, said) {
    const foreseen = isNear(data, valueOf(data, said));
    const unit = data.unit ? ` ${data.unit}` : "";
    const near = data.within === null ? `a factor of ${data.near}` : `${data.near}${unit}`;
    const how = foreseen ? `That is within ${near}.` : `Within ${near} counts as foreseen.`;
    return { foreseen, words: `You said ${said}; it is ${data.written}${unit}. ${how}` };
  }

  function isNear({ right, within, factor }, value) {
    if (within !== null) return Math.abs(value - right) <= within + ROUNDING * Math.abs(right);
    if (value <= 0) return false;
    return Math.max(value / right, right / value) <= factor * (1 + ROUNDING);
  }

  function ofOrder({ items, right }, said) {
    const listed = (letters) =>
      [...letters].map((one) => items.find(({ letter }) => letter === one).text).join(", then ");
    const letters = said.replaceAll(" ", "");
    if (letters === right) return { foreseen: true, words: `You foresaw it: ${listed(right)}.` };
    const words = `You said: ${listed(letters)}. It is: ${listed(right)}.`;
    return { foreseen: false, words };
  }

  // ---------------------------------------------------------------- the number line

  // The number at a place of the line, of 0 to 100, as exact as a hand is.
  function numberAt({ low, high, isLog, isWhole }, place) {
    if (place <= 0) return low;
    if (place >= 100) return high;
    const value = isLog ? low * (high / low) ** (place / 100) : low + ((high - low) * place) / 100;
    if (isWhole) return Math.round(isLog && value > 100 ? Number(value.toPrecision(2)) : value);
    const digits = Math.max(0, -Math.floor(Math.log10((high - low) / 100)));
    return Number(isLog ? value.toPrecision(2) : value.toFixed(digits));
  }

  // The place of a number that stands on the line.
  function placeOf({ low, high, isLog }, value) {
    const share = isLog ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
    return Math.round(100 * share);
  }

  // ---------------------------------------------------------------- a chapter

  // How a chapter went, in a sentence.
  function tally(entries) {
    const judged = entries.filter((entry) => entry.said && entry.foresaw);
    const foreseen = judged.filter((entry) => entry.foresaw === FORESAW).length;
    const open = entries.filter((entry) => !entry.said).length;
    if (open === entries.length) return `${open} predictions to make, none made yet.`;
    const waiting = entries.length - open - judged.length;
    const parts = [`You foresaw ${foreseen} of the ${judged.length} that you have looked up`];
    if (waiting) parts.push(`${waiting} made and not looked up`);
    if (open) parts.push(`${open} not made`);
    return `${parts.join("; ")}.`;
  }

  window.predictions = { read, verdict, valueOf, numberAt, placeOf, tally };
})();
