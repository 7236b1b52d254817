"""What a second model buys, in the reader's own words."""

from kdlib.exercises.kinds.written import point, written

why_two_models = written(
    "why-two-models",
    source=("Q01",),
    difficulty=2,
    minutes=6,
    prompt=(
        "A team runs a large translation model on its server and must ship one that fits on a "
        "phone. A colleague says: 'Shrink the model, or train a small one on our human "
        "translations. Why keep two models and let one teach the other?' Answer in three to six "
        "sentences: what does the team gain by having a teacher and a student, and what does it "
        "pay?"
    ),
    hints=(
        "Ask of each model what it has to be good at, and where it has to run.",
        "Which sentences can be used for training if a teacher answers them, but not without one?",
        "Roles, data, the content of one lesson; and on the other side: questions to the teacher, "
        "and its errors.",
    ),
    model=(
        "The two models have separate jobs: the teacher never ships, so it may be as large and as "
        "slow as the server allows, while the student has whatever size and architecture the phone "
        "wants. Because the teacher answers any sentence, the team can train on unlabelled "
        "sentences like those of its users and needs no human translation of them. Each answer is "
        "a distribution over the next word, which says more than the one word of a human "
        "translation. The price: the teacher must be run on all these inputs, and the student "
        "inherits its mistakes."
    ),
    rubric=(
        point(
            "Separates the roles: the teacher is never shipped and may be large; the student is "
            "made for the phone.",
            misconception="bigger-is-better",
            without="Two models know more than one, so the team should keep the large one as well.",
        ),
        point(
            "Says that the teacher turns inputs without labels into lessons, so that the data can "
            "look like the use.",
            misconception="labels-for-teacher",
            found=r"\b(?:train|learn|use)\w* [^.]*unlabell?ed",
            without="The team trains the small model on its human translations, with more epochs.",
        ),
        point(
            "Says that the teacher's answer is a distribution and so holds more than one string.",
            misconception="string-for-distribution",
            found=r"(?:distribution|probab\w+|soft (?:target|label)s?)[^.]*\bmore|whole distribution",
            without="The teacher writes one good translation, which is what the student copies.",
        ),
        point(
            "Names a price: running the teacher, or passing on its mistakes.",
            misconception="teacher-taken-for-truth",
            found=r"\binherit|pass(?:es|ed)? on|(?:its|teacher's) (?:mistakes?|errors?)|must be (?:run|asked)|\bcosts?\b",
            without="The teacher is right, so the student can only win.",
        ),
    ),
)
