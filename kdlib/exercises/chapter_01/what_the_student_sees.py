"""What response-based distillation gets from the teacher."""

from kdlib.exercises.kinds.choices import choice, right, wrong

what_the_student_sees = choice(
    "what-the-student-sees",
    source=("Q01",),
    difficulty=1,
    minutes=2,
    prompt=(
        "A team has a large translation model on a server and needs a small one on a phone. It "
        "uses response-based distillation. What does the small model get to see of the large one?"
    ),
    hints=(
        "Read the name of the method again: which part of the teacher is a response?",
        "Could the method be used if the teacher were reachable only through a web service?",
        "Neither weights nor layers leave the server, only what the teacher answers.",
    ),
    options=(
        wrong(
            "Its weights: the most important ones are copied into the smaller network.",
            "parameters-copied",
            seen="weights of one network are to fit into a network of another shape",
            expected="something that exists for any two architectures",
        ),
        wrong(
            (
                "The activations of its hidden layers, which the student's layers are trained to "
                "match."
            ),
            "features-for-responses",
            seen="the plan needs the inside of the teacher; that is another family of methods",
            expected="something that a teacher behind a web service can give too",
        ),
        right(
            "Its outputs: for each input, the distribution over outputs that it answers with.",
            (
                "The two models may have different architectures, and may even be owned by "
                "different people."
            ),
        ),
        wrong(
            "Nothing of it: both are trained on the same human translations.",
            "labels-for-teacher",
            seen="the teacher has no part in this plan at all",
            expected="a signal that comes from the teacher",
        ),
    ),
)
