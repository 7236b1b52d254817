"""Exercises of chapter 6: noisy labels (Q27)."""

from __future__ import annotations

import math

import torch

from kdlib.exercises.choices import choice, right, wrong
from kdlib.exercises.derivations import derivation
from kdlib.exercises.functions import code
from kdlib.exercises.inputs import distributions, normal
from kdlib.exercises.numbers import number

# Which way to move lambda


noise_and_lambda = derivation(
    "noise-and-lambda",
    source=("Q25", "Q27"),
    difficulty=2,
    minutes=4,
    prompt=(
        "A third of the labels are wrong; the teacher is reliable. Fill in `up` or `down`:\n\n"
        "- F6 maximises the sum of log Q(y) - lambda KL(P||Q). Move lambda [1].\n"
        "- A program minimises (1 - alpha) CE + alpha KD. Move alpha [2].\n"
        "- Another program minimises beta CE + (1 - beta) KD. Move beta [3].\n"
        "- Later the labels are corrected by hand, and the teacher is found to be biased. In F6, "
        "move lambda [4]."
    ),
    hints=(
        "Ask of each coefficient which term it multiplies, and whether it rewards or charges.",
        "In F6 lambda charges for the distance from the teacher. Is that source to be trusted?",
        "The name of a coefficient says nothing: beta stands where alpha has 1 - alpha.",
    ),
    blanks=("up", "up", "down", "down"),
    explanation="In every convention: more weight for the term of the source that you trust more.",
)
noise_and_lambda.wrong(
    1,
    "down",
    "lambda-direction",
    seen="blank [1] leaves more of the decision to the labels, of which a third are wrong",
    expected="more trust in the reliable source; minus a divergence is a charge for leaving it",
)
noise_and_lambda.wrong(
    2,
    "down",
    "lambda-direction",
    seen="blank [2] takes weight from the teacher's term and gives it to the labels' term",
    expected="more weight on the term of the reliable source",
)
noise_and_lambda.wrong(
    3,
    "up",
    "conventions-mixed",
    seen="blank [3] treats beta like alpha, but beta multiplies the labels' term",
    expected="less weight on the term of the unreliable source",
)
noise_and_lambda.wrong(
    4,
    "up",
    "lambda-direction",
    seen="blank [4] trusts the biased source more",
    expected="more trust in the labels, now that they are right",
)


# What noise does to labels


@code(
    source=("Q27",),
    difficulty=2,
    minutes=6,
    prompt=(
        "Symmetric label noise: with probability `rate` a label is replaced by one of the V - 1 "
        "*other* words, all equally likely. Write `noisy_labels(p, rate)`: the distribution of the "
        "labels after the noise, where `p` (..., V) is the true one. `p` need not be one-hot."
    ),
    hints=(
        "There are two ways to end at a word: to start there and stay, or to arrive from another.",
        "All other words together have the probability 1 - p; each sends an equal part to each.",
        "(1 - rate) * p, plus rate times what arrives: (1 - p) over the number of other words.",
    ),
    explanation="Noise moves the distribution towards uniform, however many labels are collected.",
)
def noisy_labels(p, rate):
    """Distributions of the labels after symmetric noise; rows sum to 1. (..., V) -> (..., V)"""
    arriving = (1 - p) / (p.shape[-1] - 1)
    return (1 - rate) * p + rate * arriving


noisy_labels.probe("rate 0.2", distributions(2, 3, seed=1), 0.2)
noisy_labels.probe("rate 0.5", distributions(4, 6, seed=2), 0.5)
noisy_labels.probe("one-hot rows", torch.eye(5)[[1, 0, 4]], 0.3)
noisy_labels.probe("three dimensions", distributions(3, 2, 4, seed=3), 0.1)
noisy_labels.probe("no noise", distributions(2, 7, seed=4), 0.0)
noisy_labels.probe("every label is wrong", distributions(3, 4, seed=5), 1.0)
noisy_labels.probe("two words", torch.tensor([0.7, 0.3]), 0.25)


