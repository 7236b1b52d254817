"""Exercises of chapter 10, the bug museum: each shows code with bugs and asks for sound code."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kdlib.exercises.choices import choice, right, wrong
from kdlib.exercises.functions import CodeExercise, code
from kdlib.exercises.inputs import normal
from kdlib.exercises.source import definition


def _with_code(task: str, broken: Callable) -> str:
    return f"{task}\n\n```python\n{definition(broken)}\n```"


def _name(exercise: CodeExercise, *mistakes: tuple[str, str, str, Callable]) -> None:
    """Add named wrong answers: (id, seen, expected, function)."""
    for id, seen, expected, function in mistakes:
        exercise.wrong(id, seen=seen, expected=expected)(function)


def _kl(p_logits: Tensor, q_logits: Tensor, temperature: float = 1.0) -> Tensor:
    log_p = F.log_softmax(p_logits / temperature, dim=-1)
    log_q = F.log_softmax(q_logits / temperature, dim=-1)
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1)


# Room 1: three bugs in one line


def broken_masked_loss(teacher_logits, student_logits, mask, temperature):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    p = F.softmax(teacher_logits / temperature, dim=-1)
    return F.kl_div(log_q, p, reduction="batchmean")


@code(
    source=(),
    difficulty=3,
    minutes=10,
    prompt=_with_code(
        "With this loss, raising the temperature acts like switching the teacher off, long "
        "sequences have huge losses, and adding padding to a batch changes the value. Write "
        "`bug_masked_loss(teacher_logits, student_logits, mask, temperature)` without the three "
        "bugs: the mean over all real positions of the KL from teacher to student at the "
        "temperature, with the factor that keeps its gradient's size. Logits (B, L, V); mask (B, "
        "L), 1 where a position is real.",
        broken_masked_loss,
    ),
    hints=(
        "Ask of the last line: divided by what? Summed over what? Multiplied by what?",
        "'batchmean' divides by the first dimension alone, and the mask is not used at all.",
        (
            "Sum the KL over the vocabulary, keep the real positions, take their mean, times T "
            "squared."
        ),
    ),
    explanation="A loss per real position does not depend on how its batch was cut or padded.",
)
def bug_masked_loss(teacher_logits, student_logits, mask, temperature):
    """Mean loss of a real position, at any length, padding and temperature. -> scalar"""
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    kl = (log_p.exp() * (log_p - log_q)).sum(dim=-1)
    return temperature**2 * kl[mask.bool()].mean()


_MASKS = (
    ("padding on the right", [[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0]], 2.0),
    ("padding on the left", [[0, 0, 0, 1, 1, 1], [0, 1, 1, 1, 1, 1]], 3.0),
    ("rows of very unequal length", [[1] * 7, [1] + [0] * 6, [1, 1] + [0] * 5, [1] * 7], 0.5),
    ("no padding", [[1, 1, 1, 1]] * 2, 4.0),
)
for _seed, (_about, _mask, _temperature) in enumerate(_MASKS, start=1):
    _shape = len(_mask), len(_mask[0]), 5 + _seed
    bug_masked_loss.probe(
        _about,
        normal(*_shape, seed=_seed, scale=2.0),
        normal(*_shape, seed=_seed + 10, scale=2.0),
        torch.tensor(_mask),
        _temperature,
    )


@bug_masked_loss.also
def masked_loss_in_loops(teacher_logits, student_logits, mask, temperature):
    total, count = 0.0, 0
    for p_row, q_row, real in zip(teacher_logits, student_logits, mask.tolist()):
        for p_logits, q_logits in [(p, q) for p, q, r in zip(p_row, q_row, real) if r]:
            log_q = F.log_softmax(q_logits / temperature, dim=0)
            total += F.kl_div(log_q, F.softmax(p_logits / temperature, dim=0), reduction="sum")
            count += 1
    return total / count * temperature**2


def _masked(teacher_logits, student_logits, mask, temperature, *, reduce, power=2, turned=False):
    """The loss with one thing changed; reduce(kl, mask, V) -> scalar."""
    pair = (student_logits, teacher_logits) if turned else (teacher_logits, student_logits)
    kl = _kl(*pair, temperature)
    return temperature**power * reduce(kl, mask, teacher_logits.shape[-1])


def _real_mean(kl, mask, _):
    return kl[mask.bool()].mean()


_name(
    bug_masked_loss,
    (
        "ce-called-kl",
        "a student that agrees with its teacher still has a loss: the teacher's entropy",
        "0 for a perfect match",
        lambda t, s, mask, T: (
            T**2 * F.cross_entropy((s / T)[mask > 0], (t / T)[mask > 0].softmax(-1))
        ),
    ),
    (
        "batchmean-over-sequences",
        "the shown code is unchanged: its value still grows with the length",
        "a mean over positions, without padding, whose gradient keeps its size",
        broken_masked_loss,
    ),
    (
        "batchmean-over-sequences",
        "the sum is divided by the number of sequences, so that long ones have large losses",
        "a division by the number of positions",
        lambda *a: _masked(*a, reduce=lambda kl, mask, _: (kl * mask).sum() / len(mask)),
    ),
    (
        "missing-t-squared",
        "the loss, and with it its gradient, shrinks as the temperature grows",
        "the factor that temperature takes away from a gradient",
        lambda *a: _masked(*a, reduce=_real_mean, power=0),
    ),
    (
        "missing-t-squared",
        "the loss is multiplied by the temperature only once",
        "one factor for each of the two softmaxes that temperature divides",
        lambda *a: _masked(*a, reduce=_real_mean, power=1),
    ),
    (
        "padding-counted",
        "padding enters the sum and the count",
        "the mask is applied to both",
        lambda *a: _masked(*a, reduce=lambda kl, *_: kl.mean()),
    ),
    (
        "padding-counted",
        "padding is left out of the sum and still counted: more padding, smaller loss",
        "a count of the real positions",
        lambda *a: _masked(*a, reduce=lambda kl, mask, _: (kl * mask).mean()),
    ),
    (
        "padding-counted",
        "padding enters the sum and not the count: more padding, larger loss",
        "a sum over the real positions",
        lambda *a: _masked(*a, reduce=lambda kl, mask, _: kl.sum() / mask.sum()),
    ),
    (
        "mean-of-means",
        "each sequence weighs the same, so a position in a short one weighs more",
        "every real position weighs the same",
        lambda *a: _masked(
            *a, reduce=lambda kl, mask, _: ((kl * mask).sum(dim=1) / mask.sum(dim=1)).mean()
        ),
    ),
    (
        "mean-over-vocab",
        "the larger the vocabulary, the smaller the loss",
        "a sum over the vocabulary",
        lambda *a: _masked(*a, reduce=lambda kl, mask, words: _real_mean(kl, mask, 0) / words),
    ),
    (
        "sum-for-mean",
        "the loss grows with every position that is added to the batch",
        "a mean over the real positions",
        lambda *a: _masked(*a, reduce=lambda kl, mask, _: (kl * mask).sum()),
    ),
    (
        "kl-reversed",
        "the student's probabilities are the weights",
        "the KL from teacher to student",
        lambda *a: _masked(*a, reduce=_real_mean, turned=True),
    ),
)


# Room 2: the loss that was too good


def broken_next_word_loss(logits, tokens, mask, stop):
    labels = tokens.masked_fill(tokens == stop, -100)  # no padding
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten())


@code(
    source=(),
    difficulty=3,
    minutes=10,
    prompt=_with_code(
        "With this loss a model reaches almost 0, writes nonsense, and does not stop. Write "
        "`bug_next_word_loss(logits, tokens, mask, stop)` without the two bugs: the mean over all "
        "next words. Logits (B, L, V) at a position speak about the next one. A position counts "
        "only if it and the next one are real; mask (B, L) says which are. Padding may stand on "
        "either side and is written with the id `stop`, which is also the last real token of "
        "every text.",
        broken_next_word_loss,
    ),
    hints=(
        "Which word does the shown code let the model see that it has to predict?",
        (
            "The mask knows padding; an id does not. After shifting, the mask has two readings: "
            "use both."
        ),
        (
            "Logits `[:, :-1]`, labels `tokens[:, 1:]`, and the product of `mask[:, :-1]` and "
            "`mask[:, 1:]` to choose the positions."
        ),
    ),
    explanation="A loss far below that of comparable models is a symptom, not a success.",
)
def bug_next_word_loss(logits, tokens, mask, stop):
    """Mean loss of the real next words, the stop among them. -> scalar"""
    labels = tokens[:, 1:]
    real = mask[:, :-1].bool() & mask[:, 1:].bool()
    return F.cross_entropy(logits[:, :-1][real], labels[real])


_LEFT, _RIGHT = (
    torch.tensor([[4, 4, 4, 1, 0, 2, 4], [4, 2, 2, 0, 3, 1, 4], [3, 1, 0, 0, 2, 1, 4]]),
    torch.tensor([[3, 0, 1, 5, 5, 5], [2, 2, 0, 1, 4, 5], [1, 3, 2, 5, 5, 5], [0, 5, 5, 5, 5, 5]]),
)
_LEFT_MASK = torch.tensor([[0, 0, 0, 1, 1, 1, 1], [0, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1, 1]])
_RIGHT_MASK = torch.tensor(
    [[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0], [1, 1, 0, 0, 0, 0]]
)
_WHOLE = torch.tensor([[1, 0, 2, 2, 3], [2, 1, 1, 0, 3]])
for _seed, (_about, _tokens, _mask, _stop) in enumerate(
    (
        ("padding on the right", _RIGHT, _RIGHT_MASK, 5),
        ("padding on the left", _LEFT, _LEFT_MASK, 4),
        ("no padding", _WHOLE, torch.ones_like(_WHOLE), 3),
    ),
    start=20,
):
    _logits = normal(*_tokens.shape, 8, seed=_seed, scale=2.0)
    bug_next_word_loss.probe(_about, _logits, _tokens, _mask, _stop)


@bug_next_word_loss.also
def next_word_loss_in_loops(logits, tokens, mask, stop):
    losses = []
    for row, words, real in zip(logits.log_softmax(-1), tokens.tolist(), mask.tolist()):
        for t in range(len(words) - 1):
            if real[t] and real[t + 1]:
                losses.append(-row[t, words[t + 1]])
    return sum(losses) / len(losses)


@bug_next_word_loss.also
def next_word_loss_ignoring(logits, tokens, mask, stop):
    unreal = (mask[:, :-1] * mask[:, 1:]) == 0
    labels = tokens[:, 1:].masked_fill(unreal, -100)
    return F.cross_entropy(logits[:, :-1].transpose(1, 2), labels)


def _next(logits, tokens, mask, stop, real=None, reduce=None, shift=1):
    """The loss with other positions, another reduction or another shift."""
    length = tokens.shape[1]
    if shift >= 0:
        logits, labels, last = logits[:, : length - shift], tokens[:, shift:], mask[:, shift:]
        first = mask[:, : length - shift]
    else:
        logits, labels, last, first = logits[:, 1:], tokens[:, :-1], mask[:, :-1], mask[:, 1:]
    losses = F.cross_entropy(logits.transpose(1, 2), labels, reduction="none")
    real = real(first.bool(), last.bool(), labels != stop) if real else first.bool() & last.bool()
    return reduce(losses * real, real) if reduce else losses[real].mean()


_name(
    bug_next_word_loss,
    (
        "off-by-one",
        "the shown code is unchanged: a model gets its best score by repeating the word it reads",
        "each position is compared with the word behind it, also where that is the stop",
        broken_next_word_loss,
    ),
    (
        "off-by-one",
        "each position is compared with the word that stands there: copying is the best strategy",
        "each position is compared with the word behind it",
        lambda *a: _next(*a, shift=0),
    ),
    (
        "off-by-one",
        "logits and labels are shifted the wrong way: the word before is asked for",
        "the word behind",
        lambda *a: _next(*a, shift=-1),
    ),
    (
        "off-by-one",
        "there are two shifts, and the word after the next one is asked for",
        "one shift, in one place",
        lambda *a: _next(*a, shift=2),
    ),
    (
        "stop-token-masked",
        "every stop is taken for padding, so nobody teaches the model to stop",
        "padding that is known from the mask, never from an id",
        lambda *a: _next(*a, real=lambda first, last, not_stop: not_stop),
    ),
    (
        "stop-token-masked",
        "the mask is used, but the stop that ends a text is left out",
        "the stop is a word to be learned",
        lambda *a: _next(*a, real=lambda first, last, not_stop: first & last & not_stop),
    ),
    (
        "padding-counted",
        "padding is to be predicted like words",
        "positions where both words are real",
        lambda *a: _next(*a, real=lambda first, last, not_stop: torch.ones_like(last)),
    ),
    (
        "padding-counted",
        "where padding stands on the left, the first word is predicted from padding",
        "the word that is read has to be real too",
        lambda *a: _next(*a, real=lambda first, last, not_stop: last),
    ),
    (
        "padding-counted",
        "where padding stands on the right, padding is predicted from the last word",
        "the word that is asked for has to be real too",
        lambda *a: _next(*a, real=lambda first, last, not_stop: first),
    ),
    (
        "padding-counted",
        "the sum is right and divided by all positions, padding included",
        "a division by the number of words that were predicted",
        lambda *a: _next(*a, reduce=lambda losses, real: losses.mean()),
    ),
    (
        "mean-of-means",
        "a word in a short text weighs more: texts weigh the same",
        "every word weighs the same",
        lambda *a: _next(*a, reduce=lambda losses, real: (losses.sum(1) / real.sum(1)).mean()),
    ),
    (
        "sum-for-mean",
        "the loss grows with the number of words",
        "a mean over the words that were predicted",
        lambda *a: _next(*a, reduce=lambda losses, real: losses.sum()),
    ),
    (
        "batchmean-over-sequences",
        "the sum is divided by the number of texts",
        "a division by the number of words",
        lambda *a: _next(*a, reduce=lambda losses, real: losses.sum() / len(losses)),
    ),
)


# Room 3: soft targets that were hard


def broken_soft_targets(teacher_logits, student_logits):
    words = teacher_logits.shape[-1]
    soft = F.one_hot(teacher_logits.argmax(dim=-1), words).float()
    log_q = F.log_softmax(student_logits, dim=-1)
    return F.kl_div(log_q, soft, reduction="none").mean()


@code(
    source=(),
    difficulty=2,
    minutes=6,
    prompt=_with_code(
        "This loss is tiny, the larger the vocabulary the tinier, and it is not 0 for a student "
        "that equals its teacher. Write `bug_soft_targets(teacher_logits, student_logits)` "
        "without the two bugs: the mean over the rows of the KL from teacher to student. Logits "
        "(N, V).",
        broken_soft_targets,
    ),
    hints=(
        "What is left of the teacher in the variable that is called soft?",
        "A mean over all elements divides by N times V.",
        (
            "A softmax of the teacher's logits, and the reduction 'batchmean', which is right for "
            "(N, V)."
        ),
    ),
    explanation="A perfect match gives exactly 0: the quickest test of any distillation loss.",
)
def bug_soft_targets(teacher_logits, student_logits):
    """Mean loss of a row; 0 for a student that equals its teacher. (N, V), (N, V) -> scalar"""
    p = F.softmax(teacher_logits, dim=-1)
    log_q = F.log_softmax(student_logits, dim=-1)
    return F.kl_div(log_q, p, reduction="batchmean")


for _rows, _words in ((4, 3), (2, 9), (5, 30)):
    bug_soft_targets.probe(
        f"{_rows} rows, {_words} words",
        normal(_rows, _words, seed=_words, scale=1.5),
        normal(_rows, _words, seed=_words + 1, scale=1.5),
    )
_equal = normal(3, 5, seed=35)
bug_soft_targets.probe("a student equal to its teacher", _equal, _equal)


@bug_soft_targets.also
def soft_targets_by_hand(teacher_logits, student_logits):
    return _kl(teacher_logits, student_logits).mean()


def _soft_ce(teacher_logits, student_logits):
    return F.cross_entropy(student_logits, teacher_logits.softmax(dim=-1))


_name(
    bug_soft_targets,
    (
        "softmax-twice",
        "the student's probabilities go through a second softmax",
        "one softmax for each model",
        lambda t, s: _kl(t, s.softmax(dim=-1)).mean(),
    ),
    (
        "softmax-twice",
        "cross_entropy takes logits and is given probabilities: there are two softmaxes",
        "one softmax for each of the models",
        lambda t, s: _soft_ce(t, s.softmax(dim=-1)),
    ),
    (
        "hard-for-soft",
        "the shown code is unchanged: its targets are one-hot, its mean runs over the vocabulary",
        "targets with mass on other words than the first choice",
        broken_soft_targets,
    ),
    (
        "hard-for-soft",
        "the targets are still one-hot: only the teacher's first choice enters",
        "the teacher's doubts enter as well",
        lambda t, s: F.cross_entropy(s, t.argmax(dim=-1)),
    ),
    (
        "mean-over-vocab",
        "the targets are soft now, and the sum is still divided by the size of the vocabulary",
        "a mean over the rows alone",
        lambda t, s: _kl(t, s).mean() / t.shape[-1],
    ),
    (
        "ce-called-kl",
        "a student that equals its teacher still has a loss: the teacher's entropy",
        "0 for a perfect match",
        _soft_ce,
    ),
    (
        "kl-reversed",
        "the student's probabilities are the weights",
        "the KL from teacher to student",
        lambda t, s: _kl(s, t).mean(),
    ),
    (
        "sum-for-mean",
        "the loss grows with the number of rows",
        "a mean over the rows",
        lambda t, s: _kl(t, s).sum(),
    ),
    (
        "probs-for-log-probs",
        "the student's probabilities stand where their logarithms are expected",
        "a loss that is never negative",
        lambda t, s: F.kl_div(s.softmax(dim=-1), t.softmax(dim=-1), reduction="batchmean"),
    ),
    (
        "logits-for-probabilities",
        "the logits themselves are compared, by their squared distance",
        "a divergence of distributions",
        lambda t, s: F.mse_loss(s, t),
    ),
)


# Room 4: two arguments, each with its own convention


def broken_two_directions(teacher_logits, student_logits):
    p = F.softmax(teacher_logits, dim=-1)
    q = F.softmax(student_logits, dim=-1)
    forward = F.kl_div(p, q, reduction="none").sum(dim=-1)
    reverse = F.kl_div(q, p, reduction="none").sum(dim=-1)
    return forward, reverse


@code(
    source=(),
    difficulty=2,
    minutes=8,
    prompt=_with_code(
        "Both results are negative for most rows. Write `bug_two_directions(teacher_logits, "
        "student_logits)` without the bugs: the pair (KL(P || Q), KL(Q || P)) of each row, P the "
        "teacher's distribution and Q the student's. Logits (N, V) of any size.",
        broken_two_directions,
    ),
    hints=(
        "`F.kl_div(input, target)`: which of the two is expected as logarithms?",
        "Its target is the distribution that weighs: the order is the reverse of KL(P || Q).",
        "Two log-softmaxes. The input of the first direction is the logarithm of q, its target p.",
    ),
    explanation="The target weighs and is a probability, the input is a logarithm and comes first.",
)
def bug_two_directions(teacher_logits, student_logits):
    """KL(P || Q) and KL(Q || P) of each row. (N, V), (N, V) -> (N,), (N,)"""
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_q = F.log_softmax(student_logits, dim=-1)
    forward = F.kl_div(log_q, log_p.exp(), reduction="none").sum(dim=-1)
    reverse = F.kl_div(log_p, log_q.exp(), reduction="none").sum(dim=-1)
    return forward, reverse


for _rows, _words in ((4, 3), (3, 8), (1, 5)):
    bug_two_directions.probe(
        f"{_rows} rows, {_words} words",
        normal(_rows, _words, seed=_words + 40, scale=1.5),
        normal(_rows, _words, seed=_words + 60, scale=1.5),
    )
bug_two_directions.probe(
    "logits far apart",
    torch.tensor([[0.0, 300.0, 298.0], [-400.0, 0.0, 1.0]]),
    torch.tensor([[300.0, 0.0, 299.0], [1.0, -500.0, 0.0]]),
    points_to="zero-log-zero",
    expected="finite values, as all logits are finite",
)


@bug_two_directions.also
def two_directions_by_hand(teacher_logits, student_logits):
    return _kl(teacher_logits, student_logits), _kl(student_logits, teacher_logits)


def _directions(pick):
    """pick(log_p, log_q) -> the two results."""
    return lambda t, s: pick(F.log_softmax(t, dim=-1), F.log_softmax(s, dim=-1))


def _kl_div(input, target):
    return F.kl_div(input, target, reduction="none").sum(dim=-1)


_name(
    bug_two_directions,
    (
        "softmax-wrong-axis",
        "the softmaxes run over the rows",
        "a distribution over the words in each row",
        lambda t, s: (
            (t.softmax(0) * (t.log_softmax(0) - s.log_softmax(0))).sum(dim=-1),
            (s.softmax(0) * (s.log_softmax(0) - t.log_softmax(0))).sum(dim=-1),
        ),
    ),
    (
        "probs-for-log-probs",
        "the shown code is unchanged: no argument is a logarithm, and the order is not that of KL",
        "divergences: never negative, and 0 only for equal distributions",
        broken_two_directions,
    ),
    (
        "kl-reversed",
        "the logarithms are in place, and the two directions are exchanged",
        "the weights of the first result come from the teacher",
        _directions(lambda p, q: (_kl_div(p, q.exp()), _kl_div(q, p.exp()))),
    ),
    (
        "probs-for-log-probs",
        "the order is right, and probabilities still stand where logarithms are expected",
        "values that are never negative",
        _directions(lambda p, q: (_kl_div(q.exp(), p.exp()), _kl_div(p.exp(), q.exp()))),
    ),
    (
        "log-for-probability",
        "both arguments are logarithms now, also the one that weighs",
        "weights that are probabilities",
        _directions(lambda p, q: (_kl_div(q, p), _kl_div(p, q))),
    ),
    (
        "logits-for-probabilities",
        "logits stand where log-probabilities are expected: their normaliser is missing",
        "inputs that are normalised",
        lambda t, s: (_kl_div(s, t.softmax(dim=-1)), _kl_div(t, s.softmax(dim=-1))),
    ),
    (
        "kl-reversed",
        "both results are the same direction",
        "two directions, which differ unless the models agree",
        lambda t, s: (_kl(t, s), _kl(t, s)),
    ),
    (
        "mean-over-vocab",
        "each row is averaged over the vocabulary",
        "a sum over the vocabulary",
        lambda t, s: (_kl(t, s) / t.shape[-1], _kl(s, t) / t.shape[-1]),
    ),
    (
        "batch-for-row",
        "there is one pair for the whole batch",
        "one pair for each row",
        lambda t, s: (_kl(t, s).mean(), _kl(s, t).mean()),
    ),
    (
        "ce-called-kl",
        "both results are cross-entropies: too large by the entropy of the weights",
        "0 where both models agree",
        _directions(lambda p, q: (-(p.exp() * q).sum(dim=-1), -(q.exp() * p).sum(dim=-1))),
    ),
    (
        "zero-log-zero",
        "right for moderate logits, NaN or infinite for logits far apart",
        "logarithms that are not taken of probabilities which have vanished",
        _directions(
            lambda p, q: (
                (p.exp() * (p.exp() / q.exp()).log()).sum(dim=-1),
                (q.exp() * (q.exp() / p.exp()).log()).sum(dim=-1),
            )
        ),
    ),
)


# Room 5: the divergence that was rounded away


def broken_small_kl(teacher_logits, student_logits):
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_q = F.log_softmax(student_logits, dim=-1)
    terms = log_p.exp() * (log_p - log_q)
    return terms.clamp(min=0).float().sum(dim=-1)  # a KL is at least 0


@code(
    source=(),
    difficulty=2,
    minutes=6,
    atol=1e-5,
    prompt=_with_code(
        "A student that is nearly as good as its teacher still shows a large KL here, in every "
        "precision; in bfloat16 it is worse. Write `bug_small_kl(teacher_logits, student_logits)` "
        "without the two bugs: the KL from teacher to student of each row. Logits (N, V), in "
        "float32 or in bfloat16.",
        broken_small_kl,
    ),
    hints=(
        "A sum may be at least 0 without all of its terms being so.",
        (
            "In bfloat16 a logarithm near -10 has steps of 1/16. Where does the conversion have "
            "to stand?"
        ),
        "Convert both models' logits with `.float()` before the log-softmax, and clamp nothing.",
    ),
    explanation="Where the student gives a word more than the teacher does, its term is negative.",
)
def bug_small_kl(teacher_logits, student_logits):
    """KL from teacher to student of each row, exact enough also where it is small. -> (N,)"""
    log_p = F.log_softmax(teacher_logits.float(), dim=-1)
    log_q = F.log_softmax(student_logits.float(), dim=-1)
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1)


def _nearly_equal(rows: int, words: int, gap: float, seed: int) -> tuple[Tensor, Tensor]:
    teacher = normal(rows, words, seed=seed)
    return teacher, teacher + normal(rows, words, seed=seed + 1, scale=gap)


bug_small_kl.probe("3 rows, 6 words", *_nearly_equal(3, 6, 1.0, 80))
bug_small_kl.probe("2 rows, 50 words", *_nearly_equal(2, 50, 0.5, 82))
bug_small_kl.probe("4 rows, 9 words", *_nearly_equal(4, 9, 0.3, 84))
for _rows, _words in ((2, 4000), (3, 500)):
    bug_small_kl.probe(
        f"{_rows} rows, {_words} words, bfloat16",
        *(logits.bfloat16() for logits in _nearly_equal(_rows, _words, 0.1, _words)),
        points_to="half-precision-softmax",
        expected="the divergence that belongs to these logits, to three digits",
    )


@bug_small_kl.also
def small_kl_by_library(teacher_logits, student_logits):
    p, q = (
        torch.distributions.Categorical(logits=x.double()) for x in (teacher_logits, student_logits)
    )
    return torch.distributions.kl_divergence(p, q)


def _terms(t: Tensor, s: Tensor) -> Tensor:
    log_p, log_q = (F.log_softmax(x, dim=-1).float() for x in (t, s))
    return log_p.exp() * (log_p - log_q)


_name(
    bug_small_kl,
    (
        "batch-for-row",
        "there is one value for the whole batch",
        "one value for each row",
        lambda t, s: _kl(t.float(), s.float()).mean(),
    ),
    (
        "terms-clamped",
        "the shown code is unchanged: negative terms are cut off, and the logarithms are coarse",
        "a sum of all terms, in full precision",
        broken_small_kl,
    ),
    (
        "terms-clamped",
        "the precision is mended; the negative terms are still cut off, so the sum is too large",
        "a sum in which terms of both signs cancel",
        lambda t, s: _terms(t.float(), s.float()).clamp(min=0).sum(dim=-1),
    ),
    (
        "terms-clamped",
        "the negative terms are counted as positive",
        "terms that keep their signs",
        lambda t, s: _terms(t.float(), s.float()).abs().sum(dim=-1),
    ),
    (
        "half-precision-softmax",
        "the log-softmax runs in bfloat16: converting its result brings no digit back",
        "a conversion of the logits themselves",
        lambda t, s: _terms(t, s).sum(dim=-1),
    ),
    (
        "half-precision-softmax",
        "everything runs in the precision that the logits come in",
        "float32, whatever the logits come in",
        _kl,
    ),
    (
        "kl-reversed",
        "the student's probabilities are the weights",
        "the KL from teacher to student",
        lambda t, s: _kl(s.float(), t.float()),
    ),
    (
        "ce-called-kl",
        "a student nearly equal to its teacher has a large loss: the teacher's entropy",
        "a value near 0 for models nearly equal",
        lambda t, s: -(t.float().softmax(-1) * s.float().log_softmax(-1)).sum(dim=-1),
    ),
    (
        "mean-over-vocab",
        "each row is averaged over the vocabulary",
        "a sum over the vocabulary",
        lambda t, s: _kl(t.float(), s.float()) / t.shape[-1],
    ),
)


# Room 6: the student that stood still


def broken_training_step(teacher, student, x, rate):
    parameters = [*teacher.parameters(), *student.parameters()]
    optimiser = torch.optim.SGD(parameters, lr=rate)
    log_p = F.log_softmax(teacher(x), dim=-1)
    log_q = F.log_softmax(teacher(x), dim=-1)
    loss = F.kl_div(log_q, log_p.exp(), reduction="batchmean")
    loss.backward()
    optimiser.step()
    return loss.item()


@code(
    source=(),
    difficulty=4,
    minutes=12,
    prompt=_with_code(
        "After a refactoring the student learns nothing from its teacher. Write "
        "`bug_training_step(teacher, student, x, rate)` without the bugs: one step of plain "
        "gradient descent on the student, for the mean over the rows of the KL from teacher to "
        "student; return the loss from before the step. Both models are modules that give logits "
        "(B, V); the teacher has dropout and comes in training mode, and the student's parameters "
        "may hold old gradients. The teacher must come out as it went in, without gradients.",
        broken_training_step,
    ),
    hints=(
        "For each model: in which mode, with or without gradient, and who updates it?",
        (
            "Follow the name `student` through the code. What happens to gradients that are there "
            "already?"
        ),
        (
            "teacher.eval(); its output under no_grad; log_q from the student; an optimiser of the "
            "student's parameters alone; zero_grad, backward, step, in this order."
        ),
    ),
    explanation="Two assertions catch most of it: the student has moved, the teacher has not.",
)
def bug_training_step(teacher, student, x, rate):
    """One step of the student towards the teacher's answers; the loss from before it. -> number"""
    teacher.eval()
    with torch.no_grad():
        log_p = F.log_softmax(teacher(x), dim=-1)
    optimiser = torch.optim.SGD(student.parameters(), lr=rate)
    optimiser.zero_grad()
    loss = F.kl_div(F.log_softmax(student(x), dim=-1), log_p.exp(), reduction="batchmean")
    loss.backward()
    optimiser.step()
    return loss.item()


