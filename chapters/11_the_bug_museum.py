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
# # 11. The bug museum
#
# None of the bugs in this house raises an error. Each one trains, logs a loss
# and hands over a student. Many of them were found in public code, by readers
# who did not believe a number.
#
# **After this chapter you can**
#
# - say of a suspicious number which mistakes produce it;
# - find for each mistake the smallest input that exposes it;
# - put half a dozen short tests beside your own loss and know what they catch.
#
# **Time**: an hour for the large exhibits, as long again for the cabinets and
# the exercises. It is a museum: walk as you like. **Assumes**: chapters 1 to
# 4; single exhibits lean on later chapters.

# %%
import copy
import itertools
import math
import textwrap

import torch
import torch.nn.functional as F
from torch import nn

from kdlib.losses.divergences import cross_entropy, entropy, forward_kl
from kdlib.exercises import exercise, misconception, misconceptions
from kdlib.losses.distillation import distillation_loss
from kdlib.losses.closed_forms import best_student
from kdlib.losses.objectives import Objective
from kdlib.sequences.sums import sequence_mean, sequence_sum
from kdlib.toys.worlds import World, label_noise, random_world

# %% [markdown]
# ## 11.1 How to read an exhibit
#
# Every mistake of the book's catalogue has an exhibit, under the id that the
# exercises use when they name it. So a verdict that says `padding-counted`
# leads to the heading `padding-counted` of this chapter.
#
# - A **question** comes first. Answer it before you look at the output: what
#   do you expect to see? A mistake that you predicted wrongly once is one
#   that you will recognise.
# - `broken` is what the wrong line computes, on the smallest input that shows
#   it; `right` is the sound line beside it.
# - `symptom` is what one sees in practice, and why nobody is alarmed.
# - `test` is what catches it. A name that begins with `test_` is a test of
#   this project's `tests` folder. A name in words, such as
#   `a_perfect_match_is_zero`, is a property in `tests/planted`: there the
#   same mistake is planted into a loss, and the suite fails if the property
#   does not expose it. `exercise ...` is an exercise of the book whose
#   checker must recognise the mistake by name.
# - `seen` says where it was met: mostly a public thread, by project and
#   number, sometimes a paper or a question of the source (Q08). Where it is
#   missing, no thread is known to us; the exercises expect the mistake all
#   the same.
#
# With a checkout, `pytest tests -k kl-reversed` runs the tests that carry an
# id in their name.
#
# Large exhibits stand alone. Smaller ones share a cabinet: several headings,
# then the code of all. The label is printed by a few lines:

# %%
LABELS = {}


def words_of(value):
    if isinstance(value, torch.Tensor):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return " ".join(words_of(each) for each in value)
    if isinstance(value, float):
        return f"{round(value, 4) + 0.0:.4f}"  # no "-0.0000"
    return str(value)

# %%
def exhibit(id, test, seen="", **shown):
    """Show the numbers of an exhibit, and its label."""
    LABELS[id] = test
    label = {"symptom": misconception(id).sign, "test": test, "seen": seen}
    print(id)
    for name, value in {**shown, **label}.items():
        line = f"  {name.replace('_', ' '):10s} {words_of(value)}"
        if words_of(value):
            print(textwrap.fill(line, 79, subsequent_indent=" " * 13))

# %% [markdown]
# Three helpers for the rest of the chapter, and the teacher and the student of
# chapter 4: P = (0.7, 0.2, 0.1), Q = (0.6, 0.3, 0.1).

# %%
def logs(*probabilities):
    return torch.tensor(probabilities, dtype=torch.float64).log()


def draw(*shape, seed=0):
    source = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=source, dtype=torch.float64)


def kl_per_token(student, teacher, mask=None):
    """The sound loss: KL of logits, in nats per token that counts."""
    loss = distillation_loss(
        student, teacher, mask=mask, objective=Objective()
    )
    return loss.mean


log_p, log_q = logs(0.7, 0.2, 0.1), logs(0.6, 0.3, 0.1)
p, q = log_p.exp(), log_q.exp()

# %% [markdown]
# <a id="nothing-done"></a>
# ### nothing-done
#
# The first exhibit shows what a label looks like. The task: turn the
# teacher's distribution into the one-hot of its top. **Predict** what comes
# out if the result is computed and then not used.

# %%
exhibit(
    "nothing-done", "exercise one-hot-of-top",
    broken=p, right=F.one_hot(p.argmax(-1), 3),
)

# %% [markdown]
# The input. It looks innocent since everything downstream runs: the shape and
# the sum are right. Compare output and input on one example.
#
# Do you come with a symptom rather than with a suspect? Here is the whole
# catalogue, in alphabetical order, to search in.

# %%
for id in sorted(misconceptions()):
    row = f"{id:26s} {misconception(id).sign}"
    print(textwrap.fill(row, 79, subsequent_indent=" " * 27))
print(len(misconceptions()), "exhibits")

# %% [markdown]
# ## 11.2 Sums and means
#
# A wrong divisor changes no sign and no direction, only the size of the loss,
# and a size is easily explained away: "distillation needs a large weight".

# %% [markdown]
# <a id="mean-over-vocab"></a>
# ### mean-over-vocab
#
# `F.kl_div` averages over every element unless told otherwise. **Predict**:
# split each word of the vocabulary into two spellings, equally likely. The
# distributions differ as much as before. What happens to the loss?

# %%
student, teacher = draw(2, 1, 4)
twice = [logits.repeat_interleave(2, -1) for logits in (student, teacher)]


def mean_over_all(student, teacher):
    log_q, log_p = student.log_softmax(-1), teacher.log_softmax(-1)
    return F.kl_div(log_q, log_p, log_target=True, reduction="none").mean()


exhibit(
    "mean-over-vocab", "splitting_each_token_in_two_changes_nothing",
    "haitongli #2, #48; deit #61",
    broken=[mean_over_all(student, teacher), mean_over_all(*twice)],
    right=[kl_per_token(student, teacher), kl_per_token(*twice)],
)

# %% [markdown]
# Halved. With a real vocabulary the loss is thousands of times too small, and
# people conclude that the teacher has nothing to say, or set its weight to
# some huge number that works for one vocabulary only.

# %% [markdown]
# <a id="batchmean-over-sequences"></a>
# ### batchmean-over-sequences
#
# `reduction="batchmean"` is what the documentation recommends. **Predict**:
# for tensors of shape (batch, length, vocabulary), what does it divide by?
# Say the same sentence twice in a row and compare.

# %%
student, teacher = draw(2, 3, 7, 4)
longer = [torch.cat([logits, logits], 1) for logits in (student, teacher)]


def batchmean(student, teacher):
    log_q, log_p = student.log_softmax(-1), teacher.log_softmax(-1)
    return F.kl_div(log_q, log_p, log_target=True, reduction="batchmean")


exhibit(
    "batchmean-over-sequences", "saying_everything_twice_changes_nothing",
    "transformers #1181",
    broken=[batchmean(student, teacher), batchmean(*longer)],
    right=[kl_per_token(student, teacher), kl_per_token(*longer)],
)

# %% [markdown]
# By the first dimension alone. A longer context length acts as a larger
# learning rate for the teacher's term, and nobody looks for that in a loss.
# Over (tokens, vocabulary) the same line is right, which is why the advice is
# good and the bug is common.

# %% [markdown]
# <a id="divided-twice"></a>
# ### divided-twice
#
# Ten tokens in one batch, or in two halves of five. Each micro-batch returns
# its mean, and the loop, told to "normalise by tokens", divides by the token
# count. **Predict** the ratio of the two results.

# %%
student, teacher = draw(2, 10, 4)


def mean_over_count(sizes):
    parts = zip(student.split(sizes), teacher.split(sizes))
    return sum(kl_per_token(*part) / len(part[0]) for part in parts)

# %%
def total_over_count(sizes):
    parts = zip(student.split(sizes), teacher.split(sizes))
    losses = [
        distillation_loss(*part, objective=Objective()) for part in parts
    ]
    return sum(x.total for x in losses) / sum(x.count for x in losses)


exhibit(
    "divided-twice", "halves_make_the_step_of_the_whole", "easydistill #16",
    broken=[mean_over_count([10]), mean_over_count([5, 5])],
    right=[total_over_count([10]), total_over_count([5, 5])],
)

# %% [markdown]
# A factor of four: each half is divided by 5 twice instead of by 10 once. It
# is noticed only by someone who changes the accumulation and compares.

# %% [markdown]
# <a id="mean-of-means"></a>
# ### mean-of-means
#
# A batch of one token with a loss of 1 and a batch of nine tokens with 0.2
# each. **Predict**: what is the loss of the ten tokens?

# %%
one, nine = torch.tensor([1.0]), torch.full((9,), 0.2)
batches = [one, nine]
exhibit(
    "mean-of-means", "uneven_parts_make_the_step_of_the_whole", "trl #4719",
    broken=sum(batch.mean() for batch in batches) / len(batches),
    right=sum(b.sum() for b in batches) / sum(len(b) for b in batches),
)

# %% [markdown]
# The single token weighs as much as the nine. With batches of equal token
# counts both lines agree, so a test on full blocks passes. Short answers then
# teach more than long ones, in training and in gradient accumulation.

# %% [markdown]
# <a id="sum-for-mean"></a>
# ### sum-for-mean
#
# Two translations, every token with the same loss of 0.2; one has three
# tokens, the other nine. **Predict**: which one "is better"?

# %%
short, long = torch.full((3,), 0.2), torch.full((9,), 0.2)
exhibit(
    "sum-for-mean", "equal_tokens_make_equal_sequences", "question Q13",
    broken=[short.sum(), long.sum()],
    right=[sequence_mean(short), sequence_mean(long)],
)

# %% [markdown]
# The sum is the right loss of a sequence (F8) and the wrong yardstick between
# lengths: what is short wins.

# %% [markdown]
# **A cabinet of divisors.** In each of the next four, ask which number was at
# hand when the line was written.
#
# <a id="mean-for-sum"></a>
# ### mean-for-sum
# Three tokens lose 0.2, 0.3 and 0.5. What is the loss of the sequence?
#
# <a id="wrong-size-in-mean"></a>
# ### wrong-size-in-mean
# The second row has a padded last position; the mask is applied, to the sum.
#
# <a id="batch-for-row"></a>
# ### batch-for-row
# The largest loss of each row. Does the first row know about the second?
#
# <a id="wrong-axis"></a>
# ### wrong-axis
# The mean of each row. How many numbers should come out?

# %%
losses = torch.tensor([[0.2, 0.3, 0.5], [0.1, 0.4, 0.0]])
mask = torch.tensor([[True, True, True], [True, True, False]])
exhibit(
    "mean-for-sum", "another_token_adds_its_loss",
    broken=losses[0].mean(), right=sequence_sum(losses[0]),
)
exhibit(
    "wrong-size-in-mean", "padding_changes_nothing",
    broken=(losses * mask).mean(), right=losses[mask].mean(),
)
exhibit(
    "batch-for-row", "exercise one-hot-of-top",
    broken=losses.max(), right=losses.max(-1).values,
)
exhibit(
    "wrong-axis", "exercise sequence-losses",
    broken=losses.mean(0), right=sequence_mean(losses, mask),
)

# %% [markdown]
# `wrong-axis` returned three numbers for two rows. In a square batch it would
# return as many as asked, and nobody would see: test with sizes that differ.

# %% [markdown]
# **A cabinet of terms.** An expectation is a weighted sum of logarithms. Each
# exhibit breaks one word of that sentence.
#
# <a id="weights-missing"></a>
# ### weights-missing
# The logarithms are added as they are. Which words dominate?
#
# <a id="weighted-twice"></a>
# ### weighted-twice
# A hundred answers drawn from P, and each is weighed with its P as well.
#
# <a id="term-left-out"></a>
# ### term-left-out
# Label and teacher both have a say, and one of them is not in the sum.
#
# <a id="top-entry-only"></a>
# ### top-entry-only
# Only the teacher's likeliest word enters.
#
# <a id="log-of-sum"></a>
# ### log-of-sum
# The logarithm is taken after the sum. It looks like a tidy factorisation.

# %%
ce = cross_entropy(log_p, log_q)
drawn = torch.tensor([0] * 70 + [1] * 20 + [2] * 10)
exhibit(
    "weights-missing", "exercise sequence-cross-entropy",
    broken=-log_q.sum(), right=ce,
)
exhibit(
    "weighted-twice", "exercise sampled-loss",
    broken=-(p * log_q)[drawn].mean(), right=-log_q[drawn].mean(),
)
exhibit(
    "term-left-out", "exercise combined-objective",
    broken=-log_q[0], right=-log_q[0] + 2.0 * forward_kl(log_p, log_q),
)
book_value = "the_cross_entropy_is_that_of_the_book"
exhibit(
    "top-entry-only", book_value, broken=-(p * log_q)[p.argmax()], right=ce,
)
exhibit("log-of-sum", book_value, broken=-(p * q).sum().log(), right=ce)

