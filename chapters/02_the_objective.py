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
# # 2. The objective: what the student is asked to do
#
# A student reaches a training loss of zero. It is put to use and behaves as
# if it had never been trained. No line of the code is broken. What happened?
#
# **You will be able to**
#
# - read the objective of distillation, F1, part by part, and say what it asks
#   for and what it leaves open;
# - tell the full inputs D from the simplified inputs D', pair them rightly,
#   and measure what each wrong pairing costs;
# - say when more data raise the loss, and why that may be good;
# - score a sequence by a sum, a mean or a part of it (F8), and know which
#   comparison each of them allows.
#
# **Time:** about 40 minutes to read, less than a minute to run, and an hour
# and a half for all the exercises. **Assumes:** chapter 1: the distributions
# of teacher and student, temperature.

# %%
import itertools
import math
import random
from statistics import median

import torch
import torch.nn.functional as F

from kdlib.losses.divergences import forward_kl, jensen_shannon
from kdlib.exercises import exercise
from kdlib.plots import curves, distributions, intervals
from kdlib.sequences.exact import enumerate_sequences, token_log_probs
from kdlib.sequences.sums import sequence_mean, sequence_sum, subsequence_sum
from kdlib.toys.students import LowRankStudent, TabularStudent, fit
from kdlib.toys.worlds import World, story_world

# %% [markdown]
# ## 2.1 A perfect score, and nothing learned
#
# We need a teacher of which everything is known. `story_world` is a language
# of 24 words that tells of foxes, owls, children and sailors. It reads a
# context: an instruction $c$, here "ornate forest", and an input $z$, here
# the hero of the story.
#
# - A *full* input is $x = (c, z)$: "ornate forest fox". These make up D.
# - A *simplified* input is $x' = (c', z)$ with a shorter context $c'$, here
#   none at all: "fox". These make up D'.
#
# The purpose is to save the instruction. The teacher reads "ornate forest
# fox"; the student shall read "fox" and tell the same stories. This is
# *context distillation*: the instruction moves into the parameters.

# %%
teacher = story_world()
HEROES = ["fox", "owl", "child", "sailor"]
D = [f"ornate forest {hero}" for hero in HEROES]
D_PRIME = HEROES
print(len(teacher.words), "words")
print("D :", D)
print("D':", D_PRIME)

# %% [markdown]
# What does the instruction change? Ask the teacher for the word after "the
# fox finds a", once with it and once without.

# %%
OBJECTS = "golden quiet boat shell lantern feather".split()
prefix = teacher.ids("the fox finds a")[None]


def next_word(context):
    p = teacher.next_log_probs(prefix, context)[0].exp()
    return p[teacher.ids(" ".join(OBJECTS))]


for context in (D[0], D_PRIME[0]):
    p = next_word(context).tolist()
    print(f"{context:17}", *(f"{w} {x:.2f}" for w, x in zip(OBJECTS, p)))

# %%
distributions(
    {context: next_word(context) for context in (D[0], D_PRIME[0])},
    OBJECTS,
    alt="The teacher's probabilities for the word after 'the fox finds a'. "
    "With the instruction 'ornate forest' four words share most of the "
    "mass: golden, quiet, lantern and feather. Without it boat and shell "
    "lead and the six words are more even.",
)

# %% [markdown]
# Both contexts allow the same words, with other odds. Now the smallest
# experiment. The student starts as an exact copy of the teacher, as in the
# first paper on context distillation, where a model teaches itself (Askell et
# al. 2021). We train it in two ways that differ in one argument: what the
# student reads.
#
# The objective is a sum over pairs (what the teacher reads, what the student
# reads). The teacher's side is computed once, since it never changes.

# %%
def objective(pairs, divergence=forward_kl, world=teacher, targets=None):
    """F1 over pairs (x, x') as a function of the student, in nats."""
    log_p = torch.stack([(targets or world).log_rows(x) for x, _ in pairs])
    visits = torch.stack([world.visits(x) for x, _ in pairs])

    def loss(student):
        log_q = torch.stack([student.log_rows(x) for _, x in pairs])
        return (visits * divergence(log_p, log_q)).sum()

    return loss

# %%
def copy_of(world):
    """A student with the world's own rows in every context."""
    student = TabularStudent(world)
    with torch.no_grad():
        student.base.copy_(world.log_rows(""))
        for shift, word in zip(student.shift, world.context_words):
            # nan: an impossible word, -inf in both; its shift may be 0
            shift.copy_((world.log_rows(word) - student.base).nan_to_num(0))
    return student

# %% [markdown]
# `visits` says how often a story goes on after each word, so the sum is the
# exact KL(P‖Q) between two distributions over whole stories: this chapter
# samples nothing to compute a loss. `kdlib` gets the same number in another
# way; the two must agree.

# %%
in_use = list(zip(D, D_PRIME))
on_full = list(zip(D, D))
student = copy_of(teacher)
ours = objective(in_use)(student).item()
kdlibs = sum(teacher.kl(student, x, student_context=s) for x, s in in_use)
print(f"ours {ours:.4f}, kdlib {kdlibs.item():.4f}")
assert abs(ours - kdlibs.item()) < 1e-9

# %% [markdown]
# **Predict.** The copy is trained for a hundred steps on pairs in which the
# student reads the full input as well. What is the loss at the start? At the
# end? And how close to the teacher are its stories when it reads the hero
# alone, as it will in use?

# %%
def per_story(student, pairs, **options):
    """F1 divided by the number of inputs, in nats."""
    return objective(pairs, **options)(student).item() / len(pairs)


def descended(student, pairs, steps=100):
    """Plain descent: Adam would make full steps out of rounding noise."""
    loss = objective(pairs)
    optimizer = torch.optim.SGD(student.parameters(), lr=2 / len(pairs))
    for _ in range(steps):
        optimizer.zero_grad()
        loss(student).backward()
        optimizer.step()
    return student

# %%
print(f"{'':28}  in training       in use")
for name, pairs in (("reads x", on_full), ("reads x'", in_use)):
    for steps in (0, 100):
        student = descended(copy_of(teacher), pairs, steps)
        losses = per_story(student, pairs), per_story(student, in_use)
        cells = (f"{abs(x):12.4f}" for x in losses)
        print(f"student {name:8}, step {steps:4} ", *cells)
