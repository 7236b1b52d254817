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
# # 7. Distilling a language model
#
# The chapters so far took distillation apart. This one does the whole job on
# real text: plan, data, teacher, student, objective, loop, exam. All of it
# happens in cells that you can change. A student is soon trained; the work is
# to find out what its teacher was worth. Four rivals will say: the same
# student without a teacher, the same again for as many operations, the same
# with new text, and a table that only counts.
#
# **After this chapter you can**
#
# - plan the compression of a language model for a phone, and defend each
#   choice (Q05);
# - find out how long a text your teacher can read before you let it teach;
# - write the training loop in twenty lines, and say what `kdlib.training`
#   adds;
# - build rivals of equal steps and of equal compute, and spot unfair ones;
# - say what the numbers of such an experiment show, and what they do not;
# - run the same job as one command, and set its flags for a GPU.
#
# **Time**: about 2 h 40 min with the exercises. **Assumes**: F1 (chapter 2),
# the forward KL, F5 (chapter 4), lambda and alpha (chapter 5).

# %%
import contextlib
import copy
import io
import math
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor

import numpy
import torch

from kdlib.claims.record import shipped
from kdlib.claims.registry import claim
from kdlib.claims.rules import interval
from kdlib.data.blocks import Blocks, make_blocks
from kdlib.data.documents import load_splits
from kdlib.data.shares import take_fraction, take_pieces
from kdlib.exercises import exercise, foreseen, predict
from kdlib.models.folders import POCKET_TEACHER, load_model, load_tokenizer

# %%
from kdlib.losses.alignment import next_token
from kdlib.losses.objectives import Objective
from kdlib.models.from_scratch import ModelSize, new_model, parameter_count
from kdlib.models.frozen import check_pair, freeze
from kdlib.models.ngram import NGram
from kdlib.models.vocabularies import check_same_tokens
from kdlib.plots import curves, intervals, table, words
from kdlib.plots.chapter_07 import frontier
from kdlib.training.student_with_loss import StudentWithLoss


def without_bars():
    """Progress bars are for terminals; a page has no use for them."""
    return contextlib.redirect_stderr(io.StringIO())


# %% [markdown]
# ## 7.1 The plan
#
# A model that knows presidential messages is to run on a phone. The app has a
# million bytes left for its weights. **Predict:** what decides the size of
# the student: the teacher, the data or the phone?

# %%
VOCABULARY = 4096  # the teacher's tokens
PHONE_BYTES = 1_000_000
BYTES_A_WEIGHT = 2  # stored in bfloat16


def small(width):
    return ModelSize(width, layers=2, heads=2, initial_std=0.09)


def fits(size):
    return "fits" if size <= PHONE_BYTES else "too large"


# %%
rows = {}
for width in (32, 64, 96, 128):
    count = parameter_count(new_model(small(width), VOCABULARY, 256, seed=0))
    size = BYTES_A_WEIGHT * count
    rows[f"width {width}"] = {
        "parameters": f"{count:,}",
        "in the token table": f"{VOCABULARY * width / count:.0%}",
        "bytes": f"{size:,}", "on the phone": fits(size)}
table(rows)

# %% [markdown]
# The phone decides, before any taste. At these sizes most parameters are in
# the table of tokens, which serves as input and as output layer. That is the
# price of the teacher's tokenizer, and it has to be paid: the KL compares the
# two models token by token.
#
# Here is the whole plan, as you might sign it:

# %%
SIZE = small(64)
PLAN = {
    "student": f"{SIZE.layers} layers of width {SIZE.width}: what fits",
    "tokenizer": "the teacher's own, so that both speak of the same tokens",
    "teacher": "the best reader of such texts that we have, frozen",
    "data": "texts like those of the users, labels not needed",
    "objective": "F1 with KL(P‖Q) at every position",
    "exam": "whole documents that neither model has read",
    "controls": "the same student, no teacher: equal steps, equal compute",
    "baseline": "a table of counts of the same text",
    "repeats": "five seeds",
    "if it fails": "ship the best rival that fits",
}
table({part: {"choice": choice} for part, choice in PLAN.items()})

# %% [markdown]
# Most of the reasons are in earlier chapters:
#
# - *The teacher* may be as large as the server allows, since it never ships
#   (chapter 1). It must know the users' kind of text, or it teaches its
#   ignorance.
# - *The data* are inputs as the student will see them, D' and not D (chapter
#   2).
# - *The objective* matches whole distributions. The teacher's best string
#   would be cheaper, and would lose the rest (chapter 3). The forward KL makes
#   the student cover whatever the teacher finds possible (chapter 4).
# - *No label term*: lambda is infinite, alpha is 1. With few labels and a good
#   teacher the best lambda is large (chapter 5).
# - *The last five lines* are the subject of this chapter. A plan without them
#   can succeed, but nobody will know.

# %%
exercise("plan-in-full")

# %%
# exercise: plan-in-full
answer = ...  # one letter of a, b, c, d, e
exercise("plan-in-full").check(answer)

# %% [markdown]
# ## 7.2 Who may read what
#
# The corpus has a message for nearly every year since 1790. Whole documents
# make three groups: *training*; *validation*, which decides about settings;
# *test*, which decides nothing and is looked at once.

# %%
messages = load_splits("sotu")
groups = {name: getattr(messages, name)
          for name in ("training", "validation", "test")}
tokenizer = load_tokenizer(POCKET_TEACHER)
bpe, END = tokenizer.backend_tokenizer, tokenizer.eos_token_id
table({
    name: {"documents": len(documents),
           "characters": f"{sum(len(d.text) for d in documents):,}"}
    for name, documents in groups.items()
})

# %% [markdown]
# **Predict.** Why whole documents? We could cut all texts into blocks and keep
# back every twentieth block. How would that exam be different?
#
# Here are both on the same text, a tenth of the training documents. In each,
# every block is kept back once: together with the rest of its document, or
# together with every twentieth block, for all twenty places at which one can
# begin to count. We count its phrases of six tokens, and ask how many of them
# can also be read outside of what is kept back.

# %%
predict("07-kept-back")

# %%
LENGTH, BLOCK = 6, 128  # tokens in a phrase, in a block
tenth = take_fraction(messages.training, 0.1)


def phrases(ids):
    return set(zip(*(ids[i:] for i in range(LENGTH))))


def encoded(documents):
    return [e.ids for e in bpe.encode_batch([d.text for d in documents])]


pieces = [(document, phrases(ids[i : i + BLOCK]))
          for document, ids in enumerate(encoded(tenth))
          for i in range(0, len(ids), BLOCK)]
everywhere = Counter(p for _, found in pieces for p in found)


# %%
def read_elsewhere(group_of):
    """For each document, the share of its phrases that other groups have."""
    within = defaultdict(Counter)
    for place, (document, found) in enumerate(pieces):
        within[group_of(place, document)].update(found)
    read, count = numpy.zeros((2, len(tenth)))
    for place, (document, found) in enumerate(pieces):
        group = within[group_of(place, document)]
        read[document] += sum(everywhere[p] > group[p] for p in found)
        count[document] += len(found)
    return read / count


# %%
by_document = read_elsewhere(lambda place, document: document)
by_block = read_elsewhere(lambda place, document: place % 20)
never_seen = [len(new & everywhere.keys()) / len(new)
              for new in map(phrases, encoded(messages.test))]
table({
    name: dict(zip(("mean", "from", "to"), interval(list(shares))))
    for name, shares in (
        ("kept back by documents", by_document),
        ("kept back by blocks", by_block),
        ("more by blocks, document by document", by_block - by_document),
        ("our test documents", never_seen))
}, ".1%", corner="phrases read elsewhere, 95 % over documents")

