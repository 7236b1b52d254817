"""Four targets for one gap in a sentence."""

from kdlib.exercises.kinds.choices import choice, right, wrong

most_informative_target = choice(
    "most-informative-target",
    source=("Q03",),
    difficulty=1,
    minutes=3,
    prompt=(
        "'The cat sat on the ___'. Four teachers, A to D in the figure above, give four "
        "distributions over the words (mat, sofa, floor, moon): A has (1, 0, 0, 0), B (0.25, 0.25, "
        "0.25, 0.25), C (0.60, 0.22, 0.16, 0.02) and D (0.02, 0.02, 0.01, 0.95). Which teaches a "
        "student most about the language?"
    ),
    hints=(
        "Ask of each target: which words does it tell apart?",
        "Two of the four treat sofa and moon alike.",
        "Of the other two, ask whether what they prefer makes sense.",
    ),
    options=(
        wrong(
            "that of teacher A",
            "hard-for-soft",
            seen="this target treats sofa, floor and moon alike: all are equally wrong",
            expected="a target that also ranks the alternatives",
        ),
        wrong(
            "that of teacher B",
            "flat-for-informative",
            seen="this target has the largest entropy and tells no two words apart",
            expected="a target that prefers some words to others",
        ),
        right(
            "that of teacher C",
            "It names the best word and also says that sofa and floor would do and moon would not.",
        ),
        wrong(
            "that of teacher D",
            "confident-for-right",
            seen="this target is decided, and most of its mass is on nonsense",
            expected="a target whose mass is on words that fit",
        ),
    ),
)
