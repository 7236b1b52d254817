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
# This chapter tries it in its first half, before any theory: you will distil a
# student, and compare it with whatever could explain its success otherwise.
# The second half shows how this book works. Its symbols, its formulas and its
# conventions stand at the end, for looking up.
#
# **You will be able to**
#
# - say what distillation did to one small model, and what it did not, by
#   comparing it with its rivals;
# - read a complete training loop for distillation;
# - work with the exercises: predict, run, check, hint, solution;
# - look up every formula and every convention of this book.
#
# **Time**: about 40 min. **Assumes**: Python, a little
# PyTorch, what a probability is. No GPU and no network are needed.

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
# ## 0.2 A student in a minute
#
# Three things are needed: a teacher, some text, and a student.
#
# The **teacher** ships with this book. It is a language model that was trained
# for more than an hour on the messages of American presidents to Congress. The
# **text** is a little of what the teacher has read, cut into blocks, and for
# the exam some documents that no model here has seen.

# %%
import math
from concurrent.futures import ThreadPoolExecutor

import torch
import torch.nn.functional as F

from kdlib.data.blocks import make_blocks
from kdlib.data.documents import load_splits
from kdlib.data.shares import take_fraction
from kdlib.models.folders import POCKET_TEACHER, load_model, load_tokenizer
from kdlib.models.frozen import check_pair, freeze
from kdlib.models.from_scratch import ModelSize, new_model, parameter_count
from kdlib.models.ngram import NGram
from kdlib.models.operations import operations
from kdlib.plots import intervals, table, words

# %%
teacher = freeze(load_model(POCKET_TEACHER))
tokenizer = load_tokenizer(POCKET_TEACHER)
vocabulary = len(tokenizer)
messages = load_splits("sotu")


def token_blocks(documents):
    """The documents in blocks of 65 tokens."""
    bpe, end = tokenizer.backend_tokenizer, tokenizer.eos_token_id
    return make_blocks(documents, bpe, 64, end).ids[:-1]


