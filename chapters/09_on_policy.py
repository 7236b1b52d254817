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
# # 9. On-policy
#
# So far somebody else wrote the texts that a student was trained on. Here it
# writes some of them itself.
#
# **After this chapter you can**
#
# - say what exposure bias is, and measure it before you pay for a cure;
# - train a student on texts that it writes itself, and count its words
#   rightly;
# - keep apart four settings that are often mixed up: whose texts, how they are
#   sampled, at which temperature the models are compared, in which direction;
# - name the two of four losses that are divergences of whole texts;
# - judge whether the writing has paid: at equal teacher outputs, and at equal
#   operations.
#
# **Time**: about 1 h 40 min with the exercises.
#
# **Assumes**: chapters 3 to 5 and 7; the teacher P comes first, losses are in
# nats.

# %%
import torch
import torch.nn.functional as F

from kdlib.claims.registry import claim
from kdlib.claims.record import shipped
from kdlib.claims.rules import interval
from kdlib.exercises import exercise, foreseen, predict
from kdlib.losses.divergences import entropy, forward_kl, reverse_kl
from kdlib.losses.objectives import Objective
from kdlib.plots import curves, explorable, intervals, points, table, words
from kdlib.plots.chapter_09 import counted_words
from kdlib.sequences import on_policy
from kdlib.toys.crowds import visits, written
from kdlib.toys.worlds import World, story_world

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
world = moor_walk(lost=0.0)
guide = world.log_rows()
print("a walk:", world.text(world.sample(1, length=10).tokens[0]))
table({
    place: dict(zip(("goes on to", "with probability"),
                    world.next_words(f"gate {place}", top=1)[0]))
    for place in ("mist", "bog")
}, ".3f", corner="the guide, from")

# %% [markdown]
# (Every place keeps one ten-thousandth of a chance of any other, so that no
# divergence is infinite.)
#
# The student is a table with a logit for each pair of places: it has room for
# all that the guide knows. But its hand is unsteady: one word in fifty is
# drawn from all places alike, whatever it has learned. Small models are like
# that: they are never quite sure.
#
# A student of so little memory is fully described by a matrix of
# log-probabilities, and ten of them train as fast as one. So here are ten,
# with draws of their own.

# %%
SEEDS, LENGTH, BATCH, STEPS = 10, 16, 16, 150


def unsteady(places, slip=0.02):
    """Ten tables of all pairs of places: parameters, and their log-rows."""
    logits = torch.zeros(SEEDS, places, places, dtype=torch.float64,
                         requires_grad=True)

    def log_rows():
        learned = logits.softmax(-1)
        return ((1 - slip) * learned + slip / places).log()

    return [logits], log_rows

# %% [markdown]
# Training is a loop that you know, with one new line. In each step the student
# writes a `share` of the sixteen texts and the guide writes the others. With a
# share of 0, all of them are the guide's: **off-policy** training, the kind of
# all earlier chapters. At every word that either has written, the student is
# corrected by the forward KL from the guide.
#
# (`written` draws texts and returns how often each place was the last word. In
# a language with one word of memory, that is all that the loss depends on.)

# %%
def train(teacher, student, share, steps=STEPS, temperature=1.0, author=None):
    """One budget of training for ten students at once."""
    parameters, log_rows = student
    draws, own = torch.Generator().manual_seed(0), round(share * BATCH)
    author = (teacher if author is None else author).expand(SEEDS, -1, -1)
    optimizer = torch.optim.Adam(parameters, lr=0.1)
    slower = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, steps)
    for _ in range(steps):
        log_q = log_rows()
        hand = (log_q.detach() / temperature).log_softmax(-1)
        counts = sum(written(rows, texts, LENGTH, draws) for rows, texts
                     in ((hand, own), (author, BATCH - own)) if texts)
        descend(optimizer, counts, forward_kl(teacher, log_q))
        slower.step()
    return log_rows().detach()

# %%
def descend(optimizer, counts, losses):
    """One step along the loss per counted word of each student."""
    per_word = (counts * losses).sum(-1) / counts.sum(-1)
    optimizer.zero_grad()
    per_word.sum().backward()  # ten students, each with its own parameters
    optimizer.step()


walkers = train(guide, unsteady(len(guide)), share=0.0)

