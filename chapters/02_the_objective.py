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
# - tell the full inputs D from the simplified inputs D', pair them correctly,
#   and measure what each wrong pairing costs;
# - say when more data raise the loss, and why that may be good;
# - score a sequence by a sum, a mean or a part of it (F8), and know which
#   comparisons each of them allows;
# - compress a context into a few vectors, and say what they are worth in
#   words.
#
# **Time**: about 4 h 20 min with the exercises. **Assumes**: chapter 1:
# teacher and student, temperature, KL.

# %%
import functools
import itertools
import math
import random
from statistics import median

import torch
import torch.nn.functional as F

from kdlib.exercises import exercise, foreseen, predict
from kdlib.losses.divergences import forward_kl, jensen_shannon
from kdlib.plots import curves, intervals, table, words
from kdlib.plots.chapter_02 import story_graph, who_reads_what
from kdlib.sequences.exact import enumerate_sequences, position_log_probs
from kdlib.sequences.exact import sample_sequences, token_log_probs
from kdlib.sequences.sums import sequence_mean, sequence_sum, subsequence_sum
from kdlib.toys.students import LowRankStudent, TabularStudent
from kdlib.toys.students import TinyTransformer
from kdlib.toys.worlds import World, story_world

# %% [markdown]
# ## 2.1 A small world, and a copy of it
#
# We need a teacher about which everything is known. `story_world` is a
# language that tells of foxes, owls, children and sailors. In it the next word
# depends on two things only: the last word, and a context that the teacher has
# read. So for each context the teacher is a square table of probabilities: a
# row for the last word, a column for the next. The full stop begins and ends a
# story.

# %%
teacher = story_world()
rows = teacher.log_rows("").exp()  # no context
print(len(teacher.words), "words; a table of", tuple(rows.shape))
for last_word in ("a", "lantern"):
    print(f"after '{last_word}':", end=" ")
    for word, p in teacher.next_words(last_word, ""):
        print(f"{word} {p:.2f}", end="  ")
    print()

# %% [markdown]
# How often does a story pass each word? Follow all stories at once. They begin
# at the full stop; each step multiplies by the table; a story that returns to
# the full stop has finished.

# %%
def visits_of(rows):
    """How many times, on average, a story goes on from each word."""
    end = teacher.eos_id
    here = F.one_hot(torch.tensor(end), len(rows)).double()
    visits = torch.zeros_like(here)
    while here.sum() > 1e-12:
        visits += here
        here = here @ rows
        here[end] = 0.0
    return visits


visits = visits_of(rows)
assert torch.allclose(visits, teacher.visits(""))  # kdlib solves for it
print(f"a story has {visits.sum():.1f} words on average")

# %% [markdown]
# That is the whole world, and here it is on one page. An arrow is as thick as
# the number of times an average story takes that step.

# %%
COLUMNS = (
    "the every", "old brave", "fox owl child sailor",
    "finds follows paints sings", "a", "golden quiet",
    "boat shell lantern feather", "and at", "dawn night", ".",
)
often = visits[:, None] * rows
steps = {
    (last, following): often[i, j].item()
    for i, last in enumerate(teacher.words)
    for j, following in enumerate(teacher.words)
}
columns = [column.split() for column in COLUMNS]
story_graph(columns, steps, alt=words("02-world"))

# %% [markdown]
# What does a context do? It never adds an arrow. Each of its words multiplies
# the odds of some words, by a fixed factor:

# %%
odds = {}
for context in ("", "ornate", "forest", "ornate forest"):
    p = dict(teacher.next_words("the fox finds a", context, top=6))
    odds[context or "(nothing)"] = {
        "lantern : boat": p["lantern"] / p["boat"],
        "golden : boat": p["golden"] / p["boat"],
    }
table(odds, ".2f", corner="the teacher reads")

# %% [markdown]
# "Ornate" makes an adjective five times as likely against a boat (3.33 in
# place of 0.67), and "forest" does the same for a lantern. Factors multiply,
# so their logarithms add up; remember that for section 2.5.
#
# Two kinds of input follow. The instruction $c$ is "ornate forest"; the user's
# input $z$ is the hero of the story.
#
# - A *full* input is $x = (c, z)$: "ornate forest fox". These make up D.
# - A *simplified* input is $x' = (c', z)$ with a shorter context $c'$, here
#   none at all: "fox". These make up D'.
#
# We want to do without the instruction. The teacher reads "ornate forest fox";
# the student will read "fox" and should tell the same stories. This is
# *context distillation*: the instruction moves into the parameters.

# %%
HEROES = ["fox", "owl", "child", "sailor"]
D = [f"ornate forest {hero}" for hero in HEROES]
D_PRIME = HEROES
in_use = list(zip(D, D_PRIME))  # (the teacher reads, the student reads)
on_full = list(zip(D, D))
print(*in_use, sep="\n")
READS = {"context distillation": ("$x = (c, z)$\n“ornate forest fox”",
                                  "$x' = z$\n“fox”")}
who_reads_what(READS, alt=words("02-who-reads-what"))

# %% [markdown]
# The objective is a sum over pairs. The loss of one pair compares teacher and
# student at each word that the teacher's story passes, and adds up: next-word
# KL times visits. The sum is exactly KL(P‖Q) between two distributions over
# whole stories (chapter 3 proves it). Nothing is sampled.

# %%
@functools.cache  # the teacher never changes: ask it once
def says(world, x):
    """What a teacher says about x: its table, and the visits."""
    return world.log_rows(x), world.visits(x)


def pair_loss(student, x, x_prime, world=teacher, divergence=forward_kl):
    """Loss of one pair, in nats: the teacher reads x, the student x'."""
    log_p, visits = says(world, x)
    log_q = student.log_rows(x_prime)
    return (visits * divergence(log_p, log_q)).sum(dim=-1)


def objective(student, pairs, weights=1, **options):
    """F1: the sum over the pairs."""
    losses = [pair_loss(student, *pair, **options) for pair in pairs]
    return (torch.stack(losses) * weights).sum(dim=0)

# %% [markdown]
# And this is distillation, all of it:

# %%
def train(student, pairs, steps=150, rate=0.1, decay=0.0, **options):
    """Minimise the objective over the pairs."""
    parameters = student.parameters()
    optimizer = torch.optim.AdamW(parameters, rate, weight_decay=decay)
    for _ in range(steps):
        loss = objective(student, pairs, **options).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return student


def per_story(student, pairs, **options):
    """F1 divided by the number of pairs, in nats."""
    with torch.no_grad():
        return objective(student, pairs, **options) / len(pairs)

# %% [markdown]
# The smallest experiment: the student starts as an exact copy of the teacher,
# as in the first paper on context distillation, where a model teaches itself
# (Askell et al. 2021). We train it in two ways. They differ in one thing: what
# the student reads.

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


ours = per_story(copy_of(teacher), in_use[:1])
kdlibs = teacher.kl(copy_of(teacher), D[0], student_context=D_PRIME[0])
print(f"one pair: ours {ours:.4f}, kdlib {kdlibs.item():.4f}")

# %%
exercise("trained-on-full-inputs")

# %%
# exercise: trained-on-full-inputs
answer = ...  # one letter of a, b, c, d
exercise("trained-on-full-inputs").check(answer)

# %% [markdown]
# **Predict.** The copy is trained on pairs in which the student reads the full
# input as well. What is the training loss at the start, and at the end? And
# how far are its stories from the teacher's when it reads the hero alone, as
# it will in use?

# %%
predict("02-copy-on-full-input")

# %%
CAREFUL = {"steps": 300, "rate": 0.02}
measured = {}
for name, pairs in (("reads x", on_full), ("reads x'", in_use)):
    before = copy_of(teacher)
    after = train(copy_of(teacher), pairs, **CAREFUL)
    for when, student in (("before", before), ("after", after)):
        measured[f"student {name}, {when}"] = {
            "loss in training": per_story(student, pairs),
            "loss in use": per_story(student, in_use),
        }
table(measured, ".2f")

# %%
student = copy_of(teacher)
objective(student, on_full).backward()
slope = max(p.grad.abs().max().item() for p in student.parameters())
print(f"steepest slope of the objective over D, at the copy: {slope:.4f}")
assert slope < 1e-12

