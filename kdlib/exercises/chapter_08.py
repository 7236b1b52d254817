"""Exercises of chapter 8: at scale."""

from __future__ import annotations

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from kdlib.exercises.derivations import derivation
from kdlib.exercises.functions import code
from kdlib.exercises.inputs import distributions, log_distributions, normal
from kdlib.exercises.numbers import number

# Memory

bytes_on_paper = derivation(
    "bug-bytes-on-paper",
    source=(),
    difficulty=2,
    minutes=6,
    symbols=("N", "V", "b", "c", "k", "i"),
    prompt=(
        "A batch has N positions and a vocabulary of V words; a number takes b bytes. Fill in:\n\n"
        "- All logits of one model together take [1] bytes.\n"
        "- Handled in chunks of c positions, of which each is forgotten before the next, they take "
        "[2] bytes at any time.\n"
        "- A cache that keeps the teacher's k most likely words, each with an id of i bytes and a "
        "probability, takes [3] bytes for one position.\n"
        "- A whole row of logits is [4] times as large as that."
    ),
    hints=(
        "Count the numbers, then multiply by the bytes of each.",
        "c is the size of a chunk, not the number of chunks. A kept word is two things.",
        "The last blank is the bytes of a row of V numbers over the third blank.",
    ),
    blanks=("N * V * b", "c * V * b", "k * (i + b)", "V * b / (k * (i + b))"),
    explanation=(
        "With V = 131072, b = 2, i = 4 and k = 64 the cache is "
        f"{131072 * 2 / (64 * (4 + 2)):.0f} times smaller."
    ),
)
for _blank, _text, _id, _seen, _expected in (
    (1, "N * V", "precision-forgotten", "is a number of logits", "their size in bytes"),
    (1, "V * b", "term-left-out", "is enough for a single position", "room for all positions"),
    (2, "N * V * b / c", "ratio-turned-round", "takes c for a count", "more for larger c"),
    (2, "N * V * b", "dense-logits-stored", "keeps every chunk", "one chunk at a time"),
    (2, "c * V", "precision-forgotten", "counts numbers", "a size in bytes again"),
    (3, "k * b", "term-left-out", "has no room for the ids", "a way to tell which words were kept"),
    (3, "k * i", "term-left-out", "has no room for the probabilities", "two things a word"),
    (3, "k * i * b", "ratio-and-difference", "multiplies bytes by bytes", "both, side by side"),
    (3, "N * k * (i + b)", "whole-for-part", "is that of the whole batch", "one position"),
    (3, "V * (i + b)", "whole-for-part", "holds every word", "the kept words only"),
    (4, "k * (i + b) / (V * b)", "ratio-turned-round", "is below 1", "how many times larger"),
    (4, "V / k", "precision-forgotten", "counts entries, though the cache's are larger", "sizes"),
    (4, "V * b - k * (i + b)", "ratio-and-difference", "is what is saved", "a ratio of sizes"),
):
    bytes_on_paper.wrong(_blank, _text, _id, seen=f"blank [{_blank}] {_seen}", expected=_expected)


@code(
    source=(),
    difficulty=3,
    minutes=10,
    prompt=(
        "Write `bug_chunked_kl(hidden_t, head_t, hidden_s, head_s, chunk)`: the KL from teacher to "
        "student, summed over N positions, for evaluation. A model's logits are hidden @ head.T, "
        "with hidden (N, D) and head (V, D); D differs between the models. Never hold the logits "
        "of more than `chunk` positions; N need not be a multiple of it."
    ),
    hints=(
        "The sum over positions may be taken in parts; a softmax needs whole rows, no whole batch.",
        "Walk over the positions in steps of `chunk`; slicing past the end gives a shorter part.",
        "for start in range(0, N, chunk): two log-softmaxes of hidden[start:start+chunk] @ head.T, "
        "and add their KL to a running sum.",
    ),
    explanation="In training, go backward chunk by chunk too, or the graph keeps all logits.",
)
def bug_chunked_kl(hidden_t, head_t, hidden_s, head_s, chunk):
    """Sum over all positions of the KL from teacher to student, chunk by chunk. -> scalar, nats"""
    total = 0.0
    for start in range(0, len(hidden_t), chunk):
        rows = slice(start, start + chunk)
        log_p = torch.log_softmax(hidden_t[rows] @ head_t.T, dim=-1)
        log_q = torch.log_softmax(hidden_s[rows] @ head_s.T, dim=-1)
        total += (log_p.exp() * (log_p - log_q)).sum()
    return total


