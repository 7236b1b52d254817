"""Three students of one teacher: which replicates the whole distribution?"""

from kdlib.exercises.authoring.kl import kl_of_numbers
from kdlib.exercises.kinds.choices import choice, right, wrong

_WHOLE = (0.70, 0.20, 0.10)
_THREE = ((0.65, 0.22, 0.13), (0.70, 0.10, 0.20), (0.50, 0.30, 0.20))
_DISTANCES = [f"{kl_of_numbers(_WHOLE, q):.4f}" for q in _THREE]

three_replicas = choice(
    "three-replicas",
    source=("Q20",),
    difficulty=2,
    minutes=3,
    prompt=(
        f"The teacher is P = {_WHOLE}. Student 1 answers {_THREE[0]}, student 2 {_THREE[1]}, "
        f"student 3 {_THREE[2]}. Which one replicates the whole distribution best, and why?"
    ),
    hints=(
        "What will each student say in the three cases of ten without the first output?",
        "Write down, for each student, the ratio of every probability to the teacher's.",
        "Compute the three terms P log(P / Q) of each; a term may be negative.",
    ),
    options=(
        wrong(
            "Student 2, because the probability of its first output is exact",
            "top-1-for-match",
            seen="one number out of three is compared; the other two have changed places",
            expected="a comparison in which the whole distribution takes part",
        ),
        wrong(
            "Student 3, because it keeps every output well alive and is careful",
            "flat-for-informative",
            seen="a flat answer is praised for being flat; the teacher is surer than that",
            expected="closeness to the teacher, not a large entropy",
        ),
        right(
            "Student 1, because its ratios to the teacher are all close to 1",
            f"The divergences of the three are {', '.join(_DISTANCES)}. Of student 2 the whole "
            "error lies below the top, where its teacher's order of the alternatives is lost.",
        ),
        wrong(
            "None of them, because all three agree on which output comes first",
            "hard-for-soft",
            seen="only the first choice is looked at; the answers would be sampled differently",
            expected="something that tells these students apart",
        ),
    ),
)
