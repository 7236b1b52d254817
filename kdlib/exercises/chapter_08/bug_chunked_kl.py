"""KL without ever holding all logits."""

import torch
from torch.overrides import TorchFunctionMode

from kdlib.exercises.authoring.inputs import normal
from kdlib.exercises.authoring.kl import kl_of_logits, kl_of_logs
from kdlib.exercises.authoring.lookalikes import kl_switches, name_lookalikes
from kdlib.exercises.authoring.rules import matches
from kdlib.exercises.authoring.switches import name_switches
from kdlib.exercises.kinds.functions import code


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
        (
            "for start in range(0, N, chunk): two log-softmaxes of hidden[start:start+chunk] @ "
            "head.T, and add their KL to a running sum."
        ),
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


class _Largest(TorchFunctionMode):
    """Notes the largest tensor that any function of torch gives."""

    elements = 0

    def __torch_function__(self, function, types, args=(), kwargs=None):
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


for _n, _words, _chunk in ((6, 9, 10), (12, 17, 5), (8, 11, 4), (7, 13, 1), (29, 23, 3)):
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


def _chunked(
    kl=kl_of_logs,
    stop=lambda n, chunk: n,
    span=lambda start, chunk: (start, start + chunk),
    each=torch.sum,
    total=lambda sums, n: sum(sums),
    log_softmax=lambda logits: logits.log_softmax(dim=-1),
):
    """The sum with other chunks, another sum over a chunk, or another divergence."""

    def answer(hidden_t, head_t, hidden_s, head_s, chunk):
        sums = []
        for start in range(0, stop(len(hidden_t), chunk), chunk):
            rows = slice(*span(start, chunk))
            log_p = log_softmax(hidden_t[rows] @ head_t.T)
            sums.append(each(kl(log_p, log_softmax(hidden_s[rows] @ head_s.T))))
        return total(sums, len(hidden_t))

    return answer


@bug_chunked_kl.wrong(
    "dense-logits-stored",
    seen="all N x V logits are held at once; `chunk` has no effect",
    expected="a part of the positions at a time",
)
def chunked_kl_dense(hidden_t, head_t, hidden_s, head_s, chunk):
    return kl_of_logits(hidden_t @ head_t.T, hidden_s @ head_s.T).sum()


bug_chunked_kl.symptom(
    "mean-over-vocab",
    seen="each chunk's sum is divided by the size of its logits",
    expected="a sum over the vocabulary, and over the positions",
)(
    matches(
        bug_chunked_kl,
        _chunked(lambda p, q: kl_of_logs(p, q) / p.shape[-1], each=torch.mean),
        _chunked(
            lambda p, q: kl_of_logs(p, q) / p.shape[-1],
            each=torch.mean,
            total=lambda sums, n: sum(sums) / len(sums),
        ),
    )
)
bug_chunked_kl.symptom(
    "logits-for-probabilities",
    seen="logits stand where log-probabilities are expected: their normalisers are missing",
    expected="a log-softmax for each model",
)(
    matches(
        bug_chunked_kl,
        _chunked(lambda t, s: (t.softmax(dim=-1) * (t - s)).sum(dim=-1), log_softmax=lambda x: x),
        _chunked(
            lambda t, s: (t.softmax(dim=-1) * (t.log_softmax(dim=-1) - s)).sum(dim=-1),
            log_softmax=lambda x: x,
        ),
    )
)
name_switches(
    bug_chunked_kl,
    _chunked,
    (
        "end-left-out",
        "the positions after the last full chunk are left out",
        "every position, also where N is no multiple of the chunk",
        {"stop": lambda n, chunk: n // chunk * chunk},
    ),
    (
        "end-left-out",
        "the last position of every chunk is left out",
        "chunks that meet without a gap",
        {"span": lambda start, chunk: (start, start + chunk - 1)},
    ),
    (
        "double-counting",
        "chunks overlap by one position, which counts twice",
        "each position in one chunk",
        {"span": lambda start, chunk: (start, start + chunk + 1)},
    ),
    (
        "double-counting",
        "every chunk begins with the last position of the one before",
        "chunks that do not overlap",
        {"span": lambda start, chunk: (max(0, start - 1), start + chunk)},
    ),
    (
        "off-by-one",
        "the chunks begin one position too late, and the first one is left out",
        "position number 0 in the first chunk",
        {"span": lambda start, chunk: (start + 1, start + 1 + chunk)},
    ),
    (
        "end-left-out",
        "the last chunk is left out, whether it is full or not",
        "all chunks",
        {"stop": lambda n, chunk: n - chunk},
    ),
    *kl_switches(),
    (
        "mean-of-means",
        "the chunks' means are averaged: another chunk size gives another result",
        "a result that does not depend on the chunk size",
        {"each": torch.mean, "total": lambda sums, n: sum(sums) / len(sums)},
    ),
    (
        "mean-of-means",
        "the chunks' means are added up: small chunks give a large result",
        "sums of chunks, which may be added up",
        {"each": torch.mean},
    ),
    (
        "mean-for-sum",
        "the sum is divided by the number of positions",
        "a sum, which the caller divides by the count of all batches",
        {"total": lambda sums, n: sum(sums) / n},
    ),
    (
        "wrong-size-in-mean",
        "the sum is divided by the number of chunks",
        "a sum over the positions, however they are cut",
        {"total": lambda sums, n: sum(sums) / len(sums)},
    ),
    (
        "term-left-out",
        "only the last chunk is in the result",
        "a running sum over the chunks",
        {"total": lambda sums, n: sums[-1]},
    ),
    (
        "term-left-out",
        "only the first chunk is in the result",
        "a sum over all chunks",
        {"total": lambda sums, n: sums[0]},
    ),
    (
        "softmax-wrong-axis",
        "softmax runs over the positions of a chunk",
        "softmax over the vocabulary",
        {"log_softmax": lambda logits: logits.log_softmax(dim=0)},
    ),
)
name_lookalikes(bug_chunked_kl, lambda kl: _chunked(kl=kl))