# %% [markdown]
# Read the first two rows. The training loss is zero before the first step: a
# copy agrees with the original on everything that both can read. The slope is
# zero too, up to rounding, so training changes nothing, and in use the student
# tells the stories of a teacher to whom nobody gave an instruction. A perfect
# score, and nothing learned.
#
# The other two rows differ in what the student reads, and in nothing else. Now
# the loss has something to say, and training brings it to zero where the
# student is used.
#
# That answers the question at the top: the sum ran over D. Before we meet this
# mistake in a student that starts from nothing, let us read the sum itself.

# %% [markdown]
# ## 2.2 The five parts of F1
#
# $$\hat\theta = \operatorname*{arg\,min}_\theta \sum_{x' \in D'}
# \mathrm{Loss}\big(\mathrm{Pr}^t(\cdot \mid \cdot),\;
# \mathrm{Pr}^s_\theta(\cdot \mid \cdot),\; x'\big) \qquad \text{(F1)}$$
#
# Five parts, and each can go wrong by itself:
#
# - **the sum over D'**: the inputs on which a mismatch costs anything. An
#   input that is missing has weight zero;
# - **$\mathrm{Pr}^t$**, the teacher P: fixed. It reads the full input $x$ that
#   belongs to $x'$;
# - **$\mathrm{Pr}^s_\theta$**, the student Q: it reads $x'$, what it will read
#   in use;
# - **Loss**: how far Q is from P on one input. Chapters 3 and 4 are about it;
#   here it is KL(P‖Q), zero exactly when the two distributions agree;
# - **arg min over $\theta$**: whichever parameters make the sum smallest.

# %%
exercise("what-f1-asks-for")

# %%
# exercise: what-f1-asks-for
answer = """
...
"""
ticked = ...  # after the first check: the points that you made, such as [1, 3]
exercise("what-f1-asks-for").check(answer, ticked=ticked)

# %% [markdown]
# Here is a test of your answer. **Predict:** D' has two inputs, the vocabulary
# three words. Which of these four students has the lowest F1? Which has the
# lowest loss on the labels, one word per input, taken from some text?

# %%
predict("02-loss-on-the-labels")

# %%
P = torch.tensor([[0.60, 0.30, 0.10], [0.50, 0.40, 0.10]]).double()
labels = torch.tensor([1, 0])  # what the text happened to say
candidates = {
    "sure of the labels": [[0.01, 0.98, 0.01], [0.98, 0.01, 0.01]],
    "setting A": [[0.70, 0.10, 0.20], [0.80, 0.10, 0.10]],
    "setting B": [[0.55, 0.35, 0.10], [0.45, 0.46, 0.09]],
    "the teacher's distribution": P.tolist(),
}
scores = {}
for name, q in candidates.items():
    log_q = torch.tensor(q).double().log()
    scores[name] = {
        "F1": forward_kl(P.log(), log_q).sum(),
        "first choices right": int((log_q.argmax(1) == P.argmax(1)).sum()),
        "loss on the labels": F.nll_loss(log_q, labels, reduction="sum"),
    }
table(scores, ".3f")

# %% [markdown]
# The student that is sure of the labels has by far the lowest loss on them and
# by far the highest F1. The teacher's own distribution has an F1 of zero, the
# least there is, and a loss on the labels that is far from the least. One
# label for each input is a different goal from the teacher's distribution.
#
# Is it labels as such, or is it that there is one of each? **Predict:** let
# the teacher write the labels, many for each input, and take the mean of the
# losses. Who is best now?

# %%
predict("02-many-labels")

# %%
by_number = {name: {} for name in candidates}
dice = torch.Generator().manual_seed(1)
for number in (1, 10, 10_000):
    drawn = torch.multinomial(P, number, replacement=True, generator=dice)
    for name, q in candidates.items():
        log_q = torch.tensor(q).double().log()
        loss = -log_q.gather(1, drawn).mean(1).sum()
        by_number[name][f"{number:,} drawn"] = loss
H = torch.special.entr(P).sum()
for name, columns in by_number.items():
    columns["F1 + H(P)"] = scores[name]["F1"] + H
table(by_number, ".2f")

# %% [markdown]
# With one label each, chance decides who is best. With ten thousand, the loss
# on the labels is F1 plus the entropy of the teacher, nearly: the ranking of
# F1, and its winner. That is no accident, since cross-entropy is KL plus
# entropy (section 1.5). So the two goals are not enemies. F1 asks for a
# distribution; labels drawn from that distribution ask for it too, but so
# faintly that many are needed. Labels that come from elsewhere, or that are
# always the top, ask for something else.
#
# Meet a student with a bottleneck: it turns
# the last word and the context into eight numbers, and those into logits.

# %%
one = LowRankStudent(teacher, rank=8, seed=0)
for name, parameter in one.named_parameters():
    print(f"{name:8}", tuple(parameter.shape))
hidden = one.state + one.context[teacher.context_ids("fox")].sum(dim=0)
by_hand = (hidden @ one.output).log_softmax(dim=-1)
assert torch.equal(by_hand, one.log_rows("fox"))

# %% [markdown]
# It multiplies two matrices. Turn the sign of every parameter in both, and no
# parameter is what it was. **Predict:** how far is this twin from the first
# student, as F1 sees it?

# %%
predict("02-twin")

# %%
twin = LowRankStudent(teacher, rank=8, seed=0)
with torch.no_grad():
    for parameter in twin.parameters():
        parameter.neg_()
both = list(zip(one.parameters(), twin.parameters()))
kl = forward_kl(one.log_rows("fox"), twin.log_rows("fox")).sum().item()
print("parameters", sum(a.numel() for a, _ in both))
print("in common ", sum((a == b).sum().item() for a, b in both))
table({"KL between the two": {"": kl}})

# %% [markdown]
# Two students without a single parameter in common, one distribution: F1 sees
# outputs only. So a student may differ from its teacher in size and design,
# and that is what makes distillation possible.

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
# To compare two parameter settings, compute F1 for both: one divergence for
# each input, added up; the smaller sum is the better match. Look again at
# settings A and B. A has both of the teacher's first choices right, B has one
# of them wrong. **Predict** where the nats of each come from.

# %%
pieces = {}
for name in ("setting A", "setting B"):
    log_q = torch.tensor(candidates[name]).double().log()
    for i, line in enumerate(P * (P.log() - log_q), 1):
        pieces[f"{name}, input {i}"] = {
            **{f"word {j}": x for j, x in enumerate(line, 1)},
            "sum": line.sum(),
        }
table(pieces, "+.4f")

# %%
for name in ("setting A", "setting B"):
    print(f"F1 of {name}: {scores[name]['F1']:.4f}")
uniform = torch.full((2, 3), 1 / 3).double().log()
print(f"F1 of a uniform student: {forward_kl(P.log(), uniform).sum():.4f}")

# %% [markdown]
# B wins by far, with a wrong first choice. On the second input it puts a hair
# more on the second word than on the first, where the teacher is not sure
# either: that costs almost nothing. A is right about both winners and wrong
# about the rest. Even the uniform student, which knows nothing, is the better
# match: **being right about the top is not being close.**
#
# Were A and B picked to make the point? They were. Here are random teachers,
# each with two random students, of which one has more first choices right.

# %%
dice = torch.Generator().manual_seed(0)
draws = torch.randn(3, 20_000, 2, 3, generator=dice).double()
random_p, one_q, other_q = (1.5 * draws).log_softmax(dim=-1)


def tops_and_f1(log_q):
    tops = (log_q.argmax(-1) == random_p.argmax(-1)).sum(-1)
    return tops, forward_kl(random_p, log_q).sum(-1)


(tops, f1), (other_tops, other_f1) = map(tops_and_f1, (one_q, other_q))
share = (f1 < other_f1)[tops > other_tops].double().mean()
print(f"more first choices right, and closer: {share:.2f} of the pairs")

# %% [markdown]
# So first choices are a hint, and in one pair of five or so the hint is wrong.
# F1 is not a hint: it is the quantity itself.
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
# ## 2.4 Who reads what
#
# Back to D and D'. A pair says what the teacher reads and what the student
# reads. Each may read the full or the simplified input, which gives four ways
# to pair them, and only one of them is F1. A fifth occurs in practice: the
# rows of a batch are shuffled on one side, and the teacher answers about
# another hero.

