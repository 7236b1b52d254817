"""One step over micro-batches of different sizes."""

import torch

from kdlib.exercises.authoring.inputs import normal
from kdlib.exercises.authoring.switches import name_switches
from kdlib.exercises.kinds.functions import code


@code(
    source=(),
    difficulty=3,
    minutes=8,
    prompt=(
        "The batch of one step does not fit into memory, so it comes in micro-batches: a list of "
        "1-d tensors, the token losses of each, still in the student's graph. They differ in size, "
        "and one may be empty. Write `bug_accumulate(micro_batches)`: call backward() so that the "
        "student's gradient is that of the mean over all tokens, and return this mean."
    ),
    hints=(
        "How the batch is cut into micro-batches must not change the gradient.",
        "Gradients add up over calls of backward(), so divide each sum by one common count.",
        "Count the tokens of all micro-batches first; then backward() of each sum / that count.",
    ),
    explanation="The count must be known before the first backward(): read the masks first.",
)
def bug_accumulate(micro_batches):
    """Backpropagate the mean over all tokens, batch by batch, and return it. -> nats per token"""
    count = sum(len(losses) for losses in micro_batches)
    for losses in micro_batches:
        (losses.sum() / count).backward()
    return sum(losses.sum().item() for losses in micro_batches) / count


def _gradient_and_value(answer, sizes, seed, least=0.5):
    """What arrives in three parameters of the student, and what is returned."""
    student = normal(3, seed=seed).requires_grad_()
    inputs = [normal(size, 3, seed=seed + 1 + i) for i, size in enumerate(sizes)]
    value = answer([((x @ student) ** 2 - 0.2).relu() + least for x in inputs])
    if value is None:
        return None
    gradient = torch.zeros(3) if student.grad is None else student.grad
    return gradient, value


for _sizes in ([1, 9], [4, 2, 7], [6], [3, 5], [2, 2, 2, 1]):
    _name = "micro-batches of " + ", ".join(map(str, _sizes))
    bug_accumulate.probe(_name, _sizes, 740 + sum(_sizes), measure=_gradient_and_value)
bug_accumulate.probe(
    "tokens whose loss is exactly 0", [7, 4, 6], 770, 0.0, measure=_gradient_and_value
)
bug_accumulate.probe(
    "an empty micro-batch",
    [5, 0, 3],
    760,
    measure=_gradient_and_value,
    points_to="mean-of-means",
    expected="a micro-batch without tokens adds nothing; its own mean does not exist",
)


@bug_accumulate.also
def accumulate_at_once(micro_batches):
    mean = torch.cat(micro_batches).mean()
    mean.backward()
    return mean


def _mean_of(micro_batches):
    return torch.cat(micro_batches).mean().item()


def _accumulated(share=lambda losses, all_: losses.sum() / sum(map(len, all_)), value=_mean_of):
    """share(losses, micro_batches): what is backpropagated of each; value: what is returned."""

    def answer(micro_batches):
        for losses in micro_batches:
            share(losses, micro_batches).backward()
        return value(micro_batches)

    return answer


bug_accumulate.mistakes(
    ("student-gets-no-gradient", "the value is right, and no gradient has arrived in the student",
     "a student that learns from every micro-batch", _mean_of),
    ("term-left-out", "only the last micro-batch reaches the student",
     "every micro-batch reaches the student",
     _accumulated(lambda losses, all_: losses.sum() / sum(map(len, all_)) * (losses is all_[-1]))),
)  # fmt: skip
name_switches(
    bug_accumulate, _accumulated,
    ("mean-of-means",
     "the gradient is that of averaged means: one token alone weighs as much as nine",
     "every token weighs the same", {"share": lambda losses, all_: losses.mean() / len(all_)}),
    ("mean-of-means", "the means of the micro-batches are added up in the gradient",
     "a gradient that does not depend on how the batch is cut",
     {"share": lambda losses, all_: losses.mean()}),
    ("sum-for-mean", "the gradient is that of the sum: it grows with the number of tokens",
     "the gradient of a mean", {"share": lambda losses, all_: losses.sum()}),
    ("divided-twice", "means of micro-batches are divided by the number of all tokens",
     "each loss is divided by one count, once",
     {"share": lambda losses, all_: losses.mean() / sum(map(len, all_))}),
    ("wrong-size-in-mean", "sums are divided by the number of micro-batches",
     "a division by the number of tokens",
     {"share": lambda losses, all_: losses.sum() / len(all_)}),
    ("mean-of-means", "the value is an average of means; the gradient is right",
     "a value that belongs to the gradient",
     {"value": lambda all_: sum(x.mean().item() for x in all_) / len(all_)}),
    ("mean-of-means", "the value is a sum of means", "a mean over all tokens",
     {"value": lambda all_: sum(x.mean().item() for x in all_)}),
    ("sum-for-mean", "the value is the sum over all tokens", "the mean over all tokens",
     {"value": lambda all_: torch.cat(all_).sum().item()}),
)  # fmt: skip
