"""A run on so many GPUs, on paper: days, euros and memory, from the terms of `kdlib.bench.costs`.

A bill counts the hours of GPUs. A plan divides them among the GPUs at hand, and waits for the
network where that takes longer than the arithmetic.
"""

from __future__ import annotations

from typing import NamedTuple

from kdlib.bench.costs import (
    CACHES,
    SECONDS_PER_HOUR,
    Assumptions,
    Bill,
    bills,
    state_bytes,
    student_seconds,
    teacher_seconds,
    traffic_bytes,
)

BESIDE = "teacher beside"


class Plan(NamedTuple):
    """A run on some GPUs.

    Attributes:
        stored_bytes: targets on disk.
        hours: from the first step to the last, with the teacher's pass before it if there is one.
        waiting: the share of these in which the GPUs wait for the network.
        price: of the GPUs' hours and of the storage, in the currency of the assumptions.
        gpu_bytes: weights, gradients and optimiser state on one GPU, at most.
    """

    stored_bytes: float
    hours: float
    waiting: float
    price: float
    gpu_bytes: float


def plan(a: Assumptions, name: str, sharded: bool = False) -> Plan:
    """Plan a run.

    Computation and network overlap, so a step takes the longer of the two.

    Args:
        a: what is assumed; ``gpus`` of them share the work.
        name: how the teacher's targets are supplied: "teacher beside", or one of ``CACHES``, which
            the teacher fills before, whole on each GPU: where its weights do not fit, the plan does not
            hold.
        sharded: whether what trains is spread over the GPUs (FSDP2), with the teacher beside, or
            whole on each (DDP).

    Raises:
        ValueError: for another name.
    """
    if name != BESIDE and name not in CACHES:
        raise ValueError(f"name is {name!r}; it must be one of {BESIDE}, {', '.join(CACHES)}")
    bill = bills(a)[name]
    working, total = bill.gpu_hours / a.gpus, _hours(a, bill, name, sharded)
    storage = bill.dollars - a.gpu_hour * bill.gpu_hours
    return Plan(
        stored_bytes=bill.stored_bytes,
        hours=total,
        waiting=1 - working / total,
        price=storage + a.gpu_hour * a.gpus * total,
        gpu_bytes=_gpu_bytes(a, name, sharded),
    )


def _hours(a: Assumptions, bill: Bill, name: str, sharded: bool) -> float:
    """Hours of the teacher's pass, if it goes ahead, and of all steps."""
    steps = a.tokens * a.passes / (a.step_tokens * a.gpus)
    sent = traffic_bytes(a, a.gpus, sharded)
    if name == BESIDE:
        working = a.step_tokens * (student_seconds(a) + teacher_seconds(a))
        return steps * max(working, sum(sent.values()) / a.link) / SECONDS_PER_HOUR
    working = bill.student_hours * SECONDS_PER_HOUR / a.gpus / steps
    learning = steps * max(working, sent["student"] / a.link) / SECONDS_PER_HOUR
    return bill.teacher_hours / a.gpus + learning


def _gpu_bytes(a: Assumptions, name: str, sharded: bool) -> float:
    """Both models at once, or first the whole teacher, which fills the cache, and then the student."""
    held = state_bytes(a, a.gpus if sharded else 1)
    return sum(held.values()) if name == BESIDE else max(held["student"], state_bytes(a)["teacher"])
