"""The softened loss of a batch of sequences."""

import torch
import torch.nn.functional as F

from kdlib.exercises.authoring.floors import UNLIKELY, no_floor
from kdlib.exercises.authoring.gradients import gradient_in, trains_the_student
from kdlib.exercises.authoring.inputs import logit_pair, normal
from kdlib.exercises.authoring.kl import kl_of_logits, kl_of_logs
from kdlib.exercises.authoring.lookalikes import name_lookalikes
from kdlib.exercises.kinds.functions import code


@code(
    source=("Q06",),
    difficulty=4,
    minutes=12,
    prompt=(
        "Write `distillation_loss(teacher_logits, student_logits, temperature)` for logits "
        "(B, L, V): soften both, take KL(P||Q) at every position, average over all B * L "
        "positions, and multiply by the factor that makes up, at high temperatures, for what "
        "softening takes from the gradient. The result is a tensor, so that the student can learn "
        "from it. Logits may be huge."
    ),
    hints=(
        (
            "Three separate questions: what is divided by the temperature, what is summed, what "
            "averaged?"
        ),
        "Far above T = 1 the gradient of the softened KL falls like 1 / T^2: one factor 1 / T from "
        "each division of the logits.",
        "Softened log-softmax for both, sum over V, mean over B and L, times a power of T.",
    ),
    explanation=(
        "The factor keeps the gradient's size in the limit of a high temperature. With many "
        "classes the limit comes late: chapter 4 derives and measures it."
    ),
)
def distillation_loss(teacher_logits, student_logits, temperature):
    """Mean over positions of the softened KL(P||Q), times its customary factor. -> scalar"""
    log_p = torch.log_softmax(teacher_logits / temperature, dim=-1)
    log_q = torch.log_softmax(student_logits / temperature, dim=-1)
    per_position = (log_p.exp() * (log_p - log_q)).sum(dim=-1)
    return temperature**2 * per_position.mean()


def _is_as_large_as_it_should(answer, *args):
    """Of logits 1000 apart at T = 2: 500 nats times T^2, or more where q is rounded to 0."""
    loss = answer(*args)
    return None if loss is None else bool(torch.as_tensor(loss) >= 0.999 * 2000)


distillation_loss.probe("temperature 1", *logit_pair(3, 7, 5, seed=11), 1.0)
distillation_loss.probe("temperature 4", *logit_pair(2, 5, 3, seed=12), 4.0)
distillation_loss.probe("temperature 1/2", *logit_pair(4, 2, 6, seed=13), 0.5)
distillation_loss.probe("one long sequence", *logit_pair(1, 9, 4, seed=14), 2.0)
distillation_loss.probe("a perfect student", *2 * logit_pair(2, 3, 4, seed=15)[:1], 2.0)
distillation_loss.probe(
    "huge logits",
    logit_pair(2, 3, 4, seed=16, scale=2000.0)[0],
    normal(2, 3, 4, seed=17) + 5000.0,
    3.0,
    points_to="softmax-overflow",
    expected="a finite loss, however large the logits are",
)
distillation_loss.probe(
    "words that both models rule out",
    torch.tensor([[[1.0, -1.0, -300.0], [0.0, -400.0, -3.0], [3.0, 0.0, 2.0]]]),
    torch.tensor([[[-1.0, 1.0, -280.0], [2.0, -300.0, 3.0], [0.0, 2.0, 5.0]]]),
    2.0,
    points_to="softmax-overflow",
    expected="a loss of the words that are possible, and finite",
)
distillation_loss.probe(
    "huge differences",
    torch.tensor([[[1000.0, 0.0], [-500.0, 500.0]]]),
    torch.tensor([[[0.0, 1000.0], [500.0, -500.0]]]),
    2.0,
    measure=_is_as_large_as_it_should,
    points_to="floor-in-logarithm",
    expected="a loss as large as the two models are different",
)
no_floor(
    distillation_loss,
    torch.tensor([[[1.0, 0.0], [0.0, 0.5], [2.0, 2.0]]]),
    torch.tensor([[[UNLIKELY, 0.0], [0.0, UNLIKELY], [0.0, UNLIKELY]]]),
    1.0,
)
trains_the_student(distillation_loss, *logit_pair(2, 5, 3, seed=19), 4.0, measure=gradient_in(1))


@distillation_loss.also
def distillation_loss_torch(teacher_logits, student_logits, temperature):
    words = teacher_logits.shape[-1]
    log_q = F.log_softmax(student_logits / temperature, dim=-1).reshape(-1, words)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1).reshape(-1, words)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True) * temperature**2


def _softened(teacher_logits, student_logits, temperature):
    log_p = torch.log_softmax(teacher_logits / temperature, dim=-1)
    return log_p, torch.log_softmax(student_logits / temperature, dim=-1)


def _loss(reduce):
    """The loss, with another way to get one number from softened log-probabilities."""
    return lambda t, s, T: T**2 * reduce(*_softened(t, s, T))