# %% [markdown]
# The phrases are the same in the first two rows; only the split differs. Kept
# back by blocks, more of them have been read, in the part of the same document
# that stayed. A message repeats its names, its topic and its turns of phrase,
# so an exam made of blocks pays for memory. The cure costs nothing: split by
# document first, cut into blocks afterwards.
#
# Even our exam is not clean in a strict sense. Presidents repeat themselves
# and one another, in every year. It measures *how well a model reads new
# messages of this kind*, and nothing else.
#
# Now the blocks. The student may read very little, since texts like those of
# the users are often few: 96 blocks of 128 tokens, taken evenly from that
# tenth. The exam is a piece of each test document, all of one length. A
# document is one draw of a text, so none may have a larger say than another.

# %%
def evenly(documents, count):
    """`count` blocks of BLOCK + 1 tokens, from the first to the last."""
    blocks = make_blocks(documents, bpe, BLOCK, END)
    some = torch.linspace(0, len(blocks) - 1, count).long()
    ids, mask = blocks.ids[some], blocks.mask[some]
    texts = tokenizer.batch_decode(ids[:, 1:], skip_special_tokens=True)
    return Blocks(ids, mask, sum(len(t.encode()) for t in texts))


# %%
lesson = evenly(tenth, 96)
validation = evenly(messages.validation, 24)
test = make_blocks(take_pieces(messages.test, 0.03), bpe, BLOCK, END)
table({
    name: {"blocks": len(some), "tokens to predict":
           f"{some.predicted_tokens:,}", "bytes": f"{some.bytes:,}"}
    for name, some in (("lesson", lesson), ("validation", validation),
                       ("test", test))
})

# %% [markdown]
# A block has one token more than it has predictions: the first token is only
# read. And the last block of a text is padded. **Predict:** padding is filled
# with the id of the end-of-text token, since this tokenizer has no other to
# spare. What happens if you find the padding by looking for that id?

# %%
rows = {}
for name, mask in (("the attention mask", lesson.mask),
                   ("id == end", (lesson.ids != END).long())):
    _, labels, counted = next_token(lesson.ids, lesson.ids, mask)
    rows[name] = {"predictions": counted.sum(), "of an end of text":
                  (labels[counted] == END).sum()}
table(rows, corner="padding found by")

# %% [markdown]
# Only a handful of predictions are lost, but every end of a text is among
# them. The mask knows, the id does not. A student that never meets an end in
# its loss never learns to stop.

# %%
exercise("bug-next-token-sum")

# %%
# exercise: bug-next-token-sum
def bug_next_token_sum(logits, ids, mask, eos):
    """Sum of the next-token losses over pairs of real tokens, and their number. -> (nats, count)"""
    raise NotImplementedError


exercise("bug-next-token-sum").check(bug_next_token_sum)

# %% [markdown]
# ## 7.3 The teacher and the student
#
# The teacher ships with the book: a Llama of five layers that was trained for
# more than an hour on the training documents. Before it teaches, it has to
# show what it can do.
#
# **Predict.** Five readers of the validation text: one that finds all tokens
# equally likely, one that has only counted the lesson's tokens, one that has
# counted its pairs and triples too, a student fresh from its random start, and
# the teacher. Which is the worst?
#
# (The table of triples falls back on pairs where it has not seen a triple, and
# on single tokens where it has not seen a pair: Kneser and Ney's method. It
# takes no gradient and reads the lesson once.)

# %%
predict("07-five-readers")

# %%
FROM_TEXT = Objective.from_alpha(0.0)  # the text's tokens only
teacher = freeze(load_model(POCKET_TEACHER))
fresh = new_model(SIZE, VOCABULARY, 2 * BLOCK, seed=0)


@torch.no_grad()
def nats(model, blocks):
    """Cross-entropy per counted token."""
    read = StudentWithLoss(model)
    losses = [read(blocks.ids[some], blocks.counted(some), FROM_TEXT)
              for some in torch.arange(len(blocks)).split(16)]
    total = sum(loss.total for loss in losses)
    return (total / sum(loss.count for loss in losses)).item()


def counted_in(blocks, order):
    """A table of counts of up to `order` tokens in a row."""
    return NGram.fit(blocks.ids, blocks.mask, VOCABULARY, order)


# %%
def nats_of_table(counts, blocks):
    return counts.nll(blocks.ids, blocks.mask).sum() / blocks.predicted_tokens


readers = {
    "random start": nats(fresh, validation),
    "all alike": math.log(VOCABULARY),
    "single tokens, counted":
        nats_of_table(counted_in(lesson, 1), validation),
    "triples, counted": nats_of_table(counted_in(lesson, 3), validation),
    "teacher": nats(teacher, validation),
}
table({name: {"nats per token": value} for name, value in readers.items()},
      ".2f")

# %% [markdown]
# The random start is worse than knowing nothing: any opinion that is not
# knowledge costs. Everything below has to be read on this scale. To be worth
# its place, a net must beat *counting*.
#
# ### How long a text can it read?
#
# The teacher was trained on blocks of 256 tokens. Nothing in its arithmetic
# stops it from reading more: its positions are angles, which can be computed
# for any number. So take the last 32 tokens of some stretches of the
# validation documents, and let the teacher read more or less of what comes
# before them. The tokens that count are always the same.
#
# **Predict** the curve from 0 to 416 tokens before: where does it fall, where
# is it flat, and what happens beyond 224?

# %%
predict("07-longer-than-trained")

# %%
LAST, LONGEST = 32, 416
stretches = torch.tensor([
    ids[start : start + LONGEST + LAST + 1]
    for ids in encoded(messages.validation) for start in (100, 700)
])


@torch.no_grad()
def with_context(before):
    """Teacher's nats on the last 32 tokens, for each document."""
    ids = stretches[:, LONGEST - before :]
    kept = [teacher(input_ids=some[:, :-1], logits_to_keep=LAST).logits
            for some in ids.split(8)]
    log_p = torch.cat(kept).log_softmax(dim=-1)
    losses = -log_p.gather(-1, ids[:, -LAST:, None])
    return losses.reshape(len(messages.validation), -1).mean(1)


# %%
CONTEXTS = (0, 8, 32, 96, 160, 224, 288, 352, 416)
by_context = {before: with_context(before) for before in CONTEXTS}
curves(
    CONTEXTS,
    {"teacher": [losses.mean() for losses in by_context.values()]},
    xlabel="tokens read before the 32 that count", ylabel="nats per token",
    mark={"256 read": 256 - LAST}, alt=words("07-context"),
)

# %%
def gains(less, more):
    """Of reading more: mean and 95 % interval over the documents."""
    losses = (by_context[less] - by_context[more]).tolist()
    return dict(zip(("gain", "from", "to"), interval(losses)))


table({
    f"{more} tokens before in place of {less}": gains(less, more)
    for less, more in ((0, 32), (32, 224), (224, 288), (224, 416))
}, ".2f", corner="nats per token, 95 % over documents")

# %% [markdown]
# It lives on the last few dozen tokens. What comes before them helps very
# little, if at all. So this teacher cannot teach a student to use a long
# context, and blocks of 128 tokens lose next to nothing here. Another teacher
# would need another choice: measure before you cut.
#
# And beyond the length that it was trained on it falls off a cliff. It knows
# *less* with more to read, and no error says so: whoever distils it on long
# blocks gets the distributions of a reader that is lost. A model's
# `config.json` is what should say where the cliff is, and whether it does can
# be measured. This one's does, and `kdlib` refuses what goes beyond:

