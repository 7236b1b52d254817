"""Training texts of which the student wrote a share."""

import numpy as np
import torch
from torch import Tensor

from kdlib.exercises.judging.values import WrongType, plain
from kdlib.exercises.kinds.functions import code


@code(
    source=(),
    difficulty=4,
    minutes=15,
    rtol=0.0,
    atol=0.08,  # what is compared are frequencies over thousands of draws
    prompt=(
        "A student that was trained on prefixes of human texts meets its own prefixes in use. "
        "Write `mixed_batch(data, student_logits, share, temperature)`: the training texts of one "
        "step. Each row of `data` (B, L) stays as it is or, with probability `share`, is replaced "
        "by a text of the student: it keeps the row's first word, and every further word is drawn "
        "from the student at the sampling temperature. The student looks one word back: row v of "
        "`student_logits` (V, V) holds its logits for the word after v."
    ),
    hints=(
        (
            "Who wrote a row is decided once for the row. A student that writes goes on from its "
            "own words."
        ),
        "One number of `torch.rand(B)` for each row; then a loop over positions, all rows at once.",
        (
            "In the loop: softmax of the rows `student_logits[previous words] / temperature`, "
            "`torch.multinomial(..., 1)`, and `torch.where(own, drawn, data[:, t])`."
        ),
    ),
    explanation=(
        "The temperature here decides which texts the student is trained on. The temperature of "
        "the loss is another number: it decides how the two models are compared on them."
    ),
)
def mixed_batch(data, student_logits, share, temperature):
    """Rows of the data, of which a share is written by the student. (B, L), (V, V) -> (B, L)"""
    rows = data.clone()
    own = torch.rand(len(data)) < share
    next_word = torch.softmax(student_logits / temperature, dim=-1)
    for t in range(1, data.shape[1]):
        drawn = torch.multinomial(next_word[rows[:, t - 1]], 1)[:, 0]
        rows[:, t] = torch.where(own, drawn, data[:, t])
    return rows


def _texts(rows: int, length: int, words: int, seed: int) -> Tensor:
    """Texts in which no word is followed by the next number, nor by the one two further."""
    generator = torch.Generator().manual_seed(seed)
    steps = torch.randint(3, words, (rows, length), generator=generator)
    return steps.cumsum(dim=-1) % words


def _rows(answer, data, *others) -> Tensor | None:
    """What the answer gives, if it has the shape of the data and holds words."""
    if (result := answer(data, *others)) is None:
        return None
    rows = plain(result)
    if not isinstance(rows, np.ndarray):
        raise WrongType("no batch: rows of one length were expected")
    if rows.shape != data.shape:
        raise WrongType(f"of shape {rows.shape}; {tuple(data.shape)} was expected")
    if not ((rows == rows.round()) & (rows >= 0) & (rows < len(others[0]))).all():
        raise WrongType("not made of words alone: whole numbers from 0 to V - 1 were expected")
    return torch.as_tensor(rows).long()


def _who_wrote(answer, data, *others):
    """Of either half of the rows: shares of the data's, of the student's, and of neither; and of
    those that begin with the data's word. The student counts upwards, which the data never do.
    """
    data, given = data.clone(), data  # an answer may write over what it is given
    if (rows := _rows(answer, given, *others)) is None:
        return None
    counting = (data[:, :1] + torch.arange(data.shape[1])) % len(others[0])
    kept, own = (rows == data).all(dim=-1), (rows == counting).all(dim=-1)
    shares = torch.stack([kept, own, ~(kept | own), rows[:, 0] == data[:, 0]]).float()
    return torch.stack([half.mean(dim=-1) for half in shares.chunk(2, dim=-1)])


def _always_as_many(answer, data, *others):
    """1 if the student writes equally many rows of every batch; 2 if these are the same rows."""
    batches = [_rows(answer, data.clone(), *others) for _ in range(6)]
    if any(rows is None for rows in batches):
        return None
    kept = torch.stack([(rows == data).all(dim=-1) for rows in batches])
    if (kept == kept[0]).all():
        return 2.0
    return float((kept.sum(dim=-1) == kept[0].sum()).all())