@noisy_labels.also
def noisy_labels_by_matrix(p, rate):
    words = p.shape[-1]
    noise = torch.full((words, words), rate / (words - 1)).fill_diagonal_(1 - rate)
    return p @ noise


noisy_labels.wrong(
    "noise-keeps-label",
    seen="a replaced label can come out as the word it was: fewer labels are wrong than asked",
    expected="a replacement that is always another word",
)(lambda p, rate: (1 - rate) * p + rate / p.shape[-1])
noisy_labels.wrong(
    "rest-not-renormalised",
    seen="every word receives the same, also what it sent off itself: rows sum to more than 1",
    expected="as much mass arrives as was sent off",
)(lambda p, rate: (1 - rate) * p + rate / (p.shape[-1] - 1))
noisy_labels.wrong(
    "rest-not-renormalised",
    seen="each word receives all that the others send off, as if it were the only receiver",
    expected="what is sent off is divided among the receivers",
)(lambda p, rate: (1 - rate) * p + rate * (1 - p))
noisy_labels.wrong(
    "complement-for-rate",
    seen="without noise every label is wrong, and with full noise none",
    expected="the rate is that of the wrong labels",
)(lambda p, rate: noisy_labels.reference(p, 1 - rate))
noisy_labels.wrong(
    "term-left-out",
    seen="mass is sent off and arrives nowhere: rows sum to less than 1",
    expected="a distribution: what leaves one word arrives at others",
)(lambda p, rate: (1 - rate) * p)
noisy_labels.wrong(
    "nothing-done",
    seen="the distributions come back without noise",
    expected="rows that depend on the rate",
)(lambda p, rate: p)


@noisy_labels.wrong(
    "top-entry-only",
    seen="only the most likely word loses mass, as if every row were one-hot",
    expected="every word loses the same share of its own mass",
)
def noisy_labels_of_one_hot(p, rate):
    top = torch.zeros_like(p).scatter(-1, p.argmax(dim=-1, keepdim=True), 1.0)
    return p - rate * top + rate * (1 - top) / (p.shape[-1] - 1)


@noisy_labels.symptom(
    "rest-not-renormalised",
    seen="there are rows that do not sum to 1",
    expected="distributions, at every rate",
)
def _(results):
    sums = torch.cat([torch.as_tensor(r).sum(dim=-1).flatten() for r in results.values()])
    return bool((sums.isfinite() & ((sums - 1).abs() > 1e-3)).any())


@code(
    source=("Q27",),
    difficulty=3,
    minutes=8,
    prompt=(
        "Some labels were checked by hand. Write `noise_matrix(true, given, words)`: entry (i, j) "
        "is the share of the examples with the true label i that were given the label j. `true` "
        "and `given` hold word numbers, (N,). Assume no noise for a word that is never true."
    ),
    hints=(
        "Count pairs first, then turn counts into shares.",
        "A row belongs to one true label, so each row sums to 1. Which rows would be 0 / 0?",
        "Count in a loop over zip(true, given); divide each row by its sum, if it is not 0.",
    ),
    explanation="p @ noise_matrix gives the distribution of given labels, for any noise.",
)
def noise_matrix(true, given, words):
    """Row i: how the examples with true label i were labelled; rows sum to 1. -> (words, words)"""
    counts = torch.zeros(words, words)
    for i, j in zip(true, given):
        counts[i, j] += 1
    totals = counts.sum(dim=1, keepdim=True)
    return torch.where(totals > 0, counts / totals.clamp(min=1), torch.eye(words))


def _labelled(count: int, words: int, seed: int, rate: float = 0.4):
    true = torch.cat([torch.arange(words), normal(count - words, words, seed=seed).argmax(dim=-1)])
    other = normal(count, words, seed=seed + 50).argmax(dim=-1)
    return true, torch.where(normal(count, seed=seed + 90) < rate, other, true), words