# %%
OTHERS = D[1:] + D[:1]
PAIRINGS = {
    "F1": (D, D_PRIME),
    "both read x": (D, D),
    "both read x'": (D_PRIME, D_PRIME),
    "exchanged": (D_PRIME, D),
    "rows shuffled": (OTHERS, D_PRIME),
}
who_reads_what(
    {
        "F1": ("$x$", "$x'$"),
        "both read $x$": ("$x$", "$x$"),
        "both read $x'$": ("$x'$", "$x'$"),
        "exchanged": ("$x'$", "$x$"),
        "rows shuffled": ("other\n$x$", "$x'$"),
    },
    alt=words("02-pairings"),
)

# %% [markdown]
# This student starts from nothing: random parameters and the bottleneck of
# section 2.2. One student proves little, so we train ten, from ten seeds, side
# by side. Their losses are added up; as no parameter belongs to two of them,
# none notices the others.

# %%
class Students(torch.nn.Module):
    """Ten low-rank students, one for each seed."""

    def __init__(self, rank=8, size=1.0):
        super().__init__()
        ones = [LowRankStudent(teacher, rank, seed) for seed in range(10)]
        for name in ("state", "context", "output"):
            ten = torch.stack([getattr(one, name).detach() for one in ones])
            setattr(self, name, torch.nn.Parameter(size * ten))

    def log_rows(self, x):
        """Log-probabilities of the next word, (10, V, V)."""
        read = self.context[:, teacher.context_ids(x)].sum(1, keepdim=True)
        return ((self.state + read) @ self.output).log_softmax(dim=-1)


def spread(ten):
    """Median, lowest and highest of one value a seed."""
    values = ten.tolist()
    return {"median": median(values), "low": min(values), "high": max(values)}

# %% [markdown]
# We look at two numbers: the loss that training reports, and the distance to
# the instructed teacher when the student reads the simplified input, as in
# use. The baseline is the simplest thing to do: no training, the teacher
# itself without its instruction.
#
# **Predict.** In which of the five does the training loss go to zero? Which
# students are of use?

# %%
predict("02-five-pairings")

# %%
trained, in_training, used = {}, {}, {}
for name, (read_by_teacher, read_by_student) in PAIRINGS.items():
    pairs = list(zip(read_by_teacher, read_by_student))
    trained[name] = train(Students(), pairs)
    in_training[name] = per_story(trained[name], pairs)
    used[name] = spread(per_story(trained[name], in_use))
no_training = per_story(teacher, in_use).item()
untrained = per_story(TabularStudent(teacher), in_use).item()
print(f"no training {no_training:.2f}, a uniform student {untrained:.2f}")
table(
    {
        name: {"in training, at most": in_training[name].max(), **used[name]}
        for name in PAIRINGS
    },
    ".2f", corner="ten students each; then in use",
)

# %%
intervals(
    {name: tuple(three.values()) for name, three in used.items()},
    xlabel="KL in use, nats per story",
    baseline={"no training": no_training},
    alt=words("02-in-use"),
)

# %% [markdown]
# All five training losses are zero to two digits. The number that one watches
# in training cannot tell the one right pairing from the four wrong ones.
#
# - **D by mistake** (both read $x$): the student has learned what to do *with*
#   the instruction. Without it, it faces an input unlike any in training, and
#   its ten seeds do ten different things.
# - **No instruction at all** (both read $x'$): the student matches a teacher
#   that was never told what to do. It arrives exactly where no training would
#   have left it.
# - **Exchanged**: both mistakes at once.
# - **Rows shuffled**: the right instruction and the wrong hero, far worse than
#   doing nothing. It is also the one that shows at a glance: ask for a fox and
#   read about an owl.
#
# Look at the whiskers as much as at the dots. Where the pairing leaves the use
# open, the seeds disagree. So train two seeds and compare them on the inputs
# of use; be alarmed if they differ. But do not be reassured if they agree: the
# third pairing and the fifth agree across all ten seeds, on the wrong thing.
#
# How bad is D by mistake? Here are three other instructions, and then other
# sizes of the random numbers that the students start from.

# %%
STYLES = ("plain sea", "plain forest", "ornate sea")
by_instruction = {}
for c in STYLES:
    full = [f"{c} {hero}" for hero in HEROES]
    use = list(zip(full, HEROES))
    mistaken = per_story(train(Students(), list(zip(full, full))), use)
    right = per_story(train(Students(), use), use)
    nothing = per_story(teacher, use)
    by_instruction[c] = {
        **spread(mistaken), "no training": nothing,
        "better than none": int((mistaken < nothing).sum()),
        "F1, high": right.max(),
    }
    assert mistaken.min() > 10 * right.max()
table(by_instruction, ".3f", corner="both read x")

# %%
better = sum(row["better than none"] for row in by_instruction.values())
print(f"better than no training: {better} of {10 * len(by_instruction)}")
by_start = {"initial numbers as they are": used["both read x"]}
for size in (0.1, 2.0):
    mistaken = per_story(train(Students(size=size), on_full), in_use)
    by_start[f"initial numbers times {size}"] = spread(mistaken)
table(by_start, ".2f", corner="both read x, ornate forest")

# %% [markdown]
# It is not always worse than doing nothing. Most of these thirty students are
# better than that, since part of an instruction that is always there can end
# up in what all inputs share. Nor is it ever good: for each instruction the
# luckiest is more than ten times as far away as the unluckiest student of F1.
# And the last table is the warning. The size of the random numbers at the
# start, a thing few would suspect, moves the typical damage from below no
# training to far above it. **Where F1 is silent, something else decides: the
# seed, the start, the instruction.**
#
# What does the damage look like to a reader of the stories? The expected
# number of adjectives and of forest things in a story can be computed exactly.

# %%
def style(log_rows):
    """Words, adjectives, forest things expected in a story."""
    visits = visits_of(log_rows.detach().exp())
    adjectives = teacher.ids("old brave golden quiet")
    things = teacher.ids("lantern feather")
    return {
        "words": visits.sum(),
        "adjectives": visits[adjectives].sum(),
        "lanterns and feathers": visits[things].sum(),
    }


table({
    "instructed teacher": style(teacher.log_rows(D[0])),
    "student of F1, seed 0": style(trained["F1"].log_rows("fox")[0]),
    "student of D, seed 0": style(trained["both read x"].log_rows("fox")[0]),
    "student of D, seed 1": style(trained["both read x"].log_rows("fox")[1]),
    "teacher without instruction": style(teacher.log_rows("fox")),
}, ".1f")

# %% [markdown]
# The student of F1 reads one word and writes as the teacher does after three.
# The students of D write other kinds of story, each its own.

# %%
exercise("training-pairs")

# %%
# exercise: training-pairs
def training_pairs(data, short_context):
    """Pairs (teacher's text, student's text), in the order of the data."""
    raise NotImplementedError


exercise("training-pairs").check(training_pairs)

# %% [markdown]
# ### The price of context distillation
#
# The student that did everything right pays a price too. **Predict:** the copy
# of section 2.1 is distilled on D'. It used to understand the instruction.
# What does it do if someone gives the instruction anyway? And if someone
# wants a story without it?

# %%
after_training = {
    "untrained": copy_of(teacher),
    "trained on D'": train(copy_of(teacher), in_use, **CAREFUL),
    "on D' and D": train(copy_of(teacher), in_use + on_full, **CAREFUL),
}
TWICE = [(f"{x} ornate forest", x) for x in D]
AIMS = {
    "x', stories with the instruction": in_use,
    "x,  stories with the instruction": on_full,
    "x,  stories with it given twice": TWICE,
    "x', stories without it": list(zip(D_PRIME, D_PRIME)),
}
prices = {
    aim: {name: per_story(s, pairs) for name, s in after_training.items()}
    for aim, pairs in AIMS.items()
}
table(prices, ".2f", corner="the student reads, the aim is")

