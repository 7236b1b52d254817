"""Small languages whose true distribution is known exactly, for the chapters and the tests.

A world is a Markov chain over words, in which each word of the context shifts the odds; `markov`
says what can be computed about it. From a world come its corrupted relatives: a teacher that errs
systematically (`with_bias`), one too sure or too unsure (`with_temperature`), labels that are
sometimes wrong (`with_label_noise`); each is a world again, with its exact distribution. Everything
is float64.

    world = story_world()
    world.text(world.sample(2, "plain fox").tokens)    c = "plain" (instruction), z = "fox" (input)
    world.next_words("the brave", "fox")               x' = (c', z) with an empty c'
    world.with_bias(0.3).kl(student, "fox")            the student's distance to a biased teacher
"""

from collections.abc import Callable

import torch
from torch import Tensor

from kdlib.toys.markov import MarkovModel, word_positions


class World(MarkovModel):
    """A language given by a function from a context to its `log_rows` (V, V).

    Raises: ValueError when eos is none of the words.
    """

    def __init__(
        self,
        words: tuple[str, ...],
        rows_of: Callable[[str | None], Tensor],
        context_words: tuple[str, ...] = (),
        eos: str = ".",
    ):
        if eos not in words:
            raise ValueError(f"eos is {eos!r}: it must be one of the words, {' '.join(words)}")
        self.words, self.context_words = tuple(words), tuple(context_words)
        self.eos_id = self.words.index(eos)
        self._rows_of = rows_of

    def log_rows(self, context: str | None = None) -> Tensor:
        self.context_ids(context)  # an unknown word must not pass for the empty context
        return self._rows_of(context)

    def transformed(self, change: Callable[[Tensor], Tensor]) -> "World":
        """The world whose rows are change(log_rows) in every context: (V, V) to (V, V)."""
        eos = self.words[self.eos_id]
        return World(
            self.words, lambda context: change(self.log_rows(context)), self.context_words, eos
        )

    def with_label_noise(self, rate: float) -> "World":
        """The distribution of labels of which a share `rate` is flipped: see `label_noise`.

        Raises: ValueError unless 0 <= rate <= 1.
        """
        _share("rate", rate)
        return self.transformed(lambda rows: label_noise(rows, rate))

    def with_bias(self, strength: float, towards: Tensor | None = None) -> "World":
        """A teacher that errs the same way every time: (1 - strength) P + strength W.

        W = exp(`towards`) (V, V); by default `confused(log_rows)`: possible words, with wrong odds.
        Raises: ValueError unless 0 <= strength <= 1.
        """
        _share("strength", strength)
        return self.transformed(
            lambda rows: mix(rows, confused(rows) if towards is None else towards, strength)
        )

    def with_temperature(self, temperature: float) -> "World":
        """A teacher with the right order, the wrong confidence: P^(1/T) normalised; T > 1: unsure.

        Raises: ValueError unless temperature > 0 and finite.
        """
        if not 0 < temperature < torch.inf:
            raise ValueError(f"temperature is {temperature}: it must be above 0 and finite")
        return self.transformed(lambda rows: (rows / temperature).log_softmax(dim=-1))

    def smoothed(self, weight: float) -> "World":
        """(1 - weight) P + weight / V: every word possible after every word, so no KL is infinite.

        Raises: ValueError unless 0 <= weight <= 1.
        """
        _share("weight", weight)
        return self.transformed(
            lambda rows: mix(rows, torch.zeros_like(rows).log_softmax(dim=-1), weight)
        )


# ---------------------------------------------------------------- ways to be wrong


def mix(log_p: Tensor, log_w: Tensor, weight: float) -> Tensor:
    """log((1 - weight) P + weight W), (..., V). Raises: ValueError unless 0 <= weight <= 1.

    With weight = lambda / (1 + lambda) it is the optimum of CE(label, Q) + lambda KL(W||Q) for
    labels P: Q* = (P + lambda W) / (1 + lambda).
    """
    _share("weight", weight)
    return ((1 - weight) * log_p.exp() + weight * log_w.exp()).log()


def label_noise(log_p: Tensor, rate: float) -> Tensor:
    """Exact distribution of a label that is flipped, with probability `rate`, to another word.

    P~ = (1 - rate) P + rate (1 - P) / (V - 1), (..., V): uniform (symmetric) label noise, as in
    van Rooyen et al. 2015. Raises: ValueError unless 0 <= rate <= 1.
    """
    _share("rate", rate)
    p = log_p.exp()
    return ((1 - rate) * p + rate * (1 - p) / (p.shape[-1] - 1)).log()


