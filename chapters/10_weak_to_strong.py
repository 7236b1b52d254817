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
# # 10. Weak to strong
#
# In all chapters so far the teacher was the better model. Here it is the
# worse one: a small model supervises a large one. Can a student become better
# than what it is taught?
#
# The question has a serious side. Some day people may have to supervise
# models that know more than they do. Burns et al. (2023) play this through
# with a small model in the place of the people.
#
# **After this chapter you can**
#
# - measure how much of the gap between a weak supervisor and a strong ceiling
#   a student recovers, and against which baselines;
# - supervise a strong student in five ways, on the weak model's texts, with
#   its distribution (F7), with labels, with both (F6), or in one vector only,
#   and say where each of them ends;
# - say what can be known without the truth, and when to stop;
# - write the confidence loss of Burns et al., and say where it helps and what
#   it costs;
# - tell an error that a strong student leaves behind from one that it copies.
#
# **Time**: about 2 h with the exercises.
#
# **Assumes**: chapters 3 to 5.
#
# The teacher P comes first and is now the weak model; Q is the strong
# student. Losses are in nats per story.

# %%
import math

import torch
import torch.nn.functional as F

from kdlib.exercises import exercise, foreseen, predict
from kdlib.losses.divergences import forward_kl
from kdlib.plots import curves, intervals, table, words
from kdlib.toys.students import LowRankStudent, fit
from kdlib.toys.worlds import story_world

# %% [markdown]
# ## 10.1 Three models and one scale
#
# Everything here is about one new instruction in the story world, *ornate*.
# The inputs are "ornate fox", "ornate owl" and so on.
#
# - The **strong** model has room (16 numbers for a state) and has read
#   everything except "ornate": stories with the other instructions and
#   without any.
# - The **weak** model is small (2 numbers). People have taught it "ornate"
#   and nothing else.
# - The **ceiling** is the strong model, taught "ornate" by people as well.
#
# One pair of models is an anecdote, so there are ten, with other initial
# weights in each. They are trained side by side: all tensors have ten layers,
# and the loss is the sum over the layers, so no pair learns from another.

# %%
PAIRS = range(10)
HEROES = ["fox", "owl", "child", "sailor"]
TASK = [f"ornate {hero}" for hero in HEROES]
KNOWN = ["", *HEROES] + [
    f"{word} {hero}" for word in ("plain", "sea", "forest") for hero in HEROES
]
truth = story_world()


def untrained(size, first_seed):
    """Ten students with `size` numbers for a state, as three tensors."""
    students = [LowRankStudent(truth, size, first_seed + n) for n in PAIRS]
    return [
        torch.stack([getattr(student, name).detach() for student in students])
        for name in ("state", "context", "output")
    ]

# %%
def log_rows(students, inputs=TASK):
    """Log-probabilities (10, inputs, V, V) of the next word."""
    state, context, output = students
    ids = [truth.context_ids(x) for x in inputs]
    read = torch.stack([context[:, i].sum(dim=1) for i in ids], dim=1)
    return (
        (state[:, None] + read[:, :, None]) @ output[:, None]
    ).log_softmax(dim=-1)


def visits(log_p):
    """How often a story comes past each word: solved, not sampled."""
    goes_on = log_p.exp()
    goes_on[..., truth.eos_id] = 0
    one = torch.eye(truth.vocab_size, dtype=log_p.dtype)
    start = one[truth.eos_id].expand(goes_on.shape[:-1])
    return torch.linalg.solve(one - goes_on.mT, start)

# %% [markdown]
# The distance between two models is KL(P‖Q) over whole stories. In this
# language it is exact: each word counts as often as P comes past it.

# %%
def kl_from(log_p):
    """log Q -> KL(P||Q), mean over the inputs; one number for each pair."""
    log_p = log_p.detach()
    often = visits(log_p)
    return lambda log_q, step=None: (
        often * forward_kl(log_p, log_q)
    ).sum(dim=(-1, -2)) / log_p.shape[-3]


def rows_of(language, inputs):
    return torch.stack([language.log_rows(x) for x in inputs])[None]

# %%
STOPS = (0, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 160, 240, 320)


def train(start, loss, steps, rate=0.01, inputs=TASK, word=None):
    """Ten students, and their log-rows at the stops; or one `word` alone."""
    students = [part.clone().requires_grad_() for part in start]
    optimizer, course = torch.optim.Adam(students, lr=rate), {}
    for step in range(steps):
        log_q = log_rows(students, inputs)
        if step in STOPS:
            course[step] = log_q.detach()
        optimizer.zero_grad()
        loss(log_q, step).sum().backward()
        if word:
            only_the_vector(students, word)
        optimizer.step()
    students = [part.detach() for part in students]
    return students, course | {steps: log_rows(students, inputs)}

# %%
def only_the_vector(students, word):
    state, context, output = students
    state.grad = output.grad = None
    others = torch.arange(context.shape[1]) != truth.context_words.index(word)
    context.grad[:, others] = 0


def three_models(language):
    """The distance from the truth, and the strong, weak, ceiling models."""
    distance = kl_from(rows_of(language, TASK))
    known = kl_from(rows_of(language, KNOWN))
    strong, _ = train(untrained(16, 100), known, 300, 0.03, KNOWN)
    weak, _ = train(untrained(2, 0), distance, 300, 0.03)
    ceiling, _ = train(strong, distance, 200)
    return distance, strong, weak, ceiling

