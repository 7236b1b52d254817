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
# # 3. Cross-entropy over whole sequences
#
# A translator does not answer with a word. It answers with a sentence, and
# it has an opinion about every sentence there is: this one is good, that one
# will do, that one is nonsense. A student is to take over these opinions.
# **How do you compare two opinions about more sentences than there are atoms
# in the universe?**
#
# This chapter takes one number, the cross-entropy between teacher and student
# over all outputs, and computes it four ways. Two are exact, one is an
# estimate that knows its error, and one is a different loss that is often
# taken for the same.
#
# **You will be able to**
#
# - say what the sum over all outputs is for, and what breaks without it;
# - compute a sequence loss by enumeration, by the chain rule and from samples,
#   and choose between them;
# - say what training on one output per input saves, what it forgets, and when
#   it is nevertheless the better choice.
#
# **Time** about an hour and a half, half of it for the exercises; the cells
# run in less than a minute. **Assumes** chapters 1 and 2.

# %%
import math
import time

import torch

from kdlib.sequences import losses as sequence_losses
from kdlib.sequences.exact import (
    Sequences, count_sequences, enumerate_sequences, position_log_probs,
    sequence_lengths, sequence_log_probs,
)
from kdlib.sequences.search import best_sequence
from kdlib.sequences.sums import sequence_sum
from kdlib.sequences.losses import (
    best_sequence_loss, enumerated_loss, stepwise_loss,
)
from kdlib import cross_entropy, entropy, exercise, forward_kl
from kdlib.plots import curves, distributions, intervals
from kdlib.plots.chapter_03 import terms_and_walls
from kdlib.toys.students import LowRankStudent, TabularStudent, fit
from kdlib.toys.worlds import World, random_world, story_world

# %% [markdown]
# Some exercises ask you to write functions that `kdlib` has too. So that
# yours and the library's do not get mixed up, the chapter calls the library's
# by their full name: `sequence_losses.sampled_loss`.

# %% [markdown]
# ## 3.1 Three outputs, two students
#
# For some input a teacher finds three outputs possible: A with probability
# 0.80, B with 0.15, C with 0.05. Two students have been trained.
#
# | | A | B | C |
# |---|---|---|---|
# | teacher P | 0.80 | 0.15 | 0.05 |
# | student 1 | 0.6 | 0.3 | 0.1 |
# | student 2 | 0.6 | 0.1 | 0.3 |
#
# The loss is the cross-entropy over whole outputs y. The teacher reads the
# full input (c, z), the student the simplified one (c', z):
#
# $$\text{Loss} = -\sum_y P(y \mid c, z)\,\log Q(y \mid c', z)
# \qquad \text{(F2)}$$
#
# Read it aloud: *the teacher writes; how surprised is the student, on
# average?*
#
# **Predict**, without computing: which student has the lower loss?

# %%
exercise("students-that-swap")

# %%
# exercise: students-that-swap
answer = [..., ..., ..., ...]  # one text for each blank
exercise("students-that-swap").check(answer)

# %% [markdown]
# The argument needs no logarithm. Both students are equally surprised by A.
# The students differ by a swap: each has a small and a large surprise left,
# for B and C. Student 1 has the small one where the teacher goes often (B),
# student 2 where it goes rarely (C). Whoever keeps the teacher's order wins.
#
# Now the numbers, beside two that no student should be judged without: a
# student that guesses, and the teacher itself.


# %%
def log_of(*probabilities):
    return torch.tensor(probabilities, dtype=torch.float64).log()


teacher = log_of(0.80, 0.15, 0.05)
students = {
    "uniform guess": log_of(1 / 3, 1 / 3, 1 / 3),
    "student 1": log_of(0.6, 0.3, 0.1),
    "student 2": log_of(0.6, 0.1, 0.3),
    "teacher itself": teacher,
}
f2 = {name: cross_entropy(teacher, q).item() for name, q in students.items()}
for name, loss in f2.items():
    print(f"{name:15} F2 = {loss:.4f} nats")
gap = f2["student 2"] - f2["student 1"]
print(f"\nstudent 2 - student 1 = {gap:.4f} = (0.15 - 0.05) ln 3")
assert math.isclose(gap, 0.10 * math.log(3))

# %% [markdown]
# The loss of a perfect student is not 0. It is 0.6129, the entropy of the
# teacher, which no student can go below (chapter 4 subtracts it). Between
# the guess and this floor, student 1 has gone most of the way, student 2 a
# good half:

# %%
floor, guess = f2["teacher itself"], f2["uniform guess"]
for name in ("student 1", "student 2"):
    share = (guess - f2[name]) / (guess - floor)
    print(f"{name}: {share:.0%} of the way from the guess to the floor")

# %% [markdown]
# ### The minus sign
#
# Some printings give F2, and F4 below, without the minus sign, although they
# are to be minimised. Then the "loss" is smallest where the student finds the
# teacher's outputs *least* likely. One gradient step from student 1 tells the
# two apart. **Predict** what happens to A.

# %%
for formula, sign in (("-sum P log Q", 1), ("+sum P log Q", -1)):
    logits = students["student 1"].clone().requires_grad_()
    loss = sign * cross_entropy(teacher, logits.log_softmax(dim=-1))
    loss.backward()
    after = (logits - logits.grad).softmax(dim=-1)
    print(f"minimise {formula}: A goes from 0.600 to {after[0]:.3f}")

# %% [markdown]
# With the minus sign the student moves towards the teacher. Without it the
# student runs away, and nothing stops it: there is no lowest value. If a loss
# of yours is negative and falls without end, look here first.

# %%
exercise("sequence-cross-entropy")

# %%
# exercise: sequence-cross-entropy
def sequence_cross_entropy(log_p, log_q):
    """Cross-entropy over all outputs of each input, in nats. (B, N), (B, N) -> (B,)"""
    raise NotImplementedError


exercise("sequence-cross-entropy").check(sequence_cross_entropy)

# %% [markdown]
# ## 3.2 What the sum is for
#
# The user is shown one output, and it will be A. Why then carry B and C along?
# Keep the term of the teacher's best output only, as if it were certain:
#
# $$\hat y = \arg\max_y \log P(y \mid c, z), \qquad
# \text{Loss} = -\log Q(\hat y \mid c', z) \qquad \text{(F4)}$$
#
# Let a third student take part that gives A the probability 0.98.
# **Predict** the order of all five under F4, then under F2.

