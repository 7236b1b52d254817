"""F6 as it is printed."""

import torch
import torch.nn.functional as F

from kdlib.exercises.authoring.floors import UNLIKELY, no_floor
from kdlib.exercises.authoring.gradients import gradient_in, trains_the_student
from kdlib.exercises.authoring.inputs import normal
from kdlib.exercises.authoring.kl import kl_of_logs
from kdlib.exercises.authoring.lookalikes import kl_switches, name_lookalikes
from kdlib.exercises.authoring.switches import name_switches
from kdlib.exercises.kinds.functions import code


@code(
    source=("Q24",),
    difficulty=2,
    minutes=7,
    prompt=(
        "Write `combined_objective(labels, teacher_logits, student_logits, lambda_)`: F6 as it is "
        "printed, a quantity to be maximised, as a tensor, so that the student can learn from it. "
        "It is the sum over N examples of log Q(label), minus lambda times the sum of KL(P||Q). "
        "`labels` are word numbers (N,), the logits are (N, V) and may be huge."
    ),
    hints=(
        "F6 rewards a likely label and charges for the distance from the teacher.",
        "`gather` picks the label's log-probability; P is the teacher and carries the weights.",
        "log_q at the labels, summed, minus lambda times the sum of p * (log_p - log_q).",
    ),
    explanation="Turned round, it is the loss CE + lambda KD, which programs minimise.",
)
def combined_objective(labels, teacher_logits, student_logits, lambda_):
    """F6 over a batch, larger for better students. (N,), (N, V), (N, V), number -> scalar"""
    log_p = torch.log_softmax(teacher_logits, dim=-1)
    log_q = torch.log_softmax(student_logits, dim=-1)
    log_likelihood = log_q.gather(-1, labels[:, None]).sum()
    kl = (log_p.exp() * (log_p - log_q)).sum()
    return log_likelihood - lambda_ * kl


def _batch(rows: int, words: int, seed: int):
    labels = normal(rows, words, seed=seed + 700).argmax(dim=-1)
    return labels, normal(rows, words, seed=seed, scale=2), normal(rows, words, seed=seed + 300)


combined_objective.probe("lambda 0.7", *_batch(3, 5, seed=1), 0.7)
combined_objective.probe("lambda 3", *_batch(7, 4, seed=2), 3.0)
combined_objective.probe("lambda 0", *_batch(2, 6, seed=3), 0.0)
combined_objective.probe("one example", *_batch(1, 3, seed=4), 2.0)
combined_objective.probe(
    "student and teacher agree", *_batch(4, 3, seed=5)[:2], _batch(4, 3, seed=5)[1], 1.5
)
combined_objective.probe(
    "huge logits",
    torch.tensor([1, 0]),
    torch.tensor([[4940.0, 5000.0, -5000.0], [0.0, 1.0, 2.0]]),
    torch.tensor([[3060.0, 3000.0, -3000.0], [1.0, 0.0, 0.5]]),
    0.5,
    points_to="softmax-overflow",
    expected="finite values, however large the logits are",
)
combined_objective.probe(
    "huge differences",
    torch.tensor([1, 0]),
    torch.tensor([[0.0, 85.0], [80.0, 0.0]]),
    torch.tensor([[85.0, 0.0], [0.0, 80.0]]),
    0.5,
    points_to="floor-in-logarithm",
    expected="the logarithm as it is, however far apart the logits are",
)
no_floor(
    combined_objective,
    torch.tensor([0, 1]),
    torch.tensor([[1.0, 0.0], [0.0, 2.0]]),
    torch.tensor([[UNLIKELY, 0.0], [0.0, UNLIKELY]]),
    0.5,
)
trains_the_student(combined_objective, *_batch(4, 5, seed=6), 1.5, measure=gradient_in(2))


@combined_objective.also
def combined_objective_torch(labels, teacher_logits, student_logits, lambda_):
    log_q = F.log_softmax(student_logits, dim=-1)
    kd = F.kl_div(log_q, F.softmax(teacher_logits, dim=-1), reduction="sum")
    return -F.cross_entropy(student_logits, labels, reduction="sum") - lambda_ * kd


