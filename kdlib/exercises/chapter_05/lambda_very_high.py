"""F6 with a very large lambda."""

from kdlib.exercises.kinds.choices import choice, right, wrong

lambda_very_high = choice(
    "lambda-very-high",
    source=("Q24",),
    difficulty=2,
    minutes=3,
    prompt=(
        "F6 is maximised with lambda = 10000. The labels are good; the teacher is right in 90% of "
        "cases. What is the harm?"
    ),
    hints=(
        "Divide the whole objective by lambda: its best student stays the same.",
        "Which of the two terms is left?",
        "Whom does a student resemble that is judged by the divergence alone?",
    ),
    options=(
        wrong(
            "The student moves away from the teacher, as the divergence stands with a minus sign.",
            "argmax-sign",
            seen="minus a divergence is largest where the divergence is smallest",
            expected="an argument that starts from what is maximised",
        ),
        wrong(
            "The student learns the labels by heart and gains nothing from the teacher.",
            "lambda-direction",
            seen="the term that lambda multiplies is taken for the one that fades",
            expected="the harm from the term that is left over",
        ),
        wrong(
            "None: the teacher's distributions contain whatever the labels say.",
            "teacher-taken-for-truth",
            seen="where the teacher errs, only the labels could say so",
            expected="a look at the inputs on which teacher and labels disagree",
        ),
        wrong(
            "The sum diverges: with so large a coefficient no best student exists.",
            "optimiser-blamed",
            seen="a large coefficient may ask for smaller steps, but the best student is finite",
            expected="a harm that remains when the optimiser does its work well",
        ),
        right(
            "The labels have hardly any say: the student copies the teacher, its errors included.",
            "Divided by lambda, F6 is log Q(y) / 10000 - KL(P||Q): imitation and nothing else.",
        ),
    ),
)
