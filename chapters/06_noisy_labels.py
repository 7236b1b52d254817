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
# A third of your labels are wrong. The teacher is reliable. Which way do you
# move lambda? Most people answer at once, and rightly. This chapter asks when
# the answer is right, how far to go, and what it cannot repair. On the way we
# meet labels that get worse while the best lambda *falls*, and a teacher that
# is far worse than the labels and yet repairs them.
#
# After this chapter you can
#
# - move lambda the right way in every convention, minus sign or not;
# - say what noise does to labels, and what more labels do about it;
# - predict the best lambda from a few numbers, and check it on trained
#   students;
# - tell in advance that no lambda will help;
# - keep noisy validation labels from choosing the wrong lambda.
#
# Time: about 100 minutes, half of them for the exercises. It builds on chapter
# 5: F6, the closed form, the two conventions.

# %%
import torch

from kdlib.losses.divergences import cross_entropy, forward_kl
from kdlib.exercises import exercise
from kdlib.losses.objectives import lambda_of_alpha
from kdlib.plots import curves, distributions, heat_map
from kdlib.toys.students import fit
from kdlib.toys.worlds import flip_labels, label_noise, random_world

# %% [markdown]
# ## Which way?
#
# The smallest example: one place in a weather diary, three words. A third of
# the labels there have been replaced by one of the other two words. The
# teacher is not perfect, but close.
#
# F6 is *maximised*: $\log Q(y) - \lambda\,\mathrm{KL}(P \| Q)$. Programs
# minimise, often $(1 - \alpha)\,\mathrm{CE} + \alpha\,\mathrm{KD}$, sometimes
# $\beta\,\mathrm{CE} + (1 - \beta)\,\mathrm{KD}$. **Predict** for each of
# lambda, alpha, beta: up or down?

# %%
WORDS = ["sun", "rain", "snow"]
true_odds = torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64)
labelled = label_noise(true_odds.log(), rate=1 / 3).exp()
reliable = torch.tensor([0.66, 0.23, 0.11], dtype=torch.float64)

distributions(
    {"truth": true_odds, "labels": labelled, "teacher": reliable},
    WORDS,
    alt="The truth, the noisy labels and the teacher over three words. The "
    "noise has lowered sun and raised rain and snow; the teacher is close to "
    "the truth.",
)

# %%
print("lambda   alpha   beta    best student         KL from the truth")
for alpha in (0.0, 0.2, 0.5, 0.8, 0.9, 1.0):
    student = (1 - alpha) * labelled + alpha * reliable
    harm = forward_kl(true_odds.log(), student.log())
    print(f"{lambda_of_alpha(alpha):6.2f}   {alpha:5.2f}   {1 - alpha:4.2f}",
          "  ", "  ".join(f"{q:.3f}" for q in student), f"  {harm:16.4f}")

# %% [markdown]
# Lambda up, alpha up, beta down. In words, for every convention: *more weight
# on the term of the source that you trust more*. Two things that lead astray:
#
# - The minus in F6 does not turn the direction round. It has done its work in
#   the formula: the larger lambda, the more it costs to differ from the
#   teacher.
# - The name of a coefficient says nothing. Look at which term it multiplies.
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
# ## Does noise average out?
#
# **Predict.** You collect ten times as many of these labels, and ten times
# more again. Does the student get closer to the truth?


# %%
def counted(labels):
    """Relative frequencies of the three words."""
    return labels.bincount(minlength=3).double() / len(labels)


print("labels      clean: KL from truth   noisy: KL from truth,",
      "from noisy labels")
