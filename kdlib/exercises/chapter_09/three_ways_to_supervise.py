"""Labels of a weak model, its distribution, and true labels beside it."""

from kdlib.exercises.kinds.choices import choice, right, wrong

three_ways_to_supervise = choice(
    "three-ways-to-supervise",
    source=("Q28",),
    difficulty=3,
    minutes=4,
    prompt=(
        "A weak model errs in a systematic way: it takes irony for praise. It may supervise a "
        "strong one (1) by writing labels, on which the strong one is fine-tuned; (2) directly, "
        "its distribution standing in the loss; (3) as in (2), with the true labels of some "
        "inputs in the loss as well. Which statement is right?"
    ),
    hints=(
        "For (1) and (2): at which student is the loss smallest, if the student can be anything?",
        "What does a distribution say that a label drawn from it does not?",
        "Only something that knows better can contradict the weak model.",
    ),
    options=(
        wrong(
            "In (3) the true labels change nothing: with its size the strong model sees through "
            "irony anyway, however long it is trained.",
            "bigger-is-better",
            seen="in (2) a larger model can fit its supervisor's errors all the better",
            expected="a look at which student the loss rewards most",
        ),
        wrong(
            "In none of the three can the strong model become better than the weak one.",
            "teacher-as-ceiling",
            seen="strong models do pass weak supervisors: they generalise before they copy errors",
            expected="a statement about what the loss says, not a limit that it does not set",
        ),
        wrong(
            "(1) and (2) are the same: a label says what the weak model thinks, and a distribution "
            "only says it at greater length; (3) adds a second opinion.",
            "string-for-distribution",
            seen="one label does not show whether the weak model was sure",
            expected="the difference between a choice and a distribution",
        ),
        right(
            "In (1) and (2) a perfect mimic of that model, irony included, does best; (2) adds how "
            "unsure it is; (3) alone contradicts it.",
            "Stopping early and confidence in itself help a student to leave its supervisor's "
            "errors behind; the labels are the only part of the loss that asks for it.",
        ),
        wrong(
            "In (2) the weak model learns too, and (3) teaches it irony.",
            "teacher-trained",
            seen="the weak model stays as it is in all three",
            expected="one model that is trained: the strong one",
        ),
    ),
)