def _frequencies(answer, data, *others):
    """How often word v is followed by word w. (V, V)"""
    if (rows := _rows(answer, data, *others)) is None:
        return None
    words = len(others[0])
    pairs = rows[:, :-1] * words + rows[:, 1:]
    counts = torch.bincount(pairs.flatten(), minlength=words**2).reshape(words, words)
    return counts / counts.sum(dim=-1, keepdim=True).clamp(min=1)


def _unlikely(answer, data, *others):
    """How often a word is followed by another than the likeliest, which is the next number."""
    if (rows := _rows(answer, data, *others)) is None:
        return None
    return ((rows[:, :-1] + 1) % len(others[0]) != rows[:, 1:]).float().mean()


# So many rows that chance moves a frequency by less than a fifth of what is allowed for.
_FOLLOWS = torch.tensor([[1.5, 0.3, -0.8], [0.2, 2.5, 1.3], [-0.7, -1.8, 0.5]])  # all as often
_COUNTS_UP = 60.0 * torch.eye(7).roll(1, dims=1)  # after v comes v + 1, nearly always
for _share, _count in ((0.25, 4000), (0.8, 4000), (0.0, 50), (1.0, 50)):
    mixed_batch.probe(
        f"who wrote the rows, share {_share}",
        *(_texts(_count, 3, 7, seed=1), _COUNTS_UP, _share, 1.0),
        measure=_who_wrote,
    )
mixed_batch.probe(
    "six batches, share 0.5",
    *(_texts(500, 2, 7, seed=1), _COUNTS_UP, 0.5, 1.0),
    measure=_always_as_many,
    expected="a chance for every row, whatever became of the others",
)
for _temperature in (0.5, 2.5):
    mixed_batch.probe(
        f"what follows a word, temperature {_temperature}",
        torch.randint(0, 3, (600, 13), generator=torch.Generator().manual_seed(2)),
        *(_FOLLOWS, 1.0, _temperature),
        measure=_frequencies,
    )
mixed_batch.probe(
    "many words that are unlikely each",
    torch.zeros(200, 6, dtype=torch.long),
    *(2.6 * torch.eye(15).roll(1, dims=1), 1.0, 1.0),
    measure=_unlikely,
    expected="every word is drawn with its probability, also where that is small",
)


@mixed_batch.also
def mixed_batch_row_by_row(data, student_logits, share, temperature):
    cumulated = torch.softmax(student_logits / temperature, dim=-1).cumsum(dim=-1)
    own = torch.bernoulli(torch.full((len(data), 1), share)).bool()
    words = [data[:, 0]]
    for _ in range(data.shape[1] - 1):
        draws = torch.rand(len(data), 1)
        words.append((draws > cumulated[words[-1], :-1]).sum(dim=-1))
    return torch.where(own, torch.stack(words, dim=1), data)


@mixed_batch.symptom(
    "batch-for-row",
    seen="at shares between 0 and 1, all rows of a batch have the same author",
    expected="a decision for each row",
)
def _(results):
    untouched, *some = (results[f"who wrote the rows, share {s}"] for s in (0.0, 0.25, 0.8))
    return untouched[:, 0].min() == 1 and all((s[:, :2].max(axis=1) == 1).all() for s in some)


@mixed_batch.symptom(
    "off-by-one",
    seen="in the student's rows the first word is replaced as well",
    expected="a text that starts with the row's own first word",
)
def _(results):
    return results["who wrote the rows, share 1.0"][:, 3].max() < 0.9


@mixed_batch.symptom(
    "mixed-within-row",
    seen="the student writes single words of rows that are otherwise the data's",
    expected="rows with one author",
)
def _(results):
    return (
        results["who wrote the rows, share 0.25"][:, 2].min() > 0.1
        and results["who wrote the rows, share 1.0"][:, 2].max() < 0.05
    )


