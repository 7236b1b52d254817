"""What F1 is the goal of, in the reader's own words."""

from kdlib.exercises.kinds.written import point, written

what_f1_asks_for = written(
    "what-f1-asks-for",
    source=("Q06",),
    difficulty=2,
    minutes=6,
    prompt=(
        "A team member reads F1 as: *the student learns the right answers of D', so in the end its "
        "weights come close to the teacher's.* Correct this in three to five sentences. What is "
        "the goal of the optimisation, on which inputs, and why is neither half of the sentence "
        "part of it?"
    ),
    hints=(
        "What are the two things that Loss compares?",
        "Look for a label in F1, and for the teacher's parameters.",
        "Could two students with other weights, or another size, have the same F1? Could a student "
        "that repeats the teacher's mistakes have an F1 of 0?",
    ),
    model=(
        "The goal is to match the teacher's distribution over outputs on the inputs of D'. No label "
        "occurs in F1. Where the teacher errs, the best student errs in the same way. The teacher's "
        "parameters do not occur either, since Loss compares what the two models say. So a student "
        "of another size or design can reach the minimum. Outside D' the sum asks for nothing."
    ),
    rubric=(
        point(
            "Names the goal: the student's distribution (not only its best answer) is to match the "
            "teacher's.",
            misconception="top-1-for-match",
            found=r"\bteacher's (?:whole )?(?:output )?distribution|\bdistribution of the teacher",
            without="The student is to give the answers that its teacher prefers.",
        ),
        point(
            "Says that labels do not occur: a teacher that errs is imitated with its errors.",
            misconception="labels-for-teacher",
            found=r"\bno labels?\b|\blabels? (?:do|does) not (?:occur|appear|enter)|"
            r"\bwithout (?:any )?labels?",
            without="F1 rewards correct answers, and the teacher's are mostly correct.",
        ),
        point(
            "Says that parameters do not occur either: only outputs are compared, so sizes and "
            "designs may differ.",
            misconception="parameters-copied",
            found=r"\bparameters (?:do|does) not|\bweights (?:do|does) not|"
            r"\b(?:another|different) (?:size|design|architecture)",
            without="A good student has nearly the teacher's weights, if it is large enough.",
        ),
        point(
            "Limits the goal to the inputs of D'.",
            misconception="data-size-irrelevant",
            found=r"\b(?:on|over) (?:the )?(?:simplified )?(?:inputs (?:of|in) )?D'",
            without="The student behaves like the teacher on every input.",
        ),
    ),
)