class _Largest(TorchDispatchMode):
    """Notes the largest tensor that any operation gives."""

    elements = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for item in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(item, torch.Tensor):
                self.elements = max(self.elements, item.numel())
        return result


def _value_and_room(answer, hidden_t, head_t, hidden_s, head_s, chunk):
    """The result, unless a tensor on the way was larger than inputs and two chunks of logits."""
    inputs = max(t.numel() for t in (hidden_t, head_t, hidden_s, head_s))
    with torch.no_grad(), _Largest() as largest:
        value = answer(hidden_t, head_t, hidden_s, head_s, chunk)
    if value is not None and largest.elements > max(inputs, 2 * chunk * len(head_t)):
        return "too much at once"
    return value


for _n, _words, _chunk in ((29, 23, 3), (12, 17, 5), (8, 11, 4), (7, 13, 1), (6, 9, 10)):
    bug_chunked_kl.probe(
        f"{_n} positions in chunks of {_chunk}",
        normal(_n, 3, seed=800 + _n),
        normal(_words, 3, seed=830 + _n),
        normal(_n, 4, seed=860 + _n),
        normal(_words, 4, seed=890 + _n, scale=0.5),
        _chunk,
        measure=_value_and_room,
    )


@bug_chunked_kl.symptom(
    "dense-logits-stored",
    seen="the logits of more than `chunk` positions are held at once",
    expected="room that does not grow with the number of positions",
)
def _(results):
    return any(isinstance(result, str) for result in results.values())


@bug_chunked_kl.also
def chunked_kl_split(hidden_t, head_t, hidden_s, head_s, chunk):
    parts = zip(hidden_t.split(chunk), hidden_s.split(chunk))
    sums = []
    for t, s in parts:
        p, q = (t @ head_t.T).softmax(-1), (s @ head_s.T).softmax(-1)
        sums.append(float((torch.xlogy(p, p) - torch.xlogy(p, q)).sum()))
    return sum(sums)


def _chunked(hidden_t, head_t, hidden_s, head_s, chunk, loss_of, size=None, stop=None):
    """Sum of loss_of(log_p, log_q) over chunks; chunks may be cut short, or stop early."""
    total = 0.0
    for start in range(0, len(hidden_t) if stop is None else stop, chunk):
        rows = slice(start, start + (chunk if size is None else size))
        log_p = torch.log_softmax(hidden_t[rows] @ head_t.T, dim=-1)
        log_q = torch.log_softmax(hidden_s[rows] @ head_s.T, dim=-1)
        total += loss_of(log_p, log_q)
    return total


def _sum_of_kl(log_p, log_q):
    return (log_p.exp() * (log_p - log_q)).sum()


@bug_chunked_kl.wrong(
    "dense-logits-stored",
    seen="all N x V logits are held at once; `chunk` has no effect",
    expected="a part of the positions at a time",
)
def chunked_kl_dense(hidden_t, head_t, hidden_s, head_s, chunk):
    return _chunked(hidden_t, head_t, hidden_s, head_s, len(hidden_t), _sum_of_kl)


@bug_chunked_kl.wrong(
    "end-left-out",
    seen="the positions after the last full chunk are left out",
    expected="every position, also where N is no multiple of the chunk",
)
def chunked_kl_full_only(hidden_t, head_t, hidden_s, head_s, chunk):
    stop = len(hidden_t) // chunk * chunk
    return _chunked(hidden_t, head_t, hidden_s, head_s, chunk, _sum_of_kl, stop=stop)


@bug_chunked_kl.wrong(
    "end-left-out",
    seen="the last position of every chunk is left out",
    expected="chunks that meet without a gap",
)
def chunked_kl_gaps(hidden_t, head_t, hidden_s, head_s, chunk):
    return _chunked(hidden_t, head_t, hidden_s, head_s, chunk, _sum_of_kl, size=chunk - 1)


@bug_chunked_kl.wrong(
    "double-counting",
    seen="chunks overlap by one position, which counts twice",
    expected="each position in one chunk",
)
def chunked_kl_overlap(hidden_t, head_t, hidden_s, head_s, chunk):
    return _chunked(hidden_t, head_t, hidden_s, head_s, chunk, _sum_of_kl, size=chunk + 1)


