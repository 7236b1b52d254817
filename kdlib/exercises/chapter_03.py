"""Exercises of chapter 3: cross-entropy over whole sequences (Q13-Q17; Q04 and Q08 again)."""

from __future__ import annotations

import math

import torch

from kdlib.exercises.choices import choice, right, wrong
from kdlib.exercises.derivations import derivation
from kdlib.exercises.functions import code
from kdlib.exercises.inputs import log_distributions
from kdlib.exercises.numbers import number
from kdlib.exercises.rules import matches, shaped

# Way 1: every output written down


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


def _pair(rows: int, outputs: int, seed: int):
    return (
        log_distributions(rows, outputs, seed=seed),
        log_distributions(rows, outputs, seed=seed + 500),
    )


sequence_cross_entropy.probe("four inputs, five outputs", *_pair(4, 5, seed=301))
sequence_cross_entropy.probe("two inputs, nine outputs", *_pair(2, 9, seed=302))
sequence_cross_entropy.probe("one input", *_pair(1, 3, seed=303))
sequence_cross_entropy.probe("a perfect student", *2 * _pair(3, 4, seed=304)[:1])
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


sequence_cross_entropy.symptom(
    "batch-for-row",
    seen="there is one number, although there are several inputs",
    expected="as many numbers as inputs",
)(shaped("four inputs, five outputs"))
sequence_cross_entropy.symptom(
    "wrong-axis",
    seen="there is a number for each output, not for each input",
    expected="a sum over the outputs of one input",
)(shaped("four inputs, five outputs", 5))


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


students_that_swap = derivation(
    "students-that-swap",
    source=("Q15",),
    difficulty=2,
    minutes=5,
    symbols=("a", "b", "c", "u", "v", "w"),
    prompt=(
        "A teacher gives the outputs A, B, C the probabilities a, b, c = 0.80, 0.15, 0.05. Student "
        "1 gives them w, u, v = 0.6, 0.3, 0.1; student 2 gives w, v, u: it swaps the last two. "
        "Argue first, compute last:\n\n"
        "- The F2 loss of student 1 is -(a*log(w) + b*log(u) + c*log(v)). That of student 2 is "
        "[1].\n"
        "- Loss of student 2 minus loss of student 1, simplified: [2].\n"
        "- Since b > c and u > v, the lower loss is that of student [3].\n"
        "- In numbers, [2] is [4] nats."
    ),
    hints=(
        "The weights are the teacher's, so they do not move when a student swaps.",
        "The term of A is the same for both. What is left has the factor b - c.",
        "(b - c) times the logarithm of a ratio, and that ratio is 3.",
    ),
    blanks=(
        "-(a*log(w) + b*log(v) + c*log(u))",
        "(b - c)*log(u/v)",
        ("1", "student 1", "one"),
        ("0.1*log(3)", *(f"{0.1 * math.log(3):.{places}f}" for places in (2, 3, 4, 5, 6))),
    ),
    explanation="Of two students that differ by a swap, the one in the teacher's order wins.",
)
students_that_swap.wrong(
    1,
    "-(w*log(a) + v*log(b) + u*log(c))",
    "kl-reversed",
    seen="blank [1] weighs with the student's probabilities",
    expected="weights that are the same for both students",
)
students_that_swap.wrong(
    1,
    "a*log(w) + b*log(v) + c*log(u)",
    "sign-flipped",
    seen="blank [1] is negative",
    expected="a loss of at least 0",
)
students_that_swap.wrong(
    1,
    "-(a*log(w) + b*log(u) + c*log(v))",
    "nothing-done",
    seen="blank [1] is the loss of the first student once more",
    expected="a formula in which the two smaller probabilities have changed places",
)
students_that_swap.wrong(
    1,
    "-log(w)",
    "hard-for-soft",
    seen="blank [1] scores the likeliest output only; the two students could not be told apart",
    expected="three terms",
)
students_that_swap.wrong(
    2,
    "(b - c)*log(v/u)",
    "sign-flipped",
    seen="blank [2] is negative for the given numbers: it is subtracted the other way round",
    expected="what the second student loses more than the first",
)
students_that_swap.wrong(
    2,
    "0",
    "top-1-for-match",
    seen="blank [2] is what the shared term of A gives; the other two do not cancel",
    expected="a difference in which two outputs take part",
)
students_that_swap.wrong(
    2,
    "log(u/v)",
    "weights-missing",
    seen="blank [2] does not depend on the teacher",
    expected="something that vanishes if the teacher finds B and C equally likely",
)
students_that_swap.wrong(
    2,
    "(b - c)*(u - v)",
    "probs-for-log-probs",
    seen="blank [2] subtracts probabilities of the students",
    expected="a difference of logarithms is the logarithm of a ratio",
)
students_that_swap.wrong(
    3,
    "2",
    "argmax-sign",
    seen="blank [3] names the student with the larger loss",
    expected="the sign of blank [2] decides",
)
students_that_swap.wrong(
    3,
    "student 2",
    "argmax-sign",
    seen="blank [3] names the student that loses more",
    expected="the student for which the difference in blank [2] counts in favour",
)
students_that_swap.wrong(
    4,
    "0.1*log(3)/log(2)",
    "nats-for-bits",
    seen="blank [4] is in bits",
    expected="natural logarithms",
)


