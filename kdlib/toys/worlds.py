"""Small languages whose true distribution is known exactly, for the chapters and the tests.

A world is a Markov chain over words, in which each context word shifts the odds; what can be
computed about it is in `kdlib.toys.markov`. Corrupted versions of a world are worlds too, each with
its exact distribution: a systematically wrong teacher (`World.with_bias`), an over- or
underconfident one (`World.with_temperature`), labels that are sometimes wrong
(`World.with_label_noise`). Everything is float64. ::

    world = story_world()
    world.text(world.sample(2, "plain fox").tokens)    c = "plain" (instruction), z = "fox" (input)
    world.next_words("the brave", "fox")               x' = (c', z) with an empty c'
    world.with_bias(0.3).kl(student, "fox")            KL of the student to a biased teacher
"""

from collections.abc import Callable

import torch
from torch import Tensor

from kdlib.toys.markov import MarkovModel, word_positions


class World(MarkovModel):
    """A language defined by a function from a context to its `log_rows`.

    Args:
        words: the vocabulary, in the order of the ids.
        rows_of: maps a context to the (V, V) log-probabilities of the next word given the last.
        context_words: the words that a context can contain.
        eos: the word that ends a story.

    Raises:
        ValueError: if ``eos`` is not one of the words.
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
        """Log-probabilities (V, V) of the next word given the last; row eos_id begins a story."""
        self.context_ids(context)  # rejects unknown words, which rows_of may ignore
        return self._rows_of(context)

    def transformed(self, change: Callable[[Tensor], Tensor]) -> "World":
        """The world whose rows are ``change(log_rows)`` in every context, (V, V) -> (V, V)."""
        eos = self.words[self.eos_id]
        return World(
            self.words, lambda context: change(self.log_rows(context)), self.context_words, eos
        )

    def with_label_noise(self, rate: float) -> "World":
        """The distribution of labels flipped with probability ``rate``: see `label_noise`.

        Raises:
            ValueError: unless 0 <= ``rate`` <= 1.
        """
        _share("rate", rate)
        return self.transformed(lambda rows: label_noise(rows, rate))

    def with_bias(self, strength: float, towards: Tensor | None = None) -> "World":
        r"""A teacher with a systematic error.

        .. math:: (1 - \mathrm{strength}) \, P + \mathrm{strength} \, W

        Args:
            strength: weight of the wrong distribution.
            towards: (V, V) log-probabilities of W; None: `confused` rows, which allow the same
                words with wrong odds.

        Raises:
            ValueError: unless 0 <= ``strength`` <= 1.
        """
        _share("strength", strength)
        return self.transformed(
            lambda rows: mix(rows, confused(rows) if towards is None else towards, strength)
        )

    def with_temperature(self, temperature: float) -> "World":
        r"""A teacher with the right ranking but the wrong confidence.

        .. math:: P_T \propto P^{1/T}

        It is underconfident for T > 1 and overconfident for T < 1.

        Raises:
            ValueError: unless ``temperature`` is above 0 and finite.
        """
        if not 0 < temperature < torch.inf:
            raise ValueError(f"temperature is {temperature}: it must be above 0 and finite")
        return self.transformed(lambda rows: (rows / temperature).log_softmax(dim=-1))

    def smoothed(self, weight: float) -> "World":
        r""":math:`(1 - \mathrm{weight}) P + \mathrm{weight} / V`, so that no KL is infinite.

        With a weight above 0, every word is possible after every word.

        Raises:
            ValueError: unless 0 <= ``weight`` <= 1.
        """
        _share("weight", weight)
        return self.transformed(
            lambda rows: mix(rows, torch.zeros_like(rows).log_softmax(dim=-1), weight)
        )


# ---------------------------------------------------------------- ways to be wrong


def mix(log_p: Tensor, log_w: Tensor, weight: float) -> Tensor:
    r"""Log-probabilities of a mixture.

    .. math:: \log ((1 - \mathrm{weight}) \, P + \mathrm{weight} \, W)

    With weight :math:`\lambda / (1 + \lambda)` it is the minimiser
    :math:`Q^* = (P + \lambda W) / (1 + \lambda)` of
    :math:`\mathrm{CE}(\text{label}, Q) + \lambda \, \mathrm{KL}(W \,\Vert\, Q)` for labels drawn
    from P.

    Args:
        log_p, log_w: (..., V) log-probabilities.
        weight: of W.

    Returns:
        (..., V) log-probabilities.

    Raises:
        ValueError: unless 0 <= ``weight`` <= 1.
    """
    _share("weight", weight)
    return ((1 - weight) * log_p.exp() + weight * log_w.exp()).log()


def label_noise(log_p: Tensor, rate: float) -> Tensor:
    r"""Exact distribution of a label under uniform (symmetric) label noise.

    With probability ``rate`` the label is flipped to another word:

    .. math:: \tilde P = (1 - \mathrm{rate}) \, P + \mathrm{rate} \, \frac{1 - P}{V - 1}

    Args:
        log_p: (..., V) log-probabilities of the true label.
        rate: probability of a flip.

    Returns:
        (..., V) log-probabilities.

    Raises:
        ValueError: unless 0 <= ``rate`` <= 1.

    Source: van Rooyen et al. 2015.
    """
    _share("rate", rate)
    p = log_p.exp()
    return ((1 - rate) * p + rate * (1 - p) / (p.shape[-1] - 1)).log()


def flip_labels(labels: Tensor, rate: float, vocab_size: int, generator: torch.Generator) -> Tensor:
    """Labels, each replaced with probability ``rate`` by one of the other words at random.

    This is the sampled counterpart of `label_noise`.

    Args:
        labels: ids, of any shape.
        rate: probability of a flip.
        vocab_size: number of words, V.
        generator: the source of all randomness.

    Returns:
        Ids, of the same shape.

    Raises:
        ValueError: unless 0 <= ``rate`` <= 1.
    """
    _share("rate", rate)
    flipped = torch.rand(labels.shape, generator=generator) < rate
    other = torch.randint(1, vocab_size, labels.shape, generator=generator)
    return torch.where(flipped, (labels + other) % vocab_size, labels)


def confused(log_rows: Tensor) -> Tensor:
    """Rows (V, V) in which the probabilities of the possible words are shifted by one place.

    This gives a wrong distribution with the right grammar. A row with one possible word is
    unchanged.
    """
    wrong = log_rows.clone()
    for row in wrong:
        possible = row > -torch.inf
        row[possible] = row[possible].roll(1)
    return wrong


# ---------------------------------------------------------------- the worlds


def random_world(words: str = "a b c .", seed: int = 0, scale: float = 1.0) -> World:
    r"""A world without grammar, in which any word can follow any word.

    Args:
        words: the vocabulary, separated by spaces; "." is needed, as eos.
        seed: of the logits.
        scale: the logits are drawn from :math:`N(0, \mathrm{scale}^2)`.
    """
    vocabulary = tuple(words.split())
    generator = torch.Generator().manual_seed(seed)
    size = (len(vocabulary), len(vocabulary))
    rows = (scale * torch.randn(size, generator=generator, dtype=torch.float64)).log_softmax(dim=-1)
    return World(vocabulary, lambda _: rows)


# The words that can follow each word, with their weights; "." begins and ends a story.
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

# The factors by which each context word multiplies the weights of the words it names.
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
    """Stories of foxes, owls, children and sailors: 24 words, 8 context words.

    Instructions (c): "plain" (short, hardly any adjectives), "ornate" (long), "sea", "forest".
    Inputs (z): "fox", "owl", "child", "sailor". A context is any of these in any order, or "":
    "plain fox" is x = (c, z), and "fox" is x' = (c', z) with an empty c'. The weights are invented
    for this book.
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
    """A text such as "fox 3 owl 2" as weights (V,) of the words, ``default`` for all others."""
    vector = torch.full((len(words),), default, dtype=torch.float64)
    pairs = named.split()
    for word, weight in zip(pairs[::2], pairs[1::2]):
        vector[words.index(word)] = float(weight)
    return vector


def _share(name: str, value: float) -> None:
    """Raise ValueError unless 0 <= value <= 1."""
    if not 0 <= value <= 1:
        raise ValueError(f"{name} is {value}: it must lie between 0 and 1")
