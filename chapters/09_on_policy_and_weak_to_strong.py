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
# # 9. On-policy and weak-to-strong
#
# So far somebody else wrote the texts that a student was trained on, and the
# teacher was the better model. This chapter drops both habits, and then
# shortens what a model has to read.
#
# **After this chapter you can**
#
# - say what exposure bias is, and measure it before you pay for a cure;
# - train a student on texts that it writes itself, and count its words
#   rightly;
# - keep apart four settings that are often mixed up: whose texts, how they are
#   sampled, at which temperature the models are compared, in which direction;
# - supervise a strong student with a weak teacher (F6, F7), and say what
#   labels add;
# - compress a context into a few vectors by distillation.
#
# **Time**: two and a half hours with the exercises. **Assumes**: chapters 3 to
# 5; the teacher P comes first, losses are in nats.

# %%
import copy

import torch
import torch.nn.functional as F

from kdlib.sequences import on_policy
from kdlib.sequences.on_policy import sample_batch
from kdlib.losses.divergences import forward_kl, reverse_kl
from kdlib.exercises import exercise
from kdlib.losses.objectives import Objective
from kdlib.plots import curves, intervals, points
from kdlib.plots.chapter_09 import counted_words
from kdlib.sequences.exact import position_log_probs, sample_sequences
from kdlib.sequences.sums import sequence_sum
from kdlib.toys.students import LowRankStudent, TabularStudent
from kdlib.toys.students import TinyTransformer, fit
from kdlib.toys.worlds import World, mix, story_world

# %%
def interval(values):
    """Mean and 95 % interval of 3 runs (Student's t, 2 degrees)."""
    values = torch.as_tensor(values, dtype=torch.float64)
    mean, error = values.mean(), values.std() / len(values) ** 0.5
    return mean, mean - 4.303 * error, mean + 4.303 * error


def shown(values, digits=3):
    mean, low, high = (round(x.item(), digits) + 0.0 for x in interval(values))
    return f"{mean:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"

# %% [markdown]
# ## 9.1 What does a student do after its first mistake?
#
# A guide leads walkers over a moor. Eight places lie along the road, from the
# gate to the hill and round again; the guide knows them and never leaves it.
# Fifteen places lie off the road. The guide is not asked about them, but knows
# the way back from each: one step, and you are on the road.

# %%
ROAD = "gate bridge mill church inn tower pond hill".split()
MOOR = ("bog reeds mud thorns mist pool rock heather ditch fern moss "
        "gorse sand stump puddle").split()


def moor_walk(lost):
    """A guide's walks: along the road, off it with probability `lost`."""
    road, size = len(ROAD), 1 + len(ROAD) + len(MOOR)
    p = torch.zeros(size, size, dtype=torch.float64)
    p[0, 1] = 1.0  # "." is where a walk begins
    for i in range(road):
        p[1 + i, 1 + (i + 1) % road] = 1 - lost
        p[1 + i, 1 + road :] = lost / len(MOOR)
    for i in range(len(MOOR)):
        p[1 + road + i, 1 + i % road] = 1.0  # straight back
    places = (".", *ROAD, *MOOR)
    return World(places, lambda _: p.log()).smoothed(1e-4)

# %%
guide = moor_walk(lost=0.0)
print("a walk:", guide.text(guide.sample(1, length=10).tokens[0]))
for place in ("mist", "bog"):
    back, share = guide.next_words(f"gate {place}", top=1)[0]
    print(f"from the {place} the guide goes to the {back}: {share:.3f}")

# %% [markdown]
# (Every place keeps one ten-thousandth of a chance of any other, so that no
# divergence is infinite.)
#
# The student is a table with a logit for each pair of places: it has room for
# all that the guide knows. But its hand is unsteady: one word in fifty is
# drawn from all places alike, whatever it has learned. Small models are like
# that: they are never quite sure.

# %%
class Unsteady(TabularStudent):
    """A table of all pairs of places, and a slip in one word of fifty."""

    def log_rows(self, context=None):
        anywhere = torch.zeros(self.vocab_size, dtype=torch.float64)
        return mix(super().log_rows(context), anywhere.log_softmax(-1), 0.02)


LENGTH, BATCH, STEPS, SEEDS = 16, 16, 150, range(3)

# %% [markdown]
# Training is a loop that you know, with one new line. `mixed_batch` of
# `kdlib.sequences.on_policy` returns texts of which the student has written
# a `share`.
# With a share of 0, as here, all of them are the guide's: **off-policy**
# training, the kind of all earlier chapters. The loss is the forward KL at
# every word.

# %%
def logits_of(model, texts):
    """Log-probabilities are logits too."""
    return model.log_rows()[texts.ids]


def train(teacher, student, share, seed, steps=STEPS, temperature=1.0):
    """One budget of training; how many words the teacher has judged."""
    draws, eos = torch.Generator().manual_seed(seed), teacher.eos_id
    start = torch.full((BATCH, 1), eos)
    written = sample_sequences(teacher, LENGTH, steps * BATCH, draws).tokens
    optimizer = torch.optim.Adam(student.parameters(), lr=0.1)
    slower = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, steps)
    judged = 0
    for data in written.split(BATCH):
        texts = on_policy.mixed_batch(
            student, start, data, share, eos_id=eos, generator=draws,
            temperature=temperature)
        judged += one_step(teacher, student, texts, optimizer)
        slower.step()
    return judged

# %%
def one_step(teacher, student, texts, optimizer):
    """Descends along the loss per counted word; returns their number."""
    loss = on_policy.on_policy_loss(
        logits_of(student, texts), logits_of(teacher, texts), texts,
        Objective())
    optimizer.zero_grad()
    loss.mean.backward()
    optimizer.step()
    return texts.count


def off_policy(teacher, make, **options):
    """Students of three seeds, trained on the teacher's texts alone."""
    students = [make(seed) for seed in SEEDS]
    judged = [train(teacher, student, 0.0, seed, **options)
              for seed, student in zip(SEEDS, students)]
    print("words judged, three seeds:", judged)
    return students

# %%
walkers = off_policy(guide, lambda seed: Unsteady(guide))

