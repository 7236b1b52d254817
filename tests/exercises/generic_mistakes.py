"""Mistakes that can be made around any right function: gradients, state, inputs, precision.

`generic_mistakes(function, names, values)` gives pairs (name, function). Names begin with the kind
("gradient: ", "in place: ", ...), so that a whole kind can be spoken of. Mistakes that say nothing of
a function are left out: of gradients where none can flow, of precision where the result is a text.
"""

import copy

import torch
from torch import nn


def generic_mistakes(function, names, values):
    """names, values: of the arguments of one call."""
    result = function(*_with_gradients(values))
    if any(t.requires_grad for t in tensors(result)):
        yield from _without_gradient(function, names, values)
    yield from _ignoring(function, names)
    yield from _changing_inputs(function, names, values)
    yield from _leaving_state(function, names, values)
    if any(True for _ in floats(result)):
        yield from _imprecise(function, values)


def _with_gradients(values):
    """The arguments, copied, where every real tensor asks for its gradient."""
    ask = lambda t: t.detach().clone().requires_grad_(t.is_floating_point())
    return [copy.deepcopy(of_tensors(value, ask)) for value in values]


def _without_gradient(function, names, values):
    yield "gradient: under no_grad", torch.no_grad()(function)
    yield "gradient: result detached", _after(function, lambda x: x.detach())
    yield "gradient: result as plain numbers", _after(function, lambda x: x.tolist())
    for place, (name, value) in enumerate(zip(names, values)):
        if any(t.is_floating_point() for t in tensors(value)):
            yield f"gradient: {name} detached", _before(function, place, _detached)


def _detached(value):
    return of_tensors(value, lambda t: t.detach())


def _ignoring(function, names):
    for place, name in enumerate(names):
        yield f"ignored: {name} as in the first call", _first_kept(function, place)


def _first_kept(function, place):
    kept = []

    def answer(*args):
        kept.append(kept[0] if kept else copy.deepcopy(args[place]))
        return function(*args[:place], copy.deepcopy(kept[0]), *args[place + 1 :])

    return answer


def _changing_inputs(function, names, values):
    for place, (name, value) in enumerate(zip(names, values)):
        if any(True for _ in tensors(value)):
            yield f"in place: {name} doubled", _then(function, place, _double)
        if isinstance(value, list):
            yield f"in place: {name} longer", _then(function, place, lambda x: x.append(x[0]))
            yield f"in place: {name} shorter", _then(function, place, lambda x: x.pop())


def _double(value):
    for tensor in tensors(value):
        tensor.data.add_(tensor.data.clone() if tensor.dtype != torch.bool else True)


MODULE_STATES = {
    "in eval()": lambda model: model.eval(),
    "in train()": lambda model: model.train(),
    "frozen": lambda model: model.requires_grad_(False),
    "with its gradients erased": lambda model: model.zero_grad(),
    "with gradients of its own": lambda model: _add_gradients(model),
    "with other parameters": lambda model: [p.data.mul_(2) for p in model.parameters()],
}


def _add_gradients(model):
    for p in model.parameters():
        p.grad = torch.ones_like(p) if p.grad is None else p.grad + 1


def _leaving_state(function, names, values):
    for place, (name, value) in enumerate(zip(names, values)):
        if isinstance(value, nn.Module):
            for state, leave in MODULE_STATES.items():
                yield f"state: {name} left {state}", _then(function, place, leave)
    yield "state: the first result forever", _remembering(function)


def _remembering(function):
    kept = []

    def answer(*args):
        kept.append(kept[0] if kept else function(*args))
        return kept[0]

    return answer


def _imprecise(function, values):
    yield "precision: rounded to 3 digits", _after(function, _rounded)
    yield "precision: the result in float16", _after(function, lambda x: x.half().to(x.dtype))
    if any(t.is_floating_point() for t in tensors(values)):
        yield "precision: computed in float16", _in_half(function)
    finite = lambda x: x.nan_to_num()
    yield "precision: nan_to_num of the result", _after(function, finite)


def _rounded(x):
    return x.round(decimals=3) if x.is_floating_point() else x


def _in_half(function):
    half = lambda t: t.half().to(t.dtype) if t.is_floating_point() else t
    return lambda *args: function(*(of_tensors(x, half) for x in args))


def _then(function, place, change):
    """The right result; afterwards something is done to one argument."""

    def answer(*args):
        result = function(*args)
        change(args[place])
        return result

    return answer


def _before(function, place, change):
    return lambda *args: function(*args[:place], change(args[place]), *args[place + 1 :])


def _after(function, change):
    return lambda *args: of_numbers(function(*args), change)


def of_numbers(value, change):
    """`value` with change(x) in the place of each real number, as a tensor, and of each tensor x."""
    if isinstance(value, float):
        return change(torch.tensor(value, dtype=torch.float64))
    if isinstance(value, (list, tuple)):
        return type(value)(of_numbers(x, change) for x in value)
    return of_tensors(value, change)


def of_tensors(value, change):
    """`value` with change(t) in the place of each tensor t, also in lists, tuples and dicts."""
    if isinstance(value, torch.Tensor):
        return change(value)
    if isinstance(value, (list, tuple)):
        return type(value)(of_tensors(x, change) for x in value)
    if isinstance(value, dict):
        return {key: of_tensors(x, change) for key, x in value.items()}
    return value


def tensors(value):
    """The tensors of an argument."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for x in value:
            yield from tensors(x)
    elif isinstance(value, dict):
        yield from tensors(list(value.values()))


def floats(value):
    """The real numbers and tensors of a result."""
    if isinstance(value, float) or (isinstance(value, torch.Tensor) and value.is_floating_point()):
        yield value
    elif isinstance(value, (list, tuple)):
        for x in value:
            yield from floats(x)