@bug_chunked_kl.wrong(
    "mean-of-means",
    seen="the chunks' means are averaged: another chunk size gives another result",
    expected="a result that does not depend on the chunk size",
)
def chunked_kl_mean_of_means(hidden_t, head_t, hidden_s, head_s, chunk):
    count = -(-len(hidden_t) // chunk)
    total = chunked_kl_sum_of_means(hidden_t, head_t, hidden_s, head_s, chunk)
    return total / count


@bug_chunked_kl.wrong(
    "mean-of-means",
    seen="the chunks' means are added up: small chunks give a large result",
    expected="sums of chunks, which may be added up",
)
def chunked_kl_sum_of_means(hidden_t, head_t, hidden_s, head_s, chunk):
    def mean(log_p, log_q):
        return _sum_of_kl(log_p, log_q) / len(log_p)

    return _chunked(hidden_t, head_t, hidden_s, head_s, chunk, mean)


@bug_chunked_kl.wrong(
    "mean-for-sum",
    seen="the sum is divided by the number of positions",
    expected="a sum, which the caller divides by the count of all batches",
)
def chunked_kl_mean(*inputs):
    return bug_chunked_kl.reference(*inputs) / len(inputs[0])


@bug_chunked_kl.wrong(
    "term-left-out",
    seen="only the last chunk is in the result",
    expected="a running sum over the chunks",
)
def chunked_kl_last(hidden_t, head_t, hidden_s, head_s, chunk):
    start = (len(hidden_t) - 1) // chunk * chunk
    return _chunked(hidden_t[start:], head_t, hidden_s[start:], head_s, chunk, _sum_of_kl)


@bug_chunked_kl.wrong(
    "kl-reversed",
    seen="the log-ratios are weighed with the student's probabilities",
    expected="the KL from the teacher",
)
def chunked_kl_reversed(hidden_t, head_t, hidden_s, head_s, chunk):
    return bug_chunked_kl.reference(hidden_s, head_s, hidden_t, head_t, chunk)


@bug_chunked_kl.wrong(
    "ce-called-kl",
    seen="the sum is too large by the teacher's entropy",
    expected="0 for a student that equals its teacher",
)
def chunked_kl_cross_entropy(hidden_t, head_t, hidden_s, head_s, chunk):
    def cross_entropy(log_p, log_q):
        return -(log_p.exp() * log_q).sum()

    return _chunked(hidden_t, head_t, hidden_s, head_s, chunk, cross_entropy)


@bug_chunked_kl.wrong(
    "softmax-wrong-axis",
    seen="softmax runs over the positions of a chunk",
    expected="softmax over the vocabulary",
)
def chunked_kl_columns(hidden_t, head_t, hidden_s, head_s, chunk):
    total = 0.0
    for t, s in zip(hidden_t.split(chunk), hidden_s.split(chunk)):
        total += _sum_of_kl((t @ head_t.T).log_softmax(0), (s @ head_s.T).log_softmax(0))
    return total


# Targets that keep a part of the teacher


@code(
    source=(),
    difficulty=4,
    minutes=12,
    prompt=(
        "A cache keeps the teacher's k most likely words. To compare honestly, all other words "
        "share one slot, whose probability is the sum of theirs, in teacher and student alike. "
        "Write `bug_top_k_and_rest(log_p, log_q, k)`: for each row the KL from teacher to student "
        "over these k + 1 slots. log_p and log_q are log-probabilities (..., V); k may be V."
    ),
    hints=(
        "Merging words into one slot keeps both sides distributions, so the KL stays at least 0.",
        "The teacher chooses the words, for both. Sum the others' probabilities directly: 1 minus "
        "a sum may come out below 0.",
        "topk(k).indices of log_p; gather them from both; scatter minus infinity there and sum the "
        "exponentials for the last slot; torch.xlogy knows about 0.",
    ),
    explanation="It is at most the full KL, and 0 only where kept words and rest agree.",
    atol=1e-5,
)
def bug_top_k_and_rest(log_p, log_q, k):
    """KL over the teacher's k likeliest words and a slot for all others. (..., V) -> (...)"""
    words = log_p.topk(k, dim=-1).indices

    def slots(log_probs):
        others = log_probs.scatter(-1, words, -torch.inf)
        rest = others.exp().sum(dim=-1, keepdim=True)
        return torch.cat([log_probs.gather(-1, words).exp(), rest], dim=-1)

    p, q = slots(log_p), slots(log_q)
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(dim=-1)


def _zipf(*shape: int, seed: int):
    """Rows whose probabilities fall like 1/rank, in an order of their own each."""
    ranks = normal(*shape, seed=seed).argsort(dim=-1).argsort(dim=-1) + 1.0
    return torch.log_softmax(-ranks.log(), dim=-1)


bug_top_k_and_rest.probe(
    "2 of 6", log_distributions(3, 6, seed=811), log_distributions(3, 6, seed=812), 2
)
bug_top_k_and_rest.probe(
    "3 of 7", log_distributions(2, 3, 7, seed=813), log_distributions(2, 3, 7, seed=814), 3
)
bug_top_k_and_rest.probe(
    "1 of 5", log_distributions(4, 5, seed=815), log_distributions(4, 5, seed=816), 1
)
bug_top_k_and_rest.probe(
    "4 of 50, Zipf", _zipf(2, 50, seed=817), log_distributions(2, 50, seed=818), 4
)
bug_top_k_and_rest.probe(
    "a student that is surer of the kept words",
    torch.tensor([0.4, 0.1, 0.3, 0.2]).log(),
    torch.tensor([0.5, 0.02, 0.45, 0.03]).log(),
    2,
)
bug_top_k_and_rest.probe(
    "a student with the right proportions among the kept words",
    torch.tensor([[0.5, 0.2, 0.15, 0.1, 0.05]]).log(),
    torch.tensor([[0.2, 0.08, 0.15, 0.27, 0.3]]).log(),
    2,
)
bug_top_k_and_rest.probe(
    "all of 4",
    log_distributions(3, 4, seed=819),
    log_distributions(3, 4, seed=820),
    4,
    points_to="zero-log-zero",
    expected="a finite value where no word is left for the last slot",
)


@bug_top_k_and_rest.symptom(
    "top-k-unnormalised",
    seen="a 'KL' is negative: what is summed on the two sides are no distributions",
    expected="a slot for the rest, on both sides",
)
def _(results):
    surer = float(results["a student that is surer of the kept words"])
    return surer < -1e-6 and (results["all of 4"] > 0).all()


@bug_top_k_and_rest.also
def top_k_with_rest_sorted(log_p, log_q, k):
    order = log_p.argsort(dim=-1, descending=True)
    p, q = (x.double().exp().gather(-1, order) for x in (log_p, log_q))
    p, q = (torch.cat([x[..., :k], x[..., k:].sum(-1, keepdim=True)], -1) for x in (p, q))
    return torch.where(p > 0, p * (p / q).log(), 0.0).sum(dim=-1)


def _kept(log_p, log_q, k):
    """Both models' log-probabilities of the teacher's words."""
    words = log_p.topk(k, dim=-1).indices
    return log_p.gather(-1, words), log_q.gather(-1, words)


def _kl(log_p, log_q):
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1)