noise_matrix.probe("20 labels, 3 words", *_labelled(20, 3, seed=21))
noise_matrix.probe("40 labels, 5 words", *_labelled(40, 5, seed=22))
noise_matrix.probe(
    "one word becomes another", torch.tensor([0, 0, 0, 1, 1]), torch.tensor([0, 1, 1, 1, 1]), 2
)
noise_matrix.probe("6 labels, 4 words", *_labelled(6, 4, seed=23))
noise_matrix.probe(
    "a word that is never true",
    torch.tensor([0, 2, 2, 0]),
    torch.tensor([0, 1, 2, 0]),
    3,
    points_to="zero-log-zero",
    expected="a row that says 'no noise' where there is nothing to count",
)


@noise_matrix.also
def noise_matrix_by_product(true, given, words):
    eye = torch.eye(words)
    counts = eye[true].T @ eye[given]
    empty = counts.sum(dim=1) == 0
    counts[empty] = eye[empty]
    return counts / counts.sum(dim=1, keepdim=True)


def _counts(true, given, words):
    return torch.eye(words)[true].T @ torch.eye(words)[given]


noise_matrix.wrong(
    "condition-turned-round",
    seen="columns sum to 1: the shares are taken among the examples with one given label",
    expected="shares among the examples with one true label",
)(lambda true, given, words: noise_matrix.reference(given, true, words).T)
noise_matrix.wrong(
    "condition-turned-round",
    seen="a row belongs to a given label and says what was true",
    expected="a row belongs to a true label and says what was given",
)(lambda true, given, words: noise_matrix.reference(given, true, words))
noise_matrix.wrong(
    "wrong-axis",
    seen="the shares are right but stand in columns: true labels run along the wrong dimension",
    expected="true labels down the rows, given ones along them",
)(lambda true, given, words: noise_matrix.reference(true, given, words).T)
noise_matrix.wrong(
    "rest-not-renormalised",
    seen="the entries are counts",
    expected="shares: every row sums to 1",
)(_counts)
noise_matrix.wrong(
    "wrong-size-in-mean",
    seen="the whole matrix sums to 1: counts are divided by the number of all examples",
    expected="each row is divided by the examples of that row",
)(lambda true, given, words: _counts(true, given, words) / len(true))


@noise_matrix.wrong(
    "repeated-index",
    seen="a pair that occurs ten times counts like one that occurs once",
    expected="each example counts",
)
def noise_matrix_once(true, given, words):
    counts = _counts(true, given, words).clamp(max=1)
    totals = counts.sum(dim=1, keepdim=True)
    return torch.where(totals > 0, counts / totals.clamp(min=1), torch.eye(words))


@noise_matrix.wrong(
    "zero-log-zero",
    seen="the row of a word that is never true is NaN",
    expected="a usable row for each word, as the task says",
)
def noise_matrix_nan(true, given, words):
    counts = _counts(true, given, words)
    return counts / counts.sum(dim=1, keepdim=True)


@noise_matrix.wrong(
    "zero-log-zero",
    seen="the row of a word that is never true is all zeros",
    expected="a row that sums to 1 there as well",
)
def noise_matrix_zeros(true, given, words):
    counts = _counts(true, given, words)
    return counts / counts.sum(dim=1, keepdim=True).clamp(min=1)


@code(
    source=("Q27",),
    difficulty=3,
    minutes=8,
    prompt=(
        "Write `noise_rate(batches)`: the share of tokens whose given label differs from the "
        "checked one. `batches` is a list of triples (checked, given, mask) of shape (B, S), which "
        "differs between batches. The mask is 1 for a token and 0 for padding, where the labels "
        "mean nothing. Every token weighs the same."
    ),
    hints=(
        "A share is one count divided by another; the same positions enter both.",
        "Keep two sums over all batches: tokens that differ, and tokens.",
        "Add ((checked != given) * mask).sum() and mask.sum(); divide once, after the loop.",
    ),
    explanation="The rate decides how far to trust the labels, so it must not depend on batching.",
)
def noise_rate(batches):
    """Share of real tokens with a wrong label, over all batches. -> scalar"""
    wrong_tokens = sum(((checked != given) * mask).sum() for checked, given, mask in batches)
    tokens = sum(mask.sum() for _, _, mask in batches)
    return wrong_tokens / tokens


