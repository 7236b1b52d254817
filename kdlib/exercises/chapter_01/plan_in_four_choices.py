"""Teacher, student, data and objective for a phone, each chosen and defended."""

from kdlib.exercises.kinds.written import point, written

plan_in_four_choices = written(
    "plan-in-four-choices",
    source=("Q05",),
    difficulty=3,
    minutes=8,
    prompt=(
        "A language model with 7 billion parameters is to run on a phone, where the app may use "
        "100 megabytes. Make the plan: choose the **teacher**, the **student**, the **data** and "
        "the **objective**, and defend each choice in a sentence. Then name the comparison that "
        "would show whether the teacher was worth its cost."
    ),
    hints=(
        "Which of the four choices does the phone make for you?",
        "What will users type? What does the teacher give for each of these inputs, and what "
        "measures the distance to it?",
        "Frozen large model; 100 MB at 8 bits a weight; users' inputs; a sum of KL divergences; a "
        "student without a teacher.",
    ),
    model=(
        "Teacher: the 7-billion model, frozen, since it gives the best answers at hand and runs "
        "only once, on the server. Student: below 100 million parameters at 8 bits each, because "
        "the phone's memory decides. Data: inputs like those that users will type, in the short "
        "form that the student will read. Objective: minimise the sum over these inputs of "
        "KL(P||Q), teacher first, for each next word, so that the whole distribution is matched "
        "and not its best string alone. Control: the same student on the same data without a "
        "teacher."
    ),
    rubric=(
        point(
            "Teacher: the best model at hand, frozen; its cost is paid once.",
            misconception="teacher-trained",
            found=r"\b(?:teacher|model)\b[^.]*\b(?:frozen|fixed)",
            without="Teacher and student are trained together until they agree.",
        ),
        point(
            "Student: its size follows from the phone's 100 MB (100 million parameters at a byte "
            "each, at most).",
            misconception="bigger-is-better",
            found=r"\b(?:[1-9]\d|100|200) ?(?:m\b|million)|(?:phone|memory|device)\W? decides",
            without="The student should be as large as possible, say 3 billion parameters.",
        ),
        point(
            "Data: inputs like those in use, as the student will read them.",
            misconception="full-input-for-student",
            found=r"what (?:the |its )?users? (?:type|write|send|ask)|"
            r"(?:inputs?|sentences?|prompts?|texts?) (?:\w+ ){0,4}users?",
            without="The data is what the teacher was trained on.",
        ),
        point(
            "Objective: a divergence (or the cross-entropy) from the teacher's distribution, for "
            "each next word; and a control, the same student without a teacher.",
            misconception="labels-for-teacher",
            found=r"(?:\bKL\b|divergence|cross-entropy)[^.]*\bteacher",
            without="The objective is the share of right answers.",
        ),
    ),
)