def flip_labels(labels: Tensor, rate: float, vocab_size: int, generator: torch.Generator) -> Tensor:
    """Labels, each replaced with probability `rate` by one of the other words, at random.

    The sampled counterpart of `label_noise`; any shape. Raises: ValueError unless 0 <= rate <= 1.
    """
    _share("rate", rate)
    flipped = torch.rand(labels.shape, generator=generator) < rate
    other = torch.randint(1, vocab_size, labels.shape, generator=generator)
    return torch.where(flipped, (labels + other) % vocab_size, labels)


def confused(log_rows: Tensor) -> Tensor:
    """Rows (V, V) whose probabilities moved on by one place among the possible words of each row.

    A wrong distribution with the right grammar; a row with a single possible word stays as it is.
    """
    wrong = log_rows.clone()
    for row in wrong:
        possible = row > -torch.inf
        row[possible] = row[possible].roll(1)
    return wrong


# ---------------------------------------------------------------- the worlds


def random_world(words: str = "a b c .", seed: int = 0, scale: float = 1.0) -> World:
    """A world without grammar: logits drawn from N(0, scale^2), any word may follow any word."""
    vocabulary = tuple(words.split())
    generator = torch.Generator().manual_seed(seed)
    size = (len(vocabulary), len(vocabulary))
    rows = (scale * torch.randn(size, generator=generator, dtype=torch.float64)).log_softmax(dim=-1)
    return World(vocabulary, lambda _: rows)


# What may follow each word, and with which weight; "." begins a story, and ends it.
_STORY = {
    ".": "the 4 every 1",
    "the": "old 2 brave 2 fox 3 owl 2 child 2 sailor 1",
    "every": "old 1 brave 1 fox 1 owl 1 child 2 sailor 2",
    "old": "fox 2 owl 4 child 1 sailor 3",
    "brave": "fox 3 owl 1 child 4 sailor 3",
    "fox": "finds 4 follows 5 paints 1 sings 1",
    "owl": "finds 2 follows 1 paints 1 sings 6",
    "child": "finds 3 follows 2 paints 5 sings 3",
    "sailor": "finds 3 follows 4 paints 1 sings 3",
    "finds": "a 1",
    "follows": "a 1",
    "paints": "a 1",
    "sings": "at 3 and 1 . 4",
    "a": "golden 2 quiet 2 boat 3 shell 3 lantern 2 feather 2",
    "golden": "boat 1 shell 2 lantern 3 feather 3",
    "quiet": "boat 4 shell 2 lantern 2 feather 1",
    "boat": "and 2 at 2 . 5",
    "shell": "and 2 at 1 . 5",
    "lantern": "and 2 at 3 . 5",
    "feather": "and 2 at 1 . 6",
    "and": "finds 2 follows 2 paints 2 sings 4",
    "at": "dawn 2 night 3",
    "dawn": ". 1",
    "night": ". 1",
}

# How much likelier (or less likely) each context word makes the words that it names.
_CONTEXTS = {
    "plain": "old 0.1 brave 0.1 golden 0.1 quiet 0.1 and 0.05 at 0.1",
    "ornate": "old 4 brave 4 golden 5 quiet 5 and 3 at 3",
    "sea": "sailor 3 boat 5 shell 5",
    "forest": "owl 3 lantern 5 feather 5",
    "fox": "fox 30",
    "owl": "owl 30",
    "child": "child 30",
    "sailor": "sailor 30",
}


def story_world() -> World:
    """24 words that tell of foxes, owls, children and sailors; 8 context words that sway the story.

    Instructions (c): "plain" (short, no adjectives), "ornate" (long), "sea", "forest". Inputs (z):
    "fox", "owl", "child", "sailor". A context is any of them, in any order, or "": "plain fox" is
    x = (c, z), and "fox" is x' = (c', z) with an empty c'. The weights are made up for this book.
    """
    words = tuple(_STORY)
    weights = torch.stack([_weights(_STORY[word], words, 0.0) for word in words])
    factors = torch.stack([_weights(named, words, 1.0) for named in _CONTEXTS.values()])
    contexts = tuple(_CONTEXTS)

    def rows_of(context: str | None) -> Tensor:
        swayed = weights * factors[word_positions("context", context or "", contexts)].prod(dim=0)
        return (swayed / swayed.sum(dim=1, keepdim=True)).log()

    return World(words, rows_of, contexts)


def _weights(named: str, words: tuple[str, ...], default: float) -> Tensor:
    """The text "fox 3 owl 2" as a vector (V,) over the words, `default` for all others."""
    vector = torch.full((len(words),), default, dtype=torch.float64)
    pairs = named.split()
    for word, weight in zip(pairs[::2], pairs[1::2]):
        vector[words.index(word)] = float(weight)
    return vector


def _share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{name} is {value}: it must lie between 0 and 1")
