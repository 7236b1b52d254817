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
        "its context is empty."
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


@training_pairs.also
def training_pairs_with_if(data, short_context):
    def text(context, user_input):
        return f"{context} {user_input}" if context else user_input

    return [[text(c, z), text(short_context, z)] for c, z in data]


@training_pairs.wrong(
    "full-input-for-student",
    seen="the student reads the long context as well",
    expected="the student reads what it will get in use",
)
def training_pairs_full(data, short_context):
    return [(t, t) for t, _ in training_pairs.reference(data, short_context)]


@training_pairs.wrong(
    "simple-input-for-teacher",
    seen="the teacher reads the short context, so there is nothing to hand on",
    expected="the teacher reads the context that is to be compressed",
)
def training_pairs_simple(data, short_context):
    return [(s, s) for _, s in training_pairs.reference(data, short_context)]


@training_pairs.wrong(
    "simple-input-for-teacher",
    seen="teacher and student are exchanged",
    expected="the first of each pair is for the model that knows more",
)
def training_pairs_exchanged(data, short_context):
    return [(s, t) for t, s in training_pairs.reference(data, short_context)]


@training_pairs.wrong(
    "user-input-dropped",
    seen="the student reads the short context alone",
    expected="the user's input reaches both models",
)
def training_pairs_dropped(data, short_context):
    return [(t, short_context) for t, _ in training_pairs.reference(data, short_context)]


@training_pairs.wrong(
    "user-input-dropped",
    seen="the teacher reads its context without the user's input",
    expected="both models are asked the same thing",
)
def training_pairs_context_only(data, short_context):
    students = [s for _, s in training_pairs.reference(data, short_context)]
    return [(context, s) for (context, _), s in zip(data, students)]


@training_pairs.wrong(
    "rows-shuffled",
    seen="the order of the pairs is not that of the data",
    expected="the first pair belongs to the first item of the data",
)
def training_pairs_reversed(data, short_context):
    return training_pairs.reference(data, short_context)[::-1]