# %% [markdown]
# Now the measurement. The same students, the same loss, nats per word; what
# differs is who has written the prefixes. In these languages both are exact:
# no text is sampled, each place counts as often as the writer visits it.
#
# **Predict**: trained on 38,400 words of the guide, a student loses about
# 0.04 nats per word on the guide's walks. And on its own?

# %%
predict("09-on-its-own")

# %%
def per_word(teacher, log_q, writer):
    """Forward KL per word on prefixes of a writer, for each of ten."""
    met = visits(writer.expand(SEEDS, -1, -1), LENGTH)
    return (met * forward_kl(teacher, log_q)).sum(-1) / met.sum(-1)


def on_the_moor(rows):
    met = visits(rows, LENGTH)
    return (met[..., 1 + len(ROAD) :].sum(-1) / met.sum(-1)).mean()


# %%
print(f"words read: {STEPS * BATCH * LENGTH:,}")
knows_all = (0.98 * guide.exp() + 0.02 / len(guide)).log()
beginners = unsteady(len(guide))[1]().detach()
table({
    name: {"guide's prefixes": per_word(guide, rows, guide).mean(),
           "its own prefixes": per_word(guide, rows, rows).mean(),
           "share of words on the moor": on_the_moor(rows)}
    for name, rows in (("untrained", beginners), ("trained", walkers),
                       ("knows all", knows_all))
}, ".2f", corner="mean of ten")

# %% [markdown]
# Far more. Where does it come from? The student slips into the mist.
# There it has seen next to nothing, knows no way back, and wanders: from place
# to place, all of them unknown. The last row is a student with the same
# unsteady hand and the guide's table. It slips as often and is back on the
# road at once.
#
# That is **exposure bias**: in training the student is exposed to prefixes of
# others, in use to its own. One mistake costs more than itself, since it leads
# to a place for which there was no lesson. In the worst case the damage grows
# like the square of the length (Ross and Bagnell 2010).
#
# Its size is a difference that anyone can measure who can sample from the
# student and ask the teacher:
#
# $$\text{exposure bias} = \text{loss per word on its own prefixes} -
# \text{loss per word on the teacher's.}$$
#
# **Predict**: would more of the same lessons help? Four times the budget, and
# sixteen times.

# %%
predict("09-more-lessons")

# %%
def shown(values, digits=3):
    """Mean and 95 % interval over ten students."""
    found = interval(values.tolist())
    mean, low, high = (round(x, digits) + 0.0 for x in found)
    return f"{mean:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


rich = {1: walkers} | {
    budget: train(guide, unsteady(len(guide)), 0.0, steps=budget * STEPS)
    for budget in (4, 16)}
off = {budget: per_word(guide, q, q) for budget, q in rich.items()}
bias = {b: off[b] - per_word(guide, rich[b], guide) for b in rich}
table({
    f"budget {b}": {"on its own prefixes": shown(off[b], 2),
                    "exposure bias": shown(bias[b], 2)} for b in rich
}, corner="ten students (95 %)")

# %% [markdown]
# They help, and slowly: the bias falls about as one over the budget. A
# guide's walks do lead over the moor, since every place keeps its one
# ten-thousandth of a chance; they lead there rarely. So this is a matter of
# price.
#
# **Predict**: must the *student* write, to see the moor? Suppose the guide
# writes all texts, but stumbles as often as the student, and then says how it
# goes on.

# %%
predict("09-stumbling-guide")

# %%
stumbling = train(guide, unsteady(len(guide)), 0.0, author=knows_all)
own_texts = train(guide, unsteady(len(guide)), 1.0)
table({
    name: {"on its own prefixes": shown(per_word(guide, q, q))}
    for name, q in (
        ("the guide writes, budget 1", walkers),
        ("the guide writes, budget 16", rich[16]),
        ("a stumbling guide writes, budget 1", stumbling),
        ("the student writes, budget 1", own_texts))
}, corner="forward KL, nats per word")

# %%
stumbles, writes = (
    per_word(guide, q, q) for q in (stumbling, own_texts))
assert stumbles.max() < off[4].min() and writes.max() < stumbles.min()
assert off[16].mean() < writes.mean() < off[4].mean()

# %% [markdown]
# One budget of the student's own texts is worth between four and sixteen
# budgets of clean walks. A stumbling guide gets most of that, without a word
# from the student. So what counts first is *which places are read*, and only
# then who has written them. Whoever knows how a student errs can have the
# teacher make such errors on purpose (Laskey et al. 2017, for robots). For a
# language model nobody knows it so well, apart from the model itself.

