"""Two students that differ by a swap: argued, then computed."""

import math

from kdlib.exercises.kinds.derivations import derivation

students_that_swap = derivation(
    "students-that-swap",
    source=("Q15",),
    difficulty=2,
    minutes=5,
    symbols=("a", "b", "c", "u", "v", "w"),
    prompt=(
        "A teacher gives the outputs A, B, C the probabilities a, b, c = 0.80, 0.15, 0.05. Student "
        "1 gives them w, u, v = 0.6, 0.3, 0.1; student 2 gives w, v, u: it swaps the last two. "
        "Argue first, compute last:\n\n"
        "- The F2 loss of student 1 is -(a*log(w) + b*log(u) + c*log(v)). That of student 2 is "
        "[1].\n"
        "- Loss of student 2 minus loss of student 1, simplified: [2].\n"
        "- Since b > c and u > v, the lower loss is that of student [3].\n"
        "- In numbers, [2] is [4] nats."
    ),
    hints=(
        "The weights are the teacher's, so they do not move when a student swaps.",
        "The term of A is the same for both. What is left has the factor b - c.",
        "(b - c) times the logarithm of a ratio, and that ratio is 3.",
    ),
    blanks=(
        "-(a*log(w) + b*log(v) + c*log(u))",
        "(b - c)*log(u/v)",
        ("1", "student 1", "one"),
        ("0.1*log(3)", *(f"{0.1 * math.log(3):.{places}f}" for places in (2, 3, 4, 5, 6))),
    ),
    explanation="Of two students that differ by a swap, the one in the teacher's order wins.",
)

students_that_swap.mistakes(
    (
        1,
        "-(w*log(a) + v*log(b) + u*log(c))",
        "kl-reversed",
        "blank [1] weighs with the student's probabilities",
        "weights that are the same for both students",
    ),
    (
        1,
        "a*log(w) + b*log(v) + c*log(u)",
        "sign-flipped",
        "blank [1] is negative",
        "a loss of at least 0",
    ),
    (
        1,
        "-(a*log(w) + b*log(u) + c*log(v))",
        "nothing-done",
        "blank [1] is the loss of the first student once more",
        "a formula in which the two smaller probabilities have changed places",
    ),
    (
        1,
        "-log(w)",
        "hard-for-soft",
        "blank [1] scores the likeliest output only; the two students could not be told apart",
        "three terms",
    ),
    (
        2,
        "(b - c)*log(v/u)",
        "sign-flipped",
        "blank [2] is negative for the given numbers: it is subtracted the other way round",
        "what the second student loses more than the first",
    ),
    (
        2,
        "0",
        "top-1-for-match",
        "blank [2] is what the shared term of A gives; the other two do not cancel",
        "a difference in which two outputs take part",
    ),
    (
        2,
        "log(u/v)",
        "weights-missing",
        "blank [2] does not depend on the teacher",
        "something that vanishes if the teacher finds B and C equally likely",
    ),
    (
        2,
        "(b - c)*(u - v)",
        "probs-for-log-probs",
        "blank [2] subtracts probabilities of the students",
        "a difference of logarithms is the logarithm of a ratio",
    ),
    (
        3,
        "2",
        "argmax-sign",
        "blank [3] names the student with the larger loss",
        "the sign of blank [2] decides",
    ),
    (
        3,
        "student 2",
        "argmax-sign",
        "blank [3] names the student that loses more",
        "the student for which the difference in blank [2] counts in favour",
    ),
    (4, "0.1*log(3)/log(2)", "nats-for-bits", "blank [4] is in bits", "natural logarithms"),
)
