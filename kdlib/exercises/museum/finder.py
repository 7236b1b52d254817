"""From a symptom, in a stranger's words, to the mistakes that show it.

Each mistake is known by several phrases: its sign, its name, and what people say who do not know it
yet (`heard`). A question is compared with each phrase by the words that they share, rare words
counting more; the best phrase of a mistake decides. The website does the same: static/symptom.js.
"""

from __future__ import annotations

import functools
import math
import re
from collections import Counter
from collections.abc import Iterable

from kdlib.exercises.catalogue import Misconception, misconceptions
from kdlib.exercises.museum.cards import cards

# Different words for one thing; the first of a line stands for all.
SAME = """
0 zero
nan nans
inf infinite infinity infinities
kl kld kldivloss div divergence jsd
perplexity ppl perplexities
token tokens word words
stop stops stopping stopped end ends ending ended terminate terminates eos
stall stalls stalled stuck plateau plateaus plateaued flat stagnates
generate generates generated generating generation generations
nonsense garbage gibberish rubbish
grow grows growing increase increases increasing rise rises rising
fall falls falling decrease decreases decreasing drop drops
small tiny low lower smaller
large big huge high larger
worse bad hurts hurt harm harms poor
memory oom vram ram
overconfident confident overconfidence
copy copies copying repeat repeats repeating
learn learns learning learned train trains training trained
change changes changing changed move moves update updates updated
length longer long
mask masked masks masking
seed seeds
negative minus
twice double doubles doubled
accumulation accumulate accumulating accumulated
"""
NO_WORDS = frozenset(
    "a about after all already also always am an and any are as at be because been before but"
    " by can cannot could did do does doesn doing don down even every for from get gets give"
    " gives go goes had has have how i if in into is isn it its just keeps like made make"
    " makes may me much my never no not of off on one only or our out over really same see"
    " should so some still than that the their them then there these they this those to too up"
    " use used uses using very was we went were what when where whether which while who why"
    " will with without won would you your wrong".split()
)
BEST = 5  # how many are shown
CANONICAL = {word: line.split()[0] for line in SAME.strip().splitlines() for word in line.split()}
ENDINGS = re.compile(r"(?:ing|ed|es|ly|s)$")


class Found:
    """What was found: a table that says for each mistake what one sees and where to go."""

    def __init__(self, ids: Iterable[str]) -> None:
        self.ids = tuple(ids)

    def __repr__(self) -> str:
        if not self.ids:
            return "Nothing like that is known. Say in a few words what you see."
        return "\n".join(_line(number, id) for number, id in enumerate(self.ids, start=1))


def symptom(*words: str) -> Found:
    """The mistakes that show such a symptom, the likeliest first, at most five.

    Args:
        words: what you see, as you would tell a colleague: "my loss is negative".
    """
    return Found(id for id, _ in ranked(" ".join(words))[:BEST])


def ranked(text: str) -> list[tuple[str, float]]:
    """Every mistake that shares a word with the text, and how well it fits."""
    asked = terms(text)
    scores = {
        id: max(_likeness(asked, phrase) for phrase in phrases)
        for id, phrases in _phrases().items()
    }
    return sorted(((id, s) for id, s in scores.items() if s > 0), key=lambda each: -each[1])


def terms(text: str) -> frozenset[str]:
    """The words that count, each reduced to one form."""
    words = re.findall(r"[a-z]+|\b0\b", text.lower())
    return frozenset(map(_form, (w for w in words if w not in NO_WORDS)))


def phrases_of(about: Misconception) -> tuple[str, ...]:
    """All that a mistake is known by."""
    return (about.sign, about.name, about.id.replace("-", " "), *about.heard)


def _form(word: str) -> str:
    if word in CANONICAL:
        return CANONICAL[word]
    stem = ENDINGS.sub("", word) if len(word) > 4 else word
    return CANONICAL.get(stem, stem)


@functools.cache
def _phrases() -> dict[str, tuple[frozenset[str], ...]]:
    return {
        id: tuple(filter(None, map(terms, phrases_of(about))))
        for id, about in misconceptions().items()
    }


@functools.cache
def weights() -> dict[str, float]:
    """How much a word tells: the logarithm of how few mistakes have it."""
    counts = Counter(
        term for phrases in _phrases().values() for term in frozenset().union(*phrases)
    )
    return {term: math.log(1 + len(_phrases()) / count) for term, count in counts.items()}


def _likeness(asked: frozenset[str], phrase: frozenset[str]) -> float:
    """What both share, over the square root of what each has: a cosine."""
    shared = _size(asked & phrase)
    return shared / math.sqrt(_size(asked) * _size(phrase)) if shared else 0.0


def _size(terms: frozenset[str]) -> float:
    """The sum of the squared weights; a word that no mistake has weighs most."""
    unknown = math.log(1 + len(_phrases()))
    return sum(weights().get(term, unknown) ** 2 for term in terms)


def _line(number: int, id: str) -> str:
    about = misconceptions()[id]
    where = f'bug("{id}")' if id in cards() else f"chapter 13, #{id}"
    return f"{number}. {about.sign}\n   {about.name}: {where}"
