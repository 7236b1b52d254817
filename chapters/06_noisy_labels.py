# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 6. Noisy labels
#
# Three in ten of your labels are wrong. The teacher is reliable. Which way do
# you move lambda? Most people answer at once, and rightly. This chapter asks
# when the answer is right, how far to go, and what no lambda can repair. On
# the way we meet labels that get worse while the best lambda *falls*, and a
# teacher that is far worse than the labels and yet repairs them.
#
# **You will be able to**
#
# - move lambda the right way in every convention, minus sign or not;
# - say what noise does to labels, and what more labels do about it;
# - predict the best lambda from a few numbers, and say how far one data set
#   can be trusted to find it;
# - tell from a few checked labels whether any lambda will help;
# - keep noisy validation labels from choosing the wrong lambda.
#
# **Time**: about 2 h 20 min with the exercises. **Assumes**: chapter 5, the
# lambda trade-off.

# %%
from concurrent.futures import ThreadPoolExecutor

import torch
import torch.nn.functional as F

from kdlib.losses.divergences import cross_entropy, forward_kl
from kdlib.exercises import exercise, foreseen, predict
from kdlib.losses.objectives import lambda_of_alpha
from kdlib.plots import curves, distributions, explorable, table, words
from kdlib.plots.chapter_06 import maps, segments
from kdlib.toys.students import fit
from kdlib.toys.worlds import flip_labels, label_noise, random_world

# %% [markdown]
# ## 6.1 Which way?
#
# The smallest example: one place in a weather diary, three words. Three in ten
# of the labels there were replaced by one of the other two words. The teacher
# is not perfect, but close.

# %%
WORDS = ["sun", "rain", "snow"]
true_odds = torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64)
labelled = label_noise(true_odds.log(), rate=0.3).exp()
reliable = torch.tensor([0.66, 0.23, 0.11], dtype=torch.float64)

distributions({"truth": true_odds, "labels": labelled, "teacher": reliable},
              WORDS, alt=words("06-one-place"))

# %% [markdown]
# F6 is *maximised*: $\log Q(y) - \lambda\,\mathrm{KL}(P \| Q)$. Programs
# minimise, often $(1 - \alpha)\,\mathrm{CE} + \alpha\,\mathrm{KD}$, sometimes
# $\beta\,\mathrm{CE} + (1 - \beta)\,\mathrm{KD}$. **Predict** for each of
# lambda, alpha and beta: up or down?

# %%
which_way = {}
for alpha in (0.0, 0.2, 0.5, 0.8, 0.9, 1.0):
    student = (1 - alpha) * labelled + alpha * reliable
    which_way[f"{lambda_of_alpha(alpha):.2f}"] = {
        "alpha": f"{alpha:.1f}", "beta": f"{1 - alpha:.1f}",
        **dict(zip(WORDS, student)),
        "KL(truth||Q)": forward_kl(true_odds.log(), student.log()),
    }
table(which_way, dict.fromkeys(WORDS, ".3f"), corner="lambda")

# %% [markdown]
# Lambda up, alpha up, beta down. In words, for every convention: *more weight
# on the term of the source that is nearer to the truth*. Two things lead
# astray:
#
# - The minus in F6 does not turn the direction round. It has done its work in
#   the formula: the larger lambda, the more it costs to differ from the
#   teacher.
# - The name of a coefficient says nothing. Look at which term it multiplies.
#
# (It is the direction of the first step. How far to go, and for which teachers
# a step pays that are *not* nearer, are the questions of this chapter.)
#
# The baselines: the first row is training without a teacher, the last is the
# teacher alone. Here the last is the best, and no mixture beats it. Keep that
# in mind; chapter 5 had a student that passed its teacher.

# %%
exercise("noise-and-lambda")

# %%
# exercise: noise-and-lambda
answer = [..., ..., ..., ...]  # one text for each blank
exercise("noise-and-lambda").check(answer)

# %% [markdown]
# ## 6.2 Does noise average out?
#
# You collect many more of these labels, and many more again. **Predict:** does
# a student that learns their frequencies get closer and closer to the truth?

# %%
def counted(labels):
    """Relative frequencies of the three words, as logarithms."""
    return (labels.bincount(minlength=3).double() / len(labels)).log()


def three_distances(n, seed):
    """Clean from truth, noisy from truth, noisy from the noisy labels."""
    dice = torch.Generator().manual_seed(seed)
    sampled = true_odds.multinomial(n, True, generator=dice)
    noisy = counted(flip_labels(sampled, 0.3, 3, dice))
    pairs = ((true_odds, counted(sampled)), (true_odds, noisy),
             (labelled, noisy))
    return torch.stack([forward_kl(p.log(), log_q) for p, log_q in pairs])

# %%
COLUMNS = ("clean labels", "noisy labels", "noisy, from their own odds")
table({
    n: dict(zip(COLUMNS, torch.stack(
        [three_distances(n, seed) for seed in range(20)]).mean(dim=0)))
    for n in (100, 1000, 10_000, 100_000)
}, corner="labels; mean KL of 20 data sets")

# %% [markdown]
# No. Two kinds of error have to be kept apart for the rest of the chapter.
# **Scatter** shrinks with the number of labels: the first column and the last.
# **Noise** does not: the middle column stops at the distance between the truth
# and the noisy labels' own distribution. More labels teach *that* distribution
# ever better.
#
# For symmetric noise, which replaces a label by any of the others with equal
# chance, the distribution is exact:
#
# $$L = (1 - r) P_0 + r \, \frac{1 - P_0}{V - 1},$$
#
# where $P_0$ is the truth and r the rate. Read the formula again: the labels
# are a mixture of the truth with the *uniform* distribution, the ignorant
# teacher of chapter 5, whose share is $r V / (V - 1)$. **Symmetric noise is an
# ignorant teacher that you cannot switch off.**
#
# A whole language now: a diary of six words in which any word may follow any
# other. **Predict:** at what rate of noise is the most frequent label no
# longer the right word?

# %%
predict("06-favourite-lost")

# %%
world = random_world("sun rain wind snow fog .", seed=3)
V, visits, clean = world.vocab_size, world.visits(), world.log_rows().exp()
UNIFORM = torch.full_like(clean, 1 / V)


def distance(q):
    """KL(truth||Q) of a diary entry, exact: (..., V, V) -> (...), in nats."""
    return (visits * forward_kl(clean.log(), q.log())).sum(dim=-1)


def noisy_rows(rate):
    """The labels' distribution after each word, (V, V)."""
    return world.with_label_noise(rate).log_rows().exp()