# What that costs


@code(
    source=("Q16", "Q17"),
    difficulty=1,
    minutes=4,
    prompt=(
        "Write `longest_that_fits(vocabulary, terms)`: outputs of exactly L tokens are to be "
        "summed over, each token from `vocabulary` many (2 or more). What is the largest L for "
        "which the sum of F2 has at most `terms` terms? Both arguments are integers, and terms is "
        "at least 1."
    ),
    hints=(
        "How many outputs of 1 token are there, of 2 tokens, of 3?",
        "One more token multiplies the number of outputs by the size of the vocabulary.",
        "Count L up as long as vocabulary ** (L + 1) is not above terms.",
    ),
    explanation="With 32,000 tokens and a million terms the exact sum ends after one token.",
)
def longest_that_fits(vocabulary, terms):
    """The largest L for which the sum over all outputs of L tokens has at most `terms` terms."""
    length = 0
    while vocabulary ** (length + 1) <= terms:
        length += 1
    return length


for _vocabulary, _terms in ((2, 1000), (5, 10**6), (32_000, 10**12), (50, 10), (7, 50), (3, 11)):
    longest_that_fits.probe(f"{_vocabulary} words, {_terms} terms", _vocabulary, _terms)
longest_that_fits.probe("2 words, 1024 terms: it fits exactly", 2, 1024)
for _vocabulary, _terms in ((10, 1000), (3, 243)):
    longest_that_fits.probe(
        f"{_vocabulary} words, {_terms} terms: it fits exactly, and a logarithm is rounded",
        _vocabulary,
        _terms,
        points_to="float-logarithm",
        expected="a whole number, worked out exactly",
    )


@longest_that_fits.symptom(
    "float-logarithm",
    seen="the result is not a whole number",
    expected="a length: so many tokens and no fraction of one",
)
def _(results):
    return any(float(result) % 1 > 1e-9 for result in results.values())


@longest_that_fits.also
def longest_by_division(vocabulary, terms):
    length = 0
    while terms >= vocabulary:
        terms, length = terms // vocabulary, length + 1
    return length


@longest_that_fits.wrong(
    "growth-misjudged",
    seen="each token is taken to add as many terms as there are words",
    expected="each token multiplies the number of terms",
)
def longest_linear(vocabulary, terms):
    return terms // vocabulary


@longest_that_fits.wrong(
    "growth-misjudged",
    seen="a larger vocabulary is treated like a longer output: base and exponent are exchanged",
    expected="as many factors as the output has tokens",
)
def longest_power_of_length(vocabulary, terms):
    length = 0
    while (length + 1) ** vocabulary <= terms:
        length += 1
    return length


@longest_that_fits.wrong(
    "off-by-one",
    seen="the result is the first length that no longer fits",
    expected="the last length that does",
)
def longest_plus_one(vocabulary, terms):
    return longest_that_fits.reference(vocabulary, terms) + 1


@longest_that_fits.wrong(
    "off-by-one",
    seen="a length whose terms fit exactly is refused",
    expected="at most so many terms, and not fewer",
)
def longest_strictly(vocabulary, terms):
    return longest_that_fits.reference(vocabulary, terms - 1)