student = copy_of(teacher)
objective(on_full)(student).backward()
steepest = max(p.grad.abs().max().item() for p in student.parameters())
print(f"steepest slope of the first one at step 0: {steepest:.4f}")

# %% [markdown]
# Read the first two rows. The training loss is zero before the first step: a
# copy agrees with the original on everything that both can read. The slope is
# zero too, so a hundred steps change nothing, and in use the student tells the
# stories of a teacher to whom nobody gave an instruction. A perfect score, and
# nothing learned.
#
# The other two rows differ in what the student reads, and in nothing else.
# Now the loss has something to say, and training brings it near zero where
# the student is used.
#
# The question at the top is answered: the sum ran over D. Before we look at
# this mistake in a student that starts from nothing, read the sum itself.

# %% [markdown]
# ## 2.2 What F1 asks for
#
# $$\hat\theta = \operatorname*{arg\,min}_\theta \sum_{x' \in D'}
# \mathrm{Loss}\big(\mathrm{Pr}^t(\cdot \mid \cdot),\;
# \mathrm{Pr}^s_\theta(\cdot \mid \cdot),\; x'\big) \qquad \text{(F1)}$$
#
# Five parts, and each can go wrong by itself:
#
# - **the sum over D'**: the inputs on which a mismatch costs anything. An
#   input that is not there has weight zero;
# - **$\mathrm{Pr}^t$**, the teacher P: fixed. It reads the full input $x$ that
#   belongs to $x'$;
# - **$\mathrm{Pr}^s_\theta$**, the student Q: it reads $x'$, what it will read
#   in use;
# - **Loss**: how far Q is from P on one input. Chapters 3 and 4 are about it;
#   here it is KL(P‖Q), zero exactly when the two distributions agree;
# - **arg min over $\theta$**: whichever parameters make the sum smallest.
#
# So the goal is a distribution: the teacher's, on D'. Not the labels: none
# occurs in F1. Not the teacher's parameters: they do not occur either.
#
# Both are easy to check. **Predict:** D' has two inputs, the vocabulary three
# words. Which of these four students has the lowest F1, and which the lowest
# loss on the labels?

# %%
P = torch.tensor([[0.60, 0.30, 0.10], [0.50, 0.40, 0.10]])
labels = torch.tensor([1, 0])  # what a text happened to say
candidates = {
    "sure of the labels": [[0.01, 0.98, 0.01], [0.98, 0.01, 0.01]],
    "setting A": [[0.70, 0.10, 0.20], [0.80, 0.10, 0.10]],
    "setting B": [[0.55, 0.35, 0.10], [0.45, 0.46, 0.09]],
    "the teacher's distribution": P.tolist(),
}
print(f"{'':28}{'F1':>8}{'tops':>8}{'labels':>8}")
for name, q in candidates.items():
    log_q = torch.tensor(q).log()
    f1 = forward_kl(P.log(), log_q).sum()
    tops = (log_q.argmax(1) == P.argmax(1)).sum()
    on_labels = F.nll_loss(log_q, labels, reduction="sum")
    print(f"{name:28}{f1:8.3f}{tops:8d}{on_labels:8.3f}")

# %% [markdown]
# The student that is sure of the labels has by far the lowest loss on them and
# by far the highest F1. The teacher's own distribution has an F1 of zero, the
# least there is, and a loss on the labels that is far from the least. The two
# goals are different goals.
#
# The parameters are no goal either. A low-rank student multiplies two
# matrices. Turn the sign of every parameter in both, and no parameter is what
# it was.

# %%
one = LowRankStudent(teacher, rank=8, seed=0)
twin = LowRankStudent(teacher, rank=8, seed=0)
with torch.no_grad():
    for parameter in twin.parameters():
        parameter.neg_()
both = list(zip(one.parameters(), twin.parameters()))
kl = forward_kl(one.log_rows("fox"), twin.log_rows("fox")).sum()
print("parameters", sum(a.numel() for a, _ in both))
print("in common ", sum((a == b).sum().item() for a, b in both))
print(f"KL between the two {abs(kl.item()):.4f}")

# %% [markdown]
# Two students without a single parameter in common, one distribution. F1
# cannot tell them apart. So a student may have another size and another
# design than its teacher, and that is what makes distillation possible at all.

# %%
exercise("dataset-loss")

# %%
# exercise: dataset-loss
def dataset_loss(log_p, log_q):
    """Sum over the data set of KL(P||Q), in nats. (N, V), (N, V) -> scalar"""
    raise NotImplementedError


exercise("dataset-loss").check(dataset_loss)

# %% [markdown]
# ## 2.3 Two settings, one small D'
#
# To compare two parameter settings is to compute F1 for both: one divergence
# for each input, added up; the smaller sum is the better match. Look again at
# settings A and B. A has both of the teacher's first choices right (`tops` is
# 2). B has one of them wrong. **Predict** which is the better match, and where
# its nats come from.

# %%
for name in ("setting A", "setting B"):
    log_q = torch.tensor(candidates[name]).log()
    each = forward_kl(P.log(), log_q)
    print(f"{name}: {each[0]:.4f} + {each[1]:.4f} = {each.sum():.4f}")
    terms = P * (P.log() - log_q)
    for i, line in enumerate(terms.tolist(), 1):
        print(f"   input {i}:", *(f"{x:+.4f}" for x in line))
uniform = torch.full((2, 3), 1 / 3).log()
print(f"uniform student: {forward_kl(P.log(), uniform).sum():.4f}")

# %% [markdown]
# B wins by far, with a wrong first choice. On the second input it puts a hair
# more on the second word than on the first, where the teacher is not sure
# either: that costs almost nothing. A is right about both winners and wrong
# about the rest. Even the uniform student, which knows nothing, is the better
# match: **being right about the top is not being close.**
#
# Single terms may be negative, their sum over the words may not. And two
# settings must be compared on the same D': a sum over other inputs is another
# quantity.

# %%
exercise("objective-on-two-inputs")

# %%
# exercise: objective-on-two-inputs
answer = ...  # nats, to 3 decimals
exercise("objective-on-two-inputs").check(answer)

# %%
exercise("losses-of-settings")

# %%
# exercise: losses-of-settings
def losses_of_settings(log_p, settings):
    """The summed KL(P||Q) of every setting, and the position of the best. -> (losses, best)"""
    raise NotImplementedError


