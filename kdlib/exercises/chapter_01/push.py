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
        "positive entry means that the word's logit rises. Logits may be huge."
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
# The student is right and sure, so that nothing of such a size has to be rounded in float32.
push.probe(
    "huge logits",
    torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]),
    torch.tensor([[5000.0, 4000.0, -5000.0], [-6000.0, -5000.0, -5500.0]]),
    points_to="softmax-overflow",
    expected="finite values, however large the logits are",
)
push.probe(
    "a student that is sure of the wrong word",
    torch.tensor([[0.25, 0.5, 0.25]]),
    torch.tensor([[50.0, 0.0, -60.0]]),
    points_to="floor-in-logarithm",
    expected="a push that is strong where the student finds the teacher's word impossible",
)


@push.also
def push_by_autograd(p, student_logits):
    logits = student_logits.detach().requires_grad_()
    loss = -(p * torch.log_softmax(logits, dim=-1)).sum()
    return -torch.autograd.grad(loss, logits)[0]


@push.also
def push_by_a_step(p, student_logits):
    logits = student_logits.clone().requires_grad_()
    (-(p * torch.log_softmax(logits, dim=-1)).sum()).backward()
    torch.optim.SGD([logits], lr=1.0).step()
    return logits.detach() - student_logits


@push.wrong(
    "floor-in-logarithm",
    seen="where the student finds a word impossible, the teacher's wish for it has no effect",
    expected="the gradient of the cross-entropy itself, with nothing added inside the logarithm",
)
def push_with_a_floor(p, student_logits):
    logits = student_logits.detach().requires_grad_()
    loss = -(p * (torch.softmax(logits, dim=-1) + 1e-8).log()).sum()
    return -torch.autograd.grad(loss, logits)[0]


@push.wrong(
    "gradient-in-probabilities",
    seen="words that the student finds unlikely hardly move, however much the teacher likes them",
    expected="the step in the logits, not the change of the probabilities that follows from it",
)
def push_probabilities(p, student_logits):
    q = torch.softmax(student_logits, dim=-1)
    g = p - q
    return q * (g - (q * g).sum(dim=-1, keepdim=True))


push.mistakes(
    ("sign-flipped", "words that the teacher likes more than the student does are pushed down",
     "descent: against the gradient",
     lambda p, student_logits: torch.softmax(student_logits, dim=-1) - p),
    ("hard-for-soft", "only the teacher's first choice is pushed up",
     "a push for every word, by its own probability",
     lambda p, student_logits: push.reference(
         F.one_hot(p.argmax(-1), p.shape[-1]), student_logits)),
    ("copies-instead-of-compares", "a student that agrees with its teacher is still pushed",
     "no push where the two agree", lambda p, student_logits: p),
    ("logits-for-probabilities", "adding a constant to all logits changes the push",
     "the student's probabilities, which such a constant does not change",
     lambda p, student_logits: p - student_logits),
    ("logits-for-probabilities",
     "the student's logits are subtracted from the teacher's log-probabilities",
     "a difference of two distributions, which sums to 0",
     lambda p, student_logits: p.log() - student_logits),
    ("softmax-twice", "the teacher's probabilities are flattened by another softmax",
     "`p` is a distribution already",
     lambda p, student_logits: push.reference(torch.softmax(p, dim=-1), student_logits)),
    ("log-for-probability", "log-probabilities are compared; rare words get the strongest push",
     "a difference of probabilities, which lies between -1 and 1",
     lambda p, student_logits: p.log() - torch.log_softmax(student_logits, dim=-1)),
    ("softmax-wrong-axis", "the student's probabilities sum to 1 down the columns",
     "each row is a distribution of its own",
     lambda p, student_logits: p - torch.softmax(student_logits, dim=0)),
    ("mean-for-sum", "the push is divided by the number of rows",
     "each row's own push, whatever else is in the batch",
     lambda p, student_logits: push.reference(p, student_logits) / p.shape[0]),
    ("mean-over-vocab", "the larger the vocabulary, the weaker the push",
     "the cross-entropy sums over the vocabulary",
     lambda p, student_logits: push.reference(p, student_logits) / p.shape[-1]),
)  # fmt: skip