# %% [markdown]
# None of the broken values is absurd. The last is below the right one, as it
# must be: the logarithm of a mean is at least the mean of the logarithms.

# %% [markdown]
# **A cabinet of counts.**
#
# <a id="double-counting"></a>
# ### double-counting
# Four words. How many pairs of words can a target tell apart?
#
# <a id="standard-error-wrong"></a>
# ### standard-error-wrong
# The same scatter, measured with 100 and with 400 samples. Which number says
# how well the mean is known, and how does it change?
#
# <a id="square-forgotten"></a>
# ### square-forgotten
# Two independent sources, each with variance 0.04, are averaged.
#
# <a id="repeated-index"></a>
# ### repeated-index
# Word 1 was followed by word 2 three times. `counts[i, j] += 1` reads like a
# loop.

# %%
words = torch.tensor([0.4, 0.3, 0.2, 0.1])
told_apart = (words[:, None] != words[None, :]).sum()
pairs = list(itertools.combinations(words.tolist(), 2))
exhibit(
    "double-counting", "exercise pairs-told-apart",
    broken=told_apart, right=sum(a != b for a, b in pairs),
)
few, many = (torch.linspace(-1, 1, n).double() for n in (100, 400))
exhibit(
    "standard-error-wrong", "test_estimates_are_unbiased_and_know_their_error",
    broken=[x.std() for x in (few, many)],
    right=[x.std() / math.sqrt(len(x)) for x in (few, many)],
)
share, variance = 0.5, 0.04
exhibit(
    "square-forgotten", "exercise best-lambda-in-theory",
    broken=2 * share * variance, right=2 * share**2 * variance,
)

# %%
i, j = torch.tensor([1, 1, 1]), torch.tensor([2, 2, 2])
at_once = torch.zeros(4, 4)
at_once[i, j] += 1
counted = (i * 4 + j).bincount(minlength=16).view(4, 4)
exhibit(
    "repeated-index",
    "test_transition_counts_are_what_a_counter_counts", "pytorch #3844",
    broken=at_once[1, 2], right=counted[1, 2],
)

# %% [markdown]
# With the square forgotten an average of two sources is no better than one of
# them, and nobody would bother to combine labels with a teacher. With the
# repeated index every pair that occurs has count 1, so the frequent and the
# rare look alike. Both results are plausible tables.

# %% [markdown]
# ## 11.3 Directions and signs

# %% [markdown]
# <a id="kl-reversed"></a>
# ### kl-reversed
#
# A teacher likes two words of three. One student covers all three, the other
# stays with one of the two. `F.kl_div(a, b)` computes KL(b‖a). **Predict**
# which student wins under each line.

# %%
from kdlib.plots import distributions

two_peaks = logs(0.495, 0.010, 0.495)
covers, seeks = logs(1 / 3, 1 / 3, 1 / 3), logs(0.98, 0.01, 0.01)
shown = {"teacher": two_peaks, "covers": covers, "seeks": seeks}
distributions(
    {name: log_x.exp() for name, log_x in shown.items()},
    ["left", "middle", "right"],
    alt="The teacher has two equal peaks, left and right, and almost nothing "
    "in the middle. One student gives all three words a third, the other "
    "gives nearly everything to the left one.",
)

# %%


def arguments_in_reading_order(log_p, log_q):
    return F.kl_div(log_p, log_q, log_target=True, reduction="sum")


exhibit(
    "kl-reversed", "the_kl_is_that_of_the_book", "trl #4935",
    students="covers seeks",
    broken=[arguments_in_reading_order(two_peaks, x) for x in (covers, seeks)],
    right=[forward_kl(two_peaks, student) for student in (covers, seeks)],
)

# %% [markdown]
# "Teacher first" is this book's order and the reverse of PyTorch's. The
# broken line prefers the student that has dropped half of what the teacher
# says. Training looks healthy: reverse KL is a loss in its own right, only not
# the one in the paper.

# %% [markdown]
# <a id="probs-for-log-probs"></a>
# ### probs-for-log-probs
#
# A teacher that is certain is a label, so its loss should be the student's
# surprise. **Predict** the sign of what `F.kl_div` makes of two
# probabilities.

# %%
certain = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
exhibit(
    "probs-for-log-probs", "a_certain_teacher_is_a_label", "ProDA #20",
    broken=F.kl_div(q, certain, reduction="sum"),
    right=forward_kl(certain.log(), log_q),
)

# %% [markdown]
# Negative, with a gradient that still points the right way. The curve falls,
# below zero, and someone takes its absolute value.

# %% [markdown]
# <a id="ce-called-kl"></a>
# ### ce-called-kl
#
# **Predict** the distance from the teacher to itself, as "KL" is logged in
# many training loops.

# %%
exhibit(
    "ce-called-kl", "a_perfect_match_is_zero", "distillm #7",
    broken=[cross_entropy(log_p, x) for x in (log_p, log_q)],
    right=[forward_kl(log_p, x) for x in (log_p, log_q)],
)

# %% [markdown]
# The entropy of the teacher, as chapter 4 has shown. Training is not harmed.
# Judgement is: the perfect student and the good one look almost equally bad.

# %% [markdown]
# <a id="argmax-sign"></a>
# ### argmax-sign
#
# F6 is maximised: log-likelihood *minus* lambda times the distance. A training
# loop minimises. **Predict**: the cross-entropy gets its sign turned, the
# second term is copied as it stands. Where does one step lead?

# %%
teacher_logits, student_logits = draw(2, 4, 5)
labels = teacher_logits.argmax(-1)


def distance_after_a_step(sign):
    student = student_logits.clone().requires_grad_()
    kd = kl_per_token(student, teacher_logits)
    loss = F.cross_entropy(student, labels) + sign * 5.0 * kd
    moved = student - 0.1 * torch.autograd.grad(loss, student)[0]
    return kl_per_token(moved, teacher_logits)


exhibit(
    "argmax-sign", "a_step_leads_to_the_teacher", "question Q24",
    before=kl_per_token(student_logits, teacher_logits),
    broken=distance_after_a_step(-1), right=distance_after_a_step(+1),
)

# %% [markdown]
# Away from the teacher. The total loss falls in both cases, and without end
# in the broken one: a distance has no upper limit. A loss below zero is the
# alarm here.

# %% [markdown]
# <a id="lambda-direction"></a>
# ### lambda-direction
#
# The right label is given in half of its cases only; the teacher is good.
# Someone has read "lambda high: harm" and lowers it. **Predict** the distance
# to the truth at lambda = 0.25 and at 4. The best student is known in closed
# form (chapter 5).

# %%
truth, noisy = logs(0.8, 0.1, 0.1), logs(0.4, 0.3, 0.3).exp()
good_teacher = logs(0.75, 0.15, 0.10).exp()


def distance_from_truth(lambda_):
    return forward_kl(truth, best_student(noisy, good_teacher, lambda_).log())


exhibit(
    "lambda-direction", "a_larger_lambda_trusts_the_teacher_more",
    "questions Q25, Q27",
    broken=distance_from_truth(0.25), right=distance_from_truth(4.0),
)

# %% [markdown]
# **A cabinet of relatives.** Every line is a respectable quantity, and none is
# the one that was asked for.
#
# <a id="kl-for-cross-entropy"></a>
# ### kl-for-cross-entropy
# Asked: the cross-entropy (F2) at a perfect match.
#
# <a id="entropy-for-cross-entropy"></a>
# ### entropy-for-cross-entropy
# Asked: the cross-entropy of Q under P. The same name stands on both sides.
#
# <a id="divergences-mixed-up"></a>
# ### divergences-mixed-up
# Asked: Jensen-Shannon, for two distributions without anything in common.
#
# <a id="mixture-wrong"></a>
# ### mixture-wrong
# Asked: skew KL with a tenth of the teacher. The familiar mixture is half.
#
# <a id="terms-clamped"></a>
# ### terms-clamped
# Asked: KL. "A divergence is never negative", so its terms are made so.

# %%
from kdlib.losses.divergences import jensen_shannon, skew_kl

exhibit(
    "kl-for-cross-entropy",
    "test_cross_entropy_is_kl_plus_entropy_with_the_same_gradient",
    broken=forward_kl(log_p, log_p), right=cross_entropy(log_p, log_p),
)
exhibit(
    "entropy-for-cross-entropy",
    "test_cross_entropy_is_kl_plus_entropy_with_the_same_gradient",
    broken=cross_entropy(log_q, log_q), right=cross_entropy(log_p, log_q),
)
left, other = logs(0.6, 0.4, 0.0), logs(0.0, 0.0, 1.0)

# %%
exhibit(
    "divergences-mixed-up", "test_jensen_shannon_is_symmetric_and_bounded",
    broken=forward_kl(left, other), right=jensen_shannon(left, other),
)
exhibit(
    "mixture-wrong", "exercise worst-skew-kl",
    broken=skew_kl(left, other, 0.5), right=skew_kl(left, other, 0.1),
)
exhibit(
    "terms-clamped", "exercise bug-small-kl", "OPSD #2",
    broken=(p * (log_p - log_q)).clamp(min=0).sum(),
    right=forward_kl(log_p, log_q),
)

# %% [markdown]
# Clamping from above is as bad: cap the large terms, keep the negative ones,
# and the "divergence" falls below zero. That is the thread of the label.

# %% [markdown]
# **A cabinet of scales.** What kind of number is it that comes in?
#
# <a id="log-for-probability"></a>
# ### log-for-probability
# A function that should return probabilities.
#
# <a id="logits-for-probabilities"></a>
# ### logits-for-probabilities
# The same logits, once more with a constant added to all of them.
#
# <a id="sign-flipped"></a>
# ### sign-flipped
# F2 as some printings have it, without the minus sign.
#
# <a id="weighed-by-student"></a>
# ### weighed-by-student
# Who decides which outputs count?
#
# <a id="conventions-mixed"></a>
# ### conventions-mixed
# lambda = 0.9 from one program, passed on as the alpha of another: which
# share of the best student comes from the teacher?

# %%
from kdlib.losses.objectives import alpha_of_lambda

logits = torch.tensor([2.0, 1.0, 0.0])
exhibit(
    "log-for-probability", "exercise soften",
    broken=logits.log_softmax(-1), right=logits.softmax(-1),
)
exhibit(
    "logits-for-probabilities", "test_a_shift_of_each_row_of_logits",
    broken=[logits[0], (logits + 5)[0]],
    right=[logits.softmax(-1)[0], (logits + 5).softmax(-1)[0]],
)

# %%
exhibit("sign-flipped", "never_negative", broken=(p * log_q).sum(), right=ce)
exhibit(
    "weighed-by-student", "exercise chain-rule-loss",
    broken=-(q * log_q).sum(), right=ce,
)
exhibit(
    "conventions-mixed", "test_both_weighings_have_one_direction",
    broken=Objective.from_alpha(0.9).teacher_weight,
    right=Objective.from_alpha(alpha_of_lambda(0.9)).teacher_weight,
)

# %% [markdown]
# A program that takes lambda = 0.9 gives the teacher 47 % of the say, one
# that takes alpha = 0.9 gives it 90 %.

# %% [markdown]
# **A cabinet of ends.** Which of two things stands on top, in front, first?
#
# <a id="ratio-turned-round"></a>
# ### ratio-turned-round
# A teacher of 7 billion parameters, a student of half a billion: how many
# times smaller?
#
# <a id="complement-for-rate"></a>
# ### complement-for-rate
# A tenth of the labels is to be flipped.
#
# <a id="condition-turned-round"></a>
# ### condition-turned-round
# How often is the label "fox" wrong, among all labels "fox"?
#
# <a id="gap-to-the-wrong-end"></a>
# ### gap-to-the-wrong-end
# Weak supervisor 0.60, student 0.70, ceiling 0.80: how much of the gap has
# the student closed?
#
# <a id="one-sign-only"></a>
# ### one-sign-only
# Four words, all with different probabilities. How many pairs differ?
#
# <a id="neighbours-only"></a>
# ### neighbours-only
# The same question, answered with `diff`.