# %%
students["student 3"] = log_of(0.98, 0.01, 0.01)
best = teacher.argmax()
losses = {
    name: (-q[best].item(), cross_entropy(teacher, q).item())
    for name, q in students.items()
}
print(f"{'':15} {'F4':>7} {'F2':>7}")
for name, (f4, f2) in sorted(losses.items(), key=lambda item: item[1]):
    print(f"{name:15} {f4:7.4f} {f2:7.4f}")

# %% [markdown]
# Three things broke.
#
# 1. F4 cannot tell student 1 from student 2: both have 0.5108. All that
#    distinguishes them happens in the terms that it dropped.
# 2. Student 3, the best by far under F4 (0.0202), is the worst of the three
#    under F2 (0.9372).
# 3. The teacher itself loses to student 3. A loss under which the teacher is
#    not the best student of itself does not measure imitation.
#
# Let us follow that road to its end: students that divide what A leaves just
# as the teacher does, three to one, and differ only in how sure of A they
# are.

# %%
sure = torch.cat([torch.linspace(0.2, 0.99, 80), log_of(0.9999).exp()])
sure = sure.double()
rest = 1 - sure
q = torch.stack([sure, 0.75 * rest, 0.25 * rest], dim=-1).log()
loss_f2, loss_f4 = cross_entropy(teacher, q), -q[:, 0]
lowest = sure[loss_f2.argmin()]
print(f"F2 is lowest at Q(A) = {lowest:.2f}; F4 falls for ever")
print(f"Q(A) = 0.9999: F4 = {loss_f4[-1]:.4f}, F2 = {loss_f2[-1]:.2f}")
print(f"a uniform guess:               F2 = {guess:.2f}")

# %%
curves(
    sure,
    {
        "F2, all outputs": loss_f2,
        "F4, best only": loss_f4,
        "F2 of a guess": [guess] * len(sure),
    },
    xlabel="probability that the student gives to A",
    ylabel="loss, nats",
    mark={"teacher": 0.8},
    alt=(
        "Two losses over the student's probability of A. F4 falls all the way "
        "to 0. F2 falls with it up to the teacher's own 0.8, turns there, and "
        "at the right edge shoots up through the line of a uniform guess."
    ),
)

# %% [markdown]
# Here is the surprise: **a student that is perfect under F4 can be worse, by
# F2, than one that knows nothing.** F2 is lowest exactly where the student
# agrees with the teacher, also about its doubts. The sum over all y is what
# makes it so: every output enters with the weight that the teacher gives it,
# good alternatives a little, nonsense not at all. Keep the best y only, and
# the sole remaining wish is to be sure.

# %% [markdown]
# ## 3.3 From three outputs to all sentences
#
# Where do P(A), P(B) and P(C) come from when outputs are sentences? A language
# model has no table of sentences. It has next-word distributions, and a
# sentence's probability is the product of its words'. Here is a translator
# for one sentence, *Je suis content*, small enough to be seen whole. Its
# numbers are made up; "." ends a sentence.

# %%
FOLLOWS = {
    ".": {"I": 0.55, "I'm": 0.45},
    "I": {"am": 1},
    "am": {"happy": 0.45, "glad": 0.25, "content": 0.20, "so": 0.10},
    "I'm": {"happy": 0.76, "glad": 0.10, "content": 0.04, "so": 0.10},
    "so": {"happy": 0.5, "glad": 0.4, "so": 0.1},
    "happy": {".": 1},
    "glad": {".": 1},
    "content": {".": 1},
}
words = tuple(FOLLOWS)
rows = [[FOLLOWS[a].get(b, 0) for b in words] for a in words]
log_rows = torch.tensor(rows, dtype=torch.float64).log()
translator = World(words, lambda context: log_rows)
student = translator.with_bias(0.3).smoothed(0.1)

# %% [markdown]
# The student is a poor copy: three parts in ten of its odds are wrong, and a
# tenth of its mass lies on any word at all.
#
# **Predict**: suppose the team stores only the teacher's single best string.
# Which one is it, and how much of the teacher's opinion is that?

# %%
LENGTH = 6
outputs = enumerate_sequences(translator, LENGTH, possible_only=True)
log_q = sequence_log_probs(student, outputs.tokens)
order = outputs.log_probs.argsort(descending=True)
print(f"{len(order)} possible outputs of up to {LENGTH} words, for example")
print(f"{'':24} {'teacher':>8} {'student':>8}")
for i in order[:9]:
    p, q = outputs.log_probs[i].exp(), log_q[i].exp()
    print(f"{translator.text(outputs.tokens[i]):24} {p:8.4f} {q:8.4f}")

# %% [markdown]
# The best string is *I'm happy*, and it holds about a third of the
# probability. What the other two thirds say is what a learner of English
# would want to know: *I am happy* is nearly as good; *glad* will do after
# *I am*, and less so after *I'm*; one may say *so* more than once but hardly
# does; all that is not among the 22 is wrong. The single string says none of
# this. In the next-word distributions it is said at every position:

# %%
for prefix in ("", "I am", "I'm"):
    shares = translator.next_words(prefix)
    shown = ", ".join(f"{word} {share:.2f}" for word, share in shares)
    print(f"{prefix or '(start)':8} {shown}")
one_string = best_sequence(translator, LENGTH)
told = -one_string.log_prob.expm1().item()
print(f"\nprobability that the best string leaves out: {told:.3f}")

# %% [markdown]
# Notice one thing for later. The best *first word* is *I*, yet the best
# *sentence* starts with *I'm*.

# %% [markdown]
# ## 3.4 Way 1: write every output down
#
# The definition, taken literally: list all outputs, ask both models for each
# one's probability, add up. An output is any string that ends within six
# words, or six words that have not ended yet; possible or not, since the loss
# does not know in advance which weights are 0.

# %%
uniform = TabularStudent(translator)  # untrained: every word equally likely
terms = count_sequences(len(words), LENGTH)
print(f"terms in the sum: {terms:,}")
enumerated = {
    name: enumerated_loss(
        translator, model, LENGTH, cross_entropy
    ).item()
    for name, model in {
        "uniform guess": uniform,
        "student": student,
        "teacher itself": translator,
    }.items()
}
for name, loss in enumerated.items():
    print(f"{name:15} F2 = {loss:.4f} nats")

