"""A loss that trains the student: what it gives to the student, not only its value."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from kdlib.exercises.kinds.functions import CodeExercise

Gradient = Callable[..., Any]  # measure(answer, *args) -> the gradients


def trains_the_student(
    exercise: CodeExercise, *args: Any, measure: Gradient, name: str = "the gradient in the student"
) -> None:
    """Ask for a loss through which a gradient flows, and name the one through which none does.

    args: a probe's. measure: made by `gradient_in`.
    """
    exercise.probe(
        name,
        *args,
        measure=measure,
        points_to="student-gets-no-gradient",
        expected="a tensor through which the student gets the gradient of its whole loss",
    )
    exercise.wrong(
        "student-gets-no-gradient",
        seen="the values are right, and no gradient reaches the student",
        expected="a tensor that still hangs on what it was computed from",
    )(torch.no_grad()(exercise.reference))


def gradient_in(
    *places: int,
    inner: Callable[[Tensor], Tensor] = lambda argument: argument,
    loss: Callable[[Any], Any] = lambda result: result,
) -> Gradient:
    """Measures the gradient, in the arguments at these places, of the sum of an answer's losses.

    inner: how such an argument comes from what the gradient is taken in, e.g. `log_softmax`.
    loss: what of a result is the loss. Zeros where nothing flows, as from a float or an array.
    """

    def measure(answer: Callable[..., Any], *args: Any) -> Any:
        leaves = {place: args[place].detach().clone().requires_grad_() for place in places}
        given = [inner(leaves[i]).clone() if i in leaves else arg for i, arg in enumerate(args)]
        try:
            result = answer(*given)
        except RuntimeError:  # numpy takes no tensor that has a gradient; if it is that, this runs
            result = answer(*args)
        if result is None or result is ...:
            return None
        total = sum(x.sum() for x in _tensors(loss(result)) if x.requires_grad)
        return _gradients(total, list(leaves.values()))

    return measure


def in_logits(log_probabilities: Tensor) -> Tensor:
    """For `inner`: nothing changes but the gradient, which is then that in the logits.

    So it does not matter whether an answer normalises once more.
    """
    return torch.log_softmax(log_probabilities, dim=-1)


def first_part(result: Any) -> Any:
    """For `loss`: the first part of a pair, which may be one tensor."""
    has_parts = isinstance(result, (list, tuple)) or isinstance(result, Tensor) and result.ndim > 0
    return result[0] if has_parts and len(result) > 0 else result


def _gradients(total: Any, leaves: list[Tensor]) -> list[Tensor]:
    if not isinstance(total, Tensor):
        return [torch.zeros_like(leaf) for leaf in leaves]
    found = torch.autograd.grad(total, leaves, allow_unused=True)
    return [torch.zeros_like(x) if g is None else g for x, g in zip(leaves, found)]


def _tensors(value: Any) -> Iterator[Tensor]:
    """All tensors of a result, in whatever lists they stand."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors(item)
