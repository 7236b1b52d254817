"""Two written exercises that stand in no chapter, for the tests of how such answers are marked."""

from kdlib.exercises.judging.rubric import Point
from kdlib.exercises.kinds.written import written

TWO_MODELS = written(
    "two-models",
    source=("Q01",),
    difficulty=2,
    minutes=5,
    prompt="In three sentences: what is gained by having two models, and not one?",
    hints=(
        "Ask of each model: where does it run, and who pays for that?",
        "One of the two is never seen by a user.",
        "Large and slow is a price only where something is used often.",
    ),
    model=(
        "The teacher may be as large as it likes, for it runs only while the student is trained. "
        "The student has 31 million parameters against 135 and runs on a phone. "
        "Its targets come from the teacher, so it learns what a small model would not find alone."
    ),
    rubric=(
        Point(
            "Says that the teacher is paid for once, during training.",
            misconception="larger-taken-for-teacher",
            without="The teacher is large, has learned more than anybody, and answers on the phone.",
        ),
        Point(
            "Names the student's size.",
            misconception="precision-forgotten",
            found=31,
            without="The student is much smaller than its teacher, and so it fits into a phone.",
        ),
        Point(
            "Says that the targets are the teacher's.",
            misconception="labels-for-teacher",
            found=r"targets? (come|are taken) from the teacher",
            without="The student has 31 million parameters and learns the labels of the data well.",
        ),
    ),
    explanation="Section 1.7 has the sizes.",
)

DIRECTION = written(
    "direction",
    source=("Q21",),
    difficulty=3,
    minutes=5,
    prompt="Which direction spreads a student over both peaks, and why? What does a weight change?",
    hints=("Look at the walls.", "Where is the student's probability in the formula?"),
    model=(
        "The forward direction covers both peaks. It weighs by the teacher, and its value is "
        "0.7044 here. The triangle inequality does not hold. The weight is $\\lambda$."
    ),
    rubric=(
        Point(
            "Says that the forward direction covers.",
            misconception="kl-reversed",
            found=r"\bforward\b.*\bcovers?\b",
            without="The reverse direction covers both peaks, since the student may go anywhere.",
        ),
        Point("Gives the value.", misconception="nats-for-bits", found=0.7044),
        Point(
            "Says that it is not a metric.",
            misconception="ce-called-kl",
            found=r"(not a metric|triangle inequality (fails|does not hold))",
        ),
        Point("Names the letter.", misconception="lambda-direction", found=r"\blambda\b"),
    ),
)