def _tokens(lengths: list[int], size: int, seed: int, left: bool = False, noise: float = 0.4):
    """Labels of sequences of these lengths, padded to `size`, with other labels in the padding."""
    mask = (torch.arange(size) < torch.tensor(lengths)[:, None]).int()
    mask = mask.flip(-1) if left else mask
    rows = len(lengths)
    checked = normal(rows, size, 9, seed=seed).argmax(dim=-1)
    differ = normal(rows, size, seed=seed + 40) < (noise - 0.5) * 2.5
    return checked, torch.where(differ | (mask == 0), (checked + 1) % 9, checked), mask


def _same_padding(batch):
    checked, given, mask = batch
    return checked, torch.where(mask == 0, checked, given), mask


noise_rate.probe(
    "batches of 2 and 15 tokens",
    [_tokens([2], 4, seed=31, noise=0.9), _tokens([6, 9], 10, seed=32, noise=0.3)],
)
noise_rate.probe(
    "three batches, padded on the left",
    [_tokens([n, 7], 8, seed=33 + n, left=True, noise=0.2 * n) for n in (1, 2, 3)],
)
noise_rate.probe("equal labels in the padding", [_same_padding(_tokens([3, 8, 5], 9, seed=38))])
noise_rate.probe("no padding", [_tokens([6, 6], 6, seed=39), _tokens([4], 4, seed=41, noise=0.8)])
noise_rate.probe(
    "no noise in the tokens",
    [_tokens([3, 5], 7, seed=42, noise=-9.0), _tokens([4], 6, seed=43, noise=-9.0)],
)


@noise_rate.also
def noise_rate_in_loops(batches):
    differ = [
        bool(a != b)
        for checked, given, mask in batches
        for a, b, m in zip(checked.flatten(), given.flatten(), mask.flatten())
        if m
    ]
    return sum(differ) / len(differ)


def _shares(batches, dim=None):
    """The share of wrong labels in each batch, or (dim=1) in each sequence."""
    shares = [((c != g) * m).sum(dim) / m.sum(dim) for c, g, m in batches]
    return torch.cat([share.reshape(-1) for share in shares])


def _over(batches, divisor):
    """Real tokens with a wrong label, divided by a sum over the masks."""
    return sum(((c != g) * m).sum() for c, g, m in batches) / sum(divisor(m) for _, _, m in batches)


