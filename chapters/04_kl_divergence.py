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
# # 4. KL divergence: which student is nearest?
#
# Two students imitate one teacher. Neither is perfect. Which is nearer, and
# what does "near" mean when a student is too small to get there?
#
# **After this chapter you can**
#
# - compute KL(P‖Q) by hand and say what its unit means;
# - show that cross-entropy and KL train alike, and say when they do not;
# - predict what a student that is too small keeps under forward KL, reverse
#   KL, Jensen-Shannon and skew KL;
# - tell from a description or a log which loss is meant;
# - avoid the four places where a correct formula gives a wrong number.
#
# **Time**: two hours with the exercises. **Assumes**: chapters 1 to 3.
#
# As everywhere, P is the teacher and comes first, Q is the student,
# logarithms are natural, and functions take log-probabilities.

# %%
import math

import torch
import torch.nn.functional as F

from kdlib.losses.divergences import (
    cross_entropy, entropy, forward_kl, generalized_jsd, get_divergence,
    jensen_shannon, reverse_kl, skew_kl, total_variation,
)
from kdlib.exercises import exercise
from kdlib.plots import curves, frames, intervals

# %% [markdown]
# ## 4.1 One number for "how close"
#
# A teacher gives three outputs the probabilities P. Student A moves a tenth
# of the probability from the first output to the second. Student B moves a
# tenth from the second to the first.
#
# **Predict**: which of the two is the better mimic, or are they equally far
# from P?
#
# $$\text{Loss} = \mathrm{KL}(P\|Q) = \sum_y P(y) \log \frac{P(y)}{Q(y)}
# \qquad \text{(F5)}$$
#
# Three terms for each student: try it with a pocket calculator first.

# %%
exercise("divergence-of-better-student")

# %%
# exercise: divergence-of-better-student
answer = ...  # nats, to 4 decimals
exercise("divergence-of-better-student").check(answer)

# %%
P = [0.7, 0.2, 0.1]
A = [0.6, 0.3, 0.1]
B = [0.8, 0.1, 0.1]

for name, Q in {"A": A, "B": B}.items():
    terms = [p * math.log(p / q) for p, q in zip(P, Q)]
    shown = "  ".join(f"{term:+.4f}" for term in terms)
    print(f"student {name}:  {shown}   sum {sum(terms):.4f}")

# %% [markdown]
# A is nearer: 0.0268 nats against 0.0452. Both moved the same amount. But B
# halved the second probability, and the logarithm charges for ratios, not
# for differences: 0.2 to 0.1 is a factor of two, 0.7 to 0.6 is not much of a
# factor at all. A single term may be negative; the sum never is.
#
# Is 0.0268 small? A number needs something to stand beside. Here are the
# trivial student that knows nothing, and total variation, the plain
# difference of probabilities. The last column gives the number a meaning.
# A judge reads outputs drawn from the teacher and asks: teacher or student?
# With each output the logarithm of the odds grows by log(P/Q), which is
# KL(P‖Q) on average. So KL is evidence per draw, and log 20 / KL is about
# the number of draws until the odds are 20 to 1.

# %%
def logs(probabilities):
    return torch.tensor(probabilities, dtype=torch.float64).log()


students = {"A": A, "B": B, "uniform": [1 / 3] * 3, "teacher": P}
print("student   KL(P||Q)  total variation  draws to odds of 20:1")
for name, Q in students.items():
    kl = forward_kl(logs(P), logs(Q)).item()
    tv = total_variation(logs(P), logs(Q)).item()
    draws = math.log(20) / kl if kl else math.inf
    print(f"{name:8s} {kl:9.4f} {tv:16.2f} {draws:22.0f}")

# %% [markdown]
# The judge needs 112 draws to see through A, 66 to see through B, 10 for a
# student that knows nothing, and never stops for the teacher itself. Total
# variation sees no difference between A and B.
#
# Now move every amount, not only a tenth.

# %%
moved = torch.linspace(-0.15, 0.195, 70, dtype=torch.float64)
zero = torch.zeros_like(moved)
shifted = torch.tensor(P) + torch.stack([moved, -moved, zero], dim=1)
curves(
    moved,
    {
        "KL(P‖Q)": forward_kl(logs(P), shifted.log()),
        "total variation": total_variation(logs(P), shifted.log()),
    },
    xlabel="probability moved from the second output to the first",
    ylabel="nats (KL)",
    mark={"A": -0.1, "B": 0.1},
    alt="KL is flat near no move at all and grows slowly to the left, where "
    "the first output gives. To the right, where the second output is "
    "emptied, it shoots up. Total variation is a symmetric V.",
)

# %% [markdown]
# The curve is not symmetric, and to the right it has no upper limit: when
# the second output reaches 0 the divergence is infinite. **Too little costs
# more than too much.** That is the one rule to take from this section.
#
# What would go wrong: measuring a student by the average difference of
# probabilities. It would rate A and B alike.

# %% [markdown]
# ## 4.2 Four students, and the smallest ratio
#
# **Predict**: the teacher is (0.8, 0.1, 0.1). Order four students without
# computing a logarithm. For each one look at the smallest ratio Q/P.

# %%
exercise("four-students")

# %%
# exercise: four-students
answer = ...  # the letters a, b, c, d in the right order
exercise("four-students").check(answer)

# %%
P = [0.8, 0.1, 0.1]
four = {
    "less sure": [0.70, 0.15, 0.15],
    "surer": [0.90, 0.05, 0.05],
    "exact top": [0.80, 0.19, 0.01],
    "one-hot": [1.00, 0.00, 0.00],
}
print("student    smallest Q/P  KL(P||Q)  total variation")
for name, Q in four.items():
    ratio = min(q / p for p, q in zip(P, Q))
    kl = forward_kl(logs(P), logs(Q)).item()
    tv = total_variation(logs(P), logs(Q)).item()
    print(f"{name:10s} {ratio:12.3f} {kl:9.4f} {tv:16.2f}")

# %% [markdown]
# The student that is less sure than its teacher wins. The smallest ratio
# already gives the order: 0.875, 0.5, 0.1, 0. The one-hot student is right
# in 8 of 10 cases and infinitely far away, because it says of two outputs
# that they never happen, and they do. And total variation would crown the
# student with the exact top, which makes one output ten times too rare.
#
# The smallest ratio is a rule of thumb, not a theorem: it ignores how likely
# the output is. The sum decides.

# %%
exercise("kl-of-rows")

# %%
# exercise: kl-of-rows
def kl_of_rows(log_p, log_q):
    """KL(P||Q) of each row, in nats; 0 for equal rows. (..., V), (..., V) -> (...)"""
    raise NotImplementedError


exercise("kl-of-rows").check(kl_of_rows)