# %% [markdown]
# The student is far from a guess and about a third of a nat from the floor.
# Its 2.2039 is the number that the other ways have to match. It took more than
# a hundred thousand terms, of which 22 were not zero.

# %% [markdown]
# ## 3.5 The wall
#
# **Predict**: a real vocabulary has 50,000 tokens, and an answer of 20 tokens
# is short. If your machine adds a million terms a second, how long does F2
# take: a night, a year, a lifetime?
#
# With V words and exactly L of them there are
#
# $$V^L \text{ terms} \qquad \text{(F3)}$$
#
# One more word multiplies the work by V. (Our translator's sum was a little
# shorter: once a sentence has ended, there is nothing left to choose.) First,
# how fast is this machine?


# %%
def terms_per_second(length):
    started = time.perf_counter()
    enumerated_loss(
        translator, student, length, cross_entropy
    )
    seconds = time.perf_counter() - started
    return count_sequences(len(words), length) / seconds


rate = max(terms_per_second(LENGTH) for _ in range(3))
assert 1e4 < rate < 1e8
print("measured: between 10^4 and 10^8 terms a second")

# %% [markdown]
# The number itself is in `rate`; it is yours, so the page does not print it.
# A million a second is a fair round figure for a laptop. Take it, and then be
# generous and take the largest computers that there are, which make about
# 10 to the 18th operations a second.

# %%
YEAR = 3600 * 24 * 365.25
real = count_sequences(50_000, 20, has_eos=False)
print(f"V = 50,000, L = 20: {real / 10**93:.1f} x 10^93 terms")
for machine, speed in (("a laptop", 10**6), ("the largest", 10**18)):
    years = real / speed / YEAR
    print(f"{machine:11} about 10^{math.log10(years):.0f} years")
print(f"age of the universe: about 10^{math.log10(1.4e10):.0f} years")
ages = 10**18 * 1.4e10 * YEAR
assert rate < 10**18 and 50_000**7 < ages < 50_000**8

# %%
wall = 10**6 * 86_400
terms_and_walls(
    range(1, 21),
    [8, 24, 50_000],
    {"a day on a laptop": wall, "the largest, since the Big Bang": ages},
    alt=(
        "Number of terms over length on a logarithmic scale: straight lines. "
        "Two horizontal walls cross them. A vocabulary of 8 passes a day on a "
        "laptop after a dozen words, one of 24 after seven, one of 50,000 "
        "after two tokens; with its eighth token it passes all that the "
        "largest computer could have added up since the Big Bang."
    ),
)

# %%
assert 24**7 < wall < 24**8 and 50_000**2 < wall < 50_000**3
print(f"{wall:,} terms in a day at a million a second")
print(f"24^7 = {24**7:,} fits, 24^8 = {24**8:,} does not")

# %% [markdown]
# No better machine helps. A thousand times the speed buys V = 50,000 less
# than one more token. `kdlib` therefore refuses before it starts, and says
# what to do instead; what it proposes is the rest of this chapter.

# %%
try:
    enumerated_loss(story_world(), story_world(), 20)
except ValueError as refusal:
    print(refusal)

# %%
exercise("longest-that-fits")

# %%
# exercise: longest-that-fits
def longest_that_fits(vocabulary, terms):
    """The largest L for which the sum over all outputs of L tokens has at most `terms` terms."""
    raise NotImplementedError


exercise("longest-that-fits").check(longest_that_fits)

# %% [markdown]
# ## 3.6 Way 2: the chain rule
#
# The sum lists *I am happy*, *I am glad*, *I am content*, and for each it
# computes the probability of *I am* again. The logarithm of a product is a
# sum, so the loss can be taken apart by position instead:
#
# $$-\sum_y P(y)\log Q(y) \;=\; \sum_{t}\;\sum_{y_{<t}} P(y_{<t})\;
# \Big[-\sum_{v} P(v \mid y_{<t}) \log Q(v \mid y_{<t})\Big]$$
#
# In the brackets stands the next-token cross-entropy of chapters 1 and 2. In
# front of it stands how often the teacher gets to that prefix. So the loss of
# a sequence is the sum of its next-token losses, averaged over **prefixes
# that the teacher writes**. Try it with two tokens.

# %%
exercise("chain-rule-loss")

# %%
# exercise: chain-rule-loss
def chain_rule_loss(log_p1, log_p2, log_q1, log_q2):
    """F2 over all outputs of two tokens, in nats. (V,), (V, W), (V,), (V, W) -> scalar"""
    raise NotImplementedError


exercise("chain-rule-loss").check(chain_rule_loss)

# %% [markdown]
# **Predict**: the two ways add different numbers in a different order. How
# many digits will they share?

# %%
print("  L      terms   enumerated   chain rule")
for n in range(1, LENGTH + 1):
    both = [
        way(translator, student, n, cross_entropy)
        for way in (
            enumerated_loss,
            sequence_losses.chain_rule_loss,
        )
    ]
    count = count_sequences(len(words), n)
    print(f"{n:3} {count:10,} {both[0]:12.8f} {both[1]:12.8f}")
    assert abs(both[0] - both[1]) < 1e-12
print("they agree to 1e-12 at every length")

# %% [markdown]
# Is the wall gone, then? Count the prefixes before you rejoice. In a language
# where anything may follow anything, the chain rule visits all prefixes of up
# to L - 1 words, which saves *one* factor V. It is fast here for other
# reasons: our teacher rules most prefixes out, and what it will say depends on
# the last word alone, so that all prefixes that end in the same word can share
# one account.

# %%
V = len(words)
prefixes = sum((V - 1) ** t for t in range(LENGTH))
met = {
    tuple(y[:t].tolist())
    for y, n in zip(outputs.tokens, outputs.lengths)
    for t in range(n)
}
states = int((translator.visits(length=LENGTH) > 0).sum())
print(f"outputs written down (way 1)      {terms:8,}")
print(f"prefixes, if anything is possible {prefixes:8,}")
print(f"prefixes that the teacher writes  {len(met):8,}")
print(f"last words that tell them apart   {states:8,}")