@longest_that_fits.wrong(
    "whole-for-part",
    seen="the outputs of all shorter lengths are counted as well",
    expected="outputs of exactly L tokens",
)
def longest_of_prefixes(vocabulary, terms):
    length, count = 0, vocabulary
    while count <= terms:
        length += 1
        count += vocabulary ** (length + 1)
    return length


@longest_that_fits.wrong(
    "float-logarithm",
    seen="right but where a power is met exactly: there a rounded logarithm falls below it",
    expected="integers, which are not rounded",
)
def longest_by_logarithm(vocabulary, terms):
    return math.floor(math.log(terms) / math.log(vocabulary))


exact_loss_for_translation = choice(
    "exact-loss-for-translation",
    source=("Q16",),
    difficulty=2,
    minutes=3,
    prompt=(
        "F2, as it stands, is proposed as the training loss of a translation system with 32,000 "
        "tokens and outputs of 20 tokens. What is the fairest judgement?"
    ),
    hints=(
        "Judge three things separately: what it costs, what it covers, what the user sees.",
        "How many terms has the sum? And how many translations of a sentence are good?",
        "A good goal need not be a loss that can be computed.",
    ),
    options=(
        wrong(
            f"Use it: 20 positions with 32,000 tokens each are {20 * 32_000:,} terms.",
            "growth-misjudged",
            seen="positions are added up; each token combines with all choices before it",
            expected="a number of outputs, not of tokens",
        ),
        wrong(
            "Drop it: a user sees one translation, so all other outputs are wasted effort.",
            "hard-for-soft",
            seen="what the user sees once is taken for all that the student should learn",
            expected="other translations that are good as well",
        ),
        right(
            "The right goal, for it credits every good translation by its probability; with "
            f"10^{round(20 * math.log10(32_000))} terms it must be estimated; what users see needs "
            "a check of its own.",
            "Coverage is its strength and cost its weakness; an average over outputs says little "
            "about the single one that is shown.",
        ),
        wrong(
            "Use it on short sentences: once the loss is low, the translations shown are correct.",
            "labels-for-teacher",
            seen="a low loss is read as correctness; it says that student and teacher agree",
            expected="what this loss compares the student with",
        ),
    ),
)


# Way 2: the chain rule


@code(
    source=("Q14", "Q16"),
    difficulty=3,
    minutes=9,
    prompt=(
        "An output has two tokens: V choices for the first, then W for the second. Write "
        "`chain_rule_loss(log_p1, log_p2, log_q1, log_q2)`: F2 over all V * W outputs, from "
        "next-token losses. log_p1 (V,) is the teacher's first step; row v of log_p2 (V, W) is its "
        "second step after the first token v. log_q1 and log_q2 are the student's."
    ),
    hints=(
        "The logarithm of a product of two probabilities is a sum: treat the two steps separately.",
        "The second step has a cross-entropy for each first token. How often does each one occur?",
        "Loss of step 1, plus the row losses of step 2 weighed with the teacher's first step.",
    ),
    explanation=(
        "A loss over sequences is a sum of next-token losses, averaged over prefixes that the "
        "teacher writes. Drawing these prefixes at random gives the estimates that scale."
    ),
)
def chain_rule_loss(log_p1, log_p2, log_q1, log_q2):
    """F2 over all outputs of two tokens, in nats. (V,), (V, W), (V,), (V, W) -> scalar"""
    first = -(log_p1.exp() * log_q1).sum()
    second = -(log_p2.exp() * log_q2).sum(dim=-1)
    return first + (log_p1.exp() * second).sum()


def _two_steps(v: int, w: int, seed: int):
    shapes = (v,), (v, w), (v,), (v, w)
    return [log_distributions(*shape, seed=seed + i) for i, shape in enumerate(shapes)]


for _v, _w in ((3, 5), (4, 2), (2, 7), (5, 5)):
    chain_rule_loss.probe(f"{_v} then {_w} tokens", *_two_steps(_v, _w, seed=310 + 10 * _v))
chain_rule_loss.probe("a perfect student", *2 * _two_steps(3, 4, seed=390)[:2])


@chain_rule_loss.also
def chain_rule_loss_enumerated(log_p1, log_p2, log_q1, log_q2):
    log_p, log_q = log_p1[:, None] + log_p2, log_q1[:, None] + log_q2
    return -(log_p.exp() * log_q).sum()