for n in (100, 1000, 10_000, 100_000):
    rows = []
    for seed in range(10):
        dice = torch.Generator().manual_seed(seed)
        clean_labels = true_odds.multinomial(n, True, generator=dice)
        noisy = counted(flip_labels(clean_labels, 1 / 3, 3, dice)).log()
        rows.append(torch.stack([
            forward_kl(true_odds.log(), counted(clean_labels).log()),
            forward_kl(true_odds.log(), noisy),
            forward_kl(labelled.log(), noisy)]))
    a, b, c = torch.stack(rows).mean(dim=0)
    print(f"{n:7}   {a:22.4f}   {b:20.3f}, {c:17.4f}")

# %% [markdown]
# No. The scatter goes, by a factor of ten each time. What remains in the
# middle is the distance between the truth and the noisy labels' own
# distribution, and the student gets to know *that* ever better. Two kinds of
# error, to be kept apart for the rest of the chapter: **scatter**, which more
# labels cure, and **noise**, which they do not.
#
# For symmetric noise, which replaces a label by any of the others alike, the
# distribution is exact:
#
# $$L = (1 - r) P_0 + r \, \frac{1 - P_0}{V - 1},$$
#
# where $P_0$ is the truth and r the rate. A whole language now: a diary of six
# words in which any word may follow any other. Read the formula again: it says
# that the labels are a mixture of the truth with the *uniform* distribution,
# the ignorant teacher of chapter 5, with a share of $r V / (V - 1)$.
# **Symmetric noise is an ignorant teacher that you cannot switch off.**

# %%
world = random_world("sun rain wind snow fog .", seed=3)
V, visits, clean = world.vocab_size, world.visits(), world.log_rows().exp()
UNIFORM = torch.full_like(clean, 1 / V)


def distance(q):
    """KL(truth||Q) of a diary entry, exact: (..., V, V) -> (...), in nats."""
    return (visits * forward_kl(clean.log(), q.log())).sum(dim=-1)


print("rate   share of uniform   KL from truth   favourites kept")
for rate in (0.0, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9):
    noisy = world.with_label_noise(rate).log_rows().exp()
    share = rate * V / (V - 1)
    assert torch.allclose(noisy, (1 - share) * clean + share * UNIFORM)
    kept = (noisy.argmax(dim=-1) == clean.argmax(dim=-1)).sum().item()
    harm = distance(noisy)
    print(f"{rate:4}   {share:16.2f}   {harm:13.3f}   {kept} of {V}")
print(f"uniform student: KL {distance(UNIFORM):.3f}")

# %% [markdown]
# The last column is a surprise for many. With eight labels in ten wrong the
# most frequent label is still the right word, after every word. Whoever only
# looks at top-1 accuracy, and has enough labels, need not fear symmetric noise
# at all until it passes the uniform distribution. Whoever needs the
# probabilities pays for every wrong label.
#
# Noise is often not symmetric. Let every third *rain* be written down as
# *snow*, and nothing else be changed:

# %%
habit = torch.eye(3, dtype=torch.float64)
habit[1] = torch.tensor([0.0, 2 / 3, 1 / 3])  # true rain: labels given
rainy = torch.tensor([0.2, 0.45, 0.35], dtype=torch.float64)
for name, odds in (
    ("truth", rainy),
    ("symmetric noise, 1/3", label_noise(rainy.log(), 1 / 3).exp()),
    ("rain written as snow", rainy @ habit),
):
    print(f"{name:22}", "  ".join(f"{p:.2f}" for p in odds),
          f"  favourite: {WORDS[odds.argmax()]}")

# %% [markdown]
# Systematic noise overturns the favourite with ease, and no rate tells you
# about it: one needs to know which label is mistaken for which. That takes
# labels which were checked by hand. The exercises build both measurements.

# %%
exercise("noisy-labels")

# %%
# exercise: noisy-labels
def noisy_labels(p, rate):
    """Distributions of the labels after symmetric noise; rows sum to 1. (..., V) -> (..., V)"""
    raise NotImplementedError


exercise("noisy-labels").check(noisy_labels)

# %%
exercise("noise-matrix")