# %%
from kdlib.errors import UserError
from kdlib.jobs.checks import check_length
from kdlib.jobs.flags import parse
from kdlib.jobs.recipe import DistillOptions
from kdlib.jobs.recipe_files import load_recipe

asked = parse(DistillOptions, ["--data.block", "512"],
              DistillOptions(load_recipe("pocket")))
try:
    check_length("teacher", teacher, asked)
except UserError as error:
    print(error)

# %% [markdown]
# Before the first step there are four more things to check. Each of them
# trains without complaint and teaches nothing, or the wrong thing: a teacher
# in training mode, a teacher with gradients, parameters in common, unequal
# tokenizers. `check_pair` refuses the first three and unequal sizes;
# `check_same_tokens` compares the tokenizers entry by entry.

# %%
check_pair(teacher, fresh)
check_same_tokens(tokenizer, tokenizer)
assert len(tokenizer) == teacher.config.vocab_size == VOCABULARY
print("ready; every row of the token table belongs to a token")

# %%
exercise("bug-ready-to-distil")

# %%
# exercise: bug-ready-to-distil
def bug_ready_to_distil(teacher, student, teacher_ids, student_ids):
    """Whether the teacher is quiet, frozen, apart from the student, and reads the same ids."""
    raise NotImplementedError


exercise("bug-ready-to-distil").check(bug_ready_to_distil)

# %% [markdown]
# ## 7.4 The objective
#
# At every position: $\mathrm{KL}(P \| Q)$, at temperature 1. In the terms of
# chapter 5 that is alpha = 1.
#
# The student reads its lesson several times, and each time the teacher would
# say the same. So it is asked once, before the training. **Predict:** which of
# its numbers should be kept, so that nothing is lost and little is stored?

# %%
FROM_TEACHER = Objective.from_alpha(1.0)  # the teacher's numbers only
WIDTH = teacher.config.hidden_size
tokens = lesson.ids.numel()
table({
    name: {"numbers a token": numbers, "MB": 4 * tokens * numbers / 1e6}
    for name, numbers in (("logits", VOCABULARY),
                          ("last hidden states", WIDTH))
}, {"MB": ".1f"})

# %% [markdown]
# The teacher's logits are one matrix product of its last hidden states. Keep
# these and its output matrix, and every logit comes back when it is needed.
# `PrecomputedTargets` does so.

# %%
from kdlib.teachers.live import PrecomputedTargets

with without_bars():
    remembered = PrecomputedTargets(teacher, lesson)

rows = torch.arange(4)
with torch.no_grad():
    direct = teacher(input_ids=lesson.ids[rows]).logits
again = remembered(rows, lesson.ids[rows]).logits()
assert torch.allclose(direct, again, atol=1e-3)
print("the same logits:", tuple(again.shape))

# %% [markdown]
# A cache can be right and be read wrongly. One test finds nearly every mistake
# of this kind, and it takes a second: **let the teacher be its own student.**
# Its loss must be 0 at once. **Predict:** and if the rows have slipped by one
# block?

# %%
predict("07-slipped-rows")

# %%
@torch.no_grad()
def own_student(slip):
    """KL from the teacher's remembered answers to the teacher itself."""
    ids, counted = lesson.ids[rows], lesson.counted(rows)
    targets = remembered(rows + slip, ids)
    read = StudentWithLoss(teacher)
    return read(ids, counted, FROM_TEACHER, targets).mean.item()


assert abs(own_student(0)) < 1e-3 and own_student(1) > 3
table({f"rows slipped by {slip}": {"nats": abs(own_student(slip))}
       for slip in (0, 1)}, ".1f")

# %% [markdown]
# Slipped rows raise no error. The student would be trained to expect, in each
# text, the words of another one. Without this test the only symptom is that
# distillation "does not work on our data".
#
# One more trap is the shape of the logits. Many models round their output
# layer up to a handy size, and teacher and student not to the same. Ours have
# no such slots, as a cell of section 7.3 has made sure. Where they exist, they
# must have probability 0 in both models:

# %%
exercise("bug-padded-kl")

# %%
# exercise: bug-padded-kl
def bug_padded_kl(teacher_logits, student_logits, words):
    """KL from teacher to student over the tokens that exist. (..., V1), (..., V2) -> (...)"""
    raise NotImplementedError


exercise("bug-padded-kl").check(bug_padded_kl)

# %% [markdown]
# ## 7.5 The loop
#
# All that is left is the loop. Only the answers differ between a student and
# its control:

# %%
from torch.nn.utils import clip_grad_norm_

from kdlib.training.schedule import (
    Training, learning_rate, make_optimizer, rows_of_step, set_learning_rate,
)

TRAINING = Training(
    steps=96, batch=4, learning_rate=0.012, validate_every=24
)
epochs = TRAINING.steps * TRAINING.batch / len(lesson)
visited = TRAINING.steps * TRAINING.batch * BLOCK
print(f"{visited:,} tokens, so the lesson is read {epochs:.0f} times")


# %%
def learning(model, seed, blocks, training, answers=None):
    """Train a new model, with answers of the teacher or without any."""
    check_pair(teacher, model)
    objective = FROM_TEACHER if answers else FROM_TEXT
    learner = StudentWithLoss(model)
    optimizer = make_optimizer(model, training)
    for step in range(training.steps):
        set_learning_rate(optimizer, learning_rate(step, training))
        rows = rows_of_step(step, len(blocks), training.batch, seed)
        ids, counted = blocks.ids[rows], blocks.counted(rows)
        targets = answers(rows, ids) if answers else None
        learner(ids, counted, objective, targets).mean.backward()
        clip_grad_norm_(model.parameters(), training.clip)
        optimizer.step()
        optimizer.zero_grad()
        if (step + 1) % training.validate_every == 0:
            yield step + 1, model


# %% [markdown]
# `StudentWithLoss` has its loss inside: it shifts ids and targets by one,
# leaves out the positions that do not count, and returns a total and a count.
# `.mean` divides them, once. AdamW, a warm-up of the learning rate, a cosine
# down, and clipping are what most small language models are trained with.
#
# If a step does not fit into memory, it is cut into micro-batches. Then the
# one division has to wait for the count of all of them:

# %%
exercise("bug-accumulate")

# %%
# exercise: bug-accumulate
def bug_accumulate(micro_batches):
    """Backpropagate the mean over all tokens, batch by batch, and return it. -> nats per token"""
    raise NotImplementedError


exercise("bug-accumulate").check(bug_accumulate)

# %% [markdown]
# `kdlib.training` is the same loop with what a long job needs. **Predict:** if
# both start from the same seed, how far apart are the two students after eight
# steps?

# %%
import dataclasses
import json
import tempfile
from pathlib import Path

from kdlib.machine.devices import make_accelerator
from kdlib.training.loop import train
from kdlib.training.phase import Phase
from kdlib.training.task import Task

# %%
short = dataclasses.replace(TRAINING, steps=8, validate_every=8)
ours, theirs = (new_model(SIZE, VOCABULARY, 2 * BLOCK, 0) for _ in range(2))
list(learning(ours, 0, lesson, short, remembered))

accelerator = make_accelerator("cpu", "fp32")
with tempfile.TemporaryDirectory() as folder, without_bars():
    phase = Phase("student", Path(folder), run="chapter 7", seed=0)
    task = Task(lesson, validation, FROM_TEACHER, short, remembered)
    train(theirs, task, phase, accelerator)
    lines = (Path(folder) / "metrics.jsonl").read_text().splitlines()

