"""The best small student under forward and under reverse KL."""

import torch
from torch import Tensor

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
    "candidates with exact zeros",
    torch.tensor([0.45, 0.45, 0.1, 0.0]).log(),
    torch.tensor(
        [[0.9, 0.05, 0.05, 0.0], [0.5, 0.5, 0.0, 0.0], [0.3, 0.4, 0.3, 0.0], [0.0, 0.5, 0.0, 0.5]]
    ).log(),
    points_to="zero-log-zero",
    expected="a pair in which exact zeros are neither NaN nor free",
)


@two_fits.also
def two_fits_in_loops(log_p, log_candidates):
    p, candidates = log_p.exp().tolist(), log_candidates.exp().tolist()
    forward = [kl_of_numbers(p, q) for q in candidates]
    reverse = [kl_of_numbers(q, p) for q in candidates]
    return forward.index(min(forward)), reverse.index(min(reverse))


@two_fits.wrong(
    "kl-reversed",
    seen="the narrow candidate comes first and the broad one second: the two are exchanged",
    expected="the first of the pair is weighed by the teacher, the second by the candidate",
)
def fits_exchanged(log_p, log_candidates):
    return two_fits.reference(log_p, log_candidates)[::-1]


@two_fits.wrong(
    "kl-reversed",
    seen="both numbers are those of the covering candidate",
    expected="a second fit, in the other direction",
)
def fits_both_forward(log_p, log_candidates):
    return (two_fits.reference(log_p, log_candidates)[0],) * 2


@two_fits.wrong(
    "kl-reversed",
    seen="both numbers are those of the mode-seeking candidate",
    expected="a first fit, in the other direction",
)
def fits_both_reverse(log_p, log_candidates):
    return (two_fits.reference(log_p, log_candidates)[1],) * 2


@two_fits.wrong(
    "argmax-sign",
    seen="the candidates that are furthest away win",
    expected="the smallest divergence wins",
)
def fits_worst(log_p, log_candidates):
    both = forward_kl(log_p, log_candidates), reverse_kl(log_p, log_candidates)
    return tuple(int(x.argmax()) for x in both)


@two_fits.wrong(
    "ce-called-kl",
    seen="the second fit is always the sharpest at a peak: the candidate's entropy is left out",
    expected="a divergence in which the candidate's own entropy counts",
)
def fits_by_cross_entropy(log_p, log_candidates):
    second = -(log_candidates.exp() * log_p.clamp(min=-1e30)).sum(dim=-1)
    return two_fits.reference(log_p, log_candidates)[0], int(second.argmin())


@two_fits.wrong(
    "top-1-for-match",
    seen="both fits are the candidate whose probability of the teacher's top word is nearest",
    expected="the whole distribution takes part",
)
def fits_by_top(log_p, log_candidates):
    top = log_p.argmax()
    found = int((log_candidates[:, top].exp() - log_p[top].exp()).abs().argmin())
    return found, found


@two_fits.wrong(
    "hard-for-soft",
    seen="both fits are the candidate that likes the teacher's top word most",
    expected="the teacher's other words count as well",
)
def fits_by_likelihood_of_top(log_p, log_candidates):
    found = int(log_candidates[:, log_p.argmax()].argmax())
    return found, found


@two_fits.wrong(
    "divergences-mixed-up",
    seen="both fits are the candidate with the smallest difference of probabilities",
    expected="two divergences, made of logarithms of ratios",
)
def fits_by_distance(log_p, log_candidates):
    found = int((log_candidates.exp() - log_p.exp()).abs().sum(dim=-1).argmin())
    return found, found


@two_fits.wrong(
    "zero-log-zero",
    seen="right but for candidates with exact zeros: NaN wins there",
    expected="0 log 0 counts as 0",
)
def fits_nan(log_p, log_candidates):
    forward = (log_p.exp() * (log_p - log_candidates)).sum(dim=-1)
    reverse = (log_candidates.exp() * (log_candidates - log_p)).sum(dim=-1)
    return int(forward.argmin()), int(reverse.argmin())


def _nearest(distance):
    """Twice the candidate at the smallest distance(p, candidates)."""
    return lambda log_p, log_q: (int(distance(log_p.exp(), log_q.exp()).argmin()),) * 2


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
