"""The gradient of both terms, with temperature in one of them."""

import torch
import torch.nn.functional as F

from kdlib.exercises.authoring.inputs import distributions, normal
from kdlib.exercises.authoring.switches import name_switches
from kdlib.exercises.kinds.functions import code


@code(
    source=(),
    difficulty=4,
    minutes=10,
    prompt=(
        "Write `combined_gradient(labels, teacher_logits, student_logits, lambda_, temperature)`: "
        "the gradient, in the student's logits, of CE(label, Q) + lambda T² KL(P_T||Q_T), summed "
        "over the rows. All three tensors are (N, V), and the labels are distributions. The "
        "label's term stays at temperature 1."
    ),
    hints=(
        "The gradient of a cross-entropy in the logits is a difference of two distributions.",
        "Logits that are divided by T pass only 1/T of a gradient on.",
        "(q - label) plus lambda T (q_T - p_T): T² in front, over T from the chain rule.",
    ),
    explanation=(
        "q_T - p_T shrinks like 1/T as T grows; of T² one factor T is left to make up for it."
    ),
)
def combined_gradient(labels, teacher_logits, student_logits, lambda_, temperature):
    """Gradient of the combined loss in the student's logits, row by row. -> (N, V)"""
    q = torch.softmax(student_logits, dim=-1)
    q_t = torch.softmax(student_logits / temperature, dim=-1)
    p_t = torch.softmax(teacher_logits / temperature, dim=-1)
    return (q - labels) + lambda_ * temperature * (q_t - p_t)


def _three(rows: int, words: int, seed: int):
    teacher, student = normal(rows, words, seed=seed, scale=2), normal(rows, words, seed=seed + 300)
    return torch.eye(words)[normal(rows, words, seed=seed + 700).argmax(dim=-1)], teacher, student


combined_gradient.probe("temperature 1", *_three(3, 5, seed=41), 0.7, 1.0)
combined_gradient.probe("temperature 4", *_three(2, 6, seed=42), 0.5, 4.0)
combined_gradient.probe("temperature 1/2", *_three(4, 3, seed=43), 2.0, 0.5)
combined_gradient.probe("lambda 0", *_three(2, 4, seed=44), 0.0, 3.0)
combined_gradient.probe(
    "soft labels", distributions(3, 4, seed=46), *_three(3, 4, seed=46)[1:], 0.8, 1.5
)
combined_gradient.probe("one row", *_three(1, 7, seed=45), 3.0, 2.0)
combined_gradient.probe(
    "temperature 100",
    torch.eye(2),
    *(torch.tensor([[x, 0.0], [0.0, x]]) for x in (300.0, 120.0)),
    0.5,
    100.0,
    points_to="temperature-after-softmax",
    expected="logits divided by T: small probabilities are lost before a power brings them back",
)
combined_gradient.probe(
    "huge logits",
    torch.eye(3)[:2],
    *(torch.tensor([[5000.0, 4850.0, -5000.0], [0.0, x, 2.0]]) for x in (1.0, 3.0)),
    1.5,
    2.0,
    points_to="softmax-overflow",
    expected="finite values, however large the logits are",
)


@combined_gradient.also
def combined_gradient_by_autograd(labels, teacher_logits, student_logits, lambda_, temperature):
    z = student_logits.detach().requires_grad_()
    p_t = F.softmax(teacher_logits / temperature, dim=-1)
    kd = F.kl_div(F.log_softmax(z / temperature, dim=-1), p_t, reduction="sum")
    loss = F.cross_entropy(z, labels, reduction="sum") + lambda_ * temperature**2 * kd
    return torch.autograd.grad(loss, z)[0]


def _soft(logits, temperature=1.0, dim=-1):
    return torch.softmax(logits / temperature, dim=dim)


def _top(logits):
    return F.one_hot(logits.argmax(dim=-1), logits.shape[-1])


def _gradient(
    weights=lambda x: (1, x),
    factor=lambda T: T,
    label=lambda s, y, T: _soft(s) - y,
    teacher=_soft,
    student=_soft,
    size=lambda y: 1,
):
    """The gradient with one thing changed; teacher and student are functions (logits, T)."""

    def answer(labels, teacher_logits, student_logits, lambda_, temperature):
        for_label, for_teacher = weights(lambda_)
        apart = student(student_logits, temperature) - teacher(teacher_logits, temperature)
        from_label = for_label * label(student_logits, labels, temperature)
        from_teacher = for_teacher * factor(temperature) * apart
        return (from_label + from_teacher) / size(labels)

    return answer


