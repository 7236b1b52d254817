"""Both values of the first example, the better student, and the reason."""

from kdlib.exercises.authoring.kl import kl_of_numbers
from kdlib.exercises.kinds.written import point, written

_P = (0.7, 0.2, 0.1)
_A, _B = (kl_of_numbers(_P, q) for q in ((0.6, 0.3, 0.1), (0.8, 0.1, 0.1)))

the_better_mimic = written(
    "the-better-mimic",
    source=("Q18",),
    difficulty=2,
    minutes=5,
    prompt=(
        f"The same teacher, P = {_P}, and the same two students, (0.6, 0.3, 0.1) and "
        "(0.8, 0.1, 0.1). Give both divergences, name the better mimic, and explain why the two "
        "do not pay alike for a move of the same size."
    ),
    hints=(
        "Put the terms of the two sums beside each other. Which of them is the largest?",
        "By which factor did each student change its second output?",
        "Compare 0.2 log(0.2 / 0.1) with what came back from the first output.",
    ),
    model=(
        f"KL(P||A) is {_A:.4f} nats. KL(P||B) is {_B:.4f} nats, so A is the better mimic. Both "
        "moved 0.1, but the logarithm charges for the ratio P / Q and weighs it with P. B halved "
        "the second output, which costs 0.2 log 2, while A shrank the first one only from 0.7 to "
        "0.6 and took back part of the price by giving the second one more."
    ),
    rubric=(
        point(
            "Gives the divergence of A to four decimals.",
            misconception="weights-missing",
            found=rf"(?-i:\bA\b[^.B]*){_A:.4f}",
            without="A pays less than B, because its ratios are smaller everywhere.",
        ),
        point(
            "Gives the divergence of B to four decimals.",
            misconception="terms-clamped",
            found=rf"(?-i:\bB\b[^.A]*){_B:.4f}",
            without="B pays nearly twice as much as A for taking from the second output.",
        ),
        point(
            "Names A, the student with the smaller divergence.",
            misconception="argmax-sign",
            found=r"(?-i:\bA) (?:is|wins|mimics|imitates|comes)\b",
            without="The larger divergence belongs to the better mimic, which is student B.",
        ),
        point(
            "Says that ratios are paid for: B halves an output, and A changes none by so much.",
            misconception="ratio-and-difference",
            found=r"\b(?:charges?|pays?|paid) for (?:the )?ratio|\bhalv\w+ the second",
            without="B moved more probability than A, so it has to pay more for the move.",
        ),
    ),
)
