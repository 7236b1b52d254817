"""The best small student under forward and under reverse KL."""

import torch
from torch import Tensor

from kdlib.exercises.authoring.floors import UNLIKELY
from kdlib.exercises.authoring.inputs import log_distributions
from kdlib.exercises.authoring.kl import kl_of_numbers
from kdlib.exercises.authoring.rules import matches
from kdlib.exercises.kinds.functions import code
from kdlib.losses.divergences import forward_kl, jensen_shannon, reverse_kl, symmetric_kl


def _mixture(*humps: tuple[float, float, float], words: int = 12):
    """Log-probabilities with humps (weight, centre, width) over the words."""
    x = torch.arange(words, dtype=torch.float32)
    p: Tensor = sum(w * torch.softmax(-(((x - c) / s) ** 2) / 2, dim=-1) for w, c, s in humps)
    return (0.999 * p + 0.001 / words).log()  # no exact zeros here: they have a probe of their own


def _humps(*centres_and_widths: tuple[float, float]):
    return torch.stack([_mixture((1.0, c, s)) for c, s in centres_and_widths])


@code(
    source=("Q21", "Q22"),
    difficulty=3,
    minutes=8,
    prompt=(
        "A student is too small for its teacher and can only become one of K candidates. Write "
        "`two_fits(log_p, log_candidates)` for log_p (V,) and log_candidates (K, V): the number of "
        "the candidate Q that minimises KL(P||Q), and of the one that minimises KL(Q||P), as a "
        "pair. Candidates may hold exact zeros."
    ),
    hints=(
        "Score all candidates with both divergences, then take the best of each.",
        "In the second one the candidate's probabilities weigh; where they are 0 the term is 0.",
        "Two argmin over K sums; torch.where keeps 0 times infinity away.",
    ),
    explanation=(
        "Forward, missing any mode of P is expensive: the broad candidate covers the mass. "
        "Reverse, only the places count where Q itself goes: the narrow candidate seeks one mode."
    ),
)
def two_fits(log_p, log_candidates):
    """Numbers of the best candidates under KL(P||Q) and under KL(Q||P). (V,), (K, V) -> a pair"""
    p, q = log_p.exp(), log_candidates.exp()
    forward = torch.where(p > 0, p * (log_p - log_candidates), 0.0).sum(dim=-1)
    reverse = torch.where(q > 0, q * (log_candidates - log_p), 0.0).sum(dim=-1)
    return int(forward.argmin()), int(reverse.argmin())


two_fits.probe(
    "two modes, four candidates",
    _mixture((0.4, 2.0, 0.9), (0.6, 9.0, 0.9)),
    _humps((2.0, 1.0), (5.5, 1.0), (6.0, 4.0), (9.0, 1.0)),
)
two_fits.probe(
    "the modes exchanged",
    _mixture((0.7, 2.0, 0.8), (0.3, 9.0, 1.2)),
    _humps((9.0, 0.3), (9.0, 1.2), (4.5, 3.5), (2.0, 0.3), (5.5, 2.0), (2.0, 0.9)),
)
two_fits.probe(
    "three modes",
    _mixture((0.5, 6.0, 0.7), (0.3, 1.0, 0.7), (0.2, 11.0, 0.7)),
    _humps((6.0, 6.0), (6.0, 0.25), (6.0, 0.8), (1.0, 0.8), (11.0, 0.8)),
)
for _seed in (431, 432, 433, 434, 435):
    two_fits.probe(
        f"random candidates, {_seed - 430}",
        log_distributions(7, seed=_seed),
        log_distributions(9, 7, seed=_seed + 500),
    )
two_fits.probe(
    "a candidate with hardly any negative terms",
    torch.tensor([0.5, 0.3, 0.2]).log(),
    torch.tensor([[0.6245, 0.3745, 0.001], [0.3, 0.4, 0.3]]).log(),
)
two_fits.probe(
    "candidates with exact zeros",
    torch.tensor([0.45, 0.45, 0.1, 0.0]).log(),
    torch.tensor(
        [[0.9, 0.05, 0.05, 0.0], [0.5, 0.5, 0.0, 0.0], [0.3, 0.4, 0.3, 0.0], [0.0, 0.5, 0.0, 0.5]]
    ).log(),
    points_to="zero-log-zero",
    expected="a pair in which exact zeros are neither NaN nor free",
)
two_fits.probe(
    "a candidate that lacks a rare word",
    torch.tensor([0.0, 0.6, 0.39999, 0.00001]).log(),
    torch.tensor([[0.0, 0.62, 0.38, 0.0], [0.0, 0.1, 0.2, 0.7], [0.0, 0.5, 0.3, 0.2]]).log(),
    points_to="zero-log-zero",
    expected="a rare word that is excluded is infinitely far away",
)
two_fits.probe(
    "a candidate that says what is impossible",
    torch.tensor([0.6, 0.4, 0.0]).log(),
    torch.tensor([[0.1, 0.9, 0.0], [0.599, 0.4, 0.001], [0.3, 0.7, 0.0]]).log(),
    points_to="zero-log-zero",
    expected="a candidate that says what the teacher never says is infinitely far away",
)
two_fits.probe(
    "words of probability 1e-26 and 1e-12",
    torch.tensor([UNLIKELY, -28.0, 0.0]),
    torch.tensor([[0.5, 1e-9, 0.5], [1e-9, 1 - 2e-9, 1e-9]]).log(),
    points_to="floor-in-logarithm",
    expected="logarithms as they are, however small the probability",
)


