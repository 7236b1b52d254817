// The divergences of kdlib.losses.divergences for lists of log-probabilities, with their gradients.
// P is the teacher, Q the student, in this order; values are in nats. 0 log 0 = 0; Q = 0 < P makes
// the forward KL infinite, and such a term passes no gradient, as in the package.
"use strict";

globalThis.Explorables ??= {};

(() => {
  const NEGLIGIBLE = 1e-20; // as in kdlib.losses.vocabulary_sums

  const sum = (values) => values.reduce((total, value) => total + value, 0);

  function logSoftmax(logits) {
    const highest = Math.max(...logits);
    const total = Math.log(sum(logits.map((z) => Math.exp(z - highest))));
    return logits.map((z) => z - highest - total);
  }

  function logMix(d, wP, wQ) {
    // log((wP p + wQ q) / p) for d = log q - log p; exactly 0 at d = 0.
    if (wP < NEGLIGIBLE) {
      if (d > -1 || wP === 0) return d;
      const floor = Math.log(wP);
      return Math.max(floor, d) + Math.log1p(Math.exp(-Math.abs(floor - d)));
    }
    const near = Math.min(Math.max(d, -80), 80);
    if (wP >= wQ) return Math.log1p(wQ * Math.expm1(near));
    return near + Math.log1p(wP * Math.expm1(-near));
  }

  function perSlot(logP, logQ, shared, pAlone, qAlone) {
    // One term for each word: reached by both, by the teacher alone, by the student alone, by none.
    return logP.map((a, i) => {
      const b = logQ[i];
      if (a === -Infinity && b === -Infinity) return 0;
      if (b === -Infinity) return pAlone === Infinity ? Infinity : pAlone * Math.exp(a);
      if (a === -Infinity) return qAlone === Infinity ? Infinity : qAlone * Math.exp(b);
      return shared(a, b);
    });
  }

  // ---------------------------------------------------------------- the terms of each word

  const forwardTerms = (logP, logQ) =>
    perSlot(logP, logQ, (a, b) => Math.exp(a) * (a - b), Infinity, 0);
  const reverseTerms = (logP, logQ) => forwardTerms(logQ, logP);

  function jsdTerms(logP, logQ, beta) {
    const [wP, wQ] = [beta, 1 - beta];
    const shared = (a, b) =>
      -(wP * Math.exp(a) * logMix(b - a, wP, wQ) + wQ * Math.exp(b) * logMix(a - b, wQ, wP));
    return perSlot(logP, logQ, shared, -wP * Math.log(wP || 1), -wQ * Math.log(wQ || 1));
  }

  function skewTerms(logP, logQ, alpha) {
    const shared = (a, b) => -Math.exp(a) * logMix(b - a, alpha, 1 - alpha);
    return perSlot(logP, logQ, shared, alpha ? -Math.log(alpha) : Infinity, 0);
  }

  // ---------------------------------------------------------------- their slopes in log q

  const forwardSlopes = (logP, logQ) => perSlot(logP, logQ, (a) => -Math.exp(a), 0, 0);
  const reverseSlopes = (logP, logQ) =>
    perSlot(logP, logQ, (a, b) => Math.exp(b) * (b - a + 1), 0, 0);

  function jsdSlopes(logP, logQ, beta) {
    const shared = (a, b) => -Math.exp(b) * (1 - beta) * logMix(a - b, 1 - beta, beta);
    return perSlot(logP, logQ, shared, 0, -(1 - beta) * Math.log(1 - beta || 1));
  }

  function skewSlopes(logP, logQ, alpha) {
    const shared = (a, b) => {
      const share = (1 - alpha) * Math.exp(b - a - logMix(b - a, alpha, 1 - alpha));
      return -Math.exp(a) * share;
    };
    return perSlot(logP, logQ, shared, 0, 0);
  }

  function skewReverseSlopes(logP, logQ, alpha) {
    const shared = (a, b) => {
      const toMixture = logMix(a - b, alpha, 1 - alpha);
      return Math.exp(b) * (1 - toMixture - alpha * Math.exp(-toMixture));
    };
    return perSlot(logP, logQ, shared, 0, alpha ? -Math.log(alpha) : 0);
  }

  const halves = (one, other) => (logP, logQ) => {
    const second = other(logP, logQ);
    return one(logP, logQ).map((value, i) => (value + second[i]) / 2);
  };

  // Named as in kdlib's DIVERGENCES. A loss with a parameter begins at `initial`.
  const LOSSES = {
    forward_kl: { name: "forward KL", terms: forwardTerms, slopes: forwardSlopes },
    symmetric_kl: {
      name: "Jeffreys",
      terms: halves(forwardTerms, reverseTerms),
      slopes: halves(forwardSlopes, reverseSlopes),
    },
    reverse_kl: { name: "reverse KL", terms: reverseTerms, slopes: reverseSlopes },
    jensen_shannon: {
      name: "Jensen-Shannon",
      terms: (logP, logQ) => jsdTerms(logP, logQ, 0.5),
      slopes: (logP, logQ) => jsdSlopes(logP, logQ, 0.5),
    },
    generalized_jsd: {
      name: "generalised Jensen-Shannon",
      parameter: { name: "beta", symbol: "β", initial: 0.5 },
      terms: jsdTerms,
      slopes: jsdSlopes,
    },
    skew_kl: {
      name: "skew KL",
      parameter: { name: "alpha", symbol: "α", initial: 0.1 },
      terms: skewTerms,
      slopes: skewSlopes,
    },
    skew_reverse_kl: {
      name: "skew reverse KL",
      parameter: { name: "alpha", symbol: "α", initial: 0.1 },
      terms: (logP, logQ, alpha) => skewTerms(logQ, logP, alpha),
      slopes: skewReverseSlopes,
    },
  };

  const divergence = (loss, logP, logQ, parameter) =>
    sum(LOSSES[loss].terms(logP, logQ, parameter));

  function logitGradient(loss, logP, logQ, parameter) {
    // The gradient in the student's logits: that in log q, with the sum of all given back by q.
    const slopes = LOSSES[loss].slopes(logP, logQ, parameter);
    const total = sum(slopes);
    return slopes.map((slope, i) => slope - Math.exp(logQ[i]) * total);
  }

  const entropy = (logP) =>
    sum(logP.map((a) => (a === -Infinity ? 0 : -Math.exp(a) * a)));

  Object.assign(Explorables, {
    LOSSES, sum, logSoftmax, logMix, forwardTerms, reverseTerms, divergence, logitGradient, entropy,
  });
})();