# %%
explorable("moor_walk")

# %% [markdown]
# ## 9.2 Let the student write
#
# The cure is as old as the problem (DAgger, Ross, Gordon and Bagnell 2011; for
# distillation of language models GKD, Agarwal et al. 2024): **let the student
# write, and let the teacher say what it should have said at each word.** The
# teacher never has to write a thing; it judges prefixes that it would not have
# written.
#
# **The budget is the same** as off-policy: as many steps, as many texts in a
# step, and so about as many words that the teacher judges. The writing comes
# on top: one word after the other. Here it costs nothing; for a language model
# it is a large part of the bill, and section 9.6 counts it.

# %%
exercise("mixed-batch")

# %%
# exercise: mixed-batch
def mixed_batch(data, student_logits, share, temperature):
    """Rows of the data, of which a share is written by the student. (B, L), (V, V) -> (B, L)"""
    raise NotImplementedError


exercise("mixed-batch").check(mixed_batch)

# %% [markdown]
# Four cases. **Predict** for each of them whether the students that write
# themselves will be ahead.
#
# 1. The guide never gets lost; the student is unsteady, as before.
# 2. The guide never gets lost; the student has a steady hand.
# 3. The guide itself gets lost at one word of five, and shows the way back;
#    the student is unsteady.
# 4. Stories in place of walks, and a student that is too small for them: all
#    that it knows of a word has to pass through three numbers.

# %%
predict("09-four-cases")

# %%
lost_guide = moor_walk(lost=0.2).log_rows()
story = story_world().smoothed(0.01).log_rows()


def narrow(room):
    """Ten students that pass each word through a few numbers."""
    draws = torch.Generator().manual_seed(0)
    parts = [0.3 * torch.randn(SEEDS, *shape, generator=draws,
                               dtype=torch.float64)
             for shape in ((len(story), room), (room, len(story)))]
    inner, outer = (part.requires_grad_() for part in parts)
    return [inner, outer], lambda: (inner @ outer).log_softmax(-1)


CASES = {
    "1 never lost, unsteady": (guide, lambda: unsteady(len(guide))),
    "2 never lost, steady": (guide, lambda: unsteady(len(guide), slip=0)),
    "3 often lost, unsteady": (lost_guide, lambda: unsteady(len(guide))),
    "4 stories, too small": (story, lambda: narrow(3)),
}

# %%
bias, gain = {}, {}
for name, (teacher, make) in CASES.items():
    reads, writes = (train(teacher, make(), share) for share in (0.0, 1.0))
    own = per_word(teacher, reads, reads)
    bias[name] = own - per_word(teacher, reads, teacher)
    gain[name] = own - per_word(teacher, writes, writes)
table({
    name: {"exposure bias, off-policy": shown(bias[name]),
           "gain of on-policy": shown(gain[name])} for name in CASES
}, corner="nats per word, ten students (95 %)")

# %%
points(
    {name: (bias[name], gain[name]) for name in CASES},
    xlabel="exposure bias of the off-policy student, nats per word",
    ylabel="gain of on-policy, nats per word",
    alt=words("09-gain-over-bias"),
)

# %%
for name in ("1 never lost, unsteady", "2 never lost, steady"):
    assert gain[name].min() > 0.05
for name in ("3 often lost, unsteady", "4 stories, too small"):
    assert gain[name].abs().max() < 0.03

# %% [markdown]
# The evaluation is on the student's own prefixes, since that is where it is
# used.
#
# - Case 2 shows that a lack of room is not needed. The student *could* be the
#   guide. But at any finite moment of training it slips a little, and where it
#   slips to it has learned nothing.
# - Case 3 has the same unsteady student as case 1 and no bias: the guide's own
#   texts show the way back. On-policy is a little behind there: its first
#   texts are those of an untrained student.
# - Case 4 is the warning. The student is too small and makes many mistakes.
#   But all words are common in the teacher's stories, so that a mistake leads
#   to a place that has been practised. A weak student alone is no reason for
#   on-policy training.
#
# That the points lie on a line is hardly news: a table that writes its own
# texts learns them about as well as those of the guide, so gain and bias are
# nearly one number. What the picture does say is where the bias is to be found
# at all. Our moor was built to have it; whether *your* data have it is a
# number that you can measure.

# %% [markdown]
# ## 9.3 Three knobs and a count
#
# The **share** first. **Predict**: if every eighth text is the student's, does
# it get an eighth of the gain?

