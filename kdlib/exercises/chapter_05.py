"""Exercises of chapter 5: the lambda trade-off (Q24-Q26)."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from kdlib.exercises.choices import choice, right, wrong
from kdlib.exercises.derivations import derivation
from kdlib.exercises.functions import code
from kdlib.exercises.inputs import distributions, normal
from kdlib.exercises.numbers import number

# The two terms


@code(
    source=("Q24",),
    difficulty=2,
    minutes=7,
    prompt=(
        "Write `combined_objective(labels, teacher_logits, student_logits, lambda_)`: F6 as it is "
        "printed, a quantity to be maximised. It is the sum over N examples of log Q(label), minus "
        "lambda times the sum of KL(P||Q). `labels` are word numbers (N,), the logits are (N, V)."
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
    torch.tensor([[5000.0, 4999.0, -5000.0], [0.0, 1.0, 2.0]]),
    torch.tensor([[3000.0, 3001.0, -3000.0], [1.0, 0.0, 0.5]]),
    0.5,
    points_to="softmax-overflow",
    expected="finite values, however large the logits are",
)


@combined_objective.also
def combined_objective_torch(labels, teacher_logits, student_logits, lambda_):
    log_q = F.log_softmax(student_logits, dim=-1)
    kd = F.kl_div(log_q, F.softmax(teacher_logits, dim=-1), reduction="sum")
    return -F.cross_entropy(student_logits, labels, reduction="sum") - lambda_ * kd


def _ll(labels, student_logits):
    """log Q(label) of each example."""
    return -F.cross_entropy(student_logits, labels, reduction="none")


def _kl(p_logits, q_logits):
    """The divergence between two rows of logits, for each row."""
    log_p, log_q = p_logits.log_softmax(dim=-1), q_logits.log_softmax(dim=-1)
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1)


combined_objective.wrong(
    "argmax-sign",
    seen="a larger lambda rewards the student for being far from its teacher",
    expected="a term that is charged when the two differ, since the whole is maximised",
)(lambda y, t, s, x: (_ll(y, s) + x * _kl(t, s)).sum())
combined_objective.wrong(
    "argmax-sign",
    seen="the values are those of a loss: better students get smaller ones",
    expected="the sign under which larger is better",
)(lambda y, t, s, x: (x * _kl(t, s) - _ll(y, s)).sum())
combined_objective.wrong(
    "argmax-sign",
    seen="the values are those of a mean loss, as programs minimise it",
    expected="a sum, with the sign under which larger is better",
)(lambda y, t, s, x: (x * _kl(t, s) - _ll(y, s)).mean())
combined_objective.wrong(
    "lambda-direction",
    seen="lambda multiplies the label's term; at lambda 0 only the teacher is left",
    expected="at lambda 0 training without a teacher",
)(lambda y, t, s, x: (x * _ll(y, s) - _kl(t, s)).sum())
combined_objective.wrong(
    "conventions-mixed",
    seen="the label's term is weighed too, by one minus lambda: at lambda 3 its sign is turned",
    expected="F6's own convention, in which the label's term has no weight",
)(lambda y, t, s, x: ((1 - x) * _ll(y, s) - x * _kl(t, s)).sum())
combined_objective.wrong(
    "conventions-mixed",
    seen="the value is the mean loss of the other convention, in which both terms have weights",
    expected="F6: maximised, summed, and with no weight on the label's term",
)(lambda y, t, s, x: (x * _kl(t, s) - (1 - x) * _ll(y, s)).mean())
combined_objective.wrong(
    "kl-reversed",
    seen="the student's probabilities are the weights in the divergence",
    expected="KL(P||Q), with the teacher's probabilities as the weights",
)(lambda y, t, s, x: (_ll(y, s) - x * _kl(s, t)).sum())
combined_objective.wrong(
    "ce-called-kl",
    seen="a student that agrees with its teacher is still charged",
    expected="no charge where the two distributions are equal",
)(lambda y, t, s, x: _ll(y, s).sum() + x * (t.softmax(dim=-1) * s.log_softmax(dim=-1)).sum())
combined_objective.wrong(
    "hard-for-soft",
    seen="of the teacher only its first choice matters",
    expected="the teacher's whole distribution matters",
)(lambda y, t, s, x: (_ll(y, s) + x * _ll(t.argmax(dim=-1), s)).sum())
combined_objective.wrong(
    "mean-for-sum",
    seen="the value does not grow with the batch",
    expected="a sum over the examples",
)(lambda y, t, s, x: (_ll(y, s) - x * _kl(t, s)).mean())
combined_objective.wrong(
    "mean-over-vocab",
    seen="the teacher's term is averaged over every word of the vocabulary, the label's is not",
    expected="both terms as sums, so that lambda means what it says",
)(lambda y, t, s, x: _ll(y, s).sum() - x * _kl(t, s).sum() / t.numel())
combined_objective.wrong(
    "mean-over-vocab",
    seen="the label's term is a mean over examples, the teacher's one over all entries",
    expected="sums, so that the balance of the terms does not depend on the vocabulary",
)(lambda y, t, s, x: _ll(y, s).mean() - x * _kl(t, s).mean() / t.shape[-1])
combined_objective.wrong(
    "probs-for-log-probs",
    seen="the label's probability itself is rewarded, not its logarithm",
    expected="the log-likelihood of the labels",
)(lambda y, t, s, x: (_ll(y, s).exp() - x * _kl(t, s)).sum())
combined_objective.wrong(
    "probs-for-log-probs",
    seen="in the divergence the student's probabilities stand where their logarithms should",
    expected="a divergence of 0 where student and teacher agree",
)(lambda y, t, s, x: (
    _ll(y, s).sum() - x * F.kl_div(s.softmax(dim=-1), t.softmax(dim=-1), reduction="sum")
))
combined_objective.wrong(
    "term-left-out",
    seen="the teacher has no influence, at any lambda",
    expected="a value that moves with lambda unless student and teacher agree",
)(lambda y, t, s, x: _ll(y, s).sum())
combined_objective.wrong(
    "argument-ignored",
    seen="all lambdas give the same value",
    expected="at lambda 0 the log-likelihood alone",
)(lambda y, t, s, x: (_ll(y, s) - _kl(t, s)).sum())


@combined_objective.wrong(
    "softmax-overflow",
    seen="right for small logits, not finite for huge ones",
    expected="the same care for huge logits, where exp() overflows",
)
def objective_overflowing(labels, teacher_logits, student_logits, lambda_):
    p, q = teacher_logits.exp(), student_logits.exp()
    p, q = p / p.sum(dim=-1, keepdim=True), q / q.sum(dim=-1, keepdim=True)
    ll = q.gather(-1, labels[:, None]).log().sum()
    return ll - lambda_ * (p * (p / q).log()).sum()


@combined_objective.symptom(
    "batch-for-row",
    seen="there is one value for each example",
    expected="one value for the batch",
)
def _(results):
    return results["lambda 0.7"].shape == (3,) and results["lambda 3"].shape == (7,)


lambda_very_high = choice(
    "lambda-very-high",
    source=("Q24",),
    difficulty=2,
    minutes=3,
    prompt=(
        "F6 is maximised with lambda = 10000. The labels are good; the teacher is right in 90% of "
        "cases. What is the harm?"
    ),
    hints=(
        "Divide the whole objective by lambda: its best student stays the same.",
        "Which of the two terms is left?",
        "Whom does a student resemble that is judged by the divergence alone?",
    ),
    options=(
        wrong(
            "The student moves away from the teacher, as the divergence stands with a minus sign.",
            "argmax-sign",
            seen="minus a divergence is largest where the divergence is smallest",
            expected="an argument that starts from what is maximised",
        ),
        wrong(
            "The student learns the labels by heart and gains nothing from the teacher.",
            "lambda-direction",
            seen="the term that lambda multiplies is taken for the one that fades",
            expected="the harm from the term that is left over",
        ),
        wrong(
            "None: the teacher's distributions contain whatever the labels say.",
            "teacher-taken-for-truth",
            seen="where the teacher errs, only the labels could say so",
            expected="a look at the inputs on which teacher and labels disagree",
        ),
        wrong(
            "The sum diverges: with so large a coefficient no best student exists.",
            "optimiser-blamed",
            seen="a large coefficient may ask for smaller steps, but the best student is finite",
            expected="a harm that remains when the optimiser does its work well",
        ),
        right(
            "The labels have practically no say: the student becomes a copy of its teacher, with "
            "the teacher's errors, and cannot pass it.",
            "Divided by lambda, F6 is log Q(y) / 10000 - KL(P||Q): imitation and nothing else.",
        ),
    ),
)


# The best student, in closed form


two_conventions = derivation(
    "two-conventions",
    source=("Q24", "Q26"),
    difficulty=3,
    minutes=8,
    symbols=("lambda_", "alpha", "y", "p"),
    prompt=(
        "The source weighs CE + lambda KD, many programs (1 - alpha) CE + alpha KD; both are "
        "minimised here, at temperature 1. Fill in formulas, with the names lambda and alpha:\n\n"
        "- Both have the same best student if alpha = [1].\n"
        "- Then the first loss is [2] times the second, and so are its gradients.\n"
        "- A word has the probability y by the label and p by the teacher. The first loss contains "
        "the student's probability q of that word only as -(y + lambda p) log q. As all q sum to "
        "1, the best student has q = [3].\n"
        "- Written with alpha instead of lambda, q = [4]."
    ),
    hints=(
        "Two losses have the same best student if one is a constant times the other.",
        "The ratio of the two weights must agree: alpha to 1 - alpha, as lambda to 1.",
        "Minimising minus a weighted sum of logarithms makes q proportional to the weights.",
    ),
    blanks=(
        "lambda / (1 + lambda)",
        ("1 + lambda", "1 / (1 - alpha)"),
        "(y + lambda * p) / (1 + lambda)",
        "(1 - alpha) * y + alpha * p",
    ),
    explanation="With the same learning rate the first loss takes steps 1 + lambda times as long.",
)
for _blank, _text, _id, _seen, _expected in (
    (1, "lambda", "conventions-mixed", "blank [1] can exceed 1", "a number between 0 and 1"),
    (
        1, "1 / (1 + lambda)", "lambda-direction",
        "blank [1] falls when the weight of the teacher grows",
        "both of them weigh the teacher's term",
    ),
    (
        1, "lambda / (1 - lambda)", "ratio-turned-round",
        "blank [1] is the way back, from the bounded weight to the unbounded one",
        "something that is finite for every lambda",
    ),
    (
        2, "1", "conventions-mixed",
        "blank [2] says that the two losses are equal, not just their best students",
        "a look at the label's term in both",
    ),
    (
        2, "1 / (1 + lambda)", "ratio-turned-round",
        "blank [2] makes the first loss the smaller one",
        "the loss that weighs the label's term with 1 is the larger one",
    ),
    (
        3, "y + lambda * p", "rest-not-renormalised",
        "blank [3] sums to more than 1 over the vocabulary",
        "a distribution",
    ),
    (
        3, "(lambda * y + p) / (1 + lambda)", "lambda-direction",
        "blank [3] tends to the label as lambda grows",
        "a student that tends to its teacher as lambda grows",
    ),
    (
        3, "(1 - lambda) * y + lambda * p", "conventions-mixed",
        "blank [3] is negative for some words once lambda exceeds 1",
        "a distribution for every lambda",
    ),
    (
        3, "(y - lambda * p) / (1 - lambda)", "argmax-sign",
        "blank [3] gives less to what the teacher likes",
        "a student that is drawn towards its teacher",
    ),
    (
        3, "y**(1 / (1 + lambda)) * p**(lambda / (1 + lambda))", "kl-reversed",
        "blank [3] is a geometric mean: it is 0 wherever the label is",
        "the mean that belongs to divergences with the student in second place",
    ),
    (
        4, "alpha * y + (1 - alpha) * p", "lambda-direction",
        "blank [4] is the label at the weight that should mean pure imitation",
        "at weight 1 the teacher alone",
    ),
):  # fmt: skip
    two_conventions.wrong(_blank, _text, _id, seen=_seen, expected=_expected)


@code(
    source=("Q24", "Q25"),
    difficulty=2,
    minutes=5,
    prompt=(
        "Write `best_student(labels, p, lambda_)`: the distributions Q that maximise F6, for any "
        "lambda from 0 up. `labels` and `p` are distributions (..., V); the labels may be one-hot."
    ),
    hints=(
        "At lambda 0 the answer is the label, at a very large lambda it is the teacher.",
        "Each word's probability is proportional to its weight in front of log q.",
        "Add lambda times p to the labels, then make every row sum to 1.",
    ),
    explanation="The share lambda / (1 + lambda) of all that the teacher says arrives, errors too.",
)
def best_student(labels, p, lambda_):
    """The best students of F6, row by row; each row sums to 1. -> (..., V)"""
    return (labels + lambda_ * p) / (1 + lambda_)


best_student.probe("one-hot labels", torch.eye(5)[[1, 4, 0]], distributions(3, 5, seed=21), 0.5)
best_student.probe("soft labels", distributions(2, 4, seed=22), distributions(2, 4, seed=23), 3.0)
best_student.probe("lambda 0", torch.eye(3)[[2, 0]], distributions(2, 3, seed=24), 0.0)
best_student.probe("lambda 1", distributions(2, 6, seed=25), distributions(2, 6, seed=26), 1.0)
best_student.probe("lambda 10000", torch.eye(4)[[3]], distributions(1, 4, seed=27), 1e4)
best_student.probe(
    "three dimensions", distributions(2, 3, 4, seed=28), distributions(2, 3, 4, seed=29), 0.2
)
best_student.probe("a single row", torch.eye(3)[1], torch.tensor([0.5, 0.3, 0.2]), 2.0)


@best_student.also
def best_student_normalised(labels, p, lambda_):
    weights = labels + lambda_ * p
    return weights / weights.sum(dim=-1, keepdim=True)


@best_student.also
def best_student_by_alpha(labels, p, lambda_):
    return torch.lerp(labels, p, lambda_ / (1 + lambda_))

best_student.wrong(
    "lambda-direction",
    seen="the larger lambda, the nearer the result to the labels",
    expected="at lambda 0 the labels alone",
)(lambda y, p, x: (x * y + p) / (1 + x))
best_student.wrong(
    "conventions-mixed",
    seen="above lambda 1 some probabilities are negative",
    expected="distributions for every lambda: F6's coefficient is not bounded by 1",
)(lambda y, p, x: (1 - x) * y + x * p)
best_student.wrong(
    "rest-not-renormalised",
    seen="the rows sum to more than 1 as soon as lambda is above 0",
    expected="rows that sum to 1",
)(lambda y, p, x: y + x * p)
best_student.wrong(
    "argument-ignored",
    seen="every lambda gives the plain average of labels and teacher",
    expected="a result that moves with lambda",
)(lambda y, p, x: (y + p) / 2)
best_student.wrong(
    "argmax-sign",
    seen="what the teacher likes gets less, at small lambda even less than nothing",
    expected="a student that is drawn towards its teacher",
)(lambda y, p, x: (y - x * p) / (1 - x))
best_student.wrong(
    "kl-reversed",
    seen="logarithms are averaged, so that a one-hot label leaves nothing to the teacher",
    expected="the best student for KL(P||Q), in which probabilities are averaged",
)(lambda y, p, x: torch.softmax((y.log() + x * p.log()) / (1 + x), dim=-1))
best_student.wrong(
    "hard-for-soft",
    seen="the teacher enters only by its first choice",
    expected="the teacher's whole distribution enters",
)(lambda y, p, x: (y + x * F.one_hot(p.argmax(dim=-1), p.shape[-1])) / (1 + x))
best_student.wrong(
    "hard-for-soft",
    seen="every row is one-hot: only the best word of the mixture is left",
    expected="rows that keep something for all the words that the teacher allows",
)(lambda y, p, x: F.one_hot((y + x * p).argmax(dim=-1), p.shape[-1]))
best_student.wrong(
    "softmax-twice",
    seen="rows sum to 1, but at lambda 0 they are not the labels: softmax was applied to a sum",
    expected="rows that are made to sum to 1 by a division",
)(lambda y, p, x: torch.softmax(y + x * p, dim=-1))
best_student.wrong(
    "term-left-out",
    seen="the labels have no influence, at any lambda",
    expected="both sources have influence",
)(lambda y, p, x: p)
best_student.wrong(
    "labels-for-teacher",
    seen="the teacher has no influence, at any lambda",
    expected="a teacher whose influence grows with lambda",
)(lambda y, p, x: y)


@best_student.symptom(
    "rest-not-renormalised",
    seen="there are rows that do not sum to 1",
    expected="distributions, at every lambda",
)
def _(results):
    sums = torch.cat([torch.as_tensor(r).sum(dim=-1).flatten() for r in results.values()])
    return bool((sums.isfinite() & ((sums - 1).abs() > 1e-3)).any())


@code(
    source=("Q24",),
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
    explanation="q_T - p_T shrinks like 1/T as T grows; with T² the whole term keeps its size.",
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
combined_gradient.probe("one row", *_three(1, 7, seed=45), 3.0, 2.0)
combined_gradient.probe(
    "huge logits",
    torch.eye(3)[:2],
    *(torch.tensor([[5000.0, 4999.0, -5000.0], [0.0, x, 2.0]]) for x in (1.0, 3.0)),
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


def _apart(t, s, temperature, dim=-1):
    """Student minus teacher, both softened."""
    return _soft(s, temperature, dim) - _soft(t, temperature, dim)


combined_gradient.wrong(
    "missing-t-squared",
    seen="raising T makes the teacher's part fade: the factor in front of the divergence is gone",
    expected="a teacher's part that keeps its size when T is raised",
)(lambda y, t, s, x, T: _soft(s) - y + x / T * _apart(t, s, T))
combined_gradient.wrong(
    "missing-t-squared",
    seen="no power of T stands before the difference of the softened distributions",
    expected="two factors that do not cancel: one from the loss, one from the chain rule",
)(lambda y, t, s, x, T: _soft(s) - y + x * _apart(t, s, T))
combined_gradient.wrong(
    "chain-rule-forgotten",
    seen="raising T makes the teacher's part grow: the logits were divided without consequence",
    expected="the inner derivative of a division",
)(lambda y, t, s, x, T: _soft(s) - y + x * T**2 * _apart(t, s, T))
combined_gradient.wrong(
    "temperature-in-label-term",
    seen="the label's part changes with T, even at lambda 0",
    expected="temperature in the teacher's term only",
)(lambda y, t, s, x, T: _soft(s, T) - y + x * T * _apart(t, s, T))
combined_gradient.wrong(
    "temperature-in-label-term",
    seen="the loss on labels is taken at temperature T as well, so that its part shrinks with T",
    expected="a label's part that knows nothing of T",
)(lambda y, t, s, x, T: (_soft(s, T) - y) / T + x * T * _apart(t, s, T))
combined_gradient.wrong(
    "temperature-one-side",
    seen="only the teacher is softened",
    expected="the same temperature for student and teacher in the divergence",
)(lambda y, t, s, x, T: _soft(s) - y + x * T * (_soft(s) - _soft(t, T)))
combined_gradient.wrong(
    "temperature-one-side",
    seen="only the student is softened",
    expected="one temperature in the divergence, the same for student and teacher",
)(lambda y, t, s, x, T: _soft(s) - y + x * T * (_soft(s, T) - _soft(t)))
combined_gradient.wrong(
    "temperature-ignored",
    seen="temperature changes the size of the teacher's part and never its direction",
    expected="softened distributions in the teacher's part",
)(lambda y, t, s, x, T: _soft(s) - y + x * T * _apart(t, s, 1.0))
combined_gradient.wrong(
    "temperature-inverted",
    seen="the logits are multiplied by T: a high temperature sharpens both distributions",
    expected="softer distributions at a high temperature",
)(lambda y, t, s, x, T: _soft(s) - y + x * T * _apart(t, s, 1 / T))
combined_gradient.wrong(
    "argmax-sign",
    seen="the teacher's part points away from the teacher",
    expected="descent on both terms, as both are added in the loss",
)(lambda y, t, s, x, T: _soft(s) - y - x * T * _apart(t, s, T))
combined_gradient.wrong(
    "lambda-direction",
    seen="lambda multiplies the label's part",
    expected="at lambda 0 the gradient of training without a teacher",
)(lambda y, t, s, x, T: x * (_soft(s) - y) + T * _apart(t, s, T))
combined_gradient.wrong(
    "conventions-mixed",
    seen="the label's part fades as lambda grows, and turns round above 1",
    expected="a label's part that lambda leaves alone",
)(lambda y, t, s, x, T: (1 - x) * (_soft(s) - y) + x * T * _apart(t, s, T))
combined_gradient.wrong(
    "softmax-wrong-axis",
    seen="the distributions run down the rows, over the batch",
    expected="one distribution for each row",
)(lambda y, t, s, x, T: _soft(s, dim=0) - y + x * T * _apart(t, s, T, dim=0))
combined_gradient.wrong(
    "wrong-size-in-mean",
    seen="every row is divided by the number of rows",
    expected="the gradient of a sum: rows do not know of each other",
)(lambda y, t, s, x, T: (_soft(s) - y + x * T * _apart(t, s, T)) / len(y))
combined_gradient.wrong(
    "mean-over-vocab",
    seen="the teacher's part is divided by the number of all entries",
    expected="a divergence that is summed over words",
)(lambda y, t, s, x, T: _soft(s) - y + x * T * _apart(t, s, T) / t.numel())


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


# Choosing lambda


@number(
    source=("Q25",),
    difficulty=3,
    minutes=4,
    decimals=2,
    prompt=(
        "The labels are right; the teacher has a habit: in a certain place it gives 0.30 to a word "
        "that no label ever has there. The student is trained to the optimum of F6. What is the "
        "largest lambda for which it gives that word at most 0.05?"
    ),
    hints=(
        "What share of the teacher's opinion arrives in the best student?",
        "The label's probability of the word is 0; use the closed form of the best student.",
        "Solve 0.30 lambda / (1 + lambda) = 0.05.",
    ),
    explanation="No lambda above 0 removes the habit; a smaller one makes it weaker.",
)
def largest_lambda():
    """The lambda at which the habit arrives with just the allowed probability."""
    habit, allowed = 0.30, 0.05
    return allowed / (habit - allowed)


largest_lambda.wrong(
    "conventions-mixed",
    0.05 / 0.30,
    seen="the value is a share between 0 and 1 of the teacher, not F6's coefficient",
    expected="the coefficient that belongs to this share",
)
largest_lambda.wrong(
    "lambda-direction",
    0.25 / 0.05,
    seen="with this value the teacher has most of the influence",
    expected="a value at which the labels have most of it",
)
largest_lambda.wrong(
    "ratio-and-difference",
    0.30 - 0.05,
    seen="the value is the difference of the two probabilities",
    expected="something that stays the same when both probabilities are doubled",
)
largest_lambda.wrong(
    "ratio-turned-round",
    0.30 / 0.05,
    seen="the value says how many times too large the teacher's probability is",
    expected="a coefficient that shrinks when less of the habit is allowed",
)
largest_lambda.wrong(
    "labels-for-teacher",
    0.0,
    seen="the teacher is switched off, which the task does not ask for",
    expected="the largest lambda that is still allowed",
)

teacher_with_a_habit = choice(
    "teacher-with-a-habit",
    source=("Q25",),
    difficulty=2,
    minutes=3,
    prompt=(
        "After distillation with F6 the student repeats a systematic error of its teacher. The "
        "labels do not contain it. What do you change first?"
    ),
    hints=(
        "Which term of F6 asks for the error, and which speaks against it?",
        "lambda multiplies the term with the teacher in it.",
        "Ask where the closed form of the best student goes at lambda 0.",
    ),
    options=(
        wrong(
            "Raise lambda, so that the student gets more guidance.",
            "lambda-direction",
            seen="more weight goes to the term that asks for the error",
            expected="more weight for the source that is right",
        ),
        right(
            "Lower lambda and look at the validation score again.",
            "The error arrives with the share lambda / (1 + lambda), so this is the direct lever.",
        ),
        wrong(
            "In a program that minimises (1 - alpha) CE + alpha KD, raise alpha: there the "
            "direction is the opposite.",
            "conventions-mixed",
            seen="alpha weighs the teacher's term just as F6's coefficient does",
            expected="a look at which term each coefficient multiplies",
        ),
        wrong(
            "Take a larger student: a small one is too weak to resist the error.",
            "capacity-blamed",
            seen="a larger student would copy the error more exactly",
            expected="a change to what is asked of the student",
        ),
        wrong(
            "Raise the temperature until the error disappears in the softened distribution.",
            "flat-for-informative",
            seen="softening hides the teacher's knowledge together with its error",
            expected="a change that shifts trust from one source to the other",
        ),
    ),
)


@code(
    source=("Q26",),
    difficulty=3,
    minutes=9,
    prompt=(
        "Write `choose_lambda(lambdas, losses)`. `losses[i, j]` is the validation loss of the run "
        "with `lambdas[i]` and seed j; the lambdas are in no particular order. Find the lowest "
        "mean loss. Differences below its standard error count as noise; that is the standard "
        "deviation of that lambda's losses over the root of the number of seeds. Return the "
        "smallest lambda whose mean is within one standard error of the lowest."
    ),
    hints=(
        "A mean for each lambda, a band above the lowest mean, the smallest in the band.",
        "The standard error comes from the row of the best lambda: its std over sqrt(seeds).",
        "Keep the lambdas whose mean is at most lowest + error, then take `min` of them.",
    ),
    explanation=(
        "Within the noise the data do not decide, so reasons do: a smaller lambda copies less of "
        "the teacher's errors. Write the rule down before looking at the scores."
    ),
)
def choose_lambda(lambdas, losses):
    """The smallest lambda that the noise cannot tell from the best. list, (K, S) -> number"""
    means = losses.mean(dim=1)
    best = means.argmin()
    error = losses[best].std() / losses.shape[1] ** 0.5
    return min(x for x, mean in zip(lambdas, means) if mean <= means[best] + error)


def _table(*rows: tuple[float, float]):
    """Three seeds for each (mean, spread): their standard deviation is the spread."""
    return torch.tensor([[mean, mean + spread, mean - spread] for mean, spread in rows])


choose_lambda.probe(
    "a clear winner",
    [0.0, 0.5, 1.0, 2.0],
    _table((3.0, 0.03), (2.8, 0.03), (2.5, 0.03), (2.9, 0.03)),
)
_two_alike = _table((3.0, 0.06), (2.52, 0.06), (2.5, 0.06), (2.7, 0.1), (2.9, 0.06))
_two_alike[3] = torch.tensor([2.49, 2.8, 2.81])
choose_lambda.probe("two that noise cannot tell apart", [0.0, 0.5, 1.0, 2.0, 4.0], _two_alike)
choose_lambda.probe(
    "three that noise cannot tell apart",
    [0.0, 0.25, 1.0, 3.0],
    _table((3.0, 0.06), (2.61, 0.06), (2.6, 0.06), (2.62, 0.06)),
)
choose_lambda.probe(
    "a wide spread", [0.1, 0.3, 0.9], _table((2.66, 0.2), (2.5, 0.2), (2.9, 0.2))
)
choose_lambda.probe(
    "one lucky seed",
    [0.1, 0.5, 2.0],
    torch.tensor([[3.0, 3.1, 2.9], [2.40, 2.42, 2.44], [2.1, 2.9, 2.95]]),
)
choose_lambda.probe(
    "in falling order",
    [4.0, 2.0, 1.0, 0.5],
    _table((2.9, 0.06), (2.51, 0.06), (2.5, 0.06), (2.515, 0.06)),
)


@choose_lambda.also
def choose_lambda_in_loops(lambdas, losses):
    rows = [row.tolist() for row in losses]
    mean = [sum(row) / len(row) for row in rows]
    best = mean.index(min(mean))
    spread = sum((x - mean[best]) ** 2 for x in rows[best]) / (len(rows[best]) - 1)
    limit = mean[best] + (spread / len(rows[best])) ** 0.5
    return sorted(lambdas[i] for i in range(len(rows)) if mean[i] <= limit)[0]


def _band(losses, divide=True):
    means = losses.mean(dim=1)
    error = losses[means.argmin()].std() / (losses.shape[1] ** 0.5 if divide else 1)
    return [i for i, mean in enumerate(means) if mean <= means.min() + error]


choose_lambda.wrong(
    "argmax-sign",
    seen="the lambda with the highest loss is chosen",
    expected="scores that are losses: the lower the better",
)(lambda lambdas, losses: lambdas[int(losses.mean(dim=1).argmax())])
choose_lambda.wrong(
    "noise-for-signal",
    seen="the lowest mean decides, by whatever small margin",
    expected="differences below the standard error do not decide",
)(lambda lambdas, losses: lambdas[int(losses.mean(dim=1).argmin())])
choose_lambda.wrong(
    "lucky-seed",
    seen="the lowest loss of any run decides",
    expected="each lambda is judged by all its runs",
)(lambda lambdas, losses: lambdas[int(losses.min(dim=1).values.argmin())])
choose_lambda.wrong(
    "lucky-seed",
    seen="only the first seed is looked at",
    expected="a mean over all seeds",
)(lambda lambdas, losses: lambdas[int(losses[:, 0].argmin())])
choose_lambda.wrong(
    "standard-error-wrong",
    seen="the band is as wide as the spread of single runs",
    expected="the uncertainty of a mean, which is smaller than that of one run",
)(lambda lambdas, losses: min(lambdas[i] for i in _band(losses, divide=False)))
choose_lambda.wrong(
    "lambda-direction",
    seen="within the noise the largest lambda is taken, the one that trusts the teacher most",
    expected="within the noise the least trust in the teacher",
)(lambda lambdas, losses: max(lambdas[i] for i in _band(losses)))
choose_lambda.wrong(
    "order-assumed",
    seen="the first of the good lambdas in the list is taken, as if the list were sorted",
    expected="the same choice in whichever order the lambdas come",
)(lambda lambdas, losses: lambdas[_band(losses)[0]])
choose_lambda.wrong(
    "index-for-value",
    seen="a position in the list is returned",
    expected="one of the lambdas",
)(lambda lambdas, losses: lambdas.index(choose_lambda.reference(lambdas, losses)))
choose_lambda.wrong(
    "index-for-value",
    seen="the position of the lowest mean is returned",
    expected="a lambda, and not always that of the lowest mean",
)(lambda lambdas, losses: losses.mean(dim=1).argmin())