# %% [markdown]
# ## 4.3 Why is an exact top-1 not enough?
#
# **Predict**: which of three students replicates the whole distribution
# best? One of them gives the most likely output exactly the teacher's
# probability.

# %%
exercise("an-exact-top-is-not-enough")

# %%
# exercise: an-exact-top-is-not-enough
answer = ...  # one letter of a, b, c, d
exercise("an-exact-top-is-not-enough").check(answer)

# %%
P = [0.70, 0.20, 0.10]
three = {
    "A": [0.65, 0.22, 0.13],
    "B": [0.70, 0.10, 0.20],
    "C": [0.50, 0.30, 0.20],
    "uniform": [1 / 3] * 3,
}
print("student  error at the top  KL(P||Q) =  the top  +  below it")
for name, Q in three.items():
    kl = forward_kl(logs(P), logs(Q)).item()
    top = forward_kl(logs([P[0], 1 - P[0]]), logs([Q[0], 1 - Q[0]])).item()
    below = (1 - P[0]) * forward_kl(
        logs(P[1:]).log_softmax(-1), logs(Q[1:]).log_softmax(-1)
    ).item()
    error = abs(P[0] - Q[0])
    print(f"{name:8s} {error:15.2f} {kl:9.4f} {top:11.4f} {below:11.4f}")

# %% [markdown]
# A replicates it best. It is slightly off everywhere and far off nowhere:
# 0.0066 nats. The two columns on the right split each divergence with the
# chain rule: first the question "is it the top output?", then, with weight
# 0.3, "if not, which one?".
#
# All of B's error, 0.0693 nats, lies below the top. In the three cases of
# ten in which the top output is not the answer, B prefers the wrong
# alternative two to one. C errs in both places and is worst, 0.0851.
#
# So why match a distribution, and not only its top? Because a language
# model is *sampled*, many times in a row. Take the 24-word story world and
# students that always agree with the teacher's first choice, at every word:
# the teacher itself at another temperature.

# %%
from kdlib.toys.worlds import story_world

world = story_world()
rows = world.log_rows()
print("   T  top-1 agreement  KL per story  stories it could as well choose")
for temperature in (0.1, 0.5, 1, 2, 4):
    student = world.with_temperature(temperature)
    agrees = student.log_rows().argmax(-1) == rows.argmax(-1)
    kl, variety = world.kl(student).item(), student.entropy().exp()
    print(f"{temperature:4} {agrees.double().mean():14.2f}", end="")
    print(f" {abs(kl):14.2f} {variety.item():20,.0f}")

# %% [markdown]
# All five agree with the teacher in every first choice. The last column is
# exp(entropy): among how many equally likely stories would the choice be as
# uncertain? Among 1,674 for the teacher, at T = 1. The sharpest student knows
# 4 stories, the flattest one rambles, and a top-1 agreement of 1.00 tells
# none of them apart from a perfect student.
#
# What a distribution carries and its top does not: the order of the
# alternatives, how sure to be, and so how varied and how long the texts are.

# %% [markdown]
# ## 4.4 Cross-entropy or KL: does it matter?
#
# **Predict**: chapter 3 trained with the cross-entropy (F2). Would training
# with KL lead to another student?

# %%
P = [0.7, 0.2, 0.1]
print("student     CE(P,Q)  KL(P||Q)  difference")
for name, Q in students.items():
    ce = cross_entropy(logs(P), logs(Q)).item()
    kl = forward_kl(logs(P), logs(Q)).item()
    print(f"{name:10s} {ce:8.4f} {kl:9.4f} {ce - kl:11.4f}")
print(f"entropy of the teacher, H(P) {entropy(logs(P)):.4f}")

# %% [markdown]
# The difference is the same for every student: 0.8018, the entropy of the
# teacher. The proof has four lines.
#
# $$\begin{aligned}
# \mathrm{KL}(P\|Q) &= \sum_y P(y) \log \frac{P(y)}{Q(y)} \\
# &= \sum_y P(y) \log P(y) \; - \; \sum_y P(y) \log Q(y) \\
# &= -H(P) + \mathrm{CE}(P, Q), \\
# \nabla_\theta \, \mathrm{KL} &= \nabla_\theta \, \mathrm{CE},
# \quad \text{because } \theta \text{ does not occur in } H(P).
# \end{aligned}$$
#
# Line three needs the minus sign in front of the sum of F2. Some printings
# drop it; what is left would have to be maximised.
#
# The same with numbers. Two gradients are taken: in the student's logits,
# and, as if nobody had frozen it, in the teacher's.

# %%
def logit_gradients_of(loss, p, q):
    teacher, student = (logs(x).requires_grad_() for x in (p, q))
    value = loss(teacher.log_softmax(-1), student.log_softmax(-1))
    return torch.autograd.grad(value, (student, teacher))


def show(label, vector):
    rounded = [round(x, 4) + 0.0 for x in vector.tolist()]  # no "-0.0000"
    print(f"{label:26s}", "  ".join(f"{x:+.4f}" for x in rounded))


by_ce = logit_gradients_of(cross_entropy, P, A)
by_kl = logit_gradients_of(forward_kl, P, A)
show("student, by CE", by_ce[0])
show("student, by KL", by_kl[0])
show("Q - P", logs(A).exp() - logs(P).exp())
show("teacher (unfrozen), by CE", by_ce[1])
show("teacher (unfrozen), by KL", by_kl[1])
assert torch.allclose(by_ce[0], by_kl[0], atol=1e-12)

# %% [markdown]
# For the student the gradients are equal, and they are simply Q - P. Every
# optimiser takes the same steps. What differs is what is *reported*: a
# cross-entropy stops at H(P), a KL at 0. Only the second tells you how far
# there is to go. With a one-hot teacher H(P) is 0 and the two are one.
#
# For the teacher they differ. The proof holds as long as P does not move:
# freeze the teacher, or the two losses part.
#
# Whole stories obey the same equation, since F5 is about any outcomes.

# %%
student = world.with_temperature(2)
ce, kl = world.cross_entropy(student).item(), world.kl(student).item()
print("nats per story")
print(f"cross-entropy {ce:.3f} = KL {kl:.3f} + H(P) {world.entropy():.3f}")
assert abs(ce - kl - world.entropy().item()) < 1e-9

# %% [markdown]
# **Predict**: turn the direction round. KL(Q‖P) = CE(Q, P) - H(Q). May we
# drop the entropy again and minimise CE(Q, P)? Take a student with free
# logits, so that nothing limits it.

# %%
from kdlib.toys.students import fit

losses = {
    "forward KL": forward_kl,
    "CE(P, Q)": cross_entropy,
    "Jensen-Shannon": jensen_shannon,
    "reverse KL": reverse_kl,
    "CE(Q, P)": lambda log_p, log_q: cross_entropy(log_q, log_p),
}