@chain_rule_loss.symptom(
    "probs-for-log-probs",
    seen="the result lies between -1 and 0: probabilities are averaged, not their logarithms",
    expected="an average of logarithms, with the sign of a loss",
)
def _(results):
    return all(-1 < float(result) < 0 for result in results.values())


def _steps(log_p1, log_p2, log_q1, log_q2):
    """The loss of the first step; that of the second step for each first token."""
    return -(log_p1.exp() * log_q1).sum(), -(log_p2.exp() * log_q2).sum(dim=-1)


@chain_rule_loss.wrong(
    "weighed-by-student",
    seen="the second step is averaged over first tokens that the student writes",
    expected="prefixes as often as the teacher writes them",
)
def chain_with_students_prefixes(log_p1, log_p2, log_q1, log_q2):
    first, second = _steps(log_p1, log_p2, log_q1, log_q2)
    return first + (log_q1.exp() * second).sum()


@chain_rule_loss.wrong(
    "weights-missing",
    seen="the second step is averaged over all first tokens alike",
    expected="a first token that hardly occurs hardly matters",
)
def chain_with_plain_mean(log_p1, log_p2, log_q1, log_q2):
    first, second = _steps(log_p1, log_p2, log_q1, log_q2)
    return first + second.mean()


@chain_rule_loss.wrong(
    "weights-missing",
    seen="the losses of the second step are added up over all first tokens",
    expected="an average over first tokens: only one of them is written",
)
def chain_with_plain_sum(log_p1, log_p2, log_q1, log_q2):
    first, second = _steps(log_p1, log_p2, log_q1, log_q2)
    return first + second.sum()


@chain_rule_loss.wrong(
    "hard-for-soft",
    seen="the second step is scored after the teacher's likeliest first token only",
    expected="all first tokens that the teacher may write",
)
def chain_after_best(log_p1, log_p2, log_q1, log_q2):
    first, second = _steps(log_p1, log_p2, log_q1, log_q2)
    return first + second[log_p1.argmax()]


@chain_rule_loss.wrong(
    "tokens-independent",
    seen="the second token is scored without looking at the first",
    expected="a second step that depends on the first",
)
def chain_of_marginals(log_p1, log_p2, log_q1, log_q2):
    p, q = ((a[:, None] + b).logsumexp(dim=0) for a, b in ((log_p1, log_p2), (log_q1, log_q2)))
    return -(log_p1.exp() * log_q1).sum() - (p.exp() * q).sum()


@chain_rule_loss.wrong(
    "term-left-out",
    seen="the second step is missing",
    expected="both tokens of an output are charged for",
)
def chain_first_only(log_p1, log_p2, log_q1, log_q2):
    return _steps(log_p1, log_p2, log_q1, log_q2)[0]


@chain_rule_loss.wrong(
    "term-left-out",
    seen="the first step takes part as a weight only; its own loss is missing",
    expected="two losses are added",
)
def chain_second_only(log_p1, log_p2, log_q1, log_q2):
    return (log_p1.exp() * _steps(log_p1, log_p2, log_q1, log_q2)[1]).sum()


@chain_rule_loss.wrong(
    "kl-for-cross-entropy",
    seen="a perfect student has the loss 0",
    expected="the student's surprise, from which nothing is subtracted",
)
def chain_of_kl(log_p1, log_p2, log_q1, log_q2):
    return chain_rule_loss.reference(log_p1, log_p2, log_q1 - log_p1, log_q2 - log_p2)


@chain_rule_loss.wrong(
    "kl-reversed",
    seen="teacher and student have exchanged their places",
    expected="the teacher's probabilities weigh, the student's are in the logarithms",
)
def chain_reversed(log_p1, log_p2, log_q1, log_q2):
    return chain_rule_loss.reference(log_q1, log_q2, log_p1, log_p2)


@chain_rule_loss.wrong(
    "mean-for-sum",
    seen="the loss is divided by the number of tokens",
    expected="the loss of the whole output",
)
def chain_mean(log_p1, log_p2, log_q1, log_q2):
    return chain_rule_loss.reference(log_p1, log_p2, log_q1, log_q2) / 2


@chain_rule_loss.wrong(
    "mean-over-vocab",
    seen="the loss is divided by the number of outputs",
    expected="a weighted sum: the weights sum to 1 already",
)
def chain_mean_over_outputs(log_p1, log_p2, log_q1, log_q2):
    return chain_rule_loss.reference(log_p1, log_p2, log_q1, log_q2) / log_p2.numel()


