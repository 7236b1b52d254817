"""Four students in the order of their divergence."""

from kdlib.exercises.authoring.kl import kl_of_numbers
from kdlib.exercises.kinds.orderings import ordering

_TEACHER = (0.8, 0.1, 0.1)
_STUDENTS = ((0.7, 0.15, 0.15), (0.9, 0.05, 0.05), (0.8, 0.19, 0.01), (1.0, 0.0, 0.0))
_DIVERGENCES = [f"{kl_of_numbers(_TEACHER, student):.4f}" for student in _STUDENTS]

four_students = ordering(
    "four-students",
    source=("Q19",),
    difficulty=3,
    minutes=5,
    prompt=(
        f"The teacher is P = {_TEACHER}. Order four students from best to worst under KL(P||Q), if "
        "you can without computing everything."
    ),
    hints=(
        "By which factor does each student change each probability?",
        "A term p log(p / q) has no upper limit as q goes to 0. Which students come near that?",
        "The four sums begin with 0.8 log(0.8 / q). Add 0.1 log(0.1 / q) for both other outputs.",
    ),
    items=tuple(str(student) for student in _STUDENTS),
    explanation="Their divergences: " + ", ".join(_DIVERGENCES) + ".",
)

four_students.mistakes(
    (
        1,
        4,
        "hard-for-soft",
        "the one-hot student is rated above one that keeps all three outputs",
        "a look at what the teacher may answer and the student never will",
    ),
    (
        1,
        3,
        "top-1-for-match",
        "the exact probability of the first output beats the flatter student",
        "all three outputs decide; one of them is made ten times too rare",
    ),
    (
        2,
        3,
        "top-1-for-match",
        "the exact probability of the first output beats the surer student",
        "a factor of ten counts for more than a factor of two",
    ),
    (
        1,
        2,
        "confident-for-right",
        "the student that is surer than its teacher is rated above the one that is less sure",
        "the student that does not take too little from any output",
    ),
    (
        3,
        4,
        "zero-log-zero",
        "exact zeros are taken for a small matter",
        "an output that can happen and is excluded: how surprised is this student then?",
    ),
)
