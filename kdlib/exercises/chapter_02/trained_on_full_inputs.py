"""What follows from training on D in place of D'."""

from kdlib.exercises.kinds.choices import choice, right, wrong

trained_on_full_inputs = choice(
    "trained-on-full-inputs",
    source=("Q07",),
    difficulty=2,
    minutes=2,
    prompt=(
        "By mistake the sum in the objective runs over D, the full inputs, instead of D', the "
        "simplified ones. The student is then deployed on simplified inputs. What follows most "
        "directly?"
    ),
    hints=(
        "Which inputs has this student seen?",
        "It may do very well on D. Is that where it is used?",
        "Think of what the student would have to infer when the long context is absent.",
    ),
    options=(
        wrong(
            "The optimisation does not converge, since teacher and student read the same text.",
            "optimiser-blamed",
            seen="reading the same text makes matching easier, not harder",
            expected="a consequence that shows in use, not in training",
        ),
        wrong(
            "Nothing much: D is richer than D', so the student is prepared for both.",
            "more-data-always-better",
            seen="a richer context does not contain the case in which it is missing",
            expected="a look at the inputs of deployment",
        ),
        wrong(
            "The teacher forgets how to use the full context.",
            "teacher-trained",
            seen="the teacher is said to change",
            expected="a consequence for the one model that is trained",
        ),
        right(
            "It has learned to rely on the context and never to do without it: in use it faces "
            "inputs unlike any in training.",
            "What the context did was to be moved into the parameters; on D nothing asks for that.",
        ),
    ),
)