# %%
what_noise_does = {}
for rate in (0.0, 0.2, 0.4, 0.6, 0.8, 0.9):
    noisy, share = noisy_rows(rate), rate * V / (V - 1)
    assert torch.allclose(noisy, (1 - share) * clean + share * UNIFORM)
    kept = (noisy.argmax(dim=-1) == clean.argmax(dim=-1)).sum().item()
    what_noise_does[rate] = {
        "share of uniform": f"{share:.2f}",
        "KL from the truth": distance(noisy),
        "favourites kept": f"{kept} of {V}",
    }
print(f"the uniform distribution: KL {distance(UNIFORM):.3f}")
table(what_noise_does, ".3f", corner="rate")

# %% [markdown]
# The last column is a surprise for many. With a rate of 0.8 the most frequent
# label is still the right word, after every word. The order of words turns
# only where the uniform share passes 1: at a rate of 0.9 the right word is the
# *rarest* label. Whoever needs the probabilities pays for each wrong label.
#
# The table is for labels without end. **Predict:** do the favourites survive
# as well if there are only 300 entries, or 30?

# %%
predict("06-few-entries")

# %%
def noisy_frequencies(rate, seed, entries=300):
    """Frequencies (V, V) of noisy labels after each word."""
    diary = world.sample(entries, length=60, seed=seed)
    dice = torch.Generator().manual_seed(1000 + seed)
    labels = flip_labels(diary.tokens, rate, V, dice)
    counts = world.transition_counts(diary, labels)
    return counts / counts.sum(dim=-1, keepdim=True)


def favourites(rows):
    """How many most likely words are the true ones, mean of data sets."""
    right = rows.argmax(dim=-1) == clean.argmax(dim=-1)
    return right.double().sum(dim=-1).mean()

# %%
table({
    rate: {f"{entries} entries": favourites(torch.stack([
        noisy_frequencies(rate, seed, entries) for seed in range(20)]))
        for entries in (30, 300, 3000)}
    for rate in (0.0, 0.4, 0.6)
}, ".1f", corner=f"rate; favourites kept of {V}")

# %% [markdown]
# They do not. Noise pulls the probabilities together, and what lies close
# together is mixed up by scatter. **Noise costs probabilities at once, and
# favourites where labels are few.**
#
# The words that a label *follows* stay correct here, and in this whole
# chapter; only what is to be predicted is wrong. In a language model a wrong
# word would also be read afterwards. That harm is another one.
#
# Noise is often not symmetric. Let every third *rain* be written down as
# *snow*, and nothing else be changed. **Predict:** which word do the labels
# favour then?

# %%
habit = torch.eye(3, dtype=torch.float64)
habit[1] = torch.tensor([0.0, 2 / 3, 1 / 3])  # true rain: labels given
rainy = torch.tensor([0.2, 0.45, 0.35], dtype=torch.float64)
kinds = {"truth": rainy, "rain written as snow": rainy @ habit,
         "symmetric, 0.3": label_noise(rainy.log(), 0.3).exp()}
table({
    name: {**dict(zip(WORDS, odds)), "favourite": WORDS[odds.argmax()]}
    for name, odds in kinds.items()
}, dict.fromkeys(WORDS, ".2f"))

# %% [markdown]
# Systematic noise overturns the favourite with ease, and its rate does not
# tell: fewer labels are wrong in the second row than in the third. One has to
# know which word is mistaken for which. That takes labels which were checked
# by hand. With them, what F6 will teach can be computed in advance, for any
# lambda.

# %%
exercise("noisy-labels")

# %%
# exercise: noisy-labels
def noisy_labels(p, rate):
    """Distributions of the labels after symmetric noise; rows sum to 1. (..., V) -> (..., V)"""
    raise NotImplementedError


exercise("noisy-labels").check(noisy_labels)

# %%
exercise("student-under-noise")

# %%
# exercise: student-under-noise
def student_under_noise(true, given, p, teacher, lambda_):
    """The noise matrix, and F6's best student under this noise. -> (V, V), (V,)"""
    raise NotImplementedError


exercise("student-under-noise").check(student_under_noise)

# %% [markdown]
# ## 6.3 A theory of the best lambda
#
# Teachers err, too. Let ours be the truth mixed with a confused language, as
# in chapter 5; `with_bias` sets the strength. Here is a theory, stated so that
# it can fail. It supposes
#
# - labels without end, so no scatter; a share r of them is wrong,
#   symmetrically;
# - a student that reaches the closed form, with forward KL, at temperature 1;
# - one lambda for all places.
#
# Then the student is $Q_w = (1 - w) L + w P$, where
# $w = \lambda / (1 + \lambda)$ is alpha in the other convention. Its harm is
# the *true* KL,
#
# $$F(w) = \mathrm{KL}(P_0 \,\|\, (1 - w) L + w P).$$
#
# Neither training term is F: both look at what they are given, F looks at the
# truth. F is convex in w. So its minimum lies inside or at an end, and the
# slope at an end tells which:
#
# $$F'(0) = 1 - \mathrm{E}_{P_0}\!\left[\frac{P}{L}\right].$$
#
# **Some lambda above 0 helps exactly if the teacher's probability over the
# labels', averaged over what truly happens, is more than 1.** With P and L
# exchanged the same test says whether the labels still help the teacher.
#
# One case needs no averages: a teacher nearer to the truth than the labels has
# $F(1) < F(0)$, and a convex F that ends lower than it began must fall at the
# beginning. Such a teacher always deserves some weight. **Predict** for labels
# of which a fifth are wrong: does a teacher that is a little *further* from
# the truth than they are deserve any weight? And do the labels deserve any
# beside a teacher that is a good deal nearer?

# %%
predict("06-deserve")

# %%
SHARES = torch.linspace(0, 1, 101, dtype=torch.float64)


def mixtures(labels, teacher, shares=SHARES):
    """The best students for each share: (..., V, V) -> (..., shares, V, V)."""
    share = shares[:, None, None]
    labels, teacher = labels.unsqueeze(-3), teacher.unsqueeze(-3)
    return (1 - share) * labels + share * teacher


def worth_a_try(labels, other):
    """The mean of other / labels over what truly happens, word by word."""
    ratio = (clean * other / labels).sum(dim=-1)
    return ((visits * ratio).sum() / visits.sum()).item()

