"""What temperature does to the odds of two words."""

from kdlib.exercises.kinds.derivations import derivation

temperature_and_odds = derivation(
    "temperature-and-odds",
    source=("Q04",),
    difficulty=2,
    minutes=4,
    symbols=("a", "b", "T"),
    prompt=(
        "Two words have the logits a and b. At temperature T their probabilities are p and r. "
        "Fill in:\n\n"
        "- log(p / r) = [1], since the normaliser cancels.\n"
        "- At T = 1 the first word is 81 times as likely as the second. At T = 4 it is [2] times "
        "as likely.\n"
        "- As T grows without bound, p / r tends to [3]."
    ),
    hints=(
        "Write both probabilities with the same denominator, then divide.",
        "Temperature divides the log-odds; what does that do to the odds?",
        "Dividing a logarithm by 4 is taking a fourth root.",
    ),
    blanks=("(a - b) / T", "3", "1"),
    explanation=(
        "Temperature T takes the T-th root of all odds: the order stays, the distances shrink."
    ),
)

temperature_and_odds.mistakes(
    (
        1,
        "(a - b) * T",
        "temperature-inverted",
        "blank [1] grows with T",
        "odds that come closer to even as T grows",
    ),
    (
        1,
        "a - b",
        "temperature-ignored",
        "blank [1] does not contain T",
        "log-odds that depend on the temperature",
    ),
    (
        1,
        "a / b",
        "ratio-and-difference",
        "blank [1] is a quotient of logits; adding 1 to both logits would change it",
        "something that stays when the same number is added to both logits",
    ),
    (
        2,
        "81/4",
        "temperature-after-softmax",
        "blank [2] divides the odds themselves by 4",
        "the logarithm of the odds is what is divided",
    ),
    (
        2,
        "81**4",
        "temperature-inverted",
        "blank [2] makes the odds more extreme",
        "a high temperature brings odds closer to even",
    ),
    (
        3,
        "0",
        "log-for-probability",
        "blank [3] is the limit of the log-odds",
        "the limit of the odds themselves",
    ),
)
