"""The best lambda from label noise and teacher error."""

from kdlib.exercises.kinds.derivations import derivation

best_lambda_in_theory = derivation(
    "best-lambda-in-theory",
    source=("Q27",),
    difficulty=4,
    minutes=8,
    symbols=("s", "b", "w", "n"),
    prompt=(
        "Take one word's probability. Its label is right on average and scatters with variance s; "
        "the teacher is off by a fixed amount whose square is b. The best student of F6 is (1 - w) "
        "label + w teacher, where w = lambda / (1 + lambda). Fill in formulas:\n\n"
        "- The expected squared error of the mixture is [1], in s, b and w.\n"
        "- It is least at w = [2].\n"
        "- In F6 that is lambda = [3].\n"
        "- If n independent labels are averaged for each input, the best lambda is [4]."
    ),
    hints=(
        "A scatter and a fixed error have no cross term on average: their squares add.",
        "Scaling a quantity by c scales its variance, and its square, by c squared.",
        "Set the derivative in w to 0; solve w = lambda / (1 + lambda). An average of n has s/n.",
    ),
    blanks=("(1 - w)**2 * s + w**2 * b", "s / (s + b)", "s / b", "s / (n * b)"),
    explanation=(
        "The best lambda is noise over teacher error. In this model it is 0 only for perfect "
        "labels. The error there, s b / (s + b), is below that of either source alone."
    ),
)

best_lambda_in_theory.mistakes(
    (
        1,
        "(1 - w) * s + w * b",
        "square-forgotten",
        "blank [1] is linear in w: a mixture could never be better than both sources",
        "errors that shrink faster than their weights",
    ),
    (
        1,
        "w**2 * s + (1 - w)**2 * b",
        "lambda-direction",
        "blank [1] gives the weight w to the label",
        "the weights as the mixture has them",
    ),
    (
        1,
        "((1 - w) * s + w * b)**2",
        "square-forgotten",
        "blank [1] squares what is a square already",
        "a quantity in the same unit as the two that were given",
    ),
    (
        2,
        "b / (s + b)",
        "lambda-direction",
        "blank [2] trusts the teacher the more, the worse it is",
        "a share of the teacher that falls with its error",
    ),
    (
        2,
        "s / b",
        "conventions-mixed",
        "blank [2] can exceed 1: it is the unbounded coefficient",
        "a share between 0 and 1",
    ),
    (
        2,
        "1 / 2",
        "argument-ignored",
        "blank [2] is the same for every noise and every teacher",
        "a share that depends on both errors",
    ),
    (
        3,
        "b / s",
        "lambda-direction",
        "blank [3] falls when the labels become noisier",
        "more weight on the teacher when the labels are noisier",
    ),
    (
        3,
        "s / (s + b)",
        "conventions-mixed",
        "blank [3] is the share w itself",
        "the coefficient that belongs to this share",
    ),
    (
        4,
        "n * s / b",
        "lambda-direction",
        "blank [4] grows with the number of labels, although their average is less noisy",
        "less need of the teacher when the labels are better",
    ),
    (
        4,
        "s / b",
        "argument-ignored",
        "blank [4] does not contain n",
        "the variance of an average",
    ),
    (
        4,
        "s / (n**2 * b)",
        "square-forgotten",
        "blank [4] lets the variance of an average fall with the square of n",
        "the variance of a sum of n independent labels, over n squared",
    ),
)
