"""Exercises of chapter 4: KL divergence, both ways, its relatives and its numerics (Q18-Q23)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from kdlib.exercises.choices import choice, right, wrong
from kdlib.exercises.derivations import derivation
from kdlib.exercises.functions import code
from kdlib.exercises.inputs import log_distributions, normal
from kdlib.exercises.numbers import number
from kdlib.exercises.orderings import ordering
from kdlib.exercises.rules import matches, shaped


def _kl(p, q) -> float:
    """KL(P||Q) of two lists of probabilities."""
    if any(a > 0 and b == 0 for a, b in zip(p, q)):
        return math.inf
    return sum(a * math.log(a / b) for a, b in zip(p, q) if a > 0)


def _pair(*shape: int, seed: int):
    return log_distributions(*shape, seed=seed), log_distributions(*shape, seed=seed + 500)


def _log(*rows: list[float]):
    return torch.tensor(rows).log()


# KL, with its zeros


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


kl_of_rows.probe("three rows, five words", *_pair(3, 5, seed=401))
kl_of_rows.probe("two rows, seven words", *_pair(2, 7, seed=402))
kl_of_rows.probe("three dimensions", *_pair(2, 3, 4, seed=403))
kl_of_rows.probe("a single row", *_pair(6, seed=404))
kl_of_rows.probe("a perfect student", *2 * _pair(4, 3, seed=405)[:1])
kl_of_rows.probe(
    "words that both rule out",
    _log([0.0, 1.0, 0.0], [0.5, 0.0, 0.5]),
    _log([0.0, 0.75, 0.25], [0.25, 0.0, 0.75]),
    points_to="zero-log-zero",
    expected="what the teacher never does adds nothing",
)
kl_of_rows.probe(
    "a word that only the student rules out",
    _log([0.5, 0.5, 0.0], [0.5, 0.25, 0.25]),
    _log([0.75, 0.0, 0.25], [0.25, 0.25, 0.5]),
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


kl_of_rows.symptom(
    "batch-for-row",
    seen="there is one number, although there are several rows",
    expected="as many numbers as rows",
)(shaped("three rows, five words"))
kl_of_rows.symptom(
    "wrong-axis",
    seen="there is a number for each word, not for each row",
    expected="a sum over the words of one row",
)(shaped("three rows, five words", 5))
kl_of_rows.symptom(
    "divergences-mixed-up",
    seen="the results are those of another measure, which treats both models alike",
    expected="the divergence that the teacher's probabilities weigh",
)(
    matches(
        kl_of_rows,
        lambda log_p, log_q: mixture_divergence.reference(log_p, log_q, 0.5),
        lambda log_p, log_q: (log_p.exp() - log_q.exp()).abs().sum(dim=-1),
        lambda log_p, log_q: (log_p.exp() - log_q.exp()).abs().sum(dim=-1) / 2,
        lambda log_p, log_q: (log_p.exp() - log_q.exp()).square().sum(dim=-1),
        lambda log_p, log_q: kl_symmetric(log_p, log_q) * 2,
    )
)


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
    return (kl_of_rows.reference(log_p, log_q) + kl_of_rows.reference(log_q, log_p)) / 2


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


# Numbers to know


_P = (0.7, 0.2, 0.1)
_A, _B = (0.6, 0.3, 0.1), (0.8, 0.1, 0.1)


@number(
    source=("Q18",),
    difficulty=2,
    minutes=6,
    decimals=4,
    unit="nats",
    prompt=(
        f"The teacher is P = {_P}. Student A answers {_A}, student B {_B}. Compute KL(P||A) and "
        "KL(P||B), decide which student imitates P better, and give its divergence."
    ),
    hints=(
        "Both students move 0.1 of probability; from where to where?",
        "Three terms each: P times the logarithm of P over the student. The third one is 0.",
        "For A: 0.7 log(0.7 / 0.6) + 0.2 log(0.2 / 0.3).",
    ),
    explanation=(
        f"B has {_kl(_P, _B):.4f}: it halves the probability of the second output, and a halved "
        "probability costs more than a large one that is made somewhat smaller."
    ),
)
def divergence_of_better_student():
    """The smaller of KL(P||A) and KL(P||B), in nats."""
    a = 0.7 * math.log(0.7 / 0.6) + 0.2 * math.log(0.2 / 0.3) + 0.1 * math.log(0.1 / 0.1)
    b = 0.7 * math.log(0.7 / 0.8) + 0.2 * math.log(0.2 / 0.1) + 0.1 * math.log(0.1 / 0.1)
    return min(a, b)


divergence_of_better_student.wrong(
    "argmax-sign",
    _kl(_P, _B),
    seen="the value belongs to the student that is further away",
    expected="the better imitation has the smaller divergence",
)
divergence_of_better_student.wrong(
    "kl-reversed",
    _kl(_A, _P),
    seen="A's own probabilities are the weights",
    expected="the teacher's probabilities as weights",
)
divergence_of_better_student.wrong(
    "kl-reversed",
    _kl(_B, _P),
    seen="B's own probabilities are the weights",
    expected="weights from the teacher, and the better of the two students",
)
divergence_of_better_student.wrong(
    "ce-called-kl",
    -sum(p * math.log(q) for p, q in zip(_P, _A)),
    seen="the value is what A needs on average; the teacher's own entropy is still in it",
    expected="a value that would be 0 for a perfect imitation",
)
divergence_of_better_student.wrong(
    "top-entry-only",
    _P[0] * math.log(_P[0] / _A[0]),
    seen="only the first output enters",
    expected="a sum in which the second output has a negative term",
)
divergence_of_better_student.wrong(
    "terms-clamped",
    sum(abs(p * math.log(p / q)) for p, q in zip(_P, _A)),
    seen="a negative term has been made positive",
    expected="terms with their signs",
)
divergence_of_better_student.wrong(
    "weights-missing",
    sum(math.log(p / q) for p, q in zip(_P, _A)),
    seen="the log-ratios are not weighed",
    expected="rare outputs matter less",
)
divergence_of_better_student.wrong(
    "mean-over-vocab",
    _kl(_P, _A) / 3,
    seen="the sum is divided by the number of outputs",
    expected="a sum",
)
divergence_of_better_student.wrong(
    "divergences-mixed-up",
    sum(abs(p - q) for p, q in zip(_P, _A)) / 2,
    seen="probabilities are subtracted: that is total variation, where A and B are equally far",
    expected="logarithms of ratios",
)


_TEACHER = (0.8, 0.1, 0.1)
_STUDENTS = ((0.7, 0.15, 0.15), (0.9, 0.05, 0.05), (0.8, 0.19, 0.01), (1.0, 0.0, 0.0))
_SMALLEST = [min(q / p for p, q in zip(_TEACHER, student)) for student in _STUDENTS]
_DIVERGENCES = [f"{_kl(_TEACHER, student):.4f}" for student in _STUDENTS]

four_students = ordering(
    "four-students",
    source=("Q19",),
    difficulty=3,
    minutes=5,
    prompt=(
        f"The teacher is P = {_TEACHER}. Order four students from best to worst under KL(P||Q), if "
        "you can without computing everything."
    ),
    hints=(
        "By which factor does each student change each probability?",
        "Too little costs more than too much: look for the smallest ratio of Q to P.",
        "Those ratios are " + ", ".join(f"{ratio:.3g}" for ratio in sorted(_SMALLEST)) + ".",
    ),
    items=tuple(str(student) for student in _STUDENTS),
    explanation="Their divergences: " + ", ".join(_DIVERGENCES) + ".",
)
four_students.wrong(
    1,
    4,
    "hard-for-soft",
    seen="the one-hot student is rated above one that keeps all three outputs",
    expected="a look at what the teacher may answer and the student never will",
)
four_students.wrong(
    1,
    3,
    "top-1-for-match",
    seen="the exact probability of the first output beats the flatter student",
    expected="all three outputs decide; one of them is made ten times too rare",
)
four_students.wrong(
    2,
    3,
    "top-1-for-match",
    seen="the exact probability of the first output beats the surer student",
    expected="a factor of ten counts for more than a factor of two",
)
four_students.wrong(
    1,
    2,
    "confident-for-right",
    seen="the student that is surer than its teacher is rated above the one that is less sure",
    expected="the student that does not take too little from any output",
)
four_students.wrong(
    3,
    4,
    "zero-log-zero",
    seen="exact zeros are taken for a small matter",
    expected="an output that can happen and is excluded: how surprised is this student then?",
)


_WHOLE = (0.70, 0.20, 0.10)
_THREE = ((0.65, 0.22, 0.13), (0.70, 0.10, 0.20), (0.50, 0.30, 0.20))
_DISTANCES = [f"{_kl(_WHOLE, q):.4f}" for q in _THREE]

an_exact_top_is_not_enough = choice(
    "an-exact-top-is-not-enough",
    source=("Q20", "Q22"),
    difficulty=2,
    minutes=3,
    prompt=(
        f"The teacher is P = {_WHOLE}. Student 1 answers {_THREE[0]}, student 2 {_THREE[1]}, "
        f"student 3 {_THREE[2]}. Which one replicates the teacher best, and why?"
    ),
    hints=(
        "What will each student say in the three cases of ten without the first output?",
        "Student 2 knows the first output perfectly. In which order does it put the others?",
        "Compare log-ratios: one student has none that is large.",
    ),
    options=(
        wrong(
            "Student 2: its probability of the most likely output is exact.",
            "top-1-for-match",
            seen="one number out of three is compared; the other two have changed places",
            expected="a comparison in which the whole distribution takes part",
        ),
        wrong(
            "Student 3: it is the most careful and keeps every output well alive.",
            "flat-for-informative",
            seen="a flat answer is praised for being flat; the teacher is surer than that",
            expected="closeness to the teacher, not a large entropy",
        ),
        wrong(
            "All are equal: each prefers the same output.",
            "hard-for-soft",
            seen="only the first choice is looked at; the answers would be sampled differently",
            expected="something that tells these students apart",
        ),
        right(
            "Student 1: it is slightly off everywhere and far off nowhere.",
            f"The divergences of the three are {', '.join(_DISTANCES)}. Of student 2 the whole "
            "error lies below the top, where its teacher's order of the alternatives is lost.",
        ),
    ),
)


# Two directions


def _mixture(*humps: tuple[float, float, float], words: int = 12):
    """Log-probabilities with humps (weight, centre, width) over the words."""
    x = torch.arange(words, dtype=torch.float32)
    p = sum(w * torch.softmax(-(((x - c) / s) ** 2) / 2, dim=-1) for w, c, s in humps)
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
    _log([0.45, 0.45, 0.1, 0.0])[0],
    _log([0.9, 0.05, 0.05, 0.0], [0.5, 0.5, 0.0, 0.0], [0.3, 0.4, 0.3, 0.0], [0.0, 0.5, 0.0, 0.5]),
    points_to="zero-log-zero",
    expected="a pair in which exact zeros are neither NaN nor free",
)


@two_fits.also
def two_fits_in_loops(log_p, log_candidates):
    p, candidates = log_p.exp().tolist(), log_candidates.exp().tolist()
    forward = [_kl(p, q) for q in candidates]
    reverse = [_kl(q, p) for q in candidates]
    return forward.index(min(forward)), reverse.index(min(reverse))


def _both(log_p, log_q):
    """Forward and reverse KL to each candidate."""
    p, q = log_p.exp(), log_q.exp()
    forward = torch.where(p > 0, p * (log_p - log_q), 0.0).sum(dim=-1)
    return forward, torch.where(q > 0, q * (log_q - log_p), 0.0).sum(dim=-1)


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
    return tuple(int(x.argmax()) for x in _both(log_p, log_candidates))


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


@code(
    source=("Q21", "Q23"),
    difficulty=4,
    minutes=12,
    prompt=(
        "Write `logit_gradients(log_p, student_logits)`: for rows (B, V), the gradients with "
        "respect to the student's logits of KL(P||Q) and of KL(Q||P), as a pair of tensors (B, V). "
        "Each row is a loss of its own. A formula or autograd, as you like."
    ),
    hints=(
        "With autograd: sum the row losses, so that no row is scaled.",
        "Forward: the teacher's weights are constants. Reverse: the weights move with the logits.",
        "Q - P; and Q times (log-ratio of Q to P, minus its average under Q, which is KL(Q||P)).",
    ),
    explanation=(
        "Cross-entropy has the first gradient too, as the teacher's entropy is constant. Forward, "
        "a word that Q neglects is pushed by P; reverse, every push carries the factor Q, so what "
        "Q has given up is hardly ever recovered."
    ),
)
def logit_gradients(log_p, student_logits):
    """Gradients of KL(P||Q) and of KL(Q||P) in the student's logits. (B, V), (B, V) -> a pair"""
    log_q = torch.log_softmax(student_logits, dim=-1)
    p, q, ratio = log_p.exp(), log_q.exp(), log_q - log_p
    return q - p, q * (ratio - (q * ratio).sum(dim=-1, keepdim=True))


