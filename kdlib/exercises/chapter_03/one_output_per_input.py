"""What is gained and lost with one output per input."""

from kdlib.exercises.kinds.choices import choice, right, wrong

one_output_per_input = choice(
    "one-output-per-input",
    source=("Q17", "Q04", "Q08"),
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
        "Would the target change if 'I'm happy' had the probability 0.45, or 0?",
    ),
    options=(
        wrong(
            "The sum becomes one term; nothing is lost, for users see the best output anyway.",
            "hard-for-soft",
            seen="the first choice is taken for all that the teacher knows",
            expected="what the teacher says about the outputs that it does not choose",
        ),
        right(
            "The sum becomes one term; lost is how likely the teacher finds the other outputs.",
            "The target is the same whether 'I'm happy' is nearly as good or impossible: a good "
            "alternative counts as a mistake, like any nonsense.",
        ),
        wrong(
            "The sum becomes one term; nothing is lost on average, over inputs by the thousand.",
            "mode-for-sample",
            seen="the likeliest output is treated like one that was drawn at random",
            expected="a look at the second-likeliest output, which is never written",
        ),
        wrong(
            "The sum becomes one term; lost are only the teacher's errors: a text is a label.",
            "labels-for-teacher",
            seen="the teacher's own text is taken for the truth",
            expected="what changes although the source of the targets is the same",
        ),
    ),
)
