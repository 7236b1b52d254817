"""Cached rows, found by sample and not by place."""

import numpy as np
import torch

from kdlib.exercises.authoring.inputs import distributions
from kdlib.exercises.authoring.rules import ordinary, same_on_ordinary
from kdlib.exercises.kinds.functions import code


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


def _or_refusal(*refusals):
    """The rows, or whether the answer raises such an error, which may be its way to refuse."""

    def measure(answer, *args):
        try:
            return answer(*args)
        except NotImplementedError:
            raise
        except refusals:
            return "an error is raised"

    return measure


_MISSING = "a sample that is not in the cache"
_NOT_FOUND = LookupError, ValueError, RuntimeError, AssertionError, StopIteration
for _name, _cached, _batch in (
    ("three samples of five", [40, 7, 23, 11, 99], [11, 40, 23]),
    ("an epoch in another order", [5, 12, 8, 30], [30, 5, 8, 12]),
    ("ids that look like row numbers", [2, 0, 3, 1, 4], [0, 4, 1, 2]),
    ("a sample twice in a batch", [9, 4, 6], [6, 9, 6, 4]),
    ("one sample", [3, 1, 2], [2]),
    ("the order of the cache", [0, 1, 2, 3], [0, 1, 2]),
    (_MISSING, [21, 17, 19, 23], [19, 18, 21]),
):
    bug_rows_of_batch.probe(
        _name,
        torch.tensor(_cached),
        distributions(len(_cached), 3, seed=840 + len(_name)),
        torch.tensor(_batch),
        measure=_or_refusal(Exception) if _name == _MISSING else _or_refusal(*_NOT_FOUND),
        points_to="rows-shuffled" if _name == _MISSING else None,
        expected="an error, as no row belongs to that sample" if _name == _MISSING else "",
    )


@bug_rows_of_batch.symptom(
    "rows-shuffled",
    seen="rows of the cache come back, but not those of the batch's samples in the batch's order",
    expected="each sample's own row",
)
def _(results):
    given = [(p, results[p.name]) for p in ordinary(bug_rows_of_batch)]
    given = [(p, rows) for p, rows in given if not isinstance(rows, str)]
    from_cache = all(
        row in probe.args[1].double().tolist() for probe, rows in given for row in rows.tolist()
    )
    right, _ = bug_rows_of_batch.known
    return from_cache and not same_on_ordinary(bug_rows_of_batch, results, right)


@bug_rows_of_batch.symptom(
    "rows-shuffled",
    seen="right, but for a sample that is not in the cache rows come back all the same",
    expected="an error, as no row belongs to that sample",
)
def _(results):
    right, _ = bug_rows_of_batch.known
    refused = not isinstance(results[_MISSING], np.ndarray)
    return not refused and same_on_ordinary(bug_rows_of_batch, results, right)


@bug_rows_of_batch.also
def rows_of_batch_sorted(cached_ids, rows, batch_ids):
    order = cached_ids.argsort()
    at = torch.searchsorted(cached_ids[order], batch_ids).clamp(max=len(order) - 1)
    if not torch.equal(cached_ids[order][at], batch_ids):
        raise KeyError("a sample is not in the cache")
    return rows[order][at]


def _of_known(cached_ids, rows, batch_ids):
    known = [sample for sample in batch_ids if sample in cached_ids]
    return bug_rows_of_batch.reference(cached_ids, rows, known)


bug_rows_of_batch.mistakes(
    ("rows-shuffled", "the first rows of the cache are taken, whatever samples the batch holds",
     "rows found by sample id", lambda cached_ids, rows, batch_ids: rows[: len(batch_ids)]),
    ("rows-shuffled", "a sample's id is taken for the number of its row",
     "the place where that id stands among the cached ids", lambda _, rows, batch: rows[batch]),
    ("rows-shuffled", "the right rows come in the order of the cache", "the order of the batch",
     lambda cached_ids, rows, batch_ids: rows[torch.isin(cached_ids, batch_ids)]),
    ("rows-shuffled", "the right rows come sorted by sample id", "the batch's own order",
     lambda ids, rows, batch: bug_rows_of_batch.reference(ids, rows, batch.sort().values)),
    ("rows-shuffled",
     "ids are looked up among sorted ids, while the rows are still in the old order",
     "ids and rows that are permuted alike",
     lambda ids, rows, batch: rows[torch.searchsorted(ids.sort().values, batch)]),
    ("rows-shuffled", "a sample that is not in the cache silently gets a row of another one",
     "an error for a sample that was never stored",
     lambda ids, rows, batch: rows[(batch[:, None] == ids).int().argmax(dim=-1)]),
    ("term-left-out",
     "a sample that is not in the cache is dropped; the rows after it belong to others",
     "as many rows as samples, or an error", _of_known),
    ("whole-for-part", "all rows of the cache come back", "one row for each sample of the batch",
     lambda cached_ids, rows, batch_ids: rows),
)  # fmt: skip