def _logit_pair(rows: int, words: int, seed: int):
    return log_distributions(rows, words, seed=seed), normal(rows, words, seed=seed + 500) + 1.5


logit_gradients.probe("three rows, five words", *_logit_pair(3, 5, seed=441))
logit_gradients.probe("two rows, seven words", *_logit_pair(2, 7, seed=442))
logit_gradients.probe("one row", *_logit_pair(1, 4, seed=443))
logit_gradients.probe("five rows, three words", *_logit_pair(5, 3, seed=444))
logit_gradients.probe("a perfect student", *2 * _logit_pair(4, 6, seed=445)[:1])


@logit_gradients.also
def logit_gradients_autograd(log_p, student_logits):
    gradients = []
    for direction in (0, 1):
        z = student_logits.clone().requires_grad_()
        _both(log_p, torch.log_softmax(z, dim=-1))[direction].sum().backward()
        gradients.append(z.grad)
    return gradients


def _q(log_p, student_logits):
    log_q = torch.log_softmax(student_logits, dim=-1)
    return log_p.exp(), log_q.exp(), log_q - log_p


logit_gradients.symptom(
    "sign-flipped",
    seen="one of the two gradients points downhill",
    expected="gradients, in whose direction both losses grow",
)(matches(logit_gradients, lambda p, z: p.exp() - torch.softmax(z, dim=-1), part=0))