# %% [markdown]
# Now the measurement. The same student, the same loss, nats per word; what
# differs is who has written the prefixes. In these languages both are exact:
# no text is sampled, each place counts as often as the writer visits it.
#
# **Predict**: trained on 38400 words of the guide, the student loses about
# 0.04 nats per word on the guide's walks. And on its own?

# %%
@torch.no_grad()
def per_word(teacher, student, writer):
    """Forward KL per word on prefixes of the teacher or the student."""
    total = teacher.expected_loss(student, length=LENGTH, along=writer)
    leader = teacher if writer == "teacher" else student
    return (total / leader.visits(length=LENGTH).sum()).item()


def on_the_moor(model):
    visits = model.visits(length=LENGTH).detach()
    return (visits[1 + len(ROAD) :].sum() / visits.sum()).item()

# %%
untrained, best = Unsteady(guide), guide.smoothed(0.02)
print("student          guide's prefixes   its own prefixes   on the moor")
for name, students in (
    ("untrained", [untrained]), ("off-policy", walkers), ("the best", [best])
):
    for student in students:
        cells = [per_word(guide, student, w) for w in ("teacher", "student")]
        print(f"{name:12} {cells[0]:17.2f}   {cells[1]:16.2f}  ",
              f"{on_the_moor(student):9.1%}")
print(f"the guide is on the moor for {on_the_moor(guide):.2%} of its words")
for student in walkers:
    assert per_word(guide, student, "student") > 0.15

# %% [markdown]
# Five times as much. Where does it come from? The student slips into the mist.
# There it has seen next to nothing, knows no way back, and wanders: from place
# to place, all of them unknown. "The best" is a student with the same unsteady
# hand and the guide's table. It slips as often and is back on the road at
# once.
#
# That is **exposure bias**: in training the student is exposed to prefixes of
# others, in use to its own. One mistake costs more than itself, since it leads
# to a place for which there was no lesson. Whoever imitates an expert step by
# step has this problem; with growing length the damage may grow like the
# square of the length (Ross and Bagnell 2010).
#
# Its size is a difference that can be measured, by anyone who can sample from
# the student and ask the teacher:
#
# $$\text{exposure bias} = \text{loss per word on its own prefixes} -
# \text{loss per word on the teacher's.}$$
#
# Would more of the same lessons help? Four times the budget:

# %%
longer = off_policy(guide, lambda seed: Unsteady(guide), steps=4 * STEPS)
for name, students in (("budget 1", walkers), ("budget 4", longer)):
    for writer in ("teacher", "student"):
        losses = [per_word(guide, s, writer) for s in students]
        print(f"{name}, prefixes of the {writer}: {shown(losses, 2)}")

# %% [markdown]
# The loss on the guide's walks is at its floor by now, and the student's own
# walks are still far above it. More texts of one kind do not become texts of
# the other kind.

# %% [markdown]
# ## 9.2 Let the student write
#
# The cure is as old as the problem (DAgger, Ross, Gordon and Bagnell 2011; for
# distillation of language models GKD, Agarwal et al. 2024): **let the student
# write, and let the teacher say what it should have said at each word.** The
# teacher never has to write a thing; it judges prefixes that it would not have
# written. In our loop that is share = 1 instead of 0.
#
# **The budget is the same**: equally many steps, equally many texts in a step,
# and so about equally many words that the teacher judges. (The student has to
# write its texts one word at a time. Here that costs little; for a large model
# it is often the larger part of the bill.)

# %%
exercise("mixed-batch")

# %%
# exercise: mixed-batch
def mixed_batch(data, student_logits, share, temperature):
    """Rows of the data, of which a share is written by the student. (B, L), (V, V) -> (B, L)"""
    raise NotImplementedError


exercise("mixed-batch").check(mixed_batch)

# %% [markdown]
# Four cases. **Predict** for each of them whether the student that writes
# itself will be ahead, and measure the exposure bias of the off-policy student
# first.
#
# 1. The guide never gets lost; the student is unsteady, as before.
# 2. The guide never gets lost; the student has a steady hand.
# 3. The guide itself gets lost at one word of five, and shows the way back;
#    the student is unsteady.
# 4. Stories in place of walks, and a student that is too small for them: all
#    that it knows of a word has to pass through three numbers.

# %%
lost_guide = moor_walk(lost=0.2)
story = story_world().smoothed(0.01)
CASES = {
    "1 never lost, unsteady": (guide, lambda seed: Unsteady(guide)),
    "2 never lost, steady": (guide, lambda seed: TabularStudent(guide)),
    "3 often lost, unsteady": (lost_guide, lambda seed: Unsteady(lost_guide)),
    "4 stories, too small": (story, lambda s: LowRankStudent(story, 3, s)),
}

# %%
bias, own, judged = {}, {}, {}
for name, (teacher, make) in CASES.items():
    for share in (0.0, 1.0):
        students = [make(seed) for seed in SEEDS]
        judged[name, share] = [
            train(teacher, s, share, i) for i, s in enumerate(students)
        ]
        own[name, share] = [
            per_word(teacher, s, "student") for s in students]
        if share == 0:
            at_ease = [per_word(teacher, s, "teacher") for s in students]
            bias[name] = [o - t for o, t in zip(own[name, 0.0], at_ease)]
gain = {name: [off - on for off, on in zip(own[name, 0.0], own[name, 1.0])]
        for name in CASES}

# %%
print("nats per word, mean of 3 seeds (95 % interval)")
print(f"{'':24}exposure bias               gain of on-policy")
for name in CASES:
    print(f"{name:24}{shown(bias[name]):28}{shown(gain[name])}")
for name in CASES:
    off, on = (sum(judged[name, share]) for share in (0.0, 1.0))
    print(f"{name:24}words judged, on-policy of off-policy: {on / off:.2f}")

_, low_1, _ = interval(gain["1 never lost, unsteady"])
_, low_2, _ = interval(gain["2 never lost, steady"])
assert low_1 > 0.1 and low_2 > 0.05  # ahead
for name in ("3 often lost, unsteady", "4 stories, too small"):
    assert max(abs(x) for x in gain[name]) < 0.02  # level