noise_rate.wrong(
    "mean-of-means",
    seen="batches weigh the same, however many tokens they have",
    expected="every token weighs the same, in whichever batch it is",
)(lambda batches: _shares(batches).mean())
noise_rate.wrong(
    "mean-of-means",
    seen="sequences weigh the same, however long they are",
    expected="every token weighs the same, in whichever sequence it is",
)(lambda batches: _shares(batches, dim=1).mean())
noise_rate.wrong(
    "mean-of-means",
    seen="means are taken three times: of sequences, of batches, of all",
    expected="one division, at the end",
)(lambda batches: torch.stack([_shares([batch], dim=1).mean() for batch in batches]).mean())
noise_rate.wrong(
    "padding-counted",
    seen="padding is counted like tokens, above and below the fraction bar",
    expected="the mask applied to both counts",
)(lambda batches: torch.cat([(c != g).flatten() for c, g, _ in batches]).float().mean())
noise_rate.wrong(
    "padding-counted",
    seen="padding is left out of the wrong labels, and still divides them",
    expected="a division by the number of real tokens",
)(lambda batches: _over(batches, torch.numel))
noise_rate.wrong(
    "padding-counted",
    seen="padding counts among the wrong labels, so that the share can exceed 1",
    expected="only real tokens among the wrong labels",
)(lambda batches: sum((c != g).sum() for c, g, _ in batches) / sum(m.sum() for _, _, m in batches))
noise_rate.wrong(
    "padding-counted",
    seen="padding counts like tokens, and batches weigh the same",
    expected="the mask in both counts, and one division for all batches",
)(lambda batches: torch.stack([(c != g).float().mean() for c, g, _ in batches]).mean())
noise_rate.wrong(
    "padding-counted",
    seen="each batch is divided by its size with padding, and batches weigh the same",
    expected="one division for all batches, by the number of real tokens",
)(lambda batches: torch.stack([((c != g) * m).float().mean() for c, g, m in batches]).mean())
noise_rate.wrong(
    "divided-twice",
    seen="the batches' shares are added and divided by the number of tokens once more",
    expected="one division, at the end",
)(lambda batches: _shares(batches).sum() / sum(m.sum() for _, _, m in batches))
noise_rate.wrong(
    "divided-twice",
    seen="the share is divided by the number of tokens again",
    expected="a share that does not shrink as data are added",
)(lambda batches: noise_rate.reference(batches) / sum(m.sum() for _, _, m in batches))
noise_rate.wrong(
    "divided-twice",
    seen="the share of all tokens is divided by the number of batches",
    expected="a share that does not depend on the cut into batches",
)(lambda batches: noise_rate.reference(batches) / len(batches))
noise_rate.wrong(
    "batchmean-over-sequences",
    seen="the wrong labels are divided by the number of sequences",
    expected="a share of tokens, never above 1",
)(lambda batches: _over(batches, len))
noise_rate.wrong(
    "sum-for-mean",
    seen="the result is a number of tokens, not a share",
    expected="something that does not grow with the data",
)(lambda batches: sum(((c != g) * m).sum() for c, g, m in batches))
noise_rate.wrong(
    "sum-for-mean",
    seen="the batches' shares are added up",
    expected="one share for all batches together, never above 1",
)(lambda batches: _shares(batches).sum())
noise_rate.wrong(
    "complement-for-rate",
    seen="clean labels give 1: the share of right labels",
    expected="0 for clean labels",
)(lambda batches: 1 - noise_rate.reference(batches))


# The best lambda


best_lambda_in_theory = derivation(
    "best-lambda-in-theory",
    source=("Q27",),
    difficulty=4,
    minutes=8,
    symbols=("s", "b", "w", "n"),
    prompt=(
        "Take one word's probability. Its label is right on average and scatters with variance s; "
        "the teacher is off by a fixed amount whose square is b. The best student of F6 is (1 - w) "
        "label + w teacher, where w = lambda / (1 + lambda). Fill in formulas:\n\n"
        "- The expected squared error of the mixture is [1], in s, b and w.\n"
        "- It is least at w = [2].\n"
        "- In F6 that is lambda = [3].\n"
        "- If n independent labels are averaged for each input, the best lambda is [4]."
    ),
    hints=(
        "A scatter and a fixed error have no cross term on average: their squares add.",
        "Scaling a quantity by c scales its variance, and its square, by c squared.",
        "Set the derivative in w to 0; solve w = lambda / (1 + lambda). An average of n has s/n.",
    ),
    blanks=("(1 - w)**2 * s + w**2 * b", "s / (s + b)", "s / b", "s / (n * b)"),
    explanation=(
        "The best lambda is noise over teacher error. It is 0 only for perfect labels. "
        "The error there, s b / (s + b), is below that of either source alone."
    ),
)
for _blank, _text, _id, _seen, _expected in (
    (
        1, "(1 - w) * s + w * b", "square-forgotten",
        "blank [1] is linear in w: a mixture could never be better than both sources",
        "errors that shrink faster than their weights",
    ),
    (
        1, "w**2 * s + (1 - w)**2 * b", "lambda-direction",
        "blank [1] gives the weight w to the label",
        "the weights as the mixture has them",
    ),
    (
        1, "((1 - w) * s + w * b)**2", "square-forgotten",
        "blank [1] squares what is a square already",
        "a quantity in the same unit as the two that were given",
    ),
    (
        2, "b / (s + b)", "lambda-direction",
        "blank [2] trusts the teacher the more, the worse it is",
        "a share of the teacher that falls with its error",
    ),
    (
        2, "s / b", "conventions-mixed",
        "blank [2] can exceed 1: it is the unbounded coefficient",
        "a share between 0 and 1",
    ),
    (
        2, "1 / 2", "argument-ignored",
        "blank [2] is the same for every noise and every teacher",
        "a share that depends on both errors",
    ),
    (
        3, "b / s", "lambda-direction",
        "blank [3] falls when the labels become noisier",
        "more weight on the teacher when the labels are noisier",
    ),
    (
        3, "s / (s + b)", "conventions-mixed",
        "blank [3] is the share w itself",
        "the coefficient that belongs to this share",
    ),
    (
        4, "n * s / b", "lambda-direction",
        "blank [4] grows with the number of labels, although their average is less noisy",
        "less need of the teacher when the labels are better",
    ),
    (
        4, "s / b", "argument-ignored",
        "blank [4] does not contain n",
        "the variance of an average",
    ),
    (
        4, "s / (n**2 * b)", "square-forgotten",
        "blank [4] lets the variance of an average fall with the square of n",
        "the variance of a sum of n independent labels, over n squared",
    ),
):  # fmt: skip
    best_lambda_in_theory.wrong(_blank, _text, _id, seen=_seen, expected=_expected)