# %% [markdown]
# **Predict**: the strong model has never read "ornate". Who tells the better
# ornate stories, it or the weak model?

# %%
predict("10-better-stories")

# %%
distance, strong, weak, ceiling = three_models(truth)
before, taught = log_rows(strong), log_rows(weak)  # what the two say
far = {
    "strong, before": distance(before),
    "weak": distance(taught),
    "ceiling": distance(log_rows(ceiling)),
}
print("pairs in which the weak model is nearer to the truth:",
      (far["weak"] < far["strong, before"]).sum().item(), "of", len(PAIRS))
table({
    name: {"mean": x.mean(), "nearest": x.min(), "farthest": x.max()}
    for name, x in far.items()
}, ".2f", corner="nats from the truth")

# %% [markdown]
# The weak model is ahead in most pairs, but not in all of them. The ceiling
# has learned the task: what the strong model lacks is supervision, not room.
#
# The scale for all that follows is the share of the gap that is recovered,
#
# $$\text{gap recovered} = \frac{\text{weak} - \text{student}}
# {\text{weak} - \text{ceiling}},$$
#
# in distances: 0 for a copy of the weak model, 1 for the ceiling, negative
# for a student that is worse than its supervisor.

# %%
exercise("gap-recovered")

# %%
# exercise: gap-recovered
answer = ...  # to 2 decimals
exercise("gap-recovered").check(answer)

# %% [markdown]
# A scale needs a floor as well. What does one get without training any strong
# model on the task? Four baselines:
#
# - the strong model as it was;
# - both models mixed, word by word, half and half;
# - a **table of counts**: people write 20 stories for each input, and the
#   next words are counted. It knows no model at all;
# - the same counts, added to what the weak model says, as if that were a
#   few stories more.
#
# The two tables may choose their weight with the truth in hand, which is more
# than a user could do.
#
# **Predict**: put the four in order, and say which are above 0.

# %%
predict("10-baselines")

# %%
def stories(log_p, number, seed):
    """Counts (10, inputs, V, V) of word pairs in `number` drawn stories."""
    p = log_p.exp().expand(len(PAIRS), -1, -1, -1)
    draw, size = torch.Generator().manual_seed(seed), truth.vocab_size
    counts = torch.zeros(p.shape, dtype=p.dtype)
    last = torch.full((*p.shape[:2], number), truth.eos_id)
    unfinished = torch.ones(last.shape, dtype=p.dtype)
    while unfinished.any():
        rows = p.gather(2, last[..., None].expand(*last.shape, size))
        following = torch.multinomial(rows.view(-1, size), 1, generator=draw)
        following = following.view(last.shape)
        pairs = last * size + following
        counts.flatten(2).scatter_add_(2, pairs, unfinished)
        unfinished = unfinished * (following != truth.eos_id)
        last = following
    return counts

# %%
def gap_scale(distance, low, high):
    """The function that says which share of the gap is recovered."""
    return lambda log_q: (low - distance(log_q)) / (low - high)


def interval(values):
    """Mean of ten pairs and its 95 % interval (Student's t, 9 degrees)."""
    mean, error = values.mean(), values.std() / len(values) ** 0.5
    return mean, mean - 2.262 * error, mean + 2.262 * error


def row(values):
    return dict(zip(("gap recovered", "95 %: from", "to"), interval(values)))


recovered = gap_scale(distance, far["weak"], far["ceiling"])

# %%
labels_20 = stories(rows_of(truth, TASK), 20, seed=1)
WEIGHTS = (0.003, 0.01, 0.03, 0.1, 0.3, 1)


def counted(counts, prior):
    """Counts, and a prior that weighs as much as so many words."""
    sums = counts + prior
    return (sums / sums.sum(dim=-1, keepdim=True)).log()


def best_table(counts, prior):
    tries = [recovered(counted(counts, w * prior)) for w in WEIGHTS]
    return torch.stack(tries).max(dim=0).values

# %%
pooled = labels_20.sum(dim=1, keepdim=True).expand_as(labels_20)
floor = {
    "strong, before": recovered(before),
    "half weak, half strong": recovered(
        (before.exp() + taught.exp()).log() - math.log(2)),
    "counts, one table an input": best_table(labels_20, 1.0),
    "counts, one table for all": best_table(pooled, 1.0),
    "counts and the weak model": best_table(labels_20, 24 * taught.exp()),
}
table({name: row(x) for name, x in floor.items()}, ".2f", corner="baseline")

# %% [markdown]
# Counting alone stays below the weak model: 20 stories are too few for a
# table. But two baselines are above 0 without a single step of training. To
# "pass the weak model" is therefore no achievement in itself. The mark to
# beat is the last row, the weak model corrected by 20 counted stories.
#
# ## 10.2 Five ways to supervise
#
# 1. **The weak model's data**: it writes 200 stories for each input, and the
#    strong one is fine-tuned on them as if people had written them.
# 2. **Direct supervision**, F7 alone: the weak model's distribution stands in
#    the loss.
# 3. **Labels alone**: the 20 stories of people.
# 4. **F6**: these labels and F7 together, with lambda = 1.
# 5. **One vector**: F7 again, but the strong model may change nothing except
#    the vector with which it reads the word *ornate*.
#
# Here are the two formulas once more, now with the teacher for which the
# source writes them: w is the weak model, s the strong one.
#
# $$\mathrm{Loss}_{kd} = \mathrm{KL}\big(\mathrm{Pr}^w(\cdot | x) \,\|\,
# \mathrm{Pr}^s_\theta(\cdot | x)\big) \qquad \text{(F7)}$$
#
# $$\tilde\theta = \arg\max_\theta \sum_{(x, y) \in D} \Big[
# \log \mathrm{Pr}^s_\theta(y | x) - \lambda\,\mathrm{Loss}_{kd} \Big]
# \qquad \text{(F6)}$$
#
# F6 is maximised, as in chapter 5, and has its KL with a minus. What a
# program minimises is the same turned round, with two plus signs. "Teacher"
# says who supervises, not who is larger.