@logit_gradients.wrong(
    "kl-reversed",
    seen="the two gradients are exchanged",
    expected="first the divergence that the teacher weighs",
)
def gradients_exchanged(log_p, student_logits):
    return logit_gradients.reference(log_p, student_logits)[::-1]


@logit_gradients.wrong(
    "kl-reversed",
    seen="both gradients are the first one",
    expected="a second gradient that knows about the other direction",
)
def gradients_both_forward(log_p, student_logits):
    return (logit_gradients.reference(log_p, student_logits)[0],) * 2


@logit_gradients.wrong(
    "term-left-out",
    seen="the second gradient does not sum to 0 in each row: nothing is subtracted from the ratio",
    expected="adding a constant to all logits changes no loss, so each gradient sums to 0",
)
def gradients_not_centred(log_p, student_logits):
    p, q, ratio = _q(log_p, student_logits)
    return q - p, q * ratio


@logit_gradients.wrong(
    "ce-called-kl",
    seen="the second gradient is that of a cross-entropy: the student's entropy moves too",
    expected="both parts of the divergence change with the student",
)
def gradients_of_cross_entropy(log_p, student_logits):
    p, q, _ = _q(log_p, student_logits)
    return q - p, -q * (log_p - (q * log_p).sum(dim=-1, keepdim=True))


