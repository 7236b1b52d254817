"""The gradient of KL(P||Q) in the student's logits, line by line."""

from kdlib.exercises.kinds.derivations import derivation

gradient_of_forward_kl = derivation(
    "gradient-of-forward-kl",
    source=("Q23",),
    difficulty=3,
    minutes=5,
    symbols=("p", "q"),
    prompt=(
        "Q is the softmax of the student's logits z. Find the derivative of CE(P, Q), the negative "
        "sum of p_u log q_u over all words u, in the logit z_v of one word v. Write p for p_v and "
        "q for q_v.\n\n"
        "- log q_v is z_v minus the logarithm of the sum of all exp(z_u). It changes with z_v at "
        "the rate [1].\n"
        "- The logarithm of another word's probability changes with z_v at the rate [2].\n"
        "- Word v adds -p times [1]. The other words add -[3] times [2], for their teacher's "
        "probabilities sum to [3].\n"
        "- Together: [4]. The entropy of P adds nothing, so KL(P||Q) has the same gradient."
    ),
    hints=(
        "The derivative of log(sum of exp(z_u)) in z_v is exp(z_v) over that sum.",
        "In the logarithm of another word, z_v occurs in the sum only.",
        "Multiply out and collect: two of the products cancel.",
    ),
    blanks=("1-q", "-q", "1-p", "q-p"),
    explanation="Student minus teacher: the whole gradient. A step downhill adds P - Q to the logits.",
)

gradient_of_forward_kl.mistakes(
    (
        1,
        "1",
        "term-left-out",
        "blank [1] forgets that z_v occurs in the normaliser as well",
        "two places where z_v enters",
    ),
    (
        1,
        "q*(1-q)",
        "log-for-probability",
        "blank [1] is the derivative of the probability itself",
        "the derivative of its logarithm",
    ),
    (
        2,
        "0",
        "gradient-in-probabilities",
        "blank [2] treats the probabilities as if they could move one by one",
        "what a larger z_v takes from the other words",
    ),
    (
        2,
        "q",
        "sign-flipped",
        "blank [2] lets the other words grow with z_v",
        "a rate at which the others shrink",
    ),
    (
        3,
        "1",
        "double-counting",
        "blank [3] counts word v among the others",
        "the sum without word v",
    ),
    (
        3,
        "1-q",
        "weighed-by-student",
        "blank [3] sums the student's probabilities",
        "the weights of the cross-entropy",
    ),
    (
        4,
        "p-q",
        "sign-flipped",
        "blank [4] points downhill",
        "the gradient, against which a step is taken",
    ),
    (
        4,
        "-p/q",
        "gradient-in-probabilities",
        "blank [4] is the derivative in the probability",
        "the derivative in the logit",
    ),
)
