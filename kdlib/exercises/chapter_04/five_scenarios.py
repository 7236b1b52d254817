"""Five training scenarios: which loss is meant, or fits?"""

from kdlib.exercises.kinds.derivations import derivation

_CE = ("cross-entropy", "CE", "cross entropy")
_FORWARD = ("forward KL", "KL(P||Q)", "forward", "KL(P‖Q)")
_REVERSE = ("reverse KL", "KL(Q||P)", "reverse", "KL(Q‖P)")

five_scenarios = derivation(
    "five-scenarios",
    source=("Q23",),
    difficulty=3,
    minutes=6,
    prompt=(
        "P is the teacher. Fill each blank with one of `cross-entropy`, `forward KL`, `reverse "
        "KL`: the loss that is minimised, or the one that you would choose.\n\n"
        "- A translator is trained on sentences that the teacher has translated, with the usual "
        "language-model loss: [1].\n"
        "- The teacher's probabilities of every word are stored. The log shows a loss that falls "
        "towards 0 and would be 0 for a perfect student: [2].\n"
        "- The student writes answers, the teacher scores each word, and the reward is "
        "log P - log Q: [3].\n"
        "- A small assistant may be monotonous but must not talk nonsense: [4].\n"
        "- A small model screens reports for rare faults. To miss one that the teacher knows is "
        "worse than a false alarm: [5]."
    ),
    hints=(
        "Who writes the texts over which the mean is taken?",
        "What is the value at P = Q: the teacher's entropy, or 0?",
        "For the last two: who may put probability where the other one has none?",
    ),
    blanks=(_CE, _FORWARD, _REVERSE, _REVERSE, _FORWARD + _CE),
    explanation=(
        "1: one sample of F2, with the gradient of [2] on average. 3: a mean over the student's "
        "own texts. 4: inventing is expensive, omitting is cheap. 5: omitting is expensive; the "
        "cross-entropy takes the same steps."
    ),
)

five_scenarios.mistakes(
    (
        1,
        "forward KL",
        "kl-for-cross-entropy",
        "blank [1] needs the teacher's probabilities, and only its sentences are there",
        "a loss that can be computed from a text and the student alone",
    ),
    (
        1,
        "reverse KL",
        "kl-reversed",
        "blank [1] averages over what the student writes",
        "an average over what the teacher wrote",
    ),
    (
        2,
        "cross-entropy",
        "ce-called-kl",
        "blank [2] would stop at the teacher's entropy",
        "a loss that is 0 at P = Q",
    ),
    (
        2,
        "reverse KL",
        "kl-reversed",
        "blank [2] would weigh with the student, but it is the teacher that is stored",
        "weights that do not change in training",
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
        "term-left-out",
        "blank [3] contains only one of the two models' logarithms",
        "an average of log-ratios",
    ),
    (
        4,
        "forward KL",
        "kl-reversed",
        "blank [4] makes a small student spread, into the nonsense between good answers too",
        "a loss in which it is inventing that costs",
    ),
    (
        4,
        "cross-entropy",
        "kl-for-cross-entropy",
        "blank [4] takes the steps of a loss that spreads",
        "a loss in which it is inventing that costs",
    ),
    (
        5,
        "reverse KL",
        "kl-reversed",
        "blank [5] lets the student drop what is rare at hardly any cost",
        "a loss in which it is omitting that costs",
    ),
)
