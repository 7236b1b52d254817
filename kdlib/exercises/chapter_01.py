"""Exercises of chapter 1: teacher and student (Q01-Q05)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

from kdlib.exercises.choices import choice, right, wrong
from kdlib.exercises.derivations import derivation
from kdlib.exercises.functions import code
from kdlib.exercises.inputs import distributions, normal
from kdlib.exercises.numbers import number
from kdlib.exercises.orderings import ordering

# What the student sees, and what that buys

what_the_student_sees = choice(
    "what-the-student-sees",
    source=("Q01",),
    difficulty=1,
    minutes=2,
    prompt=(
        "A team has a large translation model on a server and needs a small one on a phone. It uses "
        "response-based distillation. What does the small model get to see of the large one?"
    ),
    hints=(
        "Read the name of the method again: which part of the teacher is a response?",
        "Could the method be used if the teacher were reachable only through a web service?",
        "Neither weights nor layers leave the server, only what the teacher answers.",
    ),
    options=(
        wrong(
            "Its weights: the most important ones are copied into the smaller network.",
            "parameters-copied",
            seen="weights of one network are to fit into a network of another shape",
            expected="something that exists for any two architectures",
        ),
        wrong(
            "The activations of its hidden layers, which the student's layers are trained to match.",
            "features-for-responses",
            seen="the plan needs the inside of the teacher; that is another family of methods",
            expected="something that a teacher behind a web service can give too",
        ),
        right(
            "Its outputs: for each input, the distribution over outputs that it answers with.",
            "The two models may have different architectures, and may even be owned by different people.",
        ),
        wrong(
            "Nothing of it: both are trained on the same human translations.",
            "labels-for-teacher",
            seen="the teacher has no part in this plan at all",
            expected="a signal that comes from the teacher",
        ),
    ),
)


@code(
    source=("Q01",),
    difficulty=1,
    minutes=4,
    prompt=(
        "A server's model has to become small enough for a phone. Write `times_smaller(teacher, "
        "student)`: how many times less memory the student's parameters need. Each argument is a "
        "pair (number of parameters, bytes for each)."
    ),
    hints=(
        "Memory is a number of parameters times a number of bytes.",
        "Work out both sizes, then divide the larger by the smaller.",
        "Two ratios multiply: that of the parameters and that of the bytes.",
    ),
    explanation="Distillation and quantisation are independent, so their factors multiply.",
)
def times_smaller(teacher, student):
    """How many times less memory the student's parameters need than the teacher's. -> number"""
    return (teacher[0] * teacher[1]) / (student[0] * student[1])


times_smaller.probe("1.2 billion of 4 bytes, 60 million of 1", (1.2e9, 4), (60e6, 1))
times_smaller.probe("7 billion of 2 bytes, 1 billion of 2", (7e9, 2), (1e9, 2))
times_smaller.probe("half a byte each in the student", (3e9, 2), (5e8, 0.5))
times_smaller.probe("the same network in fewer bytes", (1e8, 4), (1e8, 1))


@times_smaller.also
def times_smaller_by_ratios(teacher, student):
    fewer, smaller = (t / s for t, s in zip(teacher, student))
    return fewer * smaller


@times_smaller.wrong(
    "precision-forgotten",
    seen="only the numbers of parameters are compared",
    expected="the bytes of each parameter count as well",
)
def times_fewer_parameters(teacher, student):
    return teacher[0] / student[0]


@times_smaller.wrong(
    "parameters-forgotten",
    seen="only the bytes for each parameter are compared",
    expected="the numbers of parameters count as well",
)
def times_fewer_bytes(teacher, student):
    return teacher[1] / student[1]


@times_smaller.wrong(
    "ratio-turned-round",
    seen="the student's size is divided by the teacher's",
    expected="a number above 1 when the student is smaller",
)
def times_larger(teacher, student):
    return (student[0] * student[1]) / (teacher[0] * teacher[1])


@times_smaller.wrong(
    "ratio-turned-round",
    seen="the two ratios work against each other",
    expected="both fewer parameters and fewer bytes make the student smaller",
)
def times_against_each_other(teacher, student):
    return (teacher[0] / student[0]) / (teacher[1] / student[1])


@times_smaller.wrong(
    "ratio-and-difference",
    seen="the result is a difference of sizes, in bytes",
    expected="a ratio, which does not change when both sizes double",
)
def bytes_saved(teacher, student):
    return teacher[0] * teacher[1] - student[0] * student[1]


# Distributions and temperature


@code(
    source=("Q03",),
    difficulty=1,
    minutes=5,
    prompt=(
        "Write `soften(logits, temperature)`: the probabilities at a temperature, over the last "
        "dimension. Logits of any size must be safe: 10000 is a legal logit."
    ),
    hints=(
        "A high temperature makes differences between logits matter less.",
        "Temperature acts on the logits, before they become probabilities.",
        "`torch.softmax(..., dim=-1)` of the logits divided by something.",
    ),
)
def soften(logits, temperature):
    """Probabilities of the logits at a temperature; every row sums to 1. (..., V) -> (..., V)"""
    return torch.softmax(logits / temperature, dim=-1)


soften.probe("temperature 1", normal(3, 5, seed=1), 1.0)
soften.probe("temperature 4", normal(3, 5, seed=2, scale=3.0), 4.0)
soften.probe("temperature 1/2", normal(4, 2, seed=3), 0.5)
soften.probe("three dimensions", normal(2, 3, 4, seed=4), 2.0)
soften.probe("a single row", normal(6, seed=5), 3.0)
soften.probe(
    "huge logits",
    torch.tensor([[10000.0, 9998.0, 0.0], [-20000.0, -20004.0, -20001.0]]),
    2.0,
    points_to="softmax-overflow",
    expected="finite probabilities, however large the logits are",
)


@soften.also
def soften_by_hand(logits, temperature):
    scaled = logits / temperature
    weights = torch.exp(scaled - scaled.max(dim=-1, keepdim=True).values)
    return weights / weights.sum(dim=-1, keepdim=True)


@soften.wrong(
    "temperature-inverted",
    seen="at temperature 4 the rows are sharper than at temperature 1",
    expected="a higher temperature makes rows flatter",
)
def soften_times(logits, temperature):
    return torch.softmax(logits * temperature, dim=-1)


@soften.wrong(
    "temperature-after-softmax",
    seen="at temperature 4 the rows sum to 1/4",
    expected="rows that sum to 1 at every temperature",
)
def soften_probabilities(logits, temperature):
    return torch.softmax(logits, dim=-1) / temperature


@soften.wrong(
    "temperature-after-softmax",
    seen="every row is nearly uniform, already at temperature 1",
    expected="at temperature 1 the ordinary probabilities",
)
def soften_twice(logits, temperature):
    return torch.softmax(torch.softmax(logits, dim=-1) / temperature, dim=-1)


@soften.wrong(
    "temperature-ignored",
    seen="all temperatures give the same rows",
    expected="rows that change with the temperature",
)
def soften_not(logits, temperature):
    return torch.softmax(logits, dim=-1)


@soften.wrong(
    "softmax-wrong-axis",
    seen="columns sum to 1, rows do not",
    expected="every row over the last dimension sums to 1",
)
def soften_columns(logits, temperature):
    return torch.softmax(logits / temperature, dim=0)


@soften.wrong(
    "softmax-wrong-axis",
    seen="all rows together sum to 1",
    expected="each row sums to 1 by itself",
)
def soften_everything(logits, temperature):
    return torch.softmax((logits / temperature).flatten(), dim=0).reshape(logits.shape)


@soften.wrong(
    "log-for-probability",
    seen="all results are negative or 0",
    expected="numbers from 0 to 1",
)
def soften_logarithms(logits, temperature):
    return torch.log_softmax(logits / temperature, dim=-1)


@soften.wrong(
    "softmax-overflow",
    seen="right for small logits, NaN for huge ones",
    expected="the same care for huge logits, where exp() overflows",
)
def soften_naively(logits, temperature):
    weights = torch.exp(logits / temperature)
    return weights / weights.sum(dim=-1, keepdim=True)


@soften.wrong(
    "hard-for-soft",
    seen="every row is one-hot",
    expected="rows that keep something for the less likely words",
)
def soften_hard(logits, temperature):
    return F.one_hot(logits.argmax(dim=-1), logits.shape[-1]).float()


@soften.wrong(
    "logits-for-probabilities",
    seen="scaled logits are divided by their sum, so that negative logits give negative shares",
    expected="shares that are never negative",
)
def soften_shares(logits, temperature):
    return logits / logits.sum(dim=-1, keepdim=True)


@soften.wrong(
    "logits-for-probabilities",
    seen="the results are the scaled logits themselves",
    expected="probabilities: between 0 and 1, with sum 1",
)
def soften_without_softmax(logits, temperature):
    return logits / temperature


temperature_and_odds = derivation(
    "temperature-and-odds",
    source=("Q03",),
    difficulty=2,
    minutes=4,
    symbols=("a", "b", "T"),
    prompt=(
        "Two words have the logits a and b. At temperature T their probabilities are p and r. Fill in:\n\n"
        "- log(p / r) = [1], since the normaliser cancels.\n"
        "- At T = 1 the first word is 81 times as likely as the second. At T = 4 it is [2] times as likely.\n"
        "- As T grows without bound, p / r tends to [3]."
    ),
    hints=(
        "Write both probabilities with the same denominator, then divide.",
        "Temperature divides the log-odds; what does that do to the odds?",
        "Dividing a logarithm by 4 is taking a fourth root.",
    ),
    blanks=("(a - b) / T", "3", "1"),
    explanation="Temperature T takes the T-th root of all odds: the order stays, the distances shrink.",
)
temperature_and_odds.wrong(
    1,
    "(a - b) * T",
    "temperature-inverted",
    seen="blank [1] grows with T",
    expected="odds that come closer to even as T grows",
)
temperature_and_odds.wrong(
    1,
    "a - b",
    "temperature-ignored",
    seen="blank [1] does not contain T",
    expected="log-odds that depend on the temperature",
)
temperature_and_odds.wrong(
    1,
    "a / b",
    "ratio-and-difference",
    seen="blank [1] is a quotient of logits; adding 1 to both logits would change it",
    expected="something that stays when the same number is added to both logits",
)
temperature_and_odds.wrong(
    2,
    "81/4",
    "temperature-after-softmax",
    seen="blank [2] divides the odds themselves by 4",
    expected="the logarithm of the odds is what is divided",
)
temperature_and_odds.wrong(
    2,
    "81**4",
    "temperature-inverted",
    seen="blank [2] makes the odds more extreme",
    expected="a high temperature brings odds closer to even",
)
temperature_and_odds.wrong(
    3,
    "0",
    "log-for-probability",
    seen="blank [3] is the limit of the log-odds",
    expected="the limit of the odds themselves",
)


# What makes a target informative


@code(
    source=("Q03",),
    difficulty=2,
    minutes=6,
    prompt=(
        "Write `target_entropy(p)`: the entropy in nats of each row of probabilities. Rows may hold "
        "exact zeros; a one-hot row has entropy 0."
    ),
    hints=(
        "Entropy is the expected surprise: weigh -log p with p itself.",
        "Sum over the last dimension only, and mind what 0 * log 0 gives in floating point.",
        "`torch.special.entr` knows about 0; so does `torch.xlogy`.",
    ),
)
def target_entropy(p):
    """Entropy of each row of probabilities, in nats. (..., V) -> (...)"""
    return torch.special.entr(p).sum(dim=-1)


target_entropy.probe("five rows over three words", distributions(5, 3, seed=11))
target_entropy.probe("two rows over seven words", distributions(2, 7, seed=12))
target_entropy.probe("three dimensions", distributions(2, 3, 4, seed=13))
target_entropy.probe("a single row", distributions(6, seed=14))
target_entropy.probe("the uniform row", torch.full((1, 8), 1 / 8))
target_entropy.probe(
    "one-hot rows",
    torch.tensor([[0.0, 1.0, 0.0], [0.5, 0.0, 0.5]]),
    points_to="zero-log-zero",
    expected="0 log 0 counts as 0",
)


@target_entropy.also
def target_entropy_in_loops(p):
    if p.dim() > 1:
        return torch.stack([target_entropy_in_loops(row) for row in p])
    return torch.tensor(sum(-x * math.log(x) for x in p.tolist() if x > 0))


@target_entropy.wrong(
    "sign-flipped",
    seen="every entropy is negative",
    expected="an entropy is at least 0",
)
def target_entropy_negative(p):
    return torch.xlogy(p, p).sum(dim=-1)


@target_entropy.wrong(
    "nats-for-bits",
    seen="the uniform row over eight words gives a whole number: bits",
    expected="natural logarithms",
)
def target_entropy_in_bits(p):
    return torch.special.entr(p).sum(dim=-1) / math.log(2)


@target_entropy.wrong(
    "mean-over-vocab",
    seen="the more words there are, the smaller the entropy of a uniform row",
    expected="entropy grows with the number of equally likely words",
)
def target_entropy_mean(p):
    return torch.special.entr(p).mean(dim=-1)


@target_entropy.wrong(
    "zero-log-zero",
    seen="a row with an exact zero gives NaN",
    expected="a word that is impossible adds nothing",
)
def target_entropy_nan(p):
    return -(p * p.log()).sum(dim=-1)


@target_entropy.wrong(
    "batch-for-row",
    seen="there is one value for the whole batch",
    expected="one value for each row",
)
def target_entropy_of_batch(p):
    return torch.special.entr(p).sum()


@target_entropy.wrong(
    "batch-for-row",
    seen="there is one value for the whole batch, the mean of the rows",
    expected="one value for each of the rows",
)
def target_entropy_batch_mean(p):
    return torch.special.entr(p).sum(dim=-1).mean()


@target_entropy.wrong(
    "wrong-axis",
    seen="the sums run over the rows: one value for each word",
    expected="one value for every row, not for every word",
)
def target_entropy_columns(p):
    return torch.special.entr(p).sum(dim=0)


@target_entropy.wrong(
    "weights-missing",
    seen="surprises are added up without weights; rare words dominate",
    expected="each surprise is weighed with its probability",
)
def target_entropy_unweighted(p):
    return -p.log().sum(dim=-1)


@target_entropy.wrong(
    "softmax-twice",
    seen="all rows look nearly uniform, as if softmax had been applied to probabilities",
    expected="the rows are probabilities already",
)
def target_entropy_of_softmax(p):
    return torch.special.entr(torch.softmax(p, dim=-1)).sum(dim=-1)


@target_entropy.wrong(
    "top-entry-only",
    seen="only the largest entry of a row matters",
    expected="all entries of a row matter",
)
def target_entropy_top(p):
    return -p.max(dim=-1).values.log()


most_informative_target = choice(
    "most-informative-target",
    source=("Q03",),
    difficulty=1,
    minutes=3,
    prompt=(
        "'The cat sat on the ___'. Four teachers give four distributions over the words "
        "(mat, sofa, floor, moon). Which teaches a student most about the language?"
    ),
    hints=(
        "Ask of each target: which words does it tell apart?",
        "Two of the four treat sofa and moon alike.",
        "Of the other two, ask whether what they prefer makes sense.",
    ),
    options=(
        wrong(
            "(1, 0, 0, 0)",
            "hard-for-soft",
            seen="this target treats sofa, floor and moon alike: all are equally wrong",
            expected="a target that also ranks the alternatives",
        ),
        wrong(
            "(0.25, 0.25, 0.25, 0.25)",
            "flat-for-informative",
            seen="this target has the largest entropy and tells no two words apart",
            expected="a target that prefers some words to others",
        ),
        wrong(
            "(0.02, 0.02, 0.01, 0.95)",
            "confident-for-right",
            seen="this target is decided, and most of its mass is on nonsense",
            expected="a target whose mass is on words that fit",
        ),
        right(
            "(0.60, 0.22, 0.16, 0.02)",
            "It names the best word and also says that sofa and floor would do and moon would not.",
        ),
    ),
)


@code(
    source=("Q03", "Q04"),
    difficulty=2,
    minutes=6,
    prompt=(
        "How much does a target tell apart? Write `pairs_told_apart(p, tolerance)`: for each row of "
        "probabilities, the number of pairs of different words whose probabilities differ by more "
        "than `tolerance`. A pair counts once."
    ),
    hints=(
        "A one-hot row over five words tells 4 pairs apart, a uniform row none.",
        "Make a table of all differences with `p[..., :, None] - p[..., None, :]`.",
        "The table holds each pair twice, once with each sign.",
    ),
    explanation="A one-hot target tells V - 1 pairs apart, a soft one up to V (V - 1) / 2.",
)
def pairs_told_apart(p, tolerance):
    """Number of word pairs in each row that differ by more than the tolerance. (..., V) -> (...)"""
    gaps = p[..., :, None] - p[..., None, :]
    return (gaps > tolerance).sum(dim=(-2, -1))


pairs_told_apart.probe("soft rows", distributions(4, 5, seed=21), 0.02)
pairs_told_apart.probe("another tolerance", distributions(3, 6, seed=22), 0.15)
pairs_told_apart.probe("one-hot rows", torch.eye(5)[[2, 0, 4]], 0.01)
pairs_told_apart.probe("a uniform row", torch.full((1, 4), 0.25), 0.01)
pairs_told_apart.probe("a single row", torch.tensor([0.5, 0.0, 0.25, 0.25]), 0.125)
pairs_told_apart.probe(
    "falling rows", distributions(2, 7, seed=23).sort(descending=True).values, 0.01
)


@pairs_told_apart.also
def pairs_told_apart_in_loops(p, tolerance):
    if p.dim() > 1:
        return [pairs_told_apart_in_loops(row, tolerance) for row in p]
    return sum(abs(p[i] - p[j]) > tolerance for i in range(len(p)) for j in range(i))


@pairs_told_apart.wrong(
    "double-counting",
    seen="every pair is counted twice",
    expected="the pair (sofa, moon) is the pair (moon, sofa)",
)
def pairs_told_apart_twice(p, tolerance):
    gaps = p[..., :, None] - p[..., None, :]
    return (gaps.abs() > tolerance).sum(dim=(-2, -1))


@pairs_told_apart.wrong(
    "top-entry-only",
    seen="only pairs with the most likely word are counted",
    expected="pairs among the alternatives count as well",
)
def pairs_told_apart_from_top(p, tolerance):
    return (p.max(dim=-1, keepdim=True).values - p > tolerance).sum(dim=-1)


@pairs_told_apart.wrong(
    "neighbours-only",
    seen="only neighbours in the vocabulary are compared",
    expected="every word is compared with every other word",
)
def pairs_told_apart_neighbours(p, tolerance):
    return (p.diff(dim=-1).abs() > tolerance).sum(dim=-1)


@pairs_told_apart.wrong(
    "batch-for-row",
    seen="there is one count for the whole batch",
    expected="one count for each row",
)
def pairs_told_apart_in_batch(p, tolerance):
    return (p[..., :, None] - p[..., None, :] > tolerance).sum()


@pairs_told_apart.wrong(
    "one-sign-only",
    seen="pairs are missed when the likelier word stands later in the vocabulary",
    expected="the order of the vocabulary makes no difference",
)
def pairs_told_apart_one_sign(p, tolerance):
    gaps = p[..., :, None] - p[..., None, :]
    return (gaps > tolerance).triu().sum(dim=(-2, -1))


@pairs_told_apart.wrong(
    "flat-for-informative",
    seen="a uniform row gets the highest count",
    expected="a row that prefers no word tells none apart",
)
def pairs_told_apart_similar(p, tolerance):
    gaps = p[..., :, None] - p[..., None, :]
    return (gaps.abs() <= tolerance).triu(1).sum(dim=(-2, -1))


@code(
    source=("Q03", "Q04"),
    difficulty=3,
    minutes=8,
    prompt=(
        "Dark knowledge is what a teacher says about all the words that it does not choose. Write "
        "`dark_knowledge(p)`: in each row set the most likely word to 0 (the first one, if several "
        "are equally likely) and renormalise the rest. A one-hot row has nothing left: give zeros."
    ),
    hints=(
        "Two steps: remove one entry in each row, then divide by what is left.",
        "`argmax(dim=-1, keepdim=True)` with `scatter` removes; the remaining sum may be 0.",
        "Divide by `rest.sum(-1, keepdim=True)`, but by 1 where that sum is 0.",
    ),
)
def dark_knowledge(p):
    """Each row without its most likely word, renormalised; zeros where nothing is left. (..., V) -> (..., V)"""
    rest = p.scatter(-1, p.argmax(dim=-1, keepdim=True), 0.0)
    left = rest.sum(dim=-1, keepdim=True)
    return rest / left.where(left > 0, torch.ones_like(left))


dark_knowledge.probe("soft rows", distributions(4, 3, seed=31))
dark_knowledge.probe("more words", distributions(2, 6, seed=32))
dark_knowledge.probe("three dimensions", distributions(2, 3, 5, seed=33))
dark_knowledge.probe("a single row", torch.tensor([0.2, 0.5, 0.3]))
dark_knowledge.probe(
    "a tie",
    torch.tensor([[0.4, 0.4, 0.2]]),
    points_to="ties-counted-twice",
    expected="one word is removed, also where two are equally likely",
)
dark_knowledge.probe(
    "a one-hot row",
    torch.tensor([[0.0, 1.0, 0.0], [0.3, 0.1, 0.6]]),
    points_to="zero-log-zero",
    expected="zeros where nothing is left, and no 0 / 0",
)


@dark_knowledge.also
def dark_knowledge_in_loops(p):
    if p.dim() > 1:
        return torch.stack([dark_knowledge_in_loops(row) for row in p])
    row = p.tolist()
    row[row.index(max(row))] = 0.0
    return torch.tensor([x / sum(row) if sum(row) else 0.0 for x in row])


@dark_knowledge.wrong(
    "rest-not-renormalised",
    seen="the rows sum to less than 1",
    expected="what is left is a distribution again",
)
def dark_knowledge_unnormalised(p):
    return p.scatter(-1, p.argmax(dim=-1, keepdim=True), 0.0)


@dark_knowledge.wrong(
    "zero-log-zero",
    seen="a one-hot row gives NaN",
    expected="zeros where nothing is left",
)
def dark_knowledge_nan(p):
    rest = p.scatter(-1, p.argmax(dim=-1, keepdim=True), 0.0)
    return rest / rest.sum(dim=-1, keepdim=True)


@dark_knowledge.wrong(
    "wrong-word",
    seen="the first word is removed, whichever is the most likely",
    expected="the most likely word of each row is removed",
)
def dark_knowledge_first(p):
    rest = p.clone()
    rest[..., 0] = 0.0
    left = rest.sum(dim=-1, keepdim=True)
    return rest / left.where(left > 0, torch.ones_like(left))


@dark_knowledge.wrong(
    "batch-for-row",
    seen="only the rows that hold the largest value of all lose a word",
    expected="each row loses its own most likely word",
)
def dark_knowledge_of_batch(p):
    rest = p.where(p < p.max(), torch.zeros_like(p))
    left = rest.sum(dim=-1, keepdim=True)
    return rest / left.where(left > 0, torch.ones_like(left))


@dark_knowledge.wrong(
    "ties-counted-twice",
    seen="where two words are equally likely, both are removed",
    expected="exactly one word is removed from each row",
)
def dark_knowledge_both(p):
    rest = p.where(p < p.max(dim=-1, keepdim=True).values, torch.zeros_like(p))
    left = rest.sum(dim=-1, keepdim=True)
    return rest / left.where(left > 0, torch.ones_like(left))


@dark_knowledge.wrong(
    "softmax-twice",
    seen="softmax is applied to the remaining probabilities; the removed word gets mass back",
    expected="renormalising is dividing by the sum",
)
def dark_knowledge_softmax(p):
    return torch.softmax(p.scatter(-1, p.argmax(dim=-1, keepdim=True), 0.0), dim=-1)


@dark_knowledge.wrong(
    "hard-for-soft",
    seen="what remains is the chosen word alone",
    expected="what remains are all the other words",
)
def dark_knowledge_inverted(p):
    return F.one_hot(p.argmax(dim=-1), p.shape[-1]).float()


# One string or a whole distribution


@number(
    source=("Q04",),
    difficulty=2,
    minutes=4,
    decimals=3,
    unit="nats",
    prompt=(
        "'Je suis content' becomes 'I am ___'. The teacher's next word is happy with probability "
        "0.60, glad 0.20, pleased 0.15, content 0.05. What is the entropy of this target, that is, "
        "what the single string 'I am happy' keeps silent about?"
    ),
    hints=(
        "Entropy is the expected surprise of the teacher at its own draws.",
        "Four terms, one for each word, each weighed with the word's probability.",
        "-(0.60 ln 0.60 + 0.20 ln 0.20 + ...)",
    ),
    explanation="The string alone calls glad and pleased as wrong as any nonsense.",
)
def je_suis_content():
    """Entropy of the teacher's target, in nats."""
    return -sum(p * math.log(p) for p in (0.60, 0.20, 0.15, 0.05))