# %%
exhibit(
    "ratio-turned-round", "exercise times-smaller",
    broken=0.5 / 7, right=7 / 0.5,
)
rate, label = 0.1, F.one_hot(torch.tensor(0), 3).double()
exhibit(
    "complement-for-rate", "test_label_noise_is_exact",
    broken=label_noise(label.log(), 1 - rate).exp(),
    right=label_noise(label.log(), rate).exp(),
)
counts = torch.tensor([[80, 20], [10, 890]])  # rows: truth, columns: label

# %%
exhibit(
    "condition-turned-round", "exercise noise-matrix",
    broken=counts[1, 0] / counts[1].sum(),
    right=counts[1, 0] / counts[:, 0].sum(),
)
weak, strong, ceiling = 0.60, 0.70, 0.80
exhibit(
    "gap-to-the-wrong-end",
    "test_gap_closed_is_0_at_the_control_and_1_at_the_teacher",
    broken=(strong - weak) / ceiling,
    right=(strong - weak) / (ceiling - weak),
)

# %%
row = torch.tensor([0.1, 0.4, 0.2, 0.3])
pairs = list(itertools.combinations(row.tolist(), 2))
told_apart = sum(abs(a - b) > 0.05 for a, b in pairs)
exhibit(
    "one-sign-only", "exercise pairs-told-apart",
    broken=sum(a - b > 0.05 for a, b in pairs), right=told_apart,
)
exhibit(
    "neighbours-only", "exercise pairs-told-apart",
    broken=(row.diff().abs() > 0.05).sum(), right=told_apart,
)

# %% [markdown]
# The label "fox" is wrong in one case of nine; that a non-fox is called a fox
# happens once in ninety. Put the two ends in first: a copy of the supervisor
# must score 0, the ceiling 1; a rate of 0 must change nothing.
#
# Now mend one yourself. Two of the large exhibits of this room are in it.

# %%
exercise("bug-two-directions")

# %%
# exercise: bug-two-directions
def bug_two_directions(teacher_logits, student_logits):
    """KL(P || Q) and KL(Q || P) of each row. (N, V), (N, V) -> (N,), (N,)"""
    raise NotImplementedError


exercise("bug-two-directions").check(bug_two_directions)

# %% [markdown]
# ## 11.4 Temperature and softmax
#
# At T = 1 every line of this room is right. That is why these bugs live long:
# they are written, tested at T = 1, and met months later by someone who turns
# the knob.

# %% [markdown]
# <a id="missing-t-squared"></a>
# ### missing-t-squared
#
# The same two models at T = 1 and at T = 4. **Predict** what happens to the
# size of the gradient in the student's logits, with and without the factor.

# %%
student_logits, teacher_logits = draw(2, 4, 6) / 4


def gradient_size(temperature, squared):
    student = student_logits.clone().requires_grad_()
    objective = Objective(
        temperature=temperature, scale_by_t_squared=squared
    )
    loss = distillation_loss(student, teacher_logits, objective=objective)
    return torch.autograd.grad(loss.mean, student)[0].norm()


exhibit(
    "missing-t-squared",
    "small_logits_give_one_gradient_at_any_temperature", "distiller #122",
    broken=[gradient_size(T, False) for T in (1.0, 4.0)],
    right=[gradient_size(T, True) for T in (1.0, 4.0)],
)

# %% [markdown]
# Without T² the gradient shrinks about sixteenfold: raising T *is* lowering
# the weight of the teacher. The conclusion drawn is that high temperatures do
# not help.

# %% [markdown]
# **A cabinet of knobs.** Teacher (0.7, 0.2, 0.1) at T = 2. **Predict** which
# of the four rows is a distribution, and which is softer than P.
#
# <a id="temperature-inverted"></a>
# ### temperature-inverted
# The logits are multiplied by T.
#
# <a id="temperature-after-softmax"></a>
# ### temperature-after-softmax
# The probabilities are divided by T.
#
# <a id="temperature-ignored"></a>
# ### temperature-ignored
# The argument arrives and is forgotten.
#
# <a id="temperature-one-side"></a>
# ### temperature-one-side
# A student equal to its teacher, T on the teacher only. The thread is about a
# paper whose formula softens one side only (there the student's).

# %%
T = 2.0
softened = (log_p / T).softmax(-1)
limit = "a_high_temperature_matches_logits"
exhibit(
    "temperature-inverted", limit,
    broken=(log_p * T).softmax(-1), right=softened,
)
exhibit("temperature-after-softmax", limit, broken=p / T, right=softened)
exhibit(
    "temperature-ignored", limit,
    broken=log_p.softmax(-1), right=softened,
)
exhibit(
    "temperature-one-side", "a_perfect_match_is_zero_at_any_temperature",
    "Pretrained-Language-Model #11",
    broken=forward_kl(softened.log(), log_p),
    right=forward_kl(softened.log(), softened.log()),
)

# %% [markdown]
# The third row is the quietest: a sweep over T whose results are all equal is
# read as "not sensitive to temperature".

# %% [markdown]
# **A cabinet of gradients and terms.**
#
# <a id="temperature-in-label-term"></a>
# ### temperature-in-label-term
# The label's cross-entropy, taken from the softened logits. Should it change
# with T?
#
# <a id="chain-rule-forgotten"></a>
# ### chain-rule-forgotten
# The gradient of KL at temperature T, written down as softened student minus
# softened teacher, without T².
#
# <a id="argument-ignored"></a>
# ### argument-ignored
# The best student (label + lambda P) / (1 + lambda), remembered from the case
# lambda = 1. Ask at lambda = 3.
#
# <a id="sampling-temperature-in-loss"></a>
# ### sampling-temperature-in-loss
# The student writes at temperature 0.5 to write well. The loss compares the
# models.

# %%
from kdlib.losses.closed_forms import combined_logit_gradient

target = torch.tensor(2)
exhibit(
    "temperature-in-label-term",
    "test_temperature_touches_the_teacher_term_only",
    broken=[-(log_q / T).log_softmax(-1)[target] for T in (1, 4)],
    right=[-log_q[target] for T in (1, 4)],
)
plain = Objective(temperature=2.0, scale_by_t_squared=False)
soft_q = (log_q / 2).softmax(-1)

# %%
exhibit(
    "chain-rule-forgotten", "test_combined_logit_gradient_is_that_of_autograd",
    broken=soft_q - softened,
    right=combined_logit_gradient(label, log_p, log_q, plain),
)
exhibit(
    "argument-ignored", "test_best_student_by_hand_and_at_its_ends",
    broken=(label + p) / 2, right=best_student(label, p, 3.0),
)
exhibit(
    "sampling-temperature-in-loss", "exercise on-policy-loss",
    broken=forward_kl(log_p, (log_q / 0.5).log_softmax(-1)),
    right=forward_kl(log_p, log_q),
)

# %% [markdown]
# The gradient is twice too large without the inner derivative, at T = 2. The
# quickest check of any gradient that is written by hand is `autograd`, at a
# temperature other than 1.

# %% [markdown]
# **A cabinet of softmaxes.** **Predict** the rows.
#
# <a id="softmax-twice"></a>
# ### softmax-twice
# A model that returns probabilities is treated like one that returns logits.
#
# <a id="softmax-wrong-axis"></a>
# ### softmax-wrong-axis
# Two rows of logits, normalised over dimension 0.
#
# <a id="gradient-in-probabilities"></a>
# ### gradient-in-probabilities
# The gradient of KL(P‖Q) as -P/Q, handed to the logits.
#
# <a id="copies-instead-of-compares"></a>
# ### copies-instead-of-compares
# The push on the logits of a student that agrees with its teacher.

# %%
exhibit(
    "softmax-twice", "the_kl_is_that_of_the_book", "SciCo #2",
    broken=p.softmax(-1), right=log_p.softmax(-1),
)
rows = torch.stack([log_p, log_q])
exhibit(
    "softmax-wrong-axis", "each_position_stands_alone",
    "structure_knowledge_distillation #11",
    broken=rows.softmax(0)[0], right=rows.softmax(-1)[0],
)
exhibit(
    "gradient-in-probabilities",
    "test_gradient_of_forward_kl_is_student_minus_teacher",
    broken=-p / q, right=q - p,
)
exhibit(
    "copies-instead-of-compares",
    "test_gradient_vanishes_where_student_equals_teacher",
    broken=p, right=p - log_p.softmax(-1),
)

# %% [markdown]
# Twice softened, the favourite falls from 0.7 to 0.464, and no input makes it
# sharp: such a loss gets stuck at a value that looks like a plateau of
# training. The gradient of a row of logits always sums to 0; that of the
# broken line does not.

# %% [markdown]
# ## 11.5 Positions and masks

# %% [markdown]
# <a id="padding-counted"></a>
# ### padding-counted
#
# Two students, two texts of 1 and 4 tokens, padded to 4. The numbers are KLs
# per position. **Predict** who wins.

# %%
mask = torch.tensor([[1, 0, 0, 0], [1, 1, 1, 1]]).bool()
better = torch.tensor([[0.30, 0.60, 0.60, 0.60], [0.20, 0.20, 0.20, 0.20]])
worse = torch.tensor([[0.30, 0.00, 0.00, 0.00], [0.40, 0.40, 0.40, 0.40]])
exhibit(
    "padding-counted", "padding_changes_nothing", "optipfair #34",
    students="better worse",
    broken=[x.mean() for x in (better, worse)],
    right=[x[mask].mean() for x in (better, worse)],
)

# %% [markdown]
# The order turns round. What stands behind a padded position is whatever the
# model says there, and one model may say something nearer to the teacher's by
# accident. In the thread, the method that had "won" a comparison lost it.

# %% [markdown]
# <a id="off-by-one"></a>
# ### off-by-one
#
# Six tokens, all different. One model knows the next token, the other repeats
# the token that it just read. **Predict** their losses if logits and labels
# are not shifted.

# %%
from kdlib.losses.alignment import next_token

ids = torch.tensor([[3, 1, 4, 2, 5, 0]])
sure = 20 * torch.eye(6, dtype=torch.float64)
predicts, copies = sure[ids.roll(-1, 1)], sure[ids]


def aligned(logits):
    logits, labels, counted = next_token(logits, ids)
    return F.cross_entropy(logits[counted], labels[counted])


exhibit(
    "off-by-one", "prediction_is_rewarded_and_copying_is_not",
    "ms-swift #8436",
    models="predicts copies",
    broken=[F.cross_entropy(x[0], ids[0]) for x in (predicts, copies)],
    right=[aligned(x) for x in (predicts, copies)],
)

# %% [markdown]
# The copier is perfect. A loss that is *too good* is the symptom; a text that
# repeats itself, or a teacher and a student shifted differently, which never
# agree, are others. Probably the model was shifted once inside and once
# outside.

# %% [markdown]
# <a id="stop-token-masked"></a>
# ### stop-token-masked
#
# The tokenizer has no padding token, so the stop token is used, and the mask
# is `ids != pad`. **Predict**: the student is fitted to a world's stories by
# counting. How long are the stories that it writes?

# %%
abc = random_world("a b c .", seed=3)
stories = abc.sample(5000, seed=0)
counts = abc.transition_counts(stories)
without_stop = counts.clone()
without_stop[:, abc.eos_id] = 0  # all that `ids != pad` leaves


def mean_length(counts):
    rows = (counts / counts.sum(-1, keepdim=True)).log()
    written = World(abc.words, lambda _: rows).sample(500, length=100, seed=1)
    return round(written.mask.sum(-1).double().mean().item())


exhibit(
    "stop-token-masked", "every_token_but_the_first_is_learned", "trl #6357",
    broken=mean_length(without_stop), right=mean_length(counts),
)

# %% [markdown]
# They never end: only the limit stops them. The loss per token looks fine,
# since the decision that is left out is the one that never gets better.
# Take the mask from the attention mask, never from the ids.

# %% [markdown]
# **A cabinet of ranges.**
#
# <a id="end-left-out"></a>
# ### end-left-out
# Four token losses of 0.1, 0.2, 0.3, 0.4. "From the first to the last" is
# written `[0:3]`.
#
# <a id="whole-for-part"></a>
# ### whole-for-part
# The loss of the second and third token only.
#
# <a id="unlabelled-counted"></a>
# ### unlabelled-counted
# The second row has no label, written -1. Which word does it learn?
#
# <a id="planned-count"></a>
# ### planned-count
# Room for 8 tokens, of which the student wrote 2 before it stopped. Token
# loss 0.5.

# %%
from kdlib.sequences.sums import subsequence_sum