# %%
exercise("weak-to-strong-loss")

# %%
# exercise: weak-to-strong-loss
def weak_to_strong_loss(weak_logits, strong_logits, labels, lambda_):
    """The combined loss over labelled and unlabelled rows: smaller is better. -> scalar"""
    raise NotImplementedError


exercise("weak-to-strong-loss").check(weak_to_strong_loss)

# %% [markdown]
# (The single vector takes larger steps, 0.05 against 0.01. Section 10.7 tunes
# all of them.)
#
# **Predict**: which of the five can end above 0? And which way does each go,
# from the first steps to the last?

# %%
predict("10-way-of-f7")

# %%
def label_loss(counts, number):
    """-log Q(y|x) per story, of `number` stories for each input."""
    return lambda log_q, step=None: -(
        counts * log_q
    ).sum(dim=(-1, -2, -3)) / (number * len(TASK))


def f6(labels, f7, lambda_):
    return lambda log_q, step: labels(log_q) + lambda_ * f7(log_q)


f7 = kl_from(taught)
labels = label_loss(labels_20, 20)
ways = {
    "1 weak data": label_loss(stories(taught, 200, seed=2), 200),
    "2 F7": f7,
    "3 labels": labels,
    "4 F6": f6(labels, f7, 1),
}

# %%
def gaps(course):
    """{stop: gap recovered by each pair}"""
    return {stop: recovered(log_q) for stop, log_q in course.items()}


runs = {
    name: gaps(train(strong, loss, 320)[1]) for name, loss in ways.items()
}
runs["5 one vector"] = gaps(train(strong, f7, 320, 0.05, word="ornate")[1])
table({
    name: {stop: run[stop].mean() for stop in (0, 4, 8, 16, 32, 64, 160, 320)}
    for name, run in runs.items()
}, ".2f", corner="gap after steps")

# %%
curves(
    STOPS[1:],
    {
        name: tuple(zip(*(interval(run[stop]) for stop in STOPS[1:])))
        for name, run in runs.items()
    },
    xlabel="steps (log scale)",
    ylabel="gap recovered",
    logx=True,
    alt=words("10-five-ways"),
)

# %%
ends = {name: run[320] for name, run in runs.items()}
assert ends["2 F7"].square().max() < 0.02**2
assert interval(ends["4 F6"])[1] > 0.4 > 0.2 > interval(ends["3 labels"])[2]
assert interval(ends["5 one vector"])[1] > 0.7
table({name: row(x) for name, x in ends.items()}, ".2f",
      corner="after 320 steps")

# %% [markdown]
# Read the curves in two halves.
#
# **Early**, every student is ahead of its supervisor. The strong model knows
# how stories go and has to learn only what *ornate* does to them. The first
# steps learn that; the weak model's errors, which do not fit what the strong
# model knows, take longer.
#
# **Late**, F7 alone ends at 0.00. Its loss is smallest at a copy of the weak
# model, errors included, and a strong model has all the room to copy them.
# More steps, more room and a better optimiser all make the copy better. The
# labels alone are learned by heart in the end, for 20 stories are few. F6
# holds: where the labels are silent, the weak model keeps the student from
# making things up; where the weak model errs, the labels contradict it.
#
# Way 1 ends close to way 2, and just below it. Chapter 4 has the reason: *in
# expectation*, fine-tuning on a model's samples and the forward KL to its
# distribution have the same gradient. One may say that the stories are F7
# with noise. But a fixed set of stories is not fresh noise in each step.
#
# **Predict**: 20 stories of the weak model for each input instead of 200,
# once as a fixed set and once drawn anew in every step. Where do the two end?

# %%
predict("10-twenty-stories")

# %%
def fresh(number):
    """New stories of the weak model in every step."""
    return lambda log_q, step: label_loss(
        stories(taught, number, seed=100 + step), number)(log_q)


fixed = label_loss(stories(taught, 20, seed=3), 20)
noisy = {
    "200, a fixed set": runs["1 weak data"][160],
    "20, a fixed set": recovered(train(strong, fixed, 160)[1][160]),
    "20, new in each step": recovered(train(strong, fresh(20), 160)[1][160]),
}
assert interval(noisy["20, a fixed set"])[2] < -0.4
assert interval(noisy["20, new in each step"])[1] > -0.2
table({name: row(x) for name, x in noisy.items()}, ".2f",
      corner="stories an input")

# %% [markdown]
# The fixed set of 20 ends far below the weak model. Its student copies the
# weak model *and* learns the accidents of 20 stories by heart; no number of
# steps averages them out. With new stories in each step the noise does
# average out, and what is left is close to F7, but 160 sets of 20 stories
# have to be written for it. A distribution says in one evaluation what many
# samples say.
#
# How much of each in F6?