@code(
    source=("Q27",),
    difficulty=4,
    minutes=10,
    prompt=(
        "In a toy world the truth is known. Write `best_lambda(truth, labels, teacher, lambdas)`; "
        "the first three are distributions (N, V). For each lambda the student is the optimum of "
        "F6, (labels + lambda teacher) / (1 + lambda). Return a pair: the mean over rows of "
        "KL(truth||student) for each lambda, and the lambda where it is least. The truth may hold "
        "exact zeros."
    ),
    hints=(
        "What a student learns from and what it is judged by are two different things here.",
        "For each lambda: build the student, compare it with the truth, keep one mean.",
        "xlogy(truth, truth) - xlogy(truth, student), summed over words; then the mean over rows.",
    ),
    explanation="Noisy labels cannot make this choice: they prefer the student that copies them.",
)
def best_lambda(truth, labels, teacher, lambdas):
    """Each student's mean distance from the truth, and the best lambda. -> (K,), number"""
    losses = []
    for x in lambdas:
        student = (labels + x * teacher) / (1 + x)
        kl = torch.xlogy(truth, truth) - torch.xlogy(truth, student)
        losses.append(kl.sum(dim=-1).mean())
    losses = torch.stack(losses)
    return losses, lambdas[int(losses.argmin())]


def _world(rows: int, words: int, seed: int, noise: float, bias: float):
    """Truth, noisy labels, and a teacher that is drawn towards a word of its own."""
    truth = distributions(rows, words, seed=seed)
    teacher = (1 - bias) * truth + bias * torch.eye(words)[seed % words]
    return truth, noisy_labels.reference(truth, noise), teacher


best_lambda.probe(
    "noisy labels, good teacher", *_world(5, 4, 51, 0.5, 0.1), [0.0, 0.5, 2.0, 8.0, 30.0]
)
best_lambda.probe("good labels, biased teacher", *_world(3, 6, 52, 0.1, 0.5), [4.0, 1.0, 0.1, 0.0])
best_lambda.probe("both are off", *_world(4, 3, 53, 0.4, 0.35), [0.0, 0.3, 1.0, 3.0, 9.0, 27.0])
best_lambda.probe("one row", *_world(1, 5, 54, 0.3, 0.3), [3.0, 0.25, 1.0])
best_lambda.probe(
    "exact zeros in the truth",
    torch.tensor([[0.0, 1.0, 0.0], [0.5, 0.5, 0.0]]),
    torch.tensor([[0.2, 0.6, 0.2], [0.4, 0.4, 0.2]]),
    torch.tensor([[0.1, 0.8, 0.1], [0.7, 0.2, 0.1]]),
    [0.5, 0.0, 2.0],
    points_to="zero-log-zero",
    expected="0 log 0 counts as 0",
)