# %%
fifth = noisy_rows(0.2)
print(f"labels, a fifth wrong: KL {distance(fifth):.3f}")
deserved = {}
for strength in (0.05, 0.1, 0.2, 0.3, 0.4):
    teacher = world.with_bias(strength).log_rows().exp()
    best = SHARES[distance(mixtures(fifth, teacher)).argmin()].item()
    forth, back = worth_a_try(fifth, teacher), worth_a_try(teacher, fifth)
    deserved[strength] = {
        "its KL": distance(teacher), "mean of P/L": forth,
        "mean of L/P": back, "best alpha": f"{best:.2f}"}
    assert (best > 0) == (forth > 1) and (best < 1) == (back > 1)
table(deserved, ".3f", corner="teacher's error")

# %% [markdown]
# Almost a switch. The good teachers deserve everything, the bad ones nothing,
# and only the one in the middle shares with the labels. Here is the whole map.

# %%
RATES = (0.0, 0.1, 0.2, 0.3, 0.4)
BIASES = (0.05, 0.1, 0.2, 0.3, 0.4)
noisy = torch.stack([noisy_rows(rate) for rate in RATES])
biased = torch.stack(
    [world.with_bias(strength).log_rows().exp() for strength in BIASES])
harms = distance(mixtures(noisy[:, None], biased[None, :]))
theory = SHARES[harms.argmin(dim=-1)]

ON_THE_MAP = dict(rows=RATES, columns=BIASES, xlabel="the teacher's error",
                  ylabel="share of wrong labels", bar="best alpha")
maps({"theory, labels without end": theory}, **ON_THE_MAP,
     alt=words("06-theory"))

# %%
table({
    rate: dict(zip(BIASES, row)) for rate, row in zip(RATES, theory)
}, ".2f", corner="best alpha: noise down, teacher's error across")

# %% [markdown]
# An alpha of 1 is a lambda without end, and 0 is 0. So the first answer of
# this chapter, "up", is wrong in no column, from top to bottom; and it is far
# from enough. The fourth column says: as good as nothing until four labels in
# ten are wrong. The first says: everything, from one in ten on.

# %%
exercise("first-step")

# %%
# exercise: first-step
def first_step(checked, labels, teacher):
    """Slope of the mean loss on checked words, in lambda, at 0. (N,), (N, V), (N, V) -> scalar"""
    raise NotImplementedError


exercise("first-step").check(first_step)

# %% [markdown]
# So checked labels can tell in advance whether a teacher will help.
# **Predict:** how many does it take? For three of the teachers above, how
# often does a sample of 10, 100 or 1000 checked words say that lambda should
# be raised?

# %%
def says_raise(teacher, number, draws=400):
    """Share of samples of checked words whose mean of P/L is above 1."""
    dice = torch.Generator().manual_seed(0)
    size = draws * number
    places = (visits / visits.sum()).multinomial(size, True, generator=dice)
    checked = clean[places].multinomial(1, generator=dice)[:, 0]
    ratio = (teacher / fifth)[places, checked].view(draws, number)
    return (ratio.mean(dim=1) > 1).double().mean()


asked_of = {b: world.with_bias(b).log_rows().exp() for b in (0.05, 0.2, 0.4)}
table({
    f"error {b}": {"mean of P/L": f"{worth_a_try(fifth, teacher):.3f}",
                   **{n: says_raise(teacher, n) for n in (10, 100, 1000)}}
    for b, teacher in asked_of.items()
}, ".3f", corner="share that says: raise; by checked words")

# %% [markdown]
# Ten say little. A hundred nearly do for the good teacher, a thousand for the
# bad one. For the middle one, whose mean is hardly above 1, even a thousand
# are not enough. But there the question hardly matters. F is convex, so over
# the whole way it falls by no more than its slope at the beginning promises:
# **the closer the mean is to 1, the more checked labels it takes to tell, and
# the less there is to gain.**
#
# One thing is left to explain. Why is it a switch? In chapter 5 a mixture was
# better than both of its sources.

# %%
exercise("best-lambda")

# %%
# exercise: best-lambda
def best_lambda(truth, labels, teacher, lambdas):
    """Each student's mean distance from the truth, and the best lambda. -> (K,), number"""
    raise NotImplementedError


exercise("best-lambda").check(best_lambda)

# %% [markdown]
# ## 6.4 Where the errors point
#
# All distributions over three words form a triangle. Each corner is certainty
# of one word. In it the students of one teacher lie on a straight segment,
# from the labels to the teacher, and lambda says how far along. **What counts
# is how near the segment passes to the truth, not how near its ends are.**
#
# **Predict** for three teachers, before you look: one is unsure (temperature
# 1.5), one is confused, one is much too sure of itself (temperature 0.5: the
# right order, exaggerated odds). On whose segment does one get nearest to the
# truth?

# %%
predict("06-segments")

# %%
TRUTH_3 = torch.tensor([0.6, 0.3, 0.1], dtype=torch.float64)
LABELS_3 = label_noise(TRUTH_3.log(), 0.4).exp()
OPINIONS = {
    "unsure (T 1.5)": (TRUTH_3.log() / 1.5).softmax(dim=-1),
    "confused (0.5)": 0.5 * TRUTH_3 + 0.5 * TRUTH_3.roll(1),
    "too sure (T 0.5)": (TRUTH_3.log() / 0.5).softmax(dim=-1),
}
segments(TRUTH_3, LABELS_3, OPINIONS, words=WORDS, alt=words("06-segments"))

# %%
def from_truth(q):
    """KL(truth||Q) of one place: (..., 3) -> (...)."""
    return forward_kl(TRUTH_3.log(), q.log())


print(f"labels alone: KL {from_truth(LABELS_3):.3f}")
on_segment = {}
for name, opinion in OPINIONS.items():
    line = (1 - SHARES[:, None]) * LABELS_3 + SHARES[:, None] * opinion
    kl = from_truth(line)
    on_segment[name] = {"teacher alone": kl[-1],
                        "nearest on the segment": kl.min(),
                        "at alpha": f"{SHARES[kl.argmin()]:.2f}"}
table(on_segment, ".3f")

# %% [markdown]
# Put into a formula: expand F to second order around the truth, with
# $d = L - P_0$ and $e = P - P_0$ the two errors, and sums over all words that
# are weighted by $1 / P_0$, and by how often each place is visited:
#
# $$2 F(w) \approx (1-w)^2 D + 2 w (1-w) C + w^2 E, \qquad
# D = \textstyle\sum d^2 / P_0,\; E = \sum e^2 / P_0,\; C = \sum d\,e / P_0.$$
#
# D is the noise, E the teacher's error, and C says whether they err *in the
# same direction*. The minimum is at
#
# $$\lambda^* = \frac{D - C}{E - C}, \qquad w^* = \frac{D - C}{D + E - 2C},$$
#
# cut off at 0 where C exceeds D, and at infinity where C exceeds E. If the
# errors have nothing in common, C = 0 and the best lambda is *noise over
# teacher error*. If they point the same way, C easily lies between D and E,
# and one end of the segment is best: a switch. **Predict** with it, for the
# whole diary and labels of which a fifth are wrong: which of the three
# teachers helps? Is it the one with the best score of its own?

