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


dark_knowledge.probe("soft rows", distributions(4, 3, seed=31))
dark_knowledge.probe("more words", distributions(2, 6, seed=32))
dark_knowledge.probe("three dimensions", distributions(2, 3, 5, seed=33))
dark_knowledge.probe("a single row", torch.tensor([0.2, 0.5, 0.3]))
dark_knowledge.probe(
    "a tie",
    torch.tensor([[0.4, 0.4, 0.2]]),
    points_to="ties-counted-twice",
    expected="one word is removed, also where two are equally likely",
)
dark_knowledge.probe(
    "a one-hot row",
    torch.tensor([[0.0, 1.0, 0.0], [0.3, 0.1, 0.6]]),
    points_to="zero-log-zero",
    expected="zeros where nothing is left, and no 0 / 0",
)


@dark_knowledge.also
def dark_knowledge_in_loops(p):
    if p.dim() > 1:
        return torch.stack([dark_knowledge_in_loops(row) for row in p])
    row = p.tolist()
    row[row.index(max(row))] = 0.0
    return torch.tensor([x / sum(row) if sum(row) else 0.0 for x in row])


@dark_knowledge.wrong(
    "rest-not-renormalised",
    seen="the rows sum to less than 1",
    expected="what is left is a distribution again",
)
def dark_knowledge_unnormalised(p):
    return p.scatter(-1, p.argmax(dim=-1, keepdim=True), 0.0)


@dark_knowledge.wrong(
    "zero-log-zero",
    seen="a one-hot row gives NaN",
    expected="zeros where nothing is left",
)
def dark_knowledge_nan(p):
    rest = p.scatter(-1, p.argmax(dim=-1, keepdim=True), 0.0)
    return rest / rest.sum(dim=-1, keepdim=True)


@dark_knowledge.wrong(
    "wrong-word",
    seen="the first word is removed, whichever is the most likely",
    expected="the most likely word of each row is removed",
)
def dark_knowledge_first(p):
    rest = p.clone()
    rest[..., 0] = 0.0
    left = rest.sum(dim=-1, keepdim=True)
    return rest / left.where(left > 0, torch.ones_like(left))


@dark_knowledge.wrong(
    "batch-for-row",
    seen="only the rows that hold the largest value of all lose a word",
    expected="each row loses its own most likely word",
)
def dark_knowledge_of_batch(p):
    rest = p.where(p < p.max(), torch.zeros_like(p))
    left = rest.sum(dim=-1, keepdim=True)
    return rest / left.where(left > 0, torch.ones_like(left))


@dark_knowledge.wrong(
    "ties-counted-twice",
    seen="where two words are equally likely, both are removed",
    expected="exactly one word is removed from each row",
)
def dark_knowledge_both(p):
    rest = p.where(p < p.max(dim=-1, keepdim=True).values, torch.zeros_like(p))
    left = rest.sum(dim=-1, keepdim=True)
    return rest / left.where(left > 0, torch.ones_like(left))


@dark_knowledge.wrong(
    "softmax-twice",
    seen="softmax is applied to the remaining probabilities; the removed word gets mass back",
    expected="renormalising is dividing by the sum",
)
def dark_knowledge_softmax(p):
    return torch.softmax(p.scatter(-1, p.argmax(dim=-1, keepdim=True), 0.0), dim=-1)


@dark_knowledge.wrong(
    "hard-for-soft",
    seen="what remains is the chosen word alone",
    expected="what remains are all the other words",
)
def dark_knowledge_inverted(p):
    return F.one_hot(p.argmax(dim=-1), p.shape[-1]).float()