# %%
mixed = {}
for lambda_ in (0.1, 0.3, 1, 3, 10):
    course = train(strong, f6(labels, f7, lambda_), 320)[1]
    mixed[lambda_] = row(recovered(course[320]))
table(mixed, ".2f", corner="lambda")

# %% [markdown]
# As in chapter 5: with a small lambda the labels are learned by heart, with a
# large one the weak model is copied, and the best lies between. But compare
# any of these rows with the early steps above: F6 at rest is *behind* F7
# after 8 steps, which has seen no label. So the next question is whether one
# can know when to stop.
#
# ## 10.3 When to stop, without the truth
#
# A user of a weak supervisor has the weak model and, at best, a few stories
# of people. Which of these find the right moment of F7?
#
# - the loss on held-out stories that the *weak model* wrote (200 an input);
# - the loss on held-out stories that *people* wrote, 5 or 1 an input;
# - a number of steps fixed beforehand, the best on the other nine pairs.
#
# **Predict**: put them in order.

# %%
predict("10-when-to-stop")

# %%
def chosen(run, losses):
    """The gap at the stop where these losses are least, pair by pair."""
    scores, found = torch.stack(losses), torch.stack(list(run.values()))
    return found.gather(0, scores.argmin(dim=0)[None])[0]


def held_out(course, log_p, number, seed):
    loss = label_loss(stories(log_p, number, seed), number)
    return [loss(log_q) for log_q in course.values()]


def of_the_others(run):
    """At the stop that is best for the other nine pairs."""
    found = torch.stack(list(run.values()))
    others = found.sum(dim=1, keepdim=True) - found
    return found.gather(0, others.argmax(dim=0)[None])[0]

# %%
human = rows_of(truth, TASK)
_, course = train(strong, f7, 320)
run = gaps(course)
stopped = {
    "never": run[320],
    "weak model's stories, 200": chosen(
        run, held_out(course, taught, 200, 4)),
    "people's stories, 1": chosen(run, held_out(course, human, 1, 5)),
    "people's stories, 5": chosen(run, held_out(course, human, 5, 6)),
    "best for other pairs": of_the_others(run),
    "the truth": chosen(run, [distance(log_q) for log_q in course.values()]),
}
assert interval(stopped["weak model's stories, 200"])[2] < 0.2
assert interval(stopped["people's stories, 5"])[1] > 0.5
table({name: row(x) for name, x in stopped.items()}, ".2f",
      corner="F7, stopped by")

# %% [markdown]
# The weak model's own held-out stories are the natural choice for somebody
# without labels, and they are of no use: what they measure is the copy, and
# the copy gets better to the end. Five stories of people an input are
# nearly as good as the truth. A number of steps from other pairs is good as
# well; but somebody must have had the truth for those.
#
# So "stopping early" is not supervision without labels. It uses a few labels
# in another place. And how much there is to find depends on the weak model.
#
# **Predict**: a weak model with 3 numbers for a state instead of 2 is nearer
# to the truth. Is the share of its gap that stopping recovers larger or
# smaller?

# %%
better, _ = train(untrained(3, 50), distance, 300, 0.03)
said = log_rows(better)
scale = gap_scale(distance, distance(said), far["ceiling"])
_, course_3 = train(strong, kl_from(said), 320)
run_3 = {stop: scale(log_q) for stop, log_q in course_3.items()}
nearer = {
    "people's stories, 5": chosen(run_3, held_out(course_3, human, 5, 6)),
    "the truth": chosen(
        run_3, [distance(log_q) for log_q in course_3.values()]),
}
print(f"the weak model with 3 numbers: {distance(said).mean():.2f} nats")
table({name: row(x) for name, x in nearer.items()}, ".2f",
      corner="F7, stopped by")

# %% [markdown]
# Smaller. A better supervisor leaves less that is plainly wrong, so the
# student's best moment is less far ahead, and five stories an input miss more
# of it: ten pairs no longer show that the student they choose is ahead at
# all.
#
# ## 10.4 Where does the gain come from?
#
# The usual story is "the student stops before it copies the errors". There is
# a rival: it is not stopping that helps but what the strong model has read
# before.
#
# **Predict**: a student with the same room that has read nothing is trained
# with F7. How much does it recover at its best moment, chosen with the truth?

# %%
predict("10-blank")

# %%
blank = gaps(train(untrained(16, 100), f7, 320, 0.03)[1])
at_best = {
    name: torch.stack(list(each.values())).max(dim=0).values
    for name, each in {"strong, has read": run, "blank": blank}.items()
}
assert interval(at_best["blank"])[2] < 0.2
table({name: row(x) for name, x in at_best.items()}, ".2f",
      corner="F7 at its best moment")

# %% [markdown]
# Hardly anything. The rival wins: early stopping is worth what the student
# has read. A blank student has no better opinion to keep.
#
# Way 5 makes the same point without any stopping. At rest, and without a
# label, one vector recovers far more than F6 did. It is tempting to
# conclude that F7 in one vector is *better supervision* than labels. But
# the two rows differ in two things, in the supervision and in what may move.
#
# **Predict**: give labels alone, and F6, the same single vector.

# %%
predict("10-labels-in-one-vector")