def _columns(logits, temperature):
    return _soft(logits, temperature, dim=0)


def _sharp(logits, temperature):
    return _soft(logits, 1 / temperature)


def _plain(logits, temperature):
    return _soft(logits)


name_switches(
    combined_gradient, _gradient,
    ("missing-t-squared",
     "raising T makes the teacher's part fade: the factor in front of the divergence is gone",
     "a teacher's part that keeps its size when T is raised", {"factor": lambda T: 1 / T}),
    ("missing-t-squared",
     "no power of T stands before the difference of the softened distributions",
     "two factors that do not cancel: one from the loss, one from the chain rule",
     {"factor": lambda T: 1}),
    ("chain-rule-forgotten",
     "raising T makes the teacher's part grow: the logits were divided without consequence",
     "the inner derivative of a division", {"factor": lambda T: T**2}),
    ("temperature-in-label-term", "the label's part changes with T, even at lambda 0",
     "temperature in the teacher's term only", {"label": lambda s, y, T: _soft(s, T) - y}),
    ("temperature-in-label-term",
     "the loss on labels is taken at temperature T as well, so that its part shrinks with T",
     "a label's part that knows nothing of T", {"label": lambda s, y, T: (_soft(s, T) - y) / T}),
    ("temperature-ignored", "neither distribution in the teacher's part is softened",
     "softened distributions in the divergence", {"teacher": _plain, "student": _plain}),
    ("temperature-one-side", "only the teacher is softened",
     "the same temperature for student and teacher in the divergence", {"student": _plain}),
    ("temperature-one-side", "only the student is softened",
     "one temperature in the divergence, the same for student and teacher", {"teacher": _plain}),
    ("temperature-inverted",
     "the logits are multiplied by T: a high temperature sharpens both distributions",
     "softer distributions at a high temperature", {"teacher": _sharp, "student": _sharp}),
    ("hard-for-soft", "the teacher's part points to its first choice, as a label would",
     "the teacher's whole distribution, softened", {"teacher": lambda t, T: _top(t)}),
    ("logits-for-probabilities", "logits are subtracted in the teacher's part",
     "a difference of two distributions, which sums to 0 in each row",
     {"teacher": lambda t, T: t / T, "student": lambda s, T: s / T}),
    ("argmax-sign", "the teacher's part points away from the teacher",
     "descent on both terms, as both are added in the loss", {"weights": lambda x: (1, -x)}),
    ("lambda-direction", "lambda multiplies the label's part",
     "at lambda 0 the gradient of training without a teacher", {"weights": lambda x: (x, 1)}),
    ("conventions-mixed", "the label's part fades as lambda grows, and turns round above 1",
     "a label's part that lambda leaves alone", {"weights": lambda x: (1 - x, x)}),
    ("argument-ignored", "all lambdas give the same gradient", "at lambda 0 the label's part alone",
     {"weights": lambda x: (1, 1)}),
    ("term-left-out", "the labels have no influence", "a part that pulls towards the labels",
     {"weights": lambda x: (0, x)}),
    ("term-left-out", "the teacher has no influence, at any lambda",
     "a part that pulls towards the teacher", {"weights": lambda x: (1, 0)}),
    ("softmax-wrong-axis", "the distributions run down the rows, over the batch",
     "one distribution for each row",
     {"label": lambda s, y, T: _soft(s, dim=0) - y, "teacher": _columns, "student": _columns}),
    ("mean-for-sum", "every row is divided by the number of rows",
     "the gradient of a sum: rows do not know of each other", {"size": len}),
    ("mean-over-vocab", "every row is divided by the number of all entries",
     "the gradient of a loss that sums over words and rows", {"size": torch.numel}),
)  # fmt: skip
combined_gradient.mistakes(
    ("mean-over-vocab", "the teacher's part alone is divided by the number of all entries",
     "a divergence that is summed over words",
     lambda y, t, s, x, T: combined_gradient.reference(y, t, s, x / y.numel(), T)),
)  # fmt: skip


@combined_gradient.wrong(
    "kl-reversed",
    seen="the divergence is weighed with the student's probabilities, and so its gradient differs",
    expected="KL(P_T||Q_T), with the teacher's probabilities as the weights",
)
def gradient_of_reversed(labels, teacher_logits, student_logits, lambda_, temperature):
    q_t = _soft(student_logits, temperature)
    ratio = (student_logits - teacher_logits) / temperature
    centred = ratio - (q_t * ratio).sum(dim=-1, keepdim=True)
    return _soft(student_logits) - labels + lambda_ * temperature * q_t * centred