# %%
# exercise: noise-matrix
def noise_matrix(true, given, words):
    """Row i: how the examples with true label i were labelled; rows sum to 1. -> (words, words)"""
    raise NotImplementedError


exercise("noise-matrix").check(noise_matrix)

# %%
exercise("noise-rate")

# %%
# exercise: noise-rate
def noise_rate(batches):
    """Share of real tokens with a wrong label, over all batches. -> scalar"""
    raise NotImplementedError


exercise("noise-rate").check(noise_rate)

# %% [markdown]
# ## A theory of the best lambda
#
# Teachers err too. Let ours be the truth mixed with a confused language, as in
# chapter 5; `with_bias` sets the strength. **Predict:** with labels that are a
# fifth wrong, how good must the teacher be to deserve any weight at all?
#
# The model, stated so that it can fail:
#
# - labels without end, so no scatter; a share r of them is wrong,
#   symmetrically;
# - a student that reaches the closed form, with forward KL, at temperature 1;
# - one lambda for all places.
#
# Then the student is $Q_w = (1 - w) L + w P$, with
# $w = \lambda / (1 + \lambda)$, which is alpha in the other convention. Its
# harm is the *true* KL,
#
# $$F(w) = \mathrm{KL}(P_0 \,\|\, (1 - w) L + w P).$$
#
# Neither training term is F: both look at what they are given, F looks at the
# truth. F is convex in w. So its minimum is inside, or at an end, and the
# slope at an end tells which:
#
# $$F'(0) = 1 - \mathrm{E}_{P_0}\!\left[\frac{P}{L}\right].$$
#
# **Some lambda above 0 helps exactly if, averaged over what truly happens, the
# teacher's probability over the labels' is more than 1.** With P and L
# exchanged the same test says whether the labels still help the teacher.

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
fifth = world.with_label_noise(0.2).log_rows().exp()
print(f"labels, a fifth wrong: KL {distance(fifth):.3f}")
print("teacher's error   its KL   mean of P/L   mean of L/P   best alpha")
for strength in (0.05, 0.1, 0.2, 0.3, 0.4):
    teacher = world.with_bias(strength).log_rows().exp()
    best = SHARES[distance(mixtures(fifth, teacher)).argmin()].item()
    forth, back = worth_a_try(fifth, teacher), worth_a_try(teacher, fifth)
    print(f"{strength:15}   {distance(teacher):6.3f}   {forth:11.3f}  ",
          f"{back:11.3f}   {best:10.2f}")
    assert (best > 0) == (forth > 1) and (best < 1) == (back > 1)

# %% [markdown]
# Almost a switch. A teacher that is a good deal better than the labels
# deserves everything, a teacher that is a bit worse deserves nothing, and
# there is little in between. Here is the whole map.

# %%
RATES = (0.0, 0.1, 0.2, 0.3, 0.4)
BIASES = (0.05, 0.1, 0.2, 0.3, 0.4)
noisy = torch.stack(
    [world.with_label_noise(rate).log_rows().exp() for rate in RATES])
biased = torch.stack(
    [world.with_bias(strength).log_rows().exp() for strength in BIASES])
harms = distance(mixtures(noisy[:, None], biased[None, :]))
theory = SHARES[harms.argmin(dim=-1)]

NAMES = dict(rows=RATES, columns=BIASES, xlabel="the teacher's error",
             ylabel="share of wrong labels")
heat_map(
    theory,
    **NAMES,
    alt="Theory's map for unlimited labels: best alpha over the share of "
    "wrong labels and the teacher's error. With clean labels it is 0 "
    "everywhere. With many wrong labels and a good teacher it is 1, with few "
    "wrong labels and a bad teacher 0; few cells are in between.",
)

# %%
print("best alpha, unlimited labels; teacher's error across, noise down")
print("       " + "".join(f"{strength:7}" for strength in BIASES))
for rate, row in zip(RATES, theory):
    print(f"{rate:6} " + "".join(f"{alpha:7.2f}" for alpha in row))

