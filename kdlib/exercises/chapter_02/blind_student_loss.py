"""The least loss of a student that cannot see its input."""

import math

import torch

from kdlib.exercises.authoring.inputs import distributions
from kdlib.exercises.kinds.functions import code


@code(
    source=("Q10",),
    difficulty=4,
    minutes=10,
    prompt=(
        "A blind student cannot see its input: it has one distribution for all. Write "
        "`blind_student_loss(p)`: the lowest mean of KL(P||Q) over the rows of `p` that such a "
        "student can reach. Rows are the teacher's probabilities for N inputs; exact zeros occur."
    ),
    hints=(
        "Which single distribution is the best answer to all rows at once, under the forward KL?",
        "Under the forward KL the best compromise is the plain average of the rows.",
        "Average the rows, take the KL of each row to that average, and average again.",
    ),
    explanation=(
        "Equal rows give 0. Adding a row of another kind raises the loss: "
        "more diverse data, higher final loss."
    ),
)
def blind_student_loss(p):
    """Least mean KL from the rows to one common distribution, in nats. (N, V) -> scalar"""
    q = p.mean(dim=0)
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(dim=-1).mean()


blind_student_loss.probe("three inputs, five words", distributions(3, 5, seed=41))
blind_student_loss.probe("seven inputs, two words", distributions(7, 2, seed=42))
blind_student_loss.probe("nearly one-hot rows", distributions(4, 3, seed=43, scale=4.0))
blind_student_loss.probe("equal rows", torch.tensor([[0.5, 0.25, 0.25]]).repeat(3, 1))
blind_student_loss.probe(
    "one-hot rows",
    torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.5, 0.5, 0.0]]),
    points_to="zero-log-zero",
    expected="0 log 0 counts as 0",
)


@blind_student_loss.also
def blind_student_loss_by_entropies(p):
    entropy = torch.special.entr
    return entropy(p.mean(dim=0)).sum() - entropy(p).sum(dim=-1).mean()


@blind_student_loss.also
def blind_student_loss_in_loops(p):
    rows = p.tolist()
    q = [sum(column) / len(rows) for column in zip(*rows)]
    losses = [sum(a * math.log(a / b) for a, b in zip(row, q) if a > 0) for row in rows]
    return sum(losses) / len(rows)


@blind_student_loss.wrong(
    "kl-reversed",
    seen="the value is the best for KL(Q||P): a student that keeps only what all rows share",
    expected="the teacher's probabilities weigh the log-ratios",
)
def blind_student_loss_reverse_optimum(p):
    return -torch.logsumexp(p.log().mean(dim=0), dim=-1)


@blind_student_loss.wrong(
    "kl-reversed",
    seen="the right compromise is judged by KL(Q||P)",
    expected="KL(P||Q): from the teacher to the student",
)
def blind_student_loss_reversed(p):
    q = p.mean(dim=0)
    return (torch.xlogy(q, q) - torch.xlogy(q, p)).sum(dim=-1).mean()


@blind_student_loss.wrong(
    "ce-called-kl",
    seen="equal rows, which a blind student can match, do not give 0",
    expected="0 where one distribution fits all rows",
)
def blind_student_loss_cross_entropy(p):
    return -torch.xlogy(p, p.mean(dim=0)).sum(dim=-1).mean()


@blind_student_loss.wrong(
    "flat-for-informative",
    seen="the student's answer is the uniform distribution, whatever the rows are",
    expected="the best single distribution for these rows",
)
def blind_student_loss_uniform(p):
    return (torch.xlogy(p, p).sum(dim=-1) + math.log(p.shape[-1])).mean()


@blind_student_loss.wrong(
    "sum-for-mean",
    seen="the value grows when every row is repeated",
    expected="a mean over the inputs",
)
def blind_student_loss_sum(p):
    return blind_student_loss.reference(p) * len(p)


@blind_student_loss.wrong(
    "mean-over-vocab",
    seen="the value is divided by the size of the vocabulary",
    expected="a sum over the vocabulary",
)
def blind_student_loss_vocabulary(p):
    return blind_student_loss.reference(p) / p.shape[-1]


@blind_student_loss.wrong(
    "zero-log-zero",
    seen="rows with exact zeros give NaN",
    expected="what the teacher never does adds nothing",
)
def blind_student_loss_nan(p):
    return (p * (p / p.mean(dim=0)).log()).sum(dim=-1).mean()


@blind_student_loss.wrong(
    "zero-loss-expected",
    seen="the value is 0 for all rows, however different they are",
    expected="one distribution cannot match two different rows",
)
def blind_student_loss_zero(p):
    return torch.zeros(())