exercise("losses-of-settings").check(losses_of_settings)

# %% [markdown]
# ## 2.4 Whose inputs? Three ways to miss them
#
# Back to D and D'. A pair says what the teacher reads and what the student
# reads. Each may read the full or the simplified input, so there are four
# ways to pair, and only one of them is F1.
#
# This student starts from nothing: random parameters, a bottleneck of rank 8.
# We train five for each pairing, from five seeds, and look at two numbers: the
# loss that training reports, and the distance to the instructed teacher when
# the student reads the simplified input, as in use.
#
# **Predict.** In which of the four does the training loss go to zero? Which
# students are of use? The baseline is the simplest thing to do: no training,
# the teacher itself without its instruction.

# %%
def distilled(pairs, seed, rank=8, steps=150, **options):
    """A student from nothing, fitted to F1 over the pairs."""
    student = LowRankStudent(teacher, rank, seed)
    loss = objective(pairs, **options)
    fit(student, lambda: loss(student), steps, learning_rate=0.1)
    return student


def spread(values):
    """Median, lowest and highest of one value a seed."""
    return median(values), min(values), max(values)


SPREAD = "{:.2f} ({:.2f} to {:.2f})"  # how a spread is printed
PAIRINGS = {
    "teacher x,  student x'  (F1)": (D, D_PRIME),
    "teacher x,  student x": (D, D),
    "teacher x', student x'": (D_PRIME, D_PRIME),
    "teacher x', student x": (D_PRIME, D),
}

# %%
trained = {}
for name, (read_by_teacher, read_by_student) in PAIRINGS.items():
    pairs = list(zip(read_by_teacher, read_by_student))
    trained[name] = [distilled(pairs, seed) for seed in range(5)]
    highest = max(per_story(student, pairs) for student in trained[name])
    used = spread([per_story(s, in_use) for s in trained[name]])
    print(f"{name:30} in training {highest:.2f} at most,", end=" ")
    print("in use", SPREAD.format(*used))
    assert highest < 0.01
no_training = per_story(teacher, in_use)
untrained = per_story(TabularStudent(teacher), in_use)
print(f"{'the teacher, no instruction':55} in use {no_training:.2f}")
print(f"{'a uniform student':55} in use {untrained:.2f}")

# %%
intervals(
    {n: spread([per_story(s, in_use) for s in t]) for n, t in trained.items()},
    xlabel="KL in use, nats per story",
    baseline={"no training": no_training},
    alt="Distance to the instructed teacher in use for four pairings, five "
    "seeds each. Only the pairing of F1 lies at zero. The pairing in which "
    "both read x spreads widely around the line of no training; teacher and "
    "student both on x' lie exactly on that line; the exchanged pairing "
    "lies to the right of it.",
)

# %% [markdown]
# All four training losses are zero to two digits. The number that one watches
# in training cannot tell the one useful kind of student from the three useless
# ones.
#
# - **D by mistake** (teacher $x$, student $x$): the student has learned what
#   to do *with* the instruction. Without it, it faces an input unlike any in
#   training, and its five seeds do five different things: the best is a little
#   better than no training, the worst far worse.
# - **No instruction at all** (teacher $x'$, student $x'$): the student matches
#   a teacher that was never told what to do. It arrives exactly where no
#   training would have left it.
# - **Exchanged** (teacher $x'$, student $x$): both mistakes at once.
#
# Look at the whiskers as much as at the dots. Where F1 speaks, five seeds
# agree. Where it is silent, the seed decides. That gives a cheap test: train
# two seeds, compare them on the inputs of deployment, and be alarmed if they
# differ.
#
# Is the mistake always as bad? Try two other instructions.

# %%
for instruction in ("plain sea", "ornate sea"):
    full = [f"{instruction} {hero}" for hero in HEROES]
    use, mistake = list(zip(full, HEROES)), list(zip(full, full))
    used = spread([per_story(distilled(mistake, s), use) for s in range(3)])
    print(f"{instruction:10} both read x: in use", SPREAD.format(*used))
    print(f"{'':10} no training: in use {per_story(teacher, use):.2f}")

# %% [markdown]
# With one of them all three students are better than no training: part of an
# instruction that is always there can end up in what all inputs share. With
# the other they may be far worse. Nothing in F1 decides which it will be.
#
# What does the damage look like to a reader of the stories? The expected
# number of adjectives and of forest things in a story can be computed exactly.

# %%
def style(model, context):
    """Words, adjectives, forest things expected in a story."""
    visits = model.visits(context).detach()
    adjectives = visits[teacher.ids("old brave golden quiet")].sum()
    things = visits[teacher.ids("lantern feather")].sum()
    return visits.sum(), adjectives, things


right_students, wrong_students, *_ = trained.values()
print(f"{'':30} words  adjectives  lanterns and feathers")
for name, model, context in (
    ("instructed teacher", teacher, D[0]),
    ("student of F1, seed 0", right_students[0], "fox"),
    ("student of D, seed 0", wrong_students[0], "fox"),
    ("student of D, seed 1", wrong_students[1], "fox"),
    ("teacher without instruction", teacher, "fox"),
):
    length, adjectives, things = style(model, context)
    print(f"{name:30}{length:6.1f}{adjectives:12.1f}{things:23.1f}")

# %% [markdown]
# The student of F1 reads one word and writes as the teacher does after three.
# The students of D write another kind of story, each its own, and longer than
# the teacher's in either case.

# %%
exercise("training-pairs")

# %%
# exercise: training-pairs
def training_pairs(data, short_context):
    """Pairs (teacher's text, student's text), in the order of the data."""
    raise NotImplementedError


exercise("training-pairs").check(training_pairs)

# %%
exercise("trained-on-full-inputs")

# %%
# exercise: trained-on-full-inputs
answer = ...  # one letter of a, b, c, d
exercise("trained-on-full-inputs").check(answer)

# %% [markdown]
# ### The price of context distillation
#
# The student that did everything right pays a price too. **Predict:** the copy
# of the first section is distilled on D'. It used to understand the
# instruction. What does it do if someone gives the instruction all the same?
# And if someone wants a story without it?

