"""What teacher and student read when a context is distilled."""

from kdlib.exercises.kinds.functions import code


@code(
    source=("Q07",),
    difficulty=2,
    minutes=6,
    prompt=(
        "Distilling a prompt needs inputs in pairs. Write `training_pairs(data, short_context)`: "
        "`data` is a list of pairs (context, user input), and the result a list, in the same "
        "order, of pairs (what the teacher reads, what the student reads). A model reads the "
        "context and the user's input with one space between them, and only the user's input if "
        "its context is empty. Both are read as they were written, with all their spaces."
    ),
    hints=(
        "One of the two models keeps the long context. Which one has to live without it later?",
        "The context changes, the user's input is in both.",
        "Build both texts with `' '.join(...)` of the parts that are not empty.",
    ),
)
def training_pairs(data, short_context):
    """Pairs (teacher's text, student's text), in the order of the data."""
    pairs = []
    for context, user_input in data:
        teacher_text = " ".join(filter(None, (context, user_input)))
        student_text = " ".join(filter(None, (short_context, user_input)))
        pairs.append((teacher_text, student_text))
    return pairs


_DATA = [("Translate to French, politely:", "good morning"), ("Be brief.", "why is the sky blue?")]
training_pairs.probe("a short context", _DATA, "Translate:")
training_pairs.probe("an empty context", _DATA, "")
training_pairs.probe("three inputs", [*_DATA, ("Answer in rhyme:", "who are you?")], "Answer:")
training_pairs.probe("a teacher without context", [("", "hello"), ("Be kind.", "hi")], "Be:")
training_pairs.probe(
    "inputs and contexts that recur", [*_DATA, _DATA[0], ("Be brief.", "why?")], "Now:"
)
training_pairs.probe(
    "texts with spaces around them",
    [("Go on: ", "    return x\n"), (" Be brief.", "what does this mean: "), ("", " and then?")],
    "Next:",
    expected="nothing added to a text and nothing taken from it",
)


@training_pairs.also
def training_pairs_with_if(data, short_context):
    def text(context, user_input):
        return f"{context} {user_input}" if context else user_input

    return [[text(c, z), text(short_context, z)] for c, z in data]


def _instead(pairs):
    """The pairs, made from the right ones and the data: pairs(teacher's, student's, item)."""
    return lambda data, short: [
        pairs(*both, item) for both, item in zip(training_pairs.reference(data, short), data)
    ]


training_pairs.mistakes(
    ("full-input-for-student", "the student reads the long context as well",
     "the student reads what it will get in use", _instead(lambda t, s, item: (t, t))),
    ("simple-input-for-teacher",
     "the teacher reads the short context, so there is nothing to hand on",
     "the teacher reads the context that is to be compressed", _instead(lambda t, s, item: (s, s))),
    ("simple-input-for-teacher", "teacher and student are exchanged",
     "the first of each pair is for the model that knows more",
     _instead(lambda t, s, item: (s, t))),
    ("user-input-dropped", "the student reads the short context alone",
     "the user's input reaches both models",
     lambda data, short: [(t, short) for t, _ in training_pairs.reference(data, short)]),
    ("user-input-dropped", "the teacher reads its context without the user's input",
     "both models are asked the same thing", _instead(lambda t, s, item: (item[0], s))),
    ("rows-shuffled", "the order of the pairs is not that of the data",
     "the first pair belongs to the first item of the data",
     lambda data, short: training_pairs.reference(data, short)[::-1]),
)  # fmt: skip
