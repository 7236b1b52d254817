"""Cross-entropy or KL, and which KL: recognised by what it does."""

from kdlib.exercises.kinds.derivations import derivation

which_loss_is_meant = derivation(
    "which-loss-is-meant",
    source=("Q23",),
    difficulty=3,
    minutes=6,
    symbols=("p", "q"),
    prompt=(
        "P is the teacher. Fill [1] to [4] with one of `cross-entropy`, `forward KL`, `reverse "
        "KL`, the loss that is minimised; [5] is a formula.\n\n"
        "- The logged loss is 0 for a perfect student, and infinite as soon as the student "
        "excludes a word that the teacher may say: [1].\n"
        "- The gradients are those of [1], but a perfect student has a loss of 1.3 nats: [2].\n"
        "- The student writes texts, and log Q - log P is averaged over what it wrote: [3].\n"
        "- A student too small for a teacher with two styles ends up writing in one of them, and "
        "writes it well: [4].\n"
        "- With two words, P = (p, 1 - p) and Q = (q, 1 - q), [2] minus [1] is [5]."
    ),
    hints=(
        "Ask of each: who provides the weights, and what is the value at P = Q?",
        "Texts of the student are weights from the student; so is leaving a mode out cheaply.",
        "The difference is the teacher's entropy, in which the student does not occur.",
    ),
    blanks=(
        ("forward KL", "KL(P||Q)", "forward", "KL(P‖Q)"),
        ("cross-entropy", "CE", "cross entropy"),
        ("reverse KL", "KL(Q||P)", "reverse", "KL(Q‖P)"),
        ("reverse KL", "KL(Q||P)", "reverse", "KL(Q‖P)"),
        "-(p*log(p) + (1-p)*log(1-p))",
    ),
    explanation="[5] is constant in q, so [1] and [2] train alike and report different numbers.",
)

which_loss_is_meant.mistakes(
    (
        1,
        "reverse KL",
        "kl-reversed",
        "blank [1] is infinite where the teacher excludes a word",
        "the loss in which a possible word with Q = 0 has a weight",
    ),
    (
        1,
        "cross-entropy",
        "ce-called-kl",
        "blank [1] is not 0 for a perfect student",
        "a loss that is 0 at P = Q",
    ),
    (
        2,
        "forward KL",
        "kl-for-cross-entropy",
        "blank [2] would be 0 for a perfect student",
        "a loss whose least value is the teacher's entropy",
    ),
    (
        2,
        "reverse KL",
        "kl-reversed",
        "blank [2] has other gradients, and is 0 for a perfect student",
        "the gradients of the line before",
    ),
    (
        3,
        "forward KL",
        "kl-reversed",
        "blank [3] averages over texts of the teacher",
        "an average over the student's own texts",
    ),
    (
        3,
        "cross-entropy",
        "ce-called-kl",
        "blank [3] contains no ratio of two models",
        "an average of log-ratios",
    ),
    (
        4,
        "forward KL",
        "kl-reversed",
        "blank [4] makes the student spread over both styles",
        "the direction in which a neglected style costs little",
    ),
    (
        4,
        "cross-entropy",
        "ce-called-kl",
        "blank [4] trains like [1], so it covers both styles",
        "a loss whose weights come from the student",
    ),
    (
        5,
        "p*log(p) + (1-p)*log(1-p)",
        "sign-flipped",
        "blank [5] is negative",
        "an entropy, which is at least 0",
    ),
    (
        5,
        "-(q*log(q) + (1-q)*log(1-q))",
        "entropy-for-cross-entropy",
        "blank [5] is the student's entropy",
        "something that training does not change",
    ),
    (
        5,
        "p*log(p/q) + (1-p)*log((1-p)/(1-q))",
        "ce-called-kl",
        "blank [5] is one of the two losses itself",
        "their difference",
    ),
    (
        5,
        "-(p*log(q) + (1-p)*log(1-q))",
        "ce-called-kl",
        "blank [5] is the larger of the two losses",
        "what is left when the smaller one is subtracted",
    ),
    (
        5,
        "-p*log(p)",
        "term-left-out",
        "blank [5] has the term of one word only",
        "a term for each of the two words",
    ),
)