# %%
predict("09-an-eighth")

# %%
SHARES = (0.0, 0.125, 0.5, 1.0)
by_share = {0.0: off[1], 1.0: per_word(guide, own_texts, own_texts)}
for share in (0.125, 0.5):
    q = train(guide, unsteady(len(guide)), share)
    by_share[share] = per_word(guide, q, q)
part = {share: ((off[1] - by_share[share]) / (off[1] - by_share[1.0])).mean()
        for share in SHARES}
assert part[0.125] > 0.75
table({
    f"share {share}": {"on its own prefixes": shown(by_share[share]),
                       "part of the gain": f"{part[share]:.0%}"}
    for share in SHARES
}, corner="nats per word (95 %)")

# %% [markdown]
# It gets most of it. The moor is small, and a few visits teach the way back. A
# share between 0 and 1 is the common choice: given texts keep the student at
# what is to be said, its own teach it to recover.
#
# The second knob is the **sampling temperature**: how the student writes. The
# third, the temperature of the *loss*, stands in the `Objective` and has
# another task (chapter 1): it decides how the two models are compared on a
# text, whoever wrote it. Here the loss stays at temperature 1.

# %%
by_heat = {}
for heat in (0.25, 1.0, 2.0):
    q = train(guide, unsteady(len(guide)), 1.0, temperature=heat)
    by_heat[heat] = per_word(guide, q, q)
assert by_heat[0.25].min() > by_heat[1.0].max()
table({
    f"sampling temperature {heat}": {"on its own prefixes": shown(losses)}
    for heat, losses in by_heat.items()
}, corner="share 1, nats per word (95 %)")

# %% [markdown]
# At 0.25 the student hardly ever slips while it writes for its training, but
# it will slip in use, where it is sampled at 1. So the lessons again miss the
# places where it needs them. The other side is forgiving: at 2 it slips more
# than it will in use, and loses little by that. The sampling temperature
# belongs to the use of the student, not to the comparison.
#
# Then the **count**. A text of the student ends when the student ends it, and
# that is known only after sampling. `sample_batch` of
# `kdlib.sequences.on_policy` writes four short stories:

# %%
tiny = story_world()
texts = on_policy.sample_batch(
    tiny, torch.full((4, 1), tiny.eos_id), 9, eos_id=tiny.eos_id,
    generator=torch.Generator().manual_seed(12))
places = texts.counted.shape[0] * (texts.counted.shape[1] - 1)
print("places for new words:", places, " words that count:", texts.count)
said = [[tiny.words[i] for i in row] for row in texts.ids.tolist()]
kinds = [["given", *("counted" if c else "not counted" for c in row[1:])]
         for row in texts.counted.tolist()]

# %%
counted_words(said, kinds, alt=words("09-counted-words"))

# %% [markdown]
# The full stop at the end counts: a student has to learn to end. What fills
# the row after it does not count, although the model has logits there. The
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
# In a language that is known exactly we can have both. **Predict**: stories,
# students far too small (one or two numbers instead of three), sum of the
# forward KL over a story that the student writes. What does a student do if it
# may lower the sum by writing other stories?

# %%
predict("09-other-stories")

# %%
LONG = 60  # words; hardly a story is longer


def descent(student, loss, steps, rate=0.02):
    """Ten students after so many steps along an exact loss (SEEDS,)."""
    parameters, log_rows = student
    optimizer = torch.optim.Adam(parameters, lr=rate)
    for _ in range(steps):
        optimizer.zero_grad()
        loss(log_rows()).sum().backward()
        optimizer.step()
    return log_rows().detach()

# %%
def story_loss(divergence, own, through=False):
    """The expected sum over a story that the teacher or the student writes."""
    def loss(q):
        met = visits(q if own else story.expand_as(q), LONG)
        met = met if through else met.detach()
        return (met * divergence(story, q)).sum(-1)
    return loss

# %%
def words_in(rows):
    """The mean length of a story, over ten students."""
    return visits(rows.expand(SEEDS, -1, -1), LONG).sum(-1).mean()


def again(student, start):
    """The student, set back to a start."""
    for part, kept in zip(student[0], start):
        part.data.copy_(kept)
    return student

