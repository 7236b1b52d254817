"""What to have a teacher write when every output costs the same, in the reader's words."""

from kdlib.exercises.kinds.written import point, written

sixty_outputs = written(
    "sixty-outputs",
    source=("Q17",),
    difficulty=3,
    minutes=6,
    prompt=(
        "Your teacher finds 200,000 outputs possible for every input, and you can pay for 60 "
        "outputs in all. Inputs are free, users will ask for all of them, and they share their "
        "words. What do you have it write, and on which inputs? Defend the plan with numbers of "
        "this chapter: how it solves the cost, what is lost, and when you would plan otherwise."
    ),
    hints=(
        "The cost is solved by every plan here. They differ in what they lose.",
        "Compare plans of sixty outputs with each other: what is written, and over how many inputs?",
        "Then think of a small student, and of a system that shows its users one output only.",
    ),
    model=(
        "Any plan solves the cost: one term for each stored output in place of 200,000. I spread "
        "the outputs over many inputs and draw them: over inputs that share their words the draws "
        "add up to the teacher's distribution, and F2 comes to 7.3 where the best outputs of the "
        "same inputs leave it at 28.9. Best outputs lose what the teacher thinks of all others: "
        "the second-best, and its doubt. If the student is small and the system shows one output, "
        "I take the best ones: 40 of 40 such students show the teacher's favourite."
    ),
    rubric=(
        point(
            "Cost: a term for each stored output takes the place of a sum over 200,000.",
            misconception="growth-misjudged",
            found=r"\b(one|a) (single )?term\b",
            without="The cost stays the same, since the student still has to learn all outputs.",
        ),
        point(
            "Different outputs: drawn over many inputs, or several to an input. The plan that fails "
            "is the one best output of each.",
            misconception="mode-for-sample",
            found=r"\b(spread|over)\b[^.]*\binputs?\b[^.]*\bdraw",
            without="I take the best output of each input, since these are the teacher's opinion.",
        ),
        point(
            "Lost with best outputs: how likely the others are, that is the second-best and the "
            "teacher's doubt.",
            misconception="hard-for-soft",
            found=r"\b(lose|loses|lost|drops?|forgets?)\b[^.]*\b(second|doubt|entropy|others)",
            without="Nothing is lost by this, because a user is shown the best output anyway.",
        ),
        point(
            "Otherwise: for a small student of a system that shows one output, best outputs win.",
            misconception="average-for-the-shown",
            found=r"\bsmall\b[^.]*\bbest",
            without="The plan with the lower F2 is the better one in every case that matters.",
        ),
    ),
)
