"""F2 by enumeration."""

import math

import torch

from kdlib.exercises.authoring.inputs import log_pair
from kdlib.exercises.authoring.lookalikes import name_lookalikes
from kdlib.exercises.kinds.functions import code


@code(
    source=("Q14", "Q15"),
    difficulty=2,
    minutes=6,
    prompt=(
        "Write `sequence_cross_entropy(log_p, log_q)`: the sequence loss F2. The arguments hold "
        "the log-probabilities (B, N) that the teacher and the student give to all N outputs of "
        "each of B inputs. An impossible output has the log-probability minus infinity."
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


@sequence_cross_entropy.also
def sequence_cross_entropy_in_loops(log_p, log_q):
    rows = zip(log_p.tolist(), log_q.tolist())
    return [sum(-math.exp(a) * b for a, b in zip(*row) if a > -math.inf) for row in rows]


@sequence_cross_entropy.wrong(
    "hard-for-soft",
    seen="only the teacher's likeliest output enters, as if it were certain",
    expected="every output enters with the teacher's probability",
)
def f2_of_best(log_p, log_q):
    return -log_q.gather(-1, log_p.argmax(dim=-1, keepdim=True)).squeeze(-1)


@sequence_cross_entropy.wrong(
    "top-entry-only",
    seen="a single term of the sum is left: that of the likeliest output",
    expected="a term for every output",
)
def f2_first_term(log_p, log_q):
    best, where = log_p.max(dim=-1, keepdim=True)
    return -(best.exp() * log_q.gather(-1, where)).squeeze(-1)


@sequence_cross_entropy.wrong(
    "kl-reversed",
    seen="the student's probabilities are the weights, the teacher's are in the logarithm",
    expected="the teacher says how much each output matters",
)
def f2_turned_round(log_p, log_q):
    return sequence_cross_entropy.reference(log_q, log_p)


@sequence_cross_entropy.wrong(
    "kl-for-cross-entropy",
    seen="a perfect student has the loss 0: the teacher's entropy has been subtracted",
    expected="the surprise of the student alone; the entropy is a part of it",
)
def f2_as_kl(log_p, log_q):
    p = log_p.exp()
    return torch.where(p > 0, p * (log_p - log_q), torch.zeros_like(p)).sum(dim=-1)


@sequence_cross_entropy.wrong(
    "entropy-for-cross-entropy",
    seen="the loss does not change when the student does",
    expected="the logarithm of the student's probabilities",
)
def f2_as_entropy(log_p, log_q):
    return torch.special.entr(log_p.exp()).sum(dim=-1)


@sequence_cross_entropy.wrong(
    "entropy-for-cross-entropy",
    seen="the loss does not change when the teacher does",
    expected="weights that come from the other model",
)
def f2_as_students_entropy(log_p, log_q):
    return torch.special.entr(log_q.exp()).sum(dim=-1)


@sequence_cross_entropy.wrong(
    "sign-flipped",
    seen="the loss is negative, and falls as the student gets worse",
    expected="a loss of at least 0",
)
def f2_without_minus(log_p, log_q):
    return -sequence_cross_entropy.reference(log_p, log_q)


@sequence_cross_entropy.wrong(
    "mean-over-vocab",
    seen="the loss is divided by the number of outputs, although weights that sum to 1 are there",
    expected="a weighted sum",
)
def f2_mean(log_p, log_q):
    return sequence_cross_entropy.reference(log_p, log_q) / log_p.shape[-1]


@sequence_cross_entropy.wrong(
    "batch-for-row",
    seen="there is one value for all inputs together",
    expected="one value for each input",
)
def f2_of_batch(log_p, log_q):
    return sequence_cross_entropy.reference(log_p, log_q).sum()


@sequence_cross_entropy.wrong(
    "batch-for-row",
    seen="there is one value, the mean of the inputs' losses",
    expected="a value of its own for each input",
)
def f2_mean_of_batch(log_p, log_q):
    return sequence_cross_entropy.reference(log_p, log_q).mean()


@sequence_cross_entropy.wrong(
    "weights-missing",
    seen="all outputs weigh the same; those that hardly ever occur dominate",
    expected="weights that say how often an output occurs",
)
def f2_unweighted(log_p, log_q):
    return -log_q.sum(dim=-1)


@sequence_cross_entropy.wrong(
    "zero-log-zero",
    seen="an output that both models rule out gives NaN",
    expected="0 log 0 counts as 0",
)
def f2_nan(log_p, log_q):
    return -(log_p.exp() * log_q).sum(dim=-1)


@sequence_cross_entropy.wrong(
    "zero-log-zero",
    seen="a student that rules out what the teacher says gets a finite loss",
    expected="infinity stays infinity: a repaired value hides a broken student",
)
def f2_repaired(log_p, log_q):
    return -(log_p.exp() * log_q).nan_to_num(0.0, 0.0, 0.0).sum(dim=-1)


@sequence_cross_entropy.wrong(
    "probs-for-log-probs",
    seen="no loss is below -1 or above 0: the student's probabilities are averaged",
    expected="an average of logarithms",
)
def f2_of_probabilities(log_p, log_q):
    return -(log_p.exp() * log_q.exp()).sum(dim=-1)


@sequence_cross_entropy.wrong(
    "probs-for-log-probs",
    seen="the arguments are treated as probabilities, and logarithms of logarithms give NaN",
    expected="the arguments are logarithms already",
)
def f2_of_logarithms(log_p, log_q):
    return -(log_p * log_q.log()).sum(dim=-1)


@sequence_cross_entropy.wrong(
    "log-for-probability",
    seen="the log-probabilities of the teacher are used as weights; rare outputs weigh most",
    expected="weights between 0 and 1",
)
def f2_with_logarithms_as_weights(log_p, log_q):
    return -(log_p * log_q).sum(dim=-1)


@sequence_cross_entropy.wrong(
    "log-of-sum",
    seen="the logarithm is taken of the average probability",
    expected="the average of the logarithms, which is never smaller",
)
def f2_log_of_average(log_p, log_q):
    return -(log_p + log_q).logsumexp(dim=-1)


name_lookalikes(sequence_cross_entropy, lambda cross_entropy: cross_entropy)