# %%
intervals(
    {name: interval(x) for name, x in gain.items()},
    xlabel="gain of on-policy, nats per word",
    baseline={"level": 0.0},
    alt="Gain of on-policy training with intervals over three seeds. In cases "
    "1 and 2, where the guide never gets lost, the intervals lie far to the "
    "right of zero. In cases 3 and 4 they lie at zero.",
)

# %%
points(
    {name: (bias[name], gain[name]) for name in CASES},
    xlabel="exposure bias of the off-policy student, nats per word",
    ylabel="gain of on-policy, nats per word",
    alt="Gain over exposure bias, three seeds for each of four cases. The "
    "points lie along a straight line from the origin: cases 3 and 4 at the "
    "origin, case 2 in the middle, case 1 far out.",
)

# %% [markdown]
# **On-policy is ahead where exposure bias is present, level where it is not.**
# The bias, measured before, foretells the gain to within a tenth or so. The
# evaluation is on the student's own prefixes, since that is where it is used.
#
# - Case 2 shows that a lack of room is not needed. The student *could* be the
#   guide. But at any finite moment of training it slips a little, and where it
#   slips to it has learned nothing.
# - Case 3 has the same unsteady student as case 1 and no bias: the guide's own
#   texts show the way back. On-policy is even a little behind there. Its first
#   texts are those of an untrained student, and lessons on them are half
#   wasted.
# - Case 4 is the warning. The student is too small and makes many mistakes.
#   But all words are common in the teacher's stories, so that a mistake leads
#   to a place that has been practised. A weak student alone is no reason for
#   on-policy training.
#
# What would go wrong: to take "on-policy helps" for a law. It repairs one
# fault. If the fault is not there, one pays for the writing and gets nothing.
# Our moor was built to have it; whether your data have it is a number that you
# can measure.

# %% [markdown]
# ## 9.3 Three knobs and a count
#
# The **share** first. **Predict**: if every tenth text is the student's, does
# it get a tenth of the gain?

# %%
def after(**options):
    """Loss on its own prefixes of three students in case 1."""
    losses = []
    for seed in SEEDS:
        student = Unsteady(guide)
        train(guide, student, seed=seed, **options)
        losses.append(per_word(guide, student, "student"))
    return losses


SHARES = (0.0, 0.1, 0.5, 1.0)
known = {share: own["1 never lost, unsteady", share] for share in (0.0, 1.0)}
by_share = [known.get(share) or after(share=share) for share in SHARES]
for share, losses in zip(SHARES, by_share):
    print(f"share {share:3}: {shown(losses)}")

# %%
curves(
    SHARES,
    {"student": tuple(zip(*(interval(losses) for losses in by_share)))},
    xlabel="share of the texts that the student writes",
    ylabel="nats per word, own prefixes",
    alt="Loss on the student's own prefixes over its share of the texts. It "
    "falls steeply from share 0 to share 0.1 and only a little from there on.",
)

# %%
gained = [interval(by_share[0])[0] - interval(x)[0] for x in by_share]
print(f"part of the gain at share 0.1: {gained[1] / gained[3]:.0%}")
assert 0.7 < gained[1] / gained[3] < 1

# %% [markdown]
# It gets most of it. The moor is small, and a few visits teach the way back. A
# share between 0 and 1 is the common choice: the teacher's texts (or people's)
# keep the student at what is to be said, its own teach it to recover.
#
# The second knob is the **sampling temperature**: how the student writes. The
# third, the temperature of the *loss*, stands in the `Objective` and has
# another task (chapter 1): it decides how the two models are compared on a
# text, whoever wrote it. Here the loss stays at temperature 1.

# %%
print("share 1, loss temperature 1; loss on its own prefixes")
for temperature in (0.25, 1.0, 2.0):
    losses = by_share[-1] if temperature == 1 else after(
        share=1.0, temperature=temperature)
    print(f"sampling temperature {temperature:4}: {shown(losses)}")

# %% [markdown]
# At 0.25 the student hardly ever slips while it writes for its training, but
# it will slip in use, where it is sampled at 1. So the lessons again miss the
# places where it needs them. Train on what will be met: the sampling
# temperature belongs to the use of the student, not to the comparison.
#
# Then the **count**. A text of the student ends when the student ends it, and
# that is known only after sampling. Four short stories:

# %%
tiny = story_world()
texts = sample_batch(
    tiny, torch.full((4, 1), tiny.eos_id), 9, eos_id=tiny.eos_id,
    generator=torch.Generator().manual_seed(12))
places = texts.counted.shape[0] * (texts.counted.shape[1] - 1)
print("places for new words:", places, " words that count:", texts.count)
words = [[tiny.words[i] for i in row] for row in texts.ids.tolist()]
kinds = [["given", *("counted" if c else "not counted" for c in row[1:])]
         for row in texts.counted.tolist()]
for row in words:
    print(" ".join(row))

# %%
counted_words(
    words, kinds,
    alt="Four stories as rows of words. The first cell, the start, is given. "
    "The words of each story count, with the full stop that ends it. What "
    "fills a row behind its full stop is struck out.",
)

# %% [markdown]
# The full stop at the end counts: a student has to learn to end. What fills
# the row behind it does not count, although the model has logits there. The
# full stop at the start is given. Divide by the places instead of the words,
# and texts that end early weigh less in each step; and the mean loss on record
# falls when the student only becomes brief.

# %%
exercise("on-policy-loss")

# %%
# exercise: on-policy-loss
def on_policy_loss(teacher_logits, student_logits, rollout, temperature):
    """The summed KL over the tokens that the student drew, and their number. -> (sum, count)"""
    raise NotImplementedError


exercise("on-policy-loss").check(on_policy_loss)

# %% [markdown]
# ### No gradient through the sampling
#
# Is that honest? The texts depend on the student's parameters too. The whole
# gradient of the expected loss has two parts: become better on the texts that
# you write, and write other texts, on which you are better. GKD takes the
# first part and leaves the second out, and so does `on_policy_loss`.
#
# In a language that is known exactly we can have both. **Predict**: stories, a
# student far too small (one number instead of three), sum of the forward KL
# over a story that the student writes. What does the student do, if it may
# lower the sum by writing other stories?

# %%
def loss_of(student, divergence, writer, stopped=True):
    """Expected sum over a story, with or without the second part."""
    visits = (story if writer == "teacher" else student).visits()
    visits = visits.detach() if stopped else visits
    losses = divergence(story.log_rows(), student.log_rows())
    return (visits * losses).sum()


