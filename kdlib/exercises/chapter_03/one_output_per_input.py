"""What is gained and lost with one output per input."""

from kdlib.exercises.kinds.choices import choice, right, wrong

one_output_per_input = choice(
    "one-output-per-input",
    source=("Q17", "Q14", "Q04", "Q08"),
    difficulty=2,
    minutes=3,
    prompt=(
        "For 'Je suis content' a teacher finds 200,000 outputs possible: 'I am happy' (0.5), 'I'm "
        "happy' (0.3), 'I am glad' (0.1), and so on. Instead of summing over all of them, a team "
        "lets the teacher write its best output once per input and trains on that. What is gained, "
        "what lost?"
    ),
    hints=(
        "Count the terms before and after.",
        "What does the new target say about 'I'm happy'?",
        "A best output is no random output: its average over many inputs is not F2.",
    ),
    options=(
        right(
            "One term instead of 200,000 is paid for; how likely the other outputs were is lost, "
            "and a good alternative counts as a mistake.",
            "The sum over all outputs is there to carry the relations between them; the best "
            "output alone does not tell 'I'm happy' from nonsense.",
        ),
        wrong(
            "The cost is solved and nothing is lost: a user is shown the best output anyway.",
            "hard-for-soft",
            seen="the first choice is taken for all that the teacher knows",
            expected="what the teacher says about the outputs that it does not choose",
        ),
        wrong(
            "The cost is solved without a bias: one output per input estimates F2 well on average.",
            "mode-for-sample",
            seen="the likeliest output is treated like one that was drawn at random",
            expected="a look at the second-likeliest output, which is never written",
        ),
        wrong(
            "The targets become correct: a written translation is a label, a distribution is not.",
            "labels-for-teacher",
            seen="the teacher's own text is taken for the truth",
            expected="what changes although the source of the targets is the same",
        ),
    ),
)
