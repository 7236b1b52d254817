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
            "Training does not converge: teacher and student read the same text, so the loss has "
            "nothing to pull on and never settles.",
            "optimiser-blamed",
            seen="reading the same text makes matching easier, not harder",
            expected="a consequence that shows in use, not in training",
        ),
        wrong(
            "Little: a full input contains the simplified one, so whoever can do the harder "
            "reading can do the easier one as well.",
            "more-data-always-better",
            seen="a richer context does not contain the case in which it is missing",
            expected="a look at the inputs of deployment",
        ),
        wrong(
            "The teacher slowly forgets how to use the context, since it is matched on inputs that "
            "the student already understands.",
            "teacher-trained",
            seen="the teacher is said to change",
            expected="a consequence for the one model that is trained",
        ),
        right(
            "Whatever it does without the context, training never looked at it: it learned to "
            "lean on something that will be missing.",
            "What the context did was to be moved into the parameters; on D nothing asks for that.",
        ),
    ),
)
