"""The chain rule of F2, derived on the smallest tree that has a branch."""

from kdlib.exercises.kinds.derivations import derivation

chain_rule_by_hand = derivation(
    "chain-rule-by-hand",
    source=("Q14", "Q16"),
    difficulty=3,
    minutes=7,
    symbols=("a", "b", "q", "r"),
    prompt=(
        "The smallest tree with a branch: the teacher's first word is A with probability a, else B. "
        "After B the output ends. After A comes X with probability b, else Y. The student's numbers "
        "in the same places are q and r. Show that F2 is a sum of next-word losses:\n\n"
        "- The three outputs AX, AY, B have the teacher's probabilities a*b, [1] and 1 - a.\n"
        "- So F2 = -(a*b*log(q*r) + a*(1 - b)*log(q*(1 - r)) + (1 - a)*log(1 - q)). The logarithm "
        "of a product is a sum; collect the terms with log(q): their factor, without the minus, is "
        "[2].\n"
        "- With -(1 - a)*log(1 - q) they make the cross-entropy of the first word. What is left is "
        "a factor times -(b*log(r) + (1 - b)*log(1 - r)), the cross-entropy of the second word. The "
        "factor is [3].\n"
        "- This factor is how often the [4] comes to the prefix A: the teacher, or the student?"
    ),
    hints=(
        "An output's probability is the product of its words' probabilities.",
        "log(q*r) is log(q) + log(r). The terms with log(q) have the factors a*b and a*(1 - b).",
        "What is left has log(r) with a*b and log(1 - r) with a*(1 - b). Take out what they share.",
    ),
    blanks=("a*(1 - b)", "a", "a", ("teacher", "the teacher")),
    explanation=(
        "A deeper tree repeats the step at every branch: the loss of an output is the sum of its "
        "next-word losses, each averaged over the prefixes that the teacher writes."
    ),
)

chain_rule_by_hand.mistakes(
    (
        1,
        "1 - b",
        "tokens-independent",
        "blank [1] leaves out how the output begins",
        "a product of two probabilities",
    ),
    (
        1,
        "1 - a*b",
        "complement-for-rate",
        "blank [1] is the probability of everything but the first output",
        "the probability of one output",
    ),
    (
        2,
        "a*b",
        "term-left-out",
        "blank [2] is the factor of one of the two terms that have it",
        "the sum of two factors",
    ),
    (
        2,
        "1",
        "weights-missing",
        "blank [2] is a constant, whatever the probabilities are",
        "the sum of two factors, simplified",
    ),
    (
        3,
        "1",
        "weights-missing",
        "blank [3] counts the second word as if every output had one",
        "something that is small if the prefix is rare",
    ),
    (
        3,
        "q",
        "weighed-by-student",
        "blank [3] is a number of the student, which stands inside of logarithms only",
        "a number of the model that writes",
    ),
    (
        3,
        "a*b",
        "term-left-out",
        "blank [3] still has the probability of the second word in it",
        "what the two terms share",
    ),
    (
        4,
        "student",
        "weighed-by-student",
        "blank [4] names the model that is scored, not the one that writes",
        "the model whose number is in blank [3]",
    ),
)