# %% [markdown]
# With memory for one word, the account of a state is the expected number of
# visits to it. That is linear algebra with a matrix of V rows, for any length,
# even without a limit. This is what `world.cross_entropy` does, and why the
# toy worlds of this book know their exact losses. A language model has no such
# states; every prefix is its own. For it, way 2 is a theorem and not yet a
# method.

# %%
for n in (LENGTH, 50, None):
    loss = translator.cross_entropy(student, length=n)
    title = "whole sentences" if n is None else f"first {n} words"
    print(f"{title:16} F2 = {loss:.4f} nats")
within = translator.cross_entropy(student, length=LENGTH).item()
assert abs(within - enumerated["student"]) < 1e-12

# %% [markdown]
# ### Long outputs: what a sum does and a mean does not
#
# The chain rule adds token losses up, so a long output weighs more than a
# short one. **Predict**: two strategies train a translation model. For one
# sentence the teacher writes a short translation (3 tokens, probability 0.7)
# or a long one (12 tokens, probability 0.3). Strategy *even* ends with 0.30
# nats at every token. Strategy *long* has practised on long sentences: 0.40
# at the tokens of the short translation, 0.20 at those of the long one. Which
# is better?

# %%
share = {3: 0.7, 12: 0.3}  # tokens of a translation: its probability
strategies = {"even": {3: 0.30, 12: 0.30}, "long": {3: 0.40, 12: 0.20}}
print(f"{'':5} {'F2 (sums)':>10} {'mean of means':>14} {'per token':>10}")
for name, token in strategies.items():
    sums = sum(share[n] * n * token[n] for n in share)
    means = sum(share[n] * token[n] for n in share)
    pooled = sums / sum(share[n] * n for n in share)
    print(f"{name:5} {sums:10.3f} {means:14.3f} {pooled:10.3f}")

# %% [markdown]
# F2 prefers *long* (1.560 against 1.710), the mean of the translations' means
# prefers *even* (0.300 against 0.340). Neither is a mistake. A sum asks about
# the whole output; a mean per output lets every output count alike, whatever
# its length. The mistake is to compare numbers of different kinds, or sums
# over sets of different lengths: there the shorter outputs look better for
# being short.

# %%
exercise("loss-of-two-translations")

# %%
# exercise: loss-of-two-translations
answer = ...  # nats, to 2 decimals
exercise("loss-of-two-translations").check(answer)

# %% [markdown]
# ## 3.7 Way 3: ask the teacher to write
#
# F2 is an average over what the teacher writes. An average can be estimated:
# let the teacher write N outputs, and take the mean of the student's
# surprise. Likely outputs come often by themselves, so no weights are needed.
#
# **Predict**: with a hundred outputs, how large is the error? And how much
# larger for a vocabulary a hundred times as big?

# %%
exercise("sampled-loss")

# %%
# exercise: sampled-loss
def sampled_loss(log_p, log_q):
    """Estimate of F2 from samples of the teacher, and its standard error. (N,), (N,) -> a pair"""
    raise NotImplementedError


exercise("sampled-loss").check(sampled_loss)


# %%
def interval(estimate):
    half = 1.96 * estimate.standard_error.item()
    return estimate.value.item(), half


def seeded(seed):
    return torch.Generator().manual_seed(seed)


exact = enumerated["student"]
print(f"exact {exact:.3f}")
for n in (100, 1_000, 10_000, 100_000):
    found = sequence_losses.sampled_loss(
        translator, student, LENGTH, cross_entropy,
        samples=n, generator=seeded(3),
    )
    value, half = interval(found)
    print(f"{n:7,} outputs: {value:.3f} +- {half:.3f}")

# %% [markdown]
# Ten times the outputs for a third of the error, as for every average. Does
# the interval keep its promise, to hold the exact value 19 times in 20? We are
# in the rare position to check it.

# %%
REPEATS, N = 400, 100
hits = 0
for seed in range(REPEATS):
    value, half = interval(
        sequence_losses.sampled_loss(
            translator, student, LENGTH, cross_entropy,
            samples=N, generator=seeded(seed),
        )
    )
    hits += abs(value - exact) < half
print(f"{hits / REPEATS:.0%} of {REPEATS} intervals hold the exact value")
assert 0.92 < hits / REPEATS < 0.98

# %% [markdown]
# Now the second half of the question: 20 words, and vocabularies that make
# the number of terms absurd. (In these worlds anything may follow anything,
# and the exact value comes from their memory of one word.)

# %%
print("   V    terms     exact    1,000 outputs   relative error")
for size in (4, 32, 256):
    names = [f"w{i}" for i in range(size - 1)] + ["."]
    world = random_world(" ".join(names), seed=1)
    copy = world.with_temperature(1.5)
    exact_20 = world.cross_entropy(copy, length=20).item()
    value, half = interval(
        sequence_losses.sampled_loss(
            world, copy, 20, cross_entropy, samples=1_000, generator=seeded(1)
        )
    )
    terms_20 = f"10^{math.log10(count_sequences(size, 20)):.0f}"
    print(
        f"{size:4} {terms_20:>8} {exact_20:9.2f} {value:9.2f} +- {half:.2f}"
        f" {half / value:12.1%}"
    )
    assert abs(value - exact_20) < 2 * half

# %% [markdown]
# **The error does not know how many outputs there are.** It knows how much
# their losses differ, and that is all. This is what makes the loss usable: the
# cost went from V^L to N times L steps of a model, and the price is an
# interval. (The relative error even falls in the table, because a longer text
# averages over more words.) A wall that no machine can climb has a door in it.
# And since the gradient of the estimate is right on average, too, a student
# can be trained through that door; section 3.10 does it.
#
# ### Sampling less
#
# A drawn output has a drawn word at every position, and each draw adds noise.
# But at a prefix both models say the probability of *every* next word; only
# the prefix needs to be drawn, the next word can be summed over, as in the
# brackets of the chain rule. At each step an average replaces a draw: this is
# called Rao-Blackwellisation (for this loss: Amini, Vieira and Cotterell
# 2025), and `sequence_losses.stepwise_loss` does it.
#
# **Predict** by what factor the variance falls. Everything is enumerable here,
# so the variance of a single drawn output is computed, not estimated.


