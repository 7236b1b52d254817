"""Whether any lambda above 0 helps, from a few words that were checked by hand."""

import torch

from kdlib.exercises.authoring.inputs import distributions, normal
from kdlib.exercises.authoring.switches import name_switches
from kdlib.exercises.kinds.functions import code


@code(
    source=("Q27",),
    difficulty=3,
    minutes=8,
    prompt=(
        "Which way should lambda go from 0? A few words were checked by hand: `checked` (N,) holds "
        "the true word at each of N places. `labels` and `teacher` (N, V) are the distributions "
        "of the noisy labels and of the teacher there; all entries are above 0. At lambda the best "
        "student of F6 is (labels + lambda teacher) / (1 + lambda). Write `first_step(checked, "
        "labels, teacher)`: the slope at lambda = 0, in lambda, of that student's loss, the mean "
        "of -log Q over the checked words. Below 0 it says: raise lambda."
    ),
    hints=(
        "Only the probability of the checked word enters each place's loss.",
        "At lambda = 0 the student's probability of a word grows with the slope P - L.",
        "Gather P and L at the checked words; the slope of -log Q is -(P - L) / L.",
    ),
    explanation=(
        "In the convention (1 - alpha) CE + alpha KD the slope at alpha = 0 is the same number: "
        "from 0 both coefficients move the same way. No training is needed to find it."
    ),
)
def first_step(checked, labels, teacher):
    """Slope of the mean loss on checked words, in lambda, at 0. (N,), (N, V), (N, V) -> scalar"""
    p, q = (x.gather(1, checked[:, None])[:, 0] for x in (teacher, labels))
    return (1 - p / q).mean()


def _places(number: int, words: int, seed: int, noise: float, wrong: float):
    """Checked words, noisy labels around them, and a teacher that errs in its own way."""
    truth = distributions(number, words, seed=seed)
    checked = (truth.log() + normal(number, words, seed=seed + 300)).argmax(dim=-1)
    labels = (1 - noise) * truth + noise / words
    teacher = (1 - wrong) * truth + wrong * distributions(number, words, seed=seed + 700)
    return checked, labels, teacher


first_step.probe("noisy labels, good teacher", *_places(6, 4, 61, 0.6, 0.1))
first_step.probe("good labels, bad teacher", *_places(5, 3, 62, 0.1, 0.8))
first_step.probe("both are off", *_places(9, 6, 63, 0.5, 0.5))
first_step.probe("one place", *_places(1, 5, 64, 0.4, 0.3))
first_step.probe("teacher and labels agree", *(_places(4, 4, 65, 0.3, 0.0)[i] for i in (0, 1, 1)))


@first_step.also
def first_step_by_autograd(checked, labels, teacher):
    x = torch.zeros((), dtype=torch.float64, requires_grad=True)
    student = (labels.double() + x * teacher.double()) / (1 + x)
    loss = -student.log().gather(1, checked[:, None]).mean()
    return torch.autograd.grad(loss, x)[0]


def _at(x, words):
    return x.gather(1, words[:, None])[:, 0]


def _slope(
    word=lambda checked, labels, teacher: checked,
    term=lambda p, q: 1 - p / q,
    reduce=torch.mean,
):
    """The slope with one thing changed: the word that is looked at, its term, or the mean."""

    def answer(checked, labels, teacher):
        words = word(checked, labels, teacher)
        return reduce(term(_at(teacher, words), _at(labels, words)))

    return answer


def _expected(judge):
    """The mean over what a distribution says, in place of the checked words."""

    def answer(checked, labels, teacher):
        return (judge(labels, teacher) * (1 - teacher / labels)).sum(dim=-1).mean()

    return answer


name_switches(
    first_step, _slope,
    ("validated-on-noise", "judged are the words that the noisy labels favour, not those checked",
     "the loss on what is true", {"word": lambda checked, labels, teacher: labels.argmax(dim=-1)}),
    ("teacher-taken-for-truth", "judged are the words that the teacher favours",
     "the loss on what is true", {"word": lambda checked, labels, teacher: teacher.argmax(dim=-1)}),
    ("argmax-sign", "the sign is that of a reward: it is above 0 where the loss falls",
     "the slope of a loss, which falls where raising lambda helps",
     {"term": lambda p, q: p / q - 1}),
    ("lambda-direction", "labels and teacher have changed places: it is the slope at the other end",
     "a student that is its labels at lambda 0, and moves towards its teacher",
     {"term": lambda p, q: 1 - q / p}),
    ("ratio-and-difference", "it is the slope of the probability, not of its logarithm",
     "a rare word's probability counts by how many times it grows",
     {"term": lambda p, q: q - p}),
    ("whole-for-part", "it is the whole way: the teacher's loss less the labels' loss",
     "what the first small step does, which may help although the whole way harms",
     {"term": lambda p, q: q.log() - p.log()}),
    ("term-left-out", "the student's loss is that of (labels + lambda teacher), not divided",
     "a student that stays a distribution as lambda grows", {"term": lambda p, q: -p / q}),
    ("sum-for-mean", "the slope grows with the number of places", "a mean over the places",
     {"reduce": torch.sum}),
    ("median-for-mean", "the middle place decides, however strong the others are",
     "a mean over the places", {"reduce": torch.median}),
)  # fmt: skip
first_step.wrong(
    "validated-on-noise",
    seen="the mean is taken over what the noisy labels say: it is 0 for every teacher",
    expected="the loss on what is true",
)(_expected(lambda labels, teacher: labels))
first_step.wrong(
    "teacher-taken-for-truth",
    seen="the mean is taken over what the teacher says, so that every teacher helps",
    expected="the loss on what is true",
)(_expected(lambda labels, teacher: teacher))


@first_step.wrong(
    "mean-of-means",
    seen="the means of both probabilities are divided, where each place has a ratio of its own",
    expected="the slope at each place first, and then the mean",
)
def _(checked, labels, teacher):
    return 1 - _at(teacher, checked).mean() / _at(labels, checked).mean()
