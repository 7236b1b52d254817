"""The least loss of a student that cannot see its input."""

import math

import torch
import torch.nn.functional as F

from kdlib.exercises.authoring.inputs import distributions
from kdlib.exercises.authoring.kl import kl_of_probabilities
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


def _infinite_part(answer, p):
    """0 for any finite value, since a trained student never comes to an exact 0."""
    value = answer(p)
    if value is None:
        return None
    return torch.where(torch.as_tensor(value).isfinite(), 0.0, torch.as_tensor(value))


blind_student_loss.probe("three inputs, five words", distributions(3, 5, seed=41))
blind_student_loss.probe("seven inputs, two words", distributions(7, 2, seed=42))
blind_student_loss.probe("nearly one-hot rows", distributions(4, 3, seed=43, scale=4.0))
blind_student_loss.probe("equal rows", torch.tensor([[0.5, 0.25, 0.25]]).repeat(3, 1))
blind_student_loss.probe("one input", torch.tensor([[0.5, 0.25, 0.25]]))
blind_student_loss.probe(
    "an input that recurs", torch.tensor([[0.5, 0.25, 0.25]] * 3 + [[0.125, 0.125, 0.75]])
)
blind_student_loss.probe(
    "one-hot rows",
    torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.5, 0.0, 0.5]]),
    points_to="zero-log-zero",
    expected="0 log 0 counts as 0",
)
blind_student_loss.probe(
    "a word that no row has",
    torch.tensor([[1.0, 0.0, 0.0], [0.25, 0.75, 0.0]]),
    measure=_infinite_part,
    points_to="zero-log-zero",
    expected="a finite loss, also where a word never occurs",
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


@blind_student_loss.also
def blind_student_loss_by_training(p):
    logits = torch.zeros(p.shape[-1], requires_grad=True)
    optimiser = torch.optim.Adam([logits], lr=0.3)
    for _ in range(100):
        optimiser.zero_grad()
        loss = F.kl_div(logits.log_softmax(dim=-1).expand_as(p), p, reduction="batchmean")
        loss.backward()
        optimiser.step()
    return loss.item()


def _with(q, reverse=False):
    """The mean KL of the rows to the distribution q(p), or from it."""

    def answer(p):
        rows = q(p).expand_as(p)
        return kl_of_probabilities(*((rows, p) if reverse else (p, rows))).mean()

    return answer


blind_student_loss.mistakes(
    ("kl-reversed",
     "the value is the best for KL(Q||P): a student that keeps only what all rows share",
     "the teacher's probabilities weigh the log-ratios",
     lambda p: -torch.logsumexp(p.log().mean(dim=0), dim=-1)),
    ("kl-reversed", "the right compromise is judged by KL(Q||P)",
     "KL(P||Q): from the teacher to the student",
     _with(lambda p: p.mean(dim=0), reverse=True)),
    ("ce-called-kl", "equal rows, which a blind student can match, do not give 0",
     "0 where one distribution fits all rows",
     lambda p: -torch.xlogy(p, p.mean(dim=0)).sum(dim=-1).mean()),
    ("flat-for-informative",
     "the student's answer is the uniform distribution, whatever the rows are",
     "the best single distribution for these rows",
     _with(lambda p: torch.full((p.shape[-1],), 1 / p.shape[-1]))),
    ("sum-for-mean", "the value grows when every row is repeated", "a mean over the inputs",
     lambda p: blind_student_loss.reference(p) * len(p)),
    ("mean-over-vocab", "the value is divided by the size of the vocabulary",
     "a sum over the vocabulary", lambda p: blind_student_loss.reference(p) / p.shape[-1]),
    ("zero-log-zero", "rows with exact zeros give NaN",
     "what the teacher never does adds nothing",
     lambda p: (p * (p / p.mean(dim=0)).log()).sum(dim=-1).mean()),
    ("zero-loss-expected", "the value is 0 for all rows, however different they are",
     "one distribution cannot match two different rows", lambda p: torch.zeros(())),
)  # fmt: skip
