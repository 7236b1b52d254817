"""What is fixed and what is trained when a prompt is distilled."""

from kdlib.exercises.kinds.choices import choice, right, wrong

what_is_trained = choice(
    "what-is-trained",
    source=("Q02",),
    difficulty=1,
    minutes=2,
    prompt=(
        "A teacher answers from a long instruction c and a user's input z. A student is "
        "distilled to answer from a short instruction c' and the same z. What is fixed, and what "
        "is trained?"
    ),
    hints=(
        "Under the argmin of the objective stands one set of parameters.",
        "The context changes from teacher to student; the user's input does not.",
        "Two options train only the student. They differ in what the student reads.",
    ),
    options=(
        right(
            "The teacher on (c, z) is fixed; the student's parameters are trained, on (c', z).",
            (
                "The teacher is only asked. What the context c did must end up in the student's "
                "parameters."
            ),
        ),
        wrong(
            "Both models are trained until they agree, each on its own input.",
            "teacher-trained",
            seen=(
                "a teacher that moves can meet the student at any common answer, also a useless one"
            ),
            expected="one of the two stays as it is",
        ),
        wrong(
            "The teacher on (c, z) is fixed; the student's parameters are trained, on (c, z) too.",
            "full-input-for-student",
            seen="this student still needs the long instruction that was to be saved",
            expected="the student reads what it will read in use",
        ),
        wrong(
            "The teacher's parameters are copied; then the instruction c' is searched for.",
            "parameters-copied",
            seen="no parameter is trained, and the student has the teacher's size",
            expected="parameters that learn from the teacher's answers",
        ),
    ),
)