@logit_gradients.wrong(
    "student-gets-no-gradient",
    seen="the second gradient is 0 everywhere, as if the student's weights were constants",
    expected="the weights of the second divergence depend on the logits",
)
def gradients_with_fixed_weights(log_p, student_logits):
    p, q, _ = _q(log_p, student_logits)
    return q - p, torch.zeros_like(q)


@logit_gradients.wrong(
    "gradient-in-probabilities",
    seen="the gradients are those in the student's probabilities; they do not vanish at P = Q",
    expected="gradients in the logits, through the softmax",
)
def gradients_in_probabilities(log_p, student_logits):
    p, q, ratio = _q(log_p, student_logits)
    return -p / q, ratio + 1


@logit_gradients.wrong(
    "gradient-in-probabilities",
    seen="the gradients are those in the student's log-probabilities",
    expected="gradients in the logits: log-softmax has a normaliser, which moves as well",
)
def gradients_in_log_probabilities(log_p, student_logits):
    p, q, ratio = _q(log_p, student_logits)
    return -p, q * (ratio + 1)


@logit_gradients.wrong(
    "wrong-size-in-mean",
    seen="the gradients are divided by the number of rows",
    expected="each row's own gradient",
)
def gradients_of_mean(log_p, student_logits):
    return tuple(g / len(log_p) for g in logit_gradients.reference(log_p, student_logits))


@logit_gradients.wrong(
    "mean-over-vocab",
    seen="the gradients are divided by the number of all entries",
    expected="a loss that sums over the words",
)
def gradients_of_mean_of_everything(log_p, student_logits):
    return tuple(g / log_p.numel() for g in logit_gradients.reference(log_p, student_logits))


@logit_gradients.wrong(
    "sign-flipped",
    seen="the gradients point downhill: they are the pushes",
    expected="gradients, in whose direction the losses grow",
)
def gradients_as_pushes(log_p, student_logits):
    return tuple(-g for g in logit_gradients.reference(log_p, student_logits))


which_loss_is_meant = derivation(
    "which-loss-is-meant",
    source=("Q23",),
    difficulty=3,
    minutes=6,
    symbols=("p", "q"),
    prompt=(
        "P is the teacher. Fill [1] to [4] with one of `cross-entropy`, `forward KL`, `reverse "
        "KL`, the loss that is minimised; [5] is a formula.\n\n"
        "- The logged loss is 0 for a perfect student, and infinite as soon as the student "
        "excludes a word that the teacher may say: [1].\n"
        "- The gradients are those of [1], but a perfect student has a loss of 1.3 nats: [2].\n"
        "- The student writes texts, and log Q - log P is averaged over what it wrote: [3].\n"
        "- A student too small for a teacher with two styles ends up writing in one of them, and "
        "writes it well: [4].\n"
        "- With two words, P = (p, 1 - p) and Q = (q, 1 - q), [2] minus [1] is [5]."
    ),
    hints=(
        "Ask of each: who provides the weights, and what is the value at P = Q?",
        "Texts of the student are weights from the student; so is ignoring a mode at no cost.",
        "The difference is the teacher's entropy, in which the student does not occur.",
    ),
    blanks=(
        ("forward KL", "KL(P||Q)", "forward", "KL(P‖Q)"),
        ("cross-entropy", "CE", "cross entropy"),
        ("reverse KL", "KL(Q||P)", "reverse", "KL(Q‖P)"),
        ("reverse KL", "KL(Q||P)", "reverse", "KL(Q‖P)"),
        "-(p*log(p) + (1-p)*log(1-p))",
    ),
    explanation="[5] is constant in q, so [1] and [2] train alike and report different numbers.",
)
for _blank, _text, _id, _seen, _expected in (
    (1, "reverse KL", "kl-reversed", "is infinite where the teacher excludes a word",
     "the loss in which a possible word with Q = 0 has a weight"),
    (1, "cross-entropy", "ce-called-kl", "is not 0 for a perfect student",
     "a loss that is 0 at P = Q"),
    (2, "forward KL", "kl-for-cross-entropy", "would be 0 for a perfect student",
     "a loss whose least value is the teacher's entropy"),
    (2, "reverse KL", "kl-reversed", "has other gradients, and is 0 for a perfect student",
     "the gradients of the line before"),
    (3, "forward KL", "kl-reversed", "averages over texts of the teacher",
     "an average over the student's own texts"),
    (3, "cross-entropy", "ce-called-kl", "contains no ratio of two models",
     "an average of log-ratios"),
    (4, "forward KL", "kl-reversed", "makes the student spread over both styles",
     "the direction in which a neglected style costs nothing"),
    (4, "cross-entropy", "ce-called-kl", "trains like [1], so it covers both styles",
     "a loss whose weights come from the student"),
    (5, "p*log(p) + (1-p)*log(1-p)", "sign-flipped", "is negative",
     "an entropy, which is at least 0"),
    (5, "-(q*log(q) + (1-q)*log(1-q))", "entropy-for-cross-entropy", "is the student's entropy",
     "something that training does not change"),
    (5, "p*log(p/q) + (1-p)*log((1-p)/(1-q))", "ce-called-kl", "is one of the two losses itself",
     "their difference"),
    (5, "-(p*log(q) + (1-p)*log(1-q))", "ce-called-kl", "is the larger of the two losses",
     "what is left when the smaller one is subtracted"),
    (5, "-p*log(p)", "term-left-out", "has the term of one word only",
     "a term for each of the two words"),
):  # fmt: skip
    which_loss_is_meant.wrong(
        _blank, _text, _id, seen=f"blank [{_blank}] {_seen}", expected=_expected
    )