# %%
def three_lengths(room):
    """Before, and after 200 steps with and without the second part."""
    student = narrow(room)
    before = descent(student, story_loss(forward_kl, own=False), 300)
    start = [part.detach().clone() for part in student[0]]
    after = [descent(again(student, start),
                     story_loss(forward_kl, True, through), 200)
             for through in (False, True)]
    return dict(zip(("before", "gradient stopped", "whole gradient"),
                    map(words_in, (before, *after))))

# %%
lengths = {f"student of {room}": three_lengths(room) for room in (1, 2)}
assert lengths["student of 1"]["whole gradient"] < 4
print(f"words in a story of the teacher: {words_in(story):.1f}")
table(lengths, ".1f", corner="words in a story of a student")

# %% [markdown]
# The smallest falls silent, and the other writes less. A story of two words has
# little room for mistakes. The second part is no mistake of arithmetic; it is
# what was asked for, and not what was meant. MiniLLM (Gu et al. 2024), which does follow the whole
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
# compared at each word (chapter 4). So there are four losses:
#
# | at each word | on the teacher's texts | on the student's texts |
# |---|---|---|
# | forward KL | KL(P‖Q) of whole texts | a hybrid |
# | reverse KL | a hybrid | KL(Q‖P) of whole texts |
#
# The chain rule of chapter 4 sums a divergence of next words to one of whole
# texts only where the texts are drawn from the distribution that also does
# the weighing: P in the forward direction, Q in the reverse one. The other two
# cells are losses with a meaning at each word, and none for the text as a
# whole. That does not make them bad losses: GKD's best-known form is one.
#
# Four groups of ten students, from the same start: the stories of case 4,
# through two numbers; each with one of the four losses, exact. We look at both
# divergences of whole stories, at the share of its stories that contain only
# words which may follow each other, and at the entropy of what it tells.
#
# **Predict**: which of the two choices changes more?

# %%
predict("09-two-choices")

# %%
POSSIBLE = story_world().log_rows() > -torch.inf


def looked_at(q):
    """Four numbers of each student."""
    rows = q.exp() * POSSIBLE
    goes_on = rows.clone()
    goes_on[..., 0] = 0
    system = torch.eye(len(story), dtype=rows.dtype) - goes_on
    ends_well = torch.linalg.solve(system, rows[..., 0])[:, 0]
    mine, theirs = visits(q, LONG), visits(story.expand_as(q), LONG)
    return {
        "KL(P‖Q)": (theirs * forward_kl(story, q)).sum(-1).mean(),
        "KL(Q‖P)": (mine * reverse_kl(story, q)).sum(-1).mean(),
        "possible": ends_well.mean(),
        "entropy": (mine * entropy(q)).sum(-1).mean(),
    }

# %%
rows = {"teacher": looked_at(story.expand(SEEDS, -1, -1))}
student = narrow(2)
rows["start"] = looked_at(
    descent(student, story_loss(forward_kl, own=False), 300))
start = [part.detach().clone() for part in student[0]]
for divergence in (forward_kl, reverse_kl):
    for own in (False, True):
        whose = "student's" if own else "teacher's"
        rows[f"{divergence.__name__}, {whose} texts"] = looked_at(descent(
            again(student, start), story_loss(divergence, own), 200))
table(rows, ".2f", corner="nats per story, mean of ten")

# %% [markdown]
# Here the direction decides nearly everything and the writer next to nothing:
# there is no exposure bias in this language. Under the reverse KL most of the
# student's stories are possible ones, and it tells fewer of them. Under the
# forward KL it covers the teacher's stories better and says more nonsense.
# Neither is the better student for every use. (The teacher itself is below 1
# because every word keeps one hundredth of a chance of being any other.)

# %%
exercise("samples-decide-the-direction")

# %%
# exercise: samples-decide-the-direction
answer = ...  # one letter of a, b, c, d
exercise("samples-decide-the-direction").check(answer)

# %% [markdown]
# ## 9.5 From the word that was drawn alone
#
# So far the teacher gave its whole distribution at each word. Many engines
# give less: the probability of the word that stands there. On a text that the
# student has drawn itself this is enough, on average:
#
# $$r = \log p_y - \log q_y, \qquad \mathbb{E}_{y \sim Q}[-r] =
# \mathrm{KL}(Q \| P), \qquad \mathbb{E}_{y \sim Q}[-r\,\nabla \log q_y] =
# \nabla\,\mathrm{KL}(Q \| P).$$
#
# Read r as a *reward* for each word: what the teacher finds likelier than the
# student is praised. This is the policy gradient of reinforcement learning
# (Williams 1992), and the form in which on-policy distillation was taken up
# again in 2025, as a reward for each token. `kdlib` calls it `single_sample`.
#
# **Predict**: the average is right. How many draws does it take until an
# estimate is off by less than the length of the gradient itself?