# %% [markdown]
# In lambda, an alpha of 1 is infinity and 0 is 0. So the first answer of this
# chapter, "up", is right in every column, from top to bottom; and it is far
# from enough. One column says: as good as nothing until four labels in ten are
# wrong. Another says: everything, from one in ten on.
#
# Why is it a switch? In chapter 5 a mixture was better than both of its
# sources.

# %%
exercise("best-lambda")

# %%
# exercise: best-lambda
def best_lambda(truth, labels, teacher, lambdas):
    """Each student's mean distance from the truth, and the best lambda. -> (K,), number"""
    raise NotImplementedError


exercise("best-lambda").check(best_lambda)

# %% [markdown]
# ## Errors in the same direction
#
# Expand F to second order around the truth, with d = L - P0 and e = P - P0 the
# two errors, and sums over all words that are weighted by 1 / P0, and by how
# often each place is visited:
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
# teacher error*. If they point the same way, C lies between D and E, and one
# end of the segment is best: a switch.
#
# **Predict.** Three teachers for labels of which a fifth is wrong. One is
# unsure (temperature 1.5), one is confused, one is much too sure of itself
# (temperature 0.5: right order, exaggerated odds) and by far the worst of the
# three. Which of them can help?

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
print("teacher             alone   direction   by formula   best alpha",
      "  KL there")
for name, language in TEACHERS.items():
    teacher = language.log_rows().exp()
    D, E = overlap(fifth, fifth), overlap(teacher, teacher)
    C = overlap(fifth, teacher)
    formula = ((D - C) / (D + E - 2 * C)).clamp(0, 1)
    found = distance(mixtures(fifth, teacher))
    print(f"{name:16}  {distance(teacher):7.3f}   {C / (D * E)**0.5:9.2f}  ",
          f"{formula:10.2f}   {SHARES[found.argmin()]:10.2f}  ",
          f"{found.min():8.3f}")

# %% [markdown]
# The worst teacher is the only one that helps, and it helps a lot: labels and
# teacher together are about five times nearer to the truth than the labels,
# and far nearer than the teacher. The unsure teacher, not much worse than the
# labels, adds nothing at all.
#
# "Direction" is the cosine between the two errors. Noise flattens: it takes
# from the frequent words and gives to the rare ones. The unsure teacher does
# the same, with a cosine near 1, and two flattenings do not make a peak. The
# confused one mostly flattens as well. The one that is too sure *sharpens*:
# its error points the other way, and the two cancel.
#
# A picture to keep: the student can stand anywhere on the segment between
# labels and teacher. What matters is how near that segment passes to the
# truth, not how near its ends are.

# %%
curves(
    SHARES,
    {
        name: distance(mixtures(fifth, language.log_rows().exp()))
        for name, language in TEACHERS.items()
    },
    xlabel="alpha = lambda / (1 + lambda)",
    ylabel="KL from the truth (log scale)",
    logy=True,
    alt="Distance from the truth over alpha for three teachers, all starting "
    "from the labels alone. With the unsure and the confused teacher it "
    "only rises, or nearly. With the teacher that is too sure it dips far "
    "below the start near alpha 0.3, then rises far above the others.",
)

# %% [markdown]
# What would go wrong: to choose a teacher by its own score. The one with the
# best score here is of no use, since it knows nothing that the labels get
# wrong.

# %% [markdown]
# ## Theory's map beside the measured one
#
# Now students that are trained, on a limited number of labels: 300 diary
# entries, their labels flipped at each rate. The words that a label follows
# stay correct; only what is to be predicted is wrong. (In a language model a
# wrong word would also be read afterwards. That harm is not in this chapter.)
#
# **Predict** where the measured map will differ from the theory's.