# %% [markdown]
# What the first line gains the last line loses, or nearly: "fox" now means
# "ornate forest fox", and leaving it out no longer helps. The two lines
# between are a surprise. Reading the instruction, the student used to be
# perfect; now it follows it twice over, to the digit. D was left to itself
# here, as D' was by training on D. The rule has no favourite side: **the
# student is what F1 asks for on the inputs in the sum, and is promised nowhere
# else.** The last column is the cure, if both are needed: put both into the
# sum.
#
# "Nowhere else" needs another look. Leave one hero out of the sum.

# %%
without_owl = [pair for pair in in_use if pair[1] != "owl"]
student = train(copy_of(teacher), without_owl, **CAREFUL)
table({
    hero: {
        "in D'": "no" if hero == "owl" else "yes",
        "before": per_story(copy_of(teacher), [(x, hero)]),
        "after": per_story(student, [(x, hero)]),
    }
    for x, hero in in_use
}, ".2f")

# %% [markdown]
# The owl got most of the benefit without being in D': it shares parameters
# with the others. So what F1 does outside its sum is not nothing. It is
# whatever the shared parameters happen to do: here a good thing, one table ago
# a bad one. Neither was asked for.

# %% [markdown]
# ## 2.5 One part at a time
#
# A student is trained by F1 on simplified sentences. It does well on them and
# badly on complex ones. Before any measurement, a diagnosis:

# %%
exercise("good-on-simple-bad-on-complex")

# %%
# exercise: good-on-simple-bad-on-complex
answer = ...  # one letter of a, b, c, d, e
exercise("good-on-simple-bad-on-complex").check(answer)

# %% [markdown]
# You may argue. Here you can also test it: change one part of F1 at a time and
# keep the rest. Simple inputs have one word ("fox", "sea", "ornate"); complex
# ones have three ("ornate sea fox"). Every word of the complex inputs occurs
# in a simple one. From here on the student reads what the teacher reads, so
# that nothing but the choice of inputs is in question; and the teacher is
# exact on both kinds, which acquits it.
#
# **Predict** which of the changes help.

# %%
predict("02-changes-that-help")

# %%
SIMPLE = [(word, word) for word in teacher.context_words]
triples = itertools.product(("plain", "ornate"), ("sea", "forest"), HEROES)
COMPLEX = [(text, text) for text in map(" ".join, triples)]
print(len(SIMPLE), "simple inputs,", len(COMPLEX), "complex ones, such as")
print([text for text, _ in COMPLEX[:2]])

VARIANTS = {
    "as it was": (SIMPLE, {}, {}),
    "student: rank 20 instead of 8": (SIMPLE, {"rank": 20}, {}),
    "arg min: twice the steps": (SIMPLE, {}, {"steps": 300}),
    "arg min: with weight decay": (SIMPLE, {}, {"decay": 0.1}),
    "Loss: Jensen-Shannon": (SIMPLE, {}, {"divergence": jensen_shannon}),
    "sum: and one complex input": (SIMPLE + COMPLEX[:1], {}, {}),
    "sum: and all complex inputs": (SIMPLE + COMPLEX, {}, {}),
}

# %%
changed = {}
for name, (pairs, kind, options) in VARIANTS.items():
    ten = train(Students(**kind), pairs, **options)
    changed[name] = {
        "simple, at most": per_story(ten, SIMPLE).max(),
        **spread(per_story(ten, COMPLEX)),
    }
table(changed, ".2f", corner="ten students each; then complex")

# %%
last_word = [(x, x.split()[-1]) for x, _ in COMPLEX]
hero_only = per_story(teacher, last_word)
untrained = per_story(TabularStudent(teacher), COMPLEX)
print(f"the teacher, reading the hero only: complex {hero_only:.2f}")
print(f"a uniform student: complex {untrained:.2f}")
for name, row in changed.items():
    assert row["high"] < 0.1 if name.startswith("sum") else row["low"] > 0.2

# %% [markdown]
# A larger student, a longer search and another loss leave the complex inputs
# in the dark. Weight decay helps: of all the settings that fit the simple
# inputs it prefers small ones, and these happen to be less wrong. It still
# leaves more than ten times what a single complex input in the sum leaves.
# **What the sum does not hold costs nothing, so nothing asks for it to be
# right.** The baseline makes this sting: a teacher that ignores all but the
# last word does better on complex inputs than the typical student without
# weight decay, which knows every word.
#
# And a surprise: sixteen complex inputs are not needed. A single one brings
# nearly all of the gain, also on the fifteen that the student never saw. Could
# even a *simple* input do it? **Predict:** what would the student learn from
# the emptiest input of all, no context?

# %%
EMPTY = [("", "")]
mended = per_story(train(Students(), SIMPLE + EMPTY), COMPLEX)
print("with the empty input:", end=" ")
print(", ".join(f"{k} {v:.3f}" for k, v in spread(mended).items()))
assert mended.max() < 0.1 * changed["as it was"]["low"]

# %% [markdown]
# The simplest of all sentences mends the complex ones. Here is why. This
# student adds up: its logits for "ornate sea fox" are a start plus something
# for each of the three words. Eight one-word inputs fix the start plus one
# word, never the start alone, and three of them together count the start three
# times. Countless settings fit the simple inputs equally well and differ on
# the complex ones: hence the wide spread over seeds. The empty input fixes the
# start, and with it every sum.
#
# So what matters is not how complex the inputs in D' look, but what they leave
# open. The clever way has a limit, though. It works because the teacher adds
# up as the student does, which this world does by construction (section 2.1).
# Take a teacher that errs, so that its odds no longer add up.

# %%
erring = {"world": teacher.with_bias(0.3)}
by_inputs = {}
for name, pairs in (
    ("simple inputs", SIMPLE),
    ("and the empty input", SIMPLE + EMPTY),
    ("and all complex inputs", SIMPLE + COMPLEX),
):
    ten = train(Students(), pairs, **erring)
    by_inputs[name] = spread(per_story(ten, COMPLEX, **erring))
table(by_inputs, ".2f", corner="an erring teacher; then complex")

# %% [markdown]
# The empty input still closes most of the gap, no longer all of it. For the
# rest the complex inputs themselves are needed: adding them is the safe way,
# since it asks for no insight into teacher or student.

# %% [markdown]
# ## 2.6 How many inputs?

# %%
exercise("is-more-data-always-better")

# %%
# exercise: is-more-data-always-better
answer = ...  # one letter of a, b, c, d
exercise("is-more-data-always-better").check(answer)

# %% [markdown]
# Take students that are too small for all they might be asked: rank 3. There
# are twelve inputs in use: four heroes, at no place, at sea and in the forest.
# The teacher is told to be plain, the student is not. D' holds one of the
# twelve, or three, six, all. Each seed adds them in an order of its own.
#
# **Predict** two curves over the number of inputs in D': the final loss per
# input on D', and the loss per input on all twelve.

# %%
predict("02-two-curves")

# %%
INPUTS = [place + z for place in ("", "sea ", "forest ") for z in HEROES]
TWELVE = [(f"plain {z}", z) for z in INPUTS]
ORDERS = [random.Random(seed).sample(range(12), 12) for seed in range(10)]
SIZES = (1, 3, 6, 12)


def chosen(size):
    """1 where an input is in a seed's D', (inputs, seeds)."""
    weights = torch.zeros(12, 10, dtype=torch.float64)
    for seed, order in enumerate(ORDERS):
        weights[order[:size], seed] = 1
    return weights

# %%
def grown(size, **kind):
    """Ten trained students; their losses on D', on all, on the first."""
    ten = train(Students(**kind), TWELVE, weights=chosen(size))
    parts = {"final loss on D'": size, "on all twelve": 12, "on the first": 1}
    with torch.no_grad():
        return {name: objective(ten, TWELVE, chosen(n)) / n
                for name, n in parts.items()}

# %%
growth = {size: grown(size, rank=3) for size in SIZES}
without = per_story(teacher, TWELVE)
print(f"no training: on all twelve {without:.2f}")
medians = {}
for size, losses in growth.items():
    medians[size] = {name: ten.median() for name, ten in losses.items()}
assert growth[1]["final loss on D'"].max() < 0.02
assert growth[12]["final loss on D'"].min() > 0.05
assert growth[12]["on all twelve"].max() < 0.3 < without
assert growth[1]["on all twelve"].min() > 1
table(medians, ".3f", corner="inputs in D'")

