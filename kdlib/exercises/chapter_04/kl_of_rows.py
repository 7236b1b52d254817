"""KL with exact zeros in either model."""

import math

import torch
import torch.nn.functional as F

from kdlib.exercises.authoring.inputs import log_pair
from kdlib.exercises.authoring.lookalikes import name_lookalikes
from kdlib.exercises.kinds.functions import code
from kdlib.losses.divergences import symmetric_kl


@code(
    source=("Q18",),
    difficulty=2,
    minutes=6,
    prompt=(
        "Write `kl_of_rows(log_p, log_q)`: KL(P||Q) for each row of log-probabilities (..., V). "
        "Both may contain minus infinity. 0 log 0 is 0; a student that excludes what its teacher "
        "does not exclude is infinitely far away."
    ),
    hints=(
        "Three cases: P is 0; Q is 0 and P is not; neither is.",
        "Compute p * (log_p - log_q), and replace only the terms in which p is 0.",
        "torch.where(p > 0, ..., 0), then a sum over the last dimension.",
    ),
    explanation="Zeros are no rare case: a masked or truncated vocabulary is full of them.",
)
def kl_of_rows(log_p, log_q):
    """KL(P||Q) of each row, in nats; 0 for equal rows. (..., V), (..., V) -> (...)"""
    p = log_p.exp()
    terms = torch.where(p > 0, p * (log_p - log_q), torch.zeros_like(p))
    return terms.sum(dim=-1)


kl_of_rows.probe("three rows, five words", *log_pair(3, 5, seed=401))
kl_of_rows.probe("two rows, seven words", *log_pair(2, 7, seed=402))
kl_of_rows.probe("three dimensions", *log_pair(2, 3, 4, seed=403))
kl_of_rows.probe("a single row", *log_pair(6, seed=404))
kl_of_rows.probe("a perfect student", *2 * log_pair(4, 3, seed=405)[:1])
kl_of_rows.probe(
    "words that both rule out",
    torch.tensor([[0.0, 1.0, 0.0], [0.5, 0.0, 0.5]]).log(),
    torch.tensor([[0.0, 0.75, 0.25], [0.25, 0.0, 0.75]]).log(),
    points_to="zero-log-zero",
    expected="what the teacher never does adds nothing",
)
kl_of_rows.probe(
    "a word that only the student rules out",
    torch.tensor([[0.5, 0.5, 0.0], [0.5, 0.25, 0.25]]).log(),
    torch.tensor([[0.75, 0.0, 0.25], [0.25, 0.25, 0.5]]).log(),
    points_to="zero-log-zero",
    expected="an infinite divergence in that row, and in that row only",
)


@kl_of_rows.also
def kl_of_rows_torch(log_p, log_q):
    possible = log_p > -math.inf  # F.kl_div alone gives NaN where both are excluded
    q = torch.where(possible, log_q, torch.zeros_like(log_q))
    return F.kl_div(q, log_p.exp(), reduction="none").sum(dim=-1)


@kl_of_rows.also
def kl_of_rows_in_loops(log_p, log_q):
    if log_p.dim() > 1:
        return torch.stack([kl_of_rows_in_loops(a, b) for a, b in zip(log_p, log_q)])
    pairs = zip(log_p.tolist(), log_q.tolist())
    return torch.tensor(sum(math.exp(a) * (a - b) for a, b in pairs if a > -math.inf))


@kl_of_rows.wrong(
    "kl-reversed",
    seen="the log-ratios are weighed with the student's probabilities",
    expected="the teacher's probabilities as weights",
)
def kl_turned_round(log_p, log_q):
    return kl_of_rows.reference(log_q, log_p)


@kl_of_rows.wrong(
    "ce-called-kl",
    seen="equal rows do not give 0: the teacher's entropy is still in it",
    expected="0 where both agree",
)
def kl_without_entropy(log_p, log_q):
    p = log_p.exp()
    return torch.where(p > 0, -p * log_q, torch.zeros_like(p)).sum(dim=-1)


@kl_of_rows.wrong(
    "zero-log-zero",
    seen="a word that both models rule out gives NaN",
    expected="0 log 0 counts as 0",
)
def kl_nan(log_p, log_q):
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1)


@kl_of_rows.wrong(
    "zero-log-zero",
    seen="a word that only the student rules out counts as 0: a broken student looks perfect",
    expected="infinity where a possible word is excluded",
)
def kl_repaired(log_p, log_q):
    return (log_p.exp() * (log_p - log_q)).nan_to_num(0.0, 0.0, 0.0).sum(dim=-1)


@kl_of_rows.wrong(
    "probs-for-log-probs",
    seen="the student's probabilities are subtracted where its logarithms belong",
    expected="a difference of logarithms",
)
def kl_minus_probabilities(log_p, log_q):
    p = log_p.exp()
    terms = torch.where(p > 0, p * (log_p - log_q.exp()), torch.zeros_like(p))
    return terms.sum(dim=-1)


@kl_of_rows.wrong(
    "probs-for-log-probs",
    seen="the arguments are treated as probabilities: logarithms of logarithms are taken",
    expected="the arguments are logarithms already",
)
def kl_of_logarithms(log_p, log_q):
    return (log_p * (log_p / log_q).log()).sum(dim=-1)


@kl_of_rows.wrong(
    "hard-for-soft",
    seen="only the teacher's first choice has any influence",
    expected="a term for every word",
)
def kl_of_top(log_p, log_q):
    return -log_q.gather(-1, log_p.argmax(dim=-1, keepdim=True)).squeeze(-1)


@kl_of_rows.wrong(
    "terms-clamped",
    seen="words that the student overrates add nothing: negative terms are cut off",
    expected="negative terms too: only their sum is never negative",
)
def kl_clamped(log_p, log_q):
    p = log_p.exp()
    return torch.where(p > 0, p * (log_p - log_q), torch.zeros_like(p)).clamp(min=0).sum(dim=-1)


@kl_of_rows.wrong(
    "terms-clamped",
    seen="negative terms are turned into positive ones",
    expected="terms of both signs, as they are",
)
def kl_of_absolute_terms(log_p, log_q):
    p = log_p.exp()
    return torch.where(p > 0, p * (log_p - log_q), torch.zeros_like(p)).abs().sum(dim=-1)


@kl_of_rows.wrong(
    "divergences-mixed-up",
    seen="exchanging the two models changes nothing: both directions are averaged",
    expected="a divergence with a direction",
)
def kl_symmetric(log_p, log_q):
    return symmetric_kl(log_p, log_q)


@kl_of_rows.wrong(
    "mean-over-vocab",
    seen="the more words there are, the smaller the result",
    expected="a sum over the words",
)
def kl_mean(log_p, log_q):
    return kl_of_rows.reference(log_p, log_q) / log_p.shape[-1]


@kl_of_rows.wrong(
    "batch-for-row",
    seen="there is one value for all rows together",
    expected="one value for each row",
)
def kl_of_batch(log_p, log_q):
    return kl_of_rows.reference(log_p, log_q).sum()


@kl_of_rows.wrong(
    "batch-for-row",
    seen="there is one value, the mean over the rows",
    expected="a value of its own for each row",
)
def kl_mean_of_batch(log_p, log_q):
    return kl_of_rows.reference(log_p, log_q).mean()


@kl_of_rows.wrong(
    "weights-missing",
    seen="log-ratios are added without weights",
    expected="each log-ratio is weighed",
)
def kl_unweighted(log_p, log_q):
    return (log_p - log_q).sum(dim=-1)


name_lookalikes(kl_of_rows, lambda kl: kl)