def best_free_student(loss):
    z = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    fit([z], lambda: loss(logs(P), z.log_softmax(-1)), steps=400)
    return z.softmax(-1)


for name, loss in losses.items():
    q = best_free_student(loss)
    print(f"{name:15s}", " ".join(f"{x:.2f}" for x in q))

# %% [markdown]
# No. H(Q) contains the student. Without it the student puts everything on
# the teacher's favourite and all else is lost: the last row. This is the
# bug to look for when a student trained "with reverse KL" always says the
# same thing.
#
# The other four reach P. **With enough capacity all divergences have the
# same optimum.** The choice between them matters for a student that cannot
# reach P, or does not have the time to. The rest of the chapter is about
# such students.
#
# ## 4.5 Two directions: a teacher with two peaks, a student with one
#
# Begin with three words. The teacher likes the outer two. One student covers
# everything, the other stays with one peak.
#
# **Predict**: which is better under KL(P‖Q), which under KL(Q‖P)?

# %%
P = [0.495, 0.010, 0.495]
print("student        KL(P||Q)  KL(Q||P)")
for name, Q in {
    "covers all": [1 / 3] * 3,
    "seeks a peak": [0.98, 0.01, 0.01],
}.items():
    forward = forward_kl(logs(P), logs(Q)).item()
    reverse = reverse_kl(logs(P), logs(Q)).item()
    print(f"{name:13s} {forward:9.3f} {reverse:9.3f}")

# %% [markdown]
# They disagree. Forward, the teacher's probabilities weigh, so whatever the
# teacher may say and the student does not is expensive. Reverse, the
# student's probabilities weigh, so whatever the student may say and the
# teacher does not is expensive, and what the student never says is free.
#
# Now on a line of 40 points. The teacher has two peaks, 60 % of it around
# 10 and 40 % around 28. The student is a single peak with a centre and a
# width. Where will it go? The student is so small that every peak can be
# tried, so what follows is the true optimum and no accident of training.

# %%
from kdlib.toys.students import OnePeak, one_peak, two_peaks

two = two_peaks()
centres = torch.arange(0, 39.01, 0.25)
widths = torch.arange(0.5, 16.01, 0.25)
grid = torch.meshgrid(centres, widths, indexing="ij")
peaks = one_peak(40, *grid)
print("tried: {} centres x {} widths".format(*peaks.shape))


# %%
def best_peak(divergence):
    values = divergence(two, peaks)
    i, j = divmod(values.argmin().item(), len(widths))
    return centres[i].item(), widths[j].item(), peaks[i, j]


def show_peak(name, log_q):
    q, far = log_q.exp(), two.exp() > 10 * log_q.exp()
    parts = [q[:17].sum(), q[17:22].sum(), q[22:].sum(), two.exp()[far].sum()]
    forward, reverse = forward_kl(two, log_q), reverse_kl(two, log_q)
    print(f"{name:15s} {forward:7.3f} {reverse:8.3f}", end="")
    print("".join(f"{100 * x:8.0f} %" for x in parts))


# %%
candidates = {
    "forward KL": forward_kl,
    "skew KL, 0.1": get_divergence("skew_kl", alpha=0.1),
    "Jensen-Shannon": jensen_shannon,
    "reverse KL": reverse_kl,
}
heads = "left", "valley", "right", "neglected"
print("fitted with     forward  reverse" + "".join(f"{h:>10s}" for h in heads))
fits = {name: best_peak(d) for name, d in candidates.items()}
show_peak("(the teacher)", two)
for name, (_, _, log_q) in fits.items():
    show_peak(name, log_q)
show_peak("(uniform)", torch.zeros_like(two).log_softmax(-1))
for name, (centre, width, _) in fits.items():
    print(f"{name:15s} centre {centre:5.2f}, width {width:5.2f}")

# %%
points_of = torch.arange(40)
curves(
    points_of,
    {
        "teacher": two.exp(),
        "best under forward KL": fits["forward KL"][2].exp(),
        "best under reverse KL": fits["reverse KL"][2].exp(),
    },
    xlabel="outcome",
    ylabel="probability",
    alt="The teacher has a high narrow peak at 10 and a lower one at 28. The "
    "forward-KL student is one low hill over everything, highest in the "
    "valley where the teacher has nearly nothing. The reverse-KL student "
    "sits exactly on the left peak and is nowhere else.",
)

# %% [markdown]
# Forward KL **covers the mass**: nothing is neglected (the last column: how
# much of the teacher lies where the student is ten times too rare), at the
# price of a fifth of its outputs in the valley, where the teacher says
# almost nothing. Reverse KL **seeks a mode**: it copies the left peak, never
# enters the valley, and neglects the 40 % on the right. That price is nearly
# $-\log 0.6$: a copy of a mode of weight w has Q = P / w there.
#
# The surprise is in the middle rows. Jensen-Shannon, the symmetric one, is
# no compromise here: it sits on the left peak just as reverse KL does. There
# is no good peak in between, so a student must choose, and a symmetric loss
# must choose too. Skew KL with a tenth of the teacher in the mixture stays
# with forward KL.
#
# One more check, of the covering student. For a family like this one forward
# KL has a known solution: match the teacher's mean and spread (here up to the
# step of the grid).

# %%
def mean_and_deviation(log_p):
    p = log_p.exp()
    mean = (p * points_of).sum()
    return mean, (p * (points_of - mean) ** 2).sum().sqrt()


print("teacher    mean {:.1f}, deviation {:.1f}".format(
    *mean_and_deviation(two)))
for name, (_, _, log_q) in fits.items():
    print("{:15s} {:.1f}, {:.1f}".format(name, *mean_and_deviation(log_q)))
print(f"-log 0.6 = {-math.log(0.6):.3f}, -log 0.4 = {-math.log(0.4):.3f}")

# %% [markdown]
# **Predict**: training does not try all peaks, it goes downhill from where
# it stands. Does it find the same peak from everywhere?

# %%
def downhill(divergence, start):
    peak = OnePeak(centre=start, width=4)
    return fit(peak, lambda: divergence(two, peak()), 600, 0.1)[-1]


print("loss               grid  from 10  from 17  from 26")
for name, divergence in candidates.items():
    found = [divergence(two, fits[name][2]).item()]
    found += [downhill(divergence, start) for start in (10, 17, 26)]
    print(f"{name:14s}", " ".join(f"{x:8.3f}" for x in found))

# %%
curves(
    centres,
    {
        "forward KL": forward_kl(two, peaks).min(dim=1).values,
        "reverse KL": reverse_kl(two, peaks).min(dim=1).values,
    },
    xlabel="centre of the student (its width: the best for this centre)",
    ylabel="nats",
    alt="Over the centre of the student, forward KL has one wide basin with "
    "its bottom in the middle. Reverse KL has a deep hollow at each of the "
    "two peaks, the left one deeper, and a shallow one high up between.",
)