# %%
after_training = [
    copy_of(teacher),
    descended(copy_of(teacher), in_use),
    descended(copy_of(teacher), in_use + on_full),
]
print(f"{'the student reads, the aim is':32}", end=" ")
print("      untrained   trained on D'   on D' and D")
for name, pairs in (
    ("x', stories with the instruction", in_use),
    ("x,  stories with the instruction", on_full),
    ("x', stories without it", list(zip(D_PRIME, D_PRIME))),
):
    losses = [abs(per_story(s, pairs)) for s in after_training]
    print(f"{name:32}", *(f"{x:15.2f}" for x in losses))

# %% [markdown]
# The gain in the first line is the loss in the third: "fox" now means "ornate
# forest fox", and there is no way to ask for less. The second line is a
# surprise: reading the instruction, the student used to be perfect, and now it
# follows it twice over. Training on D' has done to D what training on D did to
# D'. The rule has no preferred side: **the student is what F1 asks for on the
# inputs in the sum, and only there.** The last column is the cure, if both are
# needed: put both into the sum.
#
# "Only there" needs one more look. Leave one hero out of the sum.

# %%
without_owl = [pair for pair in in_use if pair[1] != "owl"]
student = descended(copy_of(teacher), without_owl)
print(f"{'hero':8}{'before':>8}{'after':>8}")
for x, hero in in_use:
    before = per_story(copy_of(teacher), [(x, hero)])
    after = per_story(student, [(x, hero)])
    left_out = "  not in D'" if hero == "owl" else ""
    print(f"{hero:8}{before:8.2f}{abs(after):8.2f}{left_out}")

# %% [markdown]
# The owl got nearly all of the benefit without being in D': it shares
# parameters with the others. So what F1 does outside its sum is not nothing.
# It is whatever the shared parameters happen to do: here a good thing, one
# table ago a bad one. Neither was asked for.

# %% [markdown]
# ## 2.5 What the sum leaves out
#
# A student is trained by F1 on simplified sentences. It does well on them and
# badly on complex ones. Which part of F1 is to blame: the student's size, the
# optimiser, the loss, the teacher, or the sum?
#
# One may argue. Here one may also try: change one part at a time and keep the
# rest. Simple inputs have one word ("fox", "sea", "ornate"); complex ones have
# three ("ornate sea fox"). Every word of the complex inputs occurs in a simple
# one. From here on the student reads what the teacher reads, so that nothing
# but the choice of inputs is in question; and the teacher is exact on both
# kinds, which acquits it.
#
# **Predict** which of the changes help.

# %%
SIMPLE = [(word, word) for word in teacher.context_words]
triples = itertools.product(("plain", "ornate"), ("sea", "forest"), HEROES)
COMPLEX = [(text, text) for text in map(" ".join, triples)]
print(len(SIMPLE), "simple inputs,", len(COMPLEX), "complex ones, such as")
print([text for text, _ in COMPLEX[:2]])

VARIANTS = {
    "as it was": (SIMPLE, {}),
    "student: rank 20 instead of 8": (SIMPLE, {"rank": 20}),
    "arg min: three times the steps": (SIMPLE, {"steps": 450}),
    "Loss: Jensen-Shannon": (SIMPLE, {"divergence": jensen_shannon}),
    "sum: and all complex inputs": (SIMPLE + COMPLEX, {}),
    "sum: and one complex input": (SIMPLE + COMPLEX[:1], {}),
}

# %%
measured = {}
for name, (pairs, options) in VARIANTS.items():
    three = [distilled(pairs, seed, **options) for seed in range(3)]
    simple = max(per_story(student, SIMPLE) for student in three)
    measured[name] = spread([per_story(s, COMPLEX) for s in three])
    print(f"{name:30} simple {simple:.2f} at most,", end=" ")
    print("complex", SPREAD.format(*measured[name]))
    assert simple < 0.02

# %%
last_word = [(x, x.split()[-1]) for x, _ in COMPLEX]
hero_only = per_story(teacher, last_word)
untrained = per_story(TabularStudent(teacher), COMPLEX)
print(f"the teacher, reading the hero only: complex {hero_only:.2f}")
print(f"a uniform student: complex {untrained:.2f}")
for name, (_, low, high) in measured.items():
    assert high < 0.15 if name.startswith("sum") else low > hero_only

# %% [markdown]
# A larger student, a longer search and another loss leave the complex inputs
# about where they were or make them worse. Only a change of the sum repairs
# them: **what the sum does not hold costs nothing, so nothing is done about
# it.** The baseline makes this sting: a teacher that ignores all but the last
# word does better on complex inputs than these students, which know every
# word.
#
# And a surprise: sixteen complex inputs are not needed. A single one brings
# nearly all of the gain, also on the fifteen that the student never saw. Could
# even a *simple* input do it? **Predict:** what would the student learn from
# the emptiest input of all, no context?

# %%
EMPTY = [("", "")]
three = [distilled(SIMPLE + EMPTY, seed) for seed in range(3)]
mended = spread([per_story(student, COMPLEX) for student in three])
print("sum: and the empty input, complex", SPREAD.format(*mended))
assert mended[2] < 0.1 * measured["as it was"][1]

# %% [markdown]
# The simplest of all sentences mends the complex ones. Here is why. This
# student adds up: its logits for "ornate sea fox" are a start plus something
# for each of the three words. Eight one-word inputs fix the start plus one
# word, never the start alone, and three of them together count the start
# three times. Countless parameter settings fit the simple inputs equally well
# and differ on the complex ones: hence the wide spread over seeds. The empty
# input fixes the start, and with it every sum.
#
# So what matters is not how complex the inputs in D' look, but what they leave
# open. Adding complex inputs is the safe way to close it: it needs no insight
# into the student. The clever way has a limit. It works as far as the teacher
# adds up as the student does, which this world does by construction. Take a
# teacher that errs, so that its odds no longer add up.

# %%
erring = {"world": teacher.with_bias(0.3)}
print("an erring teacher, complex inputs:")
for name, pairs in (
    ("simple inputs", SIMPLE),
    ("and the empty input", SIMPLE + EMPTY),
    ("and all complex inputs", SIMPLE + COMPLEX),
):
    three = [distilled(pairs, seed, **erring) for seed in range(3)]
    losses = spread([per_story(s, COMPLEX, **erring) for s in three])
    print(f"{name:24}", SPREAD.format(*losses))

# %% [markdown]
# The empty input still closes most of the gap, no longer all of it. For the
# rest the complex inputs themselves are needed.

# %%
exercise("good-on-simple-bad-on-complex")