def _mixed(data, logits, share, temperature, own=None, after=None, first=1, greedy=False):
    """The reference with one thing changed. after(rows, t): the words that are gone on from."""
    own = torch.rand(len(data), 1) < share if own is None else own
    table, rows = torch.softmax(logits / temperature, dim=-1), data.clone()
    for t in range(first, data.shape[1]):
        next_word = table[after(rows, t) if after else rows[:, max(t - 1, 0)]]
        drawn = next_word.argmax(dim=-1) if greedy else torch.multinomial(next_word, 1)[:, 0]
        rows[:, t] = torch.where(own.expand_as(data)[:, t], drawn, data[:, t])
    return rows


def _draws_of_a_seed(rows):
    return torch.rand(rows, 1, generator=torch.Generator().manual_seed(0))


mixed_batch.mistakes(
    ("share-misread",
     "the share of rows that come from the data is what should be the student's share",
     "share 1 means that the student wrote every row",
     lambda data, logits, share, t: _mixed(data, logits, 1 - share, t)),
    ("share-misread", "the student writes all rows, whatever the share is",
     "a share of 0 leaves the data as they are",
     lambda data, logits, share, t: _mixed(data, logits, 1.0, t)),
    ("share-misread", "the student writes a fixed number of rows, always the same ones",
     "a chance for every row, whatever became of the others",
     lambda *a: _mixed(*a, own=(torch.arange(len(a[0])) < round(a[2] * len(a[0])))[:, None])),
    ("share-misread", "the student writes equally many rows of every batch, only at other places",
     "a chance for each row that does not depend on the others",
     lambda *a: _mixed(*a, own=(torch.randperm(len(a[0])) < round(a[2] * len(a[0])))[:, None])),
    ("share-misread", "the student writes the same rows of every batch: each step draws alike",
     "draws that go on from step to step, as without a seed of their own",
     lambda *a: _mixed(*a, own=_draws_of_a_seed(len(a[0])) < a[2])),
    ("nothing-done", "all rows are those of the data: nothing was sampled",
     "rows that the student wrote", lambda data, logits, share, t: data),
    ("mixed-within-row",
     "rows change hands in the middle: neither the data nor the student wrote them",
     "a row has one author from its second word to its end",
     lambda *a: _mixed(*a, own=torch.rand(a[0].shape) < a[2])),
    ("batch-for-row",
     "one draw decides for all rows: either the whole batch is the student's or nothing of it",
     "each row is decided for itself", lambda *a: _mixed(*a, own=torch.rand(1, 1) < a[2])),
    ("prefix-not-extended",
     "each word is drawn after the data's previous word, not after the student's own",
     "a student that goes on from what it wrote",
     lambda *a: _mixed(*a, after=lambda _, t: a[0][:, t - 1])),
    ("prefix-not-extended",
     "every word is drawn as if it stood second: only the first word is looked at",
     "each drawn word decides what may follow it",
     lambda *a: _mixed(*a, after=lambda _, t: a[0][:, 0])),
    ("greedy-for-sampled", "after a word there always comes the same one: the likeliest",
     "words drawn with their probabilities", lambda *a: _mixed(*a, greedy=True)),
    ("temperature-ignored", "all temperatures give the same frequencies",
     "frequencies that change with the sampling temperature",
     lambda data, logits, share, t: _mixed(data, logits, share, 1.0)),
    ("temperature-inverted", "a higher temperature makes the texts less varied",
     "a higher temperature makes them more varied",
     lambda data, logits, share, t: _mixed(data, logits, share, 1 / t)),
    ("softmax-wrong-axis", "what follows a word is read down a column: the table is turned round",
     "row v for the word after v", lambda data, logits, share, t: _mixed(data, logits.T, share, t)),
    ("softmax-wrong-axis", "the softmax runs over the words before, not over those that follow",
     "a distribution for the word after each word",
     lambda data, logits, share, t: _mixed(data, t * (logits / t).log_softmax(dim=0), share, t)),
    ("off-by-one", "in the student's rows the first word is drawn too, after itself",
     "a text of the student starts with the row's own first word", lambda *a: _mixed(*a, first=0)),
)  # fmt: skip