# %% [markdown]
# Only forward KL ends in the same place from all three: it has one basin.
# Reverse KL has three. From 26 the student stops on the *smaller* peak, at
# about $-\log 0.4$; from 17 it stops between the peaks, worst of all. Mode
# seeking does not mean that the best mode is found. It means that the student
# stays near the place where it began. So where reverse KL is used the start
# matters, and one warms up with forward KL or plain cross-entropy.
# Jensen-Shannon and skew KL have more than one basin as well.

# %%
exercise("two-fits")

# %%
# exercise: two-fits
def two_fits(log_p, log_candidates):
    """Numbers of the best candidates under KL(P||Q) and under KL(Q||P). (V,), (K, V) -> a pair"""
    raise NotImplementedError


exercise("two-fits").check(two_fits)

# %% [markdown]
# ## 4.6 The gradients say why
#
# **Predict**: a word has probability 0.4 under the teacher, and the student
# has all but given it up. How hard does each loss push it back?

# %%
p = 0.4
print("student's q   forward    reverse   skew 0.1   Jensen-Shannon")
for q in (0.1, 1e-2, 1e-4, 1e-6):
    pushes = [
        -logit_gradients_of(loss, [p, 1 - p], [q, 1 - q])[0][0].item()
        for loss in (
            forward_kl, reverse_kl, candidates["skew KL, 0.1"], jensen_shannon
        )
    ]
    print(f"{q:11.6f}", " ".join(f"{push:10.6f}" for push in pushes))

# %% [markdown]
# Forward KL pushes with P - Q, and its push grows to 0.4 as the word
# disappears. In reverse KL every push carries the factor Q:
#
# $$\frac{\partial}{\partial z_v} \mathrm{KL}(Q\|P)
# = q_v \left( \log \frac{q_v}{p_v} - \mathrm{KL}(Q\|P) \right).$$
#
# What Q has given up is hardly ever taken back. Skew KL and Jensen-Shannon,
# which compare with a mixture, share this: once the student's part of the
# mixture is negligible, so is the push. That is the mode seeking of the
# last section, seen from inside.

# %%
exercise("logit-gradients")

# %%
# exercise: logit-gradients
def logit_gradients(log_p, student_logits):
    """Gradients of KL(P||Q) and of KL(Q||P) in the student's logits. (B, V), (B, V) -> a pair"""
    raise NotImplementedError


exercise("logit-gradients").check(logit_gradients)

# %% [markdown]
# ## 4.7 Between the two directions
#
# Two families lead from one direction to the other.
#
# - Skew KL compares the teacher with a mixture:
#   $\mathrm{KL}(P \,\|\, \alpha P + (1-\alpha) Q)$.
# - Generalised Jensen-Shannon compares both with their mixture
#   $M = \beta P + (1-\beta) Q$:
#   $\beta\,\mathrm{KL}(P\|M) + (1-\beta)\,\mathrm{KL}(Q\|M)$.
#
# First the reason why they exist: what happens when the two models have
# nothing in common?

# %%
left, right = logs([0.5, 0.5, 0, 0]), logs([0, 0, 0.5, 0.5])
for name, value in {
    "forward KL": forward_kl(left, right),
    "reverse KL": reverse_kl(left, right),
    "Jensen-Shannon": jensen_shannon(left, right),
    "generalised, beta 0.1": generalized_jsd(left, right, 0.1),
    "skew KL, alpha 0.25": skew_kl(left, right, 0.25),
    "skew KL, alpha 0": skew_kl(left, right, 0),
}.items():
    print(f"{name:22s} {value:.4f}")
print(f"log 2 = {math.log(2):.4f}, log 4 = {math.log(4):.4f}")

# %% [markdown]
# The mixtures are bounded, whatever a batch brings. Jensen-Shannon never
# exceeds log 2.

# %%
exercise("worst-skew-kl")

# %%
# exercise: worst-skew-kl
answer = ...  # nats, to 3 decimals
exercise("worst-skew-kl").check(answer)

# %% [markdown]
# **Predict**: what is the generalised Jensen-Shannon divergence at
# $\beta = 0$, and what at $\beta = 1$?

# %%
log_p, log_q = logs([0.7, 0.2, 0.1]), logs([0.2, 0.2, 0.6])
print("  beta   JSD_beta  JSD/beta  JSD/(1-beta)")
for beta in (0, 0.001, 0.1, 0.5, 0.9, 0.999, 1):
    value = generalized_jsd(log_p, log_q, beta).item()
    by_beta = value / beta if beta else math.nan
    by_rest = value / (1 - beta) if beta < 1 else math.nan
    print(f"{beta:6} {value:10.4f} {by_beta:9.4f} {by_rest:13.4f}")
print(f"KL(P||Q) {forward_kl(log_p, log_q):.4f}", end=", ")
print(f"KL(Q||P) {reverse_kl(log_p, log_q):.4f}")

# %% [markdown]
# At both ends it is 0: the mixture has become one of the two models, and the
# weight of the other is 0. Divided by beta it tends to KL(P‖Q) at the left
# end, divided by 1 - beta to KL(Q‖P) at the right.
#
# **A trap between libraries.** In `kdlib`, `generalized_jsd` is continuous,
# so 0 at both ends. Other libraries return KL(P‖Q) for beta = 0 and KL(Q‖P)
# for beta = 1: their function jumps there. Before you compare a beta with
# one from a paper, try both ends.
#
# Near the ends the loss is small and so are its gradients. A small loss at
# beta = 0.1 is no sign of a good student.
#
# Now drag beta, and watch the best single peak of section 4.5. Since only
# the place of the optimum matters here, the scale does not.

# %%
def frame(beta):
    divergence = get_divergence("generalized_jsd", beta=beta)
    centre, width, log_q = best_peak(divergence)
    return curves(
        points_of,
        {"teacher": two.exp(), "best student": log_q.exp()},
        xlabel="outcome",
        ylabel="probability",
        alt=f"The best student has its centre at {centre:.0f} and the width "
        f"{width:.0f}.",
    )


betas = (0.01, 0.2, 0.4, 0.5, 0.6, 0.8, 0.99)
frames({beta: frame(beta) for beta in betas}, name="beta")

# %% [markdown]
# The student does not wander from the middle to the peak. It stays in the
# middle up to beta = 0.4 and then jumps. What looks like a smooth dial
# between two behaviours is a switch, for a student that has to choose. Where
# the switch lies depends on the teacher and on the student; for skew KL it
# is here:

# %%
for alpha in (0, 0.1, 0.2, 0.5, 0.9):
    centre, width, _ = best_peak(get_divergence("skew_kl", alpha=alpha))
    print(f"alpha {alpha}: centre {centre:5.2f}, width {width:5.2f}")

# %%
exercise("mixture-divergence")

# %%
# exercise: mixture-divergence
def mixture_divergence(log_p, log_q, beta):
    """beta KL(P||M) + (1 - beta) KL(Q||M) of each row, M their mixture, in nats. -> (...)"""
    raise NotImplementedError


exercise("mixture-divergence").check(mixture_divergence)

# %% [markdown]
# ## 4.8 A language student that forgets
#
# Peaks on a line are easy to see and far from language. Now a teacher that
# tells stories in two styles: with 60 % a fox by the sea, with 40 % an owl
# in the forest. It hardly ever mixes them. The student knows the grammar
# perfectly but remembers only the last word: when it comes to "finds a", it
# no longer knows who found it.
#
# **Predict**: what will the student write after "the owl finds a", trained
# with forward KL? And with reverse KL?
#
# There are few enough stories to write them all down, cut after seven
# words. So each loss is exact, and between whole stories (chapter 3).

# %%
from kdlib.sequences.exact import enumerate_sequences, sequence_log_probs

SEA, FOREST = "fox sea sea sea", "owl forest forest forest"
stories = enumerate_sequences(world, 7, possible_only=True).tokens
sea = sequence_log_probs(world, stories, SEA)
forest = sequence_log_probs(world, stories, FOREST)
styles = torch.logaddexp(sea + math.log(0.6), forest + math.log(0.4))
print(f"{len(stories):,} stories, {styles.exp().sum():.4f} of the probability")


def tells_of(*words):
    ids = torch.tensor([world.words.index(word) for word in words])
    return torch.isin(stories, ids).any(dim=1)


mixed = (tells_of("fox") & tells_of("lantern", "feather")) | (
    tells_of("owl") & tells_of("boat", "shell")
)
p_mixed = styles.exp()[mixed].sum().item()
print(f"the teacher mixes in {100 * p_mixed:.0f} % of its stories")

# %%
from kdlib.toys.students import TabularStudent

grammar = world.log_rows() > -torch.inf


class Forgetful(TabularStudent):
    """Remembers one word; never breaks the grammar."""

    def __init__(self, seed):
        super().__init__(world)
        start = torch.Generator().manual_seed(seed)
        self.base.data.normal_(generator=start)

    def log_rows(self, context=None):
        allowed = self.base.masked_fill(~grammar, -torch.inf)
        return allowed.log_softmax(dim=-1)


# %%
def train(divergence, seed):
    student = Forgetful(seed)

    def loss():
        return divergence(styles, sequence_log_probs(student, stories))

    fit(student, loss, steps=150, learning_rate=0.1)
    return student


forgetful = {
    name: [train(divergence, seed) for seed in range(3)]
    for name, divergence in candidates.items()
}
forgetful["(untrained)"] = [Forgetful(seed) for seed in range(3)]


# %%
def what_it_keeps(student):
    log_q = sequence_log_probs(student, stories).detach()
    told = log_q > styles - math.log(10)
    return (
        forward_kl(styles, log_q).item(),
        reverse_kl(styles, log_q).item(),
        100 * log_q.exp()[mixed].sum().item(),
        100 * styles.exp()[told].sum().item(),
    )


def span(values, digits):
    low, high = min(values), max(values)
    return f"{low:.{digits}f} to {high:.{digits}f}"


# %%
kept = {
    name: [what_it_keeps(model) for model in models]
    for name, models in forgetful.items()
}
print("trained with     forward KL    reverse KL    mixed, %      kept, %")
for name, rows in kept.items():
    cells = [span(x, d) for x, d in zip(zip(*rows), (2, 2, 0, 0))]
    print(f"{name:15s}", " ".join(f"{cell:>13s}" for cell in cells))
assert all(row[2] > 20 and row[3] > 99 for row in kept["forward KL"])
assert all(row[2] < 3 and row[3] < 90 for row in kept["reverse KL"])

# %%
def after(word, student, top=4):
    words = student.next_words(word, top=top)
    return ", ".join(f"{w} {100 * p:.0f} %" for w, p in words)


for name in ("forward KL", "reverse KL"):
    student = forgetful[name][0]
    print(name)
    for word in ("owl", "a"):
        print(f"   after {word!r}: {after(word, student)}")
    for story in student.text(student.sample(5, length=7, seed=1).tokens):
        print("     ", story)

# %% [markdown]
# Both students know the grammar, and neither can remember. The forward
# student tells every story of the teacher's ("kept": the share of the
# teacher's stories that it tells at least a tenth as often). The price is
# that about one story in four is one that the teacher would not tell:
# an owl that finds a shell.
#
# The reverse student found a trick. Its owl only sings, since singing needs
# no object. So it never gets to the place where its memory would fail it.
# It mixes hardly ever, and it has given up nearly all owls that find
# lanterns. Nobody told it to; that is what minimising KL(Q‖P) means.
#
# Jensen-Shannon sides with reverse KL, as its peak did. So does skew KL with
# alpha = 0.1, which covered the line and does not cover here: where the switch
# lies is a matter of the task. The ranges are over three starts; all of them
# end in the same place. The untrained student shows that the numbers are
# earned.

# %%
intervals(
    {
        name: (sorted(mixes)[1], min(mixes), max(mixes))
        for name, rows in kept.items()
        for mixes in [[row[2] for row in rows]]
    },
    xlabel="stories that mix the two styles, %",
    baseline={"teacher": 100 * p_mixed},
    alt="The students trained with skew KL, Jensen-Shannon and reverse KL "
    "mix the styles nearly as rarely as the teacher. The one trained with "
    "forward KL mixes them about as often as the untrained student.",
)

# %% [markdown]
# ## 4.9 A language student with too few dimensions
#
# Forgetting is one way to be too small. The usual one is width: the matrix
# of logits of a language model has at most the rank of its hidden layer. A
# second student gets two dimensions for 24 words.
#
# And the teacher is made more like a real one. A softmax never says 0: a
# real model leaves a little probability on every word. Here it is 1 %,
# spread evenly over all words, sense or nonsense.
#
# **Predict**: which direction of KL will break the grammar more often?

# %%
from kdlib.toys.students import LowRankStudent

teacher = world.smoothed(0.01)


def breaks_grammar(model):
    """The share of its stories, in %, with at least one impossible step."""
    rows = model.log_rows().exp().masked_fill(~grammar, 0)
    goes_on, ends = rows.clone(), rows[:, world.eos_id]
    goes_on[:, world.eos_id] = 0
    identity = torch.eye(len(rows), dtype=rows.dtype)
    clean = torch.linalg.solve(identity - goes_on, ends)[world.eos_id]
    return 100 * (1 - clean.item())


