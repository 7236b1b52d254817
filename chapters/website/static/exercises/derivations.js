// Whether the blanks of a derivation are filled rightly, with formulas or with words: as in
// kdlib/exercises/kinds/derivations.py.
"use strict";

globalThis.Exercises ??= {};

(() => {
  const { bare, term, isFormula, sameFormula, untouched, unreadable, unknown } = Exercises;
  const RULES = Exercises.rules.derivations;
  const EQUALS = new RegExp(...RULES.equals);
  const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

  // fillings: a text for each blank.
  function judgeDerivation(fillings, data) {
    const open = (text) => /^[. ]*$/.test(text);
    if (fillings.every(open)) return untouched();
    for (const [place, text] of fillings.entries()) {
      const verdict = open(text) ? untouched(`Blank [${place + 1}] is still open.`) : blank(place, text, data);
      if (verdict) return verdict;
    }
    return data.correct;
  }

  // Undefined for a right filling.
  function blank(place, filling, data) {
    const texts = spellings(filling, data.around[place], data.symbols);
    const same = (known) => texts.some((text) => equal(text, known, data.symbols));
    if (data.blanks[place].some(same)) return undefined;
    const slips = data.slips.filter((slip) => slip.blank === place + 1);
    for (const text of texts) {
      const slip = slips.find((each) => equal(text, each.text, data.symbols));
      if (slip) return slip.verdict;
    }
    return unnamed(place, texts, data);
  }

  // The filling; without a name that it is set equal to; without words of the question around it.
  function spellings(filling, around, symbols) {
    const first = bare(filling);
    const plain = bare(first.replace(EQUALS, ""));
    const texts = [first, plain];
    for (const [before, following] of around) {
      following.forEach((_, count) => {
        const end = following.slice(0, count + 1).map(escaped).join("\\s+");
        texts.push(plain.replace(new RegExp(`(?<=[\\p{L}\\p{N}_)])\\s+${end}$`, "iu"), ""));
      });
      if (before && !symbols.includes(before)) {
        texts.push(plain.replace(new RegExp(`^${escaped(before)}\\s+(?=\\S)`, "iu"), ""));
      }
    }
    return [...new Set(texts)];
  }

  function equal(filling, known, symbols) {
    if (!(isFormula(known, symbols) && isFormula(filling, symbols))) return term(filling) === term(known);
    return sameFormula(filling, known, symbols) ?? false;
  }

  function unnamed(place, texts, { symbols, blanks, terms }) {
    const says = (note) => unreadable(`Blank [${place + 1}] ${note}`);
    if (isFormula(blanks[place][0], symbols)) {
      if (!texts.some((text) => isFormula(text, symbols))) {
        return says(`cannot be read as a formula in ${symbols.join(", ")}, such as ${RULES.such}.`);
      }
      const hasValue = (text) => isFormula(text, symbols) && sameFormula(text, text, symbols);
      if (!texts.some(hasValue)) {
        return says("has no value: is it the logarithm of a negative number, or divided by 0?");
      }
    } else if (!texts.some((text) => Object.hasOwn(terms, term(text)))) {
      const offered = [...new Set(Object.values(terms))].sort();
      if (offered.length > 1) return says(`is none of these: ${offered.join(", ")}.`);
    }
    return unknown(
      `blank [${place + 1}] does not follow from what stands before it`,
      "what makes the line before it and the line after it agree",
    );
  }

  Object.assign(Exercises, { judgeDerivation });
})();