def thinned(blocks, count):
    """`count` of the blocks, evenly spaced."""
    return blocks[:: len(blocks) // count][:count]


# %%
source = token_blocks(take_fraction(messages.training, 0.1))
lesson = thinned(source, 256)
exam = thinned(token_blocks(take_fraction(messages.test, 0.3)), 64)
print(f"lesson: {lesson[:, 1:].numel():,} tokens to predict")
print(f"exam:   {exam[:, 1:].numel():,} tokens to predict")

# %% [markdown]
# A language model reads some tokens (words or pieces of words) and gives a
# probability to every token that could come next. Here is a piece of the
# lesson, and what the teacher expects after it.

# %%
with torch.no_grad():
    answers = torch.cat([
        teacher(input_ids=some[:, :-1]).logits.softmax(dim=-1)
        for some in lesson.split(16)
    ])

block, position = 139, 34
print("...", tokenizer.decode(lesson[block, position - 12 : position + 1]))
for p, token in zip(*answers[block, position].topk(5)):
    print(f"   {p:.2f} {tokenizer.decode(token)!r}")
print("the text has", repr(tokenizer.decode(lesson[block, position + 1])))

# %% [markdown]
# Two lessons can be drawn from this one place in the text. The *text* teaches
# the single token that comes next. The *teacher* teaches a probability for each
# token of the vocabulary. We have asked it once, at every position, and shall
# not need it again to train.
#
# Here is the whole training. The two students differ in one thing only: the
# loss.

# %%
SIZE = ModelSize(width=64, layers=2, heads=2, initial_std=0.09)
STEPS, BATCH, RATE = 120, 8, 0.012


def loss_of(logits, rows, from_teacher):
    """Mean cross-entropy of the student, to the teacher or to the text."""
    target = answers[rows] if from_teacher else lesson[rows, 1:]
    return F.cross_entropy(logits.flatten(0, 1), target.flatten(0, 1))


# %%
def learn(student, seed, from_teacher):
    """Train a new student on the lesson."""
    optimizer = torch.optim.AdamW(
        student.parameters(), weight_decay=0.0, fused=True
    )
    draw = torch.Generator().manual_seed(seed)
    for step in range(STEPS):
        for group in optimizer.param_groups:  # warm up, then cool down
            group["lr"] = RATE * min((step + 1) / 12, 1 - step / STEPS)
        rows = torch.randperm(len(lesson), generator=draw)[:BATCH]
        logits = student(input_ids=lesson[rows, :-1]).logits
        loss_of(logits, rows, from_teacher).backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    return student


# %% [markdown]
# The exam asks each model how surprised it is by each token of the unseen
# documents: minus the logarithm of the probability that it gave to that token,
# on average. Less is better. (This is the cross-entropy, and its unit is the
# nat.) Two scores set the scale: that of the teacher, and that of a model that
# gives every token the same probability.

# %%
@torch.no_grad()
def surprise(model):
    """Nats per token on the exam."""
    logits = model(input_ids=exam[:, :-1]).logits
    return F.cross_entropy(logits.flatten(0, 1), exam[:, 1:].flatten()).item()


best, guessing = surprise(teacher), math.log(vocabulary)
print(f"teacher {best:.2f}, guessing evenly {guessing:.2f}")

# %% [markdown]
# **Predict.** One student trains for 120 steps on the teacher's probabilities.
# Another, with the same architecture, the same initial weights, the same
# blocks in the same order and the same settings, trains on the text's tokens.
# This second student is called the **control**. Which one predicts the unseen
# documents better, and by how much, measured as a share of the way from the
# control to the teacher: a hundredth, a tenth, a half?
#
# (Training depends on the processor in its last digits. The page therefore
# asserts only what holds on every machine: an order that holds for every seed,
# and bounds.)

# %%
SEEDS = (0, 1, 2, 3, 4)
fresh = [new_model(SIZE, vocabulary, 128, seed) for seed in 2 * SEEDS]
with ThreadPoolExecutor(2) as two:  # two learn at a time, one on each core
    trained = list(two.map(learn, fresh, 2 * SEEDS, 5 * [True] + 5 * [False]))
students, controls = trained[:5], trained[5:]
taught = [surprise(student) for student in students]
untaught = [surprise(control) for control in controls]

# %%
# NBVAL_IGNORE_OUTPUT
gaps = [b - a for a, b in zip(taught, untaught)]
closed = [gap / (b - best) for gap, b in zip(gaps, untaught)]
table({f"seed {seed}": {"student, nats": taught[seed],
                        "control, nats": untaught[seed],
                        "share of the way": closed[seed]}
       for seed in SEEDS}, ".2f")

# %%
print("each student ahead of its control by 0.3 nats:", min(gaps) > 0.3)
print("share of the control's way to the teacher")
print("  at least 0.1, at most 0.25:", 0.1 < min(closed) < max(closed) < 0.25)
assert min(gaps) > 0.3 and 0.1 < min(closed) < max(closed) < 0.25
for name, model in (("teacher", teacher), ("student", students[0])):
    print(f"{name}: {parameter_count(model):,} parameters")

# %% [markdown]
# Both students saw the same blocks, equally often, in the same order. The
# teacher's probabilities made one of them better by more than 0.3 nats, with
# each of five seeds. Nothing of the teacher was copied: neither a weight nor a
# hidden layer, only its answers. Neither student can write a sentence yet.
#
# Five seeds say that it was not a lucky start. They say nothing about another
# text: lesson and exam were the same for all.
#
# So far a network has been compared with a network. There is an older kind of
# language model, which only counts which token follows which. It needs no
# gradient. With three tokens in a row it is called a trigram model. (Ours
# always mixes in what pairs and single tokens say, and relies on them most
# where triples are rare.)
#
# **Predict.** Where does a table of triples, counted in the same lesson, end up
# on the scale: behind the control, between the two, or ahead of the student?
# And where does it end up if it is given more text to count? (The larger texts
# are cut from the same documents and share some blocks with the lesson.)

# %%
def counted(blocks, tokens):
    """Nats per token on the exam of a table of counts."""
    model = NGram.fit(blocks, torch.ones_like(blocks), vocabulary, tokens)
    return model.nll(exam, torch.ones_like(exam)).sum() / exam[:, 1:].numel()


scores = {
    "single tokens, same text": counted(lesson, 1),
    "pairs, same text": counted(lesson, 2),
    "triples, same text": counted(lesson, 3),
}
for times in (2, 4, 10):
    more = thinned(source, 256 * times)
    scores[f"triples, {times} times the text"] = counted(more, 3)
table({name: {"nats per token": score} for name, score in scores.items()},
      ".2f", corner="counting")

# %%
def middle(values):
    """The middle one of the seeds, with the lowest and the highest."""
    ordered = sorted(values)
    return ordered[len(ordered) // 2], ordered[0], ordered[-1]


def point(value):
    return value, value, value


same, twice = scores["triples, same text"], scores["triples, 2 times the text"]

# %%
intervals(
    {
        "the teacher": point(best),
        "triples, double the text": point(twice),
        "triples, same text": point(same),
        "a student of the teacher": middle(taught),
        "the control": middle(untaught),
        "single tokens": point(scores["single tokens, same text"]),
        "guessing evenly": point(guessing),
    },
    xlabel="surprise, nats per token", alt=words("00-rivals"),
)

# %%
print("the table, same text, within the students' range plus 0.15 nats:",
      min(taught) - 0.15 < same < max(taught) + 0.15)
print("each control behind that table by 0.3 nats:",
      min(untaught) > same + 0.3)
print("each student behind a table of double the text:", min(taught) > twice)
assert min(taught) - 0.15 < same < max(taught) + 0.15
assert min(untaught) > same + 0.3 and min(taught) > twice

# %% [markdown]
# The teacher's answers were not free. How many steps of training cost
# as many operations as all the answers together?

# %%
ids = lesson[:BATCH, :-1]
learner = new_model(SIZE, vocabulary, 128, seed=0)
asking = operations(lambda: teacher(input_ids=ids)) * len(lesson) / BATCH
step = operations(lambda: learner(input_ids=ids).logits.sum().backward())
extra = round(asking / step)
print(f"the answers cost as much as {extra} steps,")
print(f"the whole as much as {STEPS + extra} steps without a teacher")

# %% [markdown]
# **What it means.** Four things are true at once.
#
# - *The teacher helped.* The same network, with the same text and the same
#   steps, became much better with it than without it.
# - *The network was no match for a table.* Trained on the text alone, it loses
#   to counts that take less than a second to make. With the teacher it about
#   draws level. The control did learn: it is far ahead of guessing. Shown
#   alone, it would have looked like a success.
# - *Is more text worth more than this teacher? It depends on who reads it.* A
#   table of double the text passes every student, and pulls further ahead with
#   each further helping. A control that reads four times the text in the same
#   steps stays behind every student. If it may also take the extra steps that
#   the teacher's answers cost in operations, 340 in all instead of 120 and each
#   on fresh text, it passes its student (the tests of this book run both, on a
#   smaller scale).
# - *This student does not need this teacher.* Let a table of pairs, counted in
#   ten times the text, give the probabilities instead, and the student ends up
#   as good. What so small a student takes in during so few steps, counting can
#   supply. (A table of the lesson alone is a much poorer teacher. The tests run
#   these two as well.)
#
# When, then, might a teacher be worth having? When there is no more text, or
# none of the right kind; when its answers are cheap or already paid for; and
# when the student can take in what a table cannot hold. This page has not
# tested these conditions; later chapters take up parts of them. The student
# that chapter 7 trains cannot be told apart from the table of its lesson. The
# larger one of `kdlib distill pocket`, trained for minutes, leaves it clearly
# behind. Chapters 5 and 6 show when the labels are the better lesson.
#
# **What would go wrong.** Any of these results could have been reported alone,
# and every number would have been true. **A result is a comparison, and it is
# worth what its strongest rival is worth.** That is a habit of this book: each
# conclusion is set against what could explain it otherwise, and where the rival
# wins, you are told.
#
# The whole job, with a larger student, controls of equal steps and of equal
# operations, intervals and a page of figures, is one command: `kdlib distill
# pocket`. What happened in the last cells, and why it can work at all, is what
# the rest of the book explains.

# %% [markdown]
# ## 0.3 How to work with this book
#
# Every section asks you to **predict** something. Do it, on paper if you can:
# a number that surprises you teaches more than one that you read. Then **run**
# the cell, change it, run it again.
#
# On the website what answers a prediction stays folded, below a form: commit
# first, or press *Show me*. In your own copy nothing has run yet; there a cell
# such as `predict("01-beginnings")` shows what you can say, and
# `predict("01-beginnings", "your letters")` commits to it. At the end of a
# chapter `foreseen("01")` counts what came true.
#
# The exercises come where they belong in the text. Each has two cells. The
# first shows the task, the second takes your answer and checks it.
#
# The one below needs two words. A network's raw scores are called *logits*;
# softmax turns them into probabilities. Dividing the logits by a *temperature*
# above 1 first makes the probabilities more even.

# %%
from kdlib.exercises import exercise

exercise("soften")

# %% [markdown]
# You write your answer in the second cell, in place of its `...` or, where
# code is asked for, of its `raise NotImplementedError`, and run it. There are
# four verdicts: *correct*, *not yet*, *not attempted* and *an error in your
# code*. Many checkers say only "wrong"; this one tries to name your mistake.
# (A few exercises ask for sentences. Those you mark yourself, against a model
# answer and a list of points, and they count as *self-marked*.) Here is a
# wrong answer to the task above, given on purpose.
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
# stuck, there are hints, which go from the idea almost to the code, and finally
# a solution.

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
# A code such as Q04 beside an exercise is the number of a question. The book is
# built around 29 questions, Q01 to Q29, and `kdlib exercises --coverage` lists
# which exercise asks which.
#
# A notebook makes three kinds of claim. *Exact* things (integers, shapes,
# rounded toy numbers) are compared with the stored output each time the book
# is tested. *Bounds* are assertions in a cell. What comes out of a *training*
# is stated as an order or as an interval over seeds, as above. (Where its
# numbers are shown as well, their last digits belong to the processor that
# built the page.) And each number in the text also appears in an output or in
# the code of its chapter.

# %% [markdown]
# ## Summary
#
# - A student learns from a teacher's answers: a probability for each token of
#   the vocabulary, at each place in the text, instead of one token.
# - With the same text, the same steps and the same start, that made it more
#   than 0.3 nats better than its control, for each of five seeds. The teacher
#   stayed far ahead.
# - A table of triples, counted in the same text, was level with the students
#   (within their range plus 0.15 nats), and far better than the controls. With
#   double the text it was better than every student and every control.
# - A table of pairs from ten times the text, used as the teacher, taught the
#   student just as well.
# - A result is a comparison, and it is worth what its strongest rival is worth.
#
# **Further reading**
#
# - Hinton, Vinyals and Dean, *Distilling the Knowledge in a Neural Network*,
#   2015: the paper that named the method.
# - Chen and Goodman, *An Empirical Study of Smoothing Techniques for Language
#   Modeling*, 1998: how to count well, as our tables do.
# - Gou, Yu, Maybank and Tao, *Knowledge Distillation: A Survey*, 2021: the
#   families of methods, of which this book follows one.
# - Stanton et al., *Does Knowledge Distillation Really Work?*, 2021: how far
#   even good students stay from their teachers.
#
# **What comes next.** You have seen a teacher help, and a table draw level.
# Chapter 1 asks what there is in a distribution that an answer does not have.
# The exercises begin there too. What follows here, the notation and the
# conventions, is for looking up.

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
# The formulas have the same numbers in every chapter. Each is explained where it
# is first needed.
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
# minus. The remaining conventions are in the appendix, each with a cell that
# would fail if it were broken.

# %% [markdown]
# ## Appendix: the conventions, each one run
#
# Many bugs in distillation come from mixing two conventions, each of them
# sound. So here are all of this book's, each with a cell that would fail if it
# were not kept. There is no need to read them now: come back when you need
# one.
#
# **P before Q.** The teacher comes first in every signature:
# `forward_kl(log_p, log_q)` is $\mathrm{KL}(P \Vert Q)$, F5. "Forward" means
# teacher first. The order matters:

# %%
from kdlib.losses.divergences import entropy, forward_kl, reverse_kl

log_p = torch.tensor([0.5, 0.4, 0.1], dtype=torch.float64).log()
log_q = torch.tensor([0.8, 0.1, 0.1], dtype=torch.float64).log()
forward, reverse = forward_kl(log_p, log_q), reverse_kl(log_p, log_q)
print(f"KL(P||Q) = {forward:.4f}, KL(Q||P) = {reverse:.4f}")
assert forward == reverse_kl(log_q, log_p) != reverse

# %% [markdown]
# **Log-probabilities go in, the last dimension comes out.** `(..., V)` and
# `(..., V)` give `(...)`. Passing probabilities instead of logarithms is a
# classic mistake, and the result looks plausible until it comes out negative,
# as here.

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
from kdlib import Objective, distillation_loss, next_token

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
# **KD carries $T^2$**, unless it is told otherwise. At a high temperature
# dividing the logits by $T$ shrinks the gradient by about $1/T^2$, and the
# factor is there to put it back. This is a statement about few classes. For a
# vocabulary of thousands the gradient shrinks further, factor or not, and a
# turn of the temperature also turns the teacher's weight down. Chapter 4
# derives the limit and measures it.

# %%
def pull(classes, temperature, **settings):
    """Size of the teacher's gradient at a temperature."""
    draw = torch.Generator().manual_seed(0)
    teachers = 3 * torch.randn(10, classes, generator=draw)
    logits = torch.zeros(10, classes).requires_grad_()
    kd = Objective(temperature=temperature, **settings)
    distillation_loss(logits, teachers, objective=kd).total.backward()
    return logits.grad.norm().item()


rows = {}
for classes in (7, 4096):
    small = pull(classes, 4.0, scale_by_t_squared=False)
    rows[classes] = {"T = 1": pull(classes, 1.0), "T = 4": pull(classes, 4.0),
                     "T = 4, no factor": small}
    assert math.isclose(rows[classes]["T = 4"], 16 * small, rel_tol=1e-4)
table(rows, ".3f", corner="classes")

# %% [markdown]
# **One shift.** The logits at position $i$ are about the token at $i + 1$.
# Exactly one function pairs them, and nothing else in the project shifts.

# %%
ids = torch.tensor([[5, 6, 7, 8]])
marks = torch.zeros(1, 4, 10)
marks[0, range(4), ids[0]] = 1.0  # marks which token each position read
kept, labels, _ = next_token(marks, ids)
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
_, labels, learned = next_token(torch.zeros(1, 5, 10), ids, attention)
print("labels", labels.tolist()[0], "counted", learned.tolist()[0])
assert learned[0].tolist() == [True, True, False, False]  # END is learned
assert (labels[learned] == END).any()

# %% [markdown]
# **A vocabulary slot that does not exist has logit $-\infty$, never 0.** With
# ordinary logits around $-8$, a zero is by far the largest.

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
from kdlib.models.vocabularies import check_same_tokens

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