@bug_top_k_and_rest.wrong(
    "top-k-renormalised",
    seen="the kept words are renormalised on both sides; the mass of the rest does not matter",
    expected="a student with too little mass on the rest is noticed",
)
def top_k_renormalised(log_p, log_q, k):
    a, b = _kept(log_p, log_q, k)
    return _kl(a.log_softmax(dim=-1), b.log_softmax(dim=-1))


@bug_top_k_and_rest.wrong(
    "top-k-renormalised",
    seen="the teacher's kept words are renormalised, so the rest is taught to be impossible",
    expected="the kept words keep their probabilities",
)
def top_k_teacher_renormalised(log_p, log_q, k):
    a, b = _kept(log_p, log_q, k)
    return _kl(a.log_softmax(dim=-1), b)


@bug_top_k_and_rest.wrong(
    "top-k-unnormalised",
    seen="the kept terms alone are summed; a student surer than the teacher gets less than 0",
    expected="terms for k + 1 slots",
)
def top_k_truncated(log_p, log_q, k):
    return _kl(*_kept(log_p, log_q, k))


@bug_top_k_and_rest.wrong(
    "top-k-unnormalised",
    seen="the kept terms alone are summed, and a clamp at 0 hides that they can be negative",
    expected="a sum that needs no clamp, as the rest is in it",
)
def top_k_clamped(log_p, log_q, k):
    return _kl(*_kept(log_p, log_q, k)).clamp_min(0)


@bug_top_k_and_rest.wrong(
    "wrong-word",
    seen="the kept words are the student's favourites",
    expected="the words that the teacher finds most likely",
)
def top_k_of_student(log_p, log_q, k):
    words = log_q.topk(k, dim=-1).indices

    def slots(log_probs):
        rest = log_probs.scatter(-1, words, -torch.inf).exp().sum(dim=-1, keepdim=True)
        return torch.cat([log_probs.gather(-1, words).exp(), rest], dim=-1)

    p, q = slots(log_p), slots(log_q)
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(dim=-1)