# %%
one = {"F7": f7, "labels": labels, "F6": f6(labels, f7, 1)}
moved = {
    name: {
        "everything": recovered(train(strong, loss, 160)[1][160]),
        "one vector": recovered(
            train(strong, loss, 160, 0.05, word="ornate")[1][160]),
    }
    for name, loss in one.items()
}
for each in moved.values():
    assert interval(each["one vector"] - each["everything"])[1] > 0.2
table({
    name: {"everything moves": each["everything"].mean()}
    | {"one vector": each["one vector"].mean()}
    for name, each in moved.items()
}, ".2f", corner="gap after 160 steps")

# %% [markdown]
# In one vector all three lie close together. What made way 5 strong was not
# the weak supervisor: 20 stories of people, with no weak model at all, get
# about as far. The weak model's errors and the accidents of a few stories have
# something in common. One vector in a model that knows stories has hardly any
# room for either, and enough for the instruction.
#
# Then what is the weak model worth? As many stories as labels alone need to
# get as far.
#
# **Predict**: how many stories an input is that, with one vector?

# %%
def paired(values):
    return dict(zip(("ahead by", "95 %: from", "to"), interval(values)))


worth = {}
for number in (1, 2, 5, 10, 20, 80):
    loss = label_loss(stories(human, number, seed=7), number)
    end = train(strong, loss, 160, 0.05, word="ornate")[1][160]
    worth[number] = {"labels": recovered(end).mean()} | paired(
        moved["F7"]["one vector"] - recovered(end))
table(worth, ".2f", corner="stories an input")

# %% [markdown]
# The last three columns are F7's lead over the labels, pair by pair. Up to 5
# stories an input the weak model is clearly ahead. From 10 on, ten pairs
# cannot tell the two apart. So this weak model is worth more than 5 stories
# an input: a real help where people write little. Where they have written 20
# it is no longer needed, if one knows which vector to train.
#
# ## 10.5 The confidence loss
#
# Burns et al. give the strong student a term of its own. Beside the weak
# model it learns from what it says *itself*, made hard:
#
# $$\mathrm{Loss}_{conf} = (1 - \alpha)\,\mathrm{CE}(P, Q)
# + \alpha\,\mathrm{CE}(\hat y, Q), \qquad
# \hat y = \text{one-hot of } \arg\max Q.$$
#
# $\hat y$ is taken as given: no gradient flows through the argmax. Alpha
# grows from 0 to its value over the first fifth of the training. In the
# paper the tasks have two classes, and a threshold replaces the argmax, set
# so that the student says "yes" as often as the weak model does. We take the
# loss word by word, over the weak model's texts.

# %%
exercise("confidence-loss")

# %%
# exercise: confidence-loss
def confidence_loss(weak_logits, strong_logits, alpha):
    """The loss of a student that also trusts its own favourites, summed over rows. -> scalar"""
    raise NotImplementedError


exercise("confidence-loss").check(confidence_loss)

# %% [markdown]
# Where does this loss lead a student? For a fixed $\hat y$ it is chapter 5:
# the best student is the mixture $(1 - \alpha) P + \alpha \hat y$. But $\hat
# y$ is the student's own. Say its favourite is k and the weak model's is j.
# k stays the favourite as long as $\alpha + (1 - \alpha) p_k$ is at least $(1
# - \alpha) p_j$:
#
# $$\frac{\alpha}{1 - \alpha} \ge p_j - p_k.$$
#
# **Predict**: the weak model says (0.35, 0.5, 0.15) for *boat*, *shell* and
# *lantern*. The student would rather say *boat*. Which word is its favourite
# in the end, for alpha 0.1, 0.25 and 0.5?

# %%
weak_word = torch.tensor([0.35, 0.5, 0.15], dtype=torch.float64)


def settled(alpha):
    """Where a student that begins with *boat* comes to rest."""
    z = torch.tensor([0.5, 0.35, 0.15], dtype=torch.float64).log()
    z.requires_grad_()

    def loss():
        own = F.one_hot(z.argmax(), 3)
        return F.cross_entropy(z, (1 - alpha) * weak_word + alpha * own)

    fit([z], loss, 400, 0.05)
    return z.detach().softmax(dim=-1)


table({
    alpha: dict(zip(("boat", "shell", "lantern"), settled(alpha)))
    for alpha in (0, 0.1, 0.25, 0.5, 0.75)
}, ".2f", corner="alpha")

# %% [markdown]
# With alpha 0.1 the weak model has its way, and is even exaggerated. From
# 0.25 on the student keeps its own word. From alpha = 1/2 on the left side of
# the condition is 1, and *every* favourite confirms itself, whatever the weak
# model says. There is a price in the table, too: the larger alpha, the surer
# the student, and nothing about the truth has made it so.
#
# Now with stories. Two things are measured: the gap in nats, and the share of
# words at which the student's favourite is the truth's.
#
# **Predict**: which alpha is best for the first, and which for the second?
# And is it the *own* favourite that helps, or would the weak model's do?

# %%
def confidence(log_p, alpha, whose="own", warm_up=32):
    """The confidence loss; control: the weak model's favourite, hardened."""
    often, p = visits(log_p), log_p.exp()

    def loss(log_q, step):
        hard = (log_q.detach() if whose == "own" else log_p).argmax(dim=-1)
        a = alpha * min(1, step / warm_up)
        target = (1 - a) * p + a * F.one_hot(hard, p.shape[-1])
        return -(often[..., None] * target * log_q).sum((-1, -2, -3)) / 4

    return loss