# %%
# exercise: good-on-simple-bad-on-complex
answer = ...  # one letter of a, b, c, d
exercise("good-on-simple-bad-on-complex").check(answer)

# %% [markdown]
# ## 2.6 More inputs, a higher loss, a better student
#
# True or false: a larger and more diverse D' always gives a better match and a
# lower final loss?
#
# Take a student that is too small for all it might be asked: rank 3. There are
# twelve inputs in use: four heroes, at no place, at sea and in the forest. The
# teacher is instructed to be plain, the student is not. D' holds one of the
# twelve, or two, four, eight, all. For each of three seeds the inputs come in
# another order.
#
# **Predict** two curves over the number of inputs in D': the final loss per
# input on D', and the loss per input on all twelve.

# %%
PLACES = ("", "sea ", "forest ")
inputs = [place + hero for place in PLACES for hero in HEROES]
TWELVE = [(f"plain {z}", z) for z in inputs]
SIZES = (1, 2, 4, 8, 12)


def grown(seed, size, rank=3):
    """(loss on D', on all twelve, on the first input) with D' of a size."""
    order = random.Random(seed).sample(TWELVE, len(TWELVE))
    student = distilled(order[:size], seed, rank)
    scored = (order[:size], TWELVE, order[:1])
    return [per_story(student, pairs) for pairs in scored]


runs = {size: [grown(seed, size) for seed in range(3)] for size in SIZES}
growth = {size: [spread(x) for x in zip(*runs[size])] for size in SIZES}

# %%
without = per_story(teacher, TWELVE)
print("inputs in D'    final loss on D'         on all twelve")
for size, (on_d_prime, on_all, _) in growth.items():
    cells = SPREAD.format(*on_d_prime), SPREAD.format(*on_all)
    print(f"{size:12}    {cells[0]:25}{cells[1]}")
print(f"no training: on all twelve {without:.2f}")
fewest, all_of_them = growth[1], growth[12]
assert fewest[0][2] < 0.02 < 0.05 < all_of_them[0][1]  # final loss: up
assert all_of_them[1][2] < 0.3 < 1 < fewest[1][1]  # loss in use: down

# %%
curves(
    SIZES,
    {
        "final loss on D'": tuple(zip(*(growth[n][0] for n in SIZES))),
        "loss on all twelve": tuple(zip(*(growth[n][1] for n in SIZES))),
        "no training": [without] * len(SIZES),
    },
    xlabel="inputs in D'",
    ylabel="KL, nats per story",
    logy=True,
    alt="Two curves over the number of inputs in D', one to twelve, on a "
    "logarithmic scale. The final loss on D' rises about tenfold. The loss "
    "on all twelve inputs falls more than tenfold, crosses the line of no "
    "training, and meets the first curve where D' holds all.",
)

# %% [markdown]
# The curves move in opposite directions and meet at the right end, where what
# is trained is what is used. The student with the best training loss is the
# worst in use, worse than no training; the one with the worst training loss is
# the best. A final loss says how hard the student's task was as much as how
# well it was done. **Never compare final losses over different D'.**
#
# So "a lower final loss" is false. "A better match" is false as well, as soon
# as the match is wanted on fewer inputs. Look at the first input alone:

# %%
for size in SIZES:
    text = "{:.3f} ({:.3f} to {:.3f})".format(*growth[size][2])
    print(f"{size:3} inputs in D', loss on the first: {text}")
assert growth[12][2][1] > 3 * growth[1][2][2]
large = {size: [grown(seed, size, 8) for seed in (0, 1)] for size in (1, 12)}
highest = {size: max(x[0] for x in large[size]) for size in large}
print(f"rank 8: final loss {highest[1]:.2f} on 1 input,", end=" ")
print(f"{highest[12]:.2f} on 12, at most")

# %% [markdown]
# Someone who only ever needs that one input is best served by a D' that holds
# nothing else. Diversity is paid for with capacity, and the last line says
# when the price is small: a student of rank 8 has room for all twelve.
#
# So the statement is false, and fails at the word "always". What remains true:
# D' should be the inputs of use, in the proportions of use, and more of
# *those* helps. (The bare sum of F1 says even less: repeat every input, and it
# doubles while the best student stays the same. Where D' differ in size, this
# chapter divides by the number of inputs.)
#
# There is a second way for the final loss to stop above zero: the simplified
# input has lost what the teacher went by. Suppose D' shortens both "plain fox"
# and "ornate fox" to "fox". **Predict** the student's best answer.

# %%
torn = [("plain fox", "fox"), ("ornate fox", "fox")]
rows = torch.stack([teacher.log_rows(x).exp() for x, _ in torn])
weights = torch.stack([teacher.visits(x) for x, _ in torn])[..., None]
average = (weights * rows).sum(0) / weights.sum(0).clamp(min=1e-12)
best = World(teacher.words, lambda _: average.log(), teacher.context_words)
student = distilled(torn, seed=0)
for name in ("plain fox", "ornate fox"):
    always = per_story(teacher, [(x, name) for x, _ in torn])
    print(f"always the answer to {name:12}{always:.3f}")
print(f"the weighted average of both     {per_story(best, torn):.3f}")
print(f"a trained student                {per_story(student, torn):.3f}")
assert per_story(student, torn) >= per_story(best, torn)

# %% [markdown]
# To decide for one of the two is worse than to hedge. The best single answer
# is the average of the two, word by word, weighted by how often each teacher
# comes by. No student that remembers only the last word gets below it, and
# training finds it. A better optimiser would not help: the information is gone
# from the input.

# %%
exercise("blind-student-loss")

# %%
# exercise: blind-student-loss
def blind_student_loss(p):
    """Least mean KL from the rows to one common distribution, in nats. (N, V) -> scalar"""
    raise NotImplementedError


exercise("blind-student-loss").check(blind_student_loss)

# %%
exercise("is-more-data-always-better")

# %%
# exercise: is-more-data-always-better
answer = ...  # one letter of a, b, c, d
exercise("is-more-data-always-better").check(answer)