@bug_top_k_and_rest.wrong(
    "wrong-word",
    seen="each model keeps its own favourites, so different words are compared",
    expected="the same word in the same slot on both sides",
)
def top_k_of_each(log_p, log_q, k):
    p, q = (x.exp().sort(dim=-1, descending=True).values for x in (log_p, log_q))
    p, q = (torch.cat([x[..., :k], x[..., k:].sum(-1, keepdim=True)], -1) for x in (p, q))
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(dim=-1)


@bug_top_k_and_rest.wrong(
    "whole-for-part",
    seen="every word has a slot of its own: this is the full KL, which no cache of k words allows",
    expected="the words outside are told apart no more",
)
def top_k_ignored(log_p, log_q, k):
    return _kl(log_p, log_q)


@bug_top_k_and_rest.wrong(
    "zero-log-zero",
    seen="right for every k but V: there the last slot is 0 on both sides and gives NaN",
    expected="a slot with probability 0 adds nothing",
)
def top_k_nan(log_p, log_q, k):
    right = bug_top_k_and_rest.reference(log_p, log_q, k)
    return right if k < log_p.shape[-1] else right * torch.nan


@bug_top_k_and_rest.wrong(
    "kl-reversed",
    seen="the slots are right, and weighed with the student's probabilities",
    expected="the KL from the teacher",
)
def top_k_reversed(log_p, log_q, k):
    words = log_p.topk(k, dim=-1).indices
    p, q = log_p.exp(), log_q.exp()
    p, q = (
        torch.cat([x.gather(-1, words), x.scatter(-1, words, 0.0).sum(-1, keepdim=True)], -1)
        for x in (p, q)
    )
    return (torch.xlogy(q, q) - torch.xlogy(q, p)).sum(dim=-1)


@bug_top_k_and_rest.wrong(
    "ce-called-kl",
    seen="slots that agree do not give 0: this is a cross-entropy",
    expected="0 where all slots agree",
)
def top_k_cross_entropy(log_p, log_q, k):
    a, b = _kept(log_p, log_q, k)
    rest = 1 - a.exp().sum(-1), 1 - b.exp().sum(-1)
    tail = torch.xlogy(rest[0].clamp_min(0), rest[1].clamp_min(1e-9))
    return -(a.exp() * b).sum(dim=-1) - tail * (k < log_p.shape[-1])


@code(
    source=(),
    difficulty=4,
    minutes=10,
    prompt=(
        "Instead of the most likely words, a cache may keep drawn ones: for a position with the "
        "teacher's probabilities `p` (V,) it holds n word ids `draws`, drawn with replacement from "
        "a known distribution `proposal` (V,). Write `bug_sampled_target(p, proposal, draws)`: the "
        "target (V,), 0 for words not drawn, whose average over many such draws is exactly p."
    ),
    hints=(
        "A word that the proposal favours is drawn too often; its weight has to make up for that.",
        "Each draw contributes p / proposal of its word, over n. A word may be drawn twice.",
        "torch.zeros_like(p).index_add(0, draws, ...) adds up where an id repeats.",
    ),
    explanation="A single target need not sum to 1; making it do so is what brings the bias.",
)
def bug_sampled_target(p, proposal, draws):
    """A target from drawn words whose average over draws is exactly p. (V,), (V,), (n,) -> (V,)"""
    weights = p[draws] / proposal[draws] / len(draws)
    return torch.zeros_like(p).index_add(0, draws, weights)


def _average_target(answer, p, proposal, size):
    """The average of the answer over all V**n draws, each with its probability."""
    draws = torch.cartesian_prod(*[torch.arange(len(p))] * size).reshape(-1, size)
    targets = [answer(p, proposal, d) for d in draws]
    if any(target is None for target in targets):
        return None
    chances = proposal[draws].prod(dim=-1)
    return sum(c * torch.as_tensor(target) for c, target in zip(chances, targets))


_P, _UNIFORM = distributions(6, seed=831), torch.full((6,), 1 / 6)
_TILTED = distributions(6, seed=832)
bug_sampled_target.probe("four words drawn", _P, _TILTED, torch.tensor([4, 0, 2, 5]))
bug_sampled_target.probe("a word drawn twice", _P, _TILTED, torch.tensor([1, 3, 1, 3, 3]))
bug_sampled_target.probe("drawn from p itself", _P, _P, torch.tensor([2, 2, 0]))
bug_sampled_target.probe("drawn evenly", _P, _UNIFORM, torch.tensor([5, 1, 5, 0]))
bug_sampled_target.probe("a single draw", _P, _TILTED, torch.tensor([3]))
bug_sampled_target.probe(
    "the average over all draws of two from three words",
    distributions(3, seed=833),
    distributions(3, seed=834),
    2,
    measure=_average_target,
    expected="the average over all draws is p",
)