def right_favourite(log_q, log_p):
    """Share of the truth's words at which both have the same favourite."""
    often = visits(log_p)
    same = log_q.argmax(dim=-1) == log_p.argmax(dim=-1)
    return (often * same).sum((-1, -2)) / often.sum((-1, -2))

# %%
ALPHAS = (0, 0.1, 0.25, 0.5, 0.75)


def at_rest(whose):
    """{alpha: log-rows after 160 steps}"""
    return {
        alpha: train(strong, confidence(taught, alpha, whose), 160)[1][160]
        for alpha in ALPHAS
    }


own, weaks = at_rest("own"), at_rest("weak")

# %%
table({
    alpha: {
        "gap": recovered(own[alpha]).mean(),
        "favourite right": right_favourite(own[alpha], human).mean(),
        "gap, weak favourite": recovered(weaks[alpha]).mean(),
        "right, weak favourite": right_favourite(weaks[alpha], human).mean(),
    }
    for alpha in ALPHAS
}, ".2f", corner="alpha, after 160 steps")

# %%
for alpha in (0.1, 0.25):
    assert interval(recovered(own[alpha]) - recovered(own[0]))[1] > 0.02
    assert interval(recovered(own[alpha]) - recovered(weaks[alpha]))[1] > 0
assert interval(recovered(own[0.75]))[2] < -0.5

# %% [markdown]
# A little trust helps at rest: with alpha 0.1 or 0.25 the student keeps some
# of what F7 alone loses. The weak model's favourite, made hard in the same
# way, gives less. With more trust the two columns part. The favourites are
# still no worse than the weak model's, but the gap in nats falls far below 0:
# stories have no single right next word, and a student that becomes certain
# is wrong about all the others.
#
# Is it the student's own opinion, then, that helps at alpha 0.1? There is one
# more rival. A favourite makes the target *sharper*, and our weak model, for
# lack of room, is too flat.
#
# **Predict**: F7 with the weak model at temperature 0.8, and no opinion of
# the student's own: how far does it get in nats?

# %%
sharper = kl_from((taught / 0.8).log_softmax(dim=-1))
flat = train(strong, sharper, 160)[1][160]
favourites = {
    "strong, before": before, "weak": taught, "weak, sharper": flat,
    "confidence 0.1": own[0.1], "ceiling": log_rows(ceiling),
}
assert interval(recovered(own[0.1]) - recovered(flat))[1] < 0.02
table({
    name: {
        "gap": recovered(x).mean(),
        "favourite right": right_favourite(x, human).mean(),
    }
    for name, x in favourites.items()
}, ".2f", corner="model")

# %% [markdown]
# The rival does as well: in this language what a little confidence gives, in
# nats, is mere sharpness. Its favourites are right somewhat more often, but
# ten pairs are too few to be sure of that.
#
# Burns et al. measure accuracy, in tasks with one right answer.
#
# **Predict**: in a sharper language, the same stories at temperature 0.25,
# which alpha is best in nats?

# %%
predict("10-sharper-language")

# %%
sharp = truth.with_temperature(0.25)
far_sharp, strong_sharp, weak_sharp, ceiling_sharp = three_models(sharp)
said_sharp = log_rows(weak_sharp)
recovered_sharp = gap_scale(
    far_sharp, far_sharp(said_sharp), far_sharp(log_rows(ceiling_sharp)))
sharp_rows = rows_of(sharp, TASK)
sharp_own = {
    alpha: train(strong_sharp, confidence(said_sharp, alpha), 160)[1][160]
    for alpha in ALPHAS
}

# %%
best, none = (recovered_sharp(sharp_own[alpha]) for alpha in (0.5, 0))
sharp_ends = {f"confidence {alpha}": x for alpha, x in sharp_own.items()}
for temperature in (0.8, 0.6):
    loss = kl_from((said_sharp / temperature).log_softmax(dim=-1))
    end = train(strong_sharp, loss, 160)[1][160]
    sharp_ends[f"weak at temperature {temperature}"] = end
    assert interval(best - recovered_sharp(end))[1] > 0
assert interval(best - none)[1] > 0.1
table({
    name: row(recovered_sharp(x))
    | {"favourite right": right_favourite(x, sharp_rows).mean()}
    for name, x in sharp_ends.items()
}, ".2f", corner="the sharper language")

# %% [markdown]
# Now alpha 0.5, the weight in the code that the authors have published, is
# the best of these in nats, and not even 0.75 falls below 0. A sharpened weak
# model no longer explains it: here the student's own opinion counts. The
# confidence loss says "you are right, be surer". It suits a language in which
# one *should* be sure.
#
# ## 10.6 A systematic error
#
# Our weak model errs for lack of room, in its own way, and the strong model
# does not share its errors. Now take a weak model with one systematic error:
# it knows everything about *ornate* except that ornate stories are long. It
# believes that they are short, as somebody might take irony for praise. The
# strong model has never met *ornate* and knows both, long stories and short.
#
# **Predict**: what do F7 at its best moment, F7 in one vector and the
# confidence loss recover now? And labels?

# %%
predict("10-systematic")

