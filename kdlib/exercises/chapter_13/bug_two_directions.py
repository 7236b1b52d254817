"""Room 4: two arguments, each with its own convention."""

import torch
import torch.nn.functional as F

from kdlib.exercises.authoring.floors import UNLIKELY, no_floor
from kdlib.exercises.authoring.inputs import logit_pair
from kdlib.exercises.authoring.kl import kl_of_logits, kl_of_logs
from kdlib.exercises.authoring.lookalikes import kl_switches, name_lookalikes
from kdlib.exercises.authoring.switches import name_switches
from kdlib.exercises.chapter_13.showcase import with_code
from kdlib.exercises.kinds.functions import code


def broken_two_directions(teacher_logits, student_logits):
    p = F.softmax(teacher_logits, dim=-1)
    q = F.softmax(student_logits, dim=-1)
    forward = F.kl_div(p, q, reduction="none").sum(dim=-1)
    reverse = F.kl_div(q, p, reduction="none").sum(dim=-1)
    return forward, reverse


@code(
    source=(),
    difficulty=2,
    minutes=8,
    prompt=with_code(
        "Both results are negative for most rows. Write `bug_two_directions(teacher_logits, "
        "student_logits)` without the bugs, for evaluation: the pair (KL(P || Q), KL(Q || P)) of "
        "each row, P the teacher's distribution and Q the student's. Logits (N, V) of any size.",
        broken_two_directions,
    ),
    hints=(
        "`F.kl_div(input, target)`: which of the two is expected as logarithms?",
        "Its target is the distribution that weighs: the order is the reverse of KL(P || Q).",
        "Two log-softmaxes. The input of the first direction is the logarithm of q, its target p.",
    ),
    explanation="The target weighs and is a probability, the input is a logarithm and comes first.",
)
def bug_two_directions(teacher_logits, student_logits):
    """KL(P || Q) and KL(Q || P) of each row. (N, V), (N, V) -> (N,), (N,)"""
    log_p = F.log_softmax(teacher_logits, dim=-1)
    log_q = F.log_softmax(student_logits, dim=-1)
    forward = F.kl_div(log_q, log_p.exp(), reduction="none").sum(dim=-1)
    reverse = F.kl_div(log_p, log_q.exp(), reduction="none").sum(dim=-1)
    return forward, reverse


for _rows, _words in ((4, 3), (3, 8), (1, 5)):
    bug_two_directions.probe(
        f"{_rows} rows, {_words} words",
        *logit_pair(_rows, _words, seed=_words + 40),
    )
bug_two_directions.probe(
    "logits far apart",
    torch.tensor([[0.0, 300.0, 298.0], [-400.0, 0.0, 1.0]]),
    torch.tensor([[300.0, 0.0, 299.0], [1.0, -500.0, 0.0]]),
    points_to="zero-log-zero",
    expected="finite values, as all logits are finite",
)
no_floor(
    bug_two_directions,
    torch.tensor([[0.0, 1.0, 2.0], [UNLIKELY, 1.0, 0.0]]),
    torch.tensor([[1.0, UNLIKELY, 0.0], [0.0, 1.0, UNLIKELY]]),
)


@bug_two_directions.also
def two_directions_by_hand(teacher_logits, student_logits):
    return kl_of_logits(teacher_logits, student_logits), kl_of_logits(
        student_logits, teacher_logits
    )


def _directions(
    kl=kl_of_logs,
    first=lambda kl, log_p, log_q: kl(log_p, log_q),
    second=lambda kl, log_p, log_q: kl(log_q, log_p),
    log_softmax=lambda logits: logits.log_softmax(dim=-1),
):
    """The pair with another divergence, or another order of its arguments in one of the two."""

    def answer(teacher_logits, student_logits):
        log_p, log_q = log_softmax(teacher_logits), log_softmax(student_logits)
        return first(kl, log_p, log_q), second(kl, log_p, log_q)

    return answer


def _of_ratios(p, q):
    return (p * (p / q).log()).sum(dim=-1)


bug_two_directions.wrong(
    "probs-for-log-probs",
    seen="the shown code is unchanged: no argument is a logarithm, and the order is not that of KL",
    expected="divergences: never negative, and 0 only for equal distributions",
)(broken_two_directions)
name_switches(
    bug_two_directions, _directions,
    ("kl-reversed", "the logarithms are in place, and the two directions are exchanged",
     "the weights of the first result come from the teacher",
     {"first": lambda kl, log_p, log_q: kl(log_q, log_p),
      "second": lambda kl, log_p, log_q: kl(log_p, log_q)}),
    ("kl-reversed", "both results are the first direction",
     "two directions, which differ unless the models agree",
     {"second": lambda kl, log_p, log_q: kl(log_p, log_q)}),
    ("kl-reversed", "both results are the second direction",
     "two directions, and the first is weighed by the teacher",
     {"first": lambda kl, log_p, log_q: kl(log_q, log_p)}),
    *kl_switches("kl-reversed"),
    ("log-for-probability", "both arguments are logarithms now, also the one that weighs",
     "weights that are probabilities",
     {"kl": lambda log_p, log_q: F.kl_div(log_q, log_p, reduction="none").sum(dim=-1)}),
    ("zero-log-zero", "right for moderate logits, NaN or infinite for logits far apart",
     "logarithms that are not taken of probabilities which have vanished",
     {"kl": lambda log_p, log_q: _of_ratios(log_p.exp(), log_q.exp())}),
    ("batch-for-row", "there is one pair for the whole batch", "one pair for each row",
     {"kl": lambda log_p, log_q: kl_of_logs(log_p, log_q).mean()}),
    ("logits-for-probabilities",
     "logits stand where log-probabilities are expected: their normaliser is missing",
     "inputs that are normalised",
     {"kl": lambda t, s: F.kl_div(s, t.softmax(-1), reduction="none").sum(dim=-1),
      "log_softmax": lambda logits: logits}),
    ("softmax-wrong-axis", "the softmaxes run over the rows",
     "a distribution over the words in each row",
     {"log_softmax": lambda logits: logits.log_softmax(dim=0)}),
)  # fmt: skip

name_lookalikes(bug_two_directions, lambda kl: _directions(kl=kl))
