"""What a teacher says about the words that it does not choose."""

import torch
import torch.nn.functional as F

from kdlib.exercises.authoring.inputs import distributions
from kdlib.exercises.kinds.functions import code


@code(
    source=("Q03", "Q04"),
    difficulty=3,
    minutes=8,
    prompt=(
        "Dark knowledge is what a teacher says about all the words that it does not choose. Write "
        "`dark_knowledge(p)`: in each row set the most likely word to 0 (the first one, if several "
        "are equally likely) and renormalise the rest. A one-hot row has nothing left: give zeros."
    ),
    hints=(
        "Two steps: remove one entry in each row, then divide by what is left.",
        "`argmax(dim=-1, keepdim=True)` with `scatter` removes; the remaining sum may be 0.",
        "Divide by `rest.sum(-1, keepdim=True)`, but by 1 where that sum is 0.",
    ),
)
def dark_knowledge(p):
    """Each row without its likeliest word, renormalised; zeros if nothing is left. -> (..., V)"""
    rest = p.scatter(-1, p.argmax(dim=-1, keepdim=True), 0.0)
    left = rest.sum(dim=-1, keepdim=True)
    return rest / left.where(left > 0, torch.ones_like(left))


def _in_order(answer, p):
    """What is left of each row, in order: whichever of the likeliest words was removed."""
    result = answer(p)
    return None if result is None else torch.as_tensor(result).sort(dim=-1).values


dark_knowledge.probe("soft rows", distributions(4, 3, seed=31))
dark_knowledge.probe("more words", distributions(2, 6, seed=32))
dark_knowledge.probe("three dimensions", distributions(2, 3, 5, seed=33))
dark_knowledge.probe("a single row", torch.tensor([0.2, 0.5, 0.3]))
dark_knowledge.probe(
    "a tie",
    torch.tensor([[0.4, 0.4, 0.2], [0.125, 0.4375, 0.4375]]),
    measure=_in_order,
    points_to="ties-counted-twice",
    expected="one word is removed, also where two are equally likely",
)
dark_knowledge.probe(
    "which word of a tie",
    torch.tensor([[0.4, 0.4, 0.2], [0.125, 0.4375, 0.4375]]),
    expected="the first of several equally likely words is removed",
)
dark_knowledge.probe("nearly a tie", torch.tensor([[0.398, 0.402, 0.2], [0.1, 0.4496, 0.4504]]))
dark_knowledge.probe(
    "a one-hot row",
    torch.tensor([[0.0, 1.0, 0.0], [0.3, 0.1, 0.6]]),
    points_to="zero-log-zero",
    expected="zeros where nothing is left, and no 0 / 0",
)
dark_knowledge.probe(
    "a nearly one-hot row",
    torch.tensor([[1 - 3 * 2**-24, 2**-23, 2**-24]]),
    points_to="rest-not-renormalised",
    expected="rows that sum to 1, however little was left",
)


@dark_knowledge.also
def dark_knowledge_in_loops(p):
    if p.dim() > 1:
        return torch.stack([dark_knowledge_in_loops(row) for row in p])
    row = p.tolist()
    row[row.index(max(row))] = 0.0
    return torch.tensor([x / sum(row) if sum(row) else 0.0 for x in row])


def _renormalised(rest):
    left = rest.sum(dim=-1, keepdim=True)
    return rest / left.where(left > 0, torch.ones_like(left))


def _without_top(p):
    return p.scatter(-1, p.argmax(dim=-1, keepdim=True), 0.0)


dark_knowledge.mistakes(
    ("rest-not-renormalised", "the rows sum to less than 1",
     "what is left is a distribution again", _without_top),
    ("zero-log-zero", "a one-hot row gives NaN", "zeros where nothing is left",
     lambda p: _without_top(p) / _without_top(p).sum(dim=-1, keepdim=True)),
    ("wrong-word", "the first word is removed, whichever is the most likely",
     "the most likely word of each row is removed",
     lambda p: _renormalised(p.index_fill(-1, torch.tensor(0), 0.0))),
    ("batch-for-row", "only the rows that hold the largest value of all lose a word",
     "each row loses its own most likely word",
     lambda p: _renormalised(p.where(p < p.max(), 0.0))),
    ("ties-counted-twice", "where two words are equally likely, both are removed",
     "exactly one word is removed from each row",
     lambda p: _renormalised(p.where(p < p.max(dim=-1, keepdim=True).values, 0.0))),
    ("softmax-twice",
     "softmax is applied to the remaining probabilities; the removed word gets mass back",
     "renormalising is dividing by the sum", lambda p: torch.softmax(_without_top(p), dim=-1)),
    ("hard-for-soft", "what remains is the chosen word alone",
     "what remains are all the other words",
     lambda p: F.one_hot(p.argmax(dim=-1), p.shape[-1]).float()),
)  # fmt: skip