losses = torch.tensor([0.1, 0.2, 0.3, 0.4])
exhibit(
    "end-left-out", "every_token_but_the_first_is_learned",
    broken=losses[0:3].sum(), right=sequence_sum(losses),
)
exhibit(
    "whole-for-part", "exercise part-loss",
    broken=losses.sum(), right=subsequence_sum(losses, 1, 3),
)
two_rows, labels = torch.stack([log_q, log_q]), torch.tensor([0, -1])

# %%
by_label = Objective(label_weight=1.0, teacher_weight=0.0)
exhibit(
    "unlabelled-counted", "test_ignored_labels_count_nowhere",
    broken=-two_rows[torch.arange(2), labels].mean(),
    right=distillation_loss(
        two_rows, labels=labels, objective=by_label, ignore_index=-1
    ).mean,
)
loss, written = torch.full((8,), 0.5), torch.arange(8) < 2
exhibit(
    "planned-count", "exercise on-policy-loss",
    broken=loss[written].sum() / 8, right=sequence_mean(loss, written),
)

# %% [markdown]
# A student that stops early lowers the broken `planned-count` at once: the
# loss pays for short texts.

# %% [markdown]
# **A cabinet of places.**
#
# <a id="wrong-word"></a>
# ### wrong-word
# The teacher's best word, taken from position 0.
#
# <a id="index-for-value"></a>
# ### index-for-value
# Validation losses for three values of lambda. Which lambda is best?
#
# <a id="order-assumed"></a>
# ### order-assumed
# In that table the best stood in the middle. The same table, shuffled.
#
# <a id="tokens-independent"></a>
# ### tokens-independent
# A text "a b a b" and its shuffled version, scored by word frequencies.
#
# <a id="prompt-after-input"></a>
# ### prompt-after-input
# A context and an input, three vectors each. Who reads what first?

# %%
answer = logs(0.2, 0.7, 0.1)
exhibit(
    "wrong-word", "exercise one-hot-of-top",
    broken=0, right=answer.argmax(),
)
lambdas, scores = torch.tensor([0.1, 0.5, 4.0]), torch.tensor([2.3, 2.1, 2.6])
exhibit(
    "index-for-value", "exercise choose-lambda",
    broken=scores.argmin(), right=lambdas[scores.argmin()],
)
shuffled = torch.tensor([1, 2, 0])
exhibit(
    "order-assumed", "exercise choose-lambda",
    broken=lambdas[shuffled][1],
    right=lambdas[shuffled][scores[shuffled].argmin()],
)

# %%
alternating = torch.tensor([[0.05, 0.95], [0.95, 0.05]]).log()


def in_context(text):
    return -sum(alternating[a, b] for a, b in zip(text, text[1:]))


exhibit(
    "tokens-independent", "exercise chain-rule-loss",
    texts="abab aabb",
    broken=[4 * math.log(2), 4 * math.log(2)],
    right=[in_context(text) for text in ([0, 1, 0, 1], [0, 0, 1, 1])],
)
prompt, text = torch.ones(2, 3), torch.zeros(2, 3)
exhibit(
    "prompt-after-input", "exercise soft-prompt-step",
    broken=torch.cat([text, prompt])[:, 0],
    right=torch.cat([prompt, text])[:, 0],
)

# %% [markdown]
# Both orders of `prompt-after-input` have the right shape, and a model with
# attention runs on either. Only positions tell.
#
# Two exercises: the first holds three bugs in one line, the second a loss that
# is too good to be true.

# %%
exercise("bug-masked-loss")

# %%
# exercise: bug-masked-loss
def bug_masked_loss(teacher_logits, student_logits, mask, temperature):
    """Mean loss of a real position, at any length, padding and temperature. -> scalar"""
    raise NotImplementedError


exercise("bug-masked-loss").check(bug_masked_loss)

# %%
exercise("bug-next-word-loss")

# %%
# exercise: bug-next-word-loss
def bug_next_word_loss(logits, tokens, mask, stop):
    """Mean loss of the real next words, the stop among them. -> scalar"""
    raise NotImplementedError


exercise("bug-next-word-loss").check(bug_next_word_loss)

# %% [markdown]
# ## 11.6 Who writes the text
#
# Prefixes come from somewhere. Their author is no argument of any loss
# function, so no review of the loss finds these bugs (chapter 9).

# %% [markdown]
# <a id="exposure-bias"></a>
# ### exposure-bias
#
# A student errs mostly behind the word "b", which the teacher hardly ever
# writes and the student likes. **Predict**: its loss per word behind the
# teacher's texts, and behind its own.

# %%
writes_a_or_b = ("a", "b", ".")
careful = logs([0.50, 0.01, 0.49], [0.30, 0.10, 0.60], [0.97, 0.02, 0.01])
drifting = logs([0.45, 0.15, 0.40], [0.02, 0.90, 0.08], [0.80, 0.18, 0.02])
author = World(writes_a_or_b, lambda _: careful)
pupil = World(writes_a_or_b, lambda _: drifting)
behind = {
    who: author.expected_loss(pupil, along=who) / leader.visits().sum()
    for who, leader in (("teacher", author), ("student", pupil))
}
exhibit(
    "exposure-bias", "exercise samples-decide-the-direction",
    validation=behind["teacher"], in_use=behind["student"],
)

# %% [markdown]
# Validation on the teacher's texts, which is what everybody logs, sees a
# small part of what goes wrong in use.

# %% [markdown]
# **A cabinet of writers.** The student counts upwards: after 0 comes 1, after
# 3 comes 0. The data read "0 2 0 2 0". **Predict** the texts.
#
# <a id="prefix-not-extended"></a>
# ### prefix-not-extended
# All next words are drawn at once, behind the words of the data.
#
# <a id="share-misread"></a>
# ### share-misread
# The share of the student's texts is set to 0. How many does it write?
#
# <a id="mixed-within-row"></a>
# ### mixed-within-row
# The coin is tossed for each word instead of for each text.
#
# <a id="greedy-for-sampled"></a>
# ### greedy-for-sampled
# How many different words follow the same prefix in 200 draws?
#
# <a id="mode-for-sample"></a>
# ### mode-for-sample
# One text per input instead of the sum of F2: the teacher's best one. Is that
# an unbiased estimate?

# %%
data = torch.tensor([0, 2, 0, 2, 0])
after = torch.tensor([1, 2, 3, 0])
own = [0]
while len(own) < len(data):
    own.append(after[own[-1]].item())
own = torch.tensor(own)
exhibit(
    "prefix-not-extended", "test_samples_have_the_enumerated_distribution",
    broken=torch.cat([data[:1], after[data[:-1]]]), right=own,
)
share, coins = 0.0, torch.rand(8)
exhibit(
    "share-misread", "exercise mixed-batch",
    broken=(coins < 1 - share).sum(), right=(coins < share).sum(),
)
heads = torch.tensor([True, True, False, True, False])
exhibit(
    "mixed-within-row", "exercise mixed-batch",
    broken=torch.where(heads, own, data), right=own if heads[0] else data,
)

# %%
from kdlib.sequences.losses import best_sequence_loss

source = torch.Generator().manual_seed(0)
draws = p.multinomial(200, replacement=True, generator=source)
exhibit(
    "greedy-for-sampled", "test_samples_have_the_enumerated_distribution",
    broken=len(p.argmax().expand(200).unique()),
    right=len(draws.unique()),
)
flat = abc.with_temperature(2.0)
exhibit(
    "mode-for-sample", "exercise one-output-per-input",
    broken=best_sequence_loss(abc, flat, length=4),
    right=abc.cross_entropy(flat, length=4),
)

# %% [markdown]
# "0 1 0 3 0" is a text that neither the data nor the student would write. And
# the best output is one point of a distribution: its loss has no reason to be
# the mean, and no number of repetitions makes it so.

# %% [markdown]
# ## 11.7 The teacher
#
# Here the exhibits are modules: dropout, tied weights, a small Llama.

# %% [markdown]
# <a id="teacher-in-train-mode"></a>
# ### teacher-in-train-mode
#
# **Predict**: the teacher is asked twice about the same input. Do the two
# answers agree?

# %%
from kdlib.models.frozen import freeze

torch.manual_seed(0)
teacher = nn.Sequential(nn.Linear(4, 16), nn.Dropout(0.5), nn.Linear(16, 3))
x = torch.ones(2, 4)


def agrees_with_itself(model):
    return torch.equal(model(x), model(x))


exhibit(
    "teacher-in-train-mode",
    "test_frozen_teacher_has_no_gradient_and_no_dropout", "TaCL #11",
    broken=agrees_with_itself(teacher),
    right=agrees_with_itself(freeze(teacher)),
)

# %% [markdown]
# A model comes into the world in training mode. The targets are noisy around
# something sensible, so the student still learns, only worse; "it needs more
# epochs" is the usual verdict.

# %% [markdown]
# <a id="teacher-gets-gradient"></a>
# ### teacher-gets-gradient
#
# `eval()` was remembered. **Predict**: after `backward()`, how many of the
# parameters of this small Llama hold a gradient that nobody asked for?

# %%
from kdlib.models.from_scratch import ModelSize, new_model, parameter_count

size = ModelSize(width=16, layers=2, heads=2)
llama, small = (new_model(size, 20, 32, seed=s) for s in (0, 1))
ids = torch.arange(12)[None]


def with_gradients(teacher):
    log_p = teacher(input_ids=ids).logits.log_softmax(-1)
    log_q = small(input_ids=ids).logits.log_softmax(-1)
    forward_kl(log_p, log_q).sum().backward()
    held = [x.numel() for x in teacher.parameters() if x.grad is not None]
    return sum(held)

# %%
exhibit(
    "teacher-gets-gradient", "only_the_student_learns", "haitongli #25",
    parameters=parameter_count(llama),
    broken=with_gradients(copy.deepcopy(llama).eval()),
    right=with_gradients(freeze(copy.deepcopy(llama))),
)

# %% [markdown]
# All of them. As long as the optimiser was given the student's parameters
# alone, nothing moves, and the only symptom is twice the memory. The day
# somebody passes both models to one optimiser, the teacher walks towards its
# student.

# %% [markdown]
# <a id="shared-module"></a>
# ### shared-module
#
# To start from the teacher's weights, the student is assigned instead of
# copied. **Predict** the loss, before and after ten steps.

# %%
from kdlib.errors import UserError
from kdlib.models.frozen import check_pair
from kdlib.toys.students import fit


def losses_of(teacher, student, steps=10):
    def loss():
        log_p = teacher(input_ids=ids).logits.detach().log_softmax(-1)
        log_q = student(input_ids=ids).logits.log_softmax(-1)
        return forward_kl(log_p, log_q).mean()

    losses = fit(student, loss, steps, learning_rate=0.003)
    return losses[0], losses[-1]

# %%
apart = new_model(size, 20, 32, seed=1)
first, last = losses_of(llama, apart)
exhibit(
    "shared-module", "test_pairs_that_would_teach_nothing_are_refused",
    "trl #5862",
    broken=losses_of(llama, llama), right=f"falls: {first > last > 0}",
)
try:
    check_pair(freeze(llama), llama)
except UserError as error:
    print(error)

# %% [markdown]
# Exactly 0 from the first step on. A loss of 0 is never good news: real
# students do not start perfect. The last line is what `kdlib` says of such a
# pair; sharing a single layer is refused as well.

# %% [markdown]
# <a id="rows-shuffled"></a>
# ### rows-shuffled
#
# The teacher's answers were stored in the order of the data set, and the
# loader shuffles. The student below is perfect. **Predict** its loss.

# %%
stored = draw(4, 5, seed=7).log_softmax(-1)  # one row for each input
batch = torch.tensor([2, 0, 3, 1])  # the inputs that the loader picked
perfect = stored[batch]
exhibit(
    "rows-shuffled", "a_batch_is_the_mean_of_its_rows", "haitongli #16",
    broken=forward_kl(stored, perfect).mean(),
    right=forward_kl(stored[batch], perfect).mean(),
)

# %% [markdown]
# Shapes, dtypes and sums are right, and every target is a real answer, to
# another question. Distillation then hurts, and the conclusion drawn is that
# it does not work for these data.

# %% [markdown]
# <a id="teacher-used-as-student"></a>
# ### teacher-used-as-student
#
# A one-line loss was split into three lines with good names. **Predict** the
# loss and what the student learns.

# %%
large_logits, output = draw(2, 3, 5, seed=8)
output = output.requires_grad_()


def refactored(output, large_logits):
    targets = large_logits.log_softmax(-1)
    prediction = large_logits.log_softmax(-1)
    return forward_kl(targets, prediction).mean()


