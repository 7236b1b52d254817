"""F2 by enumeration."""

import math

import torch

from kdlib.exercises.authoring.floors import UNLIKELY, no_floor
from kdlib.exercises.authoring.gradients import gradient_in, in_logits, trains_the_student
from kdlib.exercises.authoring.inputs import log_pair
from kdlib.exercises.authoring.lookalikes import name_lookalikes
from kdlib.exercises.kinds.functions import code
from kdlib.losses.divergences import forward_kl


@code(
    source=("Q14", "Q15"),
    difficulty=2,
    minutes=6,
    prompt=(
        "Write `sequence_cross_entropy(log_p, log_q)`: the sequence loss F2, as a tensor, so that "
        "the student can learn from it. The arguments hold the log-probabilities (B, N) that the "
        "teacher and the student give to all N outputs of each of B inputs. An impossible output "
        "has the log-probability minus infinity."
    ),
    hints=(
        "F2 is an expectation: of which quantity, and over whose outputs?",
        "One value for each input: sum over the outputs only. Mind 0 times infinity.",
        "-p * log_q, with 0 where p is 0, summed over the last dimension.",
    ),
    explanation="Some printings leave out the minus sign; with it, smaller is better.",
)
def sequence_cross_entropy(log_p, log_q):
    """Cross-entropy over all outputs of each input, in nats. (B, N), (B, N) -> (B,)"""
    p = log_p.exp()
    terms = torch.where(p > 0, -p * log_q, torch.zeros_like(p))
    return terms.sum(dim=-1)


sequence_cross_entropy.probe("four inputs, five outputs", *log_pair(4, 5, seed=301))
sequence_cross_entropy.probe("two inputs, nine outputs", *log_pair(2, 9, seed=302))
sequence_cross_entropy.probe("one input", *log_pair(1, 3, seed=303))
sequence_cross_entropy.probe("a perfect student", *2 * log_pair(3, 4, seed=304)[:1])
sequence_cross_entropy.probe(
    "outputs that both rule out",
    torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.25, 0.75]]).log(),
    torch.tensor([[0.25, 0.75, 0.0], [0.0, 0.5, 0.5]]).log(),
    points_to="zero-log-zero",
    expected="an output that the teacher never gives adds nothing",
)
sequence_cross_entropy.probe(
    "an output that only the student rules out",
    torch.tensor([[0.5, 0.5, 0.0]]).log(),
    torch.tensor([[0.75, 0.0, 0.25]]).log(),
    points_to="zero-log-zero",
    expected="an infinite loss: no number of nats makes up for an impossible output",
)
sequence_cross_entropy.probe(
    "a rare output that only the student rules out",
    torch.tensor([[0.0, -25.0]]),
    torch.tensor([[0.0, -torch.inf]]),
    points_to="zero-log-zero",
    expected="an infinite loss: rare is not impossible",
)
no_floor(
    sequence_cross_entropy,
    torch.tensor([[0.5, 0.5], [0.25, 0.75]]).log(),
    torch.tensor([[UNLIKELY, 0.0], [0.0, UNLIKELY]]),
)
trains_the_student(
    sequence_cross_entropy, *log_pair(3, 4, seed=305), measure=gradient_in(1, inner=in_logits)
)


@sequence_cross_entropy.also
def sequence_cross_entropy_in_loops(log_p, log_q):
    rows = zip(log_p, log_q)
    return [sum(-a.exp() * b for a, b in zip(*row) if a > -math.inf) for row in rows]


def _top(terms, log_p):
    """Of each row the term of the teacher's likeliest output."""
    return terms.gather(-1, log_p.argmax(dim=-1, keepdim=True)).squeeze(-1)


sequence_cross_entropy.mistakes(
    ("hard-for-soft", "only the teacher's likeliest output enters, as if it were certain",
     "every output enters with the teacher's probability",
     lambda log_p, log_q: _top(-log_q, log_p)),
    ("top-entry-only", "a single term of the sum is left: that of the likeliest output",
     "a term for every output", lambda log_p, log_q: _top(-log_p.exp() * log_q, log_p)),
    ("kl-reversed",
     "the student's probabilities are the weights, the teacher's are in the logarithm",
     "the teacher says how much each output matters",
     lambda log_p, log_q: sequence_cross_entropy.reference(log_q, log_p)),
    ("kl-for-cross-entropy",
     "a perfect student has the loss 0: the teacher's entropy has been subtracted",
     "the surprise of the student alone; the entropy is a part of it", forward_kl),
    ("entropy-for-cross-entropy", "the loss does not change when the student does",
     "the logarithm of the student's probabilities",
     lambda log_p, log_q: torch.special.entr(log_p.exp()).sum(dim=-1)),
    ("entropy-for-cross-entropy", "the loss does not change when the teacher does",
     "weights that come from the other model",
     lambda log_p, log_q: torch.special.entr(log_q.exp()).sum(dim=-1)),
    ("sign-flipped", "the loss is negative, and falls as the student gets worse",
     "a loss of at least 0", lambda log_p, log_q: -sequence_cross_entropy.reference(log_p, log_q)),
    ("mean-over-vocab",
     "the loss is divided by the number of outputs, although weights that sum to 1 are there",
     "a weighted sum",
     lambda log_p, log_q: sequence_cross_entropy.reference(log_p, log_q) / log_p.shape[-1]),
    ("batch-for-row", "there is one value for all inputs together", "one value for each input",
     lambda log_p, log_q: sequence_cross_entropy.reference(log_p, log_q).sum()),
    ("batch-for-row", "there is one value, the mean of the inputs' losses",
     "a value of its own for each input",
     lambda log_p, log_q: sequence_cross_entropy.reference(log_p, log_q).mean()),
    ("weights-missing", "all outputs weigh the same; those that hardly ever occur dominate",
     "weights that say how often an output occurs", lambda log_p, log_q: -log_q.sum(dim=-1)),
    ("zero-log-zero", "an output that both models rule out gives NaN", "0 log 0 counts as 0",
     lambda log_p, log_q: -(log_p.exp() * log_q).sum(dim=-1)),
    ("zero-log-zero", "a student that rules out what the teacher says gets a finite loss",
     "infinity stays infinity: a repaired value hides a broken student",
     lambda log_p, log_q: -(log_p.exp() * log_q).nan_to_num(0.0, 0.0, 0.0).sum(dim=-1)),
    ("probs-for-log-probs",
     "no loss is below -1 or above 0: the student's probabilities are averaged",
     "an average of logarithms", lambda log_p, log_q: -(log_p.exp() * log_q.exp()).sum(dim=-1)),
    ("probs-for-log-probs",
     "the arguments are treated as probabilities, and logarithms of logarithms give NaN",
     "the arguments are logarithms already",
     lambda log_p, log_q: -(log_p * log_q.log()).sum(dim=-1)),
    ("log-for-probability",
     "the log-probabilities of the teacher are used as weights; rare outputs weigh most",
     "weights between 0 and 1", lambda log_p, log_q: -(log_p * log_q).sum(dim=-1)),
    ("log-of-sum", "the logarithm is taken of the average probability",
     "the average of the logarithms, which is never smaller",
     lambda log_p, log_q: -(log_p + log_q).logsumexp(dim=-1)),
)  # fmt: skip
name_lookalikes(sequence_cross_entropy, lambda cross_entropy: cross_entropy)
