// The tokenizer of the three models: byte-level BPE, as kdlib/models/pocket_teacher/tokenizer.json
// describes it. A text is cut into pieces, a piece into bytes, and neighbours are merged, the pair
// that was learned first before all others.
"use strict";

{
  // Rust's \s, Unicode's White_Space, is not JavaScript's: it has U+0085 and lacks U+FEFF.
  const W = "\\t-\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
  const PIECES = new RegExp(
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+" +
      `| ?[^${W}\\p{L}\\p{N}]+|[${W}]+(?![^${W}])|[${W}]+`,
    "gu",
  );
  const SIGNS = new Map([[" ", "␣"], ["\n", "↵"], ["\r", "␍"], ["\t", "⇥"]]);

  // data: as `tokens` in chapters/website/models_files.py gives it.
  function makeTokenizer(data) {
    const spelled = [];
    data.bytes.forEach((id, byte) => (spelled[id] = [byte]));
    const ranks = new Map();
    for (let rank = 0; rank < data.merges.length / 2; rank++) {
      const [left, right] = data.merges.slice(2 * rank, 2 * rank + 2);
      spelled[data.first + rank] = [...spelled[left], ...spelled[right]];
      ranks.set(pair(left, right), rank);
    }
    spelled[data.end.id] = [...new TextEncoder().encode(data.end.text)];
    return { ...data, spelled, ranks };
  }

  function pair(left, right) {
    return left * 65536 + right;
  }

  function encode(tokenizer, text) {
    const { end } = tokenizer;
    return text.split(end.text).flatMap((part, place) => {
      const pieces = part.match(PIECES) ?? [];
      const ids = pieces.flatMap((piece) => encodePiece(tokenizer, piece));
      return place ? [end.id, ...ids] : ids;
    });
  }

  function encodePiece(tokenizer, piece) {
    const ids = Array.from(new TextEncoder().encode(piece), (byte) => tokenizer.bytes[byte]);
    for (;;) {
      const [rank, place] = firstPair(tokenizer, ids);
      if (rank === Infinity) return ids;
      ids.splice(place, 2, tokenizer.first + rank);
    }
  }

  // Of all neighbours those that were merged first in training; of equal ones the leftmost.
  function firstPair({ ranks }, ids) {
    let best = Infinity;
    let found = -1;
    for (let place = 0; place + 1 < ids.length; place++) {
      const rank = ranks.get(pair(ids[place], ids[place + 1])) ?? Infinity;
      if (rank < best) [best, found] = [rank, place];
    }
    return [best, found];
  }

  // A token may hold a part of a character only, so bytes are joined before they are read.
  function decode(tokenizer, ids) {
    const bytes = ids.flatMap((id) => tokenizer.spelled[id]);
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(new Uint8Array(bytes));
  }

  // A token as a reader can see it: blanks by their signs, half a character by its bytes.
  function visible(tokenizer, id) {
    const bytes = new Uint8Array(tokenizer.spelled[id]);
    try {
      const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
      return Array.from(text, (letter) => SIGNS.get(letter) ?? letter).join("");
    } catch {
      return Array.from(bytes, (byte) => `‹${byte.toString(16).toUpperCase()}›`).join("");
    }
  }

  Object.assign((globalThis.threeModels ??= {}), { makeTokenizer, encode, decode, visible });
}