# %%
pairs = zip(ours.parameters(), theirs.parameters(), strict=True)
apart = max((a - b).abs().max().item() for a, b in pairs)
moved = ours.model.embed_tokens.weight - fresh.model.embed_tokens.weight
assert apart < 1e-3 < 1e-2 < moved.abs().max()
last = json.loads(lines[-1])
assert {"step", "loss", "validation", "learning_rate"} <= set(last)
print(f"the same student, and a log up to step {last['step']}")

# %% [markdown]
# The two are the same to rounding. What the long way adds is not in the
# mathematics:
#
# - a checkpoint in one file, written whole or not at all; Ctrl-C saves, and a
#   resumed run takes the same steps as one that never stopped;
# - a stop when the loss is no longer a number, with the last good state kept;
# - micro-batches and several processes, with the same gradient; mixed
#   precision;
# - the log.

# %% [markdown]
# ## 7.6 Rivals, and what they may cost
#
# What is the teacher worth? Four rivals ask it in different ways.
#
# - **Equal steps**: the same student without a teacher. Same size, same start,
#   same blocks in the same order, same settings. It asks what the teacher's
#   answers are worth *if they cost nothing*.
# - **Equal compute**: without a teacher, for as many steps as the operations
#   of teacher and student together would pay for.
# - **New text**: whoever does without a teacher may read on instead of reading
#   the same lesson again. That is fair where text is plentiful, and impossible
#   where it is not. A student can have both, new text and a teacher.
# - **Counting**: the table of triples of section 7.3.
#
# How many steps are equal compute? Reading takes a model two operations for
# each token and parameter, learning from it four more. The student with a
# teacher also pays for the teacher's reading, once for each block of the
# lesson, and for the teacher's output layer at each visit. **Predict:** how
# many times as many operations as without the teacher: one and a half, twice,
# or more?

# %%
predict("07-equal-compute")

# %%
from kdlib.jobs.compute import operations_of

student_block = operations_of(fresh, lesson)
teacher_block = operations_of(teacher, lesson)


def price(steps, asked_about=0):
    """Operations of a training; the teacher was asked about some blocks."""
    visits = steps * TRAINING.batch
    learning = visits * student_block.training
    if not asked_about:
        return learning
    output_layer = visits * teacher_block.head
    return learning + output_layer + asked_about * teacher_block.body


# %%
a_visit = BLOCK * 1e6
table({
    "to learn": {"million operations": student_block.training / a_visit},
    "the teacher's output layer":
        {"million operations": teacher_block.head / a_visit},
    "the teacher's reading, shared by four visits":
        {"million operations": teacher_block.body / epochs / a_visit},
}, ".1f", corner="for each visit of a token")