@best_lambda.also
def best_lambda_broadcast(truth, labels, teacher, lambdas):
    w = torch.tensor([x / (1 + x) for x in lambdas])[:, None, None]
    ratio = torch.where(truth > 0, truth / torch.lerp(labels, teacher, w), 1.0)
    losses = (truth * ratio.log()).sum(dim=-1).mean(dim=-1)
    return losses.tolist(), min(zip(losses.tolist(), lambdas))[1]


def _answer(score, student=lambda y, p, x: (y + x * p) / (1 + x), choose=torch.argmin):
    """An answer that gives every student a score(truth, labels, teacher, student)."""

    def answer(truth, labels, teacher, lambdas):
        students = [student(labels, teacher, x) for x in lambdas]
        losses = torch.stack([score(truth, labels, teacher, q) for q in students])
        return losses, lambdas[int(choose(losses))]

    return answer


def _kl(p, q):
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(dim=-1).mean()


def _true_kl(truth, labels, teacher, q):
    return _kl(truth, q)


best_lambda.wrong(
    "validated-on-noise",
    seen="students are judged by the noisy labels, which prefer the one that copies them",
    expected="students judged by what they should be near to",
)(_answer(lambda truth, labels, teacher, q: _kl(labels, q)))
best_lambda.wrong(
    "teacher-taken-for-truth",
    seen="students are judged by the teacher, so that the largest lambda always wins",
    expected="a judge that does not take part in the training",
)(_answer(lambda truth, labels, teacher, q: _kl(teacher, q)))
best_lambda.wrong(
    "argmax-sign",
    seen="the distances are right, and the lambda with the largest is returned",
    expected="the lambda whose student is nearest",
)(_answer(_true_kl, choose=torch.argmax))
best_lambda.wrong(
    "kl-reversed",
    seen="the student's probabilities are the weights in the divergence",
    expected="the truth's probabilities as the weights",
)(_answer(lambda truth, labels, teacher, q: _kl(q, truth)))
best_lambda.wrong(
    "ce-called-kl",
    seen="the lambda is right, but every distance is too large by the truth's own entropy",
    expected="a distance of 0 for a student that equals the truth",
)(_answer(lambda truth, labels, teacher, q: -torch.xlogy(truth, q).sum(dim=-1).mean()))
best_lambda.wrong(
    "top-1-for-match",
    seen="only the students' first choices are judged",
    expected="a distance between whole distributions",
)(_answer(lambda truth, labels, teacher, q: (q.argmax(-1) != truth.argmax(-1)).float().mean()))
best_lambda.wrong(
    "lambda-direction",
    seen="the larger lambda, the more the student copies the labels",
    expected="students that come nearer to the teacher as lambda grows",
)(_answer(_true_kl, lambda y, p, x: (x * y + p) / (1 + x)))
best_lambda.wrong(
    "conventions-mixed",
    seen="lambda is used as a share: above 1 the students have negative probabilities",
    expected="F6's coefficient, which has no upper bound",
)(_answer(_true_kl, lambda y, p, x: (1 - x) * y + x * p))
best_lambda.wrong(
    "rest-not-renormalised",
    seen="the students' rows sum to more than 1, which makes the distances too small",
    expected="students that are distributions",
)(_answer(_true_kl, lambda y, p, x: y + x * p))
for _id, _change, _seen, _expected in (
    (
        "index-for-value",
        lambda losses, best, truth, lambdas: (losses, lambdas.index(best)),
        "the distances are right, with a position in the list instead of a lambda",
        "one of the lambdas",
    ),
    (
        "sum-for-mean",
        lambda losses, best, truth, lambdas: (losses * len(truth), best),
        "the distances grow with the number of rows",
        "a mean over the rows",
    ),
    (
        "mean-over-vocab",
        lambda losses, best, truth, lambdas: (losses / truth.shape[-1], best),
        "the distances shrink as the vocabulary grows",
        "a sum over words, then a mean over rows",
    ),
    (
        "nats-for-bits",
        lambda losses, best, truth, lambdas: (losses / math.log(2), best),
        "the distances are in bits",
        "natural logarithms",
    ),
):
    best_lambda.wrong(_id, seen=_seen, expected=_expected)(
        lambda truth, labels, teacher, lambdas, change=_change: change(
            *best_lambda.reference(truth, labels, teacher, lambdas), truth, lambdas
        )
    )