_NEXT_WORD = (0.60, 0.20, 0.15, 0.05)
_ENTROPY = -sum(p * math.log(p) for p in _NEXT_WORD)
je_suis_content.wrong(
    "nats-for-bits",
    _ENTROPY / math.log(2),
    seen="the value is in bits",
    expected="natural logarithms",
)
je_suis_content.wrong(
    "nats-for-bits",
    _ENTROPY / math.log(10),
    seen="the logarithms are to base 10",
    expected="logarithms to base e",
)
je_suis_content.wrong(
    "string-for-distribution",
    -math.log(0.60),
    seen="the value is the surprise of the one string",
    expected="the surprises of all words, each with its weight",
)
je_suis_content.wrong(
    "top-entry-only",
    -0.60 * math.log(0.60),
    seen="the value is the term of happy alone",
    expected="the sum has a term for each word",
)
je_suis_content.wrong(
    "term-left-out",
    _ENTROPY + 0.60 * math.log(0.60),
    seen="the term of happy itself is missing",
    expected="the sum runs over all words, the best one too",
)
je_suis_content.wrong(
    "mean-over-vocab",
    _ENTROPY / 4,
    seen="the sum is divided by the number of words",
    expected="the probabilities are the weights; there is nothing more to divide by",
)
je_suis_content.wrong(
    "flat-for-informative",
    math.log(4),
    seen="the value is that of four equally likely words",
    expected="less than the entropy of a uniform target",
)
je_suis_content.wrong(
    "weights-missing",
    -sum(math.log(p) for p in _NEXT_WORD),
    seen="the surprises are added without weights",
    expected="a rare word's surprise counts rarely",
)