def improved(student, *settings, steps=200):
    """A copy, trained further on this loss."""
    student = copy.deepcopy(student)
    fit(student, lambda: loss_of(student, *settings), steps, 0.02)
    return student

# %%
def words_in(student):
    return student.visits().sum().item()


print(f"words in a story of the teacher: {words_in(story):.1f}")
for seed in SEEDS:
    start = LowRankStudent(story, 1, seed)
    fit(start, lambda: loss_of(start, forward_kl, "teacher"), 300)
    stopped = improved(start, forward_kl, "student", True)
    whole = improved(start, forward_kl, "student", False)
    print(f"student {seed}: before {words_in(start):.1f}, no gradient through",
          f"sampling {words_in(stopped):.1f}, whole gradient",
          f"{words_in(whole):.1f}")
    assert words_in(whole) < 4 < words_in(stopped)

# %% [markdown]
# It falls silent. A story of two words has little room for mistakes. The
# second part is no mistake of arithmetic; it is what was asked for, and not
# what was meant. MiniLLM (Gu et al. 2024), which does follow the whole
# gradient (of the reverse KL, by policy gradient), divides by the length for
# this reason among others.
#
# With the gradient stopped the student is only ever corrected, and nothing
# draws it towards silence. The price: the loop is no longer descent on one
# fixed objective, since the texts change under it.

# %% [markdown]
# ## 9.4 Whose texts, and in which direction?
#
# On-policy training is often praised for what the reverse KL does. They are
# two choices: **whose prefixes** are read, and **which way** the models are
# compared at each word (chapter 4). So there are four students. Same start,
# same steps, the stories of case 4, through two numbers; instead of samples
# each loop uses the exact expectation, as if its batches were unlimited.
#
# We look at four numbers: which share of its stories contains only words that
# may follow each other, KL both ways between whole stories, and the entropy
# of what it tells.
#
# **Predict**: which of the two choices changes more?

# %%
POSSIBLE = story_world().log_rows() > -torch.inf


@torch.no_grad()
def looked_at(student):
    """Share of possible stories, KL(P||Q), KL(Q||P), entropy."""
    rows = student.log_rows().exp() * POSSIBLE
    goes_on = rows.clone()
    goes_on[:, story.eos_id] = 0
    system = torch.eye(len(rows), dtype=rows.dtype) - goes_on
    ends_well = torch.linalg.solve(system, rows[:, story.eos_id])
    forward = loss_of(student, forward_kl, "teacher")
    backward = loss_of(student, reverse_kl, "student")
    numbers = ends_well[story.eos_id], forward, backward, student.entropy()
    return [x.item() for x in numbers]

# %%
seen = {}
for seed in SEEDS:
    start = LowRankStudent(story, 2, seed)
    fit(start, lambda: loss_of(start, forward_kl, "teacher"), 300)
    seen.setdefault("start", []).append(looked_at(start))
    for divergence in (forward_kl, reverse_kl):
        for writer in ("teacher", "student"):
            name = f"{divergence.__name__}, {writer}'s texts"
            student = improved(start, divergence, writer)
            seen.setdefault(name, []).append(looked_at(student))
print(f"{'':28}{'possible':20}{'KL(P||Q)':20}{'KL(Q||P)':20}entropy")
for name, rows in (seen | {"teacher": [looked_at(story)] * 3}).items():
    cells = [f"{shown([abs(x) for x in c], 2):20}" for c in zip(*rows)]
    print(f"{name:28}{''.join(cells)}".rstrip())

# %% [markdown]
# Here the direction decides everything and the writer next to nothing: there
# is no exposure bias in this language. Under the reverse KL nearly all of the
# student's stories are possible ones, and it tells fewer of them. Under the
# forward KL it covers the teacher's stories better and says more nonsense.
# Neither is the better student for every use.
#
# (The teacher itself is below 1 because every word keeps one hundredth of a
# chance of being any other. The reverse-KL student is above it: it does not
# copy that habit.)
#
# Whole stories drawn from the student estimate KL(Q‖P), whichever way one
# looks at a single word. Both names, GKD and MiniLLM, stand for particular
# combinations: GKD leaves the divergence open, MiniLLM fixes the reverse KL.

# %%
exercise("samples-decide-the-direction")

# %%
# exercise: samples-decide-the-direction
answer = ...  # one letter of a, b, c, d
exercise("samples-decide-the-direction").check(answer)

# %% [markdown]
# ## 9.5 The same with a language model
#
# Nothing in `on_policy` knows about moors. A student may be any causal
# language model that is called like those of `transformers`. The prompts have
# different lengths; padding stands on the left, so that all answers begin in
# the same column.

# %%
from kdlib.models.from_scratch import ModelSize, new_model

size = ModelSize(width=32, layers=2, heads=2, initial_std=0.2)
llama_teacher = new_model(size, vocabulary=50, context=64, seed=0).eval()
llama_student = new_model(size, vocabulary=50, context=64, seed=1)
prompts = torch.tensor([[7, 3, 9, 4], [0, 0, 8, 5]])
prompt_mask = torch.tensor([[1, 1, 1, 1], [0, 0, 1, 1]])
answers = torch.tensor([[11, 12, 0, 0, 0, 0], [21, 22, 23, 24, 25, 0]])
texts = on_policy.mixed_batch(
    llama_student, prompts, answers, share=0.0, eos_id=0,
    generator=torch.Generator().manual_seed(0), prompt_mask=prompt_mask,
)
print(texts.mask.int())
print(texts.counted.int(), texts.count)

# %%
def llama_step(share):
    texts = on_policy.mixed_batch(
        llama_student, prompts, answers, share=share, temperature=0.8,
        eos_id=0, generator=torch.Generator().manual_seed(0),
        prompt_mask=prompt_mask,
    )
    seen = {"input_ids": texts.ids, "attention_mask": texts.mask}
    with torch.no_grad():
        target = llama_teacher(**seen).logits
    logits = llama_student(**seen).logits
    return texts, on_policy.on_policy_loss(
        logits, target, texts, Objective(divergence="reverse_kl")
    )


