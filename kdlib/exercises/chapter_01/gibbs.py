"""Gibbs' inequality: no student beats the teacher's own entropy."""

from kdlib.exercises.kinds.derivations import derivation

gibbs = derivation(
    "gibbs",
    source=("Q06",),
    difficulty=3,
    minutes=6,
    symbols=("x", "p", "q"),
    prompt=(
        "Why is KL(P || Q) never negative? Fill in. (Write p for P(v) and q for Q(v); the student "
        "gives every word something.)\n\n"
        "- The line that touches log(x) at x = 1 is [1], and log(x) never rises above it.\n"
        "- Put x = q / p for a word with p > 0 and multiply by p: p log(q / p) is at most [2].\n"
        "- Sum over all words with p > 0. The right-hand sides sum to at most [3], for the p sum "
        "to 1 and these q to no more than 1.\n"
        "- The left-hand sides sum to minus KL(P || Q). So KL(P || Q) is at least [3].\n"
        "- The line touches log(x) at a single point, so the two sides agree only if q / p is [4] "
        "for every word, that is, if the student is the teacher."
    ),
    hints=(
        "A tangent needs the value and the slope of the logarithm at 1.",
        "Write the tangent with q / p in the place of x, then clear the fraction.",
        "The value is 0 and the slope is 1; the sums of two distributions differ by nothing.",
    ),
    blanks=("x - 1", "q - p", "0", "1"),
    explanation=(
        "This is Gibbs' inequality. With CE(P, Q) = H(P) + KL(P || Q) it says that the expected "
        "surprise is least for the student that gives the teacher's own probabilities."
    ),
)

gibbs.mistakes(
    (
        1,
        "x",
        "term-left-out",
        "blank [1] has the slope of the logarithm at 1 but misses the point where they should meet",
        "a line that has the logarithm's value at 1 as well as its slope",
    ),
    (
        1,
        "1 - x",
        "sign-flipped",
        "blank [1] falls where the logarithm rises",
        "a line that rises with the logarithm",
    ),
    (
        2,
        "p - q",
        "sign-flipped",
        "blank [2] grows when the student gives the word less",
        "a bound that grows with the student's probability",
    ),
    (
        2,
        "q/p - 1",
        "weights-missing",
        "blank [2] has not been multiplied by the teacher's probability",
        "both sides multiplied by p",
    ),
    (
        3,
        "1",
        "term-left-out",
        "blank [3] sums one of the two distributions and forgets the other",
        "the difference of two sums",
    ),
    (
        4,
        "0",
        "ratio-and-difference",
        "blank [4] is a difference; the quotient of equal numbers is something else",
        "the quotient of two equal probabilities",
    ),
)
