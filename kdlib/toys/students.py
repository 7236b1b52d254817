"""Students that train in a second, each short of something; and `fit`, which trains them.

    TabularStudent    one logit for each pair of words: can be any world, if it has seen enough
    LowRankStudent    the same through a bottleneck of r numbers: too small for most worlds
    TinyTransformer   reads the whole prefix and the context: a language model in small
    OnePeak           one bump on a line, for a target with two: what is missing can be seen

The first three are given their words by a world and follow the protocol in `sequences`. All compute
in float64, draw their first parameters from a seed, and never touch the global random state.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdlib.toys.markov import MarkovModel, word_positions
from kdlib.toys.worlds import mix


class TabularStudent(nn.Module, MarkovModel):
    """log Q(.|s, x') = log-softmax of base[s] + the sum over context words w of shift[w][s].

    Starts as the uniform distribution. V^2 parameters, and V^2 more for each context word.
    """

    def __init__(self, world: MarkovModel):
        super().__init__()
        _speak_like(self, world)
        size, contexts = world.vocab_size, len(world.context_words)
        self.base = nn.Parameter(torch.zeros(size, size, dtype=torch.float64))
        self.shift = nn.Parameter(torch.zeros(contexts, size, size, dtype=torch.float64))

    def log_rows(self, context: str | None = None) -> Tensor:
        logits = self.base + self.shift[self.context_ids(context)].sum(dim=0)
        return logits.log_softmax(dim=-1)


class LowRankStudent(nn.Module, MarkovModel):
    """Logits (state[s] + sum of context[w]) @ output, through `rank` numbers: a bottleneck.

    The matrix of logits has rank <= `rank`, which no amount of training can pass (Yang et al. 2018,
    "Breaking the Softmax Bottleneck"). A context may also be a tensor (rank,): a soft prompt.

    Raises: ValueError for rank < 1.
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
        if not isinstance(context, Tensor):
            context = self.context[self.context_ids(context)].sum(dim=0)
        return ((self.state + context) @ self.output).log_softmax(dim=-1)


class TinyTransformer(nn.Module):
    """A causal transformer over [context words, start, story words], pre-norm.

    The context's words have no positions, so a context may be of any length; or it may be a tensor
    (k, width), a soft prompt of k vectors in their place (Lester et al. 2021).

    Raises: ValueError when a story is longer than `max_words`, when heads do not divide width.
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
        """Log-probabilities (N, V) of the word after each prefix (N, t)."""
        start = torch.full((len(prefixes), 1), self.eos_id)
        return self._read(torch.cat([start, prefixes], dim=1), context)[:, -1]

    def position_log_probs(self, tokens: Tensor, context: str | Tensor | None = None) -> Tensor:
        """Log-probabilities (N, L, V) of the word at each position of (N, L), given the past."""
        start = torch.full((len(tokens), 1), self.eos_id)
        return self._read(torch.cat([start, tokens[:, :-1]], dim=1), context)

    def _read(self, words: Tensor, context: str | Tensor | None) -> Tensor:
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
    """Causal self-attention, then a feed-forward layer, each after a LayerNorm and added back."""

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
    """Log-probabilities (..., size) of a Gaussian discretised to the points 0..size-1.

    centre and width (...) may be grids, so the best peak of all can be found by trying them all.
    """
    points = torch.arange(size, dtype=torch.float64)
    return (-(((points - centre[..., None]) / width[..., None]) ** 2) / 2).log_softmax(dim=-1)


def two_peaks(
    size: int = 40,
    centres: tuple[float, float] = (10, 28),
    widths: tuple[float, float] = (2, 3),
    second_weight: float = 0.4,
) -> Tensor:
    """Log-probabilities (size,) of a mixture of two such peaks, which one peak cannot match."""
    peaks = one_peak(size, torch.tensor(centres), torch.tensor(widths))
    return mix(peaks[0], peaks[1], second_weight)


class OnePeak(nn.Module):
    """A single peak with two parameters, centre and log-width, to be fitted by gradient.

    From the default start either KL reaches its own best peak on `two_peaks()`; from elsewhere
    the reverse KL may stop at a poorer one, for which a grid over `one_peak` is the remedy.
    """

    def __init__(self, size: int = 40, centre: float = 14, width: float = 2):
        super().__init__()
        self.size = size
        self.centre = nn.Parameter(torch.tensor(float(centre), dtype=torch.float64))
        self.log_width = nn.Parameter(torch.tensor(float(width), dtype=torch.float64).log())

    def forward(self) -> Tensor:
        """Log-probabilities (size,)."""
        return one_peak(self.size, self.centre, self.log_width.exp())


# ---------------------------------------------------------------- training


def fit(
    student: nn.Module | Iterable[Tensor],
    loss: Callable[[], Tensor],
    steps: int = 300,
    learning_rate: float = 0.05,
) -> list[float]:
    """Minimises loss() over a student's parameters, or given tensors, with Adam; the losses.

    Raises: ValueError as soon as the loss is not finite, with the step.
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
    student.words, student.eos_id = world.words, world.eos_id
    student.context_words = world.context_words


def _normal(seed: int) -> Callable[..., Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return lambda *size: 0.5 * torch.randn(*size, generator=generator, dtype=torch.float64)