broken = refactored(output, large_logits)
right = kl_per_token(output, large_logits)
exhibit(
    "teacher-used-as-student", "only_the_student_learns", "labml #66",
    broken=[broken, broken.requires_grad],
    right=[right, right.requires_grad],
)

# %% [markdown]
# 0, and nothing. It stood in a widely read annotated implementation, whose
# results had been made before the refactoring.

# %% [markdown]
# **A cabinet of steps.** Two linear models, one step of plain gradient
# descent. **Predict** for each line what has moved.
#
# <a id="student-gets-no-gradient"></a>
# ### student-gets-no-gradient
# The `no_grad` block was drawn around both models.
#
# <a id="teacher-trained"></a>
# ### teacher-trained
# The optimiser got the parameters of both.
#
# <a id="gradients-not-cleared"></a>
# ### gradients-not-cleared
# Twice the same batch, without `zero_grad` in between: the size of the
# gradient, first and second.

# %%
torch.manual_seed(0)
pair, x = (nn.Linear(4, 3), nn.Linear(4, 3)), torch.ones(2, 4)


def loss_of(teacher, student):
    log_p, log_q = (model(x).log_softmax(-1) for model in (teacher, student))
    return forward_kl(log_p, log_q).mean()


def teacher_moves(trained):
    models = copy.deepcopy(pair)
    loss_of(*models).backward()
    weights = [w for i in trained for w in models[i].parameters()]
    torch.optim.SGD(weights, lr=0.1).step()
    return not torch.equal(models[0].weight, pair[0].weight)

# %%
def growth_of_gradient(clear):
    teacher, student = copy.deepcopy(pair)
    sizes = []
    for _ in range(2):
        if clear:
            student.zero_grad()
        loss_of(freeze(teacher), student).backward()
        sizes.append(student.weight.grad.norm())
    return sizes[1] / sizes[0]

# %%
with torch.no_grad():
    silent = loss_of(*pair)
exhibit(
    "student-gets-no-gradient", "only_the_student_learns",
    "consistency-policy #4",
    broken=silent.requires_grad, right=loss_of(*pair).requires_grad,
)
exhibit(
    "teacher-trained", "exercise bug-training-step",
    broken=teacher_moves([0, 1]), right=teacher_moves([1]),
)
exhibit(
    "gradients-not-cleared", "exercise bug-training-step",
    "tt-blacksmith #711",
    broken=growth_of_gradient(clear=False),
    right=growth_of_gradient(clear=True),
)

# %% [markdown]
# With the teacher in the graph *and* in the optimiser it comes to meet its
# student: the loss falls from both sides, and what is matched in the end is
# no longer the teacher.

# %% [markdown]
# <a id="model-handed-back-changed"></a>
# ### model-handed-back-changed
#
# A student with dropout is validated between the two halves of a large batch.
# The function needs room in memory, and answers that do not depend on chance.
# **Predict** what it leaves to the second half: is dropout on, and how many of
# the four parameter tensors still hold the gradient of the first half?

# %%
drops = nn.Sequential(nn.Linear(4, 16), nn.Dropout(0.5), nn.Linear(16, 3))


def validated(model):
    model.eval()
    model.zero_grad()  # for room
    with torch.no_grad():
        return F.cross_entropy(model(x), torch.tensor([0, 1]))


def validated_and_put_back(model):
    modes = [(part, part.training) for part in model.modules()]
    model.eval()
    with torch.no_grad():
        loss = F.cross_entropy(model(x), torch.tensor([0, 1]))
    for part, mode in modes:
        part.training = mode
    return loss

# %%
def handed_back(validation):
    model = copy.deepcopy(drops)
    model(x).sum().backward()  # the first half of the batch
    validation(model)
    held = sum(w.grad is not None for w in model.parameters())
    mode = "off" if agrees_with_itself(model) else "on"
    return f"dropout {mode}, {held} gradients"


exhibit(
    "model-handed-back-changed", "exercise distillation-step-loss",
    "pytorch-pfn-extras #688",
    broken=handed_back(validated), right=handed_back(validated_and_put_back),
)
quiet = copy.deepcopy(drops).eval()
assert validated(quiet) == validated_and_put_back(quiet)
assert not quiet.training

# %% [markdown]
# Both functions return the same loss. The difference is in the steps after
# them: from here on the student trains without dropout, and of this batch only
# the second half counts. `train()` at the end is no repair, for it switches
# dropout on in a model that came in eval mode, such as a teacher. Put back
# what was there.

# %% [markdown]
# **A cabinet of readers.** In context distillation (chapter 2) the teacher
# reads an instruction and an input, "plain fox"; the student reads "fox"
# alone. A student is trained in each way and then used on "fox" and "owl".
# **Predict** the order of the four distances to the teacher.
#
# <a id="full-input-for-student"></a>
# ### full-input-for-student
# It is trained on "plain fox" and used on "fox".
#
# <a id="simple-input-for-teacher"></a>
# ### simple-input-for-teacher
# Both read "fox": the usual loop feeds one batch to two models.
#
# <a id="user-input-dropped"></a>
# ### user-input-dropped
# The input was "simplified" to nothing, for fox and owl alike.

# %%
from kdlib.toys.students import TabularStudent
from kdlib.toys.worlds import story_world

world = story_world()
heroes = ("fox", "owl")

# %%
def distance(taught, teacher_reads="plain {}", student_reads="{}"):
    """Of a student used on what it would read if all were right."""
    student = TabularStudent(world)

    def kl(hero, teacher_text, student_text):
        return world.kl(
            student, teacher_text.format(hero),
            student_context=student_text.format(hero),
        )

    losses = fit(
        student, lambda: sum(kl(hero, *taught) for hero in heroes),
        steps=60, learning_rate=0.3,
    )
    assert losses[-1] < losses[0]
    used = [kl(hero, teacher_reads, student_reads) for hero in heroes]
    return sum(used).item() / len(used)


right = distance(taught=("plain {}", "{}"))

# %%
mistaken = {
    "full-input-for-student": distance(taught=("plain {}", "plain {}")),
    "simple-input-for-teacher": distance(taught=("{}", "{}")),
    "user-input-dropped": distance(("plain {}", ""), student_reads=""),
}
for id, broken in mistaken.items():
    exhibit(
        id, "exercise training-pairs",
        broken=f"{broken:.1f}", right=f"{right:.1f}",
    )

# %% [markdown]
# In nats per story. The second mistake costs most: a teacher that has not
# read the instruction has nothing of it to pass on. In every case the training
# loss falls as it should.

# %% [markdown]
# **A cabinet of roles.**
#
# <a id="larger-taken-for-teacher"></a>
# ### larger-taken-for-teacher
# A weak model supervises a strong one. Whose probabilities weigh?
#
# <a id="labels-for-teacher"></a>
# ### labels-for-teacher
# The push on a student that equals its teacher, when the goal is the label.
#
# <a id="parameters-copied"></a>
# ### parameters-copied
# Teacher and student of different width: can "knowledge" be moved as weights?
#
# <a id="features-for-responses"></a>
# ### features-for-responses
# The same two: which of their tensors can be compared at all?

# %%
weak, strong = log_p, log_q
exhibit(
    "larger-taken-for-teacher", "exercise weak-to-strong-loss",
    broken=forward_kl(strong, weak), right=forward_kl(weak, strong),
)
exhibit(
    "labels-for-teacher", "exercise on-policy-loss",
    broken=p - label, right=p - log_p.exp(),
)
wide, narrow = (
    nn.Sequential(nn.Linear(4, width), nn.Linear(width, 3)) for width in (8, 2)
)

# %%
shapes = [[w.shape for w in model.parameters()] for model in (wide, narrow)]
exhibit(
    "parameters-copied", "exercise what-is-trained",
    broken=shapes[0] == shapes[1],
    right=wide(x).shape == narrow(x).shape,
)
exhibit(
    "features-for-responses", "exercise what-the-student-sees",
    broken=wide[0](x).shape == narrow[0](x).shape,
    right=wide(x).shape == narrow(x).shape,
)

# %% [markdown]
# What two models of any shape have in common is their answer to the same
# question. A teacher behind an interface that returns answers can be
# distilled; its weights and hidden states are nobody's business.
#
# Two exercises: a step with several of these bugs, and a diagnosis.

# %%
exercise("bug-training-step")

# %%
# exercise: bug-training-step
def bug_training_step(teacher, student, x, rate):
    """One step of the student towards the teacher's answers; the loss from before it. -> number"""
    raise NotImplementedError


exercise("bug-training-step").check(bug_training_step)

# %%
exercise("bug-behind-the-symptom")

# %%
# exercise: bug-behind-the-symptom
answer = ...  # one letter of a, b, c, d, e, f
exercise("bug-behind-the-symptom").check(answer)

# %% [markdown]
# ## 11.8 Targets, vocabularies and truncation
#
# A teacher's answer is large, so people shorten it, cache it and cut it to
# shape. What is left still looks like a distribution.

# %% [markdown]
# <a id="hard-for-soft"></a>
# ### hard-for-soft
#
# A free student is trained on the argmax of its teacher, which someone has
# called its soft output. **Predict** the agreement on the first choice, and
# the KL.

# %%
flat_teacher = logs(0.4, 0.3, 0.2, 0.1)


def trained_on(target):
    z = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    fit([z], lambda: cross_entropy(target.log(), z.log_softmax(-1)), 200)
    agrees = z.argmax() == flat_teacher.argmax()
    kl = forward_kl(flat_teacher, z.log_softmax(-1)).item()
    return f"agreement {agrees:d}, KL {kl:.1f}"


exhibit(
    "hard-for-soft", "the_gradient_is_student_minus_teacher", "question Q08",
    broken=trained_on(F.one_hot(flat_teacher.argmax(), 4).double()),
    right=trained_on(flat_teacher.exp()),
)

# %% [markdown]
# Agreement is perfect in both cases. The KL grows the longer one trains. With
# a peaked teacher it would stay small: the bug shows where the teacher
# hesitates, and that is where it has most to teach.

# %% [markdown]
# <a id="top-k-renormalised"></a>
# ### top-k-renormalised
#
# The teacher's words follow Zipf's law, a hundred of them, and the cache keeps
# ten. **Predict** the loss of a student that equals its teacher, and the
# probability that the best student gives to the first word.

# %%
from kdlib.losses.sparse import top_k, with_tail

zipf = -torch.arange(1, 101).double().log()
zipf = zipf.log_softmax(-1)
head, merged = top_k(zipf, 10), with_tail(zipf, 10)
exhibit(
    "top-k-renormalised", "the_teacher_has_nothing_to_learn",
    "Anshumann et al. 2025",
    broken=[head.divergence(zipf), head.weights[0]],
    right=[merged.divergence(zipf), merged.weights[0]],
)

# %% [markdown]
# A perfect student pays 0.57 nats for being perfect, and is pushed to be
# nearly twice as sure of the first word. It is not noise: no number of steps
# repairs it. One more slot for "all the rest" does, and so does sampling.

# %% [markdown]
# <a id="top-k-unnormalised"></a>
# ### top-k-unnormalised
#
# So the kept terms are summed as they are. **Predict** the sign.

# %%
four, flatter = logs(0.4, 0.3, 0.2, 0.1), logs(0.45, 0.35, 0.1, 0.1)
kept = four.topk(2).indices
terms = four.exp() * (four - flatter)
exhibit(
    "top-k-unnormalised", "a_distance_is_not_negative_for_a_flatter_teacher",
    "verl #7856",
    broken=terms[kept].sum(),
    right=[with_tail(four, 2).divergence(flatter), forward_kl(four, flatter)],
)

# %% [markdown]
# Negative, better than perfect. A clamp at 0 makes the log look sane and
# switches the gradient off at just these positions. With the rest as one slot
# the value lies between 0 and the whole KL.

# %% [markdown]
# <a id="vocab-padded-with-zero"></a>
# ### vocab-padded-with-zero
#
# A vocabulary of five words is filled up to eight slots. Real logits are
# around -8. **Predict** how much of the distribution lands on the three slots.

# %%
five = draw(5) - 8
shares = {
    name: F.pad(five, (0, 3), value=value).softmax(-1)[5:].sum()
    for name, value in (("broken", 0.0), ("right", -torch.inf))
}
exhibit(
    "vocab-padded-with-zero", "slots_that_do_not_exist_change_nothing",
    "Liger #634", **shares,
)

# %% [markdown]
# Nearly all of it. If teacher and student are padded alike, they even agree
# there, and the KL looks *better*. For a logit, nothing is minus infinity.