@code(
    source=("Q04",),
    difficulty=3,
    minutes=8,
    prompt=(
        "What does one target teach? A gradient step on the cross-entropy moves the student's logits "
        "along minus the gradient. Write `push(p, student_logits)`: that direction, for the teacher's "
        "probabilities `p` and the student's logits, at learning rate 1. A positive entry means "
        "that a word becomes more likely."
    ),
    hints=(
        "When the student agrees with the teacher, there is nothing to push.",
        "The gradient of cross-entropy in the logits is student minus teacher, as probabilities.",
        "Turn the student's logits into probabilities and take a difference.",
    ),
    explanation="Every word is pushed towards the teacher's probability, not only the best one.",
)
def push(p, student_logits):
    """The direction of one descent step on the cross-entropy, for the student's logits. (..., V) -> (..., V)"""
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
    expected="every word is pushed towards its own probability",
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
    "wrong-size-in-mean",
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


# What is fixed and what is trained


def _two_models(seed: int) -> tuple[nn.Module, nn.Module]:
    """A teacher with dropout that reads 6 numbers, and a student that reads 6 as well."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        teacher = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Dropout(0.5), nn.Linear(16, 5))
        student = nn.Linear(6, 5)
    return teacher.train(), student


def _loss_and_gradients(answer, teacher, student, x, x_short):
    """The loss; how strongly it pulls at the student; whether at the teacher; whether it is random."""
    loss = answer(teacher, student, x, x_short)
    if not isinstance(loss, torch.Tensor):
        raise TypeError("return the loss as a tensor, so that it has a gradient")
    if loss.requires_grad:
        loss.sum().backward()
    pull = [p.grad.norm() if p.grad is not None else torch.zeros(()) for p in student.parameters()]
    moved = any(p.grad is not None for p in teacher.parameters())
    torch.manual_seed(1)  # a second call meets other dropout, if there is any
    again = answer(teacher.train(), student, x, x_short)
    return loss, torch.stack(pull), moved, not torch.allclose(loss, again)


@code(
    source=("Q02",),
    difficulty=4,
    minutes=12,
    prompt=(
        "Write `distillation_step_loss(teacher, student, x, x_short)`: the forward KL from the "
        "teacher's distribution to the student's, averaged over the rows, as a scalar tensor. Both "
        "models are modules that return logits (B, V); the teacher contains dropout and comes in "
        "training mode. x is the full input, x_short the simplified one. See to it that the "
        "teacher's answer is not random and that only the student can learn."
    ),
    hints=(
        "Ask of each model: which input, which mode, and does it need a gradient?",
        "teacher.eval() switches dropout off; it does not switch gradients off.",
        (
            "Compute the teacher's log-softmax on x inside `with torch.no_grad():`, the student's "
            "on x_short outside of it, then sum p * (log p - log q) over the last dimension."
        ),
    ),
    explanation="Only the student's parameters stand under the argmin of the objective.",
)
def distillation_step_loss(teacher, student, x, x_short):
    """Mean over the rows of the KL from the teacher on x to the student on x_short. -> scalar"""
    teacher.eval()
    with torch.no_grad():
        log_p = torch.log_softmax(teacher(x), dim=-1)
    log_q = torch.log_softmax(student(x_short), dim=-1)
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1).mean()


for _seed, _rows in ((51, 4), (52, 7), (53, 3)):
    distillation_step_loss.probe(
        f"{_rows} rows",
        *_two_models(_seed),
        normal(_rows, 6, seed=_seed + 10, scale=2.0),
        normal(_rows, 6, seed=_seed + 20, scale=2.0),
        measure=_loss_and_gradients,
    )


@distillation_step_loss.symptom(
    "teacher-gets-gradient",
    seen="after backward() the teacher's parameters have gradients",
    expected="nothing flows into the teacher",
)
def _(results):
    return any(result[2] for result in results.values())


@distillation_step_loss.symptom(
    "student-gets-no-gradient",
    seen="after backward() the student's parameters have no gradients, though the loss is not 0",
    expected="the student is the one that learns",
)
def _(results):
    return all(float(r[1].max()) == 0 and abs(float(r[0])) > 1e-6 for r in results.values())


@distillation_step_loss.symptom(
    "teacher-used-as-student",
    seen="the loss is 0, and no gradient reaches the student",
    expected="a loss that depends on the student",
)
def _(results):
    return all(float(r[1].max()) == 0 and abs(float(r[0])) < 1e-6 for r in results.values())


@distillation_step_loss.symptom(
    "teacher-in-train-mode",
    seen="the teacher answers in training mode: its dropout makes the targets random",
    expected="a teacher that gives the same answer twice",
)
def _(results):
    return all(result[3] for result in results.values())


@distillation_step_loss.also
def distillation_step_loss_torch(teacher, student, x, x_short):
    with torch.inference_mode():
        target = teacher.eval()(x).softmax(-1)
    return F.kl_div(student(x_short).log_softmax(-1), target.clone(), reduction="batchmean")


def _answers(teacher, student, x, x_short):
    teacher.eval()
    with torch.no_grad():
        log_p = torch.log_softmax(teacher(x), dim=-1)
    return log_p, torch.log_softmax(student(x_short), dim=-1)


@distillation_step_loss.wrong(
    "full-input-for-student",
    seen="the student's answer depends on the full input",
    expected="the student reads what it will read when it is deployed",
)
def step_on_full_input(teacher, student, x, x_short):
    return distillation_step_loss.reference(teacher, student, x, x)


@distillation_step_loss.wrong(
    "simple-input-for-teacher",
    seen="the teacher's answer does not depend on the full input",
    expected="the teacher reads what it alone gets to read",
)
def step_on_short_input(teacher, student, x, x_short):
    return distillation_step_loss.reference(teacher, student, x_short, x_short)


@distillation_step_loss.wrong(
    "simple-input-for-teacher",
    seen="the two inputs are exchanged",
    expected="the full input for one model, the simplified one for the other: which is which?",
)
def step_exchanged(teacher, student, x, x_short):
    return distillation_step_loss.reference(teacher, student, x_short, x)


@distillation_step_loss.wrong(
    "teacher-gets-gradient",
    seen="after backward() the teacher has gradients, although it is in eval mode",
    expected="eval() is not no_grad(): nothing may flow into the teacher",
)
def step_without_no_grad(teacher, student, x, x_short):
    log_p = torch.log_softmax(teacher.eval()(x), dim=-1)
    log_q = torch.log_softmax(student(x_short), dim=-1)
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1).mean()


@distillation_step_loss.wrong(
    "teacher-in-train-mode",
    seen="the teacher is still in training mode: dropout makes its targets random",
    expected="the teacher gives the same answer when asked twice",
)
def step_with_dropout(teacher, student, x, x_short):
    with torch.no_grad():
        log_p = torch.log_softmax(teacher(x), dim=-1)
    log_q = torch.log_softmax(student(x_short), dim=-1)
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1).mean()


@distillation_step_loss.wrong(
    "student-gets-no-gradient",
    seen="the student is inside the block that protects the teacher",
    expected="a loss from which a gradient reaches the student",
)
def step_all_protected(teacher, student, x, x_short):
    with torch.no_grad():
        return distillation_step_loss.reference(teacher, student, x, x_short)


@distillation_step_loss.wrong(
    "teacher-used-as-student",
    seen="the loss is always 0",
    expected="the second distribution is the student's",
)
def step_teacher_twice(teacher, student, x, x_short):
    return distillation_step_loss.reference(teacher, teacher, x, x)


@distillation_step_loss.wrong(
    "kl-reversed",
    seen="the log-ratios are weighed with the student's probabilities",
    expected="the KL from the teacher: its probabilities are the weights",
)
def step_reversed(teacher, student, x, x_short):
    log_p, log_q = _answers(teacher, student, x, x_short)
    return (log_q.exp() * (log_q - log_p)).sum(dim=-1).mean()


@distillation_step_loss.wrong(
    "ce-called-kl",
    seen="the loss is too large by the teacher's entropy; its gradient is right",
    expected="a loss that is 0 when both models answer alike",
)
def step_cross_entropy(teacher, student, x, x_short):
    log_p, log_q = _answers(teacher, student, x, x_short)
    return -(log_p.exp() * log_q).sum(dim=-1).mean()


@distillation_step_loss.wrong(
    "hard-for-soft",
    seen="only the teacher's first choice enters the loss",
    expected="the teacher's whole distribution enters",
)
def step_hard(teacher, student, x, x_short):
    log_p, log_q = _answers(teacher, student, x, x_short)
    return F.nll_loss(log_q, log_p.argmax(dim=-1))


@distillation_step_loss.wrong(
    "probs-for-log-probs",
    seen="the loss is negative: the student's probabilities stand where logarithms are expected",
    expected="a loss of at least 0",
)
def step_of_probabilities(teacher, student, x, x_short):
    log_p, log_q = _answers(teacher, student, x, x_short)
    return (log_p.exp() * (log_p - log_q.exp())).sum(dim=-1).mean()


@distillation_step_loss.wrong(
    "logits-for-probabilities",
    seen="the logits themselves are compared, by their squared distance",
    expected="a comparison of the distributions",
)
def step_squared(teacher, student, x, x_short):
    teacher.eval()
    with torch.no_grad():
        target = teacher(x)
    return F.mse_loss(student(x_short), target)


@distillation_step_loss.wrong(
    "mean-over-vocab",
    seen="the loss is divided by the size of the vocabulary as well",
    expected="a sum over the vocabulary, a mean over the rows",
)
def step_mean_of_everything(teacher, student, x, x_short):
    log_p, log_q = _answers(teacher, student, x, x_short)
    return (log_p.exp() * (log_p - log_q)).mean()


@distillation_step_loss.wrong(
    "sum-for-mean",
    seen="the loss grows with the number of rows",
    expected="a mean over the rows",
)
def step_sum(teacher, student, x, x_short):
    log_p, log_q = _answers(teacher, student, x, x_short)
    return (log_p.exp() * (log_p - log_q)).sum()


what_is_trained = choice(
    "what-is-trained",
    source=("Q02",),
    difficulty=1,
    minutes=2,
    prompt=(
        "A teacher answers from a long instruction c and a user's input z. A student is distilled to "
        "answer from a short instruction c' and the same z. What is fixed, and what is trained?"
    ),
    hints=(
        "Under the argmin of the objective stands one set of parameters.",
        "The context changes from teacher to student; the user's input does not.",
        "Two options train only the student. They differ in what the student reads.",
    ),
    options=(
        right(
            "The teacher on (c, z) is fixed; the student's parameters are trained, on (c', z).",
            "The teacher is only asked. What the context c did must end up in the student's parameters.",
        ),
        wrong(
            "Both models are trained until they agree, each on its own input.",
            "teacher-trained",
            seen="a teacher that moves can meet the student at any common answer, also a useless one",
            expected="one of the two stays as it is",
        ),
        wrong(
            "The teacher on (c, z) is fixed; the student's parameters are trained, on (c, z) too.",
            "full-input-for-student",
            seen="this student still needs the long instruction that was to be saved",
            expected="the student reads what it will read in use",
        ),
        wrong(
            "The teacher's parameters are copied; then the instruction c' is searched for.",
            "parameters-copied",
            seen="no parameter is trained, and the student has the teacher's size",
            expected="parameters that learn from the teacher's answers",
        ),
    ),
)


# A plan for a phone

plan_for_a_phone = ordering(
    "plan-for-a-phone",
    source=("Q05",),
    difficulty=2,
    minutes=4,
    prompt=(
        "You compress a large language model for phones. Put the steps in an order in which each "
        "step has what it needs."
    ),
    hints=(
        "Start with what cannot be changed: the device.",
        "Before training come a student, inputs, and the teacher's answers to those inputs.",
        "A comparison needs the trained student and the same student trained without a teacher.",
    ),
    items=(
        "Measure the phone: memory, and tokens per second that users accept.",
        "Choose a student that fits these limits.",
        "Collect inputs like those that users will send.",
        "Ask the teacher for its distributions on these inputs.",
        "Train the student to match the distributions.",
        "Compare with the same student trained on the same data without a teacher.",
    ),
    explanation="Objective: the divergence from teacher to student, summed over the collected inputs.",
)
plan_for_a_phone.wrong(
    1,
    2,
    "bigger-is-better",
    seen="the student is chosen before the limits of the device are known",
    expected="a size that follows from the device",
)
plan_for_a_phone.wrong(
    5,
    6,
    "no-control",
    seen="the comparison comes before there is a trained student",
    expected="a comparison of two students that have been trained",
)
plan_for_a_phone.wrong(
    3,
    4,
    "data-size-irrelevant",
    seen="the teacher is asked before there are inputs to ask about",
    expected="inputs like those of the users come first",
)
plan_for_a_phone.wrong(
    2,
    5,
    "order-of-work",
    seen="training starts before there is a student",
    expected="a student that fits the device comes before training",
)
plan_for_a_phone.wrong(
    4,
    5,
    "labels-for-teacher",
    seen="the student is trained before the teacher has answered",
    expected="targets that come from the teacher",
)