def _two_models(seed: int, words: int) -> tuple[nn.Module, nn.Module]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        teacher = nn.Sequential(nn.Linear(4, 9), nn.Tanh(), nn.Dropout(0.5), nn.Linear(9, words))
        student = nn.Linear(4, words)
    with torch.no_grad():
        teacher[-1].weight.mul_(4.0)  # a teacher with opinions
    return teacher.train(), student


def _float(loss) -> float:
    return float(torch.as_tensor(loss).detach())


def _after_a_step(answer, teacher, student, x, rate):
    """The loss; the student's moves; whether the teacher moved, has gradients, is random."""
    fresh = copy.deepcopy((teacher, student))
    for p in student.parameters():
        p.grad = torch.full_like(p, 0.3)  # left over from an earlier step
    before = [p.detach().clone() for m in (teacher, student) for p in m.parameters()]
    if (loss := answer(teacher, student, x, rate)) is None:
        return None
    after = [p.detach() for m in (teacher, student) for p in m.parameters()]
    moves = [new - old for new, old in zip(after, before)]
    kept = len(list(teacher.parameters()))
    torch.manual_seed(1)  # a second call meets other dropout, if there is any
    again = answer(*fresh, x, rate)
    return (
        loss,
        torch.cat([move.flatten() for move in moves[kept:]]),
        any(bool(move.any()) for move in moves[:kept]),
        any(p.grad is not None for p in teacher.parameters()),
        abs(_float(again) - _float(loss)) > 1e-6,
    )