# %%
TEACHERS = {
    "unsure (T 1.5)": world.with_temperature(1.5),
    "confused (0.2)": world.with_bias(0.2),
    "too sure (T 0.5)": world.with_temperature(0.5),
}


def overlap(a, b):
    """Sum of the product of two errors over P0: D, E or C."""
    return (visits[:, None] * (a - clean) * (b - clean) / clean).sum()

# %%
print(f"labels alone: KL {distance(fifth):.3f}")
three = {}
for name, language in TEACHERS.items():
    teacher = language.log_rows().exp()
    D, E = overlap(fifth, fifth), overlap(teacher, teacher)
    C = overlap(fifth, teacher)
    formula = ((D - C) / (D + E - 2 * C)).clamp(0, 1)
    found = distance(mixtures(fifth, teacher))
    (there,) = distance(mixtures(fifth, teacher, formula[None]))
    three[name] = {
        "alone": f"{distance(teacher):.3f}",
        "direction": C / (D * E) ** 0.5,
        "by formula": formula, "best alpha": SHARES[found.argmin()],
        "KL by formula": f"{there:.3f}",
        "best KL": f"{found.min():.3f}",
    }
table(three, ".2f")

# %% [markdown]
# The worst of the three helps most by far. Labels and teacher together reach
# 0.019, where the labels alone have 0.094 and the teacher alone 0.828. The
# unsure teacher, not much worse than the labels, adds nothing at all. (The
# formula is for small errors. It gives the confused teacher more than it
# deserves; F is so flat there that it hardly costs.)
#
# "Direction" is the cosine between the two errors. Noise flattens: it takes
# from the frequent words and gives to the rare ones. The unsure teacher does
# the same, with a cosine near 1, and two flattenings do not make a peak. The
# confused one mostly flattens as well. The one that is too sure *sharpens*:
# its error points the other way, and the two cancel.

# %%
curves(
    SHARES,
    {name: distance(mixtures(fifth, language.log_rows().exp()))
     for name, language in TEACHERS.items()},
    xlabel="alpha = lambda / (1 + lambda)",
    ylabel="KL from the truth (log scale)",
    logy=True, alt=words("06-three-teachers"),
)

# %% [markdown]
# It would be a mistake to choose a teacher by its own score. Ask what it knows
# that the labels get wrong.

# %% [markdown]
# ## 6.5 Theory's map beside the measured one
#
# Now students that are trained, on a limited number of labels: 300 diary
# entries, their labels flipped at each rate. First a question that saves work:
# do trained students come to rest where the closed form says?

# %%
def train(labels, teachers, alphas):
    """Students for all of (..., V, V) x alphas, each on its own loss."""
    size = (*labels.shape[:-2], len(alphas), V, V)
    logits = torch.zeros(size, dtype=torch.float64, requires_grad=True)
    log_y, log_p = (x.unsqueeze(-3).log() for x in (labels, teachers))
    alpha = alphas[:, None]

    def total():
        log_q = logits.log_softmax(dim=-1)
        ce, kd = cross_entropy(log_y, log_q), forward_kl(log_p, log_q)
        return ((1 - alpha) * ce + alpha * kd).sum()

    for steps, rate in ((100, 1.0), (100, 0.1)):
        fit([logits], total, steps, rate)
    return logits.detach().softmax(dim=-1)

# %%
GRID = torch.linspace(0, 1, 21, dtype=torch.float64)
SEEDS = range(40)
data = torch.stack(
    [torch.stack([noisy_frequencies(rate, seed) for seed in SEEDS])
     for rate in RATES])  # (noise, data sets, V, V)


def all_pairs(labels):
    """Labels and teachers, both (noise, teachers, data sets, V, V)."""
    size = (len(RATES), len(BIASES), labels.shape[1], V, V)
    return labels[:, None].expand(size), biased[None, :, None].expand(size)


few = all_pairs(data[:, :10])
trained = distance(train(*few, GRID))
gap = (trained / distance(mixtures(*few, GRID)) - 1).abs().max().item()
print("students trained:", trained.numel())
print("all within 2 % of the closed form's KL:", gap < 0.02)
assert gap < 0.02

# %% [markdown]
# They do, so the closed form may speak for them, and for forty data sets.
# **Predict:** where will the measured map differ from the theory's? And will
# the forty data sets agree on the best alpha?

# %%
predict("06-clean-labels")

# %%
harm = distance(mixtures(*all_pairs(data), GRID))  # (..., sets, alphas)
measured = GRID[harm.mean(dim=2).argmin(dim=-1)]
picks = GRID[harm.argmin(dim=-1)]  # each data set's own best
low, high = picks.amin(dim=-1), picks.amax(dim=-1)
maps({"theory, labels without end": theory,
      "measured, forty times 300 entries": (measured, low, high)},
     **ON_THE_MAP, alt=words("06-maps"))

# %%
table({
    rate: {bias: f"{measured[i, j]:.2f} ({low[i, j]:.2f} to {high[i, j]:.2f})"
           for j, bias in enumerate(BIASES)}
    for i, rate in enumerate(RATES)
}, corner="best on average (lowest to highest data set)")

# %% [markdown]
# Where theory says 1 they agree. Where it says 0 the best on average is often
# higher, most of all with clean labels: these students do want some of their
# teacher. And the data sets do not agree among themselves. At a noise and an
# error of 0.3 one of them wants no teacher at all, another an alpha of 0.50.
#
# First the averages. The model's first assumption was labels without end. With
# 300 entries the frequencies *scatter*, and a teacher, whatever its bias, does
# not. That term is missing. For frequencies from n entries it is, to leading
# order,
#
# $$F_n(w) = F(w) + \frac{(1 - w)^2}{2n} \sum \frac{P_0\, L (1 - L)}{Q_w^2},$$
#
# the sum over all pairs of words: a label's variance is L (1 - L) over the
# number of times its place was visited, the KL feels a variance of Q with the
# weight $P_0 / 2 Q^2$, and only the labels' part of Q scatters. The visits
# cancel. **Predict:** does this term alone bring the maps together?