@chain_rule_loss.wrong(
    "hard-for-soft",
    seen="a single output is scored, the teacher's likeliest",
    expected="all outputs, weighed",
)
def chain_of_best_output(log_p1, log_p2, log_q1, log_q2):
    best = (log_p1[:, None] + log_p2).argmax()
    return -(log_q1[:, None] + log_q2).flatten()[best]


# Way 3: samples, and how far to trust them


@code(
    source=("Q16",),
    difficulty=3,
    minutes=8,
    prompt=(
        "N outputs have been drawn from the teacher. log_p and log_q (N,) are the "
        "log-probabilities that teacher and student give to them. Write `sampled_loss(log_p, "
        "log_q)`: the estimate of F2 and its standard error (with N - 1 in the variance), as a "
        "pair. Not every argument need be used."
    ),
    hints=(
        "F2 is an average over the teacher's outputs, and it is the teacher that drew these.",
        "Likely outputs are in the sample more often: is any other weight needed?",
        "The mean of -log_q, and its standard deviation divided by the square root of N.",
    ),
    explanation="The error falls like 1 / sqrt(N), whatever the number of possible outputs.",
)
def sampled_loss(log_p, log_q):
    """Estimate of F2 from samples of the teacher, and its standard error. (N,), (N,) -> a pair"""
    losses = -log_q
    return losses.mean(), losses.std() / math.sqrt(len(losses))


def _drawn(samples: int, outputs: int, seed: int):
    log_p, log_q = _pair(1, outputs, seed)
    generator = torch.Generator().manual_seed(seed)
    which = torch.multinomial(log_p[0].exp(), samples, replacement=True, generator=generator)
    return log_p[0, which], log_q[0, which]


for _samples, _outputs in ((5, 9), (12, 6), (3, 40), (40, 7)):
    sampled_loss.probe(f"{_samples} samples", *_drawn(_samples, _outputs, seed=350 + _samples))
sampled_loss.probe(
    "an unlikely output among them",
    torch.tensor([0.5, 0.5, 0.25, 0.01]).log(),
    torch.tensor([0.4, 0.4, 0.3, 0.002]).log(),
)


@sampled_loss.also
def sampled_loss_by_hand(log_p, log_q):
    losses = [-x for x in log_q.tolist()]
    mean = sum(losses) / len(losses)
    variance = sum((x - mean) ** 2 for x in losses) / (len(losses) - 1)
    return mean, (variance / len(losses)) ** 0.5


for _id, _seen, _expected, _estimates in (
    (
        "standard-error-wrong",
        "the estimate is right, its standard error is not",
        "how far the mean of N samples typically lies off",
        [lambda log_p, log_q: -log_q.mean()],
    ),
    (
        "weighted-twice",
        "the samples are weighed with the teacher's probabilities in the estimate",
        "each sample counts once: likely outputs have been drawn more often",
        [
            lambda log_p, log_q: -(log_p.exp() * log_q).mean(),
            lambda log_p, log_q: -(log_p.exp() * log_q).sum(),
            lambda log_p, log_q: -(log_p.softmax(dim=-1) * log_q).sum(),
        ],
    ),
    (
        "log-of-sum",
        "the logarithm is taken of an average probability",
        "an average of logarithms",
        [lambda log_p, log_q: -log_q.exp().mean().log()],
    ),
    (
        "probs-for-log-probs",
        "the estimate is an average of the student's probabilities",
        "an average of logarithms, with the sign of a loss",
        [lambda log_p, log_q: -log_q.exp().mean(), lambda log_p, log_q: log_q.exp().mean()],
    ),
    (
        "sum-for-mean",
        "the estimate is a sum over the samples",
        "a mean, which does not grow with the number of samples",
        [lambda log_p, log_q: -log_q.sum()],
    ),
):
    sampled_loss.symptom(_id, seen=_seen, expected=_expected)(
        matches(sampled_loss, *_estimates, part=0)
    )


@sampled_loss.wrong(
    "weighted-twice",
    seen="each sample is multiplied by the teacher's probability, though it was drawn with it",
    expected="a plain mean over the samples",
)
def sampled_and_weighted(log_p, log_q):
    losses = -log_p.exp() * log_q
    return losses.mean(), losses.std() / math.sqrt(len(losses))


