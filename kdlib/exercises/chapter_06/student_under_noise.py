"""Where F6 leads when labels are mistaken by a habit: a noise matrix, and a student under it."""

import torch

from kdlib.exercises.authoring.inputs import distributions, normal
from kdlib.exercises.authoring.switches import name_switches
from kdlib.exercises.kinds.functions import code


@code(
    source=("Q27",),
    difficulty=4,
    minutes=10,
    prompt=(
        "Some labels were checked by hand: `true` and `given` (N,) hold word numbers. Entry (i, j) "
        "of the *noise matrix* is the share of the examples with the true label i that were given "
        "the label j; assume no noise for a word that is never true. At a certain place the truth "
        "is `p` (V,), and labels are mistaken there as the matrix says. The reliable `teacher` "
        "(V,) speaks there, too. Write `student_under_noise(true, given, p, teacher, lambda_)`: "
        "the matrix (V, V), and the best student of F6 at that place."
    ),
    hints=(
        "Count pairs first, then turn counts into shares. Which rows would be 0 / 0?",
        "A row belongs to one true label. What do p and the rows together say of the labels?",
        "The labels' distribution is p @ matrix; mix it with the teacher as F6's closed form does.",
    ),
    explanation=(
        "So a few checked labels tell in advance what each lambda does at each place, "
        "for any noise."
    ),
)
def student_under_noise(true, given, p, teacher, lambda_):
    """The noise matrix, and F6's best student under this noise. -> (V, V), (V,)"""
    counts = torch.zeros(len(p), len(p))
    for i, j in zip(true, given):
        counts[i, j] += 1
    totals = counts.sum(dim=1, keepdim=True)
    matrix = torch.where(totals > 0, counts / totals.clamp(min=1), torch.eye(len(p)))
    return matrix, (p @ matrix + lambda_ * teacher) / (1 + lambda_)


def _labelled(count: int, words: int, seed: int, lambda_: float, rate: float = 0.4):
    true = torch.cat([torch.arange(words), normal(count - words, words, seed=seed).argmax(dim=-1)])
    other = normal(count, words, seed=seed + 50).argmax(dim=-1)
    given = torch.where(normal(count, seed=seed + 90) < rate, other, true)
    return true, given, *_place(words, seed), lambda_


def _place(words: int, seed: int):
    p = distributions(words, seed=seed + 200)
    return p, 0.7 * p + 0.3 * distributions(words, seed=seed + 400)


student_under_noise.probe("20 labels, 3 words", *_labelled(20, 3, 21, 1.5))
student_under_noise.probe("40 labels, 5 words", *_labelled(40, 5, 22, 4.0))
student_under_noise.probe(
    "one word becomes another",
    torch.tensor([0, 0, 0, 1, 1]),
    torch.tensor([0, 1, 1, 1, 1]),
    *_place(2, 26),
    0.25,
)
student_under_noise.probe("no teacher", *_labelled(6, 4, 23, 0.0))
student_under_noise.probe("2500 labels, 3 words", *_labelled(2500, 3, 24, 0.5))
student_under_noise.probe(
    "words that are true once",
    torch.tensor([2, 0, 1, 2]),
    torch.tensor([0, 1, 1, 2]),
    *_place(3, 27),
    2.0,
)
student_under_noise.probe(
    "a word that is never true",
    torch.tensor([0, 2, 2, 0]),
    torch.tensor([0, 1, 2, 0]),
    *_place(3, 28),
    3.0,
    expected="a row that says 'no noise' where there is nothing to count",
)
student_under_noise.probe(
    "a last word that does not occur",
    torch.tensor([0, 1, 1]),
    torch.tensor([1, 1, 0]),
    *_place(3, 29),
    0.8,
    expected="a row and a column for each of the words, also for those that do not occur",
)


