"""Cached rows, found by sample and not by place."""

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


def _rows_or_refusal(answer, cached_ids, rows, batch_ids):
    try:
        return answer(cached_ids, rows, batch_ids)
    except NotImplementedError:
        raise
    except (LookupError, ValueError, RuntimeError, AssertionError, StopIteration):
        return "an error is raised"


_MISSING = "a sample that is not in the cache"
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
    given = [(p, results[p.name]) for p in ordinary(bug_rows_of_batch)]
    given = [(p, rows) for p, rows in given if not isinstance(rows, str)]
    from_cache = all(
        row in probe.args[1].double().tolist() for probe, rows in given for row in rows.tolist()
    )
    right, _ = bug_rows_of_batch.known
    return from_cache and not same_on_ordinary(bug_rows_of_batch, results, right)


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