@sampled_loss.wrong(
    "standard-error-wrong",
    seen="the second result does not shrink as samples are added: it is the spread of one sample",
    expected="the uncertainty of the mean",
)
def sampled_with_deviation(log_p, log_q):
    return -log_q.mean(), log_q.std()


@sampled_loss.wrong(
    "standard-error-wrong",
    seen="the second result shrinks like 1 / N",
    expected="four times the samples for half the error",
)
def sampled_divided_by_n(log_p, log_q):
    return -log_q.mean(), log_q.std() / len(log_q)


@sampled_loss.wrong(
    "standard-error-wrong",
    seen="the second result is a squared quantity, the variance of the mean",
    expected="an error in nats, like the estimate itself",
)
def sampled_variance(log_p, log_q):
    return -log_q.mean(), log_q.var() / len(log_q)


@sampled_loss.wrong(
    "standard-error-wrong",
    seen="the variance divides by N: with few samples it is too small",
    expected="one degree of freedom less than samples",
)
def sampled_biased(log_p, log_q):
    return -log_q.mean(), log_q.std(correction=0) / math.sqrt(len(log_q))


@sampled_loss.wrong(
    "sign-flipped",
    seen="the estimate is negative",
    expected="a loss of at least 0",
)
def sampled_log_likelihood(log_p, log_q):
    return log_q.mean(), log_q.std() / math.sqrt(len(log_q))


@sampled_loss.wrong(
    "kl-for-cross-entropy",
    seen="the log-ratio of teacher and student is averaged",
    expected="the student's surprise alone",
)
def sampled_ratio(log_p, log_q):
    return sampled_loss.reference(log_p, log_q - log_p)


@sampled_loss.wrong(
    "entropy-for-cross-entropy",
    seen="the estimate does not depend on the student",
    expected="the surprise of the model that is trained",
)
def sampled_entropy(log_p, log_q):
    return sampled_loss.reference(log_q, log_p)


@sampled_loss.wrong(
    "sum-for-mean",
    seen="the estimate grows with the number of samples",
    expected="an estimate that settles as samples are added",
)
def sampled_sum(log_p, log_q):
    return -log_q.sum(), log_q.std() * math.sqrt(len(log_q))


# Way 4: the best output only, which is another loss


@code(
    source=("Q17", "Q08"),
    difficulty=2,
    minutes=6,
    prompt=(
        "Write `best_output_loss(log_p, log_q)`: for each of B inputs, the loss F4, which trains "
        "on the teacher's likeliest output alone, and the teacher's probability that this ignores. "
        "log_p and log_q (B, N) are the log-probabilities of all outputs; return two tensors (B,)."
    ),
    hints=(
        "F4 treats the teacher's favourite as if it had probability 1.",
        "The teacher chooses the output, the student is scored on it. All the rest is ignored.",
        "argmax of log_p in each row; -log_q there; 1 minus the teacher's probability there.",
    ),
    explanation=(
        "Finding a likely output is a search, not a sum: that solves the cost. The ignored "
        "probability is what the student is no longer told."
    ),
)
def best_output_loss(log_p, log_q):
    """F4, and the teacher's probability of all other outputs. (B, N), (B, N) -> (B,), (B,)"""
    best = log_p.argmax(dim=-1, keepdim=True)
    loss = -log_q.gather(-1, best).squeeze(-1)
    return loss, 1 - log_p.gather(-1, best).squeeze(-1).exp()


best_output_loss.probe("four inputs, five outputs", *_pair(4, 5, seed=361))
best_output_loss.probe("two inputs, nine outputs", *_pair(2, 9, seed=362))
best_output_loss.probe("three inputs, two outputs", *_pair(3, 2, seed=363))
best_output_loss.probe("five inputs, six outputs", *_pair(5, 6, seed=364))
best_output_loss.probe("a perfect student", *2 * _pair(3, 4, seed=365)[:1])


@best_output_loss.also
def best_output_loss_in_loops(log_p, log_q):
    losses, ignored = [], []
    for a, b in zip(log_p.tolist(), log_q.tolist()):
        best = a.index(max(a))
        losses.append(-b[best])
        ignored.append(sum(math.exp(x) for x in a) - math.exp(a[best]))
    return losses, ignored