# %%
predict("09-drawn-words")

# %%
log_p = story[3]
logits = (0.7 * torch.randn(len(story), generator=torch.Generator()
          .manual_seed(0), dtype=torch.float64)).requires_grad_()
loss = reverse_kl(log_p, logits.log_softmax(-1))
(exact,) = torch.autograd.grad(loss, logits)


def estimate(drawn):
    """The mean of -r times the gradient of log q_y over some words."""
    log_q = logits.detach().log_softmax(-1)
    reward = (log_p - log_q)[drawn]
    slopes = torch.eye(len(log_q), dtype=log_q.dtype)[drawn] - log_q.exp()
    return -(reward[:, None] * slopes).mean(0)

# %%
with torch.no_grad():
    chances = logits.softmax(-1)
    average = sum(q * estimate(torch.tensor([y]))
                  for y, q in enumerate(chances))
assert torch.allclose(average, exact)
print("summed over all words with their probabilities: the exact gradient")

# %%
draws = torch.Generator().manual_seed(1)
off_by = {}
for many in (1, 16, 256, 1024):
    errors = torch.stack([
        (estimate(torch.multinomial(chances, many, True, generator=draws))
         - exact).norm() / exact.norm() for _ in range(200)])
    off_by[many] = errors.mean()
table({f"{many} drawn words": {"relative error": error}
       for many, error in off_by.items()}, ".2f", corner="mean of 200")

# %% [markdown]
# A single word says next to nothing: the error is several times as long as the
# gradient. It falls with the root of the number of draws, as every average
# does. A batch of texts holds thousands of words and so its sum points the
# right way; but where the whole distributions are at hand, they give the same
# direction without this noise. What speaks for the estimate is its price: one
# number from the teacher for each word, from any engine that gives it.

# %% [markdown]
# ## 9.6 A student of real text
#
# Now chapter 7's student. It reads 96 blocks with the teacher's distributions;
# every second one it writes itself, from the block's first 16 tokens on. Two
# rivals only read: one for as many steps, that is for as many teacher outputs
# or more; the other for as many *operations*, the writing counted.
#
# Five trainings of each, with learning rates tuned alike, take a while. So
# they are **recorded**: `kdlib claim own-texts` runs them, its record comes
# along, and the tests run a small form of each arm again, to notice when what
# it does has changed. First the question whether there is anything to repair.
#
# **Predict**: chapter 7's student reads given text only. How much farther is
# it from its teacher on its own words than on the teacher's?

# %%
predict("09-real-text")

# %%
text = shipped("own-texts")


def of(record, arm, measure):
    """Mean and interval over the trainings of an arm."""
    mean, low, high = interval(record["numbers"][arm][measure])
    return f"{mean:.2f} ({low:.2f} to {high:.2f})"


table({
    measure: {"five trainings (95 %)": of(text, "reads", measure)}
    for measure in ("teacher's forward KL", "own forward KL",
                    "exposure bias", "surplus of entropy")
}, corner="the student that only reads")

# %% [markdown]
# It is not farther. It is *nearer* on its own words, in every training. The
# moor's picture does not fit: a token that the student finds likely leads, as
# a rule, to a place like those in its lesson. And what it writes leaves the
# teacher less sure of what comes next than the teacher's own words do (the
# last row). A flat distribution is easier to match than a peaked one, so
# "nearer on its own words" is no merit either. It says that there is nothing
# to repair *in this student*. One that has come much closer to its teacher can
# have a little of the bias: the best of the README's has.
#
# **Predict**: does the writing pay all the same?

# %%
RULES = {  # what the claim compares, in the words of this chapter
    "own reverse KL: writes half better than reads, equal compute":
        "KL(Q‖P) on own words: writer over reader of equal compute",
    "own forward KL: writes half better than reads, equal compute":
        "KL(P‖Q) on own words: writer over reader of equal compute",
    "own reverse KL: writes half better than reads":
        "KL(Q‖P) on own words: writer over reader of equal steps",
    "loss: reads, equal compute better than writes half":
        "loss on the test text: reader of equal compute over writer",
}
leads = claim("own-texts").intervals(text["numbers"])
table({
    name: dict(zip(("lead", "from", "to"), leads[rule]))
    for rule, name in RULES.items()
}, "+.2f", corner="nats per token, five trainings (95 %)")

