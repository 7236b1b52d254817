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
# # 11. Data, size, patience
#
# There is a teacher, some text, a student of a given size and so much
# computing. What should be spent on what?
#
# **After this chapter you can**
#
# - say when a student gains by reading the same text again, and when it
#   needs new text, or no teacher;
# - tell a capacity gap from a gap in the exam;
# - keep apart a student that agrees with its teacher and one that is good;
# - use a student as the draft of its teacher, and say what that needs;
# - cut a student out of its teacher, and teach one with another tokenizer;
# - say which tokens of a chat are learned, and what each wrong mask costs.
#
# **Time**: about 1 h 40 min with the exercises.
#
# **Assumes**: chapters 5 and 7; the teacher P comes first, losses are in nats.

# %%
import torch

from kdlib.claims.grounds import pocket
from kdlib.claims.record import shipped
from kdlib.claims.registry import claim
from kdlib.claims.rules import interval
from kdlib.exercises import exercise, foreseen, predict
from kdlib.losses.divergences import forward_kl, total_variation
from kdlib.losses.spans import bernoulli_kl
from kdlib.models.cutting import log_probabilities_without
from kdlib.models.influence import block_influence
from kdlib.plots import curves, intervals, table, words
from kdlib.sequences.speculative import speculative_pass
from kdlib.teachers.spans import align_spans
from kdlib.toys.worlds import random_world

# %% [markdown]
# Most numbers of this chapter are **recorded**: they come from trainings of
# chapter 7's small student on real text, several of each kind, with learning
# rates tuned alike. `kdlib claim NAME` runs them again. Where an exact toy can
# show *why*, it is run here.

# %%
def of(name, arm, measure="loss"):
    """Mean and 95 % interval over the trainings of an arm."""
    mean, low, high = interval(shipped(name)["numbers"][arm][measure])
    return f"{mean:.2f} ({low:.2f} to {high:.2f})"


def exams(name, **measures):
    """Every arm of a claim, in each measure."""
    return table({
        arm: {column: of(name, arm, measure)
              for column, measure in measures.items()}
        for arm in claim(name).arms
    }, corner=f"{len(claim(name).seeds)} trainings (95 %)")

# %%
def leads(name, wanted):
    """Who is ahead of whom, and by how much, over the trainings."""
    found = claim(name).intervals(shipped(name)["numbers"])
    return {row: found[rule] for row, rule in wanted.items()}


def as_table(rows):
    """Intervals in figures."""
    return table({
        row: dict(zip(("lead", "from", "to"), found))
        for row, found in rows.items()
    }, "+.2f", corner="nats per token (95 % over trainings)")

# %% [markdown]
# ## 11.1 The same text again
#
# A student has 96 blocks of text, some twelve thousand tokens. After 96 steps
# it has read each of them four times. Should it go on?
#
# **Predict**: four times the steps, the same text. What happens to the loss on
# *new* text, with a teacher and without? And would as many steps on text that
# it has never read do better than the teacher?

