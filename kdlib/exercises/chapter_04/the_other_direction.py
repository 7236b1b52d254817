"""What changes when the direction is turned round, and how one would notice."""

from kdlib.exercises.kinds.written import point, written

the_other_direction = written(
    "the-other-direction",
    source=("Q21",),
    difficulty=4,
    minutes=8,
    prompt=(
        "A teacher answers a question about a town in two ways: six times in ten with its history, "
        "four times in ten with its weather. A student too small for both is trained by minimising "
        "KL(P||Q). Then somebody turns the loss into KL(Q||P). Explain how its behaviour changes: "
        "what a reader of its texts sees before and after, which model's probabilities are the "
        "weights in each loss, and what you would measure before you believe it."
    ),
    hints=(
        "In each of the two sums: which outputs have a weight of nearly 0, and so add next to nothing?",
        "What is the price of never mentioning the weather, in each direction?",
        "One number and a few texts are not enough: take both directions, and more than one start.",
    ),
    model=(
        "In KL(P||Q) the teacher's probabilities are the weights, so the student must cover both "
        "answers, and a reader sees blends of the two that the teacher would hardly give. In "
        "KL(Q||P) the student's own probabilities are the weights: leaving out the weather is "
        "nearly free, about -log 0.6, but a blend is expensive. It seeks one mode: the texts get "
        "cleaner and more alike. Before I believe it I measure both divergences and read samples, "
        "from several seeds, for which mode is found depends on the start, and where the two "
        "answers lie close together the directions agree."
    ),
    rubric=(
        point(
            "Before: the student covers both answers and blends them.",
            misconception="kl-reversed",
            found=r"(?:P\|\|Q|forward|before)[^.]*?\b(?:cover|blend|spread)",
            without="Forward the student picks the history, reversed it tells of both.",
        ),
        point(
            "After: it keeps to one of the two, cleaner and less varied.",
            misconception="divergences-mixed-up",
            found=r"\bit (?:seeks|keeps to|picks|settles on) (?:only )?one\b",
            without="With the loss turned round it learns more slowly, but the same.",
        ),
        point(
            "Says who provides the weights: first the teacher, then the student.",
            misconception="weighed-by-student",
            found=r"student's own (?:probabilities|texts)|weighed (?:by|with) the student|"
            r"student's probabilities are",
            without="Both losses are sums of the same terms with a different sign.",
        ),
        point(
            "Measures both directions, or reads samples, from more than one start.",
            misconception="lucky-seed",
            found=r"\bboth (?:directions|divergences)|(?:several|different|more|ten) (?:seeds|starts)",
            without="I would train it once and look whether the loss has gone down.",
        ),
    ),
)