# %%
paid = price(TRAINING.steps, len(lesson))
LONGER = dataclasses.replace(TRAINING, steps=paid // price(1))
assert LONGER.steps % TRAINING.validate_every == 0  # its end is looked at
print(f"{paid / price(TRAINING.steps):.1f} times as many")
print(f"equal steps: {TRAINING.steps}, equal compute: {LONGER.steps}")

# %% [markdown]
# A large teacher beside a small student is the expensive part, even though it
# is asked only once.
#
# Why operations, and not seconds? A machine that is busy while the control
# trains would give it fewer steps than it is owed. A count is the same on
# every machine and on every day. (It leaves out softmaxes and the optimiser's
# step, for all alike.)
#
# Training is judged on the validation text. Each model is kept as it was at
# its *best look* there, students and controls alike.

# %%
new = evenly(tenth, TRAINING.steps * TRAINING.batch)  # each block read once
plenty = evenly(tenth, LONGER.steps * LONGER.batch)
with without_bars():
    remembered_new = PrecomputedTargets(teacher, new)
KINDS = {
    "student": (lesson, TRAINING, remembered),
    "control, equal steps": (lesson, TRAINING),
    "student, new text": (new, TRAINING, remembered_new),
    "control, new text": (new, TRAINING),
    "equal compute, new text": (plenty, LONGER),
}
LONG_CONTROL = "control, equal compute"


# %%
def learn(model, job):
    """A model at its best look, and its losses by step."""
    kind, seed = job
    settings = KINDS.get(kind, (lesson, LONGER))
    course, best = {}, None
    for step, now in learning(model, seed, *settings):
        course[step] = nats(now, validation)
        if course[step] == min(course.values()):
            best = copy.deepcopy(now)
    return best, course


# %% [markdown]
# Five trainings of each, two at a time; of the control of equal compute on the
# same lesson one, since all we want of it is its course. **Predict** that
# course: it reads the same lesson again and again.

# %%
predict("07-same-lesson")

# %%
SEEDS = (0, 1, 2, 3, 4)
jobs = [(LONG_CONTROL, 0),
        *((kind, seed) for kind in reversed(KINDS) for seed in SEEDS)]
begun = [new_model(SIZE, VOCABULARY, 2 * BLOCK, seed) for _, seed in jobs]
with ThreadPoolExecutor(2) as two:
    runs = dict(zip(jobs, two.map(learn, begun, jobs)))


# %%
def course_of(kind):
    """Mean, lowest and highest loss at each look, nothing after the last."""
    losses = torch.tensor([list(course.values())
                           for (name, _), (_, course) in runs.items()
                           if name == kind])
    padded = torch.full((len(losses), len(looks)), torch.nan)
    padded[:, : losses.shape[1]] = losses
    return padded.mean(0), padded.amin(0), padded.amax(0)


looks = list(runs[LONG_CONTROL, 0][1])
curves(
    looks, {kind: course_of(kind) for kind in (*KINDS, LONG_CONTROL)},
    xlabel="optimiser steps", ylabel="validation, nats per token",
    mark={"equal steps": TRAINING.steps}, alt=words("07-courses"),
)

# %%
late = list(runs[LONG_CONTROL, 0][1].values())
last_looks = [list(runs["equal compute, new text", seed][1].values())
              for seed in SEEDS]
assert late[-1] > min(late) + 0.5
assert all(each[-1] < min(each) + 0.1 for each in last_looks)
print("last look behind the best by more than 0.5 nats: same lesson, yes;")
print("by more than 0.1 nats: new text, no")

# %% [markdown]
# The control of equal compute on the same lesson learns it by heart: its best
# look comes early, after that each step makes it worse. Had we compared the
# *last* states, distillation would have won by an absurd margin, against a
# straw man. On new text there is nothing to learn by heart.

# %% [markdown]
# ## 7.7 The exam
#
# Now the test text, once. `score_models` runs all models over it side by side
# and keeps what each says about every token; `summarise_scores` makes of that
# what a report shows:
#
# - *cross-entropy*, its exponential (*perplexity*), and *bits per byte*, which
#   does not depend on the tokenizer;
# - *forward KL* and *reverse KL* from the teacher's distributions;
# - *top-1 agreement*: how often the model's likeliest token is the teacher's;
# - *ECE*, the calibration error: a model is calibrated if, of all tokens that
#   it expects with 60 percent, 60 percent come. ECE is how far it is off on
#   average.

# %%
exercise("bug-two-scores")

# %%
# exercise: bug-two-scores
def bug_two_scores(nats, tokens, text):
    """Perplexity per token, and bits per byte of the UTF-8 text. -> two numbers"""
    raise NotImplementedError


exercise("bug-two-scores").check(bug_two_scores)

# %%
from kdlib.reports.intervals import advantage, gap_closed
from kdlib.reports.layout import layout_of
from kdlib.reports.scores import score_models
from kdlib.reports.summary import summarise_scores

entrants = {("teacher", 0): teacher, ("random start", 0): fresh}
entrants |= {job: model for job, (model, _) in runs.items()
             if job[0] != LONG_CONTROL}
with without_bars():
    scores = score_models(entrants, ("teacher", 0), test, accelerator)
results = {
    name: summarise_scores(of_one, test.predicted_tokens, test.bytes,
                           is_teacher=name[0] == "teacher")
    for name, of_one in scores.items()
}


# %%
MEASURES = {
    "nats": "cross_entropy", "bits per byte": "bits_per_byte",
    "KL(P‖Q)": "forward_kl", "KL(Q‖P)": "reverse_kl",
    "agreement": "top1_agreement", "ECE": "ece"}


def mean_of(kind, measure):
    """Over the trainings; None where the measure is not defined."""
    values = [result[measure] for (name, _), result in results.items()
              if name == kind and measure in result]
    return sum(values) / len(values) if values else None


def by_counting(counts):
    """What a table says about every token of the exam."""
    return counts.nll(test.ids, test.mask)[test.mask[:, 1:].bool().numpy()]


# %% [markdown]
# The table of triples takes the exam too. **Predict:** who is ahead of whom,
# among the student, its control and the table that has counted the same
# lesson? (The last digits belong to the processor that built this page; yours
# may differ. What survives another processor follows below.)

# %%
predict("07-student-control-table")

# %%
# NBVAL_IGNORE_OUTPUT
triples = by_counting(counted_in(lesson, 3))
bits = triples.sum() / math.log(2) / test.bytes
rows = {"triples, counted": dict.fromkeys(MEASURES)
        | {"nats": triples.mean(), "bits per byte": bits}}
for kind in ("random start", *KINDS, "teacher"):
    rows[kind] = {name: mean_of(kind, measure)
                  for name, measure in MEASURES.items()}
table(rows, ".3f", corner="exam, means of five trainings")

# %% [markdown]
# The measures mostly agree on the order. Do not count that as many proofs:
# bits per byte are the cross-entropy in another unit, and the others look at
# the same predictions. It is one experiment.
#
# What is a difference worth? Each training is one draw of starts and orders,
# and each document one draw of texts. So take the nats of every training on
# every document; `advantage` makes an interval over both.

# %%
layout = layout_of(test)
TOKENS = layout.by_unit(numpy.ones(test.predicted_tokens))
nll = {"teacher": [scores["teacher", 0].nll], "table": [triples]}
for kind in KINDS:
    nll[kind] = [scores[kind, seed].nll for seed in SEEDS]


def by_documents(kind):
    """Summed nats: a row for each training, a column for each document."""
    return numpy.stack([layout.by_unit(row) for row in nll[kind]])


def ahead_of(rival, kind="student"):
    return advantage(by_documents(kind), by_documents(rival), TOKENS)


# %%
# NBVAL_IGNORE_OUTPUT
PAIRS = {
    "student over control, equal steps": ("student", "control, equal steps"),
    "table over control, equal steps": ("table", "control, equal steps"),
    "student over table": ("student", "table"),
    "student over equal compute, new text":
        ("student", "equal compute, new text"),
    "new text: student over control":
        ("student, new text", "control, new text"),
    "student: new text over lesson": ("student, new text", "student"),
    "control: new text over lesson":
        ("control, new text", "control, equal steps"),
}
leads = {name: ahead_of(rival, kind) for name, (kind, rival) in PAIRS.items()}
table({name: {"lead": lead["value"], "from": lead["low"], "to": lead["high"]}
       for name, lead in leads.items()},
      "+.2f", corner="nats, 95 % over documents and trainings")

# %%
PROVED = {
    "student over control, equal steps": 0.4,
    "table over control, equal steps": 0.3,
    "new text: student over control": 0.1,
    "control: new text over lesson": 0.1,
}
for name, bound in PROVED.items():
    assert leads[name]["low"] > bound, name
assert leads["student over equal compute, new text"]["high"] < 0
assert leads["student over table"]["low"] < 0.1
assert abs(leads["student: new text over lesson"]["value"]) < 0.1
print("whole interval above a bound, in nats:")
table({name: {"more than": bound} for name, bound in PROVED.items()}, ".1f")

# %% [markdown]
# With the same lesson and the same steps the teacher's answers are worth more
# than 0.4 nats to this net. But look who is being beaten: the control *loses
# to a table of counts*, by more than 0.3 nats. Most of the student's lead is a
# lead over a net that has not learned what can be counted. Student and table
# cannot be told apart, which is not to say that they are equal: look at the
# ends of that interval.
#
# The last three rows are a teacher and new text, each with and without the
# other. To the net without a teacher it is worth more than 0.1 nats to read
# new text once instead of the lesson four times. To the student it is worth
# next to nothing: with answers that say more than the text, it has not yet
# used up what it reads. And on new text, too, the teacher adds more than 0.1
# nats.
#
# But the equal-compute net with new text is ahead of the student. That is the
# sting: what the teacher has cost in operations was better spent on reading.
# Section 7.8 comes back to it.
#
# ### Was the control trained badly?
#
# A learning rate that suits the student may not suit the control. The claim
# `patience` (chapter 12) has tuned both over the same three rates, with a
# further training each, on the validation text. **Predict:** by how much does
# the control come nearer if it may choose?

# %%
patience = shipped("patience")
table({
    name: {f"rate {rate}": loss
           for rate, loss in patience["tuning"][arm].items()}
    for name, arm in (("student", "taught"),
                      ("control, equal steps", "alone"))
}, ".2f", corner="validation, nats per token")

# %% [markdown]
# By nothing: each has its best at the rate of this chapter. And the control's
# best stays far behind the student's *worst*.
#
# ### How sure is it?
#
# Two uncertainties, and neither contains the other: would *other messages*
# have given another difference? Would *another training*? A common report has
# one training, and draws the blocks of its test anew. Here are five such
# reports on student and table, one for each seed, and below them the interval
# over trainings and documents. **Predict:** do the five agree with one
# another?

# %%
luck = numpy.random.default_rng(0)
drawn = luck.integers(len(test), size=(2000, len(test)))
in_block = numpy.bincount(layout.block)


def of_blocks(seed):
    """Lead over the table of one training, and the ends of its interval."""
    sums = numpy.bincount(layout.block, triples - nll["student"][seed])
    means = sums[drawn].sum(axis=1) / in_block[drawn].sum(axis=1)
    low, high = numpy.quantile(means, (0.025, 0.975))
    return sums.sum() / in_block.sum(), low, high


# %%
both = leads["student over table"]
bars = {f"blocks, seed {seed}": of_blocks(seed) for seed in SEEDS}
bars["documents and trainings"] = (both["value"], both["low"], both["high"])
intervals(bars, xlabel="student over table, nats per token",
          baseline={"level": 0}, alt=words("07-reports"))

# %%
def width(ends):
    return ends[-1] - ends[-2]


narrow = [width(bar) for bar in list(bars.values())[:-1]]
assert sum(narrow) / len(narrow) < width(bars["documents and trainings"])
print("narrower, on average: blocks")

# %% [markdown]
# A report on one training has no way to know how far trainings are apart, and
# blocks of one document are alike, so that they are not as many draws as they
# seem. Whoever trains once may report a sure lead or none, depending on the
# seed. More seeds are the cure.
#
# One fraction sums it up: the share that is closed of the gap from a rival to
# the teacher. It depends on who stands at its beginning.

# %%
def closed_from(start):
    return gap_closed(by_documents("teacher"), by_documents("student"),
                      by_documents(start), TOKENS)


from_control, from_table = map(closed_from,
                               ("control, equal steps", "table"))
assert 0.1 < from_control["low"] < from_control["high"] < 0.3
assert from_table["value"] < from_control["value"] / 2
print("from the control of equal steps: between 0.1 and 0.3 of the gap;")
print("from the table: less than half of that")

# %%
exercise("share-of-the-gap")

# %%
# exercise: share-of-the-gap
answer = ...  # to 2 decimals
exercise("share-of-the-gap").check(answer)

# %% [markdown]
# ## 7.8 More steps, or more text?
#
# Our student was stopped after 96 steps because a lesson of 96 blocks is soon
# read. Is it finished? Beyer et al. (2022, read here: the abstract) find that
# a good teacher is *patient*: students of images gain from very long
# trainings.
#
# The claim `patience` has tried it on this lesson, with five trainings of each
# kind: 384 steps with a teacher, without one, and without one on new text.
# That is four times as many as our 96. **Predict** for each of the three
# whether it ends ahead of the 96 steps, and of the table.

# %%
predict("07-patience")

# %%
def recorded(arm, steps, asked_about=0):
    """Operations; mean loss on the exam, 95 % interval over trainings."""
    losses = patience["numbers"][arm]["loss"]
    return price(steps, asked_about), *interval(losses)


LONG = patience["settings"]["longer"] * TRAINING.steps
RECORDED = {
    "student": recorded("taught", TRAINING.steps, len(lesson)),
    "student, patient": recorded("taught, patient", LONG, len(lesson)),
    "control": recorded("alone", TRAINING.steps),
    "control, patient": recorded("alone, patient", LONG),
    "control, patient, new text": recorded("alone, new text", LONG),
}
table({
    kind: {"10^12 operations": price_ / 1e12, "nats": loss, "from": low,
           "to": high}
    for kind, (price_, loss, low, high) in RECORDED.items()
}, ".2f", corner=f"{TRAINING.steps} steps, patient: {LONG}")

# %%
rules = (*claim("patience").rule, *claim("patience").rival_rules)
found = {str(rule): rule.interval(patience["numbers"]) for rule in rules}
table({
    f"{rule.ahead} over {rule.behind}":
        dict(zip(("lead", "from", "to"), found[str(rule)])) for rule in rules
}, "+.2f", corner="nats, five trainings (95 %)")

# %%
print("verdict on the claim:", patience["verdict"])
short, long = (RECORDED[kind] for kind in ("student", "student, patient"))
assert abs(short[1] - mean_of("student", "cross_entropy")) < 0.06
print(f"triples of the lesson: {triples.mean():.2f} nats")
print("patient student ahead of that table in every training:",
      max(patience["numbers"]["taught, patient"]["loss"]) < triples.mean())

# %% [markdown]
# With a teacher the lesson is far from used up: there is more in its answers
# than four readings take out. Without one there is nothing more to be had. And
# the patient student leaves the table behind. What could not be told apart in
# section 7.7 was a student that had been stopped early.
#
# But look at the last row of each table. The same steps on *new text*, without
# any teacher, end where the patient student ends, as far as five trainings can
# tell, and cost far less. A teacher and patience have replaced new text.
# Whether they have done a little more than that, five trainings cannot tell.
#
# So from how much text on does a student do without its teacher? The claim
# `crossover` compares the two at four sizes of lesson, for the same number of
# *operations* (the steps with a teacher are few, those without are many), each
# at the rate that is best for it. **Predict** who is ahead at each size.

# %%
predict("07-with-or-without")

# %%
crossover = shipped("crossover")


def losses_at(arm, blocks):
    return crossover["numbers"][f"{arm} {blocks}"]["loss"]


def lead_at(blocks):
    """Of a student with a teacher over one without, operations equal."""
    pairs = zip(losses_at("alone", blocks), losses_at("taught", blocks))
    return interval([alone - taught for alone, taught in pairs])


sizes = {int(size): steps
         for size, steps in crossover["settings"]["sizes"].items()}
table({
    f"{blocks * BLOCK:,} tokens": dict(zip(("lead", "from", "to"),
                                           lead_at(blocks)))
    for blocks in sizes
}, "+.2f", corner="with a teacher over without, three trainings (95 %)")

# %%
much = evenly(tenth, 1536)
alone_steps = price(sizes[1536], len(much)) // price(1)
print(f"largest lesson: {sizes[1536]} steps with a teacher, once through it;")
print(f"without one {alone_steps:,} steps, "
      f"{alone_steps * TRAINING.batch / len(much):.0f} times through it")

# %% [markdown]
# With little text the teacher leads by far, with the most text it is behind.
# There the operations that it takes buy eight readings where the student has
# one.
#
# But who says that the teacher must be asked about all of it? That is a choice,
# and it was ours. Let teacher and student read only half of the text, or a
# quarter, and spend what is saved on more steps. **Predict** who is ahead now,
# still for the same operations. And would the student without a teacher have
# done better with new text in each of its steps?

# %%
def split_lead(blocks, rival="alone 1536"):
    """Over a student without a teacher."""
    pairs = zip(crossover["numbers"][rival]["loss"],
                losses_at("split", blocks))
    return interval([alone - taught for alone, taught in pairs])


by_split = {f"asked about {blocks * BLOCK:,} tokens": split_lead(blocks)
            for blocks in crossover["settings"]["splits"]}
new = crossover["settings"]["new"]
by_split["the first, over new text"] = split_lead(768, f"new {new}")
print(f"new text: {new * BLOCK:,} tokens")
table({row: dict(zip(("lead", "from", "to"), lead))
       for row, lead in by_split.items()},
      "+.2f", corner="with a teacher over without, three trainings (95 %)")

# %%
print("With enough text a student without a teacher overtakes:",
      crossover["verdict"])

# %% [markdown]
# The student with a teacher is ahead again, by nearly as much as it was behind,
# and it has read half of its rival's text. An arm has a budget, and how it is
# spent belongs to its tuning as much as the rate does. From a rival that reads
# new text in every step, many times as much, three trainings cannot tell it.
# Chapter 11 comes back to this.
#
# ### One picture
#
# All of these trainings over what they have cost. "More text" is 384 blocks or
# more. **Predict** the lower edge: who is the best at each price?

# %%
def ours(kind):
    """Operations; mean loss on the exam, 95 % interval over trainings."""
    blocks, training, *answers = KINDS[kind]
    losses = [results[kind, seed]["cross_entropy"] for seed in SEEDS]
    return (price(training.steps, len(blocks) if answers else 0),
            *interval(losses))


def crossed(arm, blocks):
    """The same, recorded; the two arms of a size cost the same."""
    return price(sizes[blocks], blocks), *interval(losses_at(arm, blocks))


def for_as_much(arm, blocks):
    """The same, of a student that costs what the largest lesson costs."""
    return price(sizes[1536], 1536), *interval(losses_at(arm, blocks))


# %%
most = evenly(messages.training, new)
tables = {
    "triples of the lesson": triples.mean(),
    "pairs of 1536 blocks": by_counting(counted_in(much, 2)).mean(),
    "triples of all the new text":
        by_counting(counted_in(most, 3)).mean(),
}
ratio = parameter_count(teacher) / parameter_count(fresh)
print(f"parameters of the teacher: {ratio:.1f} times the student's")

# %%
frontier(
    {
        "lesson, no teacher": [
            ours("control, equal steps"), crossed("alone", 96),
            RECORDED["control, patient"]],
        "lesson, teacher": [ours("student"), RECORDED["student, patient"]],
        "more text, no teacher": [
            ours("control, new text"), ours("equal compute, new text"),
            RECORDED["control, patient, new text"],
            *(crossed("alone", blocks) for blocks in (384, 1536)),
            for_as_much("new", new)],
        "more text, teacher": [
            ours("student, new text"),
            *(crossed("taught", blocks) for blocks in (384, 1536)),
            for_as_much("split", 768)],
    },
    tables, xlabel="operations, with those of the teacher",
    ylabel="exam, nats per token", alt=words("07-frontier"),
)

# %% [markdown]
# At the cheap end the lower edge belongs to nets that read new text without a
# teacher. From there on a student with a teacher is lowest, by a little and
# then by more; but its rivals there read 384 or 1536 blocks over and over. From
# one that reads new text for that price, the lowest point of its kind, three
# trainings cannot tell it. And all of it depends on how the bill is drawn up:
# the teacher has about 21 times as many parameters as its student, and its
# reading is paid for in full. Where it has answered before, or answers for many
# students, its share falls, and the points with a teacher move to the left.
#
# The lowest line has no net in it at all. Triples counted in all of the new text
# are far ahead of every student here, taught or not, and take no training.
# Where there is so much text, nets of this size and at this price are not what
# one would choose.
#
# For a phone there is one more price: bytes. An entry of a table takes at most
# eight of them: five for a key of three tokens, three for its share.
# **Predict:** which of these would you ship?

# %%
def size_of(counts):
    return 8 * sum(len(t.share) + len(t.rest) for t in counts.tables)


net = BYTES_A_WEIGHT * parameter_count(fresh)
ends = {
    f"{name}, {blocks} blocks": (sum(losses_at(arm, blocks)) / 3, net)
    for name, arm, blocks in (
        ("student", "taught", 1536), ("student, asked less", "split", 768),
        ("net alone", "alone", 1536), ("net alone", "new", new))}
for text in much, most:
    for name, order in (("pairs", 2), ("triples", 3)):
        counts = counted_in(text, order)
        ends[f"{name}, {len(text)} blocks"] = (
            by_counting(counts).mean(), size_of(counts))

# %%
table({
    name: {"nats": loss, "bytes": f"{size:,}", "on the phone": fits(size)}
    for name, (loss, size) in ends.items()
}, ".2f")

# %% [markdown]
# So what was the teacher worth? It depends on what is scarce.
#
# - *Text*: the users' texts are few, private or dear. Then a teacher gets more
#   out of a lesson than anything else that was tried, the more so with patience.
# - *Computing*: then count. Nothing else that is so good costs so little. Of the
#   nets, the one that reads new text and the one whose teacher is asked less
#   come first; three trainings cannot tell them apart.
# - *Bytes*: a table grows with its text, a net does not. The triples of the new
#   text are far ahead and far too large; so are its pairs, and those are no
#   better than a net. Of what fits, the same two nets are best. The one ships
#   that we have the text for.
#
# Whoever reports only one of the three chooses the result.
#
# ## 7.9 What the numbers do not show
#
# **A sample.** How do the models go on from the opening of a message that none
# of them has read?

# %%
# NBVAL_IGNORE_OUTPUT
from kdlib.jobs.samples import generate, prompt_ids

# As in training, a text begins after the token between texts.
opening = prompt_ids(tokenizer, messages.test[-1].text)[:, :17]
print(tokenizer.decode(opening[0, 1:]), "...\n")
for kind in ("teacher", "student", "control, equal steps"):
    text = generate(entrants[kind, 0], tokenizer, opening, 32, seed=0)
    print(f"{kind}:\n   ", " ".join(text.split()), "\n")

# %% [markdown]
# The teacher keeps to a sentence; the other two write fragments. Who could
# rank those by these lines? Yet one of them is far ahead. A sample is an
# impression, chosen by a seed. It finds a model that is broken, and little
# else.
#
# **The calibration.** **Predict:** which of all models here has the smallest
# calibration error?

# %%
best = min(("teacher", "random start", *KINDS),
           key=lambda kind: mean_of(kind, "ece"))
print("best calibrated:", best)
assert mean_of("random start", "ece") < 0.005
assert mean_of("random start", "cross_entropy") > 8.3

# %% [markdown]
# The one that knows nothing, and claims nothing. A calibration error says
# whether a confidence can be believed, not whether there is any knowledge in
# it; alone it is worthless.
#
# **The limits.** The numbers of this chapter are about one corpus of formal
# English, a teacher from the same shelf, students of one size, and short
# contexts. They are nats, not answers to questions; they say nothing about
# facts, style or harm. The intervals speak of other trainings and other
# messages of this kind. No interval speaks of another teacher or another kind
# of text. The next section tries one.

# %% [markdown]
# ## 7.10 The same job as one command
#
# `kdlib distill RECIPE` does all of this. A recipe is a tree of settings; each
# of them is also a flag. A flag wins over the recipe's file, the file over the
# default. What is wrong is refused by name, before anything is written:

# %%
import shlex

for wrong in ("--student.trainig.steps 40", "--objective.weight 2",
              "--student.size.heads 3"):
    try:
        parse(DistillOptions, shlex.split(wrong),
              DistillOptions(load_recipe("tiny")))
    except UserError as error:
        print(error)

# %% [markdown]
# Now a whole run, on a text of your own: a folder of `.txt` files. Ours are
# the words in which this package documents itself. On the command line it
# would be `kdlib distill tiny` with these flags.

# %%
import ast

import kdlib

home = tempfile.TemporaryDirectory()
manual, folder = Path(home.name) / "manual", Path(home.name) / "run"
manual.mkdir()
kinds = ast.Module | ast.ClassDef | ast.FunctionDef
for source in sorted(Path(kdlib.__file__).parent.rglob("*.py")):
    nodes = ast.walk(ast.parse(source.read_text("utf-8")))
    said = [ast.get_docstring(node) or "" for node in nodes
            if isinstance(node, kinds)]
    if len(page := "\n\n".join(said)) > 1500:
        name = f"{source.parent.name} {source.stem}.txt"
        (manual / name).write_text(page, "utf-8")

# %%
from kdlib.jobs.pipeline import distill

COMMAND = f"""
    --text '{manual}' --data.fraction 0.1 --data.test-fraction 1
    --data.block 64 --controls.equal-compute False
    --student.training.steps 40 --student.training.batch 4
    --student.training.learning-rate 0.012
    --student.training.validate-every 20
    --student.size.initial-std 0.09 --device cpu --precision fp32
"""
asked = parse(DistillOptions, shlex.split(COMMAND),
              DistillOptions(load_recipe("tiny")))
said = io.StringIO()
with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
    distill(asked.recipe, folder, "tiny")

# %% [markdown]
# Before it trains, the command looks at teacher and text. **Predict:** what
# does it say about this pair, and what will the report say?

# %%
# NBVAL_IGNORE_OUTPUT
from kdlib.reports.page import terminal_table

before = said.getvalue()
print(before[before.index("CAUTION") :].split("\nOf ")[0], "\n")
report = json.loads((folder / "report.json").read_text())
print(terminal_table(report))

# %%
def nats_of(name):
    return report[name]["cross_entropy"]


left = sorted(path.name for path in folder.iterdir())
home.cleanup()
assert {"report.html", "report.json", "recipe.toml", "metrics.jsonl",
        "student", "control_equal_steps"} <= set(left)
assert nats_of("teacher") > nats_of("ngram") + 0.3
assert nats_of("student") > nats_of("ngram") + 0.3
print("teacher and student: behind the table, by more than 0.3 nats")

# %% [markdown]
# A teacher passes on what it knows, and what it does not. Of this text it
# knows less than a table that counts, and its student ends behind even the
# control that learned from the text alone. The command warns before the first
# step, and the report gives no share of a gap that is not there.
#
# Read a report in this order. *The verdict first*: it is drawn from intervals
# against the strongest rival. *Then the baselines*: is a control better than
# the n-gram, and the teacher better than the control? If not, the gap says
# little. *Then the cost*: parameters, bytes, speed, tokens read. *Then the
# rest*: forward KL and agreement say whether the student is like its teacher,
# calibration whether its confidence can be used.
#
# One thing differs from our own runs: the command keeps every model as it
# *ends*. The loss curves in `report.html` show whether that is fair. If a
# control's validation loss rises at its end, it is a straw man. The cure is
# `--controls.patient True`, a control that takes as many steps as lower its
# validation loss.
#
# **The full size** is `kdlib distill pocket`, or `make distill`: a larger
# student, the whole tenth of the corpus as its lesson, both controls and the
# n-gram, in minutes on two cores. Keep in mind what its table, in the README,
# does not have: another size, and a net that reads new text.
#
# | to | type |
# |---|---|
# | use your own teacher | `kdlib distill pocket --teacher path/to/model` |
# | weigh labels in | `--objective.weighing lambda --objective.weight 4` |
# | go on after Ctrl-C | the same command and `--resume` |
# | train with other seeds, too | `--seeds 5 --out runs/pocket_5` |
# | measure again, on another text | `kdlib evaluate runs/pocket --text FILE` |
#
# ## 7.11 On a GPU
#
# Nothing in this chapter has run on a GPU, and no number here speaks about
# one. What the flags mean can be shown all the same. `--device auto` takes
# CUDA where there is one, then Apple's `mps`, then the processor; a device
# that is asked for and missing is an error. `--precision auto` takes bf16
# where the hardware multiplies such matrices faster than float32 ones.
#
# *bf16* means autocast: parameters, their gradients and the optimiser stay in
# float32; matrix products are computed in bfloat16, which has the range of
# float32 and three digits. That needs no GPU to be tried. **Predict** the type
# of each: a parameter, a product, the loss, a gradient.

# %%
student = copy.deepcopy(runs["student", 0][0])
read, losses, types = StudentWithLoss(student), {}, {}
for precision in ("fp32", "bf16"):
    student.zero_grad()
    with torch.autocast("cpu", torch.bfloat16, precision == "bf16"):
        product = student.model.layers[0].mlp(torch.ones(1, SIZE.width))
        loss = read(test.ids, test.counted(), FROM_TEXT).mean
    loss.backward()
    losses[precision] = loss.item()
    weight = student.lm_head.weight
    parts = {"parameter": weight, "product": product, "loss": loss,
             "gradient": weight.grad}
    types[precision] = {name: str(part.dtype).removeprefix("torch.")
                        for name, part in parts.items()}

apart = abs(losses["bf16"] - losses["fp32"]) / losses["fp32"]
assert 0 < apart < 1e-2
table(types)

# %% [markdown]
# The softmax and the sum over the vocabulary run in float32 whatever comes in:
# in bfloat16 the rounding of the log-probabilities can be larger than the KL
# that is to be measured (chapter 4). Converting the *whole* model to bfloat16
# is another thing. **Predict:** take a thousandth away from 1, nine hundred
# times, as the small late steps of AdamW do. What is left in each precision?

# %%
predict("07-small-steps")

# %%
left = {}
for dtype in (torch.float32, torch.bfloat16):
    weight = torch.ones(1, dtype=dtype)
    for _ in range(900):
        weight -= 1e-3
    left[str(dtype)] = {"what is left of 1": weight.float()}
table(left, ".2f")

# %% [markdown]
# The small steps are rounded away. So weights stay in float32, and only
# products are bfloat16.
#
# A student this small would leave a GPU waiting for Python between the steps.
# There one makes the work larger, and all of it by flags: `--data.fraction 1`,
# `--student.size.width`, `--student.training.batch`. Where a batch does not
# fit into memory, `--student.training.gradient-accumulation` cuts it, with the
# same gradient. Several machines, and what they change, are the subject of
# chapter 8.

# %%
from kdlib.exercises import print_progress

print_progress(7)

# %%
foreseen("07")

# %% [markdown]
# ## Summary
#
# - Split documents before you cut them: of the same phrases more have been
#   read elsewhere when every twentieth block is kept back than when whole
#   documents are.
# - This teacher gains next to nothing from more than 32 tokens of context, and
#   beyond the length that it was trained on it loses about a nat, without an
#   error.
# - A teacher's hidden states hold its logits, so it is asked once; let it be
#   its own student before it teaches, for a slip shows there as a loss above
#   0.
# - Keep every model at its best look, or a control that has learned its lesson
#   by heart is a straw man.
# - Without a teacher the net that reads this small lesson loses to a table
#   that counts it, at every learning rate that was tried. So a lead over such
#   a control is not the worth of a teacher: after as few steps, the student
#   with a teacher cannot be told apart from the table.
# - With a teacher four times the steps on the same lesson go past that table;
#   without one they gain nothing.
# - New text without a teacher ends as low as patience, as far as five
#   trainings can tell, and costs fewer operations.
# - Where there is only little text, a teacher is worth its operations. With more
#   it is, too, if student and teacher read a part of it and the student takes
#   more steps; a student that reads all of it once ends behind one without a
#   teacher.
# - From the best of these, three trainings cannot tell a student without a
#   teacher that reads new text in every step.
# - Triples counted in all of that new text are ahead of every student, taught or
#   not, and take far more bytes.
# - A table of pairs of 1536 blocks is ahead of the nets that have read such text
#   once without a teacher; one that has read those blocks eight times is ahead
#   of it.
# - Report intervals over documents and trainings: those over the blocks of one
#   training are too narrow.
# - A small calibration error is no merit by itself: a model that knows nothing
#   has the smallest.
# - A teacher passes on what it knows, and what it does not: of a text of
#   another kind ours knew less than a table of counts, and its student ended
#   behind the one without a teacher.
#
# Q05 once more, in one breath: take the largest student that the device holds,
# with the teacher's tokenizer; the best teacher for the users' texts, frozen,
# no further than it has learned to read; unlabelled texts like theirs; the
# forward KL at every position, for as many steps as help; and before shipping,
# kept-back documents, five seeds, controls of equal steps and equal compute,
# and a table of counts. If a rival wins, ship the rival.
#
# ## Further reading
#
# - Chen and Goodman (1998), "An Empirical Study of Smoothing Techniques for
#   Language Modeling": what a table of counts can do, and how.
# - Kim and Rush (2016), "Sequence-Level Knowledge Distillation": students of a
#   translation model, small enough for a phone.
# - Guo et al. (2017), "On Calibration of Modern Neural Networks": ECE, and
#   what temperature does to it.
# - Sanh et al. (2019), "DistilBERT, a distilled version of BERT": the whole
#   job on a large model, with ablations.
# - Jiao et al. (2020), "TinyBERT: Distilling BERT for Natural Language
#   Understanding": what else than the output can be matched.
# - Beyer et al. (2022), "Knowledge distillation: A good teacher is patient and
#   consistent": very long schedules, and the same view for both models.
# - Gu et al. (2024), "MiniLLM: Knowledge Distillation of Large Language
#   Models": reverse KL for students that write.
# - Busbridge et al. (2025), "Distillation Scaling Laws": when distillation is
#   the better use of a budget, and when plain training is.
