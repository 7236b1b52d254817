"""Why a distribution is matched and not its top, and what goes wrong below an exact top."""

from kdlib.exercises.kinds.written import point, written

beyond_the_first_choice = written(
    "beyond-the-first-choice",
    source=("Q20", "Q22"),
    difficulty=3,
    minutes=6,
    prompt=(
        "A colleague reports: 'Our student gives the likeliest output exactly the teacher's "
        "probability, 0.70; distillation is done.' The teacher is (0.70, 0.20, 0.10), the student "
        "(0.70, 0.10, 0.20). Diagnose this in three to five sentences. What does a user see of the "
        "difference? Which number would you ask for, and what is it here?"
    ),
    hints=(
        "What happens in three cases of ten?",
        "Which of the two other outputs does each model prefer, and how strongly?",
        "A divergence sums over all outputs; one term of it is 0 here.",
    ),
    model=(
        "The report checks one number of three. Below the top the student has the order turned "
        "round: it prefers the third output two to one where the teacher prefers the second two "
        "to one. A model that is sampled leaves the top in 3 cases of 10, so users see the wrong "
        "alternative twice as often as they should. I would ask for KL(P||Q), which sums over "
        "all outputs: 0.0693 nats, ten times that of a student that is slightly off everywhere."
    ),
    rubric=(
        point(
            "Says that the order of the alternatives below the top is turned round.",
            misconception="top-1-for-match",
            found=r"\border\b[^.]*\b(?:turned|swapped|reversed|exchanged)",
            without="The student is a little too sure of itself, as students are.",
        ),
        point(
            "Says that a user sees it because texts are sampled: three cases in ten are not the "
            "top.",
            misconception="hard-for-soft",
            found=r"\b(?:3|three) (?:cases |times |texts )?(?:in|of|out of) (?:10|ten)\b",
            without="Users see nothing, as the best output is the same for both models.",
        ),
        point(
            "Asks for a divergence over all outputs and gives it.",
            misconception="losses-incomparable",
            found=0.0693147,
            without="I would ask for the share of inputs on which the first choices agree.",
        ),
    ),
)
