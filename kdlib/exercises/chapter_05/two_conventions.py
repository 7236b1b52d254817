"""CE + lambda KD and (1 - alpha) CE + alpha KD, each in terms of the other."""

from kdlib.exercises.kinds.derivations import derivation

two_conventions = derivation(
    "two-conventions",
    source=("Q24", "Q26"),
    difficulty=3,
    minutes=8,
    symbols=("lambda_", "alpha", "y", "p"),
    prompt=(
        "The source weighs CE + lambda KD, many programs (1 - alpha) CE + alpha KD; both are "
        "minimised here, at temperature 1. Fill in formulas, with the names lambda and alpha:\n\n"
        "- Both have the same best student if alpha = [1].\n"
        "- Then the first loss is [2] times the second, and so are its gradients.\n"
        "- A word has the probability y by the label and p by the teacher. The first loss contains "
        "the student's probability q of that word only as -(y + lambda p) log q. As all q sum to "
        "1, the best student has q = [3].\n"
        "- Written with alpha instead of lambda, q = [4]."
    ),
    hints=(
        "Two losses have the same best student if one is a constant times the other.",
        "The ratio of the two weights must agree: alpha to 1 - alpha, as lambda to 1.",
        "Minimising minus a weighted sum of logarithms makes q proportional to the weights.",
    ),
    blanks=(
        "lambda / (1 + lambda)",
        ("1 + lambda", "1 / (1 - alpha)"),
        "(y + lambda * p) / (1 + lambda)",
        "(1 - alpha) * y + alpha * p",
    ),
    explanation="With the same learning rate the first loss takes steps 1 + lambda times as long.",
)

two_conventions.mistakes(
    (1, "lambda", "conventions-mixed", "blank [1] can exceed 1", "a number between 0 and 1"),
    (
        1,
        "1 / (1 + lambda)",
        "lambda-direction",
        "blank [1] falls when the weight of the teacher grows",
        "both of them weigh the teacher's term",
    ),
    (
        1,
        "lambda / (1 - lambda)",
        "ratio-turned-round",
        "blank [1] is the way back, from the bounded weight to the unbounded one",
        "something that is finite for every lambda",
    ),
    (
        2,
        "1",
        "conventions-mixed",
        "blank [2] says that the two losses are equal, not just their best students",
        "a look at the label's term in both",
    ),
    (
        2,
        "1 / (1 + lambda)",
        "ratio-turned-round",
        "blank [2] makes the first loss the smaller one",
        "the loss that weighs the label's term with 1 is the larger one",
    ),
    (
        3,
        "y + lambda * p",
        "rest-not-renormalised",
        "blank [3] sums to more than 1 over the vocabulary",
        "a distribution",
    ),
    (
        3,
        "(lambda * y + p) / (1 + lambda)",
        "lambda-direction",
        "blank [3] tends to the label as lambda grows",
        "a student that tends to its teacher as lambda grows",
    ),
    (
        3,
        "(1 - lambda) * y + lambda * p",
        "conventions-mixed",
        "blank [3] is negative for some words once lambda exceeds 1",
        "a distribution for every lambda",
    ),
    (
        3,
        "(y - lambda * p) / (1 - lambda)",
        "argmax-sign",
        "blank [3] gives less to what the teacher likes",
        "a student that is drawn towards its teacher",
    ),
    (
        3,
        "y**(1 / (1 + lambda)) * p**(lambda / (1 + lambda))",
        "kl-reversed",
        "blank [3] is a geometric mean: it is 0 wherever the label is",
        "the mean that belongs to divergences with the student in second place",
    ),
    (
        4,
        "alpha * y + (1 - alpha) * p",
        "lambda-direction",
        "blank [4] is the label at the weight that should mean pure imitation",
        "at weight 1 the teacher alone",
    ),
)