for share in (0.0, 1.0):
    texts, loss = llama_step(share)
    print(f"share {share}: the student's rows {texts.by_student.tolist()},",
          "count agrees:", int(loss.count) == texts.count)
    loss.mean.backward()

# %% [markdown]
# The data's answers end with the end-of-text token (id 0) and count 3 and 6
# tokens; the padding of the prompt, which is id 0 too, ends nothing, because
# it stands in the prompt and the mask says so. Both models get the mask of the
# *texts*, the loss the mask of what *counts*. They are not the same mask.
#
# While the student writes it is in eval mode and keeps what it has read, so
# that each token is read once. For a large model, a serving engine may do the
# writing: what it must return is ids and where they end, no more.

# %% [markdown]
# ## 9.6 A weak teacher, a strong student
#
# Now the other habit. Can a model learn from a teacher that is *worse* than it
# could be itself? The question has a serious side: some day people may have to
# supervise models that are better than they are. Burns et al. (2023) play it
# through with a small model in the place of the people.
#
# Everything in this section is about one new instruction, *ornate*, in the
# story world. The inputs are "ornate fox", "ornate owl" and so on.
#
# - The **strong** model has plenty of room (16 numbers instead of 2) and has
#   read everything except "ornate": stories with the other instructions and
#   without any.
# - The **weak** model is small (2 numbers). People have taught it "ornate".
# - The **ceiling** is the strong model, taught "ornate" by people as well.
#
# The distance is KL(truth‖student) over whole stories, exact.

# %%
truth = story_world()
HEROES = ["fox", "owl", "child", "sailor"]
TASK = [f"ornate {hero}" for hero in HEROES]
KNOWN = ["", *HEROES] + [
    f"{word} {hero}" for word in ("plain", "sea", "forest") for hero in HEROES
]


def rows_of(student, inputs):
    """Log-rows (inputs, V, V) of a low-rank student, all in one product."""
    vectors = torch.stack([
        student.context[student.context_ids(x)].sum(dim=0) for x in inputs
    ])
    logits = (student.state + vectors[:, None]) @ student.output
    return logits.log_softmax(dim=-1)

# %%
def kl_from(teacher, inputs):
    """F7: the loss KL(teacher||student), a mean over the inputs; exact."""
    with torch.no_grad():
        log_p = torch.stack([teacher.log_rows(x) for x in inputs])
        visits = torch.stack([teacher.visits(x) for x in inputs])
    return lambda student: (
        visits * forward_kl(log_p, rows_of(student, inputs))
    ).sum() / len(inputs)

# %%
def taught(student, loss, steps, rate=0.01):
    """A copy of the student after so many steps on this loss."""
    student = copy.deepcopy(student)
    fit(student, lambda: loss(student), steps, rate)
    return student

# %%
from_truth = kl_from(truth, TASK)
strong, weak, ceiling = [], [], []
for seed in SEEDS:
    blank = LowRankStudent(truth, 16, seed=100 + seed)
    strong.append(taught(blank, kl_from(truth, KNOWN), 300, 0.03))
    weak.append(taught(LowRankStudent(truth, 2, seed), from_truth, 300, 0.03))
    ceiling.append(taught(strong[seed], from_truth, 200))

distances = {}
for name, models in (
    ("strong, before", strong), ("weak", weak), ("ceiling", ceiling)
):
    distances[name] = [from_truth(model).item() for model in models]
    print(f"{name:14}", "  ".join(f"{x:.2f}" for x in distances[name]))

# %% [markdown]
# The scale for all that follows is the share of the gap that is recovered:
#
# $$\text{gap recovered} = \frac{\text{weak} - \text{student}}
# {\text{weak} - \text{ceiling}}$$
#
# in distances: 0 for a copy of the weak model, 1 for the ceiling, negative for
# a student that is worse than its supervisor.

# %%
def recovered(seed, student):
    low, high = distances["weak"][seed], distances["ceiling"][seed]
    gap = (low - from_truth(student).item()) / (low - high)
    return round(gap, 2) + 0.0  # no "-0.00"


print("before any supervision:",
      "  ".join(f"{recovered(s, strong[s]):.1f}" for s in SEEDS))

# %%
exercise("gap-recovered")

# %%
# exercise: gap-recovered
answer = ...  # to 2 decimals
exercise("gap-recovered").check(answer)

# %% [markdown]
# Five ways to teach the strong model:
#
# 1. **the weak model's data**: it writes 200 stories for each input, and the
#    strong one is fine-tuned on them as if people had written them;
# 2. **direct supervision**, F7 alone: the weak model's distribution stands in
#    the loss;
# 3. **labels alone**: people write 20 stories for each input;
# 4. **F6**: these labels and F7 together, with lambda = 1;
# 5. F7 again, but the strong model may change a single vector, the one with
#    which it reads the word *ornate*.
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
# F6 is maximised, as in chapter 5, and holds its KL with a minus. What a
# program minimises, below too, is the same turned round, with two plus signs:
# `labels(student) + f7(student)`. P is the weak model: "teacher" says who
# supervises, not who is larger.
#
# **Predict**: which of them can end up above 0? And which way does each go,
# from the first steps to the last?

# %%
def label_loss(author, stories, seed):
    """-log Q(y|x) per story of this author; fine-tuning on its data."""
    written = author.dataset(TASK, stories, length=40, seed=seed).values()
    counts = torch.stack([truth.transition_counts(y) for y in written])
    return lambda student: -(
        counts * rows_of(student, TASK)
    ).sum() / (stories * len(TASK))

# %%
def losses(seed):
    """The losses of ways 1 to 4 for one pair of models."""
    f7 = kl_from(weak[seed], TASK)
    labels = label_loss(truth, 20, seed)
    return {
        "1 weak model's data": label_loss(weak[seed], 200, 50 + seed),
        "2 F7 alone": f7,
        "3 labels alone": labels,
        "4 F6, labels and F7": lambda student: labels(student) + f7(student),
    }

# %%
AFTER = (5, 10, 20, 40, 80, 160, 320)


def course(seed, start, loss):
    """Gap recovered after each number of steps."""
    student, steps, gaps = start, 0, []
    for more in AFTER:
        student = taught(student, loss, more - steps)
        steps = more
        gaps.append(recovered(seed, student))
    return gaps