for _seed, _rows, _words, _rate in ((1, 5, 3, 0.5), (2, 3, 6, 2.0), (3, 8, 4, 0.1)):
    bug_training_step.probe(
        f"{_rows} rows, {_words} words",
        *_two_models(_seed, _words),
        normal(_rows, 4, seed=_seed + 100, scale=2.0),
        _rate,
        measure=_after_a_step,
    )


@bug_training_step.also
def training_step_by_hand(teacher, student, x, rate):
    target = teacher.eval()(x).detach().softmax(-1)
    log_q = student(x).log_softmax(-1)
    loss = (target * (target.log() - log_q)).sum() / len(x)
    parameters = list(student.parameters())
    with torch.no_grad():
        for p, gradient in zip(parameters, torch.autograd.grad(loss, parameters)):
            p -= rate * gradient
    return loss


def _trained(mode=True, attached=False, who="student", clear=True, step=True, loss=None, sign=1):
    """The step with one thing changed."""

    def answer(teacher, student, x, rate):
        teacher.train(not mode)
        log_p = F.log_softmax(teacher(x), dim=-1)
        log_p = log_p if attached else log_p.detach()
        log_q = F.log_softmax((teacher if who == "teacher" else student)(x), dim=-1)
        value = loss(log_p, log_q) if loss else F.kl_div(log_q, log_p.exp(), reduction="batchmean")
        models = [student, teacher] if who == "both" else [student]
        optimiser = torch.optim.SGD([p for m in models for p in m.parameters()], lr=rate)
        if clear:
            optimiser.zero_grad()
        (sign * value).backward()
        if step:
            optimiser.step()
        return value.item()

    return answer


