"""The softened loss of a batch of sequences."""

import torch
import torch.nn.functional as F

from kdlib.exercises.authoring.inputs import logit_pair, normal
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
        "softening takes from the gradient. Logits may be huge."
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


@distillation_loss.also
def distillation_loss_torch(teacher_logits, student_logits, temperature):
    words = teacher_logits.shape[-1]
    log_q = F.log_softmax(student_logits / temperature, dim=-1).reshape(-1, words)
    log_p = F.log_softmax(teacher_logits / temperature, dim=-1).reshape(-1, words)
    return F.kl_div(log_q, log_p, reduction="batchmean", log_target=True) * temperature**2


def _softened(teacher_logits, student_logits, temperature):
    log_p = torch.log_softmax(teacher_logits / temperature, dim=-1)
    return log_p, torch.log_softmax(student_logits / temperature, dim=-1)


@distillation_loss.wrong(
    "missing-t-squared",
    seen="at T = 4 the loss and its gradient are 16 times too small",
    expected="a factor that makes up for both divisions by T",
)
def loss_without_t_squared(teacher_logits, student_logits, temperature):
    return distillation_loss.reference(teacher_logits, student_logits, temperature) / temperature**2


@distillation_loss.wrong(
    "missing-t-squared",
    seen="at T = 4 the gradient is 4 times too small: one factor T is there, one is missing",
    expected="a factor for each of the two divisions by T",
)
def loss_with_one_t(teacher_logits, student_logits, temperature):
    return distillation_loss.reference(teacher_logits, student_logits, temperature) / temperature


@distillation_loss.wrong(
    "batchmean-over-sequences",
    seen="the loss grows with the length of the sequences: it is divided by the batch size only",
    expected="a mean over all positions",
)
def loss_per_sequence(teacher_logits, student_logits, temperature):
    log_p, log_q = _softened(teacher_logits, student_logits, temperature)
    return F.kl_div(log_q, log_p.exp(), reduction="batchmean") * temperature**2


@distillation_loss.wrong(
    "mean-over-vocab",
    seen="the larger the vocabulary, the smaller the loss",
    expected="a sum over the vocabulary",
)
def loss_mean_of_everything(teacher_logits, student_logits, temperature):
    log_p, log_q = _softened(teacher_logits, student_logits, temperature)
    return (log_p.exp() * (log_p - log_q)).mean() * temperature**2


@distillation_loss.wrong(
    "sum-for-mean",
    seen="the loss grows with the number of positions",
    expected="a mean over positions",
)
def loss_sum(teacher_logits, student_logits, temperature):
    log_p, log_q = _softened(teacher_logits, student_logits, temperature)
    return F.kl_div(log_q, log_p.exp(), reduction="sum") * temperature**2


@distillation_loss.wrong(
    "wrong-size-in-mean",
    seen="the loss is divided by the length but not by the batch size",
    expected="every position counts once, in whichever sequence it stands",
)
def loss_per_length(teacher_logits, student_logits, temperature):
    log_p, log_q = _softened(teacher_logits, student_logits, temperature)
    return (log_p.exp() * (log_p - log_q)).sum() / log_p.shape[1] * temperature**2


@distillation_loss.wrong(
    "kl-reversed",
    seen="the student's probabilities are the weights",
    expected="KL(P||Q), with the teacher's probabilities as the weights",
)
def loss_reversed(teacher_logits, student_logits, temperature):
    return distillation_loss.reference(student_logits, teacher_logits, temperature)


@distillation_loss.wrong(
    "ce-called-kl",
    seen="a perfect student still has a loss",
    expected="0 for a perfect student",
)
def loss_cross_entropy(teacher_logits, student_logits, temperature):
    log_p, log_q = _softened(teacher_logits, student_logits, temperature)
    return -(log_p.exp() * log_q).sum(dim=-1).mean() * temperature**2


@distillation_loss.wrong(
    "temperature-one-side",
    seen="only the teacher is softened; equal logits do not give 0",
    expected="the same temperature for both models",
)
def loss_soft_teacher(teacher_logits, student_logits, temperature):
    log_p = torch.log_softmax(teacher_logits / temperature, dim=-1)
    log_q = torch.log_softmax(student_logits, dim=-1)
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1).mean() * temperature**2


@distillation_loss.wrong(
    "temperature-one-side",
    seen="only the student is softened; equal logits do not give 0",
    expected="one temperature, the same for teacher and student",
)
def loss_soft_student(teacher_logits, student_logits, temperature):
    log_p = torch.log_softmax(teacher_logits, dim=-1)
    log_q = torch.log_softmax(student_logits / temperature, dim=-1)
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1).mean() * temperature**2


