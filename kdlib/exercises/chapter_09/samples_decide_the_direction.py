"""Which divergence the student's own texts estimate."""

from kdlib.exercises.kinds.choices import choice, right, wrong

samples_decide_the_direction = choice(
    "samples-decide-the-direction",
    source=("Q21",),
    difficulty=3,
    minutes=3,
    prompt=(
        "A loop draws whole texts y from the student and averages log Q(y|x) - log P(y|x) over "
        "them. What does the average estimate, and what does a student too small for its teacher "
        "learn from it?"
    ),
    hints=(
        "An average over draws is an expectation. Under whose distribution?",
        "Which texts can never add anything to this average?",
        "The weights are Q: write the sum over y out, and compare it with both directions of KL.",
    ),
    options=(
        wrong(
            "KL(P || Q): the student spreads over everything that the teacher can say.",
            "kl-reversed",
            seen=(
                "in that direction texts are weighed with P, so the teacher would have to draw them"
            ),
            expected="a sum weighed by the one who draws",
        ),
        right(
            "KL(Q || P): it keeps to texts that the teacher likes, and may drop some of its modes.",
            "What the student never says costs it nothing here. Whose texts are read and which way "
            "the models are compared are two choices: at each position of a text that the student "
            "drew, KL(P || Q) over the next word can be computed as well.",
        ),
        wrong(
            "The cross-entropy of the student on the teacher's texts: it copies the best of them.",
            "ce-called-kl",
            seen="the average is 0 when both models agree, which a cross-entropy is not",
            expected="a quantity that holds the logarithms of both models",
        ),
        wrong(
            (
                "The same as over texts from the data: with enough of them their source does not "
                "matter."
            ),
            "exposure-bias",
            seen="more texts of one kind do not become texts of the other kind",
            expected="a look at which prefixes are ever seen in training",
        ),
    ),
)
