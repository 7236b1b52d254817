"""KL without ever holding all logits."""

import tracemalloc

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from kdlib.exercises.authoring.floors import UNLIKELY, no_floor
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
        "of a model for more than `chunk` positions; N need not be a multiple of it."
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


class _Room(TorchDispatchMode):
    """Counts the numbers that are alive in tensors made since, and looks at each model's logits."""

    def __init__(self):
        super().__init__()
        self.alive, self.most, self.logits = {}, 0, 0

    @classmethod
    def _should_skip_dynamo(cls):
        return False  # or torch loads its compiler, which takes seconds

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        results = result if isinstance(result, tuple | list) else (result,)
        made = [x for x in results if isinstance(x, Tensor)]
        if function.overloadpacket in _PRODUCTS:
            self.logits = max(self.logits, *(x.numel() for x in made))
        self.alive = {key: kept for key, kept in self.alive.items() if not kept[0].expired()}
        for x in made:  # a view has no storage of its own
            kept = x.untyped_storage()
            self.alive[kept._cdata] = StorageWeakRef(kept), kept.nbytes() // x.element_size()
        self.most = max(self.most, sum(numbers for _, numbers in self.alive.values()))
        return result


_aten = torch.ops.aten
_PRODUCTS = {_aten.mm, _aten.addmm, _aten.bmm, _aten.baddbmm, _aten.mv, _aten.addmv}
_COPIES = 10  # of a chunk's logits may be at work at once: two models, logarithms, products


def _value_and_room(answer, hidden_t, head_t, hidden_s, head_s, chunk):
    """The result, unless more logits than those of `chunk` positions were kept on the way."""
    inputs, part = (hidden_t, head_t, hidden_s, head_s), chunk * len(head_t)
    with torch.no_grad(), _Room() as room:
        value = answer(*inputs, chunk)
    allowed = 2 * sum(x.numel() for x in inputs) + _COPIES * part
    if value is not None and (room.logits > part or room.most > allowed):
        return "too much at once"
    return value


def _value_and_memory(answer, *args):
    """The result, unless NumPy's arrays and lists took more memory than chunks need.

    A first call imports and fills what stays; the memory of tensors is not seen here.
    """
    value = answer(*args)
    if value is None or tracemalloc.is_tracing():  # by somebody else, who is not disturbed
        return value
    tracemalloc.start()
    try:
        value = answer(*args)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return "too much at once" if most > _BYTES else value


_BYTES = 200_000  # half of it for lists of the inputs; 400 x 150 logits are 240,000 in float32
for _n, _words, _chunk in ((6, 9, 10), (12, 17, 5), (8, 11, 4), (7, 13, 1), (61, 100, 3)):
    bug_chunked_kl.probe(
        f"{_n} positions in chunks of {_chunk}",
        normal(_n, 3, seed=800 + _n),
        normal(_words, 3, seed=830 + _n),
        normal(_n, 4, seed=860 + _n),
        normal(_words, 4, seed=890 + _n, scale=0.5),
        _chunk,
        measure=_value_and_room,
    )
bug_chunked_kl.probe(
    "400 positions in chunks of 2",
    *(normal(400, 3, seed=804), normal(150, 3, seed=805)),
    *(normal(400, 4, seed=806), normal(150, 4, seed=807, scale=0.5), 2),
    measure=_value_and_memory,
)
_hidden, _head = normal(7, 3, seed=801), normal(9, 3, seed=802)
_wider = torch.cat([_hidden, 0.1 * normal(7, 1, seed=803)], dim=1)
bug_chunked_kl.probe(
    "models that nearly agree", _hidden, _head, _wider, torch.cat([_head, _head[:, :1]], dim=1), 2
)
no_floor(
    bug_chunked_kl,
    *(torch.ones(3, 2), torch.zeros(2, 2)),
    *(torch.ones(3, 1), torch.tensor([[0.0], [UNLIKELY]]), 2),
)


_TOO_MUCH = "the logits of more than `chunk` positions are held at once"


@bug_chunked_kl.symptom(
    "dense-logits-stored",
    seen=_TOO_MUCH,
    expected="a part of the positions at a time",
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


bug_chunked_kl.mistakes(
    ("dense-logits-stored", _TOO_MUCH, "a part of the positions at a time",
     lambda h_t, head_t, h_s, head_s, _: kl_of_logits(h_t @ head_t.T, h_s @ head_s.T).sum()),
)  # fmt: skip


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
    bug_chunked_kl, _chunked,
    ("end-left-out", "the positions after the last full chunk are left out",
     "every position, also where N is no multiple of the chunk",
     {"stop": lambda n, chunk: n // chunk * chunk}),
    ("end-left-out", "the last position of every chunk is left out",
     "chunks that meet without a gap", {"span": lambda start, chunk: (start, start + chunk - 1)}),
    ("double-counting", "chunks overlap by one position, which counts twice",
     "each position in one chunk", {"span": lambda start, chunk: (start, start + chunk + 1)}),
    ("double-counting", "every chunk begins with the last position of the one before",
     "chunks that do not overlap",
     {"span": lambda start, chunk: (max(0, start - 1), start + chunk)}),
    ("off-by-one", "the chunks begin one position too late, and the first one is left out",
     "position number 0 in the first chunk",
     {"span": lambda start, chunk: (start + 1, start + 1 + chunk)}),
    ("end-left-out", "the last chunk is left out, whether it is full or not", "all chunks",
     {"stop": lambda n, chunk: n - chunk}),
    *kl_switches(),
    ("mean-of-means", "the chunks' means are averaged: another chunk size gives another result",
     "a result that does not depend on the chunk size",
     {"each": torch.mean, "total": lambda sums, n: sum(sums) / len(sums)}),
    ("mean-of-means", "the chunks' means are added up: small chunks give a large result",
     "sums of chunks, which may be added up", {"each": torch.mean}),
    ("mean-for-sum", "the sum is divided by the number of positions",
     "a sum, which the caller divides by the count of all batches",
     {"total": lambda sums, n: sum(sums) / n}),
    ("wrong-size-in-mean", "the sum is divided by the number of chunks",
     "a sum over the positions, however they are cut",
     {"total": lambda sums, n: sum(sums) / len(sums)}),
    ("term-left-out", "only the last chunk is in the result", "a running sum over the chunks",
     {"total": lambda sums, n: sums[-1]}),
    ("term-left-out", "only the first chunk is in the result", "a sum over all chunks",
     {"total": lambda sums, n: sums[0]}),
    ("softmax-wrong-axis", "softmax runs over the positions of a chunk",
     "softmax over the vocabulary", {"log_softmax": lambda logits: logits.log_softmax(dim=0)}),
)  # fmt: skip
name_lookalikes(bug_chunked_kl, lambda kl: _chunked(kl=kl))
