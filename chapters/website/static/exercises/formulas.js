// Formulas as they are written by hand, and whether two of them are the same function: as in
// formula_reader.py and formulas.py of kdlib/exercises/kinds. What is known by name is in rules.js.
"use strict";

globalThis.Exercises ??= {};

(() => {
  const RULES = Exercises.rules.formulas;
  const TOKEN = new RegExp(...RULES.token);
  const OPERATORS = {
    "+": (a, b) => a + b,
    "-": (a, b) => a - b,
    "*": (a, b) => a * b,
    "/": (a, b) => (b === 0 ? fail("divided by 0") : a / b),
    "**": power,
  };

  function fail(reason) {
    throw new RangeError(reason);
  }

  // Where Python raises an error, JavaScript goes on with NaN or Infinity: log(0), 0 ** -1, exp(1000).
  function power(a, b) {
    if (a === 1) return 1;
    const value = a ** b;
    const fits = Number.isFinite(value) || !(Number.isFinite(a) && Number.isFinite(b));
    return fits ? value : fail("it has no value");
  }

  function called(name) {
    const f = Math[RULES.functions[name]];
    return (x) => {
      const value = f(x);
      const raises = Number.isFinite(x) ? !Number.isFinite(value) : Number.isNaN(value) && !Number.isNaN(x);
      return raises ? fail("it has no value") : value;
    };
  }

  // ---------------------------------------------------------------- tokens

  function tokens(text, symbols) {
    for (const [spelling, plain] of RULES.spellings) text = text.replaceAll(spelling, plain);
    const found = [];
    for (text = text.trim(); text; text = text.trimStart()) {
      const match = TOKEN.exec(text);
      if (!match || found.length > RULES.most) fail("cannot be read");
      const { number, name, sign } = match.groups;
      text = text.slice(match[0].length);
      if (name !== undefined) found.push(named(name, symbols));
      else found.push(number !== undefined ? ["number", Number(number)] : ["sign", sign]);
    }
    return found;
  }

  // A function, a constant, a symbol, or several symbols that are written together.
  function named(name, symbols) {
    const dot = name.lastIndexOf(".");
    if (dot >= 0 && RULES.modules.includes(name.slice(0, dot))) name = name.slice(dot + 1);
    const plain = (text) => text.replace(/_+$/, "").toLowerCase();
    const likely = symbols.filter((symbol) => plain(symbol) === plain(name));
    if (symbols.includes(name)) return ["symbols", [name]];
    if (likely.length === 1) return ["symbols", likely];
    const lower = name.toLowerCase();
    const asFunction = lower.replaceAll("_", "");
    if (Object.hasOwn(RULES.functions, asFunction)) return ["function", called(asFunction)];
    if (Object.hasOwn(RULES.constants, lower)) return ["number", RULES.constants[lower]];
    if ([...name].every((letter) => symbols.includes(letter))) return ["symbols", [...name]];
    return fail("is none of the symbols");
  }

  // ---------------------------------------------------------------- reading

  // tight: what is multiplied without a sign belongs together, also after a fraction bar.
  function reader(found, tight) {
    const left = found.toReversed();
    const next = () => left.at(-1) ?? ["", ""];
    const isSign = (sign) => next()[0] === "sign" && next()[1] === sign;
    const take = (sign) => isSign(sign) && Boolean(left.pop());
    const both = (f, a, b) => (values) => f(a(values), b(values));
    const begins = () => ["symbols", "function"].includes(next()[0]) || isSign("(");

    function chain(signs, part) {
      let value = part();
      const multiplies = !signs.length || (signs.includes("*") && !tight);
      for (;;) {
        if (next()[0] === "sign" && signs.includes(next()[1])) {
          value = both(OPERATORS[left.pop()[1]], value, part());
        } else if (multiplies && begins()) value = both(OPERATORS["*"], value, part());
        else return value;
      }
    }

    const sum = () => chain(["+", "-"], () => chain(["*", "/"], tight ? product : signed));
    const product = () => chain([], signed);

    function signed() {
      if (take("-")) {
        const value = signed();
        return (values) => -value(values);
      }
      return take("+") ? signed() : raised();
    }

    function raised() {
      const base = atom();
      return take("**") ? both(OPERATORS["**"], base, signed()) : base;
    }

    function atom() {
      if (take("(")) {
        const value = sum();
        return take(")") ? value : fail("a bracket is not closed");
      }
      const [kind, token] = left.pop() ?? fail("a number, a symbol or a bracket is missing");
      if (kind === "number") return () => token;
      if (kind === "symbols") return (values) => token.reduce((sofar, name) => sofar * values[name], 1);
      if (kind === "function") {
        const argument = isSign("(") ? atom() : raised();
        return (values) => token(argument(values));
      }
      return fail("stands where a number or a symbol is expected");
    }

    const value = sum();
    return left.length ? fail("there is something left over") : value;
  }

  // The formula, twice: s / n b may mean (s / n) b or s / (n b). A RangeError if it is none.
  function readings(text, symbols) {
    const found = tokens(text, symbols);
    return [reader(found, false), reader(found, true)];
  }

  // ---------------------------------------------------------------- values

  // The value at a place, undefined where there is none.
  function valueOf(formula, values) {
    try {
      const value = formula(values);
      return Number.isFinite(value) ? value : undefined;
    } catch (error) {
      if (error instanceof RangeError) return undefined;
      throw error;
    }
  }

  // Of a formula without symbols; undefined where it cannot be read or has no value.
  function evaluate(text) {
    try {
      return valueOf(readings(text, [])[0], {});
    } catch (error) {
      if (error instanceof RangeError) return undefined;
      throw error;
    }
  }

  function isFormula(text, symbols) {
    try {
      return readings(text, symbols).length > 0;
    } catch (error) {
      if (error instanceof RangeError) return false;
      throw error;
    }
  }

  function isClose(x, y) {
    return Math.abs(x - y) <= Math.max(1e-6 * Math.max(Math.abs(x), Math.abs(y)), 1e-9);
  }

  // The places are those of the Python checker. Undefined where the two have no value at one of them.
  function agree(a, b, symbols) {
    let compared = 0;
    for (let trial = 0; trial < RULES.tries; trial++) {
      const from = trial * symbols.length;
      const values = Object.fromEntries(symbols.map((name, i) => [name, RULES.places[from + i]]));
      const [x, y] = [valueOf(a, values), valueOf(b, values)];
      if (x === undefined || y === undefined) continue;
      if (!isClose(x, y)) return false;
      compared += 1;
      if (compared === RULES.points) return true;
    }
    return compared ? true : undefined;
  }

  // Both can be read. Undefined where they have no value at the same place.
  function sameFormula(a, b, symbols) {
    const second = readings(b, symbols)[0];
    const results = readings(a, symbols).map((first) => agree(first, second, symbols));
    return results.every((result) => result === undefined) ? undefined : results.includes(true);
  }

  Object.assign(Exercises, { evaluate, isFormula, sameFormula });
})();
