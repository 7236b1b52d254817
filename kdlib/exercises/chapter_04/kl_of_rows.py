"""KL with exact zeros in either model."""

import math

import torch
import torch.nn.functional as F

from kdlib.exercises.authoring.floors import UNLIKELY, no_floor
from kdlib.exercises.authoring.inputs import log_pair
from kdlib.exercises.authoring.lookalikes import name_lookalikes
from kdlib.exercises.kinds.functions import code
from kdlib.losses.divergences import cross_entropy, symmetric_kl


@code(
    source=("Q18",),
    difficulty=2,
    minutes=6,
    prompt=(
        "Write `kl_of_rows(log_p, log_q)`: KL(P||Q) for each row of log-probabilities (..., V). "
        "Both may contain minus infinity. 0 log 0 is 0; a student that excludes what its teacher "
        "does not exclude is infinitely far away. The values are enough; no gradient is needed."
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
kl_of_rows.probe(
    "a rare word that only the student rules out",
    torch.tensor([[0.0, -25.0]]),
    torch.tensor([[0.0, -torch.inf]]),
    points_to="zero-log-zero",
    expected="an infinite divergence: rare is not impossible",
)
no_floor(
    kl_of_rows,
    torch.tensor([[0.5, 0.5], [0.25, 0.75]]).log(),
    torch.tensor([[UNLIKELY, 0.0], [0.0, UNLIKELY]]),
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


def _terms(log_p, log_q):
    """p * (log_p - log_q), and 0 where p is 0."""
    return torch.where(log_p > -math.inf, log_p.exp() * (log_p - log_q), 0.0)


kl_of_rows.mistakes(
    ("kl-reversed", "the log-ratios are weighed with the student's probabilities",
     "the teacher's probabilities as weights",
     lambda log_p, log_q: kl_of_rows.reference(log_q, log_p)),
    ("ce-called-kl", "equal rows do not give 0: the teacher's entropy is still in it",
     "0 where both agree", cross_entropy),
    ("zero-log-zero", "a word that both models rule out gives NaN", "0 log 0 counts as 0",
     lambda log_p, log_q: (log_p.exp() * (log_p - log_q)).sum(dim=-1)),
    ("zero-log-zero",
     "a word that only the student rules out counts as 0: a broken student looks perfect",
     "infinity where a possible word is excluded",
     lambda log_p, log_q: (log_p.exp() * (log_p - log_q)).nan_to_num(0.0, 0.0, 0.0).sum(dim=-1)),
    ("probs-for-log-probs",
     "the student's probabilities are subtracted where its logarithms belong",
     "a difference of logarithms", lambda log_p, log_q: _terms(log_p, log_q.exp()).sum(dim=-1)),
    ("probs-for-log-probs",
     "the arguments are treated as probabilities: logarithms of logarithms are taken",
     "the arguments are logarithms already",
     lambda log_p, log_q: (log_p * (log_p / log_q).log()).sum(dim=-1)),
    ("hard-for-soft", "only the teacher's first choice has any influence", "a term for every word",
     lambda log_p, log_q: -log_q.gather(-1, log_p.argmax(dim=-1, keepdim=True)).squeeze(-1)),
    ("terms-clamped", "words that the student overrates add nothing: negative terms are cut off",
     "negative terms too: only their sum is never negative",
     lambda log_p, log_q: _terms(log_p, log_q).clamp(min=0).sum(dim=-1)),
    ("terms-clamped", "negative terms are turned into positive ones",
     "terms of both signs, as they are",
     lambda log_p, log_q: _terms(log_p, log_q).abs().sum(dim=-1)),
    ("divergences-mixed-up",
     "exchanging the two models changes nothing: both directions are averaged",
     "a divergence with a direction", symmetric_kl),
    ("mean-over-vocab", "the more words there are, the smaller the result", "a sum over the words",
     lambda log_p, log_q: kl_of_rows.reference(log_p, log_q) / log_p.shape[-1]),
    ("batch-for-row", "there is one value for all rows together", "one value for each row",
     lambda log_p, log_q: kl_of_rows.reference(log_p, log_q).sum()),
    ("batch-for-row", "there is one value, the mean over the rows",
     "a value of its own for each row",
     lambda log_p, log_q: kl_of_rows.reference(log_p, log_q).mean()),
    ("weights-missing", "log-ratios are added without weights", "each log-ratio is weighed",
     lambda log_p, log_q: (log_p - log_q).sum(dim=-1)),
)  # fmt: skip
name_lookalikes(kl_of_rows, lambda kl: kl)