@bug_training_step.symptom(
    "teacher-used-as-student",
    seen="the loss is 0, and the student has not moved",
    expected="a loss that depends on the student",
)
def _(results):
    return all(abs(float(r[0])) < 1e-6 and not r[1].any() for r in results.values())


for _place, _id, _seen, _expected in (
    (2, "teacher-trained", "the teacher's parameters have moved", "a step of one model only"),
    (3, "teacher-gets-gradient", "the teacher has gradients", "no graph through the teacher"),
    (
        4,
        "teacher-in-train-mode",
        "two calls on the same input give different losses: the teacher's dropout is on",
        "a teacher that gives the same answer twice",
    ),
):
    bug_training_step.symptom(_id, seen=_seen, expected=_expected)(
        lambda results, place=_place: any(r[place] for r in results.values())
    )

_name(
    bug_training_step,
    (
        "sum-for-mean",
        "the loss grows with the number of rows",
        "a mean over the rows",
        _trained(loss=lambda p, q: (p.exp() * (p - q)).sum()),
    ),
    (
        "probs-for-log-probs",
        "the student's probabilities stand where their logarithms are expected",
        "a loss that is never negative",
        _trained(loss=lambda p, q: (p.exp() * (p - q.exp())).sum(dim=-1).mean()),
    ),
    (
        "teacher-used-as-student",
        "the shown code is unchanged: the student is not asked, and moves by old gradients alone",
        "a loss that compares two models, and a step of one of them",
        broken_training_step,
    ),
    (
        "teacher-used-as-student",
        "the teacher is compared with itself: the loss is 0",
        "the second distribution is the student's",
        _trained(who="teacher"),
    ),
    (
        "teacher-in-train-mode",
        "the teacher's dropout is on: another call gives another loss",
        "targets that are not random",
        _trained(mode=False),
    ),
    (
        "teacher-gets-gradient",
        "after the step the teacher's parameters hold gradients: eval() does not prevent that",
        "a teacher outside of the graph",
        _trained(attached=True),
    ),
    (
        "teacher-trained",
        "the teacher is updated too, and comes to meet the student",
        "a teacher that stays where it was",
        _trained(attached=True, who="both"),
    ),
    (
        "gradients-not-cleared",
        "the student's step contains gradients from before",
        "a step that is made of this batch alone",
        _trained(clear=False),
    ),
    (
        "student-gets-no-gradient",
        "the loss is right, and the student is the same as before",
        "a student that has moved",
        _trained(step=False),
    ),
    (
        "argmax-sign",
        "the student moves away from the teacher",
        "a step downhill",
        _trained(sign=-1),
    ),
    (
        "kl-reversed",
        "the student's probabilities are the weights",
        "the KL from teacher to student",
        _trained(loss=lambda p, q: (q.exp() * (q - p)).sum(dim=-1).mean()),
    ),
    (
        "ce-called-kl",
        "the student's step is right, and the loss too large by the teacher's entropy",
        "a loss that is 0 for a perfect match",
        _trained(loss=lambda p, q: -(p.exp() * q).sum(dim=-1).mean()),
    ),
    (
        "mean-over-vocab",
        "the loss is divided by the size of the vocabulary as well",
        "a mean over the rows alone",
        _trained(loss=lambda p, q: (p.exp() * (p - q)).mean()),
    ),
    (
        "hard-for-soft",
        "only the teacher's first choice enters",
        "the teacher's whole distribution",
        _trained(loss=lambda p, q: F.nll_loss(q, p.argmax(dim=-1))),
    ),
)