print(f"the teacher: {breaks_grammar(teacher):.0f} % of its stories")

# %% [markdown]
# Notes before the training. Forward KL is taken along the teacher's stories
# and reverse KL along the student's own, so each is the exact KL between
# whole stories; the other two are summed along the teacher's stories, word
# by word. Every student trains in two rounds of equal length. The rounds
# differ for one of them: reverse KL with a warm start, for the reason of
# section 4.5, spends its first round on forward KL.

# %%
def losses_of(student):
    def by_word(divergence):
        return lambda: teacher.expected_loss(student, divergence)

    return {
        "forward KL": lambda: teacher.kl(student),
        "skew KL, 0.1": by_word(candidates["skew KL, 0.1"]),
        "Jensen-Shannon": by_word(jensen_shannon),
        "reverse KL": lambda: student.kl(teacher),
        "forward KL, clean": lambda: world.kl(student),
    }


def train_narrow(first, second):
    models = [LowRankStudent(world, rank=2, seed=seed) for seed in range(3)]
    for model in models:
        fit(model, losses_of(model)[first])
        fit(model, losses_of(model)[second])
    return models


# %%
narrow = {
    name: train_narrow(name, name)
    for name in ("forward KL", "skew KL, 0.1", "Jensen-Shannon")
}
narrow["reverse, warm"] = train_narrow("forward KL", "reverse KL")
narrow["reverse, cold"] = train_narrow("reverse KL", "reverse KL")

# %%
from kdlib.toys.worlds import World


def unigram():
    """The trivial baseline: the teacher's word frequencies, no grammar."""
    visits = teacher.visits()
    frequency = (visits @ teacher.log_rows().exp()) / visits.sum()
    rows = frequency.log().expand(world.vocab_size, -1)
    return World(world.words, lambda context: rows, world.context_words)


def keeps(model):
    """Of the words of the world's stories, those said a tenth as often, %."""
    p, visits = world.log_rows().exp(), world.visits()
    said = p * (model.log_rows().exp() > p / 10)
    return 100 * ((visits @ said).sum() / visits.sum()).item()


# %%
@torch.no_grad()
def measures(model):
    return (
        teacher.kl(model).item(), model.kl(teacher).item(),
        breaks_grammar(model), keeps(model), world.kl(model).item(),
    )


def tabulate(models_of):
    heads = "forward KL", "reverse KL", "broken, %", "kept, %", "KL, clean"
    print("trained with     " + "".join(f"{head:>13s}" for head in heads))
    for name, models in models_of.items():
        columns = zip(*map(measures, models))
        cells = [span(x, d) for x, d in zip(columns, (1, 1, 0, 0, 1))]
        print(f"{name:17s}" + "".join(f"{cell:>13s}" for cell in cells))


tabulate(narrow | {"(unigram)": [unigram()]})

# %% [markdown]
# The forward student breaks the grammar in about a quarter of its stories,
# four times as often as the teacher that it imitates. It has two dimensions,
# and the teacher's 1 % of noise asks for a little of everything everywhere:
# a wide hill in the valley again. The reverse student, warm, dropped the
# noise and kept the language: all of the words of the world ("kept") at a
# tenth of the teacher's rate or more.
#
# Look at the last column, the forward KL to the world *without* the noise.
# The student trained with reverse KL is nearer to it than the one that was
# trained with forward KL. So "forward KL covers" is not the same as "forward
# KL keeps what is good": it covers what the teacher has, and the teacher's
# tail is part of that.
#
# Is it the noise? Train with forward KL on the clean world.

# %%
clean = train_narrow("forward KL, clean", "forward KL, clean")
tabulate({"forward KL, clean": clean})

# %% [markdown]
# It is. With the noise gone, so is the damage, and there is little left to
# choose between the directions. Cutting the teacher's tail before the KL is
# a remedy too, with a bias of its own (chapter 8).
#
# And the cold start? Look at what it writes, after its first round and after
# its second.

# %%
halfway = LowRankStudent(world, rank=2)
fit(halfway, losses_of(halfway)["reverse KL"])
for name, model in {
    "forward KL": narrow["forward KL"][0],
    "reverse, warm": narrow["reverse, warm"][0],
    "reverse, cold, one round": halfway,
    "reverse, cold": narrow["reverse, cold"][0],
}.items():
    drawn = model.sample(5, length=12, seed=2).tokens
    print(name, *model.text(drawn), sep="\n   ")
shares_of_mode = [math.exp(-measures(x)[1]) for x in narrow["reverse, cold"]]
print(f"exp(-reverse KL): {span([100 * x for x in shares_of_mode], 0)} %")

# %%
rows = {name: [measures(x) for x in narrow[name]] for name in narrow}
assert min(row[2] for row in rows["forward KL"]) > 15
assert max(row[2] for row in rows["reverse, warm"]) < 5
assert max(row[3] for row in rows["reverse, cold"]) < 80
assert min(row[1] for row in rows["reverse, cold"]) > 1
assert max(breaks_grammar(x) for x in clean) < 5

# %% [markdown]
# This is the peak on a line, in words. In its first round the student, which
# could not write yet, found the cheapest way out: to stop early. Reverse KL
# sums over the words that the student itself writes, and a story of two
# words has few words to be wrong in. In the second round it found one thing
# that it can say well, and says little else: owls and foxes that sing. From
# its samples you would call it a fluent student. Its reverse KL is what a
# copy of 14 % of the teacher would have, and its forward KL is worse than
# that of the unigram baseline. Both starts had the same loss in the second
# round; only the first differed.
#
# **Limits** of these two sections. They are small worlds, and students that
# are short of one thing. Real students are trained for a limited time rather
# than to their optimum, and there the two directions differ mainly in what
# they fit *first*, head or tail (Wu et al. 2024). Take "forward covers" and
# "reverse seeks" as questions to put to your own student, by measuring both
# KLs and by sampling from it, not as answers.

# %% [markdown]
# ## 4.10 Which loss is meant?
#
# People write "KL" and mean three things. Four probes tell them apart.
#
# **Predict** a row or two before you run the cell.

# %%
fingerprints = {
    "cross-entropy": cross_entropy,
    "forward KL": forward_kl,
    "reverse KL": reverse_kl,
    "Jensen-Shannon": jensen_shannon,
    "skew KL, 0.1": candidates["skew KL, 0.1"],
}
cases = {
    "P = Q": ([0.7, 0.2, 0.1], [0.7, 0.2, 0.1]),
    "Q drops": ([0.7, 0.2, 0.1], [0.8, 0.2, 0.0]),
    "Q invents": ([0.8, 0.2, 0.0], [0.7, 0.2, 0.1]),
    "hard label": ([1.0, 0.0, 0.0], [0.7, 0.2, 0.1]),
}
print(" " * 15 + "".join(f"{case:>12s}" for case in cases))
for name, loss in fingerprints.items():
    values = [loss(logs(p), logs(q)).item() for p, q in cases.values()]
    print(f"{name:15s}" + "".join(f"{x:12.3f}" for x in values))