# %%
def noisy_frequencies(rate, seed, entries=300):
    """Frequencies (V, V) of noisy labels after each word."""
    diary = world.sample(entries, length=60, seed=seed)
    dice = torch.Generator().manual_seed(1000 + seed)
    labels = flip_labels(diary.tokens, rate, V, dice)
    counts = world.transition_counts(diary, labels)
    return counts / counts.sum(dim=-1, keepdim=True)


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
SEEDS = range(10)
GRID = torch.linspace(0, 1, 21, dtype=torch.float64)
data = torch.stack(
    [torch.stack([noisy_frequencies(rate, seed) for seed in SEEDS])
     for rate in RATES])  # (noise, seeds, V, V)
size = (len(RATES), len(BIASES), len(SEEDS), V, V)
pairs = data[:, None].expand(size), biased[None, :, None].expand(size)
students = train(*pairs, GRID)
harm = distance(students)  # (noise, teachers, seeds, alphas)

gap = (harm / distance(mixtures(*pairs, GRID)) - 1).abs().max().item()
print("students trained:", harm.numel())
print("all within 2 % of the closed form's KL:", gap < 0.02)
assert gap < 0.02
measured = GRID[harm.mean(dim=2).argmin(dim=-1)]

# %%
heat_map(
    measured,
    **NAMES,
    alt="Measured map: best alpha of trained students with 300 entries. With "
    "a good teacher and many wrong labels it is 1, as in theory's map. With "
    "clean labels it is not 0 but falls from about 0.8 to about 0.1 from the "
    "best teacher to the worst.",
)

# %%
print("best alpha, trained on 300 entries (theory for unlimited labels)")
print("       " + "".join(f"{strength:^13}" for strength in BIASES))
for i, rate in enumerate(RATES):
    print(f"{rate:6} " + "".join(
        f"{m:5.2f} ({t:4.2f}) " for m, t in zip(measured[i], theory[i])))

# %% [markdown]
# Where theory says 1 they agree. Where it says 0 the measured best is often
# higher, most of all with clean labels: these students do want some of their
# teacher. The model's first assumption was labels without end. With 300
# entries the frequencies *scatter*, and a teacher, whatever its bias, does
# not. That term is missing. For frequencies from n entries it is, to leading
# order,
#
# $$F_n(w) = F(w) + \frac{(1 - w)^2}{2n} \sum \frac{P_0\, L (1 - L)}{Q_w^2},$$
#
# the sum over all pairs of words: a label's variance is L (1 - L) over the
# number of times its place was visited, the KL feels a variance of Q with the
# weight $P_0 / 2 Q^2$, and only the labels' part of Q scatters. The visits
# cancel.

# %%
def scatter(labels, teacher, entries):
    """The KL that the scatter of the labels costs: (..., shares)."""
    q = mixtures(labels, teacher)
    variance = (labels * (1 - labels)).unsqueeze(-3)
    return (1 - SHARES) ** 2 / (2 * entries) * (
        clean * variance / q**2).sum(dim=(-2, -1))


sources = noisy[:, None], biased[None, :]
harms_300 = harms + scatter(*sources, entries=300)
theory_300 = SHARES[harms_300.argmin(dim=-1)]

heat_map(
    theory_300,
    **NAMES,
    alt="Theory's map with scatter for 300 entries. It looks like the "
    "measured map, cell by cell.",
)

# %%
print("best alpha, trained on 300 entries (theory for 300 entries)")
print("       " + "".join(f"{strength:^13}" for strength in BIASES))
for i, rate in enumerate(RATES):
    print(f"{rate:6} " + "".join(
        f"{m:5.2f} ({t:4.2f}) " for m, t in zip(measured[i], theory_300[i])))

largest = (measured - theory_300).abs().max().item()
mean_harm = harm.mean(dim=2)
nearest = (GRID - theory_300[..., None]).abs().argmin(dim=-1, keepdim=True)
used = mean_harm.gather(-1, nearest).squeeze(-1)
regret = (used - mean_harm.min(dim=-1).values).max().item()
print(f"largest difference: {largest:.2f}")
print(f"largest cost of using theory's alpha: {regret:.3f} nats")
assert largest < 0.15 and regret < 0.01