when_no_lambda_helps = choice(
    "when-no-lambda-helps",
    source=("Q27",),
    difficulty=3,
    minutes=4,
    prompt=(
        "30% of the labels are wrong. The student is large enough and sees plenty of data. In "
        "which case is it no nearer to the truth for any lambda above 0 than it is at lambda 0?"
    ),
    hints=(
        "The best student is a mixture of the labels' distribution and the teacher's.",
        "A mixture of two different distributions that are equally far off is nearer than either.",
        "When does mixing change nothing at all?",
    ),
    options=(
        wrong(
            "The teacher, too, is wrong in 30% of cases, but in others than the labels.",
            "perfect-teacher-required",
            seen="errors of two kinds are partly cancelled by a mixture",
            expected="a case in which the second source adds nothing new",
        ),
        wrong(
            "The teacher is a smaller model than the student.",
            "bigger-is-better",
            seen="what counts is where the teacher errs, not how large it is",
            expected="an argument about the two distributions that are mixed",
        ),
        wrong(
            "The noise is uniform over the words: it averages out and leaves the teacher no work.",
            "noise-averages-out",
            seen="uniform noise flattens the labels' distribution, with any amount of data",
            expected="a case in which the noise stays and the teacher cannot reduce it",
        ),
        right(
            "The teacher was trained on the same noisy labels and reproduces their distribution.",
            "Mixing a distribution with itself changes nothing: both have the same errors.",
        ),
        wrong(
            "The teacher is imperfect: it is wrong in 10% of cases.",
            "perfect-teacher-required",
            seen="a source does not need to be without error to be better than the other one",
            expected="a comparison of the teacher's errors with those of the labels",
        ),
    ),
)


@number(
    source=("Q27",),
    difficulty=3,
    minutes=5,
    decimals=2,
    prompt=(
        "Of three classes the validation labels name a wrong one with probability 0.3, each of the "
        "two equally often and whatever the student does. The student agrees with 59% of them. "
        "How often is it right?"
    ),
    hints=(
        "Agreement with a label has two causes: both are right, or both are wrong alike.",
        "A wrong student meets a wrong label with probability 0.3 / 2.",
        "Solve 0.7 a + 0.15 (1 - a) = 0.59 for a.",
    ),
    explanation="Labels are kept more often than mistaken for one class, so rankings survive.",
)
def accuracy_behind_the_noise():
    """The accuracy on true labels that explains the agreement with noisy ones."""
    agreement, kept, hit = 0.59, 0.7, 0.3 / 2
    return (agreement - hit) / (kept - hit)


accuracy_behind_the_noise.wrong(
    "validated-on-noise",
    0.59,
    seen="the noisy labels are taken at their word",
    expected="a value that allows for the label being wrong",
)
accuracy_behind_the_noise.wrong(
    "term-left-out",
    0.59 / 0.7,
    seen="a wrong student is supposed never to agree with a wrong label",
    expected="both ways in which student and label can agree",
)
accuracy_behind_the_noise.wrong(
    "ratio-and-difference",
    0.59 + 0.3,
    seen="the rate of the noise is added, as if every wrong label had cost a right answer",
    expected="something that cannot exceed 1 for a student that is always right",
)
accuracy_behind_the_noise.wrong(
    "noise-keeps-label",
    (0.59 - 0.1) / (0.7 - 0.1),
    seen="the replacements are spread over all three classes",
    expected="a replacement by one of the two others",
)
accuracy_behind_the_noise.wrong(
    "complement-for-rate",
    1 - (0.59 - 0.15) / (0.7 - 0.15),
    seen="the value is the share of wrong answers",
    expected="the share of right answers",
)
accuracy_behind_the_noise.wrong(
    "rest-not-renormalised",
    (0.59 - 0.3) / (0.7 - 0.3),
    seen="a wrong student meets the wrong label always, though there are two wrong classes",
    expected="half of that chance",
)