# %%
def variances(teacher, student, length, divergence):
    """Of one draw: of the whole output, of the prefixes only."""
    y = enumerate_sequences(teacher, length, possible_only=True)
    whole = -sequence_log_probs(student, y.tokens)
    if divergence is forward_kl:
        whole = whole + y.log_probs
    steps = divergence(
        position_log_probs(teacher, y.tokens),
        position_log_probs(student, y.tokens),
    )
    stepwise = sequence_sum(steps, y.mask)
    p, values = y.log_probs.exp(), torch.stack([whole, stepwise])
    mean = (p * values).sum(dim=1, keepdim=True)
    return (p * (values - mean) ** 2).sum(dim=1).tolist()


# %%
print(f"{'':22} {'whole':>8} {'stepwise':>9}")
for name, loss in (("cross-entropy", cross_entropy), ("KL", forward_kl)):
    whole, stepwise = variances(translator, student, LENGTH, loss)
    print(f"translator, {name:13} {whole:5.4f} {stepwise:9.4f}")

# %% [markdown]
# For the cross-entropy the variance falls to less than a third, for the KL
# (chapter 4), whose terms are small wherever the student is good, to nearly
# nothing. It is tempting to write "always". Try forty pairs of worlds without
# any grammar, whose texts end at very different lengths: first a student that
# is a biased copy of the teacher, then one that has nothing to do with it.

# %%
wins = {}
for seed in range(40):
    world = random_world(seed=seed)
    relatives = {
        "a biased copy": world.with_bias(0.2),
        "a stranger": random_world(seed=seed + 100),
    }
    for name, other in relatives.items():
        for loss in (cross_entropy, forward_kl):
            whole, stepwise = variances(world, other, LENGTH, loss)
            key = name, loss.__name__
            wins[key] = wins.get(key, 0) + (stepwise < whole)
for (name, loss), count in wins.items():
    print(f"{name:14} {loss:14} stepwise is better in {count} of 40")

# %% [markdown]
# For the KL it won throughout here. For the cross-entropy either may win.
# An unexpected end makes a text dear, and it makes it short, which is cheap:
# in whole outputs the two errors may cancel. Averaging each step removes the
# first and leaves the second. And for the KL there is a case in which whole
# outputs cannot err at all. The teacher writes *a* or *b*, with equal odds;
# the student prefers *b*, but half of the time does not know when to stop.


# %%
def tiny_world(*rows):
    return World(("a", "b", "."), lambda context: log_of(*rows))


certain = tiny_world((0, 0, 1), (0, 0, 1), (0.5, 0.5, 0))
hesitant = tiny_world((0, 0, 1), (2 / 3, 0, 1 / 3), (0.25, 0.75, 0))
for text in ("a .", "b ."):
    y = certain.ids(text)[None]
    p = sequence_log_probs(certain, y).exp().item()
    q = sequence_log_probs(hesitant, y).exp().item()
    print(f"{text}  P = {p:.2f}, Q = {q:.2f}, log P/Q = {math.log(p / q):.4f}")
whole, stepwise = variances(certain, hesitant, 2, forward_kl)
print(f"variance: whole {whole:.4f}, stepwise {stepwise:.4f}")
assert whole < 1e-12 < stepwise

# %% [markdown]
# P(y)/Q(y) is the same for every y, so one draw tells all, while the loss of
# the steps depends on where the draw went. Summing over the next word is a
# good habit, not a law. Its cost differs, too: it needs all V probabilities
# of the teacher at every position, where plain sampling needs a text. For a
# teacher behind a text-only interface, whole outputs are all there is;
# chapter 8 is about storing the rest.
#
# What would go wrong: texts from elsewhere. If the prefixes come from a fixed
# corpus and not from the teacher, the result is a useful loss and the one that
# most people minimise, but it is not F2; chapter 9 asks what happens when
# they come from the student.

# %% [markdown]
# ## 3.8 Way 4: the best output only
#
# F4 needs one output, so its cost is that of a search. That is a problem of
# its own: the best sentence need not start with the best word. *Beam search*
# keeps the best few prefixes at each step. **Predict**: our translator has
# eight words. How wide must the beam be?

# %%
for beam in (1, 2, None):
    found = best_sequence(translator, LENGTH, beam=beam)
    text = translator.text(found.tokens)
    name = f"beam {beam}" if beam else "exact"
    print(f"{name:8} {text:14} P = {found.log_prob.exp():.4f}")

# %% [markdown]
# Taking the best word at each step finds *I am happy*, the second best. Two
# prefixes are enough here. In the story world, which has 24 words and tells of
# foxes in ornate language, they are not. A check for exactness comes for free:
# no story is likelier than its own beginning, so a best outcome of at most
# seven words that has ended is the best of any length.

# %%
story = story_world()
for beam in (1, 2, 4, 8, 16, None):
    found = best_sequence(
        story, 20 if beam else 7, "ornate fox", beam=beam
    )
    name = f"beam {beam}" if beam else "exact"
    print(f"{name:8} P = {found.log_prob.exp():.4f}  ", end="")
    print(story.text(found.tokens))
assert found.tokens[-1] == story.eos_id

# %% [markdown]
# The exact best is a plain little story that no narrow beam finds. And look
# what kind of story it is:

# %%
typical = story.visits("ornate fox").sum()
told = story.sample(1_000, "ornate fox", length=40, seed=0)
same = (told.log_probs >= found.log_prob - 1e-9).double().mean()
print(f"words of the best story, '.' included: {len(found.tokens)}")
print(f"words of a story, on average:          {typical:.1f}")
print(f"share of 1,000 written stories that are the best: {same:.1%}")

# %% [markdown]
# The likeliest output is not a likely output, and it is not typical either.
# Every further word multiplies by a number below 1, so the best output tends
# to be short. A student that is trained on best outputs learns that, too.

# %%
exercise("best-output-loss")

# %%
# exercise: best-output-loss
def best_output_loss(log_p, log_q):
    """F4, and the teacher's probability of all other outputs. (B, N), (B, N) -> (B,), (B,)"""
    raise NotImplementedError


exercise("best-output-loss").check(best_output_loss)

# %% [markdown]
# ### The four ways, side by side