# %% [markdown]
# Now the maps agree, to little more than the grid of the measurement, and
# using theory's alpha instead of the measured one costs next to nothing
# anywhere. The same expansion as before turns the scatter into one more
# number, $S = \sum L (1 - L) / P_0$, without the visits, which goes to the
# noise:
#
# $$\lambda^* \approx \frac{D + S/n - C}{E - C}.$$
#
# All that we know about lambda is in this line. Chapter 5's rule N / n is the
# case D = C = 0: clean labels, and S is then the number of free parameters.
# More labels: smaller lambda, down to what noise and bias leave. A better
# teacher, a smaller E: larger lambda. Noisier labels, a larger D: larger
# lambda, *as long as C does not grow as fast*.

# %%
print("KL from the truth: labels alone, best mixture, teacher alone")
for i in (0, 2, 4):
    for j in (0, 2, 4):
        row = harm[i, j]
        best = row[:, row.mean(dim=0).argmin()]
        error = 2.262 * best.std() / 10**0.5
        print(f"noise {RATES[i]:3}, teacher's error {BIASES[j]:4}:",
              f"{row[:, 0].mean():.3f}, {best.mean():.3f} +- {error:.3f},",
              f"{row[:, -1].mean():.3f}")

# %% [markdown]
# Against the baselines: with clean labels and a moderate teacher the mixture
# is better than both. With noise and a good teacher it *is* the teacher. With
# a bad teacher it is nearly the labels. Nowhere is it worse than the better of
# the two, which is the least that a tuned lambda should give.

# %%
exercise("best-lambda-in-theory")

# %%
# exercise: best-lambda-in-theory
answer = [..., ..., ..., ...]  # one text for each blank
exercise("best-lambda-in-theory").check(answer)

# %% [markdown]
# ## More noise, less teacher
#
# "As long as C does not grow as fast." **Predict:** can the best lambda fall
# while the labels get noisier? Take a very unsure teacher (temperature 2) and
# the same 300 entries.

# %%
unsure = world.with_temperature(2.0).log_rows().exp()
ones = unsure.expand(len(RATES), len(SEEDS), V, V)
unsure_harm = distance(train(data, ones, GRID))
predicted = distance(mixtures(noisy, unsure)) + scatter(noisy, unsure, 300)
print("noise   measured best alpha   theory")
for i, rate in enumerate(RATES):
    found = GRID[unsure_harm[i].mean(dim=0).argmin()]
    print(f"{rate:5}   {found:19.2f}   {SHARES[predicted[i].argmin()]:6.2f}")

# %%
print("gain of alpha 0.15 over no teacher (95 % interval, ten data sets):")
for i in (0, 1):
    gain = unsure_harm[i, :, 0] - unsure_harm[i, :, 3]
    error = 2.262 * gain.std() / 10**0.5
    low, high = gain.mean() - error, gain.mean() + error
    print(f"noise {RATES[i]}: {gain.mean():7.4f} ({low:7.4f} to {high:7.4f})")
    assert low > 0 if i == 0 else high < 0

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
# ## Where no lambda helps
#
# The test from above, mean of P / L over what truly happens, for four
# teachers, labels without end, a fifth of them wrong. **Predict** which of
# them help.

# %%
CASES = {
    "trained on clean labels": (fifth, world.with_bias(0.05)),
    "trained on these labels": (fifth, world.with_label_noise(0.2)),
    "trained on noisier labels": (fifth, world.with_label_noise(0.4)),
    "good, and clean labels": (clean, world.with_bias(0.05)),
}
print("teacher                     mean of P/L   best alpha   KL there")
for name, (labels, language) in CASES.items():
    teacher = language.log_rows().exp()
    found = distance(mixtures(labels, teacher))
    flat = found.max() - found.min() < 1e-9
    best = "any" if flat else f"{SHARES[found.argmin()]:.2f}"
    print(f"{name:26}  {worth_a_try(labels, teacher):11.3f}   {best:>10}  ",
          f"{found.min():8.3f}")

