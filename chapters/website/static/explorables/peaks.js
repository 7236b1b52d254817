// The numbers of one-peak-for-two: peaks on a line of points, their losses, and the way downhill.
// As in kdlib.toys.students: one_peak, two_peaks and fit, which is Adam.
"use strict";

globalThis.Explorables ??= {};

(() => {
  const { LOSSES, sum, logSoftmax, divergence } = Explorables;

  const points = (size) => Array.from({ length: size }, (_, i) => i);

  const onePeak = (size, centre, width) =>
    logSoftmax(points(size).map((i) => -(((i - centre) / width) ** 2) / 2));

  function twoPeaks({ size, centres, widths, second_weight: weight }) {
    const [one, other] = centres.map((centre, i) => onePeak(size, centre, widths[i]));
    return one.map((a, i) => {
      const [x, y] = [Math.log(1 - weight) + a, Math.log(weight) + other[i]];
      return Math.max(x, y) + Math.log1p(Math.exp(-Math.abs(x - y)));
    });
  }

  const peakLoss = (loss, logP, { centre, width }, parameter) =>
    divergence(loss, logP, onePeak(logP.length, centre, width), parameter);

  function peakGradient(loss, logP, { centre, width }, parameter) {
    // In the centre and in the logarithm of the width: what fit() trains.
    const logQ = onePeak(logP.length, centre, width);
    const q = logQ.map(Math.exp);
    const slopes = LOSSES[loss].slopes(logP, logQ, parameter);
    const along = (pulls) => {
      const mean = sum(pulls.map((pull, i) => q[i] * pull));
      return sum(slopes.map((slope, i) => slope * (pulls[i] - mean)));
    };
    const away = points(logP.length).map((i) => (i - centre) / width);
    return [along(away.map((a) => a / width)), along(away.map((a) => a * a))];
  }

  function* downhill(loss, logP, from, parameter, { steps, rate }) {
    // The peaks that Adam passes, each after one step, with torch's usual constants.
    const place = [from.centre, Math.log(from.width)];
    const [first, second] = [[0, 0], [0, 0]];
    for (let t = 1; t <= steps; t++) {
      const now = { centre: place[0], width: Math.exp(place[1]) };
      peakGradient(loss, logP, now, parameter).forEach((slope, i) => {
        first[i] += (1 - 0.9) * (slope - first[i]);
        second[i] = 0.999 * second[i] + (1 - 0.999) * slope * slope;
        const root = Math.sqrt(second[i]) / Math.sqrt(1 - 0.999 ** t) + 1e-8;
        place[i] -= (rate / (1 - 0.9 ** t)) * (first[i] / root);
      });
      yield { centre: place[0], width: Math.exp(place[1]) };
    }
  }

  // ---------------------------------------------------------------- the map of all students

  const spaced = (least, most, count) =>
    Array.from({ length: count }, (_, i) => least + ((most - least) * i) / (count - 1));

  function landscape(loss, logP, parameter, { centres, widths }) {
    // The loss of every centre (columns) at every width (rows).
    return widths.map((width) =>
      centres.map((centre) => peakLoss(loss, logP, { centre, width }, parameter)),
    );
  }

  function basins(loss, logP, parameter, grid) {
    // The places from which every way leads up, the deepest first.
    const map = landscape(loss, logP, parameter, grid);
    const found = [];
    map.forEach((row, r) => row.forEach((value, c) => {
      for (let dr = -1; dr <= 1; dr++) {
        for (let dc = -1; dc <= 1; dc++) {
          if ((dr || dc) && map[r + dr]?.[c + dc] <= value) return;
        }
      }
      found.push(settled(loss, logP, parameter, { centre: grid.centres[c], width: grid.widths[r] }));
    }));
    const merged = found.filter((one, i) => !found.slice(0, i).some((two) => near(one, two)));
    return merged.sort((one, two) => one.loss - two.loss);
  }

  const near = (one, two) =>
    Math.abs(one.centre - two.centre) < 0.2 && Math.abs(Math.log(one.width / two.width)) < 0.1;

  function settled(loss, logP, parameter, from) {
    // The lowest place nearby: steps along both axes, halved where none of them helps.
    let [centre, width] = [from.centre, from.width];
    let lowest = peakLoss(loss, logP, from, parameter);
    for (let size = 0.2; size > 1e-6;) {
      const tries = [[size, 1], [-size, 1], [0, Math.exp(size / 2)], [0, Math.exp(-size / 2)]];
      const better = tries
        .map(([dc, factor]) => ({ centre: centre + dc, width: width * factor }))
        .map((peak) => ({ ...peak, loss: peakLoss(loss, logP, peak, parameter) }))
        .find((peak) => peak.loss < lowest);
      if (better) ({ centre, width, loss: lowest } = better);
      else size /= 2;
    }
    return { centre, width, loss: lowest };
  }

  Object.assign(Explorables, {
    onePeak, twoPeaks, peakLoss, peakGradient, downhill, spaced, landscape, basins,
  });
})();
