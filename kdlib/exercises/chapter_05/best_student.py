"""The distributions that maximise F6, in closed form."""

import torch
import torch.nn.functional as F

from kdlib.exercises.authoring.inputs import distributions
from kdlib.exercises.authoring.rules import rows_not_summing_to_1
from kdlib.exercises.kinds.functions import code


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


best_student.mistakes(
    ("lambda-direction", "the larger lambda, the nearer the result to the labels",
     "at lambda 0 the labels alone", lambda y, p, x: (x * y + p) / (1 + x)),
    ("conventions-mixed", "above lambda 1 some probabilities are negative",
     "distributions for every lambda: F6's coefficient is not bounded by 1",
     lambda y, p, x: (1 - x) * y + x * p),
    ("rest-not-renormalised", "the rows sum to more than 1 as soon as lambda is above 0",
     "rows that sum to 1", lambda y, p, x: y + x * p),
    ("argument-ignored", "every lambda gives the plain average of labels and teacher",
     "a result that moves with lambda", lambda y, p, x: (y + p) / 2),
    ("argmax-sign", "what the teacher likes gets less, at small lambda even less than nothing",
     "a student that is drawn towards its teacher", lambda y, p, x: (y - x * p) / (1 - x)),
    ("kl-reversed",
     "logarithms are averaged, so that a one-hot label leaves nothing to the teacher",
     "the best student for KL(P||Q), in which probabilities are averaged",
     lambda y, p, x: torch.softmax((y.log() + x * p.log()) / (1 + x), dim=-1)),
    ("hard-for-soft", "the teacher enters only by its first choice",
     "the teacher's whole distribution enters",
     lambda y, p, x: (y + x * F.one_hot(p.argmax(dim=-1), p.shape[-1])) / (1 + x)),
    ("hard-for-soft", "every row is one-hot: only the best word of the mixture is left",
     "rows that keep something for all the words that the teacher allows",
     lambda y, p, x: F.one_hot((y + x * p).argmax(dim=-1), p.shape[-1])),
    ("softmax-twice", "softmax is applied to the mixture, which is a distribution already",
     "the mixture as it is", lambda y, p, x: torch.softmax((y + x * p) / (1 + x), dim=-1)),
    ("softmax-twice",
     "rows sum to 1, but at lambda 0 they are not the labels: softmax was applied to a sum",
     "rows that are made to sum to 1 by a division",
     lambda y, p, x: torch.softmax(y + x * p, dim=-1)),
    ("wrong-axis", "all rows together sum to 1", "each row sums to 1 by itself",
     lambda y, p, x: (y + x * p) / (y + x * p).sum()),
    ("term-left-out", "the labels have no influence, at any lambda", "both sources have influence",
     lambda y, p, x: p),
    ("labels-for-teacher", "the teacher has no influence, at any lambda",
     "a teacher whose influence grows with lambda", lambda y, p, x: y),
)  # fmt: skip


best_student.symptom(
    "rest-not-renormalised",
    seen="there are rows that do not sum to 1",
    expected="distributions, at every lambda",
)(rows_not_summing_to_1)