# %% [markdown]
# - A teacher trained on the same noisy labels reproduces their distribution.
#   Mixing a distribution with itself changes nothing: every lambda is as good
#   as every other, and none repairs anything. In practice such a teacher still
#   smooths scatter, and this is easily mistaken for a repair.
# - A teacher with more of the same noise only harms.
# - With clean labels without end nothing needs repair.
#
# In general no lambda removes what the two sources have *in common*. The truth
# must lie between them, and from the labels' side it lies away from the
# uniform distribution, where neither noise nor an unsure teacher is to be
# found.
#
# What does repair noise, then? Knowing it. If the rate is known the mixture
# with the uniform distribution can be undone, which no lambda from 0 up can
# do, since it means to *subtract*:


# %%
def denoised(frequencies, rate):
    """Undo symmetric noise; a small floor for what scatter makes negative."""
    share = rate * V / (V - 1)
    undone = (frequencies - share / V) / (1 - share)
    undone = undone.clamp(min=1e-3)
    return undone / undone.sum(dim=-1, keepdim=True)


print("KL from the truth, a fifth of the labels wrong")
print("entries   labels alone   rate known   rate taken for 0.1")
for entries in (300, 3000, 10_000):
    rows = torch.stack(
        [noisy_frequencies(0.2, seed, entries) for seed in range(5)])
    options = (rows, denoised(rows, 0.2), denoised(rows, 0.1))
    a, b, c = (distance(option).mean() for option in options)
    print(f"{entries:7}   {a:12.3f}   {b:10.3f}   {c:18.3f}")

# %% [markdown]
# With many labels the corrected ones go where the labels alone cannot: below
# their floor. Even a rate that is only half right takes away more than half of
# the harm. The price shows in the first row: undoing noise enlarges scatter,
# and with few labels the full correction brings nothing. (The inverse of a
# noise matrix does the same for noise that is not symmetric.) Subtracting
# noise and mixing with a teacher meet different errors, and one may use both.

# %%
exercise("when-no-lambda-helps")

# %%
# exercise: when-no-lambda-helps
answer = ...  # one letter of a, b, c, d, e
exercise("when-no-lambda-helps").check(answer)

# %% [markdown]
# ## The judge is noisy too
#
# So far the truth chose lambda. In practice it is a validation set, and its
# labels come from where the training labels come from. **Predict:** labels and
# validation labels are both wrong in three cases of ten, the teacher is very
# good. Which lambda does the validation loss choose?

# %%
good = biased[0].expand(len(SEEDS), V, V)
candidates = train(data[3], good, GRID)  # three labels in ten are wrong


def counts_of(rate, seed, entries=3000):
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


# %%
judges = {
    "clean labels": lambda seed: counts_of(0.0, seed),
    "noisy labels": lambda seed: counts_of(0.3, seed),
    "noisy labels, corrected": lambda seed: undo(counts_of(0.3, seed), 0.3),
}
print("judge                     alpha: mean, lowest, highest   true KL")
picks = {}
for name, judge in judges.items():
    rows = [chosen(judge(seed), candidates[seed]) for seed in SEEDS]
    alpha, kl = torch.stack(rows).unbind(dim=-1)
    picks[name] = alpha
    print(f"{name:24}  {alpha.mean():11.2f}, {alpha.min():6.2f},",
          f"{alpha.max():7.2f}   {kl.mean():7.3f}")
print(f"no teacher {distance(candidates[:, 0]).mean():49.3f}")
assert picks["noisy labels"].max() < picks["clean labels"].min()