@two_fits.also
def two_fits_in_loops(log_p, log_candidates):
    p, candidates = log_p.exp().tolist(), log_candidates.exp().tolist()
    forward = [kl_of_numbers(p, q) for q in candidates]
    reverse = [kl_of_numbers(q, p) for q in candidates]
    return forward.index(min(forward)), reverse.index(min(reverse))


def _fits(first, second):
    """The candidates with the smallest first(log_p, log_candidates) and second(...)."""
    return lambda log_p, log_q: tuple(int(f(log_p, log_q).argmin()) for f in (first, second))


def _nearest(distance):
    """Twice the candidate at the smallest distance(p, candidates)."""
    return lambda log_p, log_q: (int(distance(log_p.exp(), log_q.exp()).argmin()),) * 2


def _naive(log_p, log_q):
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1)


def _clamped(log_p, log_q):
    return _naive(log_p.clamp(min=-20), log_q.clamp(min=-20))


def _turned(divergence):
    return lambda log_p, log_q: divergence(log_q, log_p)


two_fits.mistakes(
    ("kl-reversed",
     "the narrow candidate comes first and the broad one second: the two are exchanged",
     "the first of the pair is weighed by the teacher, the second by the candidate",
     _fits(reverse_kl, forward_kl)),
    ("kl-reversed", "both numbers are those of the covering candidate",
     "a second fit, in the other direction", _fits(forward_kl, forward_kl)),
    ("kl-reversed", "both numbers are those of the mode-seeking candidate",
     "a first fit, in the other direction", _fits(reverse_kl, reverse_kl)),
    ("argmax-sign", "the candidates that are furthest away win", "the smallest divergence wins",
     _fits(lambda p, q: -forward_kl(p, q), lambda p, q: -reverse_kl(p, q))),
    ("ce-called-kl",
     "the second fit is always the sharpest at a peak: the candidate's entropy is left out",
     "a divergence in which the candidate's own entropy counts",
     _fits(forward_kl, lambda p, q: -(q.exp() * p.clamp(min=-1e30)).sum(dim=-1))),
    ("top-1-for-match",
     "both fits are the candidate whose probability of the teacher's top word is nearest",
     "the whole distribution takes part",
     _nearest(lambda p, q: (q[:, p.argmax()] - p.max()).abs())),
    ("hard-for-soft", "both fits are the candidate that likes the teacher's top word most",
     "the teacher's other words count as well", _nearest(lambda p, q: -q[:, p.argmax()])),
    ("divergences-mixed-up",
     "both fits are the candidate with the smallest difference of probabilities",
     "two divergences, made of logarithms of ratios",
     _nearest(lambda p, q: (q - p).abs().sum(dim=-1))),
    ("zero-log-zero", "right but for candidates with exact zeros: NaN wins there",
     "0 log 0 counts as 0", _fits(_naive, _turned(_naive))),
    ("zero-log-zero",
     "right but for exact zeros: what is impossible costs no more than what is rare",
     "a candidate that is infinitely far away never wins", _fits(_clamped, _turned(_clamped))),
)  # fmt: skip
two_fits.symptom(
    "divergences-mixed-up",
    seen="both fits are the candidate that is nearest by a measure with no direction",
    expected="two divergences, made of logarithms of ratios",
)(
    matches(
        two_fits,
        _nearest(lambda p, q: (q - p).square().sum(dim=-1)),
        _nearest(lambda p, q: (q - p).abs().max(dim=-1).values),
        _nearest(lambda p, q: -(q * p).sqrt().sum(dim=-1)),
        _nearest(lambda p, q: jensen_shannon(p.log(), q.log())),
        _nearest(lambda p, q: symmetric_kl(p.log(), q.log())),
    )
)
