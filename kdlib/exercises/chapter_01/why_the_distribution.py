"""Why the whole distribution teaches more than the single string, in the reader's own words."""

from kdlib.exercises.kinds.written import point, written

why_the_distribution = written(
    "why-the-distribution",
    source=("Q04",),
    difficulty=2,
    minutes=6,
    prompt=(
        "*Je suis content* is translated. One student gets the string *I am happy*; another gets "
        "the teacher's distribution after *I am*: happy 0.60, glad 0.20, pleased 0.15, content "
        "0.05. Happy is the best word for both. Explain in three to five sentences why the second "
        "student learns more from this one example. Say what happens to *glad*, to *Tuesday*, and "
        "what would have to be true for the strings to catch up."
    ),
    hints=(
        "Write down the two targets side by side, Tuesday included.",
        "A step moves each logit by target minus student. Which words get the same treatment from "
        "the string?",
        "Many strings, drawn from the same teacher, have frequencies. What do these tend to?",
    ),
    model=(
        "The string is a one-hot target: it gives glad the same 0 as Tuesday, so one step lowers "
        "the logits of both alike. The distribution puts 0.20 on glad and 0 on Tuesday: it raises "
        "glad and lowers Tuesday, so the student learns which other words would have done, and how "
        "well. In this example that is about one nat of entropy which the string leaves out. Over "
        "many strings drawn from the same teacher the frequencies tend to the distribution, so the "
        "strings say the same in the end, but only after many examples of this one context."
    ),
    rubric=(
        point(
            "Says that the string treats glad like Tuesday: both have probability 0 and both are "
            "pushed down.",
            misconception="hard-for-soft",
            found=r"glad\W[^.]*\b(?:same|like|alike|as wrong as|equally)\b[^.]*tuesday|"
            r"glad\W* and \W*tuesday[^.]*\b(?:same|alike|equally)",
            without="The string is less precise, since happy has only 0.60.",
        ),
        point(
            "Says that the distribution ranks the alternatives, or raises glad and lowers Tuesday.",
            misconception="string-for-distribution",
            found=r"rais\w+ (?:the logit of )?glad|glad (?:up|rises)|"
            r"ranks? (?:the )?(?:alternatives|other words)|which (?:other )?words would",
            without="The distribution gives a second opinion on whether happy is right.",
        ),
        point(
            "Says that many strings drawn from the teacher reach the same in the end: what the "
            "distribution saves is examples.",
            misconception="top-1-for-match",
            found=r"(?:many|more|enough|several) (?:\w+ )?(?:strings|examples|samples|sentences|"
            r"texts|translations)",
            without="A student of strings can never learn glad, however many it reads.",
        ),
    ),
)
