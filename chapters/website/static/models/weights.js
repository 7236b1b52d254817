// Reads the weights as chapters/website/models_files.py has written them: a character for each whole
// number of a matrix, a scale for each of its rows.
"use strict";

{
  const LARGEST = 127;
  const NUMBERS = numbersOfCodes();

  // {code of a character: whole number}, by the rule of `CODES` there: 0, 1, -1, 2, -2, ...
  function numbersOfCodes() {
    const found = new Int16Array(0x200).fill(LARGEST + 1);
    let place = 0;
    for (let code = 1; place <= 2 * LARGEST; code = code === 127 ? 0xa1 : code + 1) {
      if ('\n\r"\\'.includes(String.fromCharCode(code))) continue;
      found[code] = place % 2 ? (place + 1) / 2 : -place / 2;
      place += 1;
    }
    return found;
  }

  function readFloats(base64) {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const view = new DataView(bytes.buffer); // the files are little-endian, a machine need not be
    return Float32Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(4 * i, true));
  }

  // {name: Float32Array} of the tensors of a part; an error where a character has been changed.
  function readPart(about, text) {
    const floats = readFloats(about.floats);
    const tensors = {};
    let from = 0;
    let letter = 0;
    let checksum = 0;
    for (const [name, [rows, columns]] of about.tensors) {
      const some = floats.subarray(from, (from += rows));
      if (columns === undefined) {
        tensors[name] = some.slice();
        continue;
      }
      const matrix = new Float32Array(rows * columns);
      for (let at = 0, row = 0; row < rows; row++) {
        for (const end = at + columns; at < end; at++) {
          const number = NUMBERS[text.charCodeAt(letter++)];
          checksum += Math.abs(number);
          matrix[at] = number * some[row];
        }
      }
      tensors[name] = matrix;
    }
    if (letter !== text.length || checksum !== about.checksum) {
      throw new Error("the weights have not arrived as they were written");
    }
    return tensors;
  }

  Object.assign((globalThis.threeModels ??= {}), { readPart });
}
