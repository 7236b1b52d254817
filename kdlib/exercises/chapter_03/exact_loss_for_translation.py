"""F2 judged as the loss of a translation system, in the reader's words."""

from kdlib.exercises.kinds.written import point, written

exact_loss_for_translation = written(
    "exact-loss-for-translation",
    source=("Q16",),
    difficulty=3,
    minutes=7,
    prompt=(
        "A colleague proposes F2, as it stands, as the training loss of a translation system with "
        "32,000 tokens and outputs of 20 tokens. The system will show its users one translation of "
        "each sentence. Judge the proposal: what does it cost, what does it cover, what does a "
        "user see?"
    ),
    hints=(
        "Take the three questions one at a time; the answers do not point the same way.",
        "How many terms has the sum? How many translations of a sentence are good? How many of "
        "them are shown?",
        "And what does a low loss say about a student whose teacher is wrong?",
    ),
    model=(
        "Cost: written out, the sum has 32,000^20 terms, about 10^90, so it has to be estimated "
        "from outputs that the teacher writes. Coverage: this is its strength, for every good "
        "translation earns credit by its probability. A user sees one translation, while F2 is an "
        "average over all that might be said; a system with the lower F2 may show the worse one. "
        "And a low F2 means that the student agrees with the teacher, its mistakes included."
    ),
    rubric=(
        point(
            "Gives the cost, 32,000^20 or about 10^90 terms, so that the sum must be estimated.",
            misconception="growth-misjudged",
            found=r"10\s?(\^|\*\*)\s?\{?90|32,?000\s?(\^|\*\*)\s?\{?20",
            without="The cost is fine: 20 positions with 32,000 tokens each can be added up.",
        ),
        point(
            "Coverage: every good translation earns credit, by its probability.",
            misconception="hard-for-soft",
            found=r"\b(every|all|each|several|many)\b[^.]*\b(translations?|outputs?)\b[^.]*\b(credit|probab)",
            without="It compares the student with the one right translation, which is what counts.",
        ),
        point(
            "A user: sees one output, and an average over outputs says little about that one.",
            misconception="average-for-the-shown",
            found=r"\bsees? (only )?(one|a single)\b[^.]*\baverage",
            without="Whatever has the lower F2 will also show the better translation to its users.",
        ),
        point(
            "A low F2 means agreement with the teacher, not that the translations are right.",
            misconception="labels-for-teacher",
            found=r"\b(agree|imitat)\w*[^.]*\bteacher[^.]*\b(mistakes?|errors?)\b",
            without="Once the loss is low, the translations of the student are correct.",
        ),
    ),
)