@bug_sampled_target.also
def sampled_target_in_loops(p, proposal, draws):
    target = [0.0] * len(p)
    for word in draws.tolist():
        target[word] += float(p[word]) / (float(proposal[word]) * len(draws))
    return target


def _added(p, draws, weights):
    return torch.zeros_like(p).index_add(0, draws, weights)


@bug_sampled_target.wrong(
    "weights-missing",
    seen="the words are counted; the average is the proposal, not the teacher",
    expected="weights that make up for what the proposal favours",
)
def sampled_counts(p, proposal, draws):
    return torch.bincount(draws, minlength=len(p)) / len(draws)


@bug_sampled_target.wrong(
    "double-counting",
    seen="the teacher's probabilities are averaged over the draws: likely words, drawn more "
    "often anyway, count twice",
    expected="weights that know how often a word is drawn",
)
def sampled_weighed_twice(p, proposal, draws):
    return _added(p, draws, p[draws] / len(draws))


@bug_sampled_target.wrong(
    "term-left-out",
    seen="a word drawn twice counts once: the second assignment replaces the first",
    expected="every draw contributes",
)
def sampled_without_repeats(p, proposal, draws):
    target = torch.zeros_like(p)
    target[draws] = p[draws] / proposal[draws] / len(draws)
    return target


@bug_sampled_target.wrong(
    "top-k-renormalised",
    seen="every target is divided by its sum; it looks complete, and its average is not p",
    expected="targets that are right on average, whatever a single one sums to",
)
def sampled_renormalised(p, proposal, draws):
    target = _added(p, draws, p[draws] / proposal[draws])
    return target / target.sum()


@bug_sampled_target.wrong(
    "top-k-renormalised",
    seen="the drawn words get their own probabilities, renormalised; rare words get too much",
    expected="an average that is p",
)
def sampled_kept_renormalised(p, proposal, draws):
    target = sampled_kept(p, proposal, draws)
    return target / target.sum()


@bug_sampled_target.wrong(
    "top-k-unnormalised",
    seen="the drawn words get their own probabilities the others nothing: too little on average",
    expected="drawn words stand for those that were not drawn too",
)
def sampled_kept(p, proposal, draws):
    target = torch.zeros_like(p)
    target[draws] = p[draws]
    return target


@bug_sampled_target.wrong(
    "ratio-turned-round",
    seen="the weights are largest for words that were drawn too often",
    expected="smaller weights for words that the proposal favours",
)
def sampled_turned_round(p, proposal, draws):
    return _added(p, draws, proposal[draws] / p[draws] / len(draws))


@bug_sampled_target.wrong(
    "sum-for-mean",
    seen="more draws give a larger target",
    expected="an average over the draws",
)
def sampled_sum(p, proposal, draws):
    return _added(p, draws, p[draws] / proposal[draws])


@bug_sampled_target.wrong(
    "wrong-size-in-mean",
    seen="the sum is divided by the number of different words",
    expected="a division by the number of draws",
)
def sampled_distinct(p, proposal, draws):
    return _added(p, draws, p[draws] / proposal[draws] / len(draws.unique()))


@bug_sampled_target.wrong(
    "nothing-done",
    seen="the result is p itself, which the cache has no room for",
    expected="zeros for words that were not drawn",
)
def sampled_not(p, proposal, draws):
    return p


# The cache


@code(
    source=(),
    difficulty=2,
    minutes=6,
    prompt=(
        "The teacher's rows were stored while it was asked, in another order than the student's "
        "batches have now. Write `bug_rows_of_batch(cached_ids, rows, batch_ids)`: the rows that "
        "belong to the samples `batch_ids` (B,), in this order, where row j of `rows` (N, V) "
        "belongs to the sample cached_ids[j]. Raise an error if a sample is not in the cache."
    ),
    hints=(
        "A row must be found by what it belongs to, not by where it stands.",
        "Make a dictionary from sample id to the number of its row.",
        "`rows[[place[int(i)] for i in batch_ids]]`; a dictionary raises KeyError by itself.",
    ),
)
def bug_rows_of_batch(cached_ids, rows, batch_ids):
    """The row of each sample of the batch, in the batch's order. (N,), (N, V), (B,) -> (B, V)"""
    place = {int(sample): row for row, sample in enumerate(cached_ids)}
    return rows[[place[int(sample)] for sample in batch_ids]]