# %%
table({
    arm: {"repeated": of(text, arm, "repeated"),
          "distinct": of(text, arm, "distinct")}
    for arm in claim("own-texts").arms
}, corner="runs of four, pairs of neighbours (95 %)")

# %% [markdown]
# It does not. The student that writes is behind on the test text and behind on
# its own words, and it is behind the reader of as many steps as well, which
# was cheaper. It has not collapsed either: it repeats nothing. A lesson of 96
# steps is short, and in most of it the student writes like a beginner; the
# teacher's answers are spent on such texts. That is a reason, not a
# measurement. What is measured is the verdict, *opposite*, on this claim:

# %%
print(claim("own-texts").sentence)
print("Verdict:", text["verdict"])

# %% [markdown]
# The verdict holds for students that begin with nothing. What the papers train
# has been trained before. So let a student read first, and go on in one of
# three ways, each for as many operations as the third: with the same lesson;
# with given texts that it has not read; or writing half of the texts itself.
# In the last two the teacher is asked about as many new texts. (`kdlib claim
# read-then-write`)
#
# **Predict**: who is nearest to the teacher on own words? If it is the one that
# writes, what else could be the reason?

# %%
later = shipped("read-then-write")
table({
    arm: {"KL(Q‖P) on own words": of(later, arm, "own reverse KL"),
          "loss on the test text": of(later, arm, "loss")}
    for arm in claim("read-then-write").arms
}, corner="five trainings (95 %)")

# %%
found = claim("read-then-write").intervals(later["numbers"])
table({
    name: dict(zip(("lead", "from", "to"), found[rule]))
    for name, rule in {
        "KL(Q‖P) on own words: writer over reading on":
            "own reverse KL: writes half better than reads on",
        "KL(Q‖P) on own words: writer over reading new text":
            "own reverse KL: writes half better than reads new text",
        "loss: writer over reading on":
            "loss: writes half better than reads on",
        "loss: writer over reading new text":
            "loss: writes half better than reads new text",
    }.items()
}, "+.2f", corner="nats per token, five trainings (95 %)")

# %% [markdown]
# Now writing pays: on the test text the writer is ahead of the one that reads
# its lesson again, and on its own words as well, though there the interval only
# just clears zero. But so is the one that reads on in *new* texts, and between
# these two nothing can be told apart on own words; on the test text the reader
# is a hair ahead. What the student had used up was its lesson. Its own texts
# are new texts, and they cost nobody a library. That is the case for writing
# here, and no other was found.

# %% [markdown]
# ## 9.7 A task whose answers are checked
#
# Free text has no right answer. So here is a task that has one: additions with
# their working, column by column with its carries, which a program writes and
# a program checks.

# %%
from kdlib.data.sums import PROBLEMS, is_right, question, written_out

problem = written_out(127, 458)
print(problem)
print("given:", question(problem), " right:", is_right(problem))
print(f"problems: {PROBLEMS:,} in all,",
      claim("own-answers").settings["problems"], "for a student")

# %% [markdown]
# A teacher is trained on nearly all of 20,000 such problems. Students that are
# much smaller learn from 400, in four ways: alone, from the working; with
# the teacher's distributions at each character of the given working; the same
# for as many operations as the next one; and with every second working written
# by the student itself. An error in a carry leads to a place where no given
# working ever was. If writing pays anywhere, then here. This, too, is
# recorded: `kdlib claim own-answers`.
#
# **Predict**: which of the four solves the most unseen problems? And would you
# bet on one training?

# %%
answers = shipped("own-answers")
table({
    arm: {"solved": of(answers, arm, "right"),
          "KL(Q‖P) on own working": of(answers, arm, "own reverse KL")}
    for arm in claim("own-answers").arms
}, corner="five trainings (95 %)")

# %%
solved = {
    rule.removeprefix("right: "): lead for rule, lead in
    claim("own-answers").intervals(answers["numbers"]).items()
    if rule.startswith("right")
}
intervals(
    solved, xlabel="lead in the share of problems solved",
    baseline={"level": 0.0}, alt=words("09-leads"),
)

# %%
table({
    name: dict(zip(("lead", "from", "to"), lead))
    for name, lead in solved.items()
}, "+.2f", corner="share solved, five trainings (95 %)")