# %% [markdown]
# <a id="same-size-same-tokenizer"></a>
# ### same-size-same-tokenizer
#
# Two tokenizers of six words. The shapes fit. **Predict** what the teacher
# reads when the student's tokenizer has read "the fox sings".

# %%
from kdlib.models.vocabularies import check_same_tokens

words = ["the", "fox", "sings", "owl", "at", "night"]
student_ids = {word: i for i, word in enumerate(words)}
teacher_ids = {word: i for i, word in enumerate(sorted(words))}
word_of = {i: word for word, i in teacher_ids.items()}


class Vocabulary(dict):
    def get_vocab(self):
        return self

# %%
try:
    check_same_tokens(Vocabulary(teacher_ids), Vocabulary(student_ids))
except UserError as error:
    refusal = str(error)
exhibit(
    "same-size-same-tokenizer",
    "test_equal_sizes_do_not_make_equal_tokenizers", "trl #4562",
    broken=[word_of[student_ids[word]] for word in ("the", "fox", "sings")],
    right=refusal,
)

# %% [markdown]
# The teacher answers fluently, to a text that nobody wrote. Compare the maps
# from token to id, not their sizes.

# %% [markdown]
# **A cabinet of slots.**
#
# <a id="unused-slots-counted"></a>
# ### unused-slots-counted
# Output matrices are rounded up. Five words, one slot that nobody trained,
# with an honest logit of its own.
#
# <a id="rest-not-renormalised"></a>
# ### rest-not-renormalised
# The likeliest word is taken out; what is left should be a distribution.
#
# <a id="index-for-distribution"></a>
# ### index-for-distribution
# Asked: the distribution of a label.
#
# <a id="ties-counted-twice"></a>
# ### ties-counted-twice
# The one-hot of the top, where two words are equally likely.

# %%
six = torch.cat([five, five.max()[None]])
exhibit(
    "unused-slots-counted", "exercise bug-padded-kl", "LMOps #331",
    broken=six.softmax(-1)[:5].sum(), right=six[:5].softmax(-1).sum(),
)
rest = p[1:]
exhibit(
    "rest-not-renormalised", "exercise dark-knowledge",
    broken=[rest, rest.sum()],
    right=[rest / rest.sum(), (rest / rest.sum()).sum()],
)
exhibit(
    "index-for-distribution", "exercise one-hot-of-top",
    broken=p.argmax(-1), right=F.one_hot(p.argmax(-1), 3),
)
tied = torch.tensor([0.4, 0.4, 0.2])
exhibit(
    "ties-counted-twice", "exercise one-hot-of-top",
    broken=(tied == tied.max()).int(), right=F.one_hot(tied.argmax(), 3),
)

# %% [markdown]
# **A cabinet of targets.** What does a target tell the student?
#
# <a id="string-for-distribution"></a>
# ### string-for-distribution
# The teacher would say "I am happy" in seven cases of ten. In how many cases
# does a target that is this string call the teacher itself wrong?
#
# <a id="flat-for-informative"></a>
# ### flat-for-informative
# "Soft targets teach more, so the softest teaches most": which target has the
# highest entropy, and how many pairs of words does it tell apart?
#
# <a id="confident-for-right"></a>
# ### confident-for-right
# One teacher is sure of the wrong word, one fairly sure of the right one.
# Entropy, and surprise at the right word.
#
# <a id="top-1-for-match"></a>
# ### top-1-for-match
# A student that is far too sure: agreement, and KL.
#
# <a id="average-for-the-shown"></a>
# ### average-for-the-shown
# A system shows its users one word, the likeliest. The teacher is (0.4, 0.35,
# 0.25). Student A is (0.36, 0.37, 0.27), student B (0.6, 0.25, 0.15): which has
# the smaller KL, and which shows the teacher's word?
#
# <a id="soft-prompt-as-words"></a>
# ### soft-prompt-as-words
# A soft prompt halfway between two words, rounded to the nearer one.

# %%
exhibit(
    "string-for-distribution", "exercise je-suis-content",
    broken=1 - p.max(), right=forward_kl(log_p, log_p),
)
uniform = logs(1 / 3, 1 / 3, 1 / 3)


def pairs_told_apart(log_p):
    gaps = log_p.exp()[:, None] - log_p.exp()
    return (gaps > 1e-6).sum()


exhibit(
    "flat-for-informative", "exercise pairs-told-apart",
    targets="uniform teacher",
    broken=[entropy(x) for x in (uniform, log_p)],
    right=[pairs_told_apart(x) for x in (uniform, log_p)],
)

# %%
sure_and_wrong, unsure_and_right = logs(0.02, 0.97, 0.01), log_p
exhibit(
    "confident-for-right", "exercise most-informative-target",
    teachers="sure-and-wrong unsure-and-right",
    broken=[entropy(x) for x in (sure_and_wrong, unsure_and_right)],
    right=[-x[0] for x in (sure_and_wrong, unsure_and_right)],
)
too_sure = logs(0.98, 0.01, 0.01)

# %%
exhibit(
    "top-1-for-match", "exercise three-replicas",
    broken=too_sure.argmax() == log_p.argmax(),
    right=forward_kl(log_p, too_sure),
)
unsure = logs(0.4, 0.35, 0.25)
shown = logs(0.36, 0.37, 0.27), logs(0.6, 0.25, 0.15)
exhibit(
    "average-for-the-shown", "exercise sixty-outputs", students="A B",
    broken=[forward_kl(unsure, x) for x in shown],
    right=[(x.argmax() == unsure.argmax()).int() for x in shown],
)

# %%
readout = 2.0 * torch.eye(2).double()  # two words, and the logits they give
evenly, halfway = logs(0.5, 0.5), torch.tensor([0.5, 0.5]).double()
word = F.one_hot(halfway.argmax(), 2).double()
exhibit(
    "soft-prompt-as-words", "exercise what-a-soft-prompt-is",
    broken=forward_kl(evenly, (word @ readout).log_softmax(-1)),
    right=forward_kl(evenly, (halfway @ readout).log_softmax(-1)),
)

# %% [markdown]
# In this cabinet `broken` and `right` are two ways to judge. By entropy the
# uniform target is the best and the sure, wrong teacher next to it in merit;
# by what is told apart, and by the right word, both are worst.
#
# Your turn: a target called soft.

# %%
exercise("bug-soft-targets")

# %%
# exercise: bug-soft-targets
def bug_soft_targets(teacher_logits, student_logits):
    """Mean loss of a row; 0 for a student that equals its teacher. (N, V), (N, V) -> scalar"""
    raise NotImplementedError


exercise("bug-soft-targets").check(bug_soft_targets)

# %% [markdown]
# ## 11.9 Numerics
#
# Correct formulas, wrong numbers. Chapter 4 has the long version.

# %% [markdown]
# <a id="zero-log-zero"></a>
# ### zero-log-zero
#
# Three words; then a fourth that neither model can say; then a student that
# excludes a word which the teacher may say. **Predict** what the printed
# formula gives, and its popular repair.

# %%
def as_printed(log_p, log_q):
    return (log_p.exp() * (log_p - log_q)).sum(-1)


def repaired(log_p, log_q):
    terms = log_p.exp() * (log_p - log_q)
    return terms.nan_to_num(0, posinf=0, neginf=0).sum(-1)

# %%
cases = (
    (log_p, log_q),
    (logs(0.7, 0.2, 0.1, 0.0), logs(0.6, 0.3, 0.1, 0.0)),
    (log_p, logs(0.7, 0.3, 0.0)),
)
exhibit(
    "zero-log-zero", "missing_what_the_teacher_says_is_infinitely_bad",
    "Liger #1453",
    broken=[as_printed(*case) for case in cases],
    repaired=[repaired(*case) for case in cases],
    right=[forward_kl(*case) for case in cases],
)

# %% [markdown]
# NaN is loud. The repair is quiet: in the third case it turns an infinite
# loss into a negative one, so the broken student beats the perfect one. An
# infinite divergence is the truth, and a finding.

# %% [markdown]
# <a id="floor-in-logarithm"></a>
# ### floor-in-logarithm
#
# The other popular repair adds 1e-9 to every probability, so that no logarithm
# meets a zero. There are two words, and three students put the right one 10,
# 30 and 60 nats below the wrong one. **Predict** their losses, and how hard
# each of them is pulled towards the right word.

# %%
below = torch.tensor([10.0, 30.0, 60.0])
students = torch.stack([-below, torch.zeros(3)], -1)  # right word, wrong word


def with_a_floor(logits):
    return -(logits.softmax(-1) + 1e-9).log()[:, 0]


def with_a_clamp(logits):
    return -logits.softmax(-1).clamp(min=1e-9).log()[:, 0]


def without(logits):
    return -logits.log_softmax(-1)[:, 0]


def pull(loss):
    logits = students.clone().requires_grad_()
    return -torch.autograd.grad(loss(logits).sum(), logits)[0][:, 0]

# %%
exhibit(
    "floor-in-logarithm", "exercise bug-next-word-loss", "skorch #481",
    broken=with_a_floor(students), its_pull=pull(with_a_floor),
    right=without(students), right_pull=pull(without),
)
assert with_a_floor(students)[1:].diff().abs() < 0.001
assert (pull(with_a_floor)[1:] < 0.001).all()
assert (pull(with_a_clamp)[1:] == 0).all()

# %% [markdown]
# The second student and the third pay the same, and next to nothing pulls
# them back: those who are surest of a wrong word learn least about it. With a
# clamp nothing pulls them at all. The logarithm of a softmax needs no floor
# when it is taken in one step, as `log_softmax` does.

# %% [markdown]
# <a id="half-precision-softmax"></a>
# ### half-precision-softmax
#
# A small KL over 128,000 words, from bfloat16 logits. **Predict**: is it right
# to a percent if the log-softmax runs in bfloat16 too? And in float32?

# %%
teacher = draw(128_000).bfloat16()
student = (teacher + 0.045 * draw(128_000, seed=1)).bfloat16()


def kl_from(student, teacher):
    log_q, log_p = student.log_softmax(-1), teacher.log_softmax(-1)
    return as_printed(log_p.double(), log_q.double())


exact = kl_from(student.double(), teacher.double())
wrong_by = {
    "broken": abs(kl_from(student, teacher) / exact - 1),
    "right": abs(kl_per_token(student, teacher) / exact - 1),
}
exhibit(
    "half-precision-softmax", "a_small_kl_survives_bfloat16_logits",
    "measured in chapter 4",
    **{name: f"within 1 %: {x < 0.01}" for name, x in wrong_by.items()},
)
assert wrong_by["broken"] > 0.2

# %% [markdown]
# The nearer the student comes, the more of the loss is rounding. It looks like
# a student that has stopped learning. The logits may stay as they are; convert
# them to float32 *before* the log-softmax.

# %% [markdown]
# **A cabinet of limits.**
#
# <a id="softmax-overflow"></a>
# ### softmax-overflow
# exp(x) / sum exp(x), for a large logit.
#
# <a id="float-logarithm"></a>
# ### float-logarithm
# How long may a text be if 1000 outputs over ten tokens can be enumerated?
#
# <a id="dense-logits-stored"></a>
# ### dense-logits-stored
# Numbers held by the logits of both models for 8 texts of 2,048 tokens and a
# vocabulary of 128,000, at once and in chunks of 128 positions.

# %%
from kdlib.sequences.exact import count_sequences

large = torch.tensor([1000.0, 999.0])
exhibit(
    "softmax-overflow", "large_logits_do_not_matter",
    broken=large.exp() / large.exp().sum(), right=large.softmax(-1),
)
lengths = [n for n in range(1, 9) if count_sequences(10, n, False) <= 1000]
exhibit(
    "float-logarithm", "exercise longest-that-fits",
    broken=int(math.log(1000) / math.log(10)), right=max(lengths),
)
positions, vocabulary = 8 * 2_048, 128_000
exhibit(
    "dense-logits-stored",
    "test_nothing_of_the_size_of_the_logits_is_kept", "unsloth #11554",
    broken=f"{2 * positions * vocabulary:,}",
    right=f"{2 * 128 * vocabulary:,}",
)

# %% [markdown]
# The largest array of a training run is one that need not exist: the loss can
# be summed chunk by chunk (chapter 8). And what is a whole number should be
# counted with whole numbers.
#
# Your turn: a small KL that comes out large.

# %%
exercise("bug-small-kl")

# %%
# exercise: bug-small-kl
def bug_small_kl(teacher_logits, student_logits):
    """KL from teacher to student of each row, exact enough also where it is small. -> (N,)"""
    raise NotImplementedError


exercise("bug-small-kl").check(bug_small_kl)