# %%
def scatter(labels, teacher, entries):
    """The KL that the scatter of the labels costs: (..., shares)."""
    q = mixtures(labels, teacher)
    variance = (labels * (1 - labels)).unsqueeze(-3)
    return (1 - SHARES) ** 2 / (2 * entries) * (
        clean * variance / q**2).sum(dim=(-2, -1))


harms_300 = harms + scatter(noisy[:, None], biased[None, :], entries=300)
theory_300 = SHARES[harms_300.argmin(dim=-1)]
maps({"theory, 300 entries": theory_300,
      "measured, forty times 300 entries": (measured, low, high)},
     **ON_THE_MAP, alt=words("06-maps-300"))

# %%
nearest = (GRID - theory_300[..., None]).abs().argmin(dim=-1)
wanted = nearest[:, :, None, None].expand(*harm.shape[:3], 1)
used = harm.gather(-1, wanted).squeeze(-1)  # with theory's alpha
regret = used.mean(dim=2) - harm.mean(dim=2).amin(dim=-1)
largest = (measured - theory_300).abs().max().item()
print(f"largest difference of the two maps: {largest:.2f}")
print(f"largest cost of theory's alpha: {regret.max():.4f} nats")
assert largest < 0.15 and regret.max() < 0.01

# %% [markdown]
# It does, to little more than the grid of the measurement, and taking theory's
# alpha instead of the measured one costs next to nothing anywhere. The same
# expansion as in section 6.4 turns the scatter into one more number,
# $S = \sum L (1 - L) / P_0$, without the visits. It goes to the noise:
#
# $$\lambda^* \approx \frac{D + S/n - C}{E - C}.$$
#
# Most of what this chapter knows about lambda is in this line. Chapter 5's
# rule N / n is the case D = C = 0: clean labels, and S is then the number of
# free parameters. More labels: a smaller lambda, down to what noise and bias
# leave. A better teacher, a smaller E: a larger lambda. Noisier labels, a
# larger D: a larger lambda, *as long as C does not grow as fast*.
#
# It has two limits. It is for small errors. And in a language with rarer words
# some pairs never occur in 300 entries; then lambda = 0 costs infinity, as in
# chapter 5, and the formula does not know it.
#
# Now the spread. Each data set was drawn with other luck, so its own best
# alpha is another one. **Predict** what it costs a data set to be given
# theory's alpha in place of its own best. (The latter takes the truth to find,
# which nobody has.)

# %%
predict("06-theorys-alpha")

# %%
own = harm.amin(dim=-1)
by_luck = harm.gather(-1, harm.roll(1, 2).argmin(dim=-1, keepdim=True))
costs = {}
for rate, bias in ((0.0, 0.2), (0.1, 0.2), (0.3, 0.3), (0.4, 0.4)):
    i, j = RATES.index(rate), BIASES.index(bias)
    costs[f"noise {rate}, error {bias}"] = {
        "its own best alpha": own[i, j].mean(),
        "theory's": used[i, j].mean(),
        "another set's best": by_luck[i, j].mean(),
        "no teacher": harm[i, j, :, 0].mean(),
        "teacher alone": harm[i, j, :, -1].mean()}
dearest = (used.mean(dim=2) / own.mean(dim=2) - 1).max().item()
print(f"dearest cell of the map: theory's alpha costs {dearest:.1%} more")
assert dearest < 0.06
table(costs, ".3f", corner="mean KL of forty data sets")

# %% [markdown]
# Next to nothing: near its minimum a curve is flat. **One data set's best
# alpha is mostly the luck of its draw, and little is lost by ignoring it.**
# Whoever reports the best alpha of one data set reports mostly its luck, and
# whoever borrows that of another set loses little.
#
# Against the baselines: with clean labels and a moderate teacher the mixture
# is better than both. With noise and a good teacher it *is* the teacher. With
# a bad teacher it is nearly the labels.

# %%
explorable("lambda_map")

# %%
exercise("best-lambda-in-theory")

# %%
# exercise: best-lambda-in-theory
answer = [..., ..., ..., ...]  # one text for each blank
exercise("best-lambda-in-theory").check(answer)

# %% [markdown]
# ## 6.6 A flat teacher
#
# "As long as C does not grow as fast." **Predict:** can the best lambda fall
# while the labels get noisier? Take a very unsure teacher (temperature 2) and
# the same 300 entries.

# %%
predict("06-flat-teacher")

# %%
unsure = world.with_temperature(2.0).log_rows().exp()
unsure_harm = distance(mixtures(data, unsure.expand_as(data), GRID))
predicted = distance(mixtures(noisy, unsure)) + scatter(noisy, unsure, 300)
flat_teacher = {}
for i, rate in enumerate(RATES):
    a = GRID[unsure_harm[i].argmin(dim=-1)]
    flat_teacher[rate] = {
        "best on average": GRID[unsure_harm[i].mean(dim=0).argmin()],
        "lowest": a.min(), "highest": a.max(),
        "theory": SHARES[predicted[i].argmin()]}
table(flat_teacher, ".2f", corner="noise; best alpha")

# %%
gains = {}
for i in (0, 1):
    gain = unsure_harm[i, :, 0] - unsure_harm[i, :, 3]
    mean, error = gain.mean(), 2.023 * gain.std() / len(gain) ** 0.5
    gains[f"noise {RATES[i]}"] = {
        "gain": mean, "95 % from": mean - error, "to": mean + error}
    assert mean > error if i == 0 else mean < -error
table(gains, corner="alpha 0.15 against no teacher, forty data sets")

# %% [markdown]
# It can. With clean labels the flat teacher is useful, for it smooths the
# scatter. A tenth of wrong labels makes the labels flat by themselves, and the
# same teacher now does harm: its error and theirs point the same way. The best
# alpha falls to 0. Only when the labels have become much worse does it rise
# again, and then all the way.
#
# So "noisy labels, raise lambda" has a condition that is easily forgotten:
# *the teacher is reliable*. In the map's columns with a good teacher the rule
# holds from the first wrong label.

# %% [markdown]
# ## 6.7 The limits of lambda
#
# Back to labels without end, a fifth of them wrong. The test of section 6.3
# was the mean of P / L over what truly happens. **Predict** for four teachers
# whether any lambda helps.