def _log_likelihoods(labels, student_logits):
    return -F.cross_entropy(student_logits, labels, reduction="none")


def _objective(
    weights=lambda x: (1, -x),
    kl=kl_of_logs,
    label=_log_likelihoods,
    label_mean=False,
    kl_mean=False,
):
    """The objective with other weights, other terms, or means in place of sums."""

    def answer(labels, teacher_logits, student_logits, lambda_):
        ll = label(labels, student_logits)
        kd = kl(teacher_logits.log_softmax(dim=-1), student_logits.log_softmax(dim=-1))
        for_label, for_teacher = weights(lambda_)
        ll, kd = ll.mean() if label_mean else ll.sum(), kd.mean() if kl_mean else kd.sum()
        return for_label * ll + for_teacher * kd

    return answer


name_switches(
    combined_objective, _objective,
    ("argmax-sign", "a larger lambda rewards the student for being far from its teacher",
     "a term that is charged when the two differ, since the whole is maximised",
     {"weights": lambda x: (1, x)}),
    ("argmax-sign", "the values are those of a loss: better students get smaller ones",
     "the sign under which larger is better", {"weights": lambda x: (-1, x)}),
    ("lambda-direction", "lambda multiplies the label's term; at lambda 0 only the teacher is left",
     "at lambda 0 training without a teacher", {"weights": lambda x: (x, -1)}),
    ("conventions-mixed",
     "the label's term is weighed too, by one minus lambda: at lambda 3 its sign is turned",
     "F6's own convention, in which the label's term has no weight",
     {"weights": lambda x: (1 - x, -x)}),
    ("conventions-mixed",
     "the weights are made to sum to 1: that is the other convention, converted",
     "a label's term that keeps its size, however large lambda is",
     {"weights": lambda x: (1 / (1 + x), -x / (1 + x))}),
    ("argument-ignored", "all lambdas give the same value", "at lambda 0 the log-likelihood alone",
     {"weights": lambda x: (1, -1)}),
    ("term-left-out", "the teacher has no influence, at any lambda",
     "a value that moves with lambda unless student and teacher agree",
     {"weights": lambda x: (1, 0)}),
    ("term-left-out", "the labels have no influence",
     "at lambda 0 a value that depends on the labels", {"weights": lambda x: (0, -x)}),
    *kl_switches(),
    ("probs-for-log-probs", "the label's probability itself is rewarded, not its logarithm",
     "the log-likelihood of the labels", {"label": lambda y, s: _log_likelihoods(y, s).exp()}),
    ("logits-for-probabilities", "the label's logit is rewarded; it lacks the normaliser",
     "a value that stays when a constant is added to all logits",
     {"label": lambda y, s: s.gather(-1, y[:, None])[:, 0]}),
    ("mean-for-sum", "the value does not grow with the batch", "a sum over the examples",
     {"label_mean": True, "kl_mean": True}),
    ("mean-for-sum", "the label's term is a mean over the examples, the teacher's a sum",
     "sums, so that lambda weighs what it says", {"label_mean": True}),
    ("mean-for-sum", "the teacher's term is a mean over the examples, the label's a sum",
     "two sums, so that lambda weighs what it says", {"kl_mean": True}),
)  # fmt: skip


def _by_definition(logits):
    return (logits.exp() / logits.exp().sum(dim=-1, keepdim=True)).log()


combined_objective.mistakes(
    ("softmax-overflow", "right for small logits, not finite for huge ones",
     "the same care for huge logits, where exp() overflows",
     lambda y, t, s, x: combined_objective.reference(y, _by_definition(t), _by_definition(s), x)),
)  # fmt: skip


@combined_objective.symptom(
    "batch-for-row",
    seen="there is one value for each example",
    expected="one value for the batch",
)
def _(results):
    return results["lambda 0.7"].shape == (3,) and results["lambda 3"].shape == (7,)


name_lookalikes(combined_objective, lambda kl: _objective(kl=kl))
