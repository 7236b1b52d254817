"""Room 1: three bugs in one line."""

import torch
import torch.nn.functional as F

from kdlib.exercises.authoring.floors import UNLIKELY, no_floor
from kdlib.exercises.authoring.gradients import gradient_in, trains_the_student
from kdlib.exercises.authoring.inputs import logit_pair
from kdlib.exercises.authoring.kl import kl_of_logs
from kdlib.exercises.authoring.lookalikes import kl_switches, name_lookalikes
from kdlib.exercises.authoring.switches import name_switches
from kdlib.exercises.chapter_13.showcase import with_code
from kdlib.exercises.kinds.functions import code


def broken_masked_loss(teacher_logits, student_logits, mask, temperature):
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    p = F.softmax(teacher_logits / temperature, dim=-1)
    return F.kl_div(log_q, p, reduction="batchmean")


@code(
    source=(),
    difficulty=3,
    minutes=10,
    prompt=with_code(
        "With this loss, raising the temperature acts like switching the teacher off, long "
        "sequences have huge losses, and adding padding to a batch changes the value. Write "
        "`bug_masked_loss(teacher_logits, student_logits, mask, temperature)` without the three "
        "bugs: the mean over all real positions of the KL from teacher to student at the "
        "temperature, with the factor that keeps its gradient's size, as a tensor that the student "
        "can learn from. Logits (B, L, V); mask (B, L), 1 where a position is real.",
        broken_masked_loss,
    ),
    hints=(
        "Ask of the last line: divided by what? Summed over what? Multiplied by what?",
        "'batchmean' divides by the first dimension alone, and the mask is not used at all.",
        (
            "Sum the KL over the vocabulary, keep the real positions, take their mean, times T "
            "squared."
        ),
    ),
    explanation="A loss per real position does not depend on how its batch was cut or padded.",
)
def bug_masked_loss(teacher_logits, student_logits, mask, temperature):
    """Mean loss of a real position, at any length, padding and temperature. -> scalar"""
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1)
    log_q = F.log_softmax(student_logits / temperature, dim=-1)
    kl = (log_p.exp() * (log_p - log_q)).sum(dim=-1)
    return temperature**2 * kl[mask.bool()].mean()


_MASKS = (
    ("padding on the right", [[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0]], 2.0),
    ("padding on the left", [[0, 0, 0, 1, 1, 1], [0, 1, 1, 1, 1, 1]], 2.5),
    ("rows of very unequal length", [[1] * 7, [1] + [0] * 6, [1, 1] + [0] * 5, [1] * 7], 0.8),
    ("no padding", [[1, 1, 1, 1]] * 2, 4.0),
)
for _seed, (_about, _mask, _temperature) in enumerate(_MASKS, start=1):
    _shape = len(_mask), len(_mask[0]), 5 + _seed
    bug_masked_loss.probe(
        _about,
        *logit_pair(*_shape, seed=_seed),
        torch.tensor(_mask),
        _temperature,
    )
no_floor(
    bug_masked_loss,
    torch.tensor([[[0.0, 1.0], [1.0, 0.0], [0.0, 0.0]]]),
    torch.tensor([[[0.0, UNLIKELY], [0.0, UNLIKELY], [1.0, 0.0]]]),
    *(torch.tensor([[1, 1, 0]]), 1.0),
)
trains_the_student(
    bug_masked_loss,
    *logit_pair(2, 4, 6, seed=9),
    *(torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]]), 2.0),
    measure=gradient_in(1),
)


@bug_masked_loss.also
def masked_loss_in_loops(teacher_logits, student_logits, mask, temperature):
    total, count = 0.0, 0
    for p_row, q_row, real in zip(teacher_logits, student_logits, mask.tolist()):
        for p_logits, q_logits in [(p, q) for p, q, r in zip(p_row, q_row, real) if r]:
            log_q = F.log_softmax(q_logits / temperature, dim=0)
            total += F.kl_div(log_q, F.softmax(p_logits / temperature, dim=0), reduction="sum")
            count += 1
    return total / count * temperature**2


def _masked(kl=kl_of_logs, power=2, teacher=1.0, student=1.0, reduce=None):
    """The loss with other parts. teacher, student: the share of the temperature that reaches it."""

    def answer(teacher_logits, student_logits, mask, temperature):
        log_p = (teacher_logits / temperature**teacher).log_softmax(dim=-1)
        log_q = (student_logits / temperature**student).log_softmax(dim=-1)
        terms = kl(log_p, log_q)
        return temperature**power * (reduce(terms, mask) if reduce else terms[mask.bool()].mean())

    return answer


bug_masked_loss.wrong(
    "batchmean-over-sequences",
    seen="the shown code is unchanged: its value still grows with the length",
    expected="a mean over positions, without padding, whose gradient keeps its size",
)(broken_masked_loss)
name_switches(
    bug_masked_loss, _masked,
    ("missing-t-squared", "the loss, and with it its gradient, shrinks as the temperature grows",
     "the factor that temperature takes away from a gradient", {"power": 0}),
    ("missing-t-squared", "the loss is multiplied by the temperature only once",
     "one factor for each of the two softmaxes that temperature divides", {"power": 1}),
    *kl_switches(),
    ("temperature-one-side", "only the teacher is softened; equal logits do not give 0",
     "one temperature for both models", {"student": 0.0}),
    ("temperature-one-side", "only the student is softened; equal logits do not give 0",
     "the same temperature for both models", {"teacher": 0.0}),
    ("temperature-ignored", "neither model is softened",
     "distributions that change with the temperature", {"teacher": 0.0, "student": 0.0}),
    ("temperature-inverted", "a higher temperature makes both distributions sharper",
     "a higher temperature makes them flatter", {"teacher": -1.0, "student": -1.0}),
    ("hard-for-soft", "the ordinary loss on labels, with the teacher's first choices as labels",
     "targets that say how likely every word is, softened",
     {"kl": lambda p, q: F.nll_loss(q.mT, p.argmax(dim=-1), reduction="none"),
      "power": 0, "teacher": 0.0, "student": 0.0}),
    ("batchmean-over-sequences",
     "the sum is divided by the number of sequences, so that long ones have large losses",
     "a division by the number of positions",
     {"reduce": lambda kl, mask: (kl * mask).sum() / len(mask)}),
    ("padding-counted", "padding enters the sum and the count", "the mask is applied to both",
     {"reduce": lambda kl, mask: kl.mean()}),
    ("padding-counted",
     "padding is left out of the sum and still counted: more padding, smaller loss",
     "a count of the real positions", {"reduce": lambda kl, mask: (kl * mask).mean()}),
    ("padding-counted", "padding enters the sum and not the count: more padding, larger loss",
     "a sum over the real positions", {"reduce": lambda kl, mask: kl.sum() / mask.sum()}),
    ("mean-of-means", "each sequence weighs the same, so a position in a short one weighs more",
     "every real position weighs the same",
     {"reduce": lambda kl, mask: ((kl * mask).sum(dim=1) / mask.sum(dim=1)).mean()}),
    ("sum-for-mean", "the loss grows with every position that is added to the batch",
     "a mean over the real positions", {"reduce": lambda kl, mask: (kl * mask).sum()}),
)  # fmt: skip
name_lookalikes(bug_masked_loss, lambda kl: _masked(kl=kl))