# Between the two


@code(
    source=("Q21", "Q23"),
    difficulty=3,
    minutes=9,
    prompt=(
        "Write `mixture_divergence(log_p, log_q, beta)`: with M = beta P + (1 - beta) Q, the value "
        "of beta KL(P||M) + (1 - beta) KL(Q||M) for each row (..., V), with 0 < beta < 1. Half and "
        "half, this is the Jensen-Shannon divergence. P and Q may hold exact zeros, at different "
        "places."
    ),
    hints=(
        "Is it probabilities or log-probabilities that are mixed?",
        "Where P is 0, M is not: which terms are harmless, and which one needs care?",
        "torch.xlogy(p, p) - torch.xlogy(p, m) is a term of KL(P||M), and 0 where p is 0.",
    ),
    explanation=(
        "M is nowhere 0 where P or Q is not, so the result is finite for any zeros. Both ends give "
        "0 here; some libraries return a plain KL at beta = 0 and 1."
    ),
)
def mixture_divergence(log_p, log_q, beta):
    """beta KL(P||M) + (1 - beta) KL(Q||M) of each row, M their mixture, in nats. -> (...)"""
    p, q = log_p.exp(), log_q.exp()
    m = beta * p + (1 - beta) * q
    from_p = torch.xlogy(p, p) - torch.xlogy(p, m)
    from_q = torch.xlogy(q, q) - torch.xlogy(q, m)
    return (beta * from_p + (1 - beta) * from_q).sum(dim=-1)


mixture_divergence.probe("half and half", *_pair(3, 5, seed=451), 0.5)
mixture_divergence.probe("a tenth of the teacher", *_pair(2, 7, seed=452), 0.1)
mixture_divergence.probe("mostly the teacher", *_pair(4, 3, seed=453), 0.8)
mixture_divergence.probe("three dimensions", *_pair(2, 3, 4, seed=454), 0.3)
mixture_divergence.probe("a perfect student", *2 * _pair(3, 6, seed=455)[:1], 0.25)
mixture_divergence.probe(
    "exact zeros at different places",
    _log([0.5, 0.5, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]),
    _log([0.0, 0.5, 0.5, 0.0], [0.0, 0.25, 0.75, 0.0]),
    0.3,
    points_to="zero-log-zero",
    expected="a finite value: the mixture covers both",
)


@mixture_divergence.also
def mixture_divergence_by_entropies(log_p, log_q, beta):
    p, q = log_p.exp(), log_q.exp()
    h_p, h_q, h_m = (torch.special.entr(x).sum(-1) for x in (p, q, beta * p + (1 - beta) * q))
    return h_m - beta * h_p - (1 - beta) * h_q


def _from(a, m):
    """KL of a to m, both probabilities."""
    return (torch.xlogy(a, a) - torch.xlogy(a, m)).sum(dim=-1)


mixture_divergence.symptom(
    "batch-for-row",
    seen="there is one number, although there are several rows",
    expected="as many numbers as rows",
)(shaped("half and half"))
mixture_divergence.symptom(
    "term-left-out",
    seen="one of the two models is not compared with the mixture",
    expected="two divergences to the mixture, added",
)(
    matches(
        mixture_divergence,
        lambda log_p, log_q, beta: beta * mixture_of_teacher_only(log_p, log_q, beta),
        lambda log_p, log_q, beta: mixture_of_teacher_only(log_q, log_p, 1 - beta),
        lambda log_p, log_q, beta: (1 - beta) * mixture_of_teacher_only(log_q, log_p, 1 - beta),
    )
)
mixture_divergence.symptom(
    "mixture-wrong",
    seen="right at beta = 1/2 only: in the sum beta stands with the student",
    expected="the same share of the teacher in the mixture and in the sum",
)(
    matches(
        mixture_divergence,
        lambda log_p, log_q, beta: mixture_exchanged_inside(log_p, log_q, 1 - beta),
    )
)
mixture_divergence.symptom(
    "divergences-mixed-up",
    seen="beta has no effect, and P and Q are not compared with their mixture",
    expected="a comparison of both models with a mixture",
)(
    matches(
        mixture_divergence,
        lambda log_p, log_q, beta: kl_of_rows.reference(log_p, log_q),
        lambda log_p, log_q, beta: kl_of_rows.reference(log_q, log_p),
        lambda log_p, log_q, beta: kl_symmetric(log_p, log_q),
    )
)


@mixture_divergence.wrong(
    "mixture-wrong",
    seen="right at beta = 1/2 only: the two models have exchanged their shares throughout",
    expected="beta is the teacher's share, in the mixture and in the sum",
)
def mixture_exchanged(log_p, log_q, beta):
    return mixture_divergence.reference(log_p, log_q, 1 - beta)