# %%
CASES = {
    "trained on clean labels": (fifth, world.with_bias(0.05)),
    "trained on these labels": (fifth, world.with_label_noise(0.2)),
    "trained on noisier labels": (fifth, world.with_label_noise(0.4)),
    "good, and clean labels": (clean, world.with_bias(0.05)),
}
helped = {}
for name, (labels, language) in CASES.items():
    teacher = language.log_rows().exp()
    found = distance(mixtures(labels, teacher))
    is_level = found.max() - found.min() < 1e-9
    best = "any" if is_level else f"{SHARES[found.argmin()]:.2f}"
    helped[name] = {"mean of P/L": worth_a_try(labels, teacher),
                    "best alpha": best, "labels alone": found[0],
                    "best KL": found.min()}
table(helped, ".3f", corner="teacher")

# %% [markdown]
# - A teacher trained on the same noisy labels reproduces their distribution.
#   Mixing a distribution with itself changes nothing: every lambda is as good
#   as every other, and none repairs anything.
# - A teacher with more of the same noise only does harm.
# - With clean labels without end nothing needs repair.
#
# In general no lambda removes what the two sources have *in common*: a mixture
# of two distributions errs by the mixture of their errors. Yet teachers that
# learned from the same noisy labels are reported to help (Das and Sanghavi,
# below, say when). **Predict** what such a teacher does for a student with 300
# entries.

# %%
predict("06-same-noise")

# %%
scarce = data[RATES.index(0.2)]
kl = distance(mixtures(scarce, fifth.expand_as(scarce), GRID)).mean(dim=0)
print(f"labels alone {kl[0]:.3f}, best mixture {kl.min():.3f}",
      f"at alpha {GRID[kl.argmin()]:.2f}, the noise itself",
      f"{distance(fifth):.3f}")

# %% [markdown]
# It helps: its labels have no end, so it has no scatter to pass on. It stops
# at the noise itself. This is **smoothing, which is easily mistaken for a
# repair.**
#
# What does repair noise, then? Knowing it. If the rate is known the mixture
# with the uniform distribution can be undone, which no lambda from 0 up can
# do, since it means to *subtract*. **Predict:** is that worth while with 300
# entries? And what if the rate, which is 0.2, is taken for 0.1?

# %%
predict("06-rate-known")

# %%
def denoised(frequencies, rate):
    """Undo symmetric noise; a small floor for what scatter makes negative."""
    share = rate * V / (V - 1)
    undone = (frequencies - share / V) / (1 - share)
    undone = undone.clamp(min=1e-3)
    return undone / undone.sum(dim=-1, keepdim=True)


repaired = {}
for entries in (300, 3000, 10_000):
    rows = torch.stack(
        [noisy_frequencies(0.2, seed, entries) for seed in range(10)])
    options = {"labels alone": rows, "rate known": denoised(rows, 0.2),
               "rate taken for 0.1": denoised(rows, 0.1)}
    repaired[entries] = {
        name: distance(each).mean() for name, each in options.items()}
table(repaired, ".3f", corner="entries; mean KL of ten data sets")

# %% [markdown]
# With many labels the corrected ones go where the labels alone cannot: below
# their floor. Even a rate that is much too low takes away much of the harm.
# The price shows in the first row: undoing noise enlarges scatter, so that
# with 300 entries the timid correction (0.105) is better than the right one
# (0.124). (The inverse of a noise matrix does the same for noise that is not
# symmetric.) Subtracting noise and mixing with a teacher meet different
# errors, and one may use both.

# %%
exercise("when-no-lambda-helps")

# %%
# exercise: when-no-lambda-helps
answer = ...  # one letter of a, b, c, d, e
exercise("when-no-lambda-helps").check(answer)

# %% [markdown]
# ## 6.8 Noisy validation labels
#
# So far the truth chose lambda. In practice it is a validation set, and its
# labels come from where the training labels come from. Let labels and
# validation labels both be wrong in three cases of ten, and the teacher be
# very good. **Predict:** which lambda does the validation loss choose? Do more
# validation labels help?

# %%
JUDGED = range(20)
at_three_tenths = data[RATES.index(0.3)][:len(JUDGED)]
candidates = mixtures(at_three_tenths, biased[0].expand_as(at_three_tenths),
                      GRID)


def counts_of(rate, seed, entries):
    """Counts of noisy validation labels, (V, V), for each entry."""
    diary = world.sample(entries, length=60, seed=5000 + seed)
    dice = torch.Generator().manual_seed(7000 + seed)
    labels = flip_labels(diary.tokens, rate, V, dice)
    return world.transition_counts(diary, labels) / entries


def chosen(counts, students):
    """The alpha with the lowest validation loss, and its true KL."""
    loss = -(counts * students.log()).sum(dim=(-2, -1))
    best = loss.argmin()
    return torch.stack([GRID[best], distance(students[best])])

# %%
def undo(counts, rate):
    """Counts of labels as they would be on average without the noise."""
    share = rate * V / (V - 1)
    total = counts.sum(dim=-1, keepdim=True)
    return (counts - share * total / V) / (1 - share)


judges, n = {}, 3000
for seed in JUDGED:
    judges.setdefault("clean", []).append(counts_of(0.0, seed, n))
    judges.setdefault("noisy", []).append(counts_of(0.3, seed, n))
    judges.setdefault("noisy, 300 entries", []).append(
        counts_of(0.3, seed, 300))
judges["noisy, corrected"] = [undo(each, 0.3) for each in judges["noisy"]]

# %%
picked = {}
for name, counts in judges.items():
    rows = torch.stack([chosen(*pair) for pair in zip(counts, candidates)])
    alpha, kl = rows.unbind(dim=-1)
    picked[name] = {"mean alpha": alpha.mean(), "lowest": alpha.min(),
                    "highest": alpha.max(), "true KL": f"{kl.mean():.3f}"}
assert picked["noisy"]["highest"] < picked["clean"]["lowest"]
print(f"no teacher: true KL {distance(candidates[:, 0]).mean():.3f}")
table(picked, ".2f", corner="validation labels")

# %% [markdown]
# The noisy judge prefers students that copy the noise. By Gibbs' inequality
# its loss is least where Q equals the *labels'* distribution, which is where
# lambda = 0 leads with enough of them. Here it stops far short of the teacher,
# and pays many times the harm of the clean judge's choice. It will tell you
# that your good teacher is of little use, and more validation labels only make
# it surer: with 300 entries it strays more widely, with 3000 it is wrong
# reliably. What helps:
#
# - a validation set with checked labels;
# - or the correction: if the rate is known, replace the counts of the noisy
#   labels by what they would have been on average without the noise.
#   Corrected, the same noisy validation labels choose as the clean ones do.
#
# A loss is not the only score. Under symmetric noise a student that is right
# with frequency a agrees with the noisy label with frequency
#
# $$(1 - r)\, a + \frac{r}{V - 1} (1 - a),$$
#
# which grows with a, as long as a label is kept more often than it is mistaken
# for any one other word. So *accuracy* on noisy labels ranks students as the
# truth would, where the loss does not. But it sees only favourites.
# **Predict:** how many favourites does a student lose, at three wrong labels
# in ten, that has no teacher at all?