# %% [markdown]
# ## 2.7 Only the top
#
# F1 compares distributions. Replace the teacher's by the one-hot of its top
# prediction: cheaper to store, and "what the user sees in the end". What is
# lost?
#
# Three kinds of student learn from the same teacher, on the same inputs:
#
# - *whole*: the target is the teacher's distribution;
# - *top*: the target is the one-hot of its most likely next word;
# - *drawn*: the target is what the teacher wrote, words drawn from its
#   distribution, in 500 stories for each input.
#
# **Predict.** Which has the highest agreement with the teacher's first choice?
# Which the lowest KL? And what happens to either if training goes on?

# %%
in_forest = [(f"forest {hero}", hero) for hero in HEROES]


def top_of(log_rows):
    return F.one_hot(log_rows.argmax(-1), log_rows.shape[-1]).double().log()


def drawn_rows(context):
    stories = teacher.sample(500, context, seed=7)
    counts = teacher.transition_counts(stories)
    return (counts / counts.sum(1, keepdim=True).clamp(min=1)).log()


targets = {
    "whole": teacher,
    "top": teacher.transformed(top_of),
    "drawn": World(teacher.words, drawn_rows, teacher.context_words),
}

# %%
STEPS = [0, 10, 20, 40, 80, 150, 300]


def followed(target, seed):
    """The student, and its KL to the true teacher on the way."""
    student = LowRankStudent(teacher, 8, seed)
    loss = objective(in_forest, targets=target)
    path = [per_story(student, in_forest)]
    for before, after in itertools.pairwise(STEPS):
        fit(student, lambda: loss(student), steps=after - before)
        path.append(per_story(student, in_forest))
    return student, path


followers = {
    name: [followed(target, seed) for seed in range(3)]
    for name, target in targets.items()
}

# %%
paths = {}
for name, runs in followers.items():
    by_step = zip(*(path for _, path in runs))
    paths[f"target: {name}"] = [spread(kls) for kls in by_step]
print("KL after steps", *(f"{step:6}" for step in STEPS))
for name, path in paths.items():
    cells = (f"{kl:6.1f}" if kl < 20 else "  > 20" for kl, _, _ in path)
    print(f"{name:14}", *cells)
assert min(path[-1] for _, path in followers["top"]) > 50

# %%
curves(
    STEPS,
    {name: tuple(zip(*path)) for name, path in paths.items()},
    xlabel="training steps",
    ylabel="KL to the teacher, nats per story",
    logy=True,
    alt="Distance to the teacher over training steps on a logarithmic scale. "
    "With the whole distribution as target it falls to nearly zero, with "
    "drawn words it levels off somewhat higher. With the one-hot of the top "
    "it falls to little more than half in the first steps, then rises far "
    "above where it started.",
)

# %%
def agreement(student, contexts):
    """How often the student's favourite word is the teacher's, in [0, 1]."""
    same = total = 0.0
    for (x, _), context in zip(in_forest, contexts):
        p, visits = teacher.log_rows(x).exp(), teacher.visits(x)
        chosen = student.log_rows(context).argmax(1, keepdim=True)
        is_top = p.gather(1, chosen)[:, 0] > 0.999 * p.max(1).values
        same, total = same + (visits * is_top).sum(), total + visits.sum()
    return (same / total).item()


def judged(name, kl, agree, log_stories):
    stories = float(f"{math.exp(log_stories):.1g}")  # the first digit
    shown = f"{kl:.1f}" if kl < 20 else "> 20"
    print(f"{name:26}{shown:>6}{agree:12.2f}{stories:12.0f}")

# %%
print(f"{'':26}    KL   agreement     stories")
for name, runs in followers.items():
    kls = [path[-1] for _, path in runs]
    agree = [agreement(student, HEROES) for student, _ in runs]
    log_stories = [student.entropy("fox").item() for student, _ in runs]
    judged(f"target: {name}", *map(median, (kls, agree, log_stories)))
full = [x for x, _ in in_forest]
judged("teacher", 0, agreement(teacher, full), teacher.entropy("forest fox"))
bare = agreement(teacher, HEROES), teacher.entropy("fox")
judged("teacher, no instruction", per_story(teacher, in_forest), *bare)
finals = {n: [path[-1] for _, path in runs] for n, runs in followers.items()}
assert max(finals["whole"]) < min(finals["drawn"]) < 0.1

# %% [markdown]
# ("Stories" is $e^H$ to one digit, H being the entropy of the stories about
# the fox: as many equally likely ones would be as hard to guess.)
#
# The student of the *top* is right about every one of the teacher's
# favourites, and is the worst match of all, far worse than the teacher without
# its instruction. It was best after ten steps; from there on, the longer it
# trains, the worse it matches, since its loss asks it to drive to zero the
# probability of words that the teacher uses all the time. In the end it knows
# a single story. What it has not learned is which alternatives there are, how
# they compare, and how sure to be. A user who lets it write gets that story
# every time; where the teacher would hesitate, it does not.
#
# The surprise is *drawn*. Its targets are one-hots too, one for each word of
# the text. But draws average out to the distribution they come from, and tops
# average out to the top. What the drawn student still lacks in the figure is
# due to the number of stories, and more of them would make it less. **Hard
# targets lose little if they are drawn; taking the top loses the
# distribution.** Chapter 3 does the same to whole sequences
# (F4), and chapter 8 uses drawn targets to save space.
#
# The limit: if one best answer is all that will ever be wanted, the top is
# enough, and agreement is the right score.

# %%
exercise("one-hot-of-top")

# %%
# exercise: one-hot-of-top
def one_hot_of_top(log_p):
    """One-hot distribution of each row's most likely word. (..., V) -> (..., V)"""
    raise NotImplementedError


exercise("one-hot-of-top").check(one_hot_of_top)

# %%
exercise("lost-with-the-top")

# %%
# exercise: lost-with-the-top
answer = ...  # one letter of a, b, c, d
exercise("lost-with-the-top").check(answer)

# %% [markdown]
# ## 2.8 The loss of a sequence
#
# So far an input had one loss, about whole stories. A language model gives
# probabilities of words. Between the two stands one rule (F8): **the loss of a
# sequence is the sum of its token losses; the mean divides it by the length; a
# sub-sequence sums over its own positions.**
#
# A student gives the four words of "The quick brown fox" the losses 0.1, 0.3,
# 0.2 and 0.4. **Predict:** the loss of the sentence, the mean, the loss of
# "brown fox", and the probability that the student gives to the sentence.