# %% [markdown]
# ## 11.10 Units and budgets
#
# What is compared must be of one kind. Most of this room fits on the back of
# an envelope, which is where the mistakes are made.

# %% [markdown]
# <a id="nats-for-bits"></a>
# ### nats-for-bits
#
# The entropy of a fair coin, by two programs. Then two models: one reports a
# loss of 1.3 in bits, the other 1.0 in nats, on the same text. **Predict**
# which is better.

# %%
coin = logs(0.5, 0.5)
exhibit(
    "nats-for-bits", "a_fair_coin_has_log_2_nats", "everywhere",
    broken=-(coin.exp() * coin.exp().log2()).sum(), right=entropy(coin),
)
in_bits, in_nats = 1.3, 1.0
print(f"both in nats: {in_bits * math.log(2):.3f} and {in_nats:.3f}")

# %% [markdown]
# The one with the larger number. A factor of 0.693 is just small enough to
# pass for an improvement.

# %% [markdown]
# **A cabinet of measures.**
#
# <a id="perplexity-for-loss"></a>
# ### perplexity-for-loss
# Three batches with losses of 2, 3 and 4 nats: the perplexity of the whole.
#
# <a id="characters-for-bytes"></a>
# ### characters-for-bytes
# The length of "naïve café", for bits per byte.
#
# <a id="ratio-and-difference"></a>
# ### ratio-and-difference
# How much smaller is the student? Counted in billions of parameters, then in
# millions.
#
# <a id="losses-incomparable"></a>
# ### losses-incomparable
# Two models, in nats, on the same three tokens. "Losses cannot be compared."

# %%
batch_losses = torch.tensor([2.0, 3.0, 4.0])
exhibit(
    "perplexity-for-loss", "exercise share-of-the-gap", "pylearn2 #1383",
    broken=batch_losses.exp().mean(), right=batch_losses.mean().exp(),
)
text = "naïve café"
exhibit(
    "characters-for-bytes", "exercise bug-two-scores", "nanobot #2863",
    broken=len(text), right=len(text.encode()),
)

# %%
sizes = {"billions": (7, 0.5), "millions": (7000, 500)}
exhibit(
    "ratio-and-difference", "exercise times-smaller",
    broken=[large - little for large, little in sizes.values()],
    right=[large / little for large, little in sizes.values()],
)
one, two = torch.tensor([2.0, 1.5, 0.5]), torch.tensor([1.0, 1.8, 0.6])
exhibit(
    "losses-incomparable", "exercise two-translation-strategies",
    broken="no verdict", right=sequence_sum(one) - sequence_sum(two),
)

# %% [markdown]
# Same kind, same unit, same text: then a difference is evidence, and here it
# says that the second model finds the text exp(0.6) times likelier.

# %% [markdown]
# **A cabinet of budgets.** Each line forgot one factor. **Predict** which.
#
# <a id="precision-forgotten"></a>
# ### precision-forgotten
# Seven billion parameters in bfloat16: how many gigabytes?
#
# <a id="parameters-forgotten"></a>
# ### parameters-forgotten
# From 7 billion parameters in 16 bits to half a billion in 4 bits: how many
# times smaller is the file?
#
# <a id="backward-pass-forgotten"></a>
# ### backward-pass-forgotten
# Operations per token for a teacher of 7 and a student of 1 billion
# parameters, in billions.
#
# <a id="growth-misjudged"></a>
# ### growth-misjudged
# All texts of five tokens over a vocabulary of 1000.
#
# <a id="unequal-budget"></a>
# ### unequal-budget
# The student took 1000 steps, each with a pass through that teacher. How many
# steps has a control without teacher, for the same operations?

# %%
billions, bytes_each = 7, torch.bfloat16.itemsize
exhibit(
    "precision-forgotten", "exercise bug-bytes-on-paper",
    broken=billions, right=billions * bytes_each,
)
exhibit(
    "parameters-forgotten", "exercise times-smaller",
    broken=16 / 4, right=(7 / 0.5) * (16 / 4),
)
forward, forward_and_backward = 2, 6  # operations per parameter and token
with_teacher = forward * 7 + forward_and_backward * 1

# %%
exhibit(
    "backward-pass-forgotten", "exercise bug-cache-pays",
    broken=forward * 7 + forward * 1, right=with_teacher,
)
exhibit(
    "growth-misjudged", "test_count_is_exact_for_a_real_vocabulary",
    broken=f"{5 * 1000:,}",
    right=f"{count_sequences(1000, 5, has_eos=False):,}",
)
exhibit(
    "unequal-budget",
    "test_a_control_of_equal_compute_has_the_students_operations",
    broken=1000, right=1000 * with_teacher // forward_and_backward,
)

# %% [markdown]
# A control with the same number of steps is fair to the data, one with the
# same operations is fair to the budget. Show both, and say which is which.

# %% [markdown]
# ## 11.11 Judgement
#
# The last room has no broken line of code. What is broken is a sentence about
# a result. `belief` is what the sentence predicts, `found` what happens in the
# smallest world that can decide.

# %% [markdown]
# **A cabinet of data.** A teacher reads an instruction, A or B; the student
# reads neither. **Predict** the least loss that it can reach.
#
# <a id="zero-loss-expected"></a>
# ### zero-loss-expected
# "The loss does not reach 0, so there is a bug."
#
# <a id="more-data-always-better"></a>
# ### more-data-always-better
# "B was missing in the data. With B the loss will fall."
#
# <a id="data-size-irrelevant"></a>
# ### data-size-irrelevant
# "The teacher supplies the targets, so A alone will do." Use it on B.

# %%
told_a, told_b = logs(0.7, 0.2, 0.1), logs(0.1, 0.2, 0.7)
blind = best_student(told_a.exp(), told_b.exp(), 1.0).log()  # half and half


def loss_on(student, *told):
    return sum(forward_kl(teacher, student) for teacher in told) / len(told)


exhibit(
    "zero-loss-expected", "exercise blind-student-loss",
    belief=0.0, found=loss_on(blind, told_a, told_b),
)

# %%
exhibit(
    "more-data-always-better", "exercise is-more-data-always-better",
    belief="falls",
    found=[loss_on(told_a, told_a), loss_on(blind, told_a, told_b)],
)
exhibit(
    "data-size-irrelevant", "exercise is-more-data-always-better",
    belief=loss_on(told_a, told_a), found=loss_on(told_a, told_b),
)

# %% [markdown]
# The loss rose from 0 when B came in, and the student became better: on B it
# had been far off.

# %% [markdown]
# **A cabinet of suspects.** A student was trained on plain instructions. It
# does well there and badly on ornate ones. Three suspects are named at once.
# **Predict** what clears each of them.
#
# <a id="capacity-blamed"></a>
# ### capacity-blamed
# "The student is too small."
#
# <a id="teacher-blamed"></a>
# ### teacher-blamed
# "The teacher must be bad at ornate texts."
#
# <a id="optimiser-blamed"></a>
# ### optimiser-blamed
# "It needs more steps, or another learning rate."

# %%
plain_rows = world.log_rows("plain fox")
learned_plain = World(world.words, lambda _: plain_rows, world.context_words)
on_plain = world.kl(learned_plain, "plain fox")
on_ornate = world.kl(learned_plain, "ornate fox")
case = "exercise good-on-simple-bad-on-complex"
exhibit(
    "capacity-blamed", case,
    belief="too small: bad everywhere", found=[on_plain, on_ornate],
)
exhibit(
    "teacher-blamed", case, belief="bad at ornate texts",
    found=world.text(world.sample(1, "ornate fox", seed=4).tokens[0]),
)
exhibit(
    "optimiser-blamed", case,
    belief="a loss that could still fall", found=on_plain,
)

# %% [markdown]
# It is perfect where it was trained, so it is large enough and was trained
# long enough. The teacher, when asked, writes a sound ornate text. What is
# left is the difference between the inputs of training and of use.

# %% [markdown]
# **A cabinet of comparisons.**
#
# <a id="no-control"></a>
# ### no-control
# The loss of a distilled student has fallen by this much. Compared with what?
#
# <a id="noise-for-signal"></a>
# ### noise-for-signal
# Setting B beats A by this difference. How many standard errors is that?
#
# <a id="lucky-seed"></a>
# ### lucky-seed
# Five seeds for A, five for C. "C holds the record." Which one to use?
#
# <a id="median-for-mean"></a>
# ### median-for-mean
# Of five runs of D four end below every run of A, and one goes astray. "A
# median is robust." **Predict** who leads by the medians, and who by the
# means.

# %%
few = abc.sample(20, seed=2)
counted = abc.transition_counts(few) + 1


def distance_of(rows):
    return abc.kl(World(abc.words, lambda _: rows))


untrained = distance_of(torch.full((4, 4), 0.25).double().log())
control = distance_of((counted / counted.sum(-1, keepdim=True)).log())
distilled = distance_of(abc.with_temperature(1.2).log_rows())
exhibit(
    "no-control", "exercise plan-in-full",
    belief=untrained - distilled, found=control - distilled,
)

# %%
runs = {
    "A": torch.tensor([2.08, 2.14, 2.11, 2.09, 2.13]),
    "B": torch.tensor([2.06, 2.15, 2.10, 2.08, 2.14]),
    "C": torch.tensor([1.95, 2.35, 2.20, 2.30, 2.25]),
    "D": torch.tensor([2.01, 2.03, 2.75, 2.00, 2.02]),
}
gap = runs["A"].mean() - runs["B"].mean()
spread = sum(x.var() / len(x) for x in (runs["A"], runs["B"])).sqrt()
exhibit(
    "noise-for-signal", "exercise choose-lambda",
    belief=gap, found=f"{gap / spread:.1f} standard errors",
)
exhibit(
    "lucky-seed", "exercise choose-lambda",
    belief=min("AC", key=lambda name: runs[name].min()),
    found=min("AC", key=lambda name: runs[name].mean()),
)

# %%
a, d = runs["A"], runs["D"]
assert (d < a.min()).sum() == 4
by_median, by_mean = a.median() - d.median(), a.mean() - d.mean()
error = (a.var() / len(a) + d.var() / len(d)).sqrt()
assert by_median > 0 > by_mean and error > by_mean.abs()
exhibit(
    "median-for-mean", "exercise choose-lambda",
    belief=f"D ahead by {by_median:.2f}",
    found=f"D behind by {-by_mean:.2f}, with a standard error of {error:.2f}",
)

# %% [markdown]
# Most of the fall in `no-control` the same student has from its data alone.
# And the best of five runs rewards scatter: a setting that varies more wins
# it more often, whatever its mean. A median does not see the run that went
# astray. Those who train with D will meet it, so it counts; and the standard
# error, which is that of a mean, says that these runs do not decide.

# %% [markdown]
# **A cabinet of truth.** Labels, teacher and truth are three distributions.
# **Predict** who wins each comparison.
#
# <a id="teacher-taken-for-truth"></a>
# ### teacher-taken-for-truth
# Two students, judged by their distance to a biased teacher.
#
# <a id="validated-on-noise"></a>
# ### validated-on-noise
# The truth itself and a copy of the noisy labels, scored on noisy labels.
#
# <a id="noise-averages-out"></a>
# ### noise-averages-out
# Labels with 30 % noise: how far from the truth after 1,000 and after 100,000?
#
# <a id="noise-keeps-label"></a>
# ### noise-keeps-label
# All labels are to be replaced. How many of five are wrong afterwards?
#
# <a id="perfect-teacher-required"></a>
# ### perfect-teacher-required
# Noisy labels and a teacher that errs elsewhere. "Such a teacher is useless."

# %%
truth, biased = logs(0.6, 0.3, 0.1), logs(0.4, 0.3, 0.3)
copycat, between = biased, best_student(truth.exp(), biased.exp(), 0.5).log()
exhibit(
    "teacher-taken-for-truth", "exercise best-lambda",
    students="copycat between",
    belief=[forward_kl(biased, x) for x in (copycat, between)],
    found=[forward_kl(truth, x) for x in (copycat, between)],
)
noisy = label_noise(truth, 0.3)

# %%
exhibit(
    "validated-on-noise", "exercise accuracy-behind-the-noise",
    students="truth noise-copy",
    belief=[cross_entropy(noisy, x) for x in (truth, noisy)],
    found=[cross_entropy(truth, x) for x in (truth, noisy)],
)
weak_labels, erring = logs(0.4, 0.4, 0.2), logs(0.75, 0.15, 0.10)
both = best_student(weak_labels.exp(), erring.exp(), 1.0).log()
exhibit(
    "perfect-teacher-required", "exercise when-no-lambda-helps",
    belief=forward_kl(truth, weak_labels), found=forward_kl(truth, both),
)