# %% [markdown]
# The noisy judge prefers students that copy the noise. By Gibbs' inequality
# its loss is least where Q equals the *labels'* distribution, which is where
# lambda = 0 leads with enough of them. Here it stops at a quarter of the
# teacher and pays many times the harm of the clean judge's choice. It will
# tell you that your good teacher is of little use, and more validation labels
# only make it surer. What helps:
#
# - a small validation set with checked labels;
# - or the correction: if the rate is known, replace the counts of the noisy
#   labels by what they would have been on average without the noise.
#   Corrected, the same noisy validation labels choose as the clean ones do.
#
# A loss is not the only score. Under symmetric noise a student that is right
# with frequency a agrees with the noisy label with frequency
#
# $$(1 - r)\, a + \frac{r}{V - 1} (1 - a),$$
#
# which grows with a. So *accuracy* on noisy labels ranks students as the truth
# would, where the loss does not. But it sees only favourites, and noise costs
# few of them:

# %%
best_word = clean.argmax(dim=-1)
for alpha in (0.0, 0.25, 1.0):
    rows = candidates[:, GRID.tolist().index(alpha)]
    kept = (rows.argmax(dim=-1) == best_word).double().sum(dim=-1).mean()
    print(f"alpha {alpha:4}: favourites kept {kept:.1f} of {V},",
          f"KL {distance(rows).mean():.2f}")

# %%
exercise("accuracy-behind-the-noise")

# %%
# exercise: accuracy-behind-the-noise
answer = ...  # to 2 decimals
exercise("accuracy-behind-the-noise").check(answer)

# %%
from kdlib.exercises import print_progress

print_progress(6)

# %% [markdown]
# ## Summary
#
# - Noisy labels and a reliable teacher: raise lambda in F6, whose minus sign
#   does not turn this round; raise alpha in (1 - alpha) CE + alpha KD. Always:
#   more weight on the source that is trusted more.
# - More labels cure scatter, not noise. Symmetric noise is a mixture with the
#   uniform distribution: it costs probabilities, and leaves the favourites.
# - The best lambda is about (D + S/n - C) / (E - C): noise and scatter, less
#   what labels and teacher have in common, over the teacher's error, less the
#   same.
# - Some lambda above 0 helps exactly if the mean of P / L over what truly
#   happens is more than 1.
# - Errors in the same direction make a switch of it; errors in opposite
#   directions cancel, even from a teacher that is much worse than the labels.
# - No lambda removes an error that labels and teacher share. Knowing the noise
#   does.
# - A noisy validation loss prefers the student that copies the noise.
#
# The limits. All of this is for a student that can reach the closed form, for
# noise in the labels and not in what is read, for one lambda everywhere, and
# for a truth that is known. For a real model D, E and C are not measurable.
# What carries over are the questions: how much of the labels' error is
# scatter, how much is noise? And does the teacher err where the labels err?
#
# ## Further reading
#
# - Natarajan, Dhillon, Ravikumar, Tewari (2013), "Learning with Noisy Labels":
#   the corrected loss.
# - van Rooyen, Menon, Williamson (2015), "Learning with Symmetric Label Noise:
#   The Importance of Being Unhinged".
# - Patrini et al. (2017), "Making Deep Neural Networks Robust to Label Noise:
#   A Loss Correction Approach": the noise matrix, forward and backward.
# - Li et al. (2017), "Learning from Noisy Labels with Distillation": a teacher
#   from a small clean set, and the mixed label of our closed form.
# - Lukasik, Bhojanapalli, Menon, Kumar (2020), "Does Label Smoothing Mitigate
#   Label Noise?": the ignorant teacher against noise.
# - Northcutt, Jiang, Chuang (2021), "Confident Learning": finding the noise
#   matrix without checking by hand.
# - Das, Sanghavi (2023), "Understanding Self-Distillation in the Presence of
#   Label Noise": when a teacher trained on the same noisy labels helps, and
#   when not.