# %%
fox = torch.tensor([0.1, 0.3, 0.2, 0.4])
print(f"sum          {sequence_sum(fox):.2f}")
print(f"mean         {sequence_mean(fox):.2f}")
print(f"'The quick'  {subsequence_sum(fox, 0, 2):.2f}")
print(f"'brown fox'  {subsequence_sum(fox, 2, 4):.2f}")
print(f"exp(-sum)    {sequence_sum(fox).neg().exp():.4f}")
print(f"product of the words' probabilities {fox.neg().exp().prod():.4f}")
print(f"exp(-mean)   {sequence_mean(fox).neg().exp():.4f}")

# %% [markdown]
# The sentence has loss 1.00, and $e^{-1}$ is its probability: the loss of a
# sequence is minus the logarithm of its probability, no more and no less. The
# mean, 0.25, belongs to the probability of a typical word. The two halves,
# 0.40 and 0.60, add up to the whole.
#
# What does summing assume?
#
# 1. Each token's loss is that of the token *given all words before it*. Then
#    the product of the probabilities is the sentence's probability, by the
#    chain rule; the words need not be independent. So the loss of "brown fox"
#    means: after "The quick".
# 2. Every token weighs the same: a wrong article costs as much as a wrong verb
#    of the same probability.
# 3. The words before are those of the given text, also where the student would
#    have written something else. Chapter 9 is about that one.
#
# The first is easily broken. Score a story by how common each of its words is
# by itself, and compare with its true loss.

# %%
story = "the fox finds a lantern ."
ids = teacher.ids(story)[None]
given_the_past = -token_log_probs(teacher, ids, "fox")[0]
occurs = teacher.visits("fox")  # how often each word occurs in a story
alone = -(occurs / occurs.sum()).log()[ids[0]]
print(f"{'':16}", *(f"{word:>8}" for word in story.split()), "     sum")
for name, losses in (("given the past", given_the_past), ("alone", alone)):
    cells = [*losses.tolist(), sequence_sum(losses).item()]
    print(f"{name:16}", *(f"{abs(x):8.2f}" for x in cells))

# %% [markdown]
# The sum on the second line is nearly four times too large. It charges for the
# word "a", which after "finds" is certain, and it would charge the same if the
# words stood in any other order: it is the loss of a bag of words.
#
# Real batches hold sequences of different lengths, filled up with padding,
# whose losses are meaningless numbers. Here they are 0.9, after "The quick".

# %%
batch = torch.tensor([[0.1, 0.3, 0.2, 0.4], [0.1, 0.3, 0.9, 0.9]])
real = torch.tensor([[True, True, True, True], [True, True, False, False]])
for name, mask in (("with the mask", real), ("without", None)):
    sums, means = sequence_sum(batch, mask), sequence_mean(batch, mask)
    print(f"{name:14} sums  {sums[0]:.2f} {sums[1]:.2f}", end="   ")
    print(f"means {means[0]:.2f} {means[1]:.2f}")

# %% [markdown]
# Without the mask padding enters both results, and nothing raises an error.

# %%
exercise("sequence-losses")

# %%
# exercise: sequence-losses
def sequence_losses(token_losses, mask):
    """Sum and mean of each sequence's token losses, without padding. (B, L) twice -> (B,), (B,)"""
    raise NotImplementedError


exercise("sequence-losses").check(sequence_losses)

# %%
exercise("part-loss")

# %%
# exercise: part-loss
def part_loss(token_losses, first, last):
    """Sum of the token losses from word number `first` to word number `last`. (L,) -> scalar"""
    raise NotImplementedError


exercise("part-loss").check(part_loss)

# %%
exercise("brown-fox")

# %%
# exercise: brown-fox
answer = ...  # nats, to 2 decimals
exercise("brown-fox").check(answer)

# %%
exercise("chain-of-token-losses")

# %%
# exercise: chain-of-token-losses
answer = [..., ..., ...]  # one text for each blank
exercise("chain-of-token-losses").check(answer)

# %% [markdown]
# ## 2.9 Long against short
#
# Two outputs are scored by the same model. One has four words, the other nine.
# Which score shall decide, the sum or the mean? **Predict** what each prefers,
# with two stories and our teacher as the model.

# %%
for text in ("the fox sings .", "the fox follows a golden lantern at night ."):
    ids = teacher.ids(text)[None]
    losses = -token_log_probs(teacher, ids, "ornate fox")[0]
    total, mean = sequence_sum(losses), sequence_mean(losses)
    print(f"{len(losses)} words, sum {total:.2f}, mean {mean:.2f}: {text}")

# %% [markdown]
# Both numbers are right, and they answer different questions. The sum: which
# text is the more probable? The mean: where is the model less surprised, word
# by word? A sum grows with every word, so a ranking by sums prefers short
# outputs, however good the long ones are. That is *length bias*. How strong is
# it over all stories of up to twelve words?

# %%
stories = enumerate_sequences(teacher, 12, "fox", possible_only=True)
ended = (stories.tokens == teacher.eos_id).any(dim=1)
p = stories.log_probs.exp() * ended
print(f"{int(ended.sum()):,} stories, together {p.sum():.2f} of the mass")
p = p / p.sum()
lengths, sums = stories.lengths.double(), -stories.log_probs


def correlation(a, b):
    a, b = a - (p * a).sum(), b - (p * b).sum()
    scale = (p * a * a).sum().sqrt() * (p * b * b).sum().sqrt()
    return ((p * a * b).sum() / scale).item()


print(f"correlation of length and sum  {correlation(lengths, sums):.2f}")
by_word = correlation(lengths, sums / lengths)
print(f"correlation of length and mean {by_word:.2f}")

# %% [markdown]
# A score by sums is for the most part a score of length; a score by means
# hardly. But the mean is no judge of quality either: it likes texts with many
# words that follow of themselves, as "a" does here after "finds".
#
# The same choice hides in training. Take two strategies for one student that
# must tell plain (short) and ornate (long) stories and is too small to do both
# well. Strategy *sum* adds up the losses of whole stories. Strategy *mean*
# first divides them by the expected length of such a story, so that plain and
# ornate ones weigh the same. **Predict** who serves which stories better.

# %%
PLAIN = [(f"plain {hero}", f"plain {hero}") for hero in HEROES]
ORNATE = [(f"ornate {hero}", f"ornate {hero}") for hero in HEROES]
GROUPS = (PLAIN, ORNATE)


def word_count(pairs):
    return sum(teacher.visits(x).sum().item() for x, _ in pairs)