# %%
shorter = torch.zeros(truth.vocab_size, dtype=torch.float64)
shorter[truth.ids("and at")] = -math.log(9)
wrong = (human + shorter).log_softmax(dim=-1).expand(len(PAIRS), -1, -1, -1)
print("the weak model is wrong by",
      f"{distance(wrong).mean():.2f} nats a story")

# %%
recovered_2 = gap_scale(distance, distance(wrong), far["ceiling"])
f7_wrong = kl_from(wrong)
course = train(strong, f7_wrong, 160)[1]
vector = train(strong, f7_wrong, 160, 0.05, word="ornate")[1][160]
trusting = train(strong, confidence(wrong, 0.25), 160)[1][160]
by_labels = train(strong, labels, 160, 0.05, word="ornate")[1][160]
systematic = {
    "F7, its best moment": torch.stack(
        [recovered_2(log_q) for log_q in course.values()]).amax(dim=0),
    "F7, at rest": recovered_2(course[160]),
    "F7, one vector, at rest": recovered_2(vector),
    "confidence 0.25, at rest": recovered_2(trusting),
    "labels, one vector, at rest": recovered_2(by_labels),
}
assert interval(systematic["F7, one vector, at rest"])[2] < 0.3
assert interval(systematic["labels, one vector, at rest"])[1] > 0.6
table({name: row(x) for name, x in systematic.items()}, ".2f",
      corner="weak model wrong about length")

# %%
lengths = {
    "the truth": human, "the strong model, before": before,
    "the weak model": wrong, "F7, at rest": course[160],
    "confidence 0.25, at rest": trusting, "labels, one vector": by_labels,
}
table({
    name: {"words": visits(log_q).sum(dim=-1).mean()}
    for name, log_q in lengths.items()
}, ".1f", corner="words in a story")

# %% [markdown]
# Three things that worked for the other weak model are gone. This error *can*
# be expressed by one vector, so the vector learns it. Nothing that the strong
# model has read speaks against short ornate stories, so no moment of F7 is
# good, and trust in its own favourites makes the stories no longer. The labels
# alone know better. (Without an instruction its stories are somewhat longer,
# 7.6 words. A student that is held to them gains a little, as the next
# section shows.)
#
# "The labels are the only part that knows better" is therefore true of an
# error that the strong model shares or has no reason to doubt. It was not
# true in section 10.4: there the strong model knew better than its
# supervisor, without a label.

# %%
exercise("three-ways-to-supervise")

# %%
# exercise: three-ways-to-supervise
answer = ...  # one letter of a, b, c, d, e
exercise("three-ways-to-supervise").check(answer)

# %%
exercise("a-plan-without-labels")

# %%
# exercise: a-plan-without-labels
answer = """
...
"""
ticked = ...  # after the first check: the points that you made, such as [1, 3]
exercise("a-plan-without-labels").check(answer, ticked=ticked)

# %% [markdown]
# ## 10.7 All arms, one budget
#
# So far each table compared a few arms, with knobs that we had set, and some
# with moments that only the truth shows. Now every arm gets the same budget,
# and nobody sees the truth. Each is run with three settings of its own knob
# (a learning rate, lambda or alpha) for 96 steps. Setting and stop are
# chosen, pair by pair, by the loss on five stories of people an input. These
# are the only stories of people that an arm without labels sees.
#
# One arm is new, a rival of the confidence loss. Instead of its present
# opinion the student keeps to what it said *before* the supervision, $Q_0$:
#
# $$(1 - \alpha)\,\mathrm{KL}(P\|Q) + \alpha\,\mathrm{KL}(Q_0\|Q).$$
#
# **Predict**: which arm wins for each of the two weak models? And is F6 ahead
# of the labels alone?

# %%
validation = label_loss(stories(human, 5, seed=8), 5)
RATES, VECTOR_RATES = (0.003, 0.01, 0.03), (0.02, 0.05, 0.1)


def tuned(tries, scale):
    """The gap at the setting and stop with the least validation loss."""
    rows = [log_q for course in tries for log_q in course.values()]
    best = torch.stack([validation(log_q) for log_q in rows]).argmin(dim=0)
    return torch.stack([scale(log_q) for log_q in rows]).gather(
        0, best[None])[0]


def courses(losses, rates, word=None):
    return [
        train(strong, loss, 96, rate, word=word)[1]
        for loss, rate in zip(losses, rates)
    ]

# %%
def arms(said):
    """Each arm's three courses, with a weak model that says this."""
    f7, keep = kl_from(said), kl_from(before)
    usual, vector = (0.01,) * 3, (0.05,) * 3
    both = [f6(labels, f7, lambda_) for lambda_ in (0.1, 0.5, 2)]
    own = [confidence(said, alpha, "own", 19) for alpha in (0.1, 0.25, 0.5)]
    kept = [
        lambda q, step, a=a: (1 - a) * f7(q) + a * keep(q)
        for a in (0.1, 0.25, 0.5)
    ]
    return {
        "F7": courses([f7] * 3, RATES),
        "confidence": courses(own, usual),
        "F7 and itself before": courses(kept, usual),
        "F7, one vector": courses([f7] * 3, VECTOR_RATES, "ornate"),
        "F6": courses(both, usual),
        "F6, one vector": courses(both, vector, "ornate"),
    }

