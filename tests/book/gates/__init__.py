"""What must hold for every chapter. A gate takes a chapter and returns its faults, one line each."""

from gates import alt_texts, claims, comparisons, exercises, pairs, sizes, times

GATES = {
    "pair": pairs.faults,
    "order": pairs.order_faults,
    "claims": claims.faults,
    "comparison": comparisons.faults,
    "size": sizes.faults,
    "alt text": alt_texts.faults,
    "exercises": exercises.faults,
    "time": times.faults,
}