# %%
def band(spreads):
    """Medians, lowest and highest, each along the line."""
    keys = ("median", "low", "high")
    return tuple([each[key] for each in spreads] for key in keys)


bands = {
    name: band([spread(growth[size][name]) for size in SIZES])
    for name in ("final loss on D'", "on all twelve")
}
curves(
    SIZES,
    {**bands, "no training": [without] * len(SIZES)},
    xlabel="inputs in D'", ylabel="KL, nats per story", logy=True,
    alt=words("02-inputs"),
)

# %% [markdown]
# The curves move in opposite directions and meet at the right end, where what
# is trained is what is used. The students with the best training loss are the
# worst in use, worse than no training; those with the worst training loss are
# the best. A final loss says how hard the task was as much as how well it was
# done. **Never compare final losses over different D'.**
#
# So "a lower final loss" is false. What about "a better match", if the match
# is wanted on a single input? In the last column of the table the loss on the
# first input rises more than tenfold: the student pays for the other eleven
# with capacity. So is D' with nothing else in it best for that input?
#
# So far the teacher has handed over its whole distribution. Let it hand over a
# few of its stories instead, and let a student learn from the words in them.

# %%
def stories_of(x, number):
    """The steps that `number` stories take, per story, for ten draws."""
    counts = []
    for seed in range(10):  # dice of its own for each input and seed
        dice = random.Random(f"{x}, {seed}").randrange(10**9)
        stories = teacher.sample(number, x, seed=dice)
        counts.append(teacher.transition_counts(stories))
    return torch.stack(counts) / number


def imitate(students, lessons, steps=150):
    """Train on the words of lessons, {what the student reads: steps}."""
    optimizer = torch.optim.Adam(students.parameters(), 0.1)
    for _ in range(steps):
        loss = -sum((taken * students.log_rows(x)).sum()
                    for x, taken in lessons.items())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return students

# %% [markdown]
# **Predict.** Only "fox" is wanted. Is it better to train on its own stories
# alone, or to add as many stories for each of the other eleven inputs? And if
# the price of those others is spent on more stories of the fox?

# %%
predict("02-only-the-fox")

# %%
FOX = TWELVE[:1]
exact = [per_story(train(Students(rank=3), pairs), FOX).median()
         for pairs in (FOX, TWELVE)]
ARMS = ("fox alone", "with eleven others", "fox alone, 12 times as many")
wanted = {"all of its distribution": dict(zip(ARMS, [*exact, None]))}
for number in (3, 30):
    lessons = (
        {"fox": stories_of("plain fox", number)},
        {z: stories_of(x, number) for x, z in TWELVE},
        {"fox": stories_of("plain fox", 12 * number)},
    )
    tens = [per_story(imitate(Students(rank=3), each), FOX)
            for each in lessons]
    assert tens[2].median() < tens[1].median() < tens[0].min()
    wanted[f"{number} stories"] = dict(zip(ARMS, [t.median() for t in tens]))
table(wanted, ".2f", corner="median of ten, for fox")

# %% [markdown]
# Now it is the other way round. With few stories the other eleven inputs are a
# large help even to a student with too little room: an owl in the forest finds
# what a fox finds, and each story says so once more. But a story of the fox
# itself says more about the fox: spend the same money there, and it is better
# still. So what other inputs do to one input depends on what is scarce. **If
# capacity is scarce they cost; if the teacher's outputs are scarce they help,
# and less than as many outputs for the input itself.**
#
# The statement, then, fails at the word "always", in both halves. What remains
# true: D' should be the inputs of use, in the proportions of use, and more of
# *those* helps. (The bare sum of F1 says even less: repeat every input, and it
# doubles while the best student stays the same. Where sets D' differ in size,
# this chapter divides by the number of inputs.)

# %%
exercise("a-rule-for-the-data")

# %%
# exercise: a-rule-for-the-data
answer = """
...
"""
ticked = ...  # after the first check: the points that you made, such as [1, 3]
exercise("a-rule-for-the-data").check(answer, ticked=ticked)

# %% [markdown]
# There is another way for the final loss to stop above zero: the simplified
# input has lost what the teacher went by. Suppose D' shortens both "plain fox"
# and "ornate fox" to "fox". **Predict** the student's best answer.

# %%
predict("02-plain-or-ornate")

# %%
torn = [("plain fox", "fox"), ("ornate fox", "fox")]
(plain_rows, plain_visits), (ornate_rows, ornate_visits) = (
    says(teacher, x) for x, _ in torn
)
steps_taken = (plain_visits[:, None] * plain_rows.exp()
               + ornate_visits[:, None] * ornate_rows.exp())
hedge = steps_taken / steps_taken.sum(1, keepdim=True).clamp(min=1e-12)
best = World(teacher.words, lambda _: hedge.log(), teacher.context_words)
ten = per_story(train(Students(), torn), torn)
assert ten.min() > per_story(best, torn)
decided = {
    "always the plain answer": [(x, "plain fox") for x, _ in torn],
    "always the ornate answer": [(x, "ornate fox") for x, _ in torn],
}
hedged = {name: per_story(teacher, pairs) for name, pairs in decided.items()}
hedged["weighted average of both"] = per_story(best, torn)
hedged["trained students, median"] = ten.median()
table({name: {"KL": kl} for name, kl in hedged.items()}, ".3f")

# %% [markdown]
# Committing to either one is worse than hedging. The best single answer
# is the average of the two, word by word, each teacher weighted by how often
# it passes that word. No student that remembers only the last word gets below
# it, and training finds it. A better optimiser would not help: the information
# is gone from the input. (A student with a memory of the whole story could win
# some of it back, since an adjective gives the ornate teacher away.)

# %%
exercise("blind-student-loss")

# %%
# exercise: blind-student-loss
def blind_student_loss(p):
    """Least mean KL from the rows to one common distribution, in nats. (N, V) -> scalar"""
    raise NotImplementedError


exercise("blind-student-loss").check(blind_student_loss)

# %% [markdown]
# ## 2.7 What to keep of the teacher
#
# F1 compares distributions. A colleague would rather keep less of the teacher:
# only its top prediction, as a one-hot. Before you measure, two questions.

# %%
exercise("lost-with-the-top")

# %%
# exercise: lost-with-the-top
answer = ...  # one letter of a, b, c, d
exercise("lost-with-the-top").check(answer)

# %%
exercise("store-only-the-top")

# %%
# exercise: store-only-the-top
answer = """
...
"""
ticked = ...  # after the first check: the points that you made, such as [1, 3]
exercise("store-only-the-top").check(answer, ticked=ticked)

# %% [markdown]
# To be fair to all, let the teacher write some stories for each input, and
# keep three things of the same stories, word by word:
#
# - *whole*: the teacher's distribution at that word;
# - *top*: the one-hot of its most likely word there;
# - *drawn*: the word that it wrote, a one-hot as well.
#
# **Predict.** How far are students of each from the teacher after one story
# for each input? After ten, after a hundred? And how often does each choose
# the teacher's first choice?

# %%
in_forest = [(f"forest {hero}", hero) for hero in HEROES]


def kept(what, x, number):
    """What is kept of some stories about x: steps from word to word."""
    drawn = stories_of(x, number)
    p = teacher.log_rows(x).exp()
    if what == "drawn":
        return drawn
    if what == "top":
        p = F.one_hot(p.argmax(dim=-1), p.shape[-1])
    return drawn.sum(dim=-1, keepdim=True) * p  # once for each word met


def pupils(what, number):
    return imitate(
        Students(), {z: kept(what, x, number) for x, z in in_forest}
    )

# %%
NUMBERS = (1, 10, 100, 300)
KEPT = ("whole", "drawn", "top")
classes = {(what, n): pupils(what, n) for what in KEPT for n in NUMBERS}
distances = {key: spread(per_story(ten, in_forest))
             for key, ten in classes.items()}
bare = per_story(teacher, in_forest).item()
print(f"the teacher without its instruction: {bare:.2f}")
table({n: {what: distances[what, n]["median"] for what in KEPT}
       for n in NUMBERS}, ".2f", corner="stories for each input")