ways, runs = [losses(seed) for seed in SEEDS], {}
for seed in SEEDS:
    for name, loss in ways[seed].items():
        runs.setdefault(name, []).append(course(seed, strong[seed], loss))

# %%
print("gap recovered   ", "".join(f"{n:>7}" for n in AFTER), "steps")
for name, three in runs.items():
    for gaps in three:
        print(f"{name:20}", "".join(f"{gap:7.2f}" for gap in gaps))
print("after the last step, mean of 3 (95 % interval)")
for name, three in runs.items():
    print(f"{name:20}", shown([gaps[-1] for gaps in three], 2))

f7 = torch.tensor(runs["2 F7 alone"], dtype=torch.float64)
assert f7.max(dim=1).values.min() > 0.4 and f7[:, -1].abs().max() < 0.02
_, low, _ = interval([gaps[-1] for gaps in runs["4 F6, labels and F7"]])
assert low > 0.2

# %%
def band(three):
    three = torch.tensor(three)
    return three.mean(0), three.min(0).values, three.max(0).values


curves(
    AFTER,
    {name: band(three) for name, three in runs.items()},
    xlabel="steps (log scale)",
    ylabel="gap recovered",
    logx=True,
    alt="Gap recovered over the steps of training, mean and range of three "
    "pairs. With F7 alone and with the weak model's data it rises above one "
    "half within ten steps and then falls to zero. With labels alone it falls "
    "below zero. With F6 it rises as fast and stays at about one half.",
)

# %% [markdown]
# Read the curves in two halves.
#
# **Early**, every student is ahead of its supervisor. The strong model knows
# how stories go and has only to learn what *ornate* does to them. The first
# steps take what is simplest to learn, and that is the instruction; the weak
# model's errors, which do not fit what the strong one knows, take longer. So a
# strong student passes its weak teacher without a single label. Stopping early
# keeps that. (But when to stop? Here we look at the truth.)
#
# **Late**, F7 alone ends at 0.00: the loss is smallest at a copy of the weak
# model, errors included, and a strong model has all the room to copy them.
# More steps, more room, a better optimiser: all of it makes the copy better.
# The weak model's data end at about the same place, for a reason that we know:
# in expectation, fine-tuning on a model's samples and the forward KL to its
# distribution have one and the same gradient (chapter 4). What is left between
# them is the noise of the sample. A distribution says in one evaluation what
# many samples say:

# %%
for stories in (20, 200):
    ends = []
    for seed in SEEDS:
        loss = label_loss(weak[seed], stories, 50 + seed)
        ends.append(recovered(seed, taught(strong[seed], loss, AFTER[-1])))
    print(f"weak model's data, {stories:3} stories for each input:",
          "  ".join(f"{x:.2f}" for x in ends))
    assert max(ends) < 0.1

# %% [markdown]
# (If it wrote only its best story for each input, F4, most of what it knows
# would be lost as well: chapter 3.)
#
# **The labels alone** go wrong in their own way: 20 stories for each input are
# few, and in the end they are known by heart. One of three students is still
# ahead of its weak model then, two are far behind.
#
# **Together** they hold. Where the labels are silent, the weak model keeps the
# student from making things up; where it errs, the labels contradict it. That
# is what the ground-truth term adds to F7: not more of the same, but the only
# part of the loss that knows better. And nobody has to stop at the right
# moment: the last column of way 4 is as good as the column before. How much
# of each?

# %%
for lambda_ in (0.1, 0.3, 1, 3):
    ends = []
    for seed in SEEDS:
        labels, f7 = (
            ways[seed][name] for name in ("3 labels alone", "2 F7 alone"))
        student = taught(
            strong[seed], lambda s: labels(s) + lambda_ * f7(s), 160)
        ends.append(recovered(seed, student))
    print(f"lambda {lambda_:4}: {shown(ends, 2)}")

# %% [markdown]
# As in chapter 5: with a small lambda the labels are learned by heart, with a
# large one the weak model is copied, and there is much room between them. More
# labels would move the best lambda down.

# %%
exercise("weak-to-strong-loss")

# %%
# exercise: weak-to-strong-loss
def weak_to_strong_loss(weak_logits, strong_logits, labels, lambda_):
    """The combined loss over labelled and unlabelled rows: smaller is better. -> scalar"""
    raise NotImplementedError


exercise("weak-to-strong-loss").check(weak_to_strong_loss)

# %% [markdown]
# And the fifth way? The strong model learns from F7 alone until it rests, but
# all that it may change is the vector of one word.

# %%
def only_the_word(seed):
    """F7 with everything frozen but the vector of "ornate"."""
    student = copy.deepcopy(strong[seed])
    chosen = torch.zeros_like(student.context)
    chosen[truth.context_words.index("ornate")] = 1
    student.context.register_hook(lambda slope: slope * chosen)
    f7 = kl_from(weak[seed], TASK)
    fit([student.context], lambda: f7(student), 150)
    return student


ends = [recovered(seed, only_the_word(seed)) for seed in SEEDS]
print("5 one vector, F7 alone:", "  ".join(f"{x:.2f}" for x in ends))
assert min(ends) > 0.3

# %% [markdown]
# At rest, and without a single label, it is ahead of F6 at rest. The weak
# model's errors *cannot* be expressed by one vector in a model that knows
# stories; the instruction can. So it is not size as such that lets a
# strong student pass its teacher. It is what the student already knows, and
# how little of it the supervision is able to destroy.
#
# What would go wrong: to expect this by right. Our weak model errs for lack of
# room, in its own way, and the strong one does not share its errors. If the
# weak model takes irony for praise, consistently, and nothing that the strong
# one knows speaks against it, F7 teaches just that. Then only labels help.

# %%
exercise("three-ways-to-supervise")

# %%
# exercise: three-ways-to-supervise
answer = ...  # one letter of a, b, c, d, e
exercise("three-ways-to-supervise").check(answer)

