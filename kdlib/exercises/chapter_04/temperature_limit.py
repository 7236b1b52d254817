"""What T squared times the gradient tends to when the temperature rises."""

from kdlib.exercises.kinds.derivations import derivation

temperature_limit = derivation(
    "temperature-limit",
    source=("Q23",),
    difficulty=4,
    minutes=6,
    symbols=("a", "b", "V", "T"),
    prompt=(
        "There are V words. Take the mean off the logits of teacher and student, so that each sums "
        "to 0 over the words, and write a and b for what is left of them for one word. T is large, "
        "and exp(x) is about 1 + x for a small x.\n\n"
        "- exp(a / T), summed over all words, is about V. So the teacher's softened probability p "
        "of the word is about [1].\n"
        "- Student minus teacher, q - p, is about [2].\n"
        "- The logits are divided by T before the softmax, so the gradient of KL in the student's "
        "logit is (q - p) / T, about [3].\n"
        "- Multiplied by T squared, the gradient tends to [4]."
    ),
    hints=(
        "Write exp(a / T) as 1 + a / T and divide by the sum.",
        "In the difference the uniform part cancels.",
        "Count the factors T: one from the softmax, one from the chain rule.",
    ),
    blanks=("(1 + a/T)/V", "(b - a)/(V*T)", "(b - a)/(V*T**2)", "(b - a)/V"),
    explanation="T cancels, and V does not.",
)

temperature_limit.mistakes(
    (
        1,
        "1/V",
        "term-left-out",
        "blank [1] is the uniform distribution: the teacher has dropped out",
        "the first term in which the teacher's logit occurs",
    ),
    (
        1,
        "1 + a/T",
        "rest-not-renormalised",
        "blank [1] does not sum to 1 over the words",
        "a probability",
    ),
    (
        2,
        "(a - b)/(V*T)",
        "sign-flipped",
        "blank [2] is the teacher minus the student",
        "the student's part first",
    ),
    (
        2,
        "(b - a)/T",
        "rest-not-renormalised",
        "blank [2] has lost the number of words",
        "a difference of two probabilities",
    ),
    (
        3,
        "(b - a)/(V*T)",
        "chain-rule-forgotten",
        "blank [3] is the line before it: the division of the logits has been forgotten",
        "one factor 1/T more than the line before",
    ),
    (
        4,
        "b - a",
        "term-left-out",
        "blank [4] is the same for ten words and for ten thousand",
        "a limit that depends on the number of words",
    ),
    (
        4,
        "(b - a)/(V*T)",
        "missing-t-squared",
        "blank [4] still falls as the temperature rises",
        "both factors T taken back",
    ),
)