@student_under_noise.also
def student_under_noise_by_product(true, given, p, teacher, lambda_):
    eye = torch.eye(len(p))
    counts = eye[true].T @ eye[given]
    empty = counts.sum(dim=1) == 0
    counts[empty] = eye[empty]
    matrix = counts / counts.sum(dim=1, keepdim=True)
    return matrix, torch.lerp(matrix.T @ p, teacher, lambda_ / (1 + lambda_))


def _counts(true, given, words):
    return torch.eye(words)[true].T @ torch.eye(words)[given]


def _over(counts, least):
    """Each row divided by its sum, or by `least`."""
    return counts / counts.sum(dim=1, keepdim=True).clamp(min=least)


def _shares(counts):
    return torch.where(
        counts.sum(dim=1, keepdim=True) > 0, _over(counts, 1), torch.eye(len(counts))
    )


def _right(true, given, words):
    return _shares(_counts(true, given, words))


def _student(
    matrix=_right,
    labels=lambda p, noise: p @ noise,
    student=lambda y, p, x: (y + x * p) / (1 + x),
):
    """The answer with one thing changed: the matrix, the labels that it makes, or the student."""

    def answer(true, given, p, teacher, lambda_):
        noise = matrix(true, given, len(p))
        return noise, student(labels(p, noise), teacher, lambda_)

    return answer


name_switches(
    student_under_noise, _student,
    ("condition-turned-round",
     "columns sum to 1: the shares are taken among the examples with one given label",
     "shares among the examples with one true label",
     {"matrix": lambda true, given, words: _right(given, true, words).T}),
    ("condition-turned-round", "a row belongs to a given label and says what was true",
     "a row belongs to a true label and says what was given",
     {"matrix": lambda true, given, words: _right(given, true, words)}),
    ("wrong-axis",
     "the shares are right but stand in columns: true labels run along the wrong dimension",
     "true labels down the rows, given ones along them",
     {"matrix": lambda true, given, words: _right(true, given, words).T}),
    ("rest-not-renormalised", "the entries of the matrix are counts",
     "shares: every row sums to 1", {"matrix": _counts}),
    ("wrong-size-in-mean",
     "the whole matrix sums to 1: counts are divided by the number of all examples",
     "each row is divided by the examples of that row",
     {"matrix": lambda true, given, words: _counts(true, given, words) / len(true)}),
    ("repeated-index", "a pair that occurs ten times counts like one that occurs once",
     "each example counts",
     {"matrix": lambda true, given, words: _shares(_counts(true, given, words).clamp(max=1))}),
    ("zero-log-zero", "the row of a word that is never true is NaN",
     "a usable row for each word, as the task says",
     {"matrix": lambda true, given, words: _over(_counts(true, given, words), least=0)}),
    ("rest-not-renormalised", "the row of a word that is never true is all zeros",
     "a row that sums to 1 there as well",
     {"matrix": lambda true, given, words: _over(_counts(true, given, words), least=1)}),
    ("wrong-axis", "the matrix is right, and applied from its wrong side: no distribution",
     "mass that flows from the true words to the given ones",
     {"labels": lambda p, noise: noise @ p}),
    ("term-left-out", "the matrix is right, and the student learns from labels without noise",
     "labels as they are given at that place", {"labels": lambda p, noise: p}),
    ("lambda-direction", "the larger lambda, the more the student copies the noisy labels",
     "a student that comes nearer to its teacher as lambda grows",
     {"student": lambda y, p, x: (x * y + p) / (1 + x)}),
    ("conventions-mixed", "lambda is used as a share: above 1 the labels count negatively",
     "F6's coefficient, which has no upper bound",
     {"student": lambda y, p, x: (1 - x) * y + x * p}),
    ("rest-not-renormalised", "the student's probabilities sum to more than 1", "a distribution",
     {"student": lambda y, p, x: y + x * p}),
    ("argument-ignored", "the student copies the noisy labels at every lambda",
     "a student that depends on lambda and its teacher", {"student": lambda y, p, x: y}),
)  # fmt: skip
