"""Room 3: soft targets that were hard."""

import torch
import torch.nn.functional as F

from kdlib.exercises.authoring.floors import UNLIKELY, no_floor
from kdlib.exercises.authoring.gradients import gradient_in, trains_the_student
from kdlib.exercises.authoring.inputs import logit_pair, normal
from kdlib.exercises.authoring.kl import kl_of_logits, kl_of_logs
from kdlib.exercises.authoring.lookalikes import kl_switches, name_lookalikes
from kdlib.exercises.authoring.switches import name_switches
from kdlib.exercises.chapter_13.showcase import with_code
from kdlib.exercises.kinds.functions import code


def broken_soft_targets(teacher_logits, student_logits):
    words = teacher_logits.shape[-1]
    soft = F.one_hot(teacher_logits.argmax(dim=-1), words).float()
    log_q = F.log_softmax(student_logits, dim=-1)
    return F.kl_div(log_q, soft, reduction="none").mean()


@code(
    source=(),
    difficulty=2,
    minutes=6,
    prompt=with_code(
        "This loss is tiny, the larger the vocabulary the tinier, and it is not 0 for a student "
        "that equals its teacher. Write `bug_soft_targets(teacher_logits, student_logits)` "
        "without the two bugs: the mean over the rows of the KL from teacher to student, as a "
        "tensor that the student can learn from. Logits (N, V).",
        broken_soft_targets,
    ),
    hints=(
        "What is left of the teacher in the variable that is called soft?",
        "A mean over all elements divides by N times V.",
        (
            "A softmax of the teacher's logits, and the reduction 'batchmean', which is right for "
            "(N, V)."
        ),
    ),
    explanation="A perfect match gives exactly 0: the quickest test of any distillation loss.",
)
def bug_soft_targets(teacher_logits, student_logits):
    """Mean loss of a row; 0 for a student that equals its teacher. (N, V), (N, V) -> scalar"""
    p = F.softmax(teacher_logits, dim=-1)
    log_q = F.log_softmax(student_logits, dim=-1)
    return F.kl_div(log_q, p, reduction="batchmean")


for _rows, _words in ((4, 3), (2, 9), (5, 30)):
    bug_soft_targets.probe(
        f"{_rows} rows, {_words} words",
        *logit_pair(_rows, _words, seed=_words),
    )
_equal = normal(3, 5, seed=35)
bug_soft_targets.probe("a student equal to its teacher", _equal, _equal)
no_floor(
    bug_soft_targets,
    torch.tensor([[0.0, 1.0, 0.5], [1.0, 0.0, 0.0]]),
    torch.tensor([[1.0, UNLIKELY, 0.0], [0.0, 1.0, UNLIKELY]]),
)
trains_the_student(bug_soft_targets, *logit_pair(3, 7, seed=36), measure=gradient_in(1))


@bug_soft_targets.also
def soft_targets_by_hand(teacher_logits, student_logits):
    return kl_of_logits(teacher_logits, student_logits).mean()


def _soft(kl=kl_of_logs, reduce=torch.mean):
    return lambda t, s: reduce(kl(t.log_softmax(dim=-1), s.log_softmax(dim=-1)))


bug_soft_targets.mistakes(
    ("hard-for-soft",
     "the shown code is unchanged: its targets are one-hot, its mean runs over the vocabulary",
     "targets with mass on other words than the first choice", broken_soft_targets),
    ("logits-for-probabilities", "the logits themselves are compared, by their squared distance",
     "a divergence of distributions", lambda t, s: F.mse_loss(s, t)),
)  # fmt: skip
name_switches(
    bug_soft_targets, _soft,
    *kl_switches(),
    ("softmax-twice", "the student's probabilities go through a second softmax",
     "one softmax for each model",
     {"kl": lambda log_p, log_q: kl_of_logs(log_p, log_q.exp().log_softmax(dim=-1))}),
    ("sum-for-mean", "the loss grows with the number of rows", "a mean over the rows",
     {"reduce": torch.sum}),
)  # fmt: skip
name_lookalikes(bug_soft_targets, lambda kl: _soft(kl=kl))
