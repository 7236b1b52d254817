"""Which way to move lambda, alpha and beta for noisy labels."""

from kdlib.exercises.kinds.derivations import derivation

noise_and_lambda = derivation(
    "noise-and-lambda",
    source=("Q25", "Q27"),
    difficulty=2,
    minutes=4,
    prompt=(
        "A third of the labels are wrong; the teacher is reliable. Fill in `up` or `down`:\n\n"
        "- F6 maximises the sum of log Q(y) - lambda KL(P||Q). Move lambda [1].\n"
        "- A program minimises (1 - alpha) CE + alpha KD. Move alpha [2].\n"
        "- Another program minimises beta CE + (1 - beta) KD. Move beta [3].\n"
        "- Later the labels are corrected by hand, and the teacher is found to be biased. In F6, "
        "move lambda [4]."
    ),
    hints=(
        "Ask of each coefficient which term it multiplies, and whether it rewards or charges.",
        "In F6 lambda charges for the distance from the teacher. Is that source to be trusted?",
        "The name of a coefficient says nothing: beta stands where alpha has 1 - alpha.",
    ),
    blanks=("up", "up", "down", "down"),
    explanation="In every convention: more weight for the term of the source that you trust more.",
)

noise_and_lambda.mistakes(
    (
        1,
        "down",
        "lambda-direction",
        "blank [1] leaves more of the decision to the labels, of which a third are wrong",
        "more trust in the reliable source; minus a divergence is a charge for leaving it",
    ),
    (
        2,
        "down",
        "lambda-direction",
        "blank [2] takes weight from the teacher's term and gives it to the labels' term",
        "more weight on the term of the reliable source",
    ),
    (
        3,
        "up",
        "conventions-mixed",
        "blank [3] treats beta like alpha, but beta multiplies the labels' term",
        "less weight on the term of the unreliable source",
    ),
    (
        4,
        "up",
        "lambda-direction",
        "blank [4] trusts the biased source more",
        "more trust in the labels, now that they are right",
    ),
)
