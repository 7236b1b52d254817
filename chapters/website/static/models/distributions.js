// What is computed of the three models' logits: distributions, entropies, divergences, draws.
"use strict";

{
  // ln softmax(logits / temperature).
  function logProbabilities(logits, temperature) {
    const scaled = Float64Array.from(logits, (logit) => logit / temperature);
    const highest = scaled.reduce((a, b) => Math.max(a, b), -Infinity);
    const total = scaled.reduce((sum, value) => sum + Math.exp(value - highest), 0);
    const shift = highest + Math.log(total);
    return scaled.map((value) => value - shift);
  }

  // In nats.
  function entropy(logP) {
    return -logP.reduce((sum, value) => sum + Math.exp(value) * value, 0);
  }

  // KL(P‖Q) in nats, P first.
  function divergence(logP, logQ) {
    return logP.reduce((sum, value, i) => sum + Math.exp(value) * (value - logQ[i]), 0);
  }

  // The `count` tokens that any of the distributions finds likeliest, in the first one's order.
  function words(all, count) {
    const best = Array.from(all[0], (_, id) => [id, Math.max(...all.map((logP) => logP[id]))]);
    best.sort((one, other) => other[1] - one[1] || one[0] - other[0]);
    const ids = best.slice(0, count).map(([id]) => id);
    return ids.sort((one, other) => all[0][other] - all[0][one] || one - other);
  }

  function likeliest(logP) {
    return logP.reduce((best, value, id) => (value > logP[best] ? id : best), 0);
  }

  // A number in [0, 1) that depends on the seed and on the place in the text alone, so that the
  // same seed writes the same text, whoever else has written (the mixer of mulberry32).
  function draw(seed, place) {
    let a = (Math.imul(seed, 0x9e3779b1) + Math.imul(place + 1, 0x6d2b79f5)) | 0;
    a = Math.imul(a ^ (a >>> 15), a | 1);
    a ^= a + Math.imul(a ^ (a >>> 7), a | 61);
    return ((a ^ (a >>> 14)) >>> 0) / 2 ** 32;
  }

  // The token at which the cumulated probability passes `uniform`, in the order of the ids.
  function sample(logP, uniform) {
    let sum = 0;
    for (let id = 0; id < logP.length; id++) {
      sum += Math.exp(logP[id]);
      if (uniform < sum) return id;
    }
    return likeliest(logP); // rounding alone has kept the sum below 1
  }

  // The tokens that are read of a long text: at most `limit`, cut off in steps, so that what is kept
  // in memory can be used again for some time.
  function tail(ids, limit) {
    const hop = limit / 4;
    return ids.slice(Math.ceil(Math.max(ids.length - limit, 0) / hop) * hop);
  }

  // Everything that the table shows, of the logits of teacher, student and control.
  function compared(logits, temperature, count) {
    const all = logits.map((each) => logProbabilities(each, temperature));
    const ids = words(all, count);
    return {
      all,
      ids,
      shares: ids.map((id) => all.map((logP) => Math.exp(logP[id]))),
      rest: all.map((logP) => 1 - ids.reduce((sum, id) => sum + Math.exp(logP[id]), 0)),
      best: all.map(likeliest),
      entropies: all.map(entropy),
      forward: all.slice(1).map((logQ) => divergence(all[0], logQ)),
      reverse: all.slice(1).map((logQ) => divergence(logQ, all[0])),
    };
  }

  Object.assign((globalThis.threeModels ??= {}), {
    logProbabilities, entropy, divergence, words, draw, sample, tail, compared,
  });
}
