"""An exact top and a wrong order below it."""

from kdlib.exercises.authoring.kl import kl_of_numbers
from kdlib.exercises.kinds.choices import choice, right, wrong

_WHOLE = (0.70, 0.20, 0.10)
_THREE = ((0.65, 0.22, 0.13), (0.70, 0.10, 0.20), (0.50, 0.30, 0.20))
_DISTANCES = [f"{kl_of_numbers(_WHOLE, q):.4f}" for q in _THREE]

an_exact_top_is_not_enough = choice(
    "an-exact-top-is-not-enough",
    source=("Q20", "Q22"),
    difficulty=2,
    minutes=3,
    prompt=(
        f"The teacher is P = {_WHOLE}. Student 1 answers {_THREE[0]}, student 2 {_THREE[1]}, "
        f"student 3 {_THREE[2]}. Which one replicates the teacher best, and why?"
    ),
    hints=(
        "What will each student say in the three cases of ten without the first output?",
        "Student 2 knows the first output perfectly. In which order does it put the others?",
        "Compare log-ratios: one student has none that is large.",
    ),
    options=(
        wrong(
            "Student 2: its probability of the most likely output is exact.",
            "top-1-for-match",
            seen="one number out of three is compared; the other two have changed places",
            expected="a comparison in which the whole distribution takes part",
        ),
        wrong(
            "Student 3: it is the most careful and keeps every output well alive.",
            "flat-for-informative",
            seen="a flat answer is praised for being flat; the teacher is surer than that",
            expected="closeness to the teacher, not a large entropy",
        ),
        wrong(
            "All are equal: each prefers the same output.",
            "hard-for-soft",
            seen="only the first choice is looked at; the answers would be sampled differently",
            expected="something that tells these students apart",
        ),
        right(
            "Student 1: it is slightly off everywhere and far off nowhere.",
            f"The divergences of the three are {', '.join(_DISTANCES)}. Of student 2 the whole "
            "error lies below the top, where its teacher's order of the alternatives is lost.",
        ),
    ),
)