# %%
options = {"samples": 200, "generator": seeded(0)}
ways = {"1 enumeration": (exact, 0), "2 chain rule": (within, 0)}
ways["3 samples, whole"] = interval(
    sequence_losses.sampled_loss(
        translator, student, LENGTH, cross_entropy, **options
    )
)
ways["3 samples, stepwise"] = interval(
    stepwise_loss(
        translator, student, LENGTH, cross_entropy, **options
    )
)
f4 = best_sequence_loss(translator, student, LENGTH).item()
ways["4 best only (F4)"] = f4, 0
for name, (value, half) in ways.items():
    print(f"{name:20} {value:.2f}" + (f" +- {half:.2f}" if half else ""))

# %%
intervals(
    {name: (v, v - half, v + half) for name, (v, half) in ways.items()},
    xlabel="loss of the same student, nats",
    baseline={"F2, exact": exact},
    alt=(
        "The same student under four losses. Enumeration and chain rule lie "
        "on the exact value. Both sampled intervals cover it; the stepwise "
        "one is about half as wide. F4 lies far to the left, alone."
    ),
)

# %% [markdown]
# The fourth is not an inaccurate estimate of the other three. More outputs,
# more compute, a wider beam: nothing moves it towards them. It measures
# something else.

# %% [markdown]
# ## 3.9 200,000 outputs, or one
#
# A realistic case between toy and language. For one input a teacher finds
# 200,000 outputs possible. Four good ones share nine tenths of the
# probability; the rest share the last tenth, each with next to nothing. A
# team finds the sum too expensive, lets the teacher write **its best output
# once per input**, and trains on that. The student ends at 0.99 for the
# favourite, which looks like success. **Predict** what F2 says.

# %%
OUTPUTS = 200_000
favourites = torch.tensor([0.40, 0.25, 0.15, 0.10], dtype=torch.float64)
tail = torch.full((OUTPUTS - 4,), 0.10 / (OUTPUTS - 4)).double()
log_p = torch.cat([favourites, tail]).log()
hard = torch.full_like(log_p, 0.01 / (OUTPUTS - 1)).log()
hard[0] = math.log(0.99)
guess = torch.full_like(log_p, 1 / OUTPUTS).log()
print(f"{'':22} {'F4':>6} {'F2':>6}  nats")
for name, q in (
    ("uniform guess", guess),
    ("trained on the best", hard),
    ("teacher itself", log_p),
):
    print(f"{name:22} {-q[0]:6.2f} {cross_entropy(log_p, q):6.2f}")
left_out = 1 - favourites[0]
print(f"\nprobability that is not looked at: {left_out:.2f}")
print(f"entropy: teacher {entropy(log_p):.2f}, target {0:.2f} nats")

# %% [markdown]
# *What is solved*: the cost. One term instead of 200,000, and a text is all
# that the teacher must hand over. *What is lost*: the entropy of the teacher,
# all 2.68 nats of it. The target no longer says that there was a second-best
# output, how good it was, or that the third is better than nonsense. By F2,
# the student that looked so good (F4 of 0.01) has gone a fifth of the way
# from the guess to the floor.
#
# Is it the *number* of outputs that costs so much, one per input? No. Let the
# teacher write one output per input as before, but **draw** it instead of
# taking the best. For a single input this is a worse target. Over many inputs
# it is an honest one:

# %%
chosen = torch.multinomial(
    log_p.exp(), 1_000, replacement=True, generator=seeded(2)
)
surprise = -hard[chosen]
half = 1.96 * surprise.std() / 1_000**0.5
print(f"exact F2                          {cross_entropy(log_p, hard):6.2f}")
print(f"a drawn output for 1,000 inputs   {surprise.mean():6.2f} "
      f"+- {half:.2f}")
print(f"the best output for 1,000 inputs  {-hard[0]:6.2f} +- 0.00")

# %% [markdown]
# The best output is the same each time, so its average is certain and wrong.
# A mode is not a sample.

# %%
exercise("one-output-per-input")

# %%
# exercise: one-output-per-input
answer = ...  # one letter of a, b, c, d
exercise("one-output-per-input").check(answer)

# %% [markdown]
# ## 3.10 What the hard target forgets: students, trained
#
# So far the students were given. Now they learn. The teacher is the story
# world under the instruction *plain*: it reads x = (c, z), such as
# *plain fox*. The students read x' = (c', z) with an empty c', such as *fox*.
# Hard targets first:

# %%
READS = {z: f"plain {z}" for z in ("fox", "owl", "child", "sailor")}
best_story = {}
for z, x in READS.items():
    found = best_sequence(story, 7, x)
    assert found.tokens[-1] == story.eos_id  # hence the best of any length
    best_story[z] = found.tokens[None]
    share = found.log_prob.exp().item()
    print(f"{x:13} {story.text(found.tokens):26} P = {share:.3f}")

# %% [markdown]
# Here the chain rule pays twice. Every loss of this chapter, for such a
# student, is a sum over pairs of words: *how often does the target want word
# w after word s*, times the student's surprise at that. Soft, hard and drawn
# targets differ in this table of counts and in nothing else:
#
# | target | how often w is wanted after s |
# |---|---|
# | soft (F2) | as often as the teacher is expected to write it |
# | hard (F4) | as often as it stands in the teacher's best story |
# | drawn | as often as it stands in one story that the teacher wrote |


# %%
def surprise(student, counts):
    """Mean over the inputs of the loss that these counts ask for."""
    losses = [-(counts[z] * student.log_rows(z)).sum() for z in READS]
    return torch.stack(losses).mean()


def counted(tokens):
    lengths = sequence_lengths(tokens, story.eos_id)
    return story.transition_counts(
        Sequences(tokens, lengths, torch.zeros(len(tokens)))
    )


SOFT = {
    z: story.visits(x)[:, None] * story.log_rows(x).exp()
    for z, x in READS.items()
}
HARD = {z: counted(tokens) for z, tokens in best_story.items()}

# %%
untrained = LowRankStudent(story, rank=8, seed=0)
by_world = [
    story.cross_entropy(untrained, x, student_context=z)
    for z, x in READS.items()
]
by_search = [
    best_sequence_loss(
        story, untrained, 7, teacher_context=x, student_context=z
    )
    for z, x in READS.items()
]
for counts, losses in ((SOFT, by_world), (HARD, by_search)):
    mean = torch.stack(losses).mean()
    assert abs(surprise(untrained, counts) - mean) < 1e-12
print("the tables give F2 and F4, to 1e-12")

