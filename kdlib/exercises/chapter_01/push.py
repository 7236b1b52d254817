"""The direction in which one target moves the student's logits."""

import torch
import torch.nn.functional as F

from kdlib.exercises.authoring.inputs import distributions, normal
from kdlib.exercises.kinds.functions import code


@code(
    source=("Q04",),
    difficulty=3,
    minutes=8,
    prompt=(
        "What does one target teach? A gradient step on the cross-entropy moves the student's "
        "logits along minus the gradient. Write `push(p, student_logits)`: that direction, for "
        "the teacher's probabilities `p` and the student's logits, at learning rate 1. A "
        "positive entry means that the word's logit rises."
    ),
    hints=(
        "When the student agrees with the teacher, there is nothing to push.",
        "The gradient of cross-entropy in the logits is student minus teacher, as probabilities.",
        "Turn the student's logits into probabilities and take a difference.",
    ),
    explanation=(
        "Every word's logit is pushed by how much the teacher's probability exceeds the student's. "
        "What the probabilities do follows from all pushes together: with student q and push g, "
        "that of word v changes by q_v (g_v - sum of q_u g_u) for each unit of learning rate, so a "
        "word with a weak push up can lose to words with stronger ones."
    ),
)
def push(p, student_logits):
    """Direction of one descent step on the cross-entropy, in the student's logits. -> (..., V)"""
    return p - torch.softmax(student_logits, dim=-1)


push.probe("three rows", distributions(3, 5, seed=41), normal(3, 5, seed=42))
push.probe("three dimensions", distributions(2, 3, 4, seed=43), normal(2, 3, 4, seed=44))
push.probe("shifted logits", distributions(2, 6, seed=45), normal(2, 6, seed=46) + 7.0)
push.probe("a single row", torch.tensor([0.2, 0.5, 0.3]), torch.tensor([1.0, -1.0, 0.5]))
push.probe("a perfect student", distributions(2, 3, seed=47), distributions(2, 3, seed=47).log())
push.probe("a one-hot target", torch.eye(4)[[1, 3]], normal(2, 4, seed=48))
push.probe(
    "huge logits",
    distributions(1, 3, seed=49),
    torch.tensor([[5000.0, 4999.0, -5000.0]]),
    points_to="softmax-overflow",
    expected="finite values, however large the logits are",
)


@push.also
def push_by_autograd(p, student_logits):
    logits = student_logits.detach().requires_grad_()
    loss = -(p * torch.log_softmax(logits, dim=-1)).sum()
    return -torch.autograd.grad(loss, logits)[0]


@push.wrong(
    "sign-flipped",
    seen="words that the teacher likes more than the student does are pushed down",
    expected="descent: against the gradient",
)
def push_up_the_loss(p, student_logits):
    return torch.softmax(student_logits, dim=-1) - p


@push.wrong(
    "hard-for-soft",
    seen="only the teacher's first choice is pushed up",
    expected="a push for every word, by its own probability",
)
def push_to_the_top(p, student_logits):
    return F.one_hot(p.argmax(dim=-1), p.shape[-1]) - torch.softmax(student_logits, dim=-1)


@push.wrong(
    "copies-instead-of-compares",
    seen="a student that agrees with its teacher is still pushed",
    expected="no push where the two agree",
)
def push_target(p, student_logits):
    return p


@push.wrong(
    "logits-for-probabilities",
    seen="adding a constant to all logits changes the push",
    expected="the student's probabilities, which such a constant does not change",
)
def push_from_logits(p, student_logits):
    return p - student_logits


@push.wrong(
    "logits-for-probabilities",
    seen="the student's logits are subtracted from the teacher's log-probabilities",
    expected="a difference of two distributions, which sums to 0",
)
def push_from_logits_to_logarithms(p, student_logits):
    return p.log() - student_logits


@push.wrong(
    "softmax-twice",
    seen="the teacher's probabilities are flattened by another softmax",
    expected="`p` is a distribution already",
)
def push_to_softmax(p, student_logits):
    return torch.softmax(p, dim=-1) - torch.softmax(student_logits, dim=-1)


@push.wrong(
    "log-for-probability",
    seen="log-probabilities are compared; rare words get the strongest push",
    expected="a difference of probabilities, which lies between -1 and 1",
)
def push_logarithms(p, student_logits):
    return p.log() - torch.log_softmax(student_logits, dim=-1)


@push.wrong(
    "softmax-wrong-axis",
    seen="the student's probabilities sum to 1 down the columns",
    expected="each row is a distribution of its own",
)
def push_columns(p, student_logits):
    return p - torch.softmax(student_logits, dim=0)


@push.wrong(
    "gradient-in-probabilities",
    seen="words that the student finds unlikely hardly move, however much the teacher likes them",
    expected="the step in the logits, not the change of the probabilities that follows from it",
)
def push_probabilities(p, student_logits):
    q = torch.softmax(student_logits, dim=-1)
    g = p - q
    return q * (g - (q * g).sum(dim=-1, keepdim=True))


@push.wrong(
    "mean-for-sum",
    seen="the push is divided by the number of rows",
    expected="each row's own push, whatever else is in the batch",
)
def push_divided(p, student_logits):
    return (p - torch.softmax(student_logits, dim=-1)) / p.shape[0]


@push.wrong(
    "mean-over-vocab",
    seen="the larger the vocabulary, the weaker the push",
    expected="the cross-entropy sums over the vocabulary",
)
def push_vocabulary(p, student_logits):
    return (p - torch.softmax(student_logits, dim=-1)) / p.shape[-1]
