"""The gradient of KL(Q||P) in the student's logits, line by line."""

from kdlib.exercises.kinds.derivations import derivation

gradient_of_reverse_kl = derivation(
    "gradient-of-reverse-kl",
    source=("Q21", "Q23"),
    difficulty=4,
    minutes=7,
    symbols=("p", "q", "r", "k"),
    prompt=(
        "Now KL(Q||P), the sum of q_u log(q_u / p_u), in the logit z_v of one word. Write p and q "
        "for p_v and q_v, r for the student's probability of some other word, and k for KL(Q||P) "
        "itself.\n\n"
        "- The probability q_v changes with z_v at the rate [1], another word's r at the rate "
        "[2].\n"
        "- The derivative of q_u log(q_u / p_u) in q_u is log(q_u / p_u) + 1. The + 1 drops out, "
        "since the rates of all words sum to [3].\n"
        "- What is left is the sum of rate times log(q_u / p_u). It has two parts: q log(q / p), "
        "and -q times the sum of q_u log(q_u / p_u), which is [4].\n"
        "- Together: [5]."
    ),
    hints=(
        "A probability is the exponential of its logarithm, whose rate you know.",
        "Probabilities keep their sum, whatever the logits do.",
        "Look at the last sum once more: it has a name in the first line.",
    ),
    blanks=("q*(1-q)", "-q*r", "0", "k", "q*(log(q/p) - k)"),
    explanation=("Every push has the factor q: what the student has given up it hardly gets back."),
)

gradient_of_reverse_kl.mistakes(
    (
        1,
        "1-q",
        "log-for-probability",
        "blank [1] is the rate of the logarithm",
        "the rate of the probability itself",
    ),
    (
        1,
        "q",
        "term-left-out",
        "blank [1] forgets the normaliser",
        "a rate that is 0 for a student that is certain",
    ),
    (
        2,
        "-q",
        "log-for-probability",
        "blank [2] is the rate of the logarithm",
        "the rate of the probability itself",
    ),
    (
        2,
        "q*r",
        "sign-flipped",
        "blank [2] lets all words grow at once",
        "a rate at which the others shrink",
    ),
    (
        3,
        "1",
        "whole-for-part",
        "blank [3] is the sum of the probabilities",
        "the sum of their changes",
    ),
    (
        4,
        "1",
        "whole-for-part",
        "blank [4] leaves the logarithms out of the sum",
        "a sum of weighted log-ratios",
    ),
    (
        5,
        "q*log(q/p)",
        "term-left-out",
        "blank [5] has one of the two parts; over all words it would not sum to 0",
        "both parts",
    ),
    (
        5,
        "log(q/p) - k",
        "weights-missing",
        "blank [5] pushes a word that the student never says as hard as any other",
        "the weight that both parts share",
    ),
    (
        5,
        "q*(log(p/q) - k)",
        "ratio-turned-round",
        "blank [5] has the ratio upside down",
        "the ratio of the loss",
    ),
    (
        5,
        "q - p",
        "kl-reversed",
        "blank [5] is the gradient of the other direction",
        "the gradient of this one",
    ),
)