def _rows_or_refusal(answer, cached_ids, rows, batch_ids):
    try:
        return answer(cached_ids, rows, batch_ids)
    except NotImplementedError:
        raise
    except (LookupError, ValueError, RuntimeError, AssertionError, StopIteration):
        return "an error is raised"


_MISSING = "a sample that is not in the cache"
_EPOCH_SEED = 840 + len("an epoch in another order")
for _name, _cached, _batch in (
    ("three samples of five", [40, 7, 23, 11, 99], [11, 40, 23]),
    ("an epoch in another order", [5, 12, 8, 30], [30, 5, 8, 12]),
    ("ids that look like row numbers", [2, 0, 3, 1, 4], [0, 4, 1, 2]),
    ("a sample twice in a batch", [9, 4, 6], [6, 9, 6, 4]),
    ("one sample", [3, 1, 2], [2]),
    ("the order of the cache", [0, 1, 2, 3], [0, 1, 2]),
    (_MISSING, [21, 17, 19, 23], [19, 18]),
):
    bug_rows_of_batch.probe(
        _name,
        torch.tensor(_cached),
        distributions(len(_cached), 3, seed=840 + len(_name)),
        torch.tensor(_batch),
        measure=_rows_or_refusal,
        points_to="rows-shuffled" if _name == _MISSING else None,
        expected="an error, as no row belongs to that sample" if _name == _MISSING else "",
    )


@bug_rows_of_batch.symptom(
    "rows-shuffled",
    seen="rows of the cache come back, but not those of the batch's samples in the batch's order",
    expected="each sample's own row",
)
def _(results):
    rows = distributions(4, 3, seed=_EPOCH_SEED).double()
    seen = results["an epoch in another order"]
    return torch.equal(torch.tensor(seen).sort(dim=0).values, rows.sort(dim=0).values)


@bug_rows_of_batch.also
def rows_of_batch_sorted(cached_ids, rows, batch_ids):
    order = cached_ids.argsort()
    at = torch.searchsorted(cached_ids[order], batch_ids).clamp(max=len(order) - 1)
    if not torch.equal(cached_ids[order][at], batch_ids):
        raise KeyError("a sample is not in the cache")
    return rows[order][at]


@bug_rows_of_batch.wrong(
    "rows-shuffled",
    seen="the first rows of the cache are taken, whatever samples the batch holds",
    expected="rows found by sample id",
)
def rows_first(cached_ids, rows, batch_ids):
    return rows[: len(batch_ids)]


@bug_rows_of_batch.wrong(
    "rows-shuffled",
    seen="a sample's id is taken for the number of its row",
    expected="the place where that id stands among the cached ids",
)
def rows_by_number(cached_ids, rows, batch_ids):
    return rows[batch_ids]


@bug_rows_of_batch.wrong(
    "rows-shuffled",
    seen="the right rows come in the order of the cache",
    expected="the order of the batch",
)
def rows_in_cache_order(cached_ids, rows, batch_ids):
    return rows[torch.isin(cached_ids, batch_ids)]


@bug_rows_of_batch.wrong(
    "rows-shuffled",
    seen="the right rows come sorted by sample id",
    expected="the batch's own order",
)
def rows_in_sorted_order(cached_ids, rows, batch_ids):
    return bug_rows_of_batch.reference(cached_ids, rows, batch_ids.sort().values)


@bug_rows_of_batch.wrong(
    "rows-shuffled",
    seen="ids are looked up among sorted ids, while the rows are still in the old order",
    expected="ids and rows that are permuted alike",
)
def rows_sorted_ids_only(cached_ids, rows, batch_ids):
    return rows[torch.searchsorted(cached_ids.sort().values, batch_ids)]


@bug_rows_of_batch.wrong(
    "rows-shuffled",
    seen="a sample that is not in the cache silently gets a row of another one",
    expected="an error for a sample that was never stored",
)
def rows_first_for_missing(cached_ids, rows, batch_ids):
    return rows[(batch_ids[:, None] == cached_ids[None, :]).int().argmax(dim=-1)]


@bug_rows_of_batch.wrong(
    "term-left-out",
    seen="a sample that is not in the cache is dropped; the rows after it belong to others",
    expected="as many rows as samples, or an error",
)
def rows_dropped(cached_ids, rows, batch_ids):
    known = [sample for sample in batch_ids if sample in cached_ids]
    return bug_rows_of_batch.reference(cached_ids, rows, known)


@bug_rows_of_batch.wrong(
    "whole-for-part",
    seen="all rows of the cache come back",
    expected="one row for each sample of the batch",
)
def rows_all(cached_ids, rows, batch_ids):
    return rows


