"""Larger and more diverse data, criticised in the reader's own words."""

from kdlib.exercises.kinds.written import point, written

a_rule_for_the_data = written(
    "a-rule-for-the-data",
    source=("Q10",),
    difficulty=3,
    minutes=7,
    prompt=(
        "A guideline says: *always take the larger and more diverse D'; the better run is the one "
        "with the lower final loss.* Criticise both halves in four to six sentences, with a case "
        "against each, and write a better guideline."
    ),
    hints=(
        "The two halves concern two numbers: the match in use, and the loss on D'.",
        "What does a student that is too small do with inputs of many kinds? What does a tiny D' "
        "do to the final loss?",
        "Which inputs should D' hold, in which proportions, and on which inputs should two runs be "
        "compared?",
    ),
    model=(
        "A student with little capacity must compromise between many kinds of input, so inputs "
        "that are never met in use make it worse where it is used. The final loss belongs to its "
        "own D': on a single easy input it is close to zero and says little about use. Two final "
        "losses over different data cannot be compared; a run with a higher one can be better. "
        "Better: fill D' with the inputs of use, in their proportions, add more of those while the "
        "teacher's outputs are scarce, and compare runs on the same held-out inputs."
    ),
    rubric=(
        point(
            "Gives a case in which diversity hurts: a student whose capacity it uses up.",
            misconception="more-data-always-better",
            found=r"\b(?:little|limited|scarce|small) capacity|\b(?:too )?small(?:er)? student",
            without="More data take longer to train on, so the guideline is expensive to follow.",
        ),
        point(
            "Says that a final loss belongs to its D': losses over different data are not to be "
            "compared.",
            misconception="zero-loss-expected",
            found=r"\b(?:different|other) (?:data|inputs|D'|data sets) "
            r"(?:cannot|can't|must not|should not) be compared",
            without="The final loss is noisy, so the guideline needs several runs of each kind.",
        ),
        point(
            "Ties D' to the inputs of use, and does not call the data unimportant.",
            misconception="data-size-irrelevant",
            found=r"\bD' with (?:the )?inputs (?:of|in|from) use",
            without="Any D' will do, since the teacher supplies the targets for all of them.",
        ),
        point(
            "Compares runs on one and the same set of inputs, which neither was trained on.",
            misconception="no-control",
            found=r"\bon the same (?:held-out |test |validation )?(?:inputs|data|set)",
            without="The better run is the one that was trained for longer on more data.",
        ),
    ),
)