# %% [markdown]
# Three students start alike and take the same number of steps. *Soft* gets F2
# itself. *Hard* gets the best story of each input. *Drawn* gets one story per
# input and step, written by the teacher beforehand: no dearer than *hard*.
# All have a bottleneck of eight numbers, which is enough for this world.
#
# **Predict** for *hard*: its F4 will fall to 0. Where does its F2 go
# meanwhile: down with it, or up?

# %%
STEPS, SEEDS = 300, range(5)


def targets(kind, seed):
    """What the student is shown at each step."""
    if kind != "drawn":
        return [SOFT if kind == "soft" else HARD] * STEPS
    data = story.dataset(list(READS.values()), STEPS, length=20, seed=seed)
    return [
        {z: counted(data[x].tokens[[step]]) for z, x in READS.items()}
        for step in range(STEPS)
    ]


# %%
def train(kind, rank, seed):
    student, f2 = LowRankStudent(story, rank, seed), []
    shown = iter(targets(kind, seed))

    def loss():
        f2.append(surprise(student, SOFT).item())
        return surprise(student, next(shown))

    fit(student, loss, STEPS)
    return student.requires_grad_(False), f2


# %%
KINDS = ("soft", "hard", "drawn")
enough = {kind: [train(kind, 8, s) for s in SEEDS] for kind in KINDS}


def own_entropy(student):
    return sum(student.entropy(z).item() for z in READS) / len(READS)


def shows_best(student):
    """For how many inputs its own best story is the teacher's."""
    own = {z: best_sequence(student, 20, z, beam=16) for z in READS}
    return sum(
        torch.equal(own[z].tokens, best_story[z][0]) for z in READS
    )


# %% [markdown]
# Five seeds each; the intervals are Student's t over the seeds, made to hold
# 19 times in 20. The last column counts, over inputs and seeds, how often the
# story that the student finds best is the teacher's best, too: what a user is
# shown by a system that shows the best.


# %%
def mean_and_half(values):
    values = torch.tensor(values, dtype=torch.float64)
    return values.mean().item(), (2.776 * values.std() / 5**0.5).item()


def short(mean, half):
    digits = 2 if mean < 10 else 0
    return f"{mean:7.{digits}f} +- {half:<4.{digits}f}"


def describe(name, group):
    cells = ""
    for loss in (
        lambda student: surprise(student, SOFT).item(),
        lambda student: surprise(student, HARD).item(),
        own_entropy,
    ):
        cells += short(*mean_and_half([loss(each) for each in group]))
    shown = sum(shows_best(student) for student in group)
    print(f"{name:15}{cells}   {shown:2} of {4 * len(group)}")


# %%
HEADER = f"{'nats':15}{'F2':>7}{'F4':>15}{'own entropy':>21}  shows best"
floor = sum(story.entropy(x).item() for x in READS.values()) / 4
own_f4 = [
    best_sequence_loss(
        story, story, 7, teacher_context=x, student_context=x
    ).item()
    for x in READS.values()
]
uniform = TabularStudent(story)
guess = surprise(uniform, SOFT).item()
print(HEADER)
print(f"{'uniform guess':15}{guess:7.2f}", end="")
print(f"{surprise(uniform, HARD):15.2f}")
describe("untrained", [LowRankStudent(story, 8, s) for s in SEEDS])
for kind in KINDS:
    describe(kind, [student for student, _ in enough[kind]])
print(f"{'teacher itself':15}{floor:7.2f}", end="")
print(f"{sum(own_f4) / 4:15.2f}{floor:15.2f}")

# %% [markdown]
# *Soft* has become the teacher: loss, entropy and best stories agree. *Hard*
# has learned its lesson perfectly: F4 is 0, and all best stories are right.
# Its F2, 31, is far above the guess that it might have made without any
# training (17.75). Its own entropy is 0.01: it tells four stories, one for
# each input, and no other. *Drawn* saw as many stories as *hard* and paid as
# much, and its F2 is 4.01. What separates it from *soft* is the noise of the
# draws; it also leaves the race between nearly equal stories undecided.

# %%
runs = {
    kind: torch.tensor([f2 for _, f2 in enough[kind]]) for kind in KINDS
}

# %%
curves(
    range(STEPS),
    {
        kind: (f2.mean(dim=0), f2.amin(dim=0), f2.amax(dim=0))
        for kind, f2 in runs.items()
    }
    | {"uniform guess": [guess] * STEPS, "floor": [floor] * STEPS},
    xlabel="training step",
    ylabel="F2, nats",
    alt=(
        "F2 over training steps for three targets, bands over five seeds. "
        "Soft falls to the floor, the teacher's entropy, within some fifty "
        "steps. Drawn falls more slowly and stays a little above it. Hard "
        "dips for a few steps, then rises above the uniform guess and goes "
        "on rising."
    ),
)

# %% [markdown]
# At first the hard target helps: it teaches words and grammar, which best
# stories share with all others. Then that is learned, and what is left to
# gain is certainty. To be fair to it, stop it where its F2 is lowest. (That
# takes an estimate of F2: texts that the teacher drew, after all.)

# %%
for kind, f2 in runs.items():
    mean, half = mean_and_half(f2.amin(dim=1).tolist())
    print(f"{kind:6} lowest F2 on the way: {mean:4.1f} +- {half:.1f}")
assert runs["hard"].min() > 2 * runs["drawn"][:, -1].max()

# %% [markdown]
# Even so it stays nearer to the guess than to the floor. What has been
# forgotten? Ask the first of the five students of each kind for stories about
# the owl:

# %%
y = enumerate_sequences(story, 7, READS["owl"], possible_only=True)
top = y.tokens[y.log_probs.argsort(descending=True)[:4]]
models = {"teacher": (story, READS["owl"])} | {
    kind: (enough[kind][0][0], "owl") for kind in KINDS
}
given = {}
for name, (model, context) in models.items():
    p = sequence_log_probs(model, top, context).exp()
    given[name] = torch.cat([p, 1 - p.sum(dim=0, keepdim=True)])
stories = [*story.text(top), "all others"]
print(f"{'':24}" + "".join(f"{name:>9}" for name in given))
for i, text in enumerate(stories):
    shares = "".join(f"{p[i].abs():9.2f}" for p in given.values())
    print(f"{text:24}{shares}")
