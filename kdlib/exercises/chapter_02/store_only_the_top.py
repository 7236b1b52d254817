"""A proposal to keep only the top prediction, criticised in the reader's own words."""

from kdlib.exercises.kinds.written import point, written

store_only_the_top = written(
    "store-only-the-top",
    source=("Q08",),
    difficulty=3,
    minutes=6,
    prompt=(
        "*In F1 we replace the teacher's distribution by the one-hot of its top prediction. It "
        "takes a thousandth of the space, and the user sees only the best answer anyway.* "
        "Criticise this proposal in three to five sentences: what does the student no longer "
        "learn, where does a user notice, and in which case is the proposal right?"
    ),
    hints=(
        "Two teachers share the top word: one is certain, the other torn between two words. What "
        "does each leave in the store?",
        "What does a student that was trained on one-hots say where its teacher would hesitate?",
        "What if nobody ever samples from the student, or asks how sure it is?",
    ),
    model=(
        "The student no longer learns how likely the alternatives are, against the top and against "
        "each other, nor how sure the teacher is. Its loss asks it to be certain everywhere, so it "
        "is overconfident where the teacher hesitates. A user who samples gets the same text every "
        "time, and one who reads its confidence is misled. If one best answer is all that will "
        "ever be wanted, the top is enough."
    ),
    rubric=(
        point(
            "Says that the probabilities of the alternatives are lost, and how they compare.",
            misconception="hard-for-soft",
            without="The student no longer learns the finer details of what the teacher knows.",
        ),
        point(
            "Says that the teacher's doubt is lost: the student becomes too sure of itself.",
            misconception="confident-for-right",
            found=r"(?:student|it) (?:is|becomes|gets) (?:over-?confident|too (?:sure|certain))",
            without="The student loses some of its accuracy, mostly on the rare words.",
        ),
        point(
            "Says where it shows: in samples that lack variety, or in confidence that is trusted.",
            misconception="top-1-for-match",
            without="A user notices it in the training loss, which stays higher than before.",
        ),
        point(
            "Names the case in which the proposal is right: only the single best answer is wanted.",
            misconception="hard-for-soft",
            without="The proposal is right where the vocabulary is small and the text is short.",
        ),
    ),
)
