"""A teacher from which no lambda gains anything."""

from kdlib.exercises.kinds.choices import choice, right, wrong

when_no_lambda_helps = choice(
    "when-no-lambda-helps",
    source=("Q27",),
    difficulty=3,
    minutes=4,
    prompt=(
        "30% of the labels are wrong. The student is large enough and sees plenty of data. In "
        "which case is it no nearer to the truth for any lambda above 0 than it is at lambda 0?"
    ),
    hints=(
        "The best student is a mixture of the labels' distribution and the teacher's.",
        "A mixture of two different distributions that are equally far off is nearer than either.",
        "When does mixing change nothing at all?",
    ),
    options=(
        wrong(
            "The teacher, too, is wrong in 30% of cases, but in others than the labels.",
            "perfect-teacher-required",
            seen="errors of two kinds are partly cancelled by a mixture",
            expected="a case in which the second source adds nothing new",
        ),
        wrong(
            "The teacher is a smaller model than the student.",
            "bigger-is-better",
            seen="what counts is where the teacher errs, not how large it is",
            expected="an argument about the two distributions that are mixed",
        ),
        wrong(
            "The noise is uniform over the words: it averages out and leaves the teacher no work.",
            "noise-averages-out",
            seen="uniform noise flattens the labels' distribution, with any amount of data",
            expected="a case in which the noise stays and the teacher cannot reduce it",
        ),
        right(
            "The teacher learned from these labels, wrong ones included, and answers as they do.",
            "Mixing a distribution with itself changes nothing: both have the same errors.",
        ),
        wrong(
            "The teacher is imperfect: it is wrong in 10% of cases.",
            "perfect-teacher-required",
            seen="a source does not need to be without error to be better than the other one",
            expected="a comparison of the teacher's errors with those of the labels",
        ),
    ),
)