# %% [markdown]
# ## 9.7 A context becomes two vectors
#
# An instruction that stands before every input is read again with every input.
# Chapter 2 moved an instruction into the parameters. Here the parameters stay
# as they are, and the instruction becomes a **soft prompt**: k vectors of real
# numbers in the place of its words, found by distillation.
#
# - teacher: the model with the full context, x = (c, z);
# - student: *the same model*, frozen, with the soft prompt in place of c.
#
# First we need a model that understands instructions: a transformer with one
# layer, trained on stories of the world with up to seven instruction words in
# any order. For each of a hundred contexts it sees 32 stories, and the world's
# own distribution as target.

# %%
INSTRUCTIONS = ["plain", "ornate", "sea", "forest"]
DEPTH = 16  # words of a story that are looked at


def random_contexts(n, draws):
    """Up to eight instruction words, then a hero."""
    contexts = []
    for _ in range(n):
        many = torch.randint(0, 9, (), generator=draws)
        said = torch.randint(0, 4, (int(many),), generator=draws).tolist()
        hero = HEROES[torch.randint(0, 4, (), generator=draws)]
        contexts.append(" ".join([INSTRUCTIONS[i] for i in said] + [hero]))
    return list(dict.fromkeys(contexts))

# %%
def lessons(author, contexts, stories, seed):
    """{context: (stories, the author's distributions at their words)}"""
    data = author.dataset(contexts, stories, length=DEPTH, seed=seed)
    with torch.no_grad():
        return {x: (y, position_log_probs(author, y.tokens, x))
                for x, y in data.items()}

# %%
def kl_of(lesson, model, context):
    """Mean over stories of the forward KL, the model reading `context`."""
    stories, log_p = lesson
    log_q = position_log_probs(model, stories.tokens, context)
    return sequence_sum(forward_kl(log_p, log_q), stories.mask).mean()


def learn(parameters, losses, rate):
    """One step for each loss, ever slower."""
    optimizer = torch.optim.Adam(parameters, lr=rate)
    slower = torch.optim.lr_scheduler.LinearLR(
        optimizer, 1.0, 0.02, len(losses))
    for loss in losses:
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
        slower.step()

# %%
draws = torch.Generator().manual_seed(0)
book = lessons(truth, random_contexts(150, draws), 24, seed=0)
model = TinyTransformer(truth, width=32, max_words=DEPTH + 2)
contexts = list(book)
order = torch.randint(0, len(contexts), (600,), generator=draws).tolist()
learn(
    model.parameters(),
    [lambda x=contexts[i]: kl_of(book[x], model, x) for i in order],
    rate=4e-3,
)
for parameter in model.parameters():
    parameter.requires_grad_(False)

# %% [markdown]
# And the instruction that we want to be rid of: eight words.

# %%
C = "forest sea ornate forest sea forest plain forest"
held_out = lessons(truth, [f"{C} {hero}" for hero in HEROES], 200, seed=7)
far = {}
for read in ("instruction and hero", "hero alone"):
    far[read] = [
        kl_of(lesson, model, x if "and" in read else x.split()[-1]).item()
        for x, lesson in held_out.items()
    ]
    print(f"the model reads {read:20}: KL from the world",
          "  ".join(f"{x:.1f}" for x in far[read]))
for understood, ignored in zip(*far.values()):
    assert understood < 0.6 * ignored

# %% [markdown]
# It is not a perfect model, and need not be. It follows the instruction, and
# from now on *its* answers with the instruction are the standard. That is the
# point of distilling a context: no labels, no world, only the model against
# itself.
#
# The baselines come first: no instruction at all, and the best instruction of
# one or two *words*. **Predict**: how much of the eight words can two words
# say?

# %%
class Speaker(TinyTransformer):
    """The trained model as an author: it writes its own stories."""

    def dataset(self, contexts, samples, *, length, seed):
        draws = torch.Generator().manual_seed(seed)
        return {x: sample_sequences(self, length, samples, draws, x)
                for x in contexts}


model.__class__ = Speaker
full = [f"{C} {hero}" for hero in HEROES]
exam = lessons(model, full, 200, seed=8)


@torch.no_grad()
def far_from_full(instead):
    """KL from the model with all of C; instead: hero -> what it reads."""
    return [kl_of(exam[x], model, instead(x.split()[-1])).item() for x in full]

# %%
pairs = [f"{a} {b}" for a in INSTRUCTIONS for b in INSTRUCTIONS if a <= b]
hard = {said: far_from_full(lambda hero: f"{said} {hero}")
        for said in ["", *INSTRUCTIONS, *pairs]}


def mean(numbers):
    return sum(numbers) / len(numbers)


one_word = min(INSTRUCTIONS, key=lambda said: mean(hard[said]))
two_words = min(pairs, key=lambda said: mean(hard[said]))
baselines = {"no instruction": "", "best single word": one_word,
             "best two words": two_words}
print(f"{'KL per story from the model with C':36}  fox   owl child sailor")
for name, said in baselines.items():
    cells = "".join(f"{x:6.2f}" for x in hard[said])
    print(f"{name + ': ' + said:36}{cells}")

# %% [markdown]
# Now the soft prompt. Its training sees three heroes; the sailor is kept for
# the examination. The gradient is taken for the k vectors and for nothing
# else.

# %%
LESSONS = lessons(model, full[:3], 48, seed=9)


def reading(soft, hero):
    """The soft prompt (k, width), and the vector of the hero behind it."""
    number = truth.context_words.index(hero)
    return torch.cat([soft, model.context.weight[number : number + 1]])