distillation_loss.mistakes(
    ("missing-t-squared", "at T = 4 the loss and its gradient are 16 times too small",
     "a factor that makes up for both divisions by T",
     lambda t, s, T: distillation_loss.reference(t, s, T) / T**2),
    ("missing-t-squared",
     "at T = 4 the gradient is 4 times too small: one factor T is there, one is missing",
     "a factor for each of the two divisions by T",
     lambda t, s, T: distillation_loss.reference(t, s, T) / T),
    ("batchmean-over-sequences",
     "the loss grows with the length of the sequences: it is divided by the batch size only",
     "a mean over all positions",
     _loss(lambda log_p, log_q: F.kl_div(log_q, log_p.exp(), reduction="batchmean"))),
    ("mean-over-vocab", "the larger the vocabulary, the smaller the loss",
     "a sum over the vocabulary",
     _loss(lambda log_p, log_q: (log_p.exp() * (log_p - log_q)).mean())),
    ("sum-for-mean", "the loss grows with the number of positions", "a mean over positions",
     _loss(lambda log_p, log_q: kl_of_logs(log_p, log_q).sum())),
    ("wrong-size-in-mean", "the loss is divided by the length but not by the batch size",
     "every position counts once, in whichever sequence it stands",
     _loss(lambda log_p, log_q: kl_of_logs(log_p, log_q).sum() / log_p.shape[1])),
    ("kl-reversed", "the student's probabilities are the weights",
     "KL(P||Q), with the teacher's probabilities as the weights",
     lambda t, s, T: distillation_loss.reference(s, t, T)),
    ("ce-called-kl", "a perfect student still has a loss", "0 for a perfect student",
     _loss(lambda log_p, log_q: -(log_p.exp() * log_q).sum(dim=-1).mean())),
    ("temperature-one-side", "only the teacher is softened; equal logits do not give 0",
     "the same temperature for both models",
     lambda t, s, T: distillation_loss.reference(t, T * s, T)),
    ("temperature-one-side", "only the student is softened; equal logits do not give 0",
     "one temperature, the same for teacher and student",
     lambda t, s, T: distillation_loss.reference(T * t, s, T)),
    ("temperature-ignored", "neither model is softened; only the factor depends on the temperature",
     "distributions that change with the temperature",
     lambda t, s, T: T**2 * kl_of_logits(t, s).mean()),
    ("temperature-inverted", "a higher temperature makes both distributions sharper",
     "a higher temperature makes them flatter",
     lambda t, s, T: T**2 * kl_of_logits(t, s, 1 / T).mean()),
    ("probs-for-log-probs",
     "the loss is negative: the student's probabilities stand where logarithms are expected",
     "a loss of at least 0", _loss(lambda log_p, log_q: kl_of_logs(log_p, log_q.exp()).mean())),
    ("hard-for-soft", "only the teacher's first choice matters",
     "the softened distribution of the teacher matters",
     _loss(lambda log_p, log_q: F.nll_loss(log_q.flatten(0, 1), log_p.argmax(-1).flatten()))),
    ("hard-for-soft", "the ordinary loss on labels, with the teacher's first choices as labels",
     "targets that say how likely every word is, softened",
     lambda t, s, T: F.cross_entropy(s.flatten(0, 1), t.argmax(-1).flatten())),
    ("softmax-wrong-axis", "the distributions run along the sequence, not over the vocabulary",
     "one distribution for each position",
     lambda t, s, T: T**2 * kl_of_logs(*((x / T).log_softmax(dim=1) for x in (t, s))).mean()),
    ("softmax-wrong-axis", "both the softmax and the sum run along the sequence",
     "the vocabulary is what a distribution runs over",
     lambda t, s, T: distillation_loss.reference(t.transpose(1, 2), s.transpose(1, 2), T)),
    ("logits-for-probabilities", "the logits themselves are compared, by their squared distance",
     "a divergence between two distributions", lambda t, s, T: F.mse_loss(s, t)),
    ("logits-for-probabilities", "softened logits are compared, by their squared distance",
     "a divergence of the distributions that belong to these logits",
     lambda t, s, T: F.mse_loss(s / T, t / T)),
    ("batch-for-row", "there is one value for each position", "one value for the batch",
     _loss(kl_of_logs)),
)  # fmt: skip


@distillation_loss.wrong(
    "softmax-overflow",
    seen="right for small logits, not finite for huge ones",
    expected="log-probabilities that never pass through exp() of a large number",
)
def loss_overflowing(teacher_logits, student_logits, temperature):
    p = torch.softmax(teacher_logits / temperature, dim=-1)
    q = torch.softmax(student_logits / temperature, dim=-1)
    return (p * (p.log() - q.log())).sum(dim=-1).mean() * temperature**2


name_lookalikes(distillation_loss, lambda kl: _loss(lambda *logs: kl(*logs).mean()))
