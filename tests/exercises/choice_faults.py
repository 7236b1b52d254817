"""What gives a choice away without a thought: its length, its words, or its letters.

A reader who knows nothing about the subject should not be able to find the right option with a ruler,
nor by leafing back to the sentence that it was made of. And who means the "C" of a figure and types
"c" should not be told of a misconception.
"""

import re
from pathlib import Path

from kdlib.exercises.kinds.choices import LETTERS
from kdlib.exercises.notebooks.solved import CHAPTERS

LONGER = 1.1  # the right option may be so many times as long as the longest of the others
RUN = 4  # words in a row that stand in the prose above: no accident
CELL = re.compile(r"^# %%(.*)$", re.MULTILINE)
LABEL = re.compile(
    r"""["'*_(]([A-H])["'*_)]|\b(?i:teacher|student|target|figure)s?\s([A-H])\b|^([A-H]):"""
)


def faults(e, source):
    """Of one choice; `source` is the percent file of its chapter."""
    return [*length_faults(e), *word_faults(e, source), *letter_faults(e, source)]


def length_faults(e):
    right, others = texts(e)
    longest = max(map(len, others))
    if len(right) <= LONGER * longest:
        return []
    return [f"the right option has {len(right)} characters, the longest other {longest}"]


def word_faults(e, source):
    """Words of the right option alone that stand above it; if those of others do too, it is no tell."""
    above = words(" ".join(prose(above_exercise(source, e.id))))
    right, others = texts(e)
    run = shared_run(words(right), above)
    if len(run) < RUN or any(len(shared_run(words(o), above)) >= len(run) for o in others):
        return []
    return [f'the chapter above says "{" ".join(run)}", as the right option does']


def letter_faults(e, source):
    """Letters that the section gives to other things; an option may stand at its own letter."""
    own = dict(zip(LETTERS.upper(), (labels(option.text) for option in e.options)))
    question = e.prompt.rsplit("\n\n", 1)[0]
    used = labels(section_of(source, e.id)).union(labels(question), *own.values()) & set(own)
    if len(used) < 2 or all(letter in own[letter] for letter in used):
        return []
    return [f"the section has letters {', '.join(sorted(used))}, and the options have others"]


def texts(e):
    """The right option, and the others."""
    right = next(option.text for option in e.options if option.wrong is None)
    return right, [option.text for option in e.options if option.wrong is not None]


def source_of(chapter):
    (path,) = Path(CHAPTERS).glob(f"{chapter:02}_*.py")
    return path.read_text("utf-8")


def above_exercise(source, id):
    """The chapter up to the cell that shows the exercise; all of it where there is none."""
    return source.partition(f'exercise("{id}")')[0]


def section_of(source, id):
    """From the last heading above the exercise up to it."""
    return re.split(r"^# ##+ ", above_exercise(source, id), flags=re.MULTILINE)[-1]


def prose(source):
    """The markdown cells, without the comment signs that a percent file has before each line."""
    _, *pairs = CELL.split(source)
    cells = zip(pairs[::2], pairs[1::2])
    return [re.sub(r"^# ?", "", text, flags=re.MULTILINE) for kind, text in cells if "mark" in kind]


def words(text):
    return re.findall(r"[a-z0-9']+", text.lower().replace("’", "'"))


def shared_run(short, long):
    """The longest run of words that stands in both."""
    text = f" {' '.join(long)} "
    runs = (
        short[i:j]
        for i in range(len(short))
        for j in range(i + 1, len(short) + 1)
        if f" {' '.join(short[i:j])} " in text
    )
    return max(runs, key=len, default=[])


def labels(text):
    return {match[match.lastindex] for match in LABEL.finditer(text)}