@distillation_loss.wrong(
    "temperature-ignored",
    seen="neither model is softened; only the factor depends on the temperature",
    expected="distributions that change with the temperature",
)
def loss_unsoftened(teacher_logits, student_logits, temperature):
    unsoftened = distillation_loss.reference(teacher_logits, student_logits, 1.0)
    return unsoftened * temperature**2


@distillation_loss.wrong(
    "temperature-inverted",
    seen="a higher temperature makes both distributions sharper",
    expected="a higher temperature makes them flatter",
)
def loss_inverted(teacher_logits, student_logits, temperature):
    sharp = distillation_loss.reference(teacher_logits, student_logits, 1 / temperature)
    return sharp * temperature**4


@distillation_loss.wrong(
    "probs-for-log-probs",
    seen="the loss is negative: the student's probabilities stand where logarithms are expected",
    expected="a loss of at least 0",
)
def loss_of_probabilities(teacher_logits, student_logits, temperature):
    log_p, log_q = _softened(teacher_logits, student_logits, temperature)
    per_position = (log_p.exp() * (log_p - log_q.exp())).sum(dim=-1)
    return per_position.mean() * temperature**2


@distillation_loss.wrong(
    "hard-for-soft",
    seen="only the teacher's first choice matters",
    expected="the softened distribution of the teacher matters",
)
def loss_hard(teacher_logits, student_logits, temperature):
    log_p, log_q = _softened(teacher_logits, student_logits, temperature)
    top = F.one_hot(log_p.argmax(dim=-1), log_p.shape[-1])
    return -(top * log_q).sum(dim=-1).mean() * temperature**2


@distillation_loss.wrong(
    "hard-for-soft",
    seen="the ordinary loss on labels, with the teacher's first choices as labels",
    expected="targets that say how likely every word is, softened",
)
def loss_labels(teacher_logits, student_logits, temperature):
    words = student_logits.shape[-1]
    return F.cross_entropy(student_logits.reshape(-1, words), teacher_logits.argmax(-1).reshape(-1))


@distillation_loss.wrong(
    "softmax-wrong-axis",
    seen="the distributions run along the sequence, not over the vocabulary",
    expected="one distribution for each position",
)
def loss_wrong_axis(teacher_logits, student_logits, temperature):
    log_p = torch.log_softmax(teacher_logits / temperature, dim=1)
    log_q = torch.log_softmax(student_logits / temperature, dim=1)
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1).mean() * temperature**2


@distillation_loss.wrong(
    "softmax-wrong-axis",
    seen="both the softmax and the sum run along the sequence",
    expected="the vocabulary is what a distribution runs over",
)
def loss_along_the_sequence(teacher_logits, student_logits, temperature):
    swapped = teacher_logits.transpose(1, 2), student_logits.transpose(1, 2)
    return distillation_loss.reference(*swapped, temperature)


@distillation_loss.wrong(
    "logits-for-probabilities",
    seen="the logits themselves are compared, by their squared distance",
    expected="a divergence between two distributions",
)
def loss_squared(teacher_logits, student_logits, temperature):
    return F.mse_loss(student_logits, teacher_logits)


@distillation_loss.wrong(
    "logits-for-probabilities",
    seen="softened logits are compared, by their squared distance",
    expected="a divergence of the distributions that belong to these logits",
)
def loss_squared_softened(teacher_logits, student_logits, temperature):
    return F.mse_loss(student_logits / temperature, teacher_logits / temperature)


@distillation_loss.wrong(
    "softmax-overflow",
    seen="right for small logits, not finite for huge ones",
    expected="log-probabilities that never pass through exp() of a large number",
)
def loss_overflowing(teacher_logits, student_logits, temperature):
    p = torch.softmax(teacher_logits / temperature, dim=-1)
    q = torch.softmax(student_logits / temperature, dim=-1)
    return (p * (p.log() - q.log())).sum(dim=-1).mean() * temperature**2


@distillation_loss.wrong(
    "batch-for-row",
    seen="there is one value for each position",
    expected="one value for the batch",
)
def loss_each_position(teacher_logits, student_logits, temperature):
    log_p, log_q = _softened(teacher_logits, student_logits, temperature)
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1) * temperature**2


name_lookalikes(distillation_loss, lambda kl: lambda t, s, T: T**2 * kl(*_softened(t, s, T)).mean())