def compressed(k, seed, steps=120):
    """C as k vectors."""
    draws = torch.Generator().manual_seed(seed)
    soft = 0.1 * torch.randn(k, 32, generator=draws, dtype=torch.float64)
    soft.requires_grad_()
    steps = [
        lambda x=x: kl_of(LESSONS[x], model, reading(soft, x.split()[-1]))
        for x in list(LESSONS) * (steps // len(LESSONS))
    ]
    learn([soft], steps, rate=0.05)
    return soft.detach()

# %%
before = [p.clone() for p in model.parameters()]
soft = {k: [compressed(k, seed) for seed in SEEDS] for k in (1, 2)}
for k, three in soft.items():
    for prompt in three:
        cells = far_from_full(lambda hero: reading(prompt, hero))
        print(f"{f'soft prompt, {k} vector' + 's' * (k > 1):35}",
              "".join(f"{x:6.2f}" for x in cells))
        assert mean(cells) < 0.5 * mean(hard[two_words])
        assert cells[-1] < 0.5 * hard[two_words][-1]  # the sailor, unseen
unmoved = all(map(torch.equal, before, model.parameters()))
print("the model's parameters have not moved:", unmoved)
assert unmoved

# %%
def spread(rows):
    return interval([mean(row) for row in rows])


rows = {name: (mean(hard[said]),) * 3 for name, said in baselines.items()}
for k, name in ((1, "soft prompt of 1"), (2, "soft prompt of 2")):
    rows[name] = spread(
        [far_from_full(lambda hero: reading(p, hero)) for p in soft[k]])

intervals(
    rows,
    xlabel="KL per story from the model with the full context",
    baseline={"full context": 0.0},
    alt="Distance from the model with the full context. Without an "
    "instruction it is far out, the best single word removes more than half "
    "of it, the best two words more. Soft prompts of one or two vectors stand "
    "close to zero.",
)

# %% [markdown]
# One vector says more than the best two words, and it does so for the sailor
# as well, with whom it was never trained: it has taken over what the
# instruction *does*, not the answers. It can, because a vector need not be a
# word. How far from words is it?

# %%
words_of = model.context.weight
nearest, as_words = [], []
for prompt in soft[2]:
    apart = torch.cdist(prompt, words_of)
    nearest += apart.min(dim=1).values.tolist()
    chosen = words_of[apart.argmin(dim=1)]
    as_words.append(mean(far_from_full(lambda hero: reading(chosen, hero))))
between = torch.cdist(words_of, words_of) + torch.eye(len(words_of)) * 1e9
print(f"from a vector to the nearest word at least {min(nearest):.1f},",
      f"between two words at least {between.min():.1f}")
ends = [mean(far_from_full(lambda hero: reading(p, hero))) for p in soft[2]]
for vectors, rounded in zip(ends, as_words):
    print(f"as vectors {vectors:.2f}, rounded to the nearest words",
          f"{rounded:.2f}")
    assert rounded > 3 * vectors

# %% [markdown]
# It cannot be read, printed or handed to another model: rounded to the nearest
# words it is worth no more than words are. It speaks to the one model with
# which it was trained.
#
# What is gained is counted in positions that are read with every call:

# %%
lengths = {"full context": len(C.split()), "soft prompt": 2}
story_words = round(sum(
    y.lengths.double().mean().item() for y, _ in exam.values()) / 4)
for name, length in lengths.items():
    positions = length + 1 + story_words
    print(f"{name:13} {length} + hero + story: {positions:3} positions,",
          f"{positions * (positions + 1) // 2:4} pairs in attention")

# %% [markdown]
# In the toy it is a few positions. For an instruction of 800 tokens and ten
# vectors it is 790 for every call, and the same in the cache of keys and
# values. Against chapter 2: there the instruction moved into the parameters,
# for good, and the model lost what it did without. Here the model serves every
# instruction, each with its own small file of vectors. But a soft prompt is
# limited to what k vectors can steer a frozen model to do.
#
# What would go wrong: to take the labels for the teacher (that is prompt
# tuning, which learns a *task*; here the target is what the context said); to
# let the teacher read the short context, or the student the long one; to leave
# the model unfrozen, so that the parameters learn the instruction and the
# vectors carry nothing.

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

print_progress(9)

# %% [markdown]
# ## Summary
#
# - Exposure bias is the loss per word on the student's own prefixes less the
#   loss on the teacher's. Measure it first: it foretells what on-policy
#   training gains at the same budget. Where it is nil, on-policy is level.
# - Three settings, not one: the share of texts that the student writes, the
#   temperature at which it writes, the temperature at which the models are
#   compared. The direction of the KL is a fourth.
# - Words are counted after sampling, up to and with the end of a text. No
#   gradient goes through the sampling; with it a student may learn to fall
#   silent.
# - A weak teacher can be passed: early, since what it teaches is learned
#   before its errors are; or for good, with labels in F6; or by letting it
#   move little of what the student knows. F7 alone, in the end, is a copy.
# - Fine-tuning on the weak model's stories is F7 with noise.
# - A context can be distilled into a few vectors of a frozen model: teacher is
#   the full context, student the short one. They are not words.
#
# ## Further reading
#
# - Ross and Bagnell (2010), "Efficient Reductions for Imitation Learning", and
#   Ross, Gordon and Bagnell (2011), "A Reduction of Imitation Learning and
#   Structured Prediction to No-Regret Online Learning": compounding errors,
#   and DAgger.
# - Bengio et al. (2015), "Scheduled Sampling for Sequence Prediction with
#   Recurrent Neural Networks"; Ranzato et al. (2016), "Sequence Level Training
#   with Recurrent Neural Networks": the name *exposure bias*.
# - Lin et al. (2020), "Autoregressive Knowledge Distillation through Imitation
#   Learning": DAgger for distillation.
# - Agarwal et al. (2024), "On-Policy Distillation of Language Models: Learning
#   from Self-Generated Mistakes": GKD, the share, any divergence.
# - Gu et al. (2024), "MiniLLM: Knowledge Distillation of Large Language
#   Models": reverse KL on the student's texts, with policy gradient.
# - Ko et al. (2024), "DistiLLM: Towards Streamlined Distillation for Large
#   Language Models": skew divergences, and the cost of writing.
# - Burns et al. (2023), "Weak-to-Strong Generalization: Eliciting Strong
#   Capabilities With Weak Supervision": the gap recovered.
# - Askell et al. (2021), "A General Language Assistant as a Laboratory for
#   Alignment", and Snell, Klein and Zhong (2022), "Learning by Distilling
#   Context": context distillation into the parameters.
# - Lester, Al-Rfou and Constant (2021), "The Power of Scale for
#   Parameter-Efficient Prompt Tuning"; Li and Liang (2021), "Prefix-Tuning":
#   soft prompts. Wingate, Shoeybi and Sorensen (2022), "Prompt Compression and
#   Contrastive Conditioning for Controllability and Toxicity Reduction in
#   Language Models"; Mu, Li and Goodman (2023), "Learning to Compress Prompts
#   with Gist Tokens": contexts made short.