def _loss_and_rest(log_p, log_q, where):
    """The student's loss at `where`, and the teacher's probability of everything else."""
    at = where[:, None]
    return -log_q.gather(-1, at).squeeze(-1), 1 - log_p.gather(-1, at).squeeze(-1).exp()


best_output_loss.symptom(
    "weighed-by-student",
    seen="the loss is that of the output which the student finds likeliest",
    expected="a choice that does not depend on the student",
)(matches(best_output_loss, lambda log_p, log_q: -log_q.max(dim=-1).values, part=0))
best_output_loss.symptom(
    "kl-for-cross-entropy",
    seen="the teacher's log-probability of the chosen output is subtracted from the loss",
    expected="the student's surprise alone",
)(
    matches(
        best_output_loss,
        lambda log_p, log_q: log_p.max(dim=-1).values + best_output_loss.reference(log_p, log_q)[0],
        part=0,
    )
)
best_output_loss.symptom(
    "log-for-probability",
    seen="the second result is above 1: a log-probability was subtracted",
    expected="a share of probability",
)(matches(best_output_loss, lambda log_p, log_q: 1 - log_p.max(dim=-1).values, part=1))
best_output_loss.symptom(
    "batch-for-row",
    seen="there is one loss for all inputs together",
    expected="one loss for each input",
)(shaped("four inputs, five outputs", part=0))
best_output_loss.symptom(
    "batch-for-row",
    seen="the same output is scored for all inputs: the top of the whole batch",
    expected="every input has a likeliest output of its own",
)(
    matches(
        best_output_loss,
        lambda log_p, log_q: -log_q[:, log_p.argmax() % log_p.shape[1]],
        part=0,
    )
)


@best_output_loss.wrong(
    "weighed-by-student",
    seen="the output that the student likes best is scored",
    expected="the teacher chooses the output",
)
def best_of_student(log_p, log_q):
    return _loss_and_rest(log_p, log_q, log_q.argmax(dim=-1))


@best_output_loss.wrong(
    "weighed-by-student",
    seen="the second result depends on the student",
    expected="a share of the teacher's probability",
)
def best_with_students_rest(log_p, log_q):
    loss, _ = best_output_loss.reference(log_p, log_q)
    return loss, 1 - (-loss).exp()


@best_output_loss.wrong(
    "top-entry-only",
    seen="the loss is a single term of F2, still multiplied by its weight",
    expected="the chosen output counts as certain",
)
def best_weighed(log_p, log_q):
    loss, rest = best_output_loss.reference(log_p, log_q)
    return (1 - rest) * loss, rest


@best_output_loss.wrong(
    "whole-for-part",
    seen="all outputs enter the loss",
    expected="one output for each input",
)
def best_of_all(log_p, log_q):
    loss = -(log_p.exp() * log_q).sum(dim=-1)
    return loss, best_output_loss.reference(log_p, log_q)[1]


@best_output_loss.wrong(
    "whole-for-part",
    seen="the second result is the probability that is kept; the two add up to 1",
    expected="the part that is lost",
)
def best_with_kept(log_p, log_q):
    loss, rest = best_output_loss.reference(log_p, log_q)
    return loss, 1 - rest


@best_output_loss.wrong(
    "entropy-for-cross-entropy",
    seen="the loss does not change when the student does",
    expected="the student's log-probability of what the teacher chose",
)
def best_without_student(log_p, log_q):
    return best_output_loss.reference(log_p, log_p)


@best_output_loss.wrong(
    "sign-flipped",
    seen="the losses are negative",
    expected="losses of at least 0",
)
def best_without_minus(log_p, log_q):
    loss, rest = best_output_loss.reference(log_p, log_q)
    return -loss, rest


@best_output_loss.wrong(
    "probs-for-log-probs",
    seen="the losses lie between -1 and 0: probabilities, not their logarithms",
    expected="logarithms, with the sign of a loss",
)
def best_of_probabilities(log_p, log_q):
    loss, rest = best_output_loss.reference(log_p, log_q)
    return -(-loss).exp(), rest


@best_output_loss.wrong(
    "wrong-word",
    seen="the first output is always scored",
    expected="the output depends on the input",
)
def best_is_first(log_p, log_q):
    return _loss_and_rest(log_p, log_q, torch.zeros(len(log_p), dtype=torch.int64))