_T, _S, _EPOCHS = 1.7, 0.135, 3
_ASKED, _CACHED = _EPOCHS * (2 * _T + 6 * _S), 2 * _T + _EPOCHS * 6 * _S


@number(
    source=(),
    difficulty=3,
    minutes=6,
    decimals=2,
    prompt=(
        "For each parameter and token a forward pass costs 2 floating-point operations, and a "
        f"backward pass twice as many. A teacher of {_T} billion parameters distils a student of "
        f"{_S} billion, in {_EPOCHS} epochs over the same tokens. One run asks the teacher in "
        "every epoch, another asks it once and caches its targets. How many times as much "
        "arithmetic does the first need?"
    ),
    hints=(
        "Cost per token: which passes does the teacher make, which the student, and how often?",
        "The student goes forward and backward in each epoch: 6 operations for each parameter.",
        "epochs * (2 t + 6 s) over 2 t + epochs * 6 s.",
    ),
    explanation="With one epoch it is 1; however many, it never exceeds 1 + t / (3 s).",
)
def bug_cache_pays():
    """How many times the arithmetic of the cached run the uncached run needs."""
    return 3 * (2 * 1.7 + 6 * 0.135) / (2 * 1.7 + 3 * 6 * 0.135)


for _id, _value, _seen, _expected in (
    (
        "ratio-turned-round",
        _CACHED / _ASKED,
        "the value is below 1, as if the run with a cache were dearer",
        "the dearer run over the cheaper one",
    ),
    (
        "backward-pass-forgotten",
        _EPOCHS * (_T + _S) / (_T + _EPOCHS * _S),
        "a teacher's parameter costs as much as a student's: no difference is made for backward",
        "three times the cost for what is trained",
    ),
    (
        "backward-pass-forgotten",
        _EPOCHS * (2 * _T + 4 * _S) / (2 * _T + _EPOCHS * 4 * _S),
        "the student's parameters cost 4 in each epoch",
        "one pass forward and one that costs twice as much",
    ),
    (
        "term-left-out",
        _ASKED / (_EPOCHS * 6 * _S),
        "the cached run never asks the teacher at all",
        "a cache that has to be filled once",
    ),
    (
        "term-left-out",
        _EPOCHS,
        "the teacher's cost alone is compared, or the cached run trains for one epoch only",
        "a student that is trained in every epoch of both runs",
    ),
    (
        "ratio-and-difference",
        _ASKED - _CACHED,
        "the value is what is saved, in billions of operations a token",
        "a ratio, which has no unit",
    ),
):
    bug_cache_pays.wrong(_id, _value, seen=_seen, expected=_expected)


# Many machines

_TOKENS = (900, 700, 500, 300)


@number(
    source=(),
    difficulty=3,
    minutes=4,
    decimals=0,
    prompt=(
        f"In one step, four processes count {', '.join(map(str, _TOKENS))} tokens. Data-parallel "
        "training averages the gradients of the processes. By which number must every process "
        "divide its own sum of token losses, so that this average is the gradient of the mean over "
        "all tokens of the step?"
    ),
    hints=(
        "Every token must weigh the same, in whichever process it is; so the number is common.",
        "The average over processes divides by 4 already.",
        "The tokens of all processes together, over the number of processes.",
    ),
    explanation="Each process needs the count of all: one small all-reduce before backward().",
)
def bug_divisor_of_every_process():
    """What each process divides its sum by, if gradients are averaged over processes."""
    return (900 + 700 + 500 + 300) / 4


for _id, _value, _seen, _expected in (
    (
        "divided-twice",
        sum(_TOKENS),
        "the average over the processes divides once more: the gradient is four times too small",
        "a division that takes the average into account",
    ),
    (
        "divided-twice",
        4 * sum(_TOKENS),
        "the number of processes makes up for the average in the wrong direction",
        "a smaller divisor, since the average divides too",
    ),
    (
        "sum-for-mean",
        1,
        "nothing is divided: a step with more tokens takes a larger stride",
        "the gradient of a mean",
    ),
    (
        "wrong-size-in-mean",
        len(_TOKENS),
        "the number of processes is divided out twice, the number of tokens never",
        "a number that grows with the tokens",
    ),
    *(
        (
            "mean-of-means",
            count,
            f"{count} is the count of a single process; others weigh tokens differently",
            "one divisor for all processes",
        )
        for count in _TOKENS
    ),
):
    bug_divisor_of_every_process.wrong(_id, _value, seen=_seen, expected=_expected)