# %%
from kdlib.toys.worlds import flip_labels

source = torch.Generator().manual_seed(0)


def distance_after(samples):
    words = truth.exp().multinomial(samples, True, generator=source)
    seen_labels = flip_labels(words, 0.3, 3, source)
    shares = seen_labels.bincount(minlength=3) / samples
    return f"{forward_kl(truth, shares.double().log()):.2f}"

# %%
exhibit(
    "noise-averages-out", "exercise when-no-lambda-helps",
    belief="towards 0", found=[distance_after(n) for n in (1_000, 100_000)],
)
kept = torch.zeros(10_000, dtype=torch.long)
any_word = torch.randint(5, kept.shape, generator=source)
other_word = flip_labels(kept, 1.0, 5, source)
exhibit(
    "noise-keeps-label", "test_flipped_labels_follow_the_noisy_distribution",
    broken=f"{5 * (any_word != kept).double().mean():.0f} of 5",
    right=f"{5 * (other_word != kept).double().mean():.0f} of 5",
)

# %% [markdown]
# **A cabinet of plans.**
#
# <a id="teacher-as-ceiling"></a>
# ### teacher-as-ceiling
# A weak teacher is wrong in three cases of ten, at random. A strong student
# hears it 25 times on each of 50 questions.
#
# <a id="bigger-is-better"></a>
# ### bigger-is-better
# Four students, and a phone that has 2 gigabytes for one, in bfloat16.
#
# <a id="order-of-work"></a>
# ### order-of-work
# "First train the student." What does this step still need?

# %%
from graphlib import TopologicalSorter

answers = torch.randint(5, (50, 1), generator=source).expand(50, 25)
heard = flip_labels(answers, 0.3, 5, source)
correct = (heard.mode(-1).values == answers[:, 0]).sum()
exhibit(
    "teacher-as-ceiling", "exercise three-ways-to-supervise",
    belief="at most 35 of 50", found=f"{correct} of 50",
)
gigabytes = {"7B": 14, "3B": 6, "1B": 2, "tiny": 0.1}
exhibit(
    "bigger-is-better", "exercise plan-for-a-phone",
    broken=max(gigabytes, key=gigabytes.get),
    right=max((x for x in gigabytes if gigabytes[x] <= 2), key=gigabytes.get),
)

# %%
needs = {
    "student": ["size", "targets"],
    "targets": ["teacher", "inputs"],
    "control": ["size", "inputs"],
    "report": ["student", "control"],
}
exhibit(
    "order-of-work", "exercise plan-for-a-phone",
    broken=["student, without", *needs["student"]],
    right=list(TopologicalSorter(needs).static_order()),
)

# %% [markdown]
# Errors at random are outvoted; errors that the teacher makes every time are
# not. Which of the two a weak teacher makes is the question of chapter 10.
#
# **A cabinet of confidence**, for its loss. The weak model says (0.3, 0.7),
# the strong one (0.6, 0.4), and half of the loss is to be the strong one's own
# opinion. Where does the strong model's first probability come to rest?
#
# <a id="favourite-of-the-teacher"></a>
# ### favourite-of-the-teacher
# The hard target is the weak model's argmax.
#
# <a id="own-opinion-kept-soft"></a>
# ### own-opinion-kept-soft
# The student's target is its own distribution, not made hard.

# %%
def confident(opinion, steps=400):
    """A student of two words, half of whose loss is an opinion."""
    weak = torch.tensor([0.3, 0.7])
    z = torch.tensor([0.6, 0.4]).log().requires_grad_()
    optimizer = torch.optim.Adam([z], lr=0.05)
    for _ in range(steps):
        own = opinion(weak, z.detach().softmax(-1))
        loss = F.cross_entropy(z, 0.5 * weak + 0.5 * own)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return f"{z.softmax(-1)[0]:.2f}"


def hard(p):
    return F.one_hot(p.argmax(), 2).float()

# %%
trusting = confident(lambda weak, own: hard(own))
exhibit(
    "favourite-of-the-teacher", "exercise confidence-loss",
    broken=confident(lambda weak, own: hard(weak)), right=trusting,
)
exhibit(
    "own-opinion-kept-soft", "exercise confidence-loss",
    broken=confident(lambda weak, own: own), right=trusting,
)

# %% [markdown]
# ## 11.12 A checklist for your own code
#
# Most of these bugs cannot be seen in a training curve, and most of them are
# caught by a test of a few lines that never trains anything. Here are eight.
# Each takes a loss, as a function of student logits, teacher logits and mask,
# and says whether a property holds.

# %%
s, t = draw(2, 2, 5, 6)
full = torch.ones(2, 5)


def close(a, b):
    a, b = (torch.as_tensor(x, dtype=torch.float64) for x in (a, b))
    return torch.allclose(a, b, atol=1e-6)

# %%
def slope(loss, student, teacher):
    student = student.clone().requires_grad_()
    value = loss(student, teacher, torch.ones(student.shape[:-1]))
    # a loss that has lost sight of the student has slope 0
    return torch.autograd.grad(value + 0 * student.sum(), student)[0]


def equal_is_zero(loss):
    return close(loss(t, t, full), 0.0)


def slope_is_q_minus_p(loss):
    found = slope(loss, s[:1, :1], t[:1, :1])[0, 0]
    return close(found, s[0, 0].softmax(-1) - t[0, 0].softmax(-1))

# %%
def value_by_hand(loss):
    return close(
        loss(log_q[None, None], log_p[None, None], torch.ones(1, 1)),
        0.7 * math.log(7 / 6) + 0.2 * math.log(2 / 3),
    )


def size_of_vocabulary_is_nothing(loss):
    twice = [x.repeat_interleave(2, -1) for x in (s, t)]
    return close(loss(*twice, full), loss(s, t, full))

# %%
def length_is_nothing(loss):
    longer = [torch.cat([x, x], 1) for x in (s, t, full)]
    return close(loss(*longer), loss(s, t, full))


def padding_is_nothing(loss):
    padded = [torch.cat([10 * x.flip(0), x], 1) for x in (s, t)]
    mask = torch.cat([torch.zeros(2, 5), full], 1)
    return close(loss(*padded, mask), loss(s, t, full))

# %%
def shift_is_nothing(loss):
    return close(loss(s + 1000, t - 1000, full), loss(s, t, full))


def only_the_student_learns(loss):
    student, teacher = s.clone().requires_grad_(), t.clone().requires_grad_()
    value = loss(student, teacher, full)
    if not value.requires_grad:
        return False
    value.backward()
    return student.grad is not None and teacher.grad is None


CHECKS = (
    equal_is_zero, slope_is_q_minus_p, value_by_hand,
    size_of_vocabulary_is_nothing, length_is_nothing, padding_is_nothing,
    shift_is_nothing, only_the_student_learns,
)

# %% [markdown]
# Now a loss as it should be, and ten as they have been found.
# **Predict**: which check catches most, and which bug is caught by one alone?

# %%
def of_kl(kl):
    """A loss per real token from a divergence of log-probabilities."""
    def loss(student, teacher, mask):
        log_q, log_p = (x.log_softmax(-1) for x in (student, teacher.detach()))
        return kl(log_p, log_q)[mask.bool()].mean()

    return loss


def kl_by_formula(student, teacher, mask):
    q, p = (x.exp() for x in (student, teacher.detach()))
    q, p = (x / x.sum(-1, keepdim=True) for x in (q, p))
    return (p * (p / q).log()).sum(-1)[mask.bool()].mean()

# %%
def probabilities_as_logits(student, teacher, mask):
    return kl_per_token(student.softmax(-1), teacher.softmax(-1), mask)


def top_word(log_p, log_q):
    return -log_q.gather(-1, log_p.argmax(-1, keepdim=True))[..., 0]


def kl_in_graph(student, teacher, mask):
    log_q, log_p = student.log_softmax(-1), teacher.log_softmax(-1)
    return forward_kl(log_p, log_q)[mask.bool()].mean()

# %%
LOSSES = {
    "kdlib": kl_per_token,
    "mean-over-vocab": of_kl(lambda a, b: forward_kl(a, b) / a.shape[-1]),
    "batchmean-over-sequences": lambda s, t, mask: batchmean(s, t.detach()),
    "padding-counted": lambda s, t, mask: kl_per_token(s, t),
    "kl-reversed": of_kl(lambda a, b: forward_kl(b, a)),
    "ce-called-kl": of_kl(cross_entropy),
    "hard-for-soft": of_kl(top_word),
    "softmax-twice": probabilities_as_logits,
    "softmax-overflow": kl_by_formula,
    "teacher-used-as-student": lambda s, t, mask: kl_per_token(t, t, mask),
    "teacher-gets-gradient": kl_in_graph,
}

# %%
for number, check in enumerate(CHECKS, 1):
    print(f"{number}. {check.__name__}")
print(f"{'caught by check':26s}", *range(1, len(CHECKS) + 1))
for name, loss in LOSSES.items():
    caught = [not check(loss) for check in CHECKS]
    print(f"{name:26s}", *("x" if x else "." for x in caught))
    assert any(caught) == (name != "kdlib")
three = (equal_is_zero, value_by_hand, padding_is_nothing)
print("missed by checks 1, 3 and 6:", *(
    name for name, loss in LOSSES.items()
    if name != "kdlib" and all(check(loss) for check in three)
))

# %% [markdown]
# No check catches all, and every bug is caught. `value_by_hand` needs a pocket
# calculator and two lines, and catches most; together with `equal_is_zero` and
# `padding_is_nothing` it lets two through, and those have a check each. Note
# how much is *not* caught by "equal models have loss 0", the first test that
# comes to mind. Copy the eight functions, put your loss in, and let them run
# with your tests.
#
# Outside of the loss there are seven more questions. Each is one assertion.
#
# 1. Before training: teacher in eval mode, without gradients, no parameter in
#    common with the student (`kdlib.models.frozen.check_pair`).
# 2. Before training: equal maps from token to id, not equal sizes.
# 3. After one step: the student has moved, the teacher has not.
# 4. On one batch: two micro-batches of unequal size give the gradient of one.
# 5. On a text whose next token is known: who knows it has no loss, who copies
#    has a large one.
# 6. In a cache: row numbers are stored with the rows, and compared.
# 7. In generation: a sampled text ends.
#
# And for judging the result: a control of equal steps and one of equal
# compute, a baseline that only counts, several seeds, a difference with its
# standard error, and labels that the teacher did not make.
#
# Which tests stand behind this museum?

# %%
from collections import Counter

kinds = Counter(
    "an exercise's checker" if test.startswith("exercise ")
    else "a test of kdlib" if test.startswith("test_")
    else "a planted mistake"
    for test in LABELS.values()
)
for kind, count in kinds.most_common():
    print(f"{count:3d} exhibits: {kind}")
print("all of the catalogue:", LABELS.keys() == misconceptions().keys())

# %%
from kdlib.exercises import print_progress

print_progress(11)

# %% [markdown]
# ## Summary
#
# - A silent bug shows on a small input: two sizes that differ, an exact zero,
#   a temperature other than 1, padding on both sides, P = Q.
# - Scale: sum over the vocabulary, add up sums and counts, divide once.
# - Direction: know one value by hand, and both arguments' conventions.
# - Positions: one place that shifts, one mask, from the attention mask.
# - The teacher: quiet, frozen, apart. A loss of exactly 0, or one that is too
#   good, is a symptom.
# - Targets: keep a slot for the rest, give missing slots minus infinity,
#   compare token maps.
# - Numbers: log-softmax in float32, zeros by cases, an infinite loss is a
#   finding.
# - Judgement: what would the same student be without its teacher?
# - Not every exhibit has a test that fails on a line of code. For those a
#   control, a second seed or a clean validation set takes its place.

# %% [markdown]
# ## Further reading
#
# - Sculley et al. (2015), *Hidden Technical Debt in Machine Learning
#   Systems*: why such systems fail silently.
# - Hinton, Vinyals and Dean (2015), *Distilling the Knowledge in a Neural
#   Network*: where T² comes from, section 2.
# - Karpathy (2019), *A Recipe for Training Neural Networks*: neural networks
#   fail silently, and what to check first.
# - Stanton et al. (2021), *Does Knowledge Distillation Really Work?*: how far
#   students stay from their teachers, and why.
# - Beyer et al. (2022), *Knowledge distillation: A good teacher is patient
#   and consistent*: what both models must see alike.
# - Anshumann et al. (2025), *Sparse Logit Sampling*: what a truncated teacher
#   does to its student.
