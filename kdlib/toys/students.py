"""Small students that train in seconds, each with its own limitation; and `fit`, to train them.

::

    TabularStudent    one logit per pair of words: can match any world, given enough data
    LowRankStudent    the same with a bottleneck of r numbers: too small for most worlds
    TinyTransformer   reads the whole prefix and the context: a small language model
    OnePeak           a single peak on a line, for a target with two: the misfit is visible

The first three take their words from a world and follow the `AutoregressiveModel` protocol of
`kdlib.sequences.exact`. All compute in float64, draw their initial parameters from a seed, and
leave the global random state untouched.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdlib.toys.markov import MarkovModel, word_positions
from kdlib.toys.worlds import mix


class TabularStudent(nn.Module, MarkovModel):
    r"""A table of logits for each pair of words, with a shift for each context word.

    .. math:: \log Q(\cdot \mid s, x') = \operatorname{log\,softmax}
        \Bigl( \mathrm{base}_s + \sum_{w \in x'} \mathrm{shift}_{w,s} \Bigr)

    It starts as the uniform distribution. It has :math:`V^2` parameters, and :math:`V^2` more for
    each context word.

    Args:
        world: the language whose words and context words it uses.
    """

    def __init__(self, world: MarkovModel):
        super().__init__()
        _speak_like(self, world)
        size, contexts = world.vocab_size, len(world.context_words)
        self.base = nn.Parameter(torch.zeros(size, size, dtype=torch.float64))
        self.shift = nn.Parameter(torch.zeros(contexts, size, size, dtype=torch.float64))

    def log_rows(self, context: str | None = None) -> Tensor:
        """Log-probabilities (V, V) of the next word given the last."""
        logits = self.base + self.shift[self.context_ids(context)].sum(dim=0)
        return logits.log_softmax(dim=-1)


class LowRankStudent(nn.Module, MarkovModel):
    r"""Logits through a bottleneck of ``rank`` numbers.

    .. math:: \log Q(\cdot \mid s, x') = \operatorname{log\,softmax}
        \Bigl( \bigl( \mathrm{state}_s + \sum_{w \in x'} \mathrm{context}_w \bigr)
        \, \mathrm{output} \Bigr)

    The matrix of logits has at most this rank, a limit that training cannot overcome. A context can
    also be a tensor (rank,), a soft prompt.

    Args:
        world: the language whose words and context words it uses.
        rank: width of the bottleneck.
        seed: of the initial parameters.

    Raises:
        ValueError: for ``rank`` < 1.

    Source: Yang et al. 2018 (Breaking the Softmax Bottleneck).
    """

    def __init__(self, world: MarkovModel, rank: int, seed: int = 0):
        super().__init__()
        if rank < 1:
            raise ValueError(f"rank is {rank}: it must be 1 or more")
        _speak_like(self, world)
        draw = _normal(seed)
        self.state = nn.Parameter(draw(world.vocab_size, rank))
        self.context = nn.Parameter(draw(len(world.context_words), rank))
        self.output = nn.Parameter(draw(rank, world.vocab_size))

    def log_rows(self, context: str | Tensor | None = None) -> Tensor:
        """Log-probabilities (V, V) of the next word given the last."""
        if not isinstance(context, Tensor):
            context = self.context[self.context_ids(context)].sum(dim=0)
        return ((self.state + context) @ self.output).log_softmax(dim=-1)


class TinyTransformer(nn.Module):
    """A causal pre-norm transformer over [context words, start, story words].

    Context words have no position embeddings, so a context can have any length. It can also be a
    tensor (k, width), a soft prompt of k vectors instead of the words (Lester et al. 2021).

    Args:
        world: the language whose words and context words it uses.
        width: of the hidden states.
        layers: number of transformer blocks.
        heads: attention heads of a block.
        max_words: the longest story, in words.
        seed: of the initial parameters.

    Raises:
        ValueError: if ``heads`` does not divide ``width``; later, for a story longer than
            ``max_words``.
    """

    words: tuple[str, ...]
    eos_id: int
    context_words: tuple[str, ...]

    def __init__(
        self,
        world: MarkovModel,
        width: int = 32,
        layers: int = 1,
        heads: int = 2,
        max_words: int = 24,
        seed: int = 0,
    ):
        super().__init__()
        if width % heads:
            raise ValueError(f"heads is {heads} and does not divide width, which is {width}")
        _speak_like(self, world)
        self.vocab_size, self.max_words = world.vocab_size, max_words
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.word = nn.Embedding(self.vocab_size, width)
            self.context = nn.Embedding(len(world.context_words), width)
            self.position = nn.Embedding(max_words, width)
            self.blocks = nn.ModuleList(_Block(width, heads) for _ in range(layers))
            self.norm = nn.LayerNorm(width)
            self.output = nn.Linear(width, self.vocab_size)
        self.double()

    def next_log_probs(self, prefixes: Tensor, context: str | Tensor | None = None) -> Tensor:
        """Log-probabilities (N, V) of the word after each prefix (N, t) of word ids."""
        start = torch.full((len(prefixes), 1), self.eos_id)
        return self._read(torch.cat([start, prefixes], dim=1), context)[:, -1]

    def position_log_probs(self, tokens: Tensor, context: str | Tensor | None = None) -> Tensor:
        """Log-probabilities (N, L, V) of the word at each position of (N, L), given the past."""
        start = torch.full((len(tokens), 1), self.eos_id)
        return self._read(torch.cat([start, tokens[:, :-1]], dim=1), context)

    def _read(self, words: Tensor, context: str | Tensor | None) -> Tensor:
        """Log-probabilities (N, t, V) of the word after each of the words (N, t)."""
        if words.shape[1] > self.max_words:
            raise ValueError(
                f"tokens has {words.shape[1]} positions: this student was built for "
                f"max_words={self.max_words}"
            )
        if not isinstance(context, Tensor):
            ids = word_positions("context", context or "", self.context_words)
            embedded: Tensor = self.context(torch.tensor(ids, dtype=torch.int64))
            context = embedded
        story = self.word(words) + self.position.weight[: words.shape[1]]
        hidden = torch.cat([context.expand(len(words), -1, -1), story], dim=1)
        for block in self.blocks:
            hidden = block(hidden)
        logits: Tensor = self.output(self.norm(hidden[:, len(context) :]))
        return logits.log_softmax(dim=-1)


class _Block(nn.Module):
    """Causal self-attention, then a feed-forward layer, each pre-norm with a residual."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.mixed = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.forward_layer = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, hidden: Tensor) -> Tensor:
        batch, length, width = hidden.shape
        split = self.qkv(self.norm_1(hidden)).view(batch, length, 3, self.heads, -1)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        hidden = hidden + self.mixed(seen.transpose(1, 2).reshape(batch, length, width))
        more: Tensor = self.forward_layer(self.norm_2(hidden))
        return hidden + more


# ---------------------------------------------------------------- a line instead of a language


def one_peak(size: int, centre: Tensor, width: Tensor) -> Tensor:
    r"""A Gaussian, discretised to the points 0..size-1.

    .. math:: p_i \propto \exp \bigl( -\tfrac12 ((i - \mathrm{centre}) / \mathrm{width})^2 \bigr)

    Args:
        size: number of points.
        centre, width: (...) floats; grids allow an exhaustive search for the best peak.

    Returns:
        (..., size) log-probabilities, in nats.
    """
    points = torch.arange(size, dtype=torch.float64)
    return (-(((points - centre[..., None]) / width[..., None]) ** 2) / 2).log_softmax(dim=-1)


def two_peaks(
    size: int = 40,
    centres: tuple[float, float] = (10, 28),
    widths: tuple[float, float] = (2, 3),
    second_weight: float = 0.4,
) -> Tensor:
    """Log-probabilities (size,) of a mixture of two of `one_peak`, which one peak cannot match."""
    peaks = one_peak(size, torch.tensor(centres), torch.tensor(widths))
    return mix(peaks[0], peaks[1], second_weight)


class OnePeak(nn.Module):
    """A single peak with two parameters, centre and log-width, to be fitted by gradient descent.

    From the default start, forward and reverse KL each reach their best peak on ``two_peaks()``.
    From other starts the reverse KL can end in a worse local minimum; a grid search over `one_peak`
    avoids that.

    Args:
        size: number of points.
        centre, width: the initial peak.
    """

    def __init__(self, size: int = 40, centre: float = 14, width: float = 2):
        super().__init__()
        self.size = size
        self.centre = nn.Parameter(torch.tensor(float(centre), dtype=torch.float64))
        self.log_width = nn.Parameter(torch.tensor(float(width), dtype=torch.float64).log())

    def forward(self) -> Tensor:
        """Log-probabilities (size,) of the peak."""
        return one_peak(self.size, self.centre, self.log_width.exp())


# ---------------------------------------------------------------- training


def fit(
    student: nn.Module | Iterable[Tensor],
    loss: Callable[[], Tensor],
    steps: int = 300,
    learning_rate: float = 0.05,
) -> list[float]:
    """Minimise a loss with Adam.

    Args:
        student: a module, or the tensors to optimise.
        loss: computes the scalar loss.
        steps: number of optimiser steps.
        learning_rate: of Adam.

    Returns:
        The loss before each step.

    Raises:
        ValueError: as soon as the loss is not finite; the message gives the step.
    """
    parameters = list(student.parameters() if isinstance(student, nn.Module) else student)
    optimizer = torch.optim.Adam(parameters, lr=learning_rate)
    losses: list[float] = []
    for step in range(steps):
        value = loss()
        if not value.isfinite():
            raise ValueError(
                f"loss is {value.item()} at step {step}: it must be finite; a teacher with "
                "impossible words has an infinite reverse KL, which world.smoothed(0.01) avoids"
            )
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        losses.append(value.item())
    return losses


def _speak_like(student: MarkovModel | TinyTransformer, world: MarkovModel) -> None:
    """Give the student the words, eos and context words of the world."""
    student.words, student.eos_id = world.words, world.eos_id
    student.context_words = world.context_words


def _normal(seed: int) -> Callable[..., Tensor]:
    """A function of a shape that draws N(0, 0.5^2) numbers from its own generator."""
    generator = torch.Generator().manual_seed(seed)
    return lambda *size: 0.5 * torch.randn(*size, generator=generator, dtype=torch.float64)