# %% [markdown]
# Read it as a key. Not 0 for a perfect student: a cross-entropy. Infinite as
# soon as the student drops something that the teacher may say: cross-entropy
# or forward KL. Infinite as soon as the student says something that the
# teacher excludes: reverse KL. Never infinite: a mixture is inside. With a
# hard label, cross-entropy and forward KL are the same number.
#
# Often the loss is not named at all, and one sees only what is averaged.

# %%
log_p, log_q = logs([0.7, 0.2, 0.1]), logs([0.4, 0.2, 0.4])
draw = torch.Generator().manual_seed(0)
from_teacher = log_p.exp().multinomial(100_000, True, generator=draw)
from_student = log_q.exp().multinomial(100_000, True, generator=draw)
averages = {
    "teacher writes: mean of -log Q": -log_q[from_teacher],
    "teacher writes: mean of log P - log Q": (log_p - log_q)[from_teacher],
    "student writes: mean of log Q - log P": (log_q - log_p)[from_student],
}
for name, values in averages.items():
    print(f"{name:38s} {values.mean():.2f}")
for name in ("cross-entropy", "forward KL", "reverse KL"):
    print(f"{name:14s} {fingerprints[name](log_p, log_q):.2f}")

# %% [markdown]
# **Who writes decides the direction.** Now five scenarios. Answer before
# you run the cell below.
#
# 1. A translator is trained on sentences that the teacher has translated,
#    with the usual language-model loss.
# 2. The teacher's probabilities of every word are stored; the log shows a
#    loss that falls towards 0, and would be 0 for a perfect student.
# 3. The student writes answers, the teacher scores each word, and the reward
#    is log P - log Q.
# 4. A small assistant may be monotonous but must not talk nonsense.
# 5. A small model screens reports for rare faults; to miss one that the
#    teacher knows is worse than a false alarm.

# %%
meant = {
    1: "cross-entropy: a sample of F2, on average the gradient of forward KL",
    2: "forward KL: the same steps as cross-entropy, and 0 means done",
    3: "reverse KL: the student's own texts; it drops what it cannot do",
    4: "reverse KL, or skew, or JS, warmed up: quality before variety",
    5: "forward KL: covers the rare faults, as too little is expensive",
}
for number, loss in meant.items():
    print(f"{number}. {loss}")

# %%
exercise("which-loss-is-meant")

# %%
# exercise: which-loss-is-meant
answer = [..., ..., ..., ..., ...]  # one text for each blank
exercise("which-loss-is-meant").check(answer)

# %% [markdown]
# ## 4.11 Temperature, and the factor T²
#
# Teacher and student are often compared at a temperature T: logits divided
# by T on both sides, and the loss multiplied by T² (chapter 1).
#
# **Predict**: how does the gradient in the student's logits change from
# T = 1 to T = 8, without the factor and with it? And do the two directions
# grow apart as T grows, or together?

# %%
from kdlib.losses.distillation import teacher_divergence
from kdlib.losses.closed_forms import logit_matching
from kdlib.losses.objectives import Objective

draw = torch.Generator().manual_seed(0)
z_p = 3 * torch.randn(50, generator=draw, dtype=torch.float64)
z_q = z_p + torch.randn(50, generator=draw, dtype=torch.float64)


def gradient_size(temperature, scale):
    student = z_q.clone().requires_grad_()
    objective = Objective(temperature=temperature, scale_by_t_squared=scale)
    teacher_divergence(z_p, student, objective).backward()
    return student.grad.norm()


# %%
print("  T   gradient   with T²   T² KL(P||Q)   T² KL(Q||P)")
for T in (1, 2, 4, 8, 64):
    both = [
        teacher_divergence(z_p, z_q, Objective(divergence=d, temperature=T))
        for d in ("forward_kl", "reverse_kl")
    ]
    sizes = gradient_size(T, False), gradient_size(T, True)
    print(f"{T:3} {sizes[0]:10.5f} {sizes[1]:9.3f}", end="")
    print(f" {both[0]:13.3f} {both[1]:13.3f}")
print(f"limit, half the variance of the logits' difference: "
      f"{logit_matching(z_p, z_q):.3f}")

# %% [markdown]
# Without the factor the gradient all but disappears, and raising T acts as
# turning the teacher down. With it the gradient settles.
#
# The surprise is on the right. The warmer, the less the direction matters:
# both tend to the same limit, half the variance of the difference of the
# logits. At T = 8 the choice between forward and reverse is nearly no
# choice. The limit weighs all words alike, the teacher's nonsense as much as
# its favourites; that, and not a direction, is what a high temperature buys.
#
# CE = KL + H holds at every temperature, with H of the softened teacher, and
# so does the equality of the gradients.
#
# ## 4.12 Four ways to get a wrong number from a right formula
#
# **Zeros.** 0 log 0 is 0, but a computer says 0 · (-inf) = NaN.
# **Predict** what each implementation says in each of three cases.

# %%
def naive(log_p, log_q):
    return (log_p.exp() * (log_p - log_q)).sum(-1)


def repaired(log_p, log_q):
    terms = log_p.exp() * (log_p - log_q)
    return terms.nan_to_num(0, 0, 0).sum(-1)


def of_torch(log_p, log_q):
    return F.kl_div(log_q, log_p.exp(), reduction="sum")


# %%
zeros = {
    "P excludes a word": ([0.9, 0.1, 0.0], [0.6, 0.3, 0.1]),
    "both exclude it": ([0.9, 0.1, 0.0], [0.6, 0.4, 0.0]),
    "only Q excludes it": ([0.6, 0.3, 0.1], [0.7, 0.3, 0.0]),
}
print(" " * 18 + "    naive repaired  F.kl_div   kdlib")
for name, (p, q) in zeros.items():
    results = [f(logs(p), logs(q)) for f in
               (naive, repaired, of_torch, forward_kl)]
    print(f"{name:18s}" + "".join(f"{x:9.4f}" for x in results))

# %% [markdown]
# NaN in the first two rows is at least loud. The "repair" in the last row is
# quiet: a student that excludes a possible word gets a *negative*
# divergence, better than perfect. `F.kl_div` fails where both exclude a
# word, as both do in a masked vocabulary. Note its order of arguments too:
# student first, the student's in logarithms, the teacher's not.
#
# An infinite loss is the truth, and it must not poison training: in `kdlib`
# the impossible word passes no gradient, the others do.

