"""What is learned when an instruction becomes vectors."""

from kdlib.exercises.kinds.choices import choice, right, wrong

what_a_soft_prompt_is = choice(
    "what-a-soft-prompt-is",
    source=("Q29",),
    difficulty=2,
    minutes=2,
    prompt=(
        "An instruction of 800 tokens is distilled into a soft prompt of 10 vectors for one frozen "
        "model. What has been learned, and what is it good for?"
    ),
    hints=(
        "Count the numbers that training has changed.",
        "Could the 10 vectors be printed as text? Could another model use them?",
        "Gradient descent moves a vector by small amounts in every direction; words lie far apart.",
    ),
    options=(
        wrong(
            "The 10 most important tokens of the instruction; any model can be given them.",
            "soft-prompt-as-words",
            seen="gradient descent gives vectors that lie between the words",
            expected="something that only the model it was trained with can read",
        ),
        wrong(
            (
                "A model that knows the instruction: its parameters were trained until it needs "
                "no prompt."
            ),
            "teacher-trained",
            seen="the model was frozen",
            expected="a look at what the gradient was taken for",
        ),
        right(
            "10 free vectors, mostly not words, that steer this one model and save 790 positions a "
            "call.",
            (
                "Teacher: the model with the full context. Student: the same model with the soft "
                "prompt."
            ),
        ),
        wrong(
            "Good answers to the inputs of training, learned from people's labels, for any prompt at "
            "all.",
            "labels-for-teacher",
            seen=(
                "no label takes part: the targets are the model's own answers with the instruction"
            ),
            expected="a teacher that reads the full instruction",
        ),
    ),
)