# %%
curves(
    NUMBERS,
    {what: band([distances[what, n] for n in NUMBERS]) for what in KEPT}
    | {"no training": [bare] * len(NUMBERS)},
    xlabel="stories for each input",
    ylabel="KL to the teacher, nats per story",
    logx=True, logy=True, alt=words("02-kept"),
)

# %%
def first_choices(log_rows, x):
    """How often the favourite word is the teacher's, in [0, 1]."""
    p, visits = teacher.log_rows(x).exp(), teacher.visits(x)
    favourite = p.gather(1, log_rows.argmax(dim=1, keepdim=True))[:, 0]
    is_top = favourite > 0.999 * p.max(dim=1).values  # ties count
    return ((visits * is_top).sum() / visits.sum()).item()


def judged(tables):
    """First choices right, and how many stories share the mass."""
    right, entropies = [], []
    for log_rows in tables:
        right.append(first_choices(log_rows, "forest fox"))
        p = log_rows.exp()
        H = (visits_of(p) * torch.special.entr(p).sum(dim=1)).sum()
        entropies.append(H.item())
    return {"first choices right": median(right),
            "stories, about": math.exp(median(entropies))}

# %%
answers = {what: classes[what, 300].log_rows("fox").detach() for what in KEPT}
answers["teacher"] = teacher.log_rows("forest fox")[None]
shown = {"first choices right": ".2f", "stories, about": ".0f"}
table({name: judged(tables) for name, tables in answers.items()}, shown,
      corner="300 stories, about the fox")

# %% [markdown]
# ("Stories" is $e^H$, with $H$ the entropy of a story about the fox: the
# number of equally likely stories that would be as hard to guess.)
#
# The student of the *top* has all the first choices right, and is the worst
# match of all. More stories do not help it. In the end it knows a single
# story. What it has not learned is which alternatives there are, how they
# compare, and how sure to be. A user who lets it write gets that story every
# time; where the teacher would hesitate, it does not.
#
# Now compare *drawn*, whose targets are one-hots too. After one story it is no
# better than the top: a single draw looks as certain as a single top.
# But draws average out to the distribution they come from, and tops average
# out to the top. **Hard targets lose little if they are drawn, and drawn
# often; the top loses the distribution however many there are.** At one
# hundred stories the drawn student has passed the teacher without its
# instruction.
#
# And *whole* shows what the saving costs. Ten stories with the distribution at
# each word typically teach more than a hundred without. Where the teacher is
# at hand, its distribution saves stories. Chapter 3 does the same to whole
# sequences (F4), and chapter 8 uses drawn targets to save space.
#
# The limit: if only the likeliest next word will ever be wanted, the top is
# enough, and agreement is the right score.

# %%
exercise("one-hot-of-top")

# %%
# exercise: one-hot-of-top
def one_hot_of_top(log_p):
    """One-hot distribution of each row's most likely word. (..., V) -> (..., V)"""
    raise NotImplementedError


exercise("one-hot-of-top").check(one_hot_of_top)

# %% [markdown]
# ## 2.8 The loss of a sequence
#
# So far an input has had one loss, for whole stories. A language model gives
# probabilities of words. One rule (F8) leads from one to the other: **the loss
# of a sequence is the sum of its token losses; the mean divides that by the
# length; a sub-sequence sums over its own positions.**
#
# A student's losses on the four words of "The quick brown fox" are 0.1, 0.3,
# 0.2 and 0.4.

# %%
exercise("brown-fox")

# %%
# exercise: brown-fox
answer = ...  # nats, to 2 decimals
exercise("brown-fox").check(answer)

# %%
exercise("what-summing-assumes")

# %%
# exercise: what-summing-assumes
answer = """
...
"""
ticked = ...  # after the first check: the points that you made, such as [1, 3]
exercise("what-summing-assumes").check(answer, ticked=ticked)

# %% [markdown]
# **Predict:** the probability that the student gives to the sentence, and what
# the mean belongs to.

# %%
fox = torch.tensor([0.1, 0.3, 0.2, 0.4])
table({
    "the sentence": {"loss": sequence_sum(fox)},
    "its mean": {"loss": sequence_mean(fox)},
    "'The quick'": {"loss": subsequence_sum(fox, 0, 2)},
    "'brown fox'": {"loss": subsequence_sum(fox, 2, 4)},
}, ".2f")

# %%
p = fox.neg().exp()
table({
    "exp(-sum)": {"": sequence_sum(fox).neg().exp()},
    "product of the words' probabilities": {"": p.prod()},
    "exp(-mean)": {"": sequence_mean(fox).neg().exp()},
    "their geometric mean": {"": p.prod() ** (1 / 4)},
    "perplexity, exp(mean)": {"": sequence_mean(fox).exp()},
})

# %% [markdown]
# The words have loss 1.00, and $e^{-1}$ is the probability of a text that
# begins so: the loss of a sequence is minus the logarithm of its probability,
# no more and no less. The mean, 0.25, belongs to the *geometric mean* of the
# words' probabilities,
# 0.7788. Its inverse is called the **perplexity**: at 1.2840 this student is
# as surprised, on average, as if each word were drawn evenly from so many.
#
# What does adding up assume?
#
# 1. Each token's loss is that of the token *given all words before it*. Then
#    the product of the probabilities is the sentence's probability, by the
#    chain rule; the words need not be independent. So the loss of "brown fox"
#    means: after "The quick".
# 2. Every token weighs the same: a wrong article costs as much as a wrong verb
#    of the same probability.
# 3. The words before are those of the given text, even where the student would
#    have written something else. This is **teacher forcing**, though the
#    "teacher" in the name is the text. Chapter 9 is about its price.
#
# The first is easily broken. **Predict.** Score a story by how common each of
# its words is on its own. Is the sum too large, too small, or right on
# average?

# %%
predict("02-words-on-their-own")

# %%
story = "the fox finds a lantern ."
ids = teacher.ids(story)[None]
occurs = teacher.visits("fox")  # how often each word occurs in a story
alone = -(occurs / occurs.sum()).log()
given_the_past = -token_log_probs(teacher, ids, "fox")[0]
scored = {"given the past": given_the_past, "on its own": alone[ids[0]]}
table({
    name: {**dict(zip(story.split(), losses)), "sum": sequence_sum(losses)}
    for name, losses in scored.items()
}, ".2f")

# %%
average = {"given the past": teacher.entropy("fox"),
           "on its own": (occurs[occurs > 0] * alone[occurs > 0]).sum()}
for name, loss in average.items():
    print(f"{name}: {loss:.2f} nats for an average story about the fox")

# %% [markdown]
# The sum of the second row is more than three times too large, for this story
# and on average. It charges for the word "a", which after "finds" is certain,
# and it would charge the same if the words came in any other order: it is the
# loss of a bag of words.
#
# Real batches hold sequences of different lengths, filled up with padding
# whose losses are meaningless numbers. Here they are 0.9, after "The quick".

# %%
batch = torch.tensor([[0.1, 0.3, 0.2, 0.4], [0.1, 0.3, 0.9, 0.9]])
real = torch.tensor([[True, True, True, True], [True, True, False, False]])
padded = {}
for name, mask in (("with the mask", real), ("without", None)):
    sums, means = sequence_sum(batch, mask), sequence_mean(batch, mask)
    padded[name] = {"sum 1": sums[0], "sum 2": sums[1],
                    "mean 1": means[0], "mean 2": means[1]}
table(padded, ".2f")

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
exercise("chain-of-token-losses")

# %%
# exercise: chain-of-token-losses
answer = [..., ..., ...]  # one text for each blank
exercise("chain-of-token-losses").check(answer)

# %% [markdown]
# ## 2.9 Long against short

# %%
exercise("two-translation-strategies")

# %%
# exercise: two-translation-strategies
answer = ...  # one letter of a, b, c, d
exercise("two-translation-strategies").check(answer)

# %% [markdown]
# Two outputs, one of four words and one of nine, are scored by the same model.
# Should the sum decide, or the mean? **Predict** what each prefers.

# %%
predict("02-sum-or-mean")