words_written = "".join(
    f"{model.visits(context).sum():9.1f}" for model, context in models.values()
)
print(f"{'words in a story':24}{words_written}")

# %%
distributions(
    given,
    stories,
    alt=(
        "Probabilities of four stories about the owl and of all others "
        "together. The teacher and the soft student look the same: a clear "
        "favourite, a second, two small ones, and two fifths for all others. "
        "The hard student has one bar of height 1 and nothing else. The "
        "drawn student is near the teacher."
    ),
)

# %% [markdown]
# The favourite is as it was, the second best is gone, and so is the entropy:
# how many ways there are to go on, and when to be unsure. The stories have
# become shorter, as section 3.8 said they would. Whoever samples
# from this student, asks it for alternatives, trusts its confidence or
# distils it further will miss them.
#
# ## 3.11 Where the hard target wins
#
# That was a student large enough for the whole distribution. Let the
# bottleneck be two numbers in place of eight. Now something has to be given
# up. **Predict** which target then shows the user the better story.

# %%
small = {kind: [train(kind, 2, s) for s in SEEDS] for kind in KINDS}
print(HEADER)
for kind in KINDS:
    describe(kind, [student for student, _ in small[kind]])
shown = {
    kind: sum(shows_best(student) for student, _ in small[kind])
    for kind in KINDS
}
assert shown["hard"] >= shown["soft"] + 4

# %% [markdown]
# By F2 the order is as before, and *hard* is worse than ever. On the screen it
# is turned round: the small *hard* students show the teacher's best story each
# time, the *soft* ones often something else. *Soft* spends its two numbers on
# covering all stories a little, *hard* on the one that is asked for. This is
# why sequence-level distillation was a success in machine translation, with
# small students and a system that shows the best output (Kim and Rush 2016),
# although it forgets all that section 3.10 found missing. What you want to
# keep decides, not the loss.
#
# Two limits of this experiment. The world has four inputs; among the millions
# of a real corpus, neighbours have different best outputs, and a student that
# cannot tell them apart gets some of the variety back. And 31 nats is a matter
# of patience: F2 of a hard-trained student goes on rising for as long as one
# trains; in practice one stops early or smooths the labels.

# %% [markdown]
# ## 3.12 F2 as the loss of a translation system
#
# A colleague proposes F2 for a system that will show its users one
# translation. Judge it on three counts: what it *costs*, what it *covers*,
# what a *user sees*. One more small case is needed for the third. The last
# two of six translations are bad.

# %%
ENGLISH = (
    "I am happy", "I'm happy", "I am glad", "I'm glad",
    "I am contained", "happy am I",
)
log_p = log_of(0.35, 0.25, 0.20, 0.15, 0.04, 0.01)
systems = {
    "uniform guess": log_of(*[1 / 6] * 6),
    "covers": log_of(0.24, 0.22, 0.18, 0.10, 0.25, 0.01),
    "single": log_of(0.95, 0.01, 0.01, 0.01, 0.01, 0.01),
    "teacher itself": log_p,
}
for name, q in systems.items():
    screen = "" if name == "uniform guess" else ENGLISH[q.argmax()]
    print(f"{name:15} F2 = {cross_entropy(log_p, q):.4f}  {screen}")
p = log_p.exp()
print(f"\nprobability of good translations: {p[:4].sum():.2f}")
print(f"credited by F4: {p[0]:.2f}")

# %% [markdown]
# - **Cost.** Prohibitive as written: V^L terms (section 3.5). Fine when
#   estimated: a few texts per input, or next-token sums along them (as in
#   section 3.7).
# - **Coverage.** The strength of F2. All good translations earn credit, each
#   by its probability: 0.95 of the mass, where F4 credits 0.35 and counts
#   *I'm happy* as a mistake.
# - **What a user sees.** Not what F2 measures. *Covers* has by far the lower
#   loss (1.6679 against 3.0113), and its screen says *I am contained*. F2 is
#   an average over all that might be said; a screen shows one.
#
# And none of the three says whether the teacher is right. A low F2 means that
# the student agrees with the teacher, mistakes included. So: a good goal, to
# be estimated and not summed, and to go together with a check of the outputs
# that are really shown.

# %%
exercise("exact-loss-for-translation")

# %%
# exercise: exact-loss-for-translation
answer = ...  # one letter of a, b, c, d
exercise("exact-loss-for-translation").check(answer)

# %% [markdown]
# ## Summary
#
# | way | result | cost | when |
# |---|---|---|---|
# | 1 enumeration | F2 | V^L | toys; to check the others |
# | 2 chain rule | F2 | all prefixes, or all states | worlds; theory |
# | 3 whole samples | F2 +- error | N texts | a teacher that only writes |
# | 3 stepwise | F2 +- error | N texts, V numbers a word | all else |
# | 4 best only | F4, another loss | a search | small student, one answer |
#
# - The sum over all y makes the teacher the best student of itself. Without
#   it the best student is the surest.
# - F2 and F4 are losses with their minus sign, whatever is printed.
# - The exact sum is out of reach for any real vocabulary. Sampling is not: its
#   error depends on how much the losses differ, not on how many outputs there
#   are.
# - Summing over the next word mostly helps, and not always.
# - The likeliest output is not a sample. One best output per input solves the
#   cost and forgets second-best and doubt; one drawn output solves the cost
#   and forgets nothing, on average.
# - Sums compare whole outputs, means compare tokens. Never one with the other.
#
# ## Further reading
#
# - Kim and Rush 2016, *Sequence-Level Knowledge Distillation*: F4 and its
#   success in translation.
# - Hinton, Vinyals and Dean 2015, *Distilling the Knowledge in a Neural
#   Network*: soft targets.
# - Amini, Vieira and Cotterell 2025, *Better Estimation of the KL Divergence
#   Between Language Models*: the stepwise estimator.
# - Stahlberg and Byrne 2019, *On NMT Search Errors and Model Errors: Cat Got
#   Your Tongue?*: the exact best translation is often the empty one.
# - Eikema and Aziz 2020, *Is MAP Decoding All You Need? The Inadequacy of the
#   Mode in Neural Machine Translation*: why the best is not typical.
# - Cover and Thomas 2006, *Elements of Information Theory*, chapter 2: the
#   chain rule.