@mixture_divergence.wrong(
    "mixture-wrong",
    seen="right at beta = 1/2 only: in the mixture beta stands with the student",
    expected="the same share of the teacher in the mixture as in the sum",
)
def mixture_exchanged_inside(log_p, log_q, beta):
    p, q = log_p.exp(), log_q.exp()
    m = (1 - beta) * p + beta * q
    return beta * _from(p, m) + (1 - beta) * _from(q, m)


@mixture_divergence.wrong(
    "mixture-wrong",
    seen="right at beta = 1/2 only: the mixture is always half and half",
    expected="a mixture that changes with beta",
)
def mixture_always_half(log_p, log_q, beta):
    p, q = log_p.exp(), log_q.exp()
    return beta * _from(p, (p + q) / 2) + (1 - beta) * _from(q, (p + q) / 2)


@mixture_divergence.wrong(
    "mixture-wrong",
    seen="beta has no effect: mixture and sum are always half and half",
    expected="a result that changes with beta",
)
def mixture_without_beta(log_p, log_q, beta):
    return mixture_divergence.reference(log_p, log_q, 0.5)


@mixture_divergence.wrong(
    "mixture-wrong",
    seen="right at beta = 1/2 only: the two divergences always weigh the same",
    expected="weights that change with beta",
)
def mixture_with_equal_weights(log_p, log_q, beta):
    p, q = log_p.exp(), log_q.exp()
    m = beta * p + (1 - beta) * q
    return (_from(p, m) + _from(q, m)) / 2


@mixture_divergence.wrong(
    "weights-missing",
    seen="the two divergences to the mixture are added without weights",
    expected="a weighted sum, which lies between the two",
)
def mixture_unweighted(log_p, log_q, beta):
    p, q = log_p.exp(), log_q.exp()
    m = beta * p + (1 - beta) * q
    return _from(p, m) + _from(q, m)


@mixture_divergence.wrong(
    "log-of-sum",
    seen="logarithms are mixed, which gives no distribution",
    expected="a mixture of probabilities, which sums to 1",
)
def mixture_of_logarithms(log_p, log_q, beta):
    p, q = log_p.exp(), log_q.exp()
    m = (beta * log_p + (1 - beta) * log_q).exp()
    return beta * _from(p, m) + (1 - beta) * _from(q, m)


@mixture_divergence.wrong(
    "kl-reversed",
    seen="the mixture provides the weights of the log-ratios",
    expected="divergences from P and from Q, to the mixture",
)
def mixture_reversed(log_p, log_q, beta):
    p, q = log_p.exp(), log_q.exp()
    m = beta * p + (1 - beta) * q
    return beta * _from(m, p) + (1 - beta) * _from(m, q)


@mixture_divergence.wrong(
    "term-left-out",
    seen="only the teacher's divergence to the mixture is there: that is a skew KL",
    expected="both models are compared with the mixture",
)
def mixture_of_teacher_only(log_p, log_q, beta):
    p, q = log_p.exp(), log_q.exp()
    return _from(p, beta * p + (1 - beta) * q)


@mixture_divergence.wrong(
    "divergences-mixed-up",
    seen="there is no mixture: the two KLs between P and Q are weighed",
    expected="a value that stays finite when P and Q have nothing in common",
)
def mixture_of_directions(log_p, log_q, beta):
    p, q = log_p.exp(), log_q.exp()
    return beta * _from(p, q) + (1 - beta) * _from(q, p)


@mixture_divergence.wrong(
    "zero-log-zero",
    seen="rows with exact zeros give NaN",
    expected="a finite result for all distributions",
)
def mixture_nan(log_p, log_q, beta):
    p, q = log_p.exp(), log_q.exp()
    log_m = (beta * p + (1 - beta) * q).log()
    return (beta * p * (log_p - log_m) + (1 - beta) * q * (log_q - log_m)).sum(dim=-1)


@mixture_divergence.wrong(
    "mean-over-vocab",
    seen="the more words there are, the smaller the result",
    expected="a sum over the words",
)
def mixture_mean(log_p, log_q, beta):
    return mixture_divergence.reference(log_p, log_q, beta) / log_p.shape[-1]


@number(
    source=("Q21",),
    difficulty=2,
    minutes=4,
    decimals=3,
    unit="nats",
    prompt=(
        "The skew KL with alpha = 0.1 is KL(P||M) with M = 0.1 P + 0.9 Q. Which value can it never "
        "exceed, whatever P and Q are? Give the least such bound."
    ),
    hints=(
        "How small can M be, compared with P?",
        "M is at least 0.1 P everywhere, and it is exactly that where Q is 0.",
        "Take Q = 0 wherever P is not: every log-ratio is then the same.",
    ),
    explanation="A bounded loss is why a little of the teacher is mixed in: no batch can explode.",
)
def worst_skew_kl():
    """The largest value of the skew KL at alpha = 0.1, in nats."""
    return -math.log(0.1)