# %%
table({
    f"{alpha:.2f}": {
        "favourites": favourites(rows),
        "KL from the truth": distance(rows).mean()}
    for alpha in (0.0, 0.25, 1.0)
    for rows in [candidates[:, GRID.tolist().index(alpha)]]
}, ".2f", corner=f"alpha; favourites of {V}")

# %% [markdown]
# It loses less than one of them on average, and at an alpha of 0.25 it is
# nearly the same. The KL tells these students apart with ease; accuracy hardly
# can.

# %%
exercise("accuracy-behind-the-noise")

# %%
# exercise: accuracy-behind-the-noise
answer = ...  # to 2 decimals
exercise("accuracy-behind-the-noise").check(answer)

# %% [markdown]
# ## 6.9 One real student
#
# What is left of this where nothing is in closed form? Chapter 5 has trained a
# small transformer on a lesson of a few dozen blocks, with the pocket teacher
# as it is, and with its confused double, which gives the same weight to a
# muddle of tokens. Here are the two teachers, the student and the lesson
# again. New is that some of the labels are flipped: any other token of the
# vocabulary stands in their place. What is read stays correct.

# %%
from kdlib.data.blocks import make_blocks
from kdlib.data.documents import load_splits
from kdlib.data.shares import take_fraction
from kdlib.models.folders import POCKET_TEACHER, load_model, load_tokenizer
from kdlib.models.frozen import freeze
from kdlib.models.from_scratch import ModelSize, new_model
from kdlib.models.ngram import NGram

pocket = freeze(load_model(POCKET_TEACHER))
tokenizer = load_tokenizer(POCKET_TEACHER)
TOKENS, messages = len(tokenizer), load_splits("sotu")