# %%
compared = {}
for text in ("the fox sings .", "the fox follows a golden lantern at night ."):
    losses = -token_log_probs(teacher, teacher.ids(text)[None], "ornate fox")
    compared[text] = {
        "words": losses.shape[1],
        "sum": sequence_sum(losses)[0],
        "mean": sequence_mean(losses)[0],
    }
table(compared, ".2f")

# %% [markdown]
# Both are right, and they answer different questions. The sum: which text is
# the more probable? The mean: where is the model less surprised, word by word?
# A sum grows with every word, so a ranking by sums prefers short outputs,
# however good the long ones are. That is *length bias*. **Predict:** does the
# mean cure it? Here is the correlation of length and score over all stories of
# up to twelve words.

# %%
def correlation(a, b, p):
    """Correlation of a and b where each story has the weight p."""
    a, b = a - (p * a).sum(), b - (p * b).sum()
    scale = (p * a * a).sum().sqrt() * (p * b * b).sum().sqrt()
    return (p * a * b).sum() / scale


biases = {}
for context in ("plain fox", "fox", "forest owl", "ornate fox"):
    stories = enumerate_sequences(teacher, 12, context, possible_only=True)
    ended = (stories.tokens == teacher.eos_id).any(dim=1)
    p = stories.log_probs.exp() * ended
    lengths, sums = stories.lengths.double(), -stories.log_probs
    biases[context] = {
        "mass": p.sum(),
        "length and sum": correlation(lengths, sums, p / p.sum()),
        "length and mean": correlation(lengths, sums / lengths, p / p.sum()),
    }
table(biases, ".2f", corner="stories about")

# %% [markdown]
# A score by sums rises with length in every row. A score by means has a bias
# too, and not even a fixed one: among the owl's stories it prefers the short,
# among the ornate ones of up to twelve words the long, since an ornate story
# is rarely very short. **The sum always charges for length; the mean may
# charge for it or pay for it.** Neither is a judge of quality. The mistake is
# to set a score of one kind against a score of the other, or sums of different
# lengths, and to call the smaller one better.

# %% [markdown]
# ## 2.10 From tokens to a batch
#
# Two details still separate F1 from the loss function in real code. First,
# batches have different numbers of tokens. **Predict** the mean token loss of
# two batches, one token with loss 2 and nine tokens with loss 0.5 each.

# %%
predict("02-two-batches")

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
# Second, both distributions may be softened by a temperature T. The gradient
# then shrinks about as $1/T^2$, and it is customary to multiply the loss by
# $T^2$ so that it keeps its size (Hinton, Vinyals and Dean 2015). **Predict:**
# does it, for three words? For a thousand?

# %%
def gradient_size(V, T):
    """T squared times the gradient's length; a favourite word has 0.6."""
    p = torch.full((V,), 0.4 / (V - 1), dtype=torch.float64)
    p[0] = 0.6
    logits = torch.zeros(V, dtype=torch.float64, requires_grad=True)
    log_p, log_q = ((x / T).log_softmax(-1) for x in (p.log(), logits))
    (T**2 * forward_kl(log_p, log_q)).backward()
    return logits.grad.norm()


table({
    f"{V:,} words": {f"T = {T}": gradient_size(V, T) for T in (1, 2, 4, 8)}
    for V in (3, 1000)
}, ".3f")

# %% [markdown]
# For three words it does, roughly. For a thousand, with the same favourite and
# a uniform student, next to nothing is left. **The factor $T^2$ keeps the
# gradient's size only among high temperatures; on the way there, a favourite
# among many words, not yet learned, loses nearly all of it.** Chapter 4
# derives the limit and measures it on the book's own teacher. Until then: the
# factor is a convention worth keeping, not a licence to change T and leave the
# learning rate alone.

# %%
exercise("distillation-loss")

# %%
# exercise: distillation-loss
def distillation_loss(teacher_logits, student_logits, temperature):
    """Mean over positions of the softened KL(P||Q), times its customary factor. -> scalar"""
    raise NotImplementedError


exercise("distillation-loss").check(distillation_loss)

# %% [markdown]
# ## 2.11 A context becomes two vectors
#
# An instruction that stands before every input is read again with every input.
# Section 2.1 moved it into the parameters, and section 2.4 showed the price:
# the model loses what it did without it. Here the parameters stay as they are,
# and the instruction becomes a **soft prompt**: k vectors of real numbers in
# the place of its words, found by distillation.
#
# - The teacher is the model with the full context, $x = (c, z)$.
# - The student is *the same model*, frozen, with the soft prompt in place of
#   $c$.
#
# First we need a model that understands instructions: a transformer with one
# layer. It learns from the world's stories, with up to eight instruction words
# before the hero, and from the world's own distribution at each word.

# %%
INSTRUCTIONS = ["plain", "ornate", "sea", "forest"]
MOST = 8  # instruction words
DEPTH = 16  # words of a story that are looked at


def random_contexts(number, dice):
    """Some instruction words, then a hero; no context twice."""
    contexts = []
    for _ in range(number):
        many = int(torch.randint(0, MOST + 1, (), generator=dice))
        said = torch.randint(0, 4, (many,), generator=dice).tolist()
        hero = HEROES[torch.randint(0, 4, (), generator=dice)]
        contexts.append(" ".join([*(INSTRUCTIONS[i] for i in said), hero]))
    return list(dict.fromkeys(contexts))

# %%
@torch.no_grad()
def told_by(author, contexts, number, seed):
    """{context: (the author's stories, its distributions at each word)}"""
    dice = torch.Generator().manual_seed(seed)
    told = {}
    for x in contexts:
        stories = sample_sequences(author, DEPTH, number, dice, x)
        told[x] = stories, position_log_probs(author, stories.tokens, x)
    return told


def kl_to(told, model, context):
    """KL per story from the author; the model reads `context`."""
    stories, log_p = told
    log_q = position_log_probs(model, stories.tokens, context)
    return sequence_sum(forward_kl(log_p, log_q), stories.mask).mean()

# %%
def descend(parameters, losses, rate):
    """One step of Adam for each loss, ever shorter."""
    optimizer = torch.optim.Adam(parameters, rate)
    for i, loss in enumerate(losses):
        optimizer.param_groups[0]["lr"] = rate * (1 - i / len(losses))
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()


dice = torch.Generator().manual_seed(0)
book = told_by(teacher, random_contexts(150, dice), 16, seed=0)
reader = TinyTransformer(teacher, width=32, max_words=DEPTH + 1)
pages = random.Random(0).choices(list(book), k=400)
descend(
    reader.parameters(),
    [lambda x=x: kl_to(book[x], reader, x) for x in pages], rate=4e-3,
)
reader.requires_grad_(False)
print(len(book), "contexts,", 16, "stories each")

# %% [markdown]
# And the instruction that we want to be rid of: eight words.

# %%
C = "forest sea ornate forest sea forest plain forest"
FULL = {hero: f"{C} {hero}" for hero in HEROES}
by_world = told_by(teacher, FULL.values(), 100, seed=7)
read = {"instruction and hero": FULL, "hero alone": dict(zip(HEROES, HEROES))}
understood = {
    name: {hero: kl_to(by_world[x], reader, texts[hero])
           for hero, x in FULL.items()}
    for name, texts in read.items()
}
table(understood, ".1f", corner="KL from the world; the model reads")

# %% [markdown]
# It is not a perfect model, and need not be. It follows the instruction, and
# from now on *its own* answers with the instruction are the standard. That is
# what distilling a context means: no labels, no world, the model against
# itself.
#
# The baselines come first: no instruction, and the best instructions of one,
# two and three *words*. **Predict:** how much of the eight words can three
# words say? And what if the eight are there, in another order?

# %%
exam = told_by(reader, FULL.values(), 50, seed=8)


@torch.no_grad()
def far(before):
    """KL from the model with all of C; before(hero) is read instead."""
    row = {h: kl_to(exam[x], reader, before(h)).item()
           for h, x in FULL.items()}
    return {**row, "mean": sum(row.values()) / len(row)}


def in_words(said):
    return far(lambda hero: f"{said} {hero}")