worst_skew_kl.wrong(
    "zero-log-zero",
    math.inf,
    seen="infinity is the bound of the plain KL",
    expected="what the share of the teacher in the mixture prevents",
)
worst_skew_kl.wrong(
    "mixture-wrong",
    -math.log(0.9),
    seen="the share of the student is taken for that of the teacher",
    expected="what is left of P in the mixture where Q is 0",
)
worst_skew_kl.wrong(
    "divergences-mixed-up",
    math.log(2),
    seen="that is the bound of the Jensen-Shannon divergence",
    expected="a bound that depends on alpha",
)
worst_skew_kl.wrong(
    "weights-missing",
    10,
    seen="that is a ratio of probabilities",
    expected="the logarithm of such a ratio, averaged",
)
worst_skew_kl.wrong(
    "weighted-twice",
    -0.1 * math.log(0.1),
    seen="the logarithm is weighed with alpha as well",
    expected="the weights are P alone, and they sum to 1",
)


# From real logits


def _bfloat16_pair(rows: int, words: int, seed: int):
    teacher = normal(rows, words, seed=seed, scale=2.0)
    student = teacher + normal(rows, words, seed=seed + 500, scale=0.3)
    return teacher.bfloat16(), student.bfloat16(), words


@code(
    source=("Q18",),
    difficulty=4,
    minutes=12,
    rtol=1e-3,
    prompt=(
        "Output matrices are often padded to round sizes. teacher_logits (B, V1) and "
        "student_logits (B, V2) share their first `tokens` slots; any slot after these belongs to "
        "no token and holds an arbitrary number. Write `kl_over_tokens(teacher_logits, "
        "student_logits, tokens)`: KL(P||Q) over the real tokens, for each row. The logits may "
        "come in bfloat16; be exact to 0.1 %."
    ),
    hints=(
        "A slot that is no token must not get any probability. Which logit says that?",
        "Remove such slots before the softmax. And in which precision is the softmax taken?",
        "Cut both to the first `tokens` slots, call .float(), then log_softmax and the usual sum.",
    ),
    explanation=(
        "Real logits often lie near -8, so a logit of 0 would be the likeliest 'token'. bfloat16 "
        "has 8 significant bits: a log-probability of -10 is only known to 0.03."
    ),
)
def kl_over_tokens(teacher_logits, student_logits, tokens):
    """KL(P||Q) over the real tokens of each row, in nats. (B, V1), (B, V2) -> (B,)"""
    log_p = torch.log_softmax(teacher_logits[:, :tokens].float(), dim=-1)
    log_q = torch.log_softmax(student_logits[:, :tokens].float(), dim=-1)
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1)


def _padded_pair(rows: int, tokens: int, teacher: int, student: int, seed: int):
    """Logits around -8 for the tokens and around -7 in the padding, with so many padded slots."""
    logits = []
    for i, padding in enumerate((teacher, student)):
        real = normal(rows, tokens, seed=seed + i, scale=1.5) - 8
        logits.append(torch.cat([real, normal(rows, padding, seed=seed + 10 + i) - 7], dim=1))
    return *logits, tokens


kl_over_tokens.probe("no padding", *_padded_pair(3, 5, 0, 0, seed=461))
kl_over_tokens.probe("the student padded", *_padded_pair(2, 6, 0, 2, seed=462))
kl_over_tokens.probe("the teacher padded", *_padded_pair(4, 5, 3, 0, seed=463))
kl_over_tokens.probe("both padded, differently", *_padded_pair(2, 7, 1, 4, seed=464))
kl_over_tokens.probe("both padded alike", *_padded_pair(3, 4, 4, 4, seed=465))
for _words in (2048, 4096):
    kl_over_tokens.probe(
        f"{_words} tokens in bfloat16",
        *_bfloat16_pair(2, _words, seed=470 + _words),
        points_to="half-precision-softmax",
        expected="a softmax in float32 or better",
    )


@kl_over_tokens.also
def kl_over_tokens_masked(teacher_logits, student_logits, tokens):
    def log_softmax(logits):
        padding = torch.arange(logits.shape[1]) >= tokens
        return logits.double().masked_fill(padding, -math.inf).log_softmax(dim=-1)[:, :tokens]

    log_p, log_q = log_softmax(teacher_logits), log_softmax(student_logits)
    return F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(dim=-1)


def _kl_of(teacher_logits, student_logits):
    log_p, log_q = (x.float().log_softmax(dim=-1) for x in (teacher_logits, student_logits))
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1)


def kl_padding_zeroed_then_cut(teacher_logits, student_logits, tokens):
    log_p, log_q = (
        F.pad(x[:, :tokens].float(), (0, x.shape[1] - tokens)).log_softmax(dim=-1)[:, :tokens]
        for x in (teacher_logits, student_logits)
    )
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1)


def kl_with_students_logits(teacher_logits, student_logits, tokens):
    log_p = teacher_logits[:, :tokens].float().log_softmax(dim=-1)
    return (log_p.exp() * (log_p - student_logits[:, :tokens])).sum(dim=-1)


kl_over_tokens.symptom(
    "batch-for-row",
    seen="there is one number, although there are several rows",
    expected="as many numbers as rows",
)(shaped("no padding"))
kl_over_tokens.symptom(
    "vocab-padded-with-zero",
    seen="padded slots with the logit 0 take part in the softmax and are removed after it",
    expected="slots without a token have no probability before anything is normalised",
)(matches(kl_over_tokens, kl_padding_zeroed_then_cut))
kl_over_tokens.symptom(
    "logits-for-probabilities",
    seen="the student's logits stand where its log-probabilities belong",
    expected="a softmax for each model",
)(matches(kl_over_tokens, kl_with_students_logits))


