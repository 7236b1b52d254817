// How readers write one and the same thing: as in kdlib/exercises/kinds/spellings.py.
"use strict";

globalThis.Exercises ??= {};

(() => {
  const RULES = Exercises.rules.spellings;
  const WORD = "[\\p{L}\\p{N}_]";
  const HYPHEN = new RegExp(`(?<=${WORD})[-–_](?=${WORD})`, "gu");
  const LONGEST = 60; // of what is quoted in a message

  // The text without what is only around it: space, quotes, backquotes, dollars, a full stop.
  function bare(text) {
    for (let before = null; text !== before; ) {
      before = text;
      text = text.trim();
      while (text && RULES.around.includes(text[0])) text = text.slice(1);
      while (text && RULES.around.includes(text.at(-1))) text = text.slice(0, -1);
      text = text.replace(/\.$/, "");
    }
    return text;
  }

  // Equal for terms that differ by capitals, space, hyphens, articles or number words alone.
  function term(text) {
    const plain = bare(text).toLowerCase().replaceAll("ß", "ss");
    const parts = plain.replace(/[‖∥]|\|\s*\|/g, "||").replace(HYPHEN, " ").split(/\s+/);
    return parts
      .filter((part) => part && !RULES.emptyWords.includes(part))
      .map((part) => (Object.hasOwn(RULES.numberWords, part) ? RULES.numberWords[part] : part))
      .join("");
  }

  // The text as Python quotes it; of a long one its beginning and its end.
  function quoted(text) {
    const all = [...text];
    const whole = represented(all.slice(0, LONGEST));
    if ([...whole].length <= LONGEST) return whole;
    const first = Math.floor((LONGEST - 3) / 2);
    const last = LONGEST - 3 - first;
    const ends = [...represented([...all.slice(0, first), ...all.slice(all.length - last)])];
    return [...ends.slice(0, first), "...", ...ends.slice(ends.length - last)].join("");
  }

  function represented(characters) {
    const mark = characters.includes("'") && !characters.includes('"') ? '"' : "'";
    return mark + characters.map((character) => escaped(character, mark)).join("") + mark;
  }

  function escaped(character, mark) {
    const short = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\", [mark]: `\\${mark}` };
    if (Object.hasOwn(short, character)) return short[character];
    if (character === " " || !/[\p{C}\p{Z}]/u.test(character)) return character;
    const code = character.codePointAt(0).toString(16);
    const [letter, digits] = code.length <= 2 ? ["x", 2] : code.length <= 4 ? ["u", 4] : ["U", 8];
    return `\\${letter}${code.padStart(digits, "0")}`;
  }

  Object.assign(Exercises, { bare, term, quoted });
})();