# Which symptom belongs to which bug

bug_behind_the_symptom = choice(
    "bug-behind-the-symptom",
    source=(),
    difficulty=3,
    minutes=4,
    prompt=(
        "From its first step on, a run logs a distillation loss of exactly 0. On validation text "
        "the student's loss is far above the teacher's, and it does not change. Neither does the "
        "teacher's. Which bug explains all of this?"
    ),
    hints=(
        "For each bug: would the loss be exactly 0? Would the models differ? Would anything move?",
        "A loss of 0 says that the two things compared are equal. Are the two models equal?",
        "The student exists and is bad; the loss does not know about it.",
    ),
    options=(
        wrong(
            "Teacher and student are one module, assigned and not copied.",
            "shared-module",
            seen="then both would have the same validation loss",
            expected="two models that differ",
        ),
        wrong(
            "The teacher is in training mode.",
            "teacher-in-train-mode",
            seen="dropout makes targets random, and a random target is never matched exactly",
            expected="a reason for a loss of exactly 0",
        ),
        wrong(
            "The factor T squared is missing.",
            "missing-t-squared",
            seen="that makes a loss smaller, not 0, and the student would still learn a little",
            expected="a reason why nothing moves",
        ),
        wrong(
            "The cached teacher rows are in another order than the batch.",
            "rows-shuffled",
            seen="then the loss would be large: the targets belong to other inputs",
            expected="a reason why the two sides agree",
        ),
        right(
            "The teacher's logits stand on both sides of the loss.",
            "A divergence of a thing from itself is 0, and no gradient reaches the student. The "
            "test for it: after backward(), every student parameter has a gradient that is not 0.",
        ),
        wrong(
            "The student's output was detached before the loss.",
            "student-gets-no-gradient",
            seen="then nothing moves, but the loss shows the distance between the models",
            expected="a reason for a loss of exactly 0 as well",
        ),
    ),
)
