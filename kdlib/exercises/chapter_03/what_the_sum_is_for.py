"""What the sum over all outputs is for, in the reader's words."""

from kdlib.exercises.kinds.written import point, written

what_the_sum_is_for = written(
    "what-the-sum-is-for",
    source=("Q14",),
    difficulty=3,
    minutes=6,
    prompt=(
        "F2 sums over all outputs y; F4 keeps the teacher's best y and drops the rest. Explain to "
        "a colleague, with the numbers of the five students above, what the sum is for and what "
        "goes wrong without it."
    ),
    hints=(
        "Whom does each of the two losses call the best student?",
        "Look for two students that one loss tells apart and the other does not.",
        "Then say what weighs an output in F2, and what is left to gain in F4 once A is best.",
    ),
    model=(
        "In F2 every output counts with the probability that the teacher gives it, so the student "
        "is asked for the whole distribution: good alternatives a little, nonsense hardly at all. "
        "Under F4 students 1 and 2 score the same, 0.5108, although one of them has the order of B "
        "and C upside down. All that F4 still rewards is being surer of A, and student 3 beats the "
        "teacher itself at it. With the sum the teacher is the best student of itself: F2 is the "
        "average of a proper scoring rule."
    ),
    rubric=(
        point(
            "Says that each output counts with the teacher's probability, so that the student is "
            "asked for the whole distribution.",
            misconception="hard-for-soft",
            found=r"(weigh|count|enter)\w*[^.]*probab|whole distribution",
            without="The sum makes the loss larger, which gives the student a stronger gradient.",
        ),
        point(
            "Names two students that F4 scores alike although they differ: 1 and 2, both 0.5108.",
            misconception="top-1-for-match",
            found=0.5108,
            without="F4 is enough to rank the students, since the best output is what matters most.",
        ),
        point(
            "Says what is left to gain under F4: being surer of the best output than the teacher.",
            misconception="confident-for-right",
            found=r"\b(sure|surer|certain|confident) (of|about|in) (A\b|the (best|first|top))",
            without="Under F4 student 3 simply has the best distribution of the three students.",
        ),
        point(
            "Says who should come out best: under F2 the teacher itself, under F4 another.",
            misconception="labels-for-teacher",
            found=r"teacher (is|comes|wins|does)[^.]*\b(best|first|itself)|proper scoring",
            without="A good loss is one that becomes zero when the student gives the right answer.",
        ),
    ),
)
