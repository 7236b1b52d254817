"""From conditional probabilities to sum and mean of token losses."""

from kdlib.exercises.kinds.derivations import derivation

chain_of_token_losses = derivation(
    "chain-of-token-losses",
    source=("Q12", "Q13"),
    difficulty=2,
    minutes=5,
    symbols=("a", "b", "c"),
    prompt=(
        "A student gives the three words of a sentence the conditional probabilities a, b, c. "
        "Fill in:\n\n"
        "- By the chain rule the sentence has the probability [1].\n"
        "- Its loss, the sum of the token losses, is [2].\n"
        "- The mean token loss belongs to the typical probability of one word, exp(-mean), which "
        "is [3]."
    ),
    hints=(
        "Conditional probabilities multiply.",
        "The loss is minus a logarithm; the logarithm of a product is a sum.",
        "exp(-(loss) / 3): what does a division by 3 do to the exponential of a logarithm?",
    ),
    blanks=("a * b * c", "-(log(a) + log(b) + log(c))", "(a * b * c)**(1/3)"),
    explanation="Summing token losses assumes that each is conditioned on all words before it.",
)

chain_of_token_losses.mistakes(
    (
        1,
        "a + b + c",
        "log-of-sum",
        "blank [1] adds probabilities; the sum can be larger than 1",
        "the probability that all three happen",
    ),
    (
        1,
        "(a + b + c) / 3",
        "mean-for-sum",
        "blank [1] is an average; a longer sentence would not become less likely",
        "a probability that falls with every word",
    ),
    (
        2,
        "log(a) + log(b) + log(c)",
        "sign-flipped",
        "blank [2] is negative",
        "a loss of at least 0",
    ),
    (
        2,
        "-log(a + b + c)",
        "log-of-sum",
        "blank [2] is the logarithm of a sum",
        "the logarithm of the sentence's probability",
    ),
    (
        2,
        "-(log(a) + log(b) + log(c)) / 3",
        "mean-for-sum",
        "blank [2] is the mean of the token losses",
        "their sum",
    ),
    (
        3,
        "a * b * c",
        "sum-for-mean",
        "blank [3] is the sentence's probability: it belongs to the sum of the losses",
        "something that does not fall just because a sentence is longer",
    ),
    (
        3,
        "(a + b + c) / 3",
        "log-of-sum",
        "blank [3] is the average of the probabilities",
        "what the average of the logarithms belongs to",
    ),
    (
        3,
        "a * b * c / 3",
        "divided-twice",
        "blank [3] divides the probability, not its logarithm",
        "the division happens in the exponent",
    ),
)