def token_blocks(documents, count):
    """`count` blocks of 65 tokens, evenly spaced."""
    bpe, end = tokenizer.backend_tokenizer, tokenizer.eos_token_id
    blocks = make_blocks(documents, bpe, 64, end).ids[:-1]
    return blocks[:: len(blocks) // count][:count]

# %%
lesson = token_blocks(take_fraction(messages.training, 0.1), 64)
exam = token_blocks(take_fraction(messages.test, 0.3), 32)
with torch.no_grad():
    answers = torch.cat([
        pocket(input_ids=some[:, :-1]).logits.softmax(dim=-1)
        for some in lesson.split(16)
    ])
dice = torch.Generator().manual_seed(0)
muddle = torch.randperm(TOKENS, generator=dice)
teachers = {"as it is": answers,
            "confused": 0.5 * answers + 0.5 * answers[..., muddle]}


def flipped(noise, seed):
    """The lesson's labels, (blocks, 64), some of them wrong."""
    dice = torch.Generator().manual_seed(100 + seed)
    return flip_labels(lesson[:, 1:], noise, TOKENS, dice)

# %%
STEPS, BATCH, RATE = 40, 4, 0.015
SIZE = ModelSize(width=32, layers=1, heads=2, initial_std=0.09)


def mixed_labels(rows, labels, opinions, lambda_):
    """Labels and teacher as one soft label for each token of some blocks."""
    share = lambda_ / (1 + lambda_)
    mixed = share * opinions[rows].flatten(0, 1)
    y = labels[rows].flatten()
    mixed[torch.arange(len(y)), y] += 1 - share
    return mixed

# %%
def learn(noise, seed, name, lambda_):
    """A new student, trained on the noisy lesson; its nats on the exam."""
    student = new_model(SIZE, TOKENS, 128, seed)
    optimizer = torch.optim.AdamW(
        student.parameters(), weight_decay=0.0, fused=True)
    draw, labels = torch.Generator().manual_seed(seed), flipped(noise, seed)
    for step in range(STEPS):
        for group in optimizer.param_groups:  # warm up, then cool down
            group["lr"] = RATE * min((step + 1) / 10, 1 - step / STEPS)
        rows = torch.randperm(len(lesson), generator=draw)[:BATCH]
        logits = student(input_ids=lesson[rows, :-1]).logits.flatten(0, 1)
        target = mixed_labels(rows, labels, teachers[name], lambda_)
        F.cross_entropy(logits, target).backward()
        optimizer.step()
        optimizer.zero_grad()
    with torch.no_grad():
        logits = student(input_ids=exam[:, :-1]).logits.flatten(0, 1)
        return F.cross_entropy(logits, exam[:, 1:].flatten()).item()

# %% [markdown]
# **Predict** with the formula of section 6.5: which way does the best lambda
# of either teacher move as the noise rises? And what does a table that counts
# pairs of tokens in the same noisy lesson make of the exam? It was ahead of
# all students in chapter 5.

# %%
NOISE, LAMBDAS, RUNS = (0.0, 0.3, 0.6), (0, 1, 10, 100), range(5)
jobs = [(noise, seed, name, lambda_)
        for noise in NOISE for seed in RUNS for name in teachers
        for lambda_ in LAMBDAS if lambda_ or name == "as it is"]
with ThreadPoolExecutor(2) as two:  # two learn at a time, one on each core
    ends = dict(zip(jobs, two.map(learn, *zip(*jobs))))


def nats(noise, name):
    """(seeds, lambdas); at lambda 0 it does not matter who is silent."""
    return torch.tensor([
        [ends[noise, seed, name if x else "as it is", x] for x in LAMBDAS]
        for seed in RUNS])


def counted_pairs(noise, seed):
    """Nats on the exam of a table of the lesson's pairs, labels flipped."""
    pairs = torch.stack([lesson[:, :-1], flipped(noise, seed)], -1).view(-1, 2)
    model = NGram.fit(pairs, torch.ones_like(pairs), TOKENS, order=2)
    return model.nll(exam, torch.ones_like(exam)).sum() / exam[:, 1:].numel()

# %%
# NBVAL_IGNORE_OUTPUT
counts = {noise: torch.tensor([counted_pairs(noise, seed) for seed in RUNS])
          for noise in NOISE}
print("nats per token of the exam, mean of five seeds")
table({
    f"noise {noise}, {name}": {
        **{f"lambda {x:g}": mean
           for x, mean in zip(LAMBDAS, nats(noise, name).mean(dim=0))},
        "table of pairs": counts[noise].mean()}
    for name in teachers for noise in NOISE
}, ".2f")

# %%
mean = torch.stack([nats(noise, name).mean(dim=0)
                    for name in teachers for noise in NOISE])
maps({f"teacher {name}": mean[3 * i : 3 * i + 3]
      for i, name in enumerate(teachers)},
     rows=NOISE, columns=LAMBDAS, xlabel="lambda",
     ylabel="share of wrong labels", bar="nats per token of the exam",
     limits=(mean.min(), mean.max()), bright=False, alt=words("06-real-map"))

# %%
best = {name: [nats(noise, name).argmin(dim=1) for noise in NOISE]
        for name in teachers}  # places in LAMBDAS, one for each seed
good, odd = best["as it is"], best["confused"]
alone, asked = ((nats(0.6, "as it is") - nats(0.0, "as it is"))[:, place]
                for place in (0, 3))
print("of five seeds")
table({
    "as it is: 10 or 100 is best, at each noise":
        {"seeds": min(int((each >= 2).sum()) for each in good)},
    "confused: 1 is best with clean labels": {"seeds": (odd[0] == 1).sum()},
    "confused: 10 or 100 is best at noise 0.6":
        {"seeds": (odd[2] >= 2).sum()},
    "no teacher: noise 0.6 costs more than 0.5 nats":
        {"seeds": (alone > 0.5).sum()},
    "as it is, lambda 100: it costs less than 0.1":
        {"seeds": (asked < 0.1).sum()},
})

# %%
students = {noise: torch.stack([nats(noise, name) for name in teachers])
            for noise in NOISE}  # (teachers, seeds, lambdas)
table({
    noise: {"pairs ahead of all students":
            str(bool((counts[noise] < students[noise].amin((0, 2))).all())),
            "behind 'as it is', lambda 10":
            str(bool((counts[noise] > students[noise][0, :, 2]).all()))}
    for noise in NOISE
}, corner="noise; the table of pairs, for all five seeds")

# %%
assert (good[0] >= 2).all() and (good[2] >= 2).all()
assert (odd[0] == 1).all() and (odd[2] >= 2).all()
assert (alone > 0.5).all() and (asked < 0.1).all()

# %% [markdown]
# The formula is right about the direction. For the teacher as it is a large
# lambda is best at every noise; it has read far more than this lesson, and 10
# and 100 cannot be told apart. **For the teacher with a habit the best lambda
# rises with the noise: here from 1 with clean labels to 10 or more with six
# wrong labels in ten.** (The seeds draw the noise and the student anew. Lesson
# and exam are the same for all; the tests of this book run another pair, where
# the step from 1 to 10 costs less with clean labels, and gains as much with
# noisy ones.)
#
# Is it the wrong labels, or only that fewer are right? The formula has both, D
# and S/n. A test runs a shorter lesson with as many right labels and no wrong
# ones: there 1 and 10 cannot be told apart over five seeds, where with the
# wrong labels 10 wins for each.
#
# What noise costs depends on who is asked. Without a teacher it costs more
# than half a nat. At lambda = 100 it costs next to nothing, for there labels
# have hardly a say. The other side of it: whatever the labels know and the
# teacher does not, this student does not learn.
#
# And the table of pairs? With clean labels it is ahead of all students, as in
# chapter 5. But it has nobody to ask. With three wrong labels in ten it is
# behind the students of the good teacher here; in the tests, on another
# lesson, a table of triples is still level with them. **With six wrong labels
# in ten the students of the good teacher have left it behind, although their
# labels are as wrong.**
#
# What the theory does not give is the number. D, E and C of a transformer are
# sums over a truth that nobody knows, and this student does not even reach its
# mixed label.

# %%
from kdlib.exercises import print_progress

print_progress(6)

# %%
foreseen("06")

# %% [markdown]
# ## Summary
#
# - Noisy labels, and a teacher nearer to the truth than they are: raise lambda
#   in F6, whose minus sign does not turn this round; raise alpha in (1 -
#   alpha) CE + alpha KD.
# - More labels cure scatter, not noise. Symmetric noise is a mixture with the
#   uniform distribution. It costs probabilities at once, and favourites where
#   labels are few.
# - Some lambda above 0 helps exactly if the mean of P / L over what truly
#   happens is more than 1. Checked labels can estimate it; the closer it is to
#   1, the more it takes, and the less there is to gain.
# - Where errors are small the best lambda is about (D + S/n - C) / (E - C):
#   noise and scatter, less what labels and teacher have in common, over the
#   teacher's error, less the same.
# - Errors in the same direction make a switch of it. Errors in opposite
#   directions cancel, even from a teacher that is much worse than the labels.
# - With a teacher that errs as the noise does, more noise can mean a smaller
#   lambda.
# - One data set's best lambda is mostly the luck of its draw, and little is
#   lost by ignoring it.
# - No lambda removes an error that labels and teacher share. Knowing the noise
#   does, where labels are many.
# - A noisy validation loss prefers the student that copies the noise.
#   Corrected for a known rate it chooses as clean labels do.
# - A small transformer follows: with a teacher that has a habit the best
#   lambda rises with the noise, and with a good one it is large throughout.
#
# The limits. The theory is for a student that can reach the closed form, for
# noise in the labels and not in what is read, for one lambda everywhere, and
# for a truth that is known. For a real model D, E and C are not measurable.
# What carries over are the questions: how much of the labels' error is
# scatter, how much is noise? And does the teacher err where the labels err?
#
# ## Further reading
#
# - Natarajan, Dhillon, Ravikumar, Tewari 2013, *Learning with Noisy Labels*:
#   the corrected loss.
# - van Rooyen, Menon, Williamson 2015, *Learning with Symmetric Label Noise:
#   The Importance of Being Unhinged*.
# - Patrini et al. 2017, *Making Deep Neural Networks Robust to Label Noise: A
#   Loss Correction Approach*: the noise matrix, forward and backward.
# - Li et al. 2017, *Learning from Noisy Labels with Distillation*: a teacher
#   from a small clean set, and the mixed label of our closed form.
# - Lukasik, Bhojanapalli, Menon, Kumar 2020, *Does Label Smoothing Mitigate
#   Label Noise?*: the ignorant teacher against noise.
# - Northcutt, Jiang, Chuang 2021, *Confident Learning*: finding the noise
#   matrix without checking by hand.
# - Das, Sanghavi 2023, *Understanding Self-Distillation in the Presence of
#   Label Noise*: when a teacher trained on the same noisy labels helps, and
#   when not.
