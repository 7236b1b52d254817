"""What must hold for every chapter. A gate takes a chapter and returns its faults, one line each."""

from gates import (
    alt_texts,
    claims,
    comparisons,
    exercises,
    giveaways,
    headlines,
    number_words,
    pairs,
    predictions,
    reading_times,
    results,
    sizes,
    times,
)

GATES = {
    "pair": pairs.faults,
    "order": pairs.order_faults,
    "claims": claims.faults,
    "number words": number_words.faults,
    "headlines": headlines.faults,
    "comparison": comparisons.faults,
    "size": sizes.faults,
    "results": results.faults,
    "alt text": alt_texts.faults,
    "exercises": exercises.faults,
    "giveaways": giveaways.faults,
    "predictions": predictions.faults,
    "time": times.faults,
    "reading time": reading_times.faults,
}
