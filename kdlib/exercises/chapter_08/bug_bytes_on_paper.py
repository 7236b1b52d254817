"""Bytes of logits, of a chunk and of a cache."""

from kdlib.exercises.kinds.derivations import derivation

bug_bytes_on_paper = derivation(
    "bug-bytes-on-paper",
    source=(),
    difficulty=2,
    minutes=6,
    symbols=("N", "V", "b", "c", "k", "i"),
    prompt=(
        "A batch has N positions and a vocabulary of V words; a number takes b bytes. Fill in:\n\n"
        "- All logits of one model together take [1] bytes.\n"
        "- Handled in chunks of c positions, of which each is forgotten before the next, they take "
        "[2] bytes at any time.\n"
        "- A cache that keeps the teacher's k most likely words, each with an id of i bytes and a "
        "probability, takes [3] bytes for one position.\n"
        "- A whole row of logits is [4] times as large as that."
    ),
    hints=(
        "Count the numbers, then multiply by the bytes of each.",
        "c is the size of a chunk, not the number of chunks. A kept word is two things.",
        "The last blank is the bytes of a row of V numbers over the third blank.",
    ),
    blanks=("N * V * b", "c * V * b", "k * (i + b)", "V * b / (k * (i + b))"),
    explanation=(
        "With V = 131072, b = 2, i = 4 and k = 64 the cache is "
        f"{131072 * 2 / (64 * (4 + 2)):.0f} times smaller."
    ),
)

bug_bytes_on_paper.mistakes(
    (1, "N * V", "precision-forgotten", "blank [1] is a number of logits", "their size in bytes"),
    (
        1,
        "V * b",
        "term-left-out",
        "blank [1] is enough for a single position",
        "room for all positions",
    ),
    (
        2,
        "N * V * b / c",
        "ratio-turned-round",
        "blank [2] takes c for a count",
        "more for larger c",
    ),
    (2, "N * V * b", "dense-logits-stored", "blank [2] keeps every chunk", "one chunk at a time"),
    (2, "c * V", "precision-forgotten", "blank [2] counts numbers", "a size in bytes again"),
    (
        3,
        "k * b",
        "term-left-out",
        "blank [3] has no room for the ids",
        "a way to tell which words were kept",
    ),
    (
        3,
        "k * i",
        "term-left-out",
        "blank [3] has no room for the probabilities",
        "two things a word",
    ),
    (
        3,
        "k * i * b",
        "ratio-and-difference",
        "blank [3] multiplies bytes by bytes",
        "both, side by side",
    ),
    (
        3,
        "N * k * (i + b)",
        "whole-for-part",
        "blank [3] is that of the whole batch",
        "one position",
    ),
    (3, "V * (i + b)", "whole-for-part", "blank [3] holds every word", "the kept words only"),
    (
        4,
        "k * (i + b) / (V * b)",
        "ratio-turned-round",
        "blank [4] is below 1",
        "how many times larger",
    ),
    (
        4,
        "V / k",
        "precision-forgotten",
        "blank [4] counts entries, though the cache's are larger",
        "sizes",
    ),
    (
        4,
        "V * b - k * (i + b)",
        "ratio-and-difference",
        "blank [4] is what is saved",
        "a ratio of sizes",
    ),
)