@best_output_loss.wrong(
    "batch-for-row",
    seen="there is one pair of numbers for the whole batch",
    expected="a pair of numbers for each input",
)
def best_mean_of_batch(log_p, log_q):
    return tuple(part.mean() for part in best_output_loss.reference(log_p, log_q))


one_output_per_input = choice(
    "one-output-per-input",
    source=("Q17", "Q14", "Q04", "Q08"),
    difficulty=2,
    minutes=3,
    prompt=(
        "For 'Je suis content' a teacher finds 200,000 outputs possible: 'I am happy' (0.5), 'I'm "
        "happy' (0.3), 'I am glad' (0.1), and so on. Instead of summing over all of them, a team "
        "lets the teacher write its best output once per input and trains on that. What is gained, "
        "what lost?"
    ),
    hints=(
        "Count the terms before and after.",
        "What does the new target say about 'I'm happy'?",
        "A best output is no random output: its average over many inputs is not F2.",
    ),
    options=(
        right(
            "One term instead of 200,000 is paid for; how likely the other outputs were is lost, "
            "and a good alternative counts as a mistake.",
            "The sum over all outputs is there to carry the relations between them; the best "
            "output alone does not tell 'I'm happy' from nonsense.",
        ),
        wrong(
            "The cost is solved and nothing is lost: a user is shown the best output anyway.",
            "hard-for-soft",
            seen="the first choice is taken for all that the teacher knows",
            expected="what the teacher says about the outputs that it does not choose",
        ),
        wrong(
            "The cost is solved without a bias: one output per input estimates F2 well on average.",
            "mode-for-sample",
            seen="the likeliest output is treated like one that was drawn at random",
            expected="a look at the second-likeliest output, which is never written",
        ),
        wrong(
            "The targets become correct: a written translation is a label, a distribution is not.",
            "labels-for-teacher",
            seen="the teacher's own text is taken for the truth",
            expected="what changes although the source of the targets is the same",
        ),
    ),
)


# Sums over outputs of different lengths


_TRANSLATIONS = ((0.6, 4, 0.30), (0.4, 10, 0.25))  # probability, tokens, loss of each token


@number(
    source=("Q13",),
    difficulty=2,
    minutes=4,
    decimals=2,
    unit="nats",
    prompt=(
        "A teacher translates a sentence in 4 tokens with probability 0.6 and in 10 tokens with "
        "probability 0.4. A training strategy gives a student the token loss 0.30 at every token "
        "of the short translation and 0.25 at every token of the long one. What is its F2?"
    ),
    hints=(
        "F2 needs the log-probability of each whole translation.",
        "The loss of a translation is the sum of its token losses.",
        "Two sums, weighed with 0.6 and 0.4.",
    ),
    explanation=(
        "Length counts in F2: the long translation costs more although its tokens are better. A "
        "mean per token would reverse that; say which of the two is compared."
    ),
)
def loss_of_two_translations():
    """F2 of the two translations, in nats."""
    return 0.6 * (4 * 0.30) + 0.4 * (10 * 0.25)


loss_of_two_translations.wrong(
    "mean-for-sum",
    sum(p * loss for p, _, loss in _TRANSLATIONS),
    seen="each translation enters with its mean token loss; length has no effect",
    expected="the loss of whole translations",
)
loss_of_two_translations.wrong(
    "mean-for-sum",
    loss_of_two_translations.value / sum(p * tokens for p, tokens, _ in _TRANSLATIONS),
    seen="the value is divided by the average length: a loss for each token",
    expected="a loss for each output",
)
loss_of_two_translations.wrong(
    "weights-missing",
    sum(tokens * loss for _, tokens, loss in _TRANSLATIONS),
    seen="the two sums are added without weights",
    expected="the teacher writes one of the two, and not equally often",
)
loss_of_two_translations.wrong(
    "weights-missing",
    sum(tokens * loss for _, tokens, loss in _TRANSLATIONS) / 2,
    seen="both translations weigh the same",
    expected="the teacher's probabilities as weights",
)
loss_of_two_translations.wrong(
    "hard-for-soft",
    _TRANSLATIONS[0][1] * _TRANSLATIONS[0][2],
    seen="only the likelier translation enters",
    expected="both translations enter",
)
loss_of_two_translations.wrong(
    "top-entry-only",
    math.prod(_TRANSLATIONS[0]),
    seen="one of two terms is there",
    expected="a term for each translation",
)
