"""A plan for a phone: device, tokenizer, texts and controls."""

from kdlib.exercises.kinds.choices import choice, right, wrong

plan_in_full = choice(
    "plan-in-full",
    source=("Q05",),
    difficulty=3,
    minutes=4,
    prompt=(
        "A language model of 8 billion parameters is to be compressed for phones whose memory "
        "holds 0.5 billion. All plans below collect texts like those of the users and train the "
        "student on them with the KL from the teacher at every position. Which plan would you sign?"
    ),
    hints=(
        "Check each plan four times: the device, the tokenizer, the test texts, the comparison.",
        "A result means something only beside what the same effort gives without a teacher.",
        "Two plans fail before any training; two others cannot show afterwards that it worked.",
    ),
    options=(
        wrong(
            "A student of 2 billion parameters with the teacher's tokenizer, as it matches best; "
            "judged on kept-back texts against the same student without a teacher, at equal steps.",
            "bigger-is-better",
            seen="the student of this plan has four times the parameters that fit into the phone",
            expected="a student whose size follows from the device",
        ),
        wrong(
            "A ready student of 0.4 billion with a vocabulary of the same size as the teacher's; "
            "judged on kept-back texts against the same student without a teacher.",
            "same-size-same-tokenizer",
            seen="equal sizes do not make entry number 17 of both vocabularies the same token",
            expected="two maps from token to id that agree entry by entry",
        ),
        wrong(
            "A student of 0.4 billion with the teacher's tokenizer; judged by how far its "
            "distillation loss falls during training.",
            "no-control",
            seen="the falling loss is measured on training texts and compared with nothing",
            expected="kept-back texts, and the same student trained without a teacher",
        ),
        right(
            "A student of 0.4 billion with the teacher's tokenizer; judged on kept-back texts "
            "against the same student without a teacher, at equal steps and at equal operations.",
            "Equal steps ask what the targets are worth; equal compute takes their cost into account.",
        ),
        wrong(
            "A student of 0.4 billion with the teacher's tokenizer; judged on kept-back texts "
            "against the same student without a teacher, stopped after a tenth of the steps.",
            "unequal-budget",
            seen="this control would lose also to a student that simply trains for longer",
            expected="controls that get the student's budget",
        ),
    ),
)