# %%
hard = {"no instruction": in_words("")}
for number in (1, 2, 3):
    choices = itertools.combinations_with_replacement(INSTRUCTIONS, number)
    tried = {said: in_words(said) for said in map(" ".join, choices)}
    said = min(tried, key=lambda said: tried[said]["mean"])
    hard[f"best {number}: {said}"] = tried[said]
ordered = " ".join(sorted(C.split()))
hard[f"all {MOST}, in alphabetical order"] = in_words(ordered)
table(hard, ".2f", corner="KL per story from the model with C")

# %% [markdown]
# Three words say most of it, and the eight in another order say all of it. The
# model has one layer and no positions for what stands before a story: each
# word of the story adds up what the instruction words offer, each with a
# weight. **This model sums its context: an instruction is to it no more than
# how often each word occurs.** So there is little to compress. (With two
# layers the order would count a little.)
#
# Now the soft prompt. It is trained with three heroes; the sailor is kept for
# the examination. The gradient is taken for the k vectors and for nothing
# else. **Predict:** how near do one and two vectors come? And for the sailor?

# %%
lessons_of_c = told_by(reader, [FULL[h] for h in HEROES[:3]], 8, seed=9)


def behind(soft, hero):
    """The soft prompt (k, width), and the hero's vector after it."""
    number = teacher.context_words.index(hero)
    return torch.cat([soft, reader.context.weight[number : number + 1]])


def compressed(k, seed, steps=60):
    """C as k vectors."""
    dice = torch.Generator().manual_seed(seed)
    soft = 0.1 * torch.randn(k, 32, generator=dice, dtype=torch.float64)
    soft.requires_grad_()
    losses = [
        lambda x=x: kl_to(lessons_of_c[x], reader, behind(soft, x.split()[-1]))
        for x in [*lessons_of_c] * (steps // len(lessons_of_c))
    ]
    descend([soft], losses, rate=0.1)
    return soft.detach()

# %%
was = [p.clone() for p in reader.parameters()]
softs = {k: [compressed(k, seed) for seed in range(10)] for k in (1, 2)}
assert all(map(torch.equal, was, reader.parameters()))
examined = {
    k: [far(lambda hero: behind(soft, hero)) for soft in ten]
    for k, ten in softs.items()
}
rows_of_c = {}
for k, ten in examined.items():
    for who in ("mean", "sailor"):
        of_ten = torch.tensor([row[who] for row in ten])
        rows_of_c[f"{k} vector{'s' * (k > 1)}, {who}"] = spread(of_ten)
table(rows_of_c, ".2f", corner="KL per story; ten starts")

# %%
compared_c = {name: (row["mean"],) * 3 for name, row in hard.items()
              if not name.startswith("all")}
for k in softs:
    compared_c[f"{k} vector{'s' * (k > 1)}"] = tuple(
        rows_of_c[f"{k} vector{'s' * (k > 1)}, mean"].values())
intervals(
    compared_c,
    xlabel="KL per story from the model with all of C",
    baseline={"all of C": 0.0}, alt=words("02-soft-prompts"),
)

# %% [markdown]
# A typical vector says more than the best two words, and two vectors bring
# most of the rest. The sailor, with whom neither was trained, profits as the
# others do: what was compressed is what the instruction *does*, not the
# answers to three heroes. But look at the row of three words before you praise
# vectors: it is about level with one vector. Ten other models, with other
# instructions, say the same (the book's tests train them). One vector is
# always ahead of the best word, mostly ahead of the best two, mostly behind
# the best three. **A vector says more than a word, and a few words more catch
# up: a soft prompt saves positions, it does not say what words cannot.**
#
# Is it a kind of word? **Predict:** round each vector to the nearest word.
# What is left of it?

# %%
word_vectors = reader.context.weight
apart = torch.cdist(word_vectors, word_vectors)
between = apart[apart > 0].min()
nearest = torch.stack([torch.cdist(soft, word_vectors) for soft in softs[2]])
print(f"from a vector to the nearest word at least {nearest.min():.0f},",
      f"between two words at least {between:.0f}")
as_words = torch.tensor([
    far(lambda hero: behind(word_vectors[choice], hero))["mean"]
    for choice in nearest.argmin(dim=-1)
])
assert as_words.min() > 2 * rows_of_c["2 vectors, mean"]["high"]
table({
    "as vectors": rows_of_c["2 vectors, mean"],
    "rounded to words": spread(as_words),
}, ".2f", corner="2 vectors; ten starts")

# %% [markdown]
# It is no word, and lies far from all of them. Rounded, it is at best what two
# words are. So it cannot be read or printed. Nor can it be handed on: to a
# model of the same kind from another seed it is mostly worth less than the
# best single word. **It speaks to the one model with which it was trained.**
#
# What is gained is counted in positions, which are read with every call.
# **Predict** for the toy; then for an instruction of 500 tokens, a soft prompt
# of 5 vectors and a conversation of 200 tokens.

# %%
def cost(before, after):
    positions = before + after
    return {"positions": positions, "pairs": positions * (positions + 1) // 2}


table({
    "toy: full context": cost(len(C.split()), 1 + DEPTH),
    "toy: soft prompt": cost(2, 1 + DEPTH),
    "500 tokens": cost(500, 200),
    "5 vectors": cost(5, 200),
}, ",d", corner="read in one call")

# %% [markdown]
# In the toy it is a few positions; in the other case most of them, and nearly
# all pairs of positions that attention compares. The cache of keys and values
# shrinks like the positions.
#
# Against context distillation into the parameters: there one model follows one
# instruction for good. Here the model is not touched, and every instruction
# has its own small file of vectors.
#
# Three mistakes are common. Labels take the teacher's place: that is prompt
# tuning, which learns a *task*; here the target is what the context said. The
# teacher reads the short context, or the student the long one. Or the model is
# not frozen, so that its parameters learn the instruction, and the vectors
# carry nothing.

# %%
exercise("soft-prompt-step")

# %%
# exercise: soft-prompt-step
def soft_prompt_step(model, context, user, soft, rate):
    """The soft prompt, one step nearer to the answers with the full context. -> (k, d)"""
    raise NotImplementedError


exercise("soft-prompt-step").check(soft_prompt_step)

# %%
exercise("what-a-soft-prompt-is")

# %%
# exercise: what-a-soft-prompt-is
answer = ...  # one letter of a, b, c, d
exercise("what-a-soft-prompt-is").check(answer)

# %%
from kdlib.exercises import print_progress

print_progress(2)

# %%
foreseen("02")

# %% [markdown]
# ## Summary
#
# - F1 asks for the teacher's distribution on D'. Labels and the teacher's
#   parameters do not occur in it; many labels drawn by the teacher lead to the
#   same place.
# - It binds the student on the inputs of the sum and nowhere else. What
#   happens elsewhere is left to shared parameters, the start and the seed.
#   Seeds that differ in use are an alarm; seeds that agree are no all-clear.
# - The teacher reads $x$, the student reads $x'$. All five pairings train to
#   zero; one is right in use. A copy of the teacher trained on D learns
#   nothing.
# - What D' leaves open matters, not how complex its inputs look. Adding the
#   inputs of use is the safe way to close it.
# - A final loss belongs to its D'. For a small student, more inputs of use
#   raise it and improve the match in use. To one input the others are a cost
#   where capacity is scarce, and a help where the teacher's outputs are.
# - The top keeps the winner and throws away the distribution, however many
#   texts there are. Drawn words find it again, if there are many.
# - A sum is about a sequence, a mean about a token. Keep sums and counts,
#   divide once. Over different lengths the smaller sum is the likelier text,
#   not the better.
# - A context can be distilled into a few vectors of a frozen model: the
#   teacher reads the full context, the student the vectors. A vector says more
#   than a word, and a few words more catch up. It is no word, and speaks to
#   the one model with which it was trained.
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
# - Lester, Al-Rfou, Constant 2021, *The Power of Scale for Parameter-Efficient
#   Prompt Tuning*; Li, Liang 2021, *Prefix-Tuning*: soft prompts, learned from
#   labels.
# - Wingate, Shoeybi, Sorensen 2022, *Prompt Compression and Contrastive
#   Conditioning for Controllability and Toxicity Reduction in Language
#   Models*; Mu, Li, Goodman 2023, *Learning to Compress Prompts with Gist
#   Tokens*: contexts made short.