def strategy(divide, seed):
    """KL per word on plain and on ornate stories after training."""
    student = LowRankStudent(teacher, 3, seed)
    parts = [objective(pairs) for pairs in GROUPS]
    by = [word_count(pairs) if divide else 1 for pairs in GROUPS]
    fit(student, lambda: sum(f(student) / n for f, n in zip(parts, by)))
    return [per_word(student, pairs) for pairs in GROUPS]


def per_word(student, pairs):
    return objective(pairs)(student).item() / word_count(pairs)

# %%
plain, ornate = (word_count(pairs) / len(pairs) for pairs in GROUPS)
print(f"words in a story: plain {plain:.1f}, ornate {ornate:.1f}")
results = {d: [strategy(d, seed) for seed in range(3)] for d in (False, True)}
print(f"{'KL per word':18}{'plain':26}ornate")
for divide, name in ((False, "strategy sum"), (True, "strategy mean")):
    kls = map(spread, zip(*results[divide]))
    cells = ("{:.3f} ({:.3f} to {:.3f})".format(*x) for x in kls)
    print(f"{name:18}" + "    ".join(cells))
uniform = (per_word(TabularStudent(teacher), pairs) for pairs in GROUPS)
print("uniform student   {:<26.3f}{:.3f}".format(*uniform))
for summed, divided in zip(*results.values()):
    assert divided[0] < summed[0] and summed[1] < divided[1]

# %% [markdown]
# For each of the three seeds the sum serves the long stories better and the
# mean the short ones. Neither is a mistake: the sum counts words, the mean
# counts stories, and a student that cannot have both has to be told which
# counts. The mistake is to set a score of one kind against a score of the
# other, or sums of different lengths, and to call the smaller one better.

# %%
exercise("two-translation-strategies")

# %%
# exercise: two-translation-strategies
answer = ...  # one letter of a, b, c, d
exercise("two-translation-strategies").check(answer)

# %% [markdown]
# ## 2.10 From logits to a batch
#
# Two details stand between F1 and the loss function in real code. First,
# batches have different numbers of tokens. **Predict** the mean token loss of
# two batches, one token with loss 2 and nine tokens with loss 0.5 each.

# %%
small, large = torch.tensor([2.0]), torch.full((9,), 0.5)
mean_of_means = (small.mean() + large.mean()) / 2
total, count = small.sum() + large.sum(), len(small) + len(large)
print(f"mean of the two means {mean_of_means:.2f}")
print(f"sum {total:.1f} over {count} tokens: {total / count:.2f}")

# %% [markdown]
# The mean of means lets one token weigh as much as nine, and changes when the
# same tokens are cut into other batches. A sum and a count can be added up
# over batches and machines and divided once. That is why the losses of `kdlib`
# return both.

# %%
exercise("loss-per-token")

# %%
# exercise: loss-per-token
def loss_per_token(batches):
    """Mean loss of all tokens of all sentences of all batches. -> scalar"""
    raise NotImplementedError


exercise("loss-per-token").check(loss_per_token)

# %% [markdown]
# Second, both distributions may be softened by a temperature T. How large is
# then the gradient that reaches the student's logits?

# %%
of_teacher = torch.tensor([2.0, 1.0, 0.0])
print("T    gradient   times T squared")
for T in (1, 2, 4, 8):
    logits = torch.zeros(3, requires_grad=True)
    log_p, log_q = ((x / T).log_softmax(-1) for x in (of_teacher, logits))
    forward_kl(log_p, log_q).backward()
    size = logits.grad.norm()
    print(f"{T}{size:12.4f}{T * T * size:18.4f}")

# %% [markdown]
# The gradient shrinks about as $1/T^2$. Multiplied by $T^2$ it keeps its size,
# and the temperature can be changed without changing the learning rate
# (Hinton, Vinyals and Dean 2015).

# %%
exercise("distillation-loss")

# %%
# exercise: distillation-loss
def distillation_loss(teacher_logits, student_logits, temperature):
    """Mean over positions of the softened KL(P||Q), its gradient kept in size. -> scalar"""
    raise NotImplementedError


exercise("distillation-loss").check(distillation_loss)

# %% [markdown]
# ## Summary
#
# - F1 asks for the teacher's distribution on D'. Labels and the teacher's
#   parameters do not occur in it.
# - It binds the student on the inputs of the sum and nowhere else. What
#   happens elsewhere is left to shared parameters, the starting point and the
#   seed. Seeds that agree in training and differ in use are the sign.
# - The teacher reads $x$, the student reads $x'$. All four pairings train to
#   zero; one is of use. A copy of the teacher trained on D learns nothing.
# - What D' leaves open matters, not how complex its inputs look. Adding the
#   inputs of use is the safe way to close it.
# - A final loss belongs to its D'. More diverse inputs may raise it and
#   improve the student; they may also cost capacity where it is needed.
# - The one-hot of the top keeps the winner and throws away the distribution.
# - A sum is about a sequence, a mean about a token. Keep sums and counts,
#   divide once, and never compare sums over different lengths.
#
# **Where this ends.** The teacher was a toy whose distribution is known, and
# the loss of an input was computed exactly. The students had one word of
# memory. For a real language model the sum over all outputs is out of reach:
# chapter 3 says how far, and what is done instead. Which divergence to put in
# the place of Loss is the question of chapter 4.
#
# ## Further reading
#
# - Hinton, Vinyals, Dean 2015, *Distilling the Knowledge in a Neural Network*:
#   soft targets, temperature and its square.
# - Kim, Rush 2016, *Sequence-Level Knowledge Distillation*: from tokens to
#   sequences.
# - Murray, Chiang 2018, *Correcting Length Bias in Neural Machine
#   Translation*: why sums prefer short outputs, and what to do.
# - Askell et al. 2021, *A General Language Assistant as a Laboratory for
#   Alignment*: a long prompt distilled into the model that reads it.
# - Stanton et al. 2021, *Does Knowledge Distillation Really Work?*: students
#   that generalise well and still do not match their teacher.
# - Beyer et al. 2022, *Knowledge Distillation: A Good Teacher Is Patient and
#   Consistent*: what teacher and student read must belong together.
# - Snell, Klein, Zhong 2022, *Learning by Distilling Context*: instructions,
#   examples and reasoning moved into the parameters.