# %%
first, second = "writes half", "reads, equal compute"
pairs = zip(*(answers["numbers"][arm]["right"] for arm in (first, second)))
table({
    f"training {number}": {first: mine, second: theirs}
    for number, (mine, theirs) in enumerate(pairs, start=1)
}, ".2f", corner="share solved")

# %% [markdown]
# The reader of equal compute is ahead in every training, and by most of the
# scale. Against the reader of as many *steps* five trainings do not decide.
# Look at the single trainings to see why: each student learns to carry within
# its steps, or not yet, and the seed has a large say in when. In such a task a
# comparison of two trainings shows next to nothing; and the extra steps that
# the writing would have paid for bring most readers over the edge. The verdict
# on this claim:

# %%
print(claim("own-answers").sentence)
print("Verdict:", answers["verdict"])

# %% [markdown]
# It is a verdict on students that begin with nothing, on few problems, and on
# this budget. The learning rate of each arm was chosen by three further
# trainings, on which the writer did better than on the five: so large is the
# say of the seed. Where on-policy training is reported to pay, students have been
# trained before, and what they write is nearly right. `kdlib distill sums` is
# the same task as a job, with all its rivals, for your own settings.

# %% [markdown]
# ## 9.8 The same as one command
#
# `kdlib distill pocket --on-policy.share 0.5` trains the default student so,
# and beside it whatever it takes to say whether the writing has paid: a
# student that reads for as many teacher outputs, one that reads for as many
# operations, and the controls without a teacher. The other settings are those
# of this chapter: `--on-policy.temperature`, `.prompt-tokens`, `.new-tokens`,
# `.refresh` (write for several steps at once, which is faster, with weights
# that are a little older), and `.estimator single_sample` for the one word
# of section 9.5; the divergence is `--objective.divergence`. For `pocket` the
# writing did not pay either; the README has the numbers.
#
# The settings under `on-policy` choose which texts are read. Only the
# divergence, the temperature of the objective and the estimator say what
# happens there. So each of them can be combined with any other, and a result
# should name them all.

# %%
exercise("did-the-writing-pay")

# %%
# exercise: did-the-writing-pay
answer = """
...
"""
ticked = ...  # after the first check: the points that you made, such as [1, 3]
exercise("did-the-writing-pay").check(answer, ticked=ticked)

# %%
from kdlib.exercises import print_progress

print_progress(9)

# %%
foreseen("09")

# %% [markdown]
# ## Summary
#
# - Exposure bias is the loss per word on the student's own prefixes less the
#   loss on the teacher's: measure it before you pay for a cure.
# - Reading more given text removes it too, slowly: about as one over the
#   budget. What counts first is which places are read, and only then who has
#   written them.
# - Where there is no exposure bias the writing gains nothing; neither an
#   unsteady student nor a small one is enough for it.
# - A small share of own texts brings most of the gain, and they are best drawn
#   as the student will be used, or a little wilder.
# - Words are counted after sampling, up to and with the end of a text. No
#   gradient goes through the sampling: with it a student that is too small
#   writes less, and the smallest falls silent.
# - Of the four pairs of author and direction two are divergences of whole
#   texts: forward on the teacher's, reverse on the student's.
# - The word that was drawn gives the gradient of the reverse KL on average,
#   and one such word a noise of many times its length.
# - On real text chapter 7's student has no exposure bias, and a student that
#   writes half of its texts from its first step on ends farther from its
#   teacher than one that reads for as many operations, on its own words too.
# - After some reading, writing beats reading the same lesson again; reading as
#   much new text does what writing does.
# - On additions, too, the reader of equal compute is ahead in every training;
#   at equal steps the seed decides more than the author.
#
# ## Further reading
#
# - Williams (1992), "Simple Statistical Gradient-Following Algorithms for
#   Connectionist Reinforcement Learning": the gradient from drawn words.
# - Ross and Bagnell (2010), "Efficient Reductions for Imitation Learning", and
#   Ross, Gordon and Bagnell (2011), "A Reduction of Imitation Learning and
#   Structured Prediction to No-Regret Online Learning": compounding errors,
#   and DAgger.
# - Laskey et al. (2017), "DART: Noise Injection for Robust Imitation
#   Learning": a teacher that stumbles on purpose.
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
#   Language Models": skew divergences, and texts that are used again.
