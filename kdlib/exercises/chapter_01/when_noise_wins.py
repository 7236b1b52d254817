"""At which temperature many senseless words together match the best one."""

from kdlib.exercises.kinds.derivations import derivation

when_noise_wins = derivation(
    "when-noise-wins",
    source=("Q04",),
    difficulty=3,
    minutes=5,
    symbols=("g", "N", "T"),
    prompt=(
        "One word is the best. N senseless words all lie g nats below it: their logits are smaller "
        "by g. Fill in:\n\n"
        "- At temperature T one senseless word has [1] times the best word's probability.\n"
        "- All N together have [2] times the best word's probability.\n"
        "- They have as much as the best word at the temperature T = [3].\n"
        "- A speech recogniser has 20000 labels, and the senseless ones lie 30 nats below the "
        "best. Rounded to a whole number, that temperature is [4]."
    ),
    hints=(
        "The normaliser cancels in a quotient of two probabilities.",
        "Set the quotient of the sum and the best word to 1 and take logarithms.",
        "The logarithm of N, with the natural base, divides the gap.",
    ),
    blanks=("exp(-g / T)", "N * exp(-g / T)", "g / log(N)", "3"),
    explanation=(
        "The gap counts in full and the number of words only through its logarithm: a large gap "
        "makes many labels harmless, and a small one makes few labels noisy."
    ),
)

when_noise_wins.mistakes(
    (
        1,
        "exp(-g)",
        "temperature-ignored",
        "blank [1] does not depend on the temperature",
        "odds that come closer to even as T grows",
    ),
    (
        1,
        "exp(g / T)",
        "sign-flipped",
        "blank [1] is above 1: the senseless word would be the likelier one",
        "a quotient below 1",
    ),
    (
        1,
        "exp(-g) / T",
        "temperature-after-softmax",
        "blank [1] divides the odds by T instead of the logits",
        "a temperature that acts inside of the exponential",
    ),
    (
        2,
        "exp(-g / T)",
        "term-left-out",
        "blank [2] still has a single senseless word",
        "the sum over all of them",
    ),
    (
        3,
        "g / N",
        "log-for-probability",
        "blank [3] has N where its logarithm belongs",
        "the equation solved by taking logarithms of both sides",
    ),
    (
        3,
        "log(N) / g",
        "ratio-turned-round",
        "blank [3] is turned round: a larger gap would make the noise win sooner",
        "a temperature that grows with the gap",
    ),
    (
        4,
        "7",
        "nats-for-bits",
        "blank [4] took a logarithm to the base 10",
        "the natural logarithm",
    ),
    (
        4,
        "2",
        "nats-for-bits",
        "blank [4] took a logarithm to the base 2",
        "the natural logarithm",
    ),
)