# %%
z = torch.tensor([2.0, 1.0, -torch.inf], requires_grad=True)
value = forward_kl(logs([0.6, 0.3, 0.1]), z.log_softmax(-1))
value.backward()
print(f"loss {value.item()}, gradient finite: {z.grad.isfinite().tolist()}")

# %% [markdown]
# **Huge logits.** A trained model may have logits in the hundreds.

# %%
z_p = torch.tensor([120.0, 119.0, -60.0])
z_q = torch.tensor([119.0, 121.0, -90.0])


def by_hand(z):
    return (z.exp() / z.exp().sum()).log()


for name, log_softmax in {
    "exp(z) / sum exp(z), then log": by_hand,
    "softmax, then log": lambda z: z.softmax(-1).log(),
    "log_softmax": lambda z: z.log_softmax(-1),
}.items():
    log_p, log_q = log_softmax(z_p), log_softmax(z_q)
    forward, reverse = naive(log_p, log_q), naive(log_q, log_p)
    print(f"{name:30s} forward {forward:.3f}, reverse {reverse:.3f}")

# %% [markdown]
# Only log-softmax is safe. The middle way looks right and turns small
# probabilities into exact zeros first.
#
# **Half precision.** A vocabulary of 128,000 words and a student that is
# already good: KL about 0.001. What is left of this number when its
# log-probabilities are rounded to bfloat16, which keeps 8 binary digits?

# %%
def large_pair(seed, size=128_000):
    """Logits like a language model's: Zipf's law, and a close student."""
    draw = torch.Generator().manual_seed(seed)
    noise = torch.randn(2, size, generator=draw, dtype=torch.float64)
    teacher = -torch.arange(1, size + 1).double().log() + 0.5 * noise[0]
    return teacher, teacher + 0.045 * noise[1]


def after_rounding(z, place):
    if place == "logits":
        z = z.bfloat16().double()
    log_q = z.log_softmax(-1)
    return log_q.bfloat16().double() if place == "logs" else log_q


# %%
pairs = [large_pair(seed) for seed in range(4)]
print("KL x 1000      exact   logits rounded   log-probabilities rounded")
for seed, pair in enumerate(pairs):
    exact, early, late = (
        1000 * naive(*(after_rounding(z, place) for z in pair)).item()
        for place in ("", "logits", "logs")
    )
    print(f"pair {seed} {exact:13.2f} {early:16.2f} {late:27.2f}")

# %% [markdown]
# Rounding the logarithms nearly doubles the number, or takes some of it away,
# as chance will have it. The logits that a model computes in bfloat16 are
# rounded as well, which costs less, and cannot be mended afterwards. What can
# be avoided is everything behind them: **log-softmax in float32, whatever the
# dtype of the logits.** The whole computation in either precision:

# %%
def shares(dtype):
    """The KL computed in this precision, as a share of the exact one."""
    return [
        naive(*(z.to(dtype).log_softmax(-1) for z in pair)).item()
        / naive(*(z.log_softmax(-1) for z in pair)).item()
        for pair in pairs
    ]


single, half = shares(torch.float32), shares(torch.bfloat16)
print("float32 within 1 %:", all(abs(x - 1) < 0.01 for x in single))
print("bfloat16 wrong by the size of the KL:", max(map(abs, half)) > 2)
print("bfloat16, a negative KL among them:", min(half) < 0)

# %% [markdown]
# **A slot that is no word.** Output matrices are padded to round sizes, here
# 50,257 words to 50,304 slots. Real logits often lie around -8. **Predict**:
# what if the 47 slots hold 0?

# %%
WORDS, SLOTS = 50_257, 50_304
draw = torch.Generator().manual_seed(0)
logits = -8 + 1.5 * torch.randn(WORDS, generator=draw, dtype=torch.float64)
for padding in (0.0, -torch.inf):
    q = F.pad(logits, (0, SLOTS - WORDS), value=padding).softmax(-1)
    share = 100 * q[WORDS:].sum().item()
    print(f"padding {padding}: {share:.0f} % on words that do not exist")

# %% [markdown]
# Nearly half of the student would be words that do not exist. And the KL to
# a teacher padded in the same way would look *better* for it, since both
# agree on the padding. For a logit 0 is not "nothing"; -inf is.

# %%
exercise("kl-over-tokens")

# %%
# exercise: kl-over-tokens
def kl_over_tokens(teacher_logits, student_logits, tokens):
    """KL(P||Q) over the real tokens of each row, in nats. (B, V1), (B, V2) -> (B,)"""
    raise NotImplementedError


exercise("kl-over-tokens").check(kl_over_tokens)

# %% [markdown]
# ## Summary
#
# - KL(P‖Q) is the evidence per draw that Q is not P. It charges for ratios:
#   too little costs more than too much, and a missing output costs
#   everything.
# - CE = KL + H. The gradients in the student are equal because the teacher's
#   entropy is constant. In the other direction the entropy is the student's
#   and may not be dropped.
# - An exact top-1 says nothing about the rest of the distribution, and the
#   rest is what sampling shows.
# - A student that can reach P reaches it with any divergence. One that is
#   too small covers the mass (forward) or seeks a mode (reverse). Mixtures
#   such as Jensen-Shannon are bounded; in the worlds of this chapter they
#   side with one or the other rather than going half-way.
# - Forward KL covers the teacher's noise as well. Reverse KL needs a warm
#   start and hardly takes back what it has given up.
# - At a high temperature the direction hardly matters.
# - Compute from log-softmax in float32 or better, treat zeros by cases, and
#   give a slot that is no word the logit -inf.
#
# ## Further reading
#
# - Kullback and Leibler (1951), *On Information and Sufficiency*: where KL
#   comes from, as evidence per observation.
# - Lin (1991), *Divergence Measures Based on the Shannon Entropy*: the
#   Jensen-Shannon divergence and its general form.
# - Minka (2005), *Divergence Measures and Message Passing*: one peak for
#   two, the classical treatment.
# - Hinton, Vinyals and Dean (2015), *Distilling the Knowledge in a Neural
#   Network*: temperature, T² and matching logits.
# - Yang et al. (2018), *Breaking the Softmax Bottleneck*: the rank of a
#   language model's logits.
# - Gu et al. (2024), *MiniLLM*: reverse KL for language models.
# - Agarwal et al. (2024), *On-Policy Distillation of Language Models*: the
#   generalised Jensen-Shannon divergence on the student's own texts.
# - Ko et al. (2024), *DistiLLM*: skew KL.
# - Wu et al. (2024), *Rethinking Kullback-Leibler Divergence in Knowledge
#   Distillation for Large Language Models*: why the two directions differ
#   less than is said, and where.