# %%
from_labels = {
    "labels": courses([labels] * 3, RATES),
    "labels, one vector": courses([labels] * 3, VECTOR_RATES, "ornate"),
}
SUPERVISORS = {"too small": taught, "wrong about length": wrong}
found = {}
for name, said in SUPERVISORS.items():
    scale = gap_scale(distance, distance(said), far["ceiling"])
    on_top = {
        w: counted(labels_20, w * 24 * said.exp()) for w in (0.03, 0.1, 0.3)
    }
    tries = arms(said) | from_labels | {"counts and the weak model": [on_top]}
    found[name] = {arm: tuned(each, scale) for arm, each in tries.items()}

# %%
def shown(values):
    mean, low, high = (f"{x:.2f}" for x in interval(values))
    return f"{mean} ({low} to {high})".replace("-0.00", "0.00")


table({
    arm: {f"weak: {name}": shown(found[name][arm]) for name in found}
    for arm in found["too small"]
}, corner="gap recovered, tuned")

# %%
CONTRASTS = {
    "F6 - labels": ("F6", "labels"),
    "one vector: F6 - labels": ("F6, one vector", "labels, one vector"),
    "itself before - confidence": ("F7 and itself before", "confidence"),
    "itself before - F7": ("F7 and itself before", "F7"),
}
table({
    name: {
        f"weak: {which}": shown(arms_of[one] - arms_of[other])
        for which, arms_of in found.items()
    }
    for name, (one, other) in CONTRASTS.items()
}, corner="difference, pair by pair")

# %%
intervals(
    {
        arm: interval(x) for arm, x in found["wrong about length"].items()
        if "counts" not in arm
    },
    xlabel="gap recovered, weak model wrong about length",
    baseline={"weak model": 0},
    alt=words("10-all-arms"),
)

# %%
small, shared = found["too small"], found["wrong about length"]
LABELLED = ("F6", "F6, one vector", "labels", "labels, one vector")
for arm in LABELLED:
    assert interval(shared[arm])[1] > 0.4
for arm in ("F7", "confidence", "F7 and itself before", "F7, one vector"):
    assert interval(small[arm])[1] > 0.5 > 0.45 > interval(shared[arm])[2]

# %% [markdown]
# Read the second table with the first.
#
# - **The weak model that is too small** can be passed by every trained arm,
#   and all of them beat the counted baseline. Most of the gap is recovered
#   without training on a label, by a student that keeps what it has read: in
#   one vector, by an early stop, or held to its former self.
# - **The weak model that is wrong about length** is passed clearly with labels
#   only. What the arms without them recover is little, and part of it is the
#   work of the five stories that choose.
# - **What the labels' term adds to F7** is the second column. What F7 adds to
#   the labels is less than one hopes: with everything free, tuned and stopped
#   by people's stories, F6 and the labels alone cannot be told apart. In one
#   vector F6 is ahead for the small weak model, by a little.
# - **The confidence loss** is not ahead of F7, nor of a student that keeps to
#   its former self. In this language that was to be expected (section 10.5).
#   It says nothing against the paper, whose tasks have one right answer.
#
# What would overturn this? Ten pairs, one instruction and one language of 24
# words, in which a single vector is known to be enough. In a real model
# nobody hands you that vector. Low-rank adapters and short prompts are
# guesses at it.

# %%
from kdlib.exercises import print_progress

print_progress(10)

# %%
foreseen("10")

# %% [markdown]
# ## Summary
#
# - F7 alone ends at a copy of the weak teacher, errors included. On the way a
#   student that has read more passes its teacher; a blank one of the same
#   size hardly does.
# - Fine-tuning on a fixed set of the weak model's stories is not F7 with
#   noise: the set is learned by heart as well, and the student ends below its
#   teacher.
# - The weak model's own stories cannot say when to stop, for they measure the
#   copy. A few stories of people find a good moment, if the weak model leaves
#   much to gain.
# - What may move counts as much as who supervises: in one vector F7, labels
#   and F6 are each far ahead of the same loss with everything free.
# - The weak model pays where people write little. With 20 stories an input and
#   a stop chosen by people's stories, F6 is not clearly ahead of the labels
#   alone.
# - A little confidence in its own favourites helps a student at rest, but
#   where many words are right a sharpened weak model does as much in nats. In
#   a sharp language confidence does more than that. Much of it, where many
#   words are right, is false certainty and ends below the weak model.
# - An error that nothing in the strong model speaks against is copied by every
#   way without labels. Training on labels corrects it.
#
# ## Further reading
#
# - Burns et al. (2023), *Weak-to-Strong Generalization: Eliciting Strong
#   Capabilities With Weak Supervision*: the question, the gap recovered, the
#   confidence loss. Accuracy on tasks with one right answer; here, stories
#   measured in nats.
# - Hinton, Vinyals and Dean (2015), *Distilling the Knowledge in a Neural
#   Network*: the other direction, and both terms of F6.
# - Furlanello et al. (2018), *Born-Again Neural Networks*: students that pass
#   a teacher of their own size.
# - Lee (2013), *Pseudo-Label: The Simple and Efficient Semi-Supervised
#   Learning Method for Deep Neural Networks*: one's own hardened predictions
#   as targets.
# - Grandvalet and Bengio (2004), *Semi-supervised Learning by Entropy
#   Minimization*: why confidence helps where classes lie apart.
# - Li and Hoiem (2016), *Learning without Forgetting*: a student held to what
#   it said before.
