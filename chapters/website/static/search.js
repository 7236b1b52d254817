// Search that leads to sections: Sphinx's search page, words and stems, with an index of the sections
// and of the symbols that website/search.py has written. Sphinx's own index finds functions by name.
"use strict";

(() => {
  const { symbols, entries, words } = BookSections;
  const SHOWN = 30;
  const NAME = /^[\w.]*[_.][\w.]*$/; // of something in the package

  // Letters and formulas by the names that they have in the index.
  function named(query) {
    return symbols.reduce((text, [symbol, name]) => text.replace(new RegExp(symbol, "g"), ` ${name} `), query);
  }

  function stemsOf(query) {
    const stemmer = new Stemmer();
    const parts = splitQuery(named(query).toLowerCase());
    const known = parts.filter((part) => !stopwords.has(part) && !/^\d+$/.test(part));
    return [...new Set(known.map((part) => stemmer.stemWord(part)))];
  }

  // {entry: how often} of a word; of one that nobody wrote, of those that begin with it.
  function places(stem) {
    const meant = Object.hasOwn(words, stem)
      ? [stem]
      : Object.keys(words).filter((word) => stem.length > 2 && word.startsWith(stem));
    const found = new Map();
    for (const word of meant) {
      const list = words[word];
      for (let i = 0; i < list.length; i += 2) {
        found.set(list[i], Math.max(found.get(list[i]) ?? 0, list[i + 1]));
      }
    }
    return found;
  }

  // [[entry, score], ...], the best first. A rare word counts for more than a common one; an entry
  // that has only some of the words counts for little.
  function sections(query) {
    const stems = stemsOf(query);
    const scores = new Map();
    for (const stem of stems) {
      const found = places(stem);
      const rare = Math.log(1 + entries.length / (1 + found.size));
      for (const [entry, times] of found) {
        const [sum, matched] = scores.get(entry) ?? [0, 0];
        scores.set(entry, [sum + rare * (times / (times + 3)), matched + 1]);
      }
    }
    const phrase = query.trim().toLowerCase();
    return [...scores]
      .map(([entry, [sum, matched]]) => {
        const [, , title, weight] = entries[entry];
        const share = (matched / stems.length) ** 3;
        return [entries[entry], weight * sum * share * titled(title, phrase)];
      })
      .sort((one, other) => other[1] - one[1]);
  }

  // What an entry gains that is called by the words that are looked for, or by more than these.
  function titled(title, phrase) {
    const name = title.split(" > ").pop().toLowerCase().replace(/^[\d.]+ /, "");
    if (name === phrase) return 2;
    return name.includes(phrase) ? 1.5 : 1;
  }

  // Functions and classes by their names, as Sphinx finds them.
  function objects(query) {
    const terms = new Set(splitQuery(query.toLowerCase()).filter((term) => term.length > 2));
    const found = [...terms].flatMap((term) => Search.performObjectSearch(term, terms));
    return found.sort((one, other) => other[4] - one[4]).map(([page, name, anchor, about]) => [
      [page, anchor.slice(1), name, 0, about],
      0,
    ]);
  }

  function results(query) {
    const [text, names] = [sections(query), objects(query)];
    return NAME.test(query.trim()) ? [...names, ...text] : [...text, ...names];
  }

  // ---------------------------------------------------------------- the page

  function item([page, anchor, title, , about]) {
    const node = document.createElement("li");
    const link = document.createElement("a");
    const suffix = DOCUMENTATION_OPTIONS.LINK_SUFFIX;
    link.href = page + suffix + (anchor ? `#${anchor}` : "");
    link.textContent = title;
    const text = document.createElement("p");
    text.className = "context";
    text.textContent = about;
    node.append(link, text);
    return node;
  }

  function show(query) {
    const found = results(query);
    Search.stopPulse();
    Search.title.textContent = "Search results";
    const more = found.length > SHOWN ? `; these are the first ${SHOWN}` : "";
    Search.status.textContent = found.length
      ? `Found ${found.length} ${found.length === 1 ? "place" : "places"}${more}.`
      : "Nothing was found. Try fewer words, or a symptom on the page of mistakes.";
    Search.output.replaceChildren(...found.slice(0, SHOWN).map(([entry]) => item(entry)));
  }

  Search.query = show;
})();