# %%
print("tokens:", f"{96 * pocket.BLOCK:,}")
print("times that each block is read:",
      96 * pocket.BATCH // 96, "and, if patient,", 4 * 96 * pocket.BATCH // 96)
exams("patience", loss="loss")

# %%
as_table(leads("patience", {
    "with the teacher: patient over not":
        "loss: taught, patient better than taught by more than 0.1",
    "without: patient over not":
        "loss: alone, patient better than alone",
    "patient with the teacher over new text without":
        "loss: taught, patient better than alone, new text",
}))

# %% [markdown]
# With the teacher, the patient student gains a lot; without one, it gains
# nothing: what it goes on to learn is its lesson by heart. (It was judged at
# the best of eight looks, so the harm of going on is left out.) A distribution
# says something of every word at every place, and a student as small as this
# one is not done with that after four rounds.
#
# But the third row is the one for which a budget is made. As many steps on
# *new* text, without any teacher, end at the same place as nearly as five
# trainings can tell. Patience makes up for text that cannot be had. It is no
# reason not to look for text.
#
# (Beyer et al. 2022 found in pictures that "a good teacher is patient", with
# thousands of rounds, and crops and mixtures of images that are new in each
# round. Text cannot be cropped without changing what it says. The gain is
# there without that.)

# %% [markdown]
# ## 11.2 More text
#
# A lesson of a few thousand tokens, of ten thousand, of fifty, of two hundred:
# the student with a teacher reads each for some steps, and the one without for
# as many *operations*, the teacher's reading counted. That is more steps, and
# the best of its eight looks is kept.
#
# **Predict**: from which size on does the student do without its teacher?

# %%
SIZES = [int(size) for size in claim("crossover").settings["sizes"]]
table({
    f"{size * pocket.BLOCK:,} tokens": {
        "with the teacher": of("crossover", f"taught {size}"),
        "without, equal operations": of("crossover", f"alone {size}")}
    for size in SIZES
}, corner="three trainings (95 %)")

# %%
def bands(who):
    """At every size the mean over the trainings, with its interval."""
    found = [interval(shipped("crossover")["numbers"][f"{who} {size}"]["loss"])
             for size in SIZES]
    return tuple(zip(*found))


curves([size * pocket.BLOCK for size in SIZES],
       {"with the teacher": bands("taught"), "alone": bands("alone")},
       xlabel="tokens of the lesson", ylabel="loss on new text", logx=True,
       alt=words("11-crossover"))

# %%
as_table(leads("crossover", {
    f"{size * pocket.BLOCK:,} tokens: teacher over none":
        f"loss: taught {size} better than alone {size}"
    for size in SIZES
}))

# %% [markdown]
# The lines cross. On the smallest lessons the teacher is worth more than half
# a nat; on the largest, the student without one is ahead, in every training.
# Busbridge et al. (2025) found the same with far larger models: with enough
# text or computing, learning from text alone wins, unless the teacher is there
# already or serves several students.
#
# So far the first draft of this section. Then somebody asked who had decided
# that the teacher should be asked about all of the text.
#
# **Predict**, or recall from section 7.8: for the same operations as on the
# largest lesson, let teacher and student read half of it, or a quarter, and let
# the student take more steps. Who is ahead? And if the student without a
# teacher reads new text in each of its steps?

# %%
as_table(leads("crossover", {
    "largest lesson: none over teacher":
        "loss: alone 1536 better than taught 1536",
    "none over teacher, which reads half":
        "loss: alone 1536 better than split 768",
    "teacher, which reads a quarter, over none":
        "loss: split 384 better than alone 1536",
    "new text and none, over teacher, which reads half":
        "loss: new 11784 better than split 768",
    "new text, over triples counted in it":
        "loss: new 11784 better than counted 11784",
}))

# %%
for arm in ("split 768", "alone 1536", "new 11784"):
    print(f"{arm:10}", claim("crossover").arms[arm].words)
print(f"new text over half of the lesson: {11784 / 768:.0f} times")

# %% [markdown]
# The student with a teacher is ahead of the one that reads the same text, and
# more, without it. The crossing was made by a choice of ours that nobody had
# tuned: either that text had been read too seldom, or its student stopped too
# early; these arms do not separate the two. From new text in every step, three
# trainings cannot tell it.
#
# So the parts of the claim's rule disagree. Two hold, and the third, which was
# added after this run, comes out the other way: *undecided*. What the teacher
# saves at this budget is text for the *student*. It has itself read all of the
# new text, and more than that.
#
# The last row says what all of that is worth. Who has so much text need not
# train a net of this size at all: a table of triples, counted in it, is ahead
# of every student in this section. It is also several times larger (chapter 7
# weighs the bytes).
#
# Much turns on *already there*, besides. Here the teacher's reading is paid; its
# own training is in nobody's budget. Whoever has its outputs on disk pays less.
# Whoever has to train a teacher for this one student pays more.

# %%
exercise("more-text-or-a-teacher")

# %%
# exercise: more-text-or-a-teacher
answer = ...  # one letter of a, b, c, d
exercise("more-text-or-a-teacher").check(answer)

# %% [markdown]
# ## 11.3 A larger teacher
#
# *A better teacher can make a worse student*: the capacity gap (Mirzadeh et
# al. 2020) is among the most repeated sentences of the field. First to what
# can be settled by an argument. The exam is the cross-entropy on text by
# truth P; the forward KL is the loss. If the teacher *is* the truth, the
# student that is trained to the end minimises its own exam, whatever its size.
# No other teacher can do better.
#
# **Predict**: and if the exam asks for the *favourite* word instead?

# %%
predict("11-favourite")

# %%
LANGUAGES, FEATURES = 10, 3
names = "a b c d e f g h i j k ."
truth = torch.stack([
    random_world(names, seed=seed, scale=1.5).log_rows()
    for seed in range(LANGUAGES)])
draws = torch.Generator().manual_seed(0)
shape = (LANGUAGES, truth.shape[1], 1 + FEATURES)
features = torch.randn(shape, generator=draws, dtype=truth.dtype)
features[..., 0] = 1.0

# %%
def taught_by(log_p):
    """The best student of a teacher: its logits are linear in few features."""
    weights = torch.zeros(LANGUAGES, 1 + FEATURES, truth.shape[-1],
                          dtype=truth.dtype, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=200,
                                  line_search_fn="strong_wolfe")

    def loss():
        optimizer.zero_grad()
        value = forward_kl(log_p, (features @ weights).log_softmax(-1)).mean()
        value.backward()
        return value

    optimizer.step(loss)
    return (features @ weights).log_softmax(-1).detach()

# %%
rows = {}
for temperature in (0.25, 0.5, 1.0, 2.0):
    teacher = (truth / temperature).log_softmax(-1)
    student = taught_by(teacher)
    same = student.argmax(-1) == truth.argmax(-1)
    rows[f"the truth at temperature {temperature}"] = {
        "teacher's KL": forward_kl(truth, teacher).mean(),
        "student's KL": forward_kl(truth, student).mean(),
        "student's favourite right": f"{same.double().mean():.0%}",
    }
table(rows, ".2f", corner=f"mean of {LANGUAGES} languages")

# %% [markdown]
# In the loss, the truth is the best teacher, as it must be. In the favourite,
# the sharpest teacher is best, although it is by far the worst of the four in
# its own loss. With few features a student cannot have everything, and a
# sharp teacher tells it what to give up. So *better* and *worse* need an exam,
# and a capacity gap that was measured in accuracy need not be one in nats.
#
# What an argument about the end of a training cannot settle is a training that
# ends early, on little text. That has to be tried. Mirzadeh et al. put an
# *assistant* of middle size between teacher and student. Here are two, cut out
# of the shipped teacher (section 11.7) and taught by it; and a teacher of the
# wide student's own shape, which has learned from text alone. All of them have
# read the text from which the lesson is taken.
#
# **Predict**: which of the four makes the best student, and does it depend on
# the student's width?

# %%
predict("11-assistants")

# %%
STUDENTS = ("narrow", "wide")
TEACHERS = ("shipped", "three blocks", "two half blocks", "small")
table({
    teacher: {"its own loss": of("capacity-gap", f"wide, {teacher}",
                                 "teacher's loss").split(" ")[0]}
    | {f"{student} student": of("capacity-gap", f"{student}, {teacher}")
       for student in STUDENTS}
    for teacher in TEACHERS
}, corner="teacher")

# %%
as_table(leads("capacity-gap", {
    f"{student}: {first} over {second}":
        f"loss: {student}, {first} better than {student}, {second}"
    for student in STUDENTS
    for first, second in (("three blocks", "shipped"),
                          ("two half blocks", "shipped"),
                          ("shipped", "small"))
}))

# %% [markdown]
# The shipped teacher is the best reader by far, and the assistants make better
# students. The claim is *reproduced*. For the wide student even the small
# teacher, the worst reader of the four, is better than the shipped one. (For
# the narrow one the sweep ended at a rate at which some trainings fail; its
# interval decides nothing.) But look at the explanation. A *capacity* gap
# should close for the student that has more capacity, and it does not: the wide
# student has it as well.
#
# So here is a rival: it is the *text* that is short. A teacher that reads far
# back says something else at each place, and a student that cannot see why
# takes that for noise, which averages out only over many places. A teacher like
# itself says only what the student can use. If that is so, the better teacher
# must win once there is more text.
#
# **Predict**: much more text, and more steps to read it. Who wins? And
# with as many steps, but no more text?

# %%
predict("11-more-text")

# %%
LESSONS = shipped("lesser-teacher")["settings"]["lessons"]
table({
    f"{blocks * pocket.BLOCK:,} tokens, {steps} steps": {
        f"taught by: {teacher}": of("lesser-teacher", f"{size}, {teacher}")
        for teacher in ("shipped", "small")}
    for size, (blocks, steps) in LESSONS.items()
}, corner="loss of the wide student")

# %%
as_table(leads("lesser-teacher", {
    "little text: small over shipped":
        "loss: little, small better than little, shipped",
    "little text, more steps: small over shipped":
        "loss: little, longer, small better than little, longer, shipped",
    "more text: shipped over small":
        "loss: more, shipped better than more, small",
}))

# %% [markdown]
# The order turns with the text. With more of it the student of the good reader
# is far ahead, and the student of the small one has come down to its teacher
# (5.46), where there is nothing more to learn. More steps alone do not turn it.
# So the gap of the first table was one of *text*: on little of it, a teacher
# that a student can follow is worth more than one that is right. (That the
# explanation foretold this does not prove it.)
#
# Cho and Hariharan (2019) blamed the capacity of the student, found that a
# teacher stopped early helps, and that a chain of assistants does not. Theirs
# were pictures and accuracy. Before you train an assistant, try more text.

# %% [markdown]
# ## 11.4 To agree and to be good
#
# A student is meant to become like its teacher (*fidelity*) and is used to
# read new text well. Those are two aims. Take a student of its teacher's own
# shape: it *could* become its teacher, number by number.
#
# **Predict**: on the very text that it is taught on, how often do the two find
# different words likeliest: after a short training, after a long one, after a
# long one with much more text, and after a short one that begins half-way?
# (*Agrees* is meant on new text, and so is the loss.)

# %%
predict("11-own-shape")

# %%
exams("fidelity", disagrees="disagreement on its lesson",
      agrees="agreement", loss="loss")

# %% [markdown]
# After a short training they disagree on every third token, although the
# student could be its teacher. With patience they disagree on very few of the
# lesson's tokens, and on few of new text's; with more text on fewer still; and
# the loss on new text comes down to that of the teacher itself (5.46). Begun
# half-way, a short training does nearly as well as a long one. So what stood
# between the two was time, text and the starting point, and no wall.
#
# Stanton et al. (2021) found that networks for pictures keep disagreeing with
# a teacher of their own shape, and named the optimisation as a reason. Our rule
# asked for a disagreement of more than a tenth after a long training. It is
# far from that, and yet the verdict reads *undecided*: a share cannot fall
# below zero, so the rule, written before the run, left no room for *opposite*.
# Rules can be bad. This one stays as it was, and you have been told.
#
# In this table those who agree more also read new text better. It need not be
# so: the teacher is far ahead of what the lesson alone can teach. Chapter 5 has
# teachers that know less, and students that are better for leaving them.

# %% [markdown]
# ## 11.5 What the teacher writes
#
# Instead of asking the teacher about given text, let it write. The cheapest
# use of that keeps its words alone: **sequence-level** distillation (Kim and
# Rush 2016), and the way in which most models of today learn from others: the
# teacher is an API, and what it writes is text. Each position costs the teacher
# one reading or one writing.
#
# **Predict**: four students, for as many teacher outputs. Order them: given
# texts with the teacher's distributions; the teacher's texts, words only; the
# teacher's texts and distributions; given texts, words only.

# %%
predict("11-words-or-distributions")

# %%
exams("sequence-level", loss="loss")

# %%
as_table(leads("sequence-level", {
    "distributions over the teacher's words":
        "loss: written, its words better than given, soft",
    "the teacher's words over given words":
        "loss: written, its words better than given, its words",
    "distributions on its texts over on given texts":
        "loss: written, soft better than given, soft",
}))

# %% [markdown]
# (The first row is negative: the teacher's words are behind its
# distributions.) What counts is whether the distributions are there, and not
# whose texts they stand on. A text by the teacher is worth a text by people,
# neither more nor less, as far as five trainings tell. That is a good bargain
# where there is no text, and a poor one where the distributions can be had.
#
# In translation, where the sentence is from, the teacher's *best* output was
# used: it is plainer and more alike from case to case than what people write,
# and a small student learns it more easily. Free text at temperature 1 has no
# best output. The verdict *opposite* holds here, not there.

# %%
exercise("one-text-an-input")

# %%
# exercise: one-text-an-input
answer = ...  # one letter of a, b, c, d
exercise("one-text-an-input").check(answer)

# %% [markdown]
# ## 11.6 A student as a draft
#
# A large model writes one token a pass, and a pass is slow because all its
# numbers must be read from memory. In **speculative sampling** (Leviathan et
# al. 2023) a small model drafts a few tokens, and the large one judges them all
# in one pass. It keeps a drafted token y with probability min(1, P(y) / Q(y)),
# up to the first that it rejects; in the place of that one it draws from what Q
# gave too little.
#
# **Predict**: the small model is not a good one. Which language comes out?

# %%
predict("11-whose-language")

# %%
language = random_world(names, seed=0, scale=1.5)
other = random_world(names, seed=1, scale=1.5)
draws = torch.Generator().manual_seed(0)
ROWS = 20_000
texts = torch.zeros(ROWS, 1, dtype=torch.int64)
passed = speculative_pass(language, other, texts, 1, draws)
out = passed.tokens[:, 0].bincount(minlength=language.vocab_size) / ROWS
p, q = (world.next_log_probs(texts[:1])[0].exp()
        for world in (language, other))
far = {"the target": p, "the draft": q}
table({
    f"what came out, from {name}": {
        "total variation": (out - law).abs().sum() / 2}
    for name, law in far.items()
}, ".2f", corner=f"first token of {ROWS:,} passes")

# %% [markdown]
# The target's. The draft decides how fast it comes, and nothing else. How
# fast is a matter of what the two distributions share:
#
# $$\sum_y Q(y) \min\Bigl(1, \frac{P(y)}{Q(y)}\Bigr) = \sum_y \min(P(y), Q(y))
# = 1 - \mathrm{TV}(P, Q).$$

# %%
exercise("share-kept")

# %%
# exercise: share-kept
def share_kept(log_p, log_q):
    """The chance that P keeps what Q drafts. (..., V), (..., V) -> (...)"""
    raise NotImplementedError


exercise("share-kept").check(share_kept)

# %%
kept = (passed.accepted == 1).double().mean()
shared = 1 - total_variation(p.log(), q.log())
table({"kept of the drafts": {"share": kept},
       "1 - TV": {"share": shared}}, ".2f")

# %%
exercise("in-its-place")

# %%
# exercise: in-its-place
def in_its_place(log_p, log_q):
    """The law of a replaced token. (..., V), (..., V) -> (..., V)"""
    raise NotImplementedError


exercise("in-its-place").check(in_its_place)

# %%
exercise("tokens-a-pass")

# %%
# exercise: tokens-a-pass
answer = ...  # to 3 decimals
exercise("tokens-a-pass").check(answer)

# %% [markdown]
# A student of the teacher is the obvious draft. It could learn from the text
# alone, or from the teacher by one of three divergences; total variation is
# the very quantity that decides. And a table of three tokens, counted in the
# same text, drafts for nothing.
#
# **Predict**: four tokens are drafted before each pass. How many are kept, for
# which draft?

# %%
exams("drafts", kept="kept")

# %%
found = claim("drafts").intervals(shipped("drafts")["numbers"])
intervals({rule.removeprefix("kept: "): lead for rule, lead in found.items()},
          xlabel="lead in tokens kept of 4, a pass", baseline={"level": 0.0},
          alt=words("11-drafts"))

# %% [markdown]
# A student that has learned from its teacher drafts better than one that has
# learned from the text alone, for as many steps and for as many operations.
# That is what Zhou et al. (2024) found, too. Training on total variation, the
# quantity itself, gains nothing over forward KL that five trainings could
# show; and it leaves a model whose loss is the worst of all.
#
# The last row of the first table takes some of the shine off: a table of counts
# drafts as well as that student, as far as five trainings tell, and costs
# neither a training nor a matrix product. It is a student that has read its
# lesson four times. With four times the steps it leaves the table far behind.
# So count before you train a draft, and train it for long enough to be worth
# its place.

# %% [markdown]
# ## 11.7 A student cut out of its teacher
#
# A student need not begin with nothing. **Pruning** leaves out blocks of the
# teacher, or neurons, and what is left is taught by the whole (Minitron,
# Muralidharan et al. 2024). Which blocks can go? One that merely passes its
# input on: the angle between what goes into a block and what comes out is its
# *influence* (ShortGPT, Men et al. 2024).
#
# **Predict**: the shipped teacher has five blocks. Which can go at the least
# cost? Does the angle know it?

# %%
predict("11-missing-block")

# %%
teacher, lesson = pocket.teacher(), pocket.lesson(8)


def without(*blocks):
    """The teacher's loss on some text when these blocks are left out."""
    log_p = log_probabilities_without(teacher, lesson.ids, set(blocks))
    return -log_p[:, :-1].gather(-1, lesson.ids[:, 1:, None]).mean()


influence = block_influence(teacher, lesson.ids)
table({
    f"without block {number}": {
        "influence": angle, "loss": without(number)}
    for number, angle in enumerate(influence)
} | {"whole": {"influence": None, "loss": without()}}, ".2f")

# %% [markdown]
# Without its first block the model has lost its language; any of the middle
# ones can be missed far better. The angle sees the first and the last and ranks
# those between in another order than the loss does. So `kdlib` takes the angle
# for a shortlist and tries out what is near the line. (`kdlib distill smollm2`
# cuts its student this way, with `--student.pruning.layers`.)
#
# And what is the cut worth? The claim `pruned` keeps two blocks of the teacher
# and some of the neurons in each. From there it trains on with the teacher, or
# without; and so it does from new weights in the same shape.
#
# **Predict** the order of these four. Two more have no teacher, but four times
# the text and the steps: where do they belong?

# %%
predict("11-cut-or-new")

# %%
exams("pruned", loss="loss")

# %%
as_table(leads("pruned", {
    "after the cut, teacher over none":
        "loss: pruned, taught better than pruned, alone",
    "after the cut, teacher over more text":
        "loss: pruned, taught better than pruned, alone, more",
    "new weights, teacher over none":
        "loss: new, taught better than new, alone",
    "cut without a teacher, over new with one":
        "loss: pruned, alone better than new, taught",
}))

# %% [markdown]
# What the student brings along is worth far more than what it is taught: cut
# out and left alone with the text, it is ahead of a new student that has the
# teacher. It brings what the teacher has read, and that is much more than this
# lesson. The teacher is worth something after the cut, too; but a cut student
# that reads on alone, with more text in more steps, comes close. (Operations are
# not equal here: the long arms cost more.) So *the same shape from new weights*
# is a weak rival of a pruned student. The strong one is the cut itself, with
# more text.

# %% [markdown]
# ## 11.8 A student with another tokenizer
#
# All that came so far needs one vocabulary. A student that cuts the text
# otherwise has no slot for the teacher's tokens. But both read the same
# characters, and wherever two cuts meet, a **span** ends for both.

# %%
text = "the undistilled"
theirs = [(0, 3), (3, 6), (6, 12), (12, 15)]  # the| un|distil|led
mine = [(0, 3), (3, 4), (4, 9), (9, 12), (12, 15)]  # the| |undis|til|led
spans = align_spans(theirs, mine)
for who, cut, numbers in zip(("teacher", "student"), (theirs, mine), spans):
    print(f"{who:8}", " ".join(
        f"{text[a:b]!r}:{n}" for (a, b), n in zip(cut, numbers)))

# %% [markdown]
# Of a span both models can say how likely they find it: the product over its
# tokens. That is a coin, *this span or another one*, and two coins have a KL
# (Minixhofer et al. 2025).
#
# **Predict**: how much of what the distributions differ by is left in the
# coins, if every span is one word?

# %%
predict("11-coins")

# %%
rows = {}
for share in (0.05, 0.2, 0.4):
    student = (((1 - share) * truth.exp() + share * truth.roll(1, 0).exp())
               .log())
    whole = forward_kl(truth, student).mean((0, 1))
    coins = (truth.exp() * bernoulli_kl(truth, student)).sum(-1).mean((0, 1))
    rows[f"{share:.0%} of another language"] = {
        "KL of the words": whole, "of the coins": coins,
        "left": f"{coins / whole:.0%}"}
table(rows, ".3f", corner=f"mean of {LANGUAGES} languages")

# %% [markdown]
# A coin knows how likely the word was that stands there, and nothing of those
# that do not. So give such a student labels as well: `--cross-tokenizer True`
# with an `--objective.weight` below one. And expect little. If the student can
# be given its teacher's tokenizer, do that instead.

# %% [markdown]
# ## 11.9 Records, not only text
#
# Most people who distil have no books but **records**: chats, or prompts with
# their answers. A chat template turns a record into text. Here is the plain
# one, for a model that came without:

# %%
from kdlib.models.folders import load_tokenizer
from kdlib.models.locate import find_model
from kdlib.records.marked import marked
from kdlib.records.record import Turn, new_record
from kdlib.records.rows import encode
from kdlib.records.template import ChatTemplate

tokenizer = load_tokenizer(find_model("pocket"))
template = ChatTemplate(tokenizer)
chat = new_record("chat", [
    Turn("user", "Who passes the budget?"),
    Turn("assistant", "The Congress does."),
    Turn("user", "And who signs it?"),
    Turn("assistant", "The President."),
])
print(template.render(chat.turns).text)

# %% [markdown]
# The student is to learn to answer, not to ask. So the loss counts the tokens
# of the answers alone.
#
# **Predict**: of *Assistant*, the colon, *The*, the `<|endoftext|>` behind an
# answer and the line break behind that, which ones count?

# %%
predict("11-what-counts")

# %%
read = encode(chat, template)
print(marked(read, template))

# %% [markdown]
# *The* counts, with the space before it: it is the first token that the model
# has to find by itself. So does `<|endoftext|>`. The word *Assistant* is
# written by whoever asks, and the line break comes when the answer is over.
#
# Four ways to get this wrong, all of them from real code. Each is a mask that
# is nearly right.
#
# **Predict**: which one teaches a student that never stops? Which one trains
# on the most tokens?

# %%
answer = torch.from_numpy(read.answer) > 0
both = answer[:-1] & answer[1:]  # read *and* predicted within an answer
stop = torch.from_numpy(read.ids) == tokenizer.eos_token_id
last = torch.from_numpy(read.answer) == int(read.answer.max())
ways = {
    "the answers": answer[1:], "everything": torch.ones_like(answer[1:]),
    "without the stop tokens": (answer & ~stop)[1:],
    "a mask of what is read, too": both, "the last answer": last[1:],
}
table({name: {
    "counted": int(counts.sum()),
    "stop tokens": int((counts & stop[1:] & answer[1:]).sum()),
    "first tokens": int((counts & ~answer[:-1] & answer[1:]).sum()),
    "asked": int((counts & ~answer[1:]).sum()),
} for name, counts in ways.items()}, "d", corner="what counts")

# %% [markdown]
# Without the stop tokens a student says the right thing and goes on talking.
# A mask that drops a token both as read and as predicted, as a mask of padding
# does, loses the first token of every answer: the one that decides what kind of
# answer it is. Counting everything spends most of the loss on questions. And a
# template that strips earlier answers once another turn follows makes only the
# last one safe to count: `kdlib` refuses such a template unless it marks its
# answers.
#
# `kdlib show RECIPE --records FILE` prints your own records like this. Look
# before you train.
#
# ### Four arms and a fifth
#
# Now the question is whose answers to learn, and from what. The answers are
# *given* in the records, or *written* by the teacher (`kdlib write`). The
# student learns their words alone, which is supervised fine-tuning, **SFT**;
# or the teacher's *soft* distributions along them. That makes four. The fifth
# is SFT on the given answers for as many operations as the soft targets take,
# the teacher's reading included.
#
# The records are a few hundred additions with their working, and all given
# answers are right. A program checks what a student answers to new questions.
#
# **Predict**: which of the five gets most answers right? Which least?

# %%
exams("four-arms", right="right", loss="loss")

# %%
table({
    row: dict(zip(("more right", "from", "to"), found))
    for row, found in leads("four-arms", {
        "soft, given over SFT of equal compute":
            "right: soft, given better than SFT, equal compute",
        "soft, given over SFT of equal steps":
            "right: soft, given better than SFT",
        "the teacher's answers over the given ones":
            "right: SFT, written better than SFT",
        "soft, written over SFT, written":
            "right: soft, written better than SFT, written",
        "soft, given over soft, written":
            "right: soft, given better than soft, written",
    }).items()
}, "+.2f", corner="share of the answers (95 % over trainings)")

# %% [markdown]
# Every interval holds zero: nothing can be told apart, and the claim that the
# soft targets win is *undecided*. Why are the intervals so wide?

# %%
right = {arm: found["right"]
         for arm, found in shipped("four-arms")["numbers"].items()}
table({arm: {"worst": min(each), "best": max(each)}
       for arm, each in right.items()}, ".2f", corner="of five trainings")

# %%
print("soft, given ahead of SFT of equal compute, one training of each:",
      sum(soft > hard for soft in right["soft, given"]
          for hard in right["SFT, equal compute"]), "of 25")

# %% [markdown]
# A student learns to carry within its steps, or it does not yet: that is
# decided by its seed more than by its arm. Whoever trains one of each can
# publish either verdict.
#
# In section 11.5 distributions were half a nat ahead of words; here they are
# not. One guess is that an addition has one right answer, which the records
# give, and a teacher that is sure of it has nothing to add. Free text has no
# right answer, and chapter 6 has labels that are wrong. So ask of your own
# records what the teacher knows beyond them, and train the SFT.

# %%
exercise("a-plan-for-a-phone")

# %%
# exercise: a-plan-for-a-phone
answer = """
...
"""
ticked = ...  # after the first check: the points that you made, such as [1, 3]
exercise("a-plan-for-a-phone").check(answer, ticked=ticked)

# %%
from kdlib.exercises import print_progress

print_progress(11)

# %%
foreseen("11")

# %% [markdown]
# ## Summary
#
# - With its teacher a student gains by reading the same text again; without
#   one it learns that text by heart.
# - As many steps on text that it has not read before, without a teacher, end
#   as low as patience with one, as far as five trainings tell.
# - At equal operations the teacher wins on little text; on much of it a student
#   that reads all of it once with its teacher loses to one without, and one that
#   reads a part of it with its teacher, in more steps, wins. From that one, three
#   trainings cannot tell a student that reads fifteen times as much new text
#   alone.
# - In the loss no teacher beats the truth, for a student that is trained to
#   the end; in the favourite word a sharper teacher does, although it is the
#   worse one.
# - On little text the best reader is not the best teacher, neither of a narrow
#   student nor of a wide one; with more text it is.
# - A student of its teacher's own shape comes to agree with it, given time, text
#   and a good start.
# - Distributions teach more than words, on whosever texts they stand; the
#   teacher's words alone teach as given words do.
# - On additions with right answers, five trainings cannot tell whether a teacher
#   helps: within each arm they differ by more than the arms do.
# - In speculative sampling the draft decides how fast a text comes, not which
#   language it is in.
# - A draft that has learned from its target is kept more often than one that
#   has learned from text; after a short training a table of counts is kept as
#   often, after a long one it is not.
# - A student that is cut out of its teacher and reads on alone is far ahead of a
#   new one that has the teacher. After the cut the teacher still helps, and four
#   times the text in four times the steps, without it, comes close.
# - The coins of two cuts keep a small part of what two distributions differ by.
#
# ## Further reading
#
# - Beyer et al. (2022), "Knowledge distillation: A good teacher is patient and
#   consistent".
# - Busbridge et al. (2025), "Distillation Scaling Laws": where a teacher pays,
#   over data and computing.
# - Mirzadeh et al. (2020), "Improved Knowledge Distillation via Teacher
#   Assistant"; Cho and Hariharan (2019), "On the Efficacy of Knowledge
#   Distillation": teachers that are too large.
# - Stanton et al. (2021), "Does Knowledge Distillation Really Work?": fidelity
#   against generalisation.
# - Kim and Rush (2016), "Sequence-Level Knowledge Distillation".
# - Leviathan, Kalman and Matias (2023), "Fast Inference from Transformers via
#   Speculative Decoding"; Chen et al. (2023), "Accelerating Large Language
#   Model Decoding with Speculative Sampling"; Zhou et al. (2024), "DistillSpec".
# - Muralidharan et al. (2024), "Compact Language Models via Pruning and
#   Knowledge Distillation"; Men et al. (2024), "ShortGPT".
# - Minixhofer, Vulić and Ponti (2025), "Universal Cross-Tokenizer Distillation
#   via Approximate Likelihood Matching".