@kl_over_tokens.wrong(
    "half-precision-softmax",
    seen="right in float32, wrong in bfloat16: the logits are used as they come",
    expected="enough digits before the softmax",
)
def kl_in_half_precision(teacher_logits, student_logits, tokens):
    log_p, log_q = (x[:, :tokens].log_softmax(dim=-1) for x in (teacher_logits, student_logits))
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1)


@kl_over_tokens.wrong(
    "half-precision-softmax",
    seen="right in float32, wrong in bfloat16: digits are added after the softmax, too late",
    expected="more digits before the softmax",
)
def kl_converted_late(teacher_logits, student_logits, tokens):
    log_p, log_q = (
        x[:, :tokens].log_softmax(dim=-1).float() for x in (teacher_logits, student_logits)
    )
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1)


@kl_over_tokens.wrong(
    "vocab-padded-with-zero",
    seen="the smaller model is filled up with logits of 0, which take most of its probability",
    expected="slots without a token have the probability 0",
)
def kl_filled_with_zeros(teacher_logits, student_logits, tokens):
    size = max(teacher_logits.shape[1], student_logits.shape[1])
    return _kl_of(*(F.pad(x, (0, size - x.shape[1])) for x in (teacher_logits, student_logits)))


@kl_over_tokens.wrong(
    "vocab-padded-with-zero",
    seen="the padded slots get the logit 0; real tokens have logits far below that",
    expected="a logit that gives the probability 0",
)
def kl_padding_zeroed(teacher_logits, student_logits, tokens):
    size = max(teacher_logits.shape[1], student_logits.shape[1])
    cut = (x[:, :tokens] for x in (teacher_logits, student_logits))
    return _kl_of(*(F.pad(x, (0, size - tokens)) for x in cut))


@kl_over_tokens.wrong(
    "padding-counted",
    seen="all slots that both models have are used, also those without a token",
    expected="only slots that belong to a token",
)
def kl_over_common_slots(teacher_logits, student_logits, tokens):
    size = min(teacher_logits.shape[1], student_logits.shape[1])
    return _kl_of(teacher_logits[:, :size], student_logits[:, :size])


@kl_over_tokens.wrong(
    "rest-not-renormalised",
    seen="the padding is removed after the softmax, so that rows sum to less than 1",
    expected="distributions over the real tokens",
)
def kl_cut_after_softmax(teacher_logits, student_logits, tokens):
    log_p, log_q = (
        x.float().log_softmax(dim=-1)[:, :tokens] for x in (teacher_logits, student_logits)
    )
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1)


@kl_over_tokens.wrong(
    "zero-log-zero",
    seen="where there is padding the result is NaN: infinity is subtracted from infinity",
    expected="no term at all for a slot without a token",
)
def kl_with_infinities(teacher_logits, student_logits, tokens):
    size = max(teacher_logits.shape[1], student_logits.shape[1])
    cut = (x[:, :tokens] for x in (teacher_logits, student_logits))
    return _kl_of(*(F.pad(x, (0, size - tokens), value=-math.inf) for x in cut))


@kl_over_tokens.wrong(
    "kl-reversed",
    seen="the student's probabilities are the weights",
    expected="weights from the teacher",
)
def kl_over_tokens_reversed(teacher_logits, student_logits, tokens):
    return kl_over_tokens.reference(student_logits, teacher_logits, tokens)


@kl_over_tokens.wrong(
    "ce-called-kl",
    seen="the result is larger than the divergence by the teacher's entropy",
    expected="0 for a student that answers like its teacher",
)
def kl_over_tokens_cross_entropy(teacher_logits, student_logits, tokens):
    log_p, log_q = (
        x[:, :tokens].float().log_softmax(dim=-1) for x in (teacher_logits, student_logits)
    )
    return -(log_p.exp() * log_q).sum(dim=-1)


@kl_over_tokens.wrong(
    "probs-for-log-probs",
    seen="the student's probabilities stand where logarithms are expected",
    expected="log-softmax on both sides",
)
def kl_over_tokens_probs(teacher_logits, student_logits, tokens):
    log_p = teacher_logits[:, :tokens].float().log_softmax(dim=-1)
    q = student_logits[:, :tokens].float().softmax(dim=-1)
    return (log_p.exp() * (log_p - q)).sum(dim=-1)


@kl_over_tokens.wrong(
    "mean-over-vocab",
    seen="the result is divided by the number of tokens",
    expected="a sum over the tokens",
)
def kl_over_tokens_mean(teacher_logits, student_logits, tokens):
    return kl_over_tokens.reference(teacher_logits, student_logits, tokens) / tokens


@kl_over_tokens.wrong(
    "batch-for-row",
    seen="there is one value for the whole batch",
    expected="one value for each row",
)
def kl_over_tokens_batch(teacher_logits, student_logits, tokens):
    return kl_over_tokens.reference(teacher_logits, student_logits, tokens).mean()
