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
# # 1. Teacher and student
#
# *At the close of the fiscal year ended June 30, ...* So begins a sentence in
# an old message to Congress, and a year follows. Which year?
#
# The text that you read gives one answer, say 1889. Somebody who has read all
# the messages has another kind of answer: not a year but a feeling for years,
# with some likely, some possible and some absurd. This chapter is about the
# difference between these two answers. One is a label, the other a
# distribution, and distillation is what you do when you have a teacher who
# gives you the second.
#
# **You will be able to**
#
# - say what a student sees of its teacher, what is fixed, what is trained, and
#   what each one reads;
# - compute the entropy of a target, and say what it tells and what it does
#   not;
# - turn the temperature, and notice when it is too hot;
# - plan the compression of a model for a phone: teacher, student, data,
#   objective.
#
# **Time:** two hours with the exercises, less than a minute to run.
# **Assumes:** chapter 0; what a probability and a logarithm are.

# %% [markdown]
# ## 1.1 Ask for a year, get a history
#
# The teacher is the small language model that ships with this book. It has
# read the messages of American presidents from 1790 on, and does one thing: it
# reads some text and gives a probability to each of the tokens (words, or
# pieces of words) that could come next.

# %%
import torch

from kdlib.models.folders import POCKET_TEACHER, load_model, load_tokenizer
from kdlib.models.frozen import freeze
from kdlib.models.from_scratch import ModelSize, new_model, parameter_count
from kdlib.data.blocks import make_blocks
from kdlib.data.documents import load_splits
from kdlib.data.shares import take_fraction
from kdlib.exercises import exercise

# %%
teacher = freeze(load_model(POCKET_TEACHER))
tokenizer = load_tokenizer(POCKET_TEACHER)
V = len(tokenizer)
PIECES = [tokenizer.decode(token) for token in range(V)]


def teacher_says(text):
    """The teacher's log-probabilities of the next token. -> (V,)"""
    ids = [tokenizer.eos_token_id, *tokenizer(text).input_ids]
    with torch.no_grad():
        logits = teacher(input_ids=torch.tensor([ids])).logits
    return logits[0, -1].double().log_softmax(dim=-1)


print(f"{parameter_count(teacher):,} parameters, {V:,} tokens")

# %% [markdown]
# **Predict.** Will it name one year? Several? Which ones?

# %%
SENTENCE = "At the close of the fiscal year ended June 30,"
june = teacher_says(SENTENCE).exp()
for p, token in zip(*june.topk(5)):
    print(f"{p:.2f}{PIECES[token]}")

# %% [markdown]
# No year, but pieces of many. The tokenizer writes 1889 as ` 188` and `9`, but
# 1911 as ` 19` and `11`. So for a rarer decade we ask twice and multiply: the
# probability of ` 19`, times that of a piece that begins with 1 after ` 19`.

# %%
import re
from collections import Counter


def decades(sentence):
    """The teacher's probability of each decade, as {"188": p, ...}."""
    said = Counter()
    for piece, p in zip(PIECES, teacher_says(sentence).exp().tolist()):
        if re.fullmatch(r" 1[89]\d", piece):
            said[piece.strip()] += p
        elif piece in (" 18", " 19"):
            rest = teacher_says(sentence + piece).exp().tolist()
            for digits, q in zip(PIECES, rest):
                if digits[0].isdigit():
                    said[piece.strip() + digits[0]] += p * q
    return said


# %%
said = decades(SENTENCE)
print(f"{sum(said.values()):.2f} of its answer is a year")

# %% [markdown]
# Is it any good? The teacher was never told when people wrote such sentences.
# But we can count: which year follows "June 30," in the documents that it was
# trained on?

# %%
messages = load_splits("sotu")
everything = "\n".join(document.text for document in messages.training)
years = re.findall(r"June 30, (1[89]\d\d)", everything)
tally = Counter(year[:3] for year in years)
counted = {decade: n / len(years) for decade, n in tally.items()}

print(len(years), "places in the text")
for decade, _ in tally.most_common(7):
    print(f"{decade}0s  counted {counted[decade]:.2f}"
          f"  teacher {said[decade]:.2f}")

# %%
from kdlib.plots import curves

DECADES = [f"{decade}" for decade in range(180, 200)]
curves(
    [10 * int(decade) for decade in DECADES],
    {"counted in the text": [counted.get(d, 0) for d in DECADES],
     "teacher": [said[d] for d in DECADES]},
    xlabel="decade", ylabel="probability",
    alt="Two lines over the decades from 1800 to 1990. Both rise to a "
    "summit in the 1880s and 1890s, fall steeply after 1900 and have a "
    "small second summit in the 1910s. The counted line has a third one in "
    "the 1940s, where the teacher's line is flat.",
)

# %% [markdown]
# The teacher saw these sentences one at a time, each with one year. What it
# gives back is the history of a phrase, with the summit, the fall after 1900
# and the small return in the 1910s. How close is it? Total variation says
# which share of the mass would have to be moved to turn one distribution into
# the other. Two answers that need no model set the scale.

# %%
from kdlib.losses.divergences import total_variation


def vector(shares):
    """The decades' shares, and last what is not a year."""
    found = [shares.get(decade, 0.0) for decade in DECADES]
    rest = max(0.0, 1 - sum(found))
    return torch.tensor([*found, rest], dtype=torch.float64)


answers = {
    "the teacher": vector(said),
    "one decade, the favourite": vector({tally.most_common(1)[0][0]: 1}),
    "all decades evenly": vector(dict.fromkeys(DECADES, 1 / 20)),
}
truth = vector(counted).log()
for name, shares in answers.items():
    print(f"{total_variation(truth, shares.log()):.2f} {name}")

# %% [markdown]
# **What it means.** A student that meets this sentence in a text learns one
# year from it. To see the history, it would have to meet the sentence hundreds
# of times. A student that is given the teacher's answer sees the history at
# once. This is the whole idea of distillation, and the rest of the book is
# about doing it well.
#
# **What would go wrong.** One could take the counted line for the truth and
# the missing summit of the 1940s for the teacher's error. Before we blame it,
# we look where that summit comes from.

# %%
forties = Counter()
for document in messages.training:
    places = re.findall(r"June 30, 194\d", document.text)
    forties[document.name] += len(places)
name, times = forties.most_common(1)[0]
print(f"{times} of {forties.total()} places stand in {name}")
ended = re.findall(r"year\s+ended\s+June 30, 194\d", everything)
print(f"{len(ended)} of {forties.total()} end a fiscal year")

# %% [markdown]
# It is a single message, which says again and again that price controls expire
# on that day. No fiscal year ends there, and our sentence asks for the end of
# a fiscal year. The count has thrown two kinds of sentence together; the
# teacher has kept them apart. That is what it means to have learned more than
# a count. (Teachers do err, of course. Chapter 5 is about that.)
#
# Note what we used: the teacher's *outputs*. We looked at no weight and at no
# hidden layer. Methods that work like this are called **response-based**.

# %%
exercise("what-the-student-sees")

# %%
# exercise: what-the-student-sees
answer = ...  # one letter of a, b, c, d
exercise("what-the-student-sees").check(answer)

# %% [markdown]
# ## 1.2 How much does an answer leave open?
#
# **Predict.** Order these five beginnings by how sure you would be of the next
# word: "We must", "The Secretary of", "I thank", "I am", "The Government of
# Great".
#
# The **entropy** of a distribution, $H(P) = -\sum_v P(v) \log P(v)$, is its
# expected surprise. It is 0 for a one-hot distribution and $\log V$ for the
# even one. Its exponential is easier to read: as many equally likely words
# would leave the same amount open.

# %%
import math

from kdlib.losses.divergences import entropy

BEGINNINGS = ("The Government of Great", "I thank", "The Secretary of",
              "I am", "We must")
print("entropy   as open as")
for beginning in BEGINNINGS:
    log_p = teacher_says(beginning)
    h = entropy(log_p).item()
    best = ",".join(PIECES[token] for token in log_p.topk(4).indices)
    print(f"{h:7.2f} {math.exp(h):7.0f} words  {beginning} ...{best}")
print(f"{math.log(V):7.2f} {V:7} words  (all tokens evenly)")

# %% [markdown]
# After "Great" only Britain is left. After "We must" hundreds of words are. A
# text gives exactly one word in either case, with the same air of certainty:
# **a label has entropy 0, always**.
#
# (Some words are cut: ` gl` goes on with `ad`, ` satisf` with `ied`.)

# %%
exercise("target-entropy")

# %%
# exercise: target-entropy
def target_entropy(p):
    """Entropy of each row of probabilities, in nats. (..., V) -> (...)"""
    raise NotImplementedError


exercise("target-entropy").check(target_entropy)

# %% [markdown]
# Does the teacher's entropy mean anything? If it is honest, then where it
# expects to be surprised by, say, three nats, it should on average *be*
# surprised by three nats. We try it on documents that it has never seen, and
# sort the places in the text by the entropy that the teacher has there.

# %%
from kdlib.losses.alignment import next_token
from kdlib.losses.softmax import log_softmax

unseen = take_fraction(messages.test, 0.3)
bpe, end = tokenizer.backend_tokenizer, tokenizer.eos_token_id
ids = make_blocks(unseen, bpe, 128, end).ids[:-1]
ids = ids[:: len(ids) // 48][:48]
with torch.no_grad():
    logits, labels, _ = next_token(teacher(input_ids=ids).logits, ids)
log_p = log_softmax(logits)
expected = entropy(log_p)
happened = -log_p.gather(-1, labels[..., None])[..., 0]

print("entropy  share of   expected   surprise")
print("between  places     surprise   that came")
for low, high in ((0, 1), (1, 3), (3, 5), (5, math.log(V))):
    here = (expected >= low) & (expected < high)
    share = here.double().mean()
    hoped, came = expected[here].mean(), happened[here].mean()
    print(f"{low} and {high:.0f} {share:8.1f} {hoped:10.1f} {came:10.1f}")

# %% [markdown]
# The two columns agree within a few tenths of a nat in every row, on text that
# is new to the teacher. **It knows how much it does not know.** That is worth
# teaching, and no label contains it: where the text says one word, the teacher
# also says whether any other would have done.
#
# The trivial baseline: a model that counts words and ignores the past expects
# the same surprise everywhere. It could not be sorted into rows.

# %% [markdown]
# ## 1.3 What does a target tell apart?
#
# A target is what the student is trained towards. Is one with more entropy a
# better one? Take a sentence with four ways to end, *the cat sat on the mat,
# sofa, floor, moon*, and four teachers.

# %%
from kdlib.plots import distributions

WORDS = ("mat", "sofa", "floor", "moon")
TARGETS = {
    "A": (1.00, 0.00, 0.00, 0.00),
    "B": (0.25, 0.25, 0.25, 0.25),
    "C": (0.60, 0.22, 0.16, 0.02),
    "D": (0.02, 0.02, 0.01, 0.95),
}
distributions(
    TARGETS, WORDS,
    alt="Four targets over mat, sofa, floor and moon. A has everything on "
    "mat. B has the same on each word. C falls from mat over sofa and floor "
    "to almost nothing on moon. D has nearly everything on moon.",
)

# %% [markdown]
# **Predict.** Which of them teaches a student most? What would entropy say?

# %%
exercise("most-informative-target")

# %%
# exercise: most-informative-target
answer = ...  # one letter of a, b, c, d
exercise("most-informative-target").check(answer)

# %% [markdown]
# Entropy alone would choose B, the one that says nothing. What we want from a
# target is that it tells words *apart*: mat from sofa, and sofa from moon.
# That can be counted.

# %%
exercise("pairs-told-apart")

# %%
# exercise: pairs-told-apart
def pairs_told_apart(p, tolerance):
    """Number of word pairs in each row that differ by more than the tolerance. (..., V) -> (...)"""
    raise NotImplementedError


exercise("pairs-told-apart").check(pairs_told_apart)

# %% [markdown]
# Here both scores for all four, and for a fifth one, E, which is C read
# backwards. (The counting is done by the exercise's reference solution.)

# %%
pairs = exercise("pairs-told-apart").reference
scored = TARGETS | {"E": TARGETS["C"][::-1]}

print("    entropy  pairs told apart  mass on what one can sit on")
for name, target in scored.items():
    p = torch.tensor(target, dtype=torch.float64)
    print(f"{name} {entropy(p.log()):9.2f} {pairs(p, 0.03).item():10}"
          f" {p[:3].sum():22.2f}")

# %% [markdown]
# - **A**, the one-hot target, tells mat from everything else, and nothing
#   else: a sofa is as wrong as the moon.
# - **B** is as open as can be and tells no two words apart.
# - **C** tells all six pairs apart, and its order makes sense. It is the most
#   informative target.
# - **D** is decided, with low entropy, and wrong.
#
# And then the surprise: **E** has exactly C's entropy and exactly C's number
# of pairs, and it is nonsense. No score that looks only at the *shape* of a
# distribution can tell a good teacher from a confident fool. The last column
# can, but it uses knowledge from outside: that cats sit on things. In practice
# this knowledge is a held-out text.
#
# So what does our real teacher say about the cat?

# %%
cat = teacher_says("The cat sat on the")
for p, token in zip(*cat.exp().topk(6)):
    print(f"{p:.2f}{PIECES[token]}")
print(f"entropy {entropy(cat):.2f} of at most {math.log(V):.2f}")
cats = re.findall(r"\bcats?\b", everything, re.IGNORECASE)
print(len(cats), "cats in all the text that it has read")

# %% [markdown]
# In its world one speaks *on the subject*, and what sits is the *Senate*. It
# is a good teacher on its own ground only. Its high entropy is a hint, no
# proof: "We must" was nearly as open, and rightly. **Teach a student on inputs
# that its teacher knows.**

# %% [markdown]
# ## 1.4 Dark knowledge, and how temperature shows it
#
# What does a teacher know that its first choice does not show? Ask it
# something that it is sure of.

# %%
united = teacher_says("The President of the United")
best = united.argmax()
print(f"{united[best].exp():.2f}{PIECES[best]}")
print("and if not that:")
rest = exercise("dark-knowledge").reference(united.exp())
for p, token in zip(*rest.topk(4)):
    print(f"     {p:.2f}{PIECES[token]}")

# %% [markdown]
# Behind one obvious word stands a small lexicon of what can be united: a
# King(dom), the Nations, the Republics. Nobody put it there on purpose. It is
# called **dark knowledge**: the part of an answer that a label leaves in the
# dark.

# %%
exercise("dark-knowledge")

# %%
# exercise: dark-knowledge
def dark_knowledge(p):
    """Each row without its likeliest word, renormalised; zeros if nothing is left. -> (..., V)"""
    raise NotImplementedError


exercise("dark-knowledge").check(dark_knowledge)

# %% [markdown]
# All these words together have a twentieth of the mass, so they hardly move a
# student. One remedy is to divide the logits by a **temperature** $T$ before
# the softmax:
#
# $$P_T(v) = \frac{\exp(a_v / T)}{\sum_u \exp(a_u / T)}$$
#
# At $T = 1$ nothing changes. Small $T$ sharpens towards the one-hot, large $T$
# flattens towards the even distribution.

# %%
exercise("soften")

# %%
# exercise: soften
def soften(logits, temperature):
    """Probabilities of the logits at a temperature; every row sums to 1. (..., V) -> (..., V)"""
    raise NotImplementedError


exercise("soften").check(soften)

# %%
exercise("temperature-and-odds")

# %%
# exercise: temperature-and-odds
answer = [..., ..., ...]  # one text for each blank
exercise("temperature-and-odds").check(answer)

# %% [markdown]
# Now the real thing. After "The Secretary of" three words share nearly
# everything: *the* (as in "of the Treasury"), *War* and *State*. Move the
# slider.
#
# **Predict.** At which temperature are the three best to be compared with each
# other? And what happens to the bar at the right, "all others", that is, to
# thousands of tokens with a tiny bit each?

# %%
secretary = teacher_says("The Secretary of")
eight = secretary.topk(8).indices
names = [PIECES[token].strip() for token in eight]


# %%
def picture(T):
    """The eight best words and all the others at temperature T."""
    p = log_softmax(secretary, T).exp()
    best = p[eight].sum()
    return distributions(
        {"teacher": [*p[eight], 1 - best]}, [*names, "all others"],
        alt=f"The eight best words hold {best:.2f} of the mass, "
        f"all others {1 - best:.2f}.",
    )


# %%
from kdlib.plots import frames

frames({T: picture(T) for T in (0.25, 0.5, 1, 1.5, 2, 4)}, "temperature")

# %%
print("   T  the : War  entropy  as open as   on the best eight")
for T in (0.5, 1.0, 1.5, 2.0, 4.0):
    log_p = log_softmax(secretary, T)
    odds = (log_p[eight[0]] - log_p[eight[1]]).exp()
    h = entropy(log_p)
    print(f"{T:4} {odds:8.2f} {h:9.2f} {h.exp():7.0f} words"
          f" {log_p[eight].exp().sum():14.2f}")

# %% [markdown]
# The second column does what one hopes: each doubling of $T$ takes the square
# root of the odds, and the order of the words never changes. The last column
# does something else. Already at $T = 2$ three quarters of the mass have left
# the eight words that make sense, and at $T = 4$ hardly any is left there.
# Thousands of tokens that the teacher had rightly dismissed got a raise each.
#
# Was temperature a bad idea? It was born with ten classes, not with thousands
# of tokens. Let the same teacher choose among its eight best words only:

# %%
few = secretary[eight]
print("   T  entropy  as open as")
for T in (1.0, 2.0, 4.0):
    h = entropy(log_softmax(few, T))
    print(f"{T:4} {h:8.2f} {h.exp():8.1f} of 8 words")

# %% [markdown]
# **The rule.** Temperature takes the $T$-th root of all odds. It shows dark
# knowledge as long as the sensible alternatives outweigh the number of
# senseless ones. With a handful of classes $T = 4$ is mild. With a vocabulary
# of thousands it is mostly noise, and language models are mostly distilled at
# $T = 1$ or not far from it. (A high temperature also shrinks the gradient by
# about $1/T^2$; chapter 0 showed the factor that corrects this, and chapter 2
# has the exercise.)

# %% [markdown]
# ## 1.5 One string or a whole distribution?
#
# *Je suis content.* A translation system learns from a pair of sentences, and
# the pair says: *I am happy.* A teacher would say: after "I am" comes happy
# with probability 0.60, glad 0.20, pleased 0.15, content 0.05. Is the
# difference worth anything, if happy is the best choice in either case?
#
# (Our real teacher knows no French, but it knows the choice: look at what it
# put after "I am" in section 1.2.)
#
# **Predict.** A new student gives the same probability to six words: the four
# above, *sad* and *Tuesday*. It takes one gradient step. What does each lesson
# do to *glad*? To *Tuesday*?

# %%
WORDS = ("happy", "glad", "pleased", "content", "sad", "Tuesday")
LESSONS = {
    "the string": (1.00, 0.00, 0.00, 0.00, 0.00, 0.00),
    "the teacher": (0.60, 0.20, 0.15, 0.05, 0.00, 0.00),
}


def one_step(target):
    """What one descent step adds to the logits of an even student."""
    logits = torch.zeros(len(WORDS), requires_grad=True)
    loss = -(torch.tensor(target) * logits.log_softmax(dim=-1)).sum()
    loss.backward()
    return -logits.grad


print(" " * 12 + "".join(f"{word:>9}" for word in WORDS))
for name, target in LESSONS.items():
    steps = one_step(target)
    print(f"{name:12}" + "".join(f"{step:9.2f}" for step in steps))

# %% [markdown]
# To the string, *glad* is as wrong as *Tuesday*: both are pushed down by the
# same amount. The teacher pushes *glad* up, leaves *pleased* nearly where it
# is and pushes *Tuesday* down. The best word gets a push up from both. The
# difference is in what happens to all the others, so a student that has
# learned from strings alone may be right and still not know that *glad* would
# have been right too.

# %%
exercise("push")

# %%
# exercise: push
def push(p, student_logits):
    """Direction of one descent step on the cross-entropy, in the student's logits. -> (..., V)"""
    raise NotImplementedError


exercise("push").check(push)

# %%
exercise("je-suis-content")

# %%
# exercise: je-suis-content
answer = ...  # nats, to 3 decimals
exercise("je-suis-content").check(answer)

# %% [markdown]
# One may object: over many texts the strings vary, and *glad* gets its share
# in time. True. **How many strings is one distribution worth?** Draw $n$
# strings from the teacher, count, and ask how far the counts are still from
# the teacher, in KL. (Each count starts from one imaginary string that is
# spread over all words, so that nothing is impossible.)

# %%
def distance(p, strings, repeats, seed=0):
    """Mean KL(P||counts) after so many strings, over the repeats."""
    drawn = torch.multinomial(
        p, repeats * strings, replacement=True,
        generator=torch.Generator().manual_seed(seed),
    ).reshape(repeats, strings)
    total = 0.0
    for row in drawn:
        counts = torch.bincount(row, minlength=len(p)) + 1 / len(p)
        q = counts / (strings + 1)
        total += forward_kl(p.log(), q.log()).item()
    return total / repeats


# %%
from kdlib.losses.divergences import forward_kl

four = torch.tensor([0.60, 0.20, 0.15, 0.05], dtype=torch.float64)
i_am = teacher_says("I am").exp()
N = (1, 10, 100, 1000, 10_000, 100_000)
toy = [distance(four, n, repeats=200 if n < 1e4 else 20) for n in N]
real = [distance(i_am, n, repeats=20) for n in N]

# %%
print(" strings   four words   3/(2n)   the real teacher")
for n, a, b in zip(N, toy, real):
    print(f"{n:8,} {a:10.5f} {1.5 / n:11.5f} {b:12.2f}")
curves(
    N,
    {"four words": toy, "the real teacher's whole vocabulary": real},
    xlabel="strings drawn for this one context", logx=True, logy=True,
    ylabel="KL from the teacher, nats",
    alt="Two curves on logarithmic axes. For four words the distance "
    "falls tenfold with every tenfold number of strings. For the whole "
    "vocabulary it hardly falls before hundreds of strings, and ends far "
    "above the other curve.",
)

# %% [markdown]
# **The rule.** Once all words have been met, $n$ strings leave a distance of
# about $(V - 1) / (2n)$: half a nat for each word of the vocabulary, divided
# by the number of strings. Four words want a hundred strings to come within a
# fiftieth of a nat. A real vocabulary wants a hundred thousand to come within
# a tenth, *for this one context*, while the teacher's one answer has distance
# 0.
#
# **The limit.** No student learns each context by itself: what it learns after
# "I am" helps after "I was". So labels are worth more than this count says.
# But the direction stands, and it is why a student with a teacher needs less
# text. What the same thought says about whole sentences, *I am happy* against
# all possible sentences, is chapter 3: F2 against F4.

# %% [markdown]
# ## 1.6 What is fixed, what is learned, and who reads what
#
# Now the definitions. The **full input** is $x = (c, z)$: a context $c$ (an
# instruction, some examples) and what the user wrote, $z$. The **simplified
# input** is $x' = (c', z)$ with a shorter or empty context $c'$.
#
# | | teacher | student |
# |---|---|---|
# | distribution | $P = \Pr^t(\cdot \mid c, z)$ | $Q = \Pr^s_\theta(\cdot \mid c', z)$ |
# | reads | the full input | the simplified input |
# | parameters | fixed | $\theta$, trained |
# | mode | eval, without gradients | train |
# | later in use | no | yes |
#
# The user's input $z$ is the same for both. What $c$ did for the teacher must
# end up in $\theta$. (Often $c' = c$: then only the size differs. The notation
# covers both.)
#
# **Predict.** Does a context change the real teacher's answer? We ask it how
# "The island of" goes on, with the sentence "The war in Cuba goes on." in
# front of it and without.

# %%
z = "The island of"
alone = teacher_says(z)
cuba = PIECES.index(" Cuba")
for c in ("", "The war in Cuba goes on. "):
    log_p = teacher_says(c + z)
    print(f"P(Cuba) = {log_p[cuba].exp():.2f}, "
          f"KL from no context {forward_kl(log_p, alone):.2f}: {c + z} ...")

# %% [markdown]
# Ten times as much Cuba. It reads its context! Or does it? A claim wants a
# control: another context, which has nothing to do with Cuba.

# %%
for c in ("China has lost its fleet. ", "Samoa has a new king. "):
    log_p = teacher_says(c + z)
    print(f"P(Cuba) = {log_p[cuba].exp():.2f}, "
          f"KL from no context {forward_kl(log_p, alone):.2f}: {c + z} ...")

# %% [markdown]
# Any sentence does it. All that counts, it seems, is that *something* stands
# in front, so that this is not the first line of a message. That the something
# was about Cuba it did not use. **A student can take over from a context only
# what the teacher makes of it.** Before you distil a context, measure its
# effect against an unrelated one.
#
# For a context that works we take a toy language whose truth is known. In it
# the instruction "plain" asks for stories without adjectives, and "ornate" for
# many.

# %%
from kdlib.toys.worlds import mix, story_world

world = story_world()
NEXT = ("golden", "quiet", "boat", "shell", "lantern", "feather")
places = [world.words.index(word) for word in NEXT]


def after_a(context):
    """Log-probabilities of the word after "the fox finds a". -> (24,)"""
    return world.log_rows(context)[world.words.index("a")]


# %%
plain, ornate = after_a("plain fox"), after_a("ornate fox")
distributions(
    {"reads: plain fox": plain[places].exp(),
     "reads: ornate fox": ornate[places].exp(),
     "reads: fox": after_a("fox")[places].exp()},
    NEXT,
    alt="After 'the fox finds a': with the instruction 'plain' the two "
    "adjectives golden and quiet are almost absent; with 'ornate' they are "
    "the likeliest; without an instruction they lie between.",
)

# %% [markdown]
# **Predict.** The student reads only "fox". If the teacher's instruction is
# always "plain", which answer should it learn? And if it is "plain" for half
# of the examples and "ornate" for the others? (The numbers are KL from the
# teacher, averaged over its instructions.)

# %%
CANDIDATES = {
    "as if told plain": plain,
    "as if told ornate": ornate,
    "the average of the two": mix(plain, ornate, 0.5),
    "the language without c": after_a("fox"),
}
print(f"{'the student answers':24} always plain   half and half")
for name, q in CANDIDATES.items():
    to_plain, to_ornate = forward_kl(plain, q), forward_kl(ornate, q)
    print(f"{name:24} {to_plain:12.3f} {(to_plain + to_ornate) / 2:15.3f}")

# %%
from kdlib.losses.divergences import jensen_shannon

average = CANDIDATES["the average of the two"]
left = (forward_kl(plain, average) + forward_kl(ornate, average)) / 2
assert torch.isclose(left, jensen_shannon(plain, ornate))
print(f"what no student can learn: {left:.3f} nats")

# %% [markdown]
# **The rule.** A context that is *always the same* can move into the
# parameters without loss: the first column has a 0. A context that *changes*
# while the student does not see it cannot: the best student answers with the
# average, and what is left over is the Jensen-Shannon divergence of the two
# answers. Simplify inputs only by what stays the same.

# %%
exercise("what-is-trained")

# %%
# exercise: what-is-trained
answer = ...  # one letter of a, b, c, d
exercise("what-is-trained").check(answer)

# %% [markdown]
# "Fixed" is a promise that code must keep. One step with the real teacher, and
# then a look at which parameters have moved:

# %%
import copy

from kdlib.losses.distillation import distillation_loss
from kdlib.losses.objectives import Objective

size = ModelSize(width=32, layers=1, heads=2)
student = new_model(size, V, 128, seed=0)
pair = {"teacher": teacher, "student": student}
before = {name: copy.deepcopy(model) for name, model in pair.items()}

kd = Objective.from_alpha(1.0)
with torch.no_grad():
    targets = teacher(input_ids=ids[:4]).logits
loss = distillation_loss(
    student(input_ids=ids[:4]).logits, targets, objective=kd
)
loss.mean.backward()
torch.optim.SGD(student.parameters(), lr=0.1).step()

# %%
for name, model in pair.items():
    old = before[name].parameters()
    moved = [not torch.equal(a, b) for a, b in zip(old, model.parameters())]
    slopes = [p.grad is not None for p in model.parameters()]
    print(f"{name}: {sum(moved)} of {len(moved)} tensors moved, "
          f"{sum(slopes)} have a gradient")
    assert all(moved) == all(slopes) == (name == "student")
    assert any(moved) == (name == "student")

# %%
exercise("distillation-step-loss")

# %%
# exercise: distillation-step-loss
def distillation_step_loss(teacher, student, x, x_short):
    """Mean over the rows of the KL from the teacher on x to the student on x_short. -> scalar"""
    raise NotImplementedError


exercise("distillation-step-loss").check(distillation_step_loss)

# %% [markdown]
# ## 1.7 A model for a phone
#
# A team has a translation model on a server and must ship one on a phone,
# where the app may use 100 megabytes. **Predict:** will it fit if its weights
# are only stored in fewer bits?

# %%
BUDGET = 100  # megabytes
PLANS = {  # parameters, bytes for each
    "the server's model": (7e9, 2),
    "the same, 4 bits a weight": (7e9, 0.5),
    "a student": (60e6, 2),
    "a student, 8 bits a weight": (60e6, 1),
}
for name, (parameters, each) in PLANS.items():
    megabytes = parameters * each / 1e6
    fits = "fits" if megabytes <= BUDGET else "too large"
    print(f"{name:28} {megabytes:8,.0f} MB  {fits}")

# %%
exercise("times-smaller")

# %%
# exercise: times-smaller
def times_smaller(teacher, student):
    """How many times less memory the student's parameters need than the teacher's. -> number"""
    raise NotImplementedError


exercise("times-smaller").check(times_smaller)

# %% [markdown]
# So there must be a second, smaller model. Why not just train it on the human
# translations that the first was trained on? Here is what the *two-model
# approach* buys the team:
#
# - **Each model has one job.** The teacher may be as large and slow as the
#   server allows: it never ships. The student may have any architecture that
#   suits the phone.
# - **Inputs become lessons.** The teacher answers any sentence, so the
#   sentences of real users will do, without human translations. The data can
#   look like the use.
# - **Each lesson is richer**: a distribution for each next word instead of one
#   word (section 1.1, section 1.5).
# - **Long instructions stay on the server.** If the teacher translates well
#   with a page of advice as its context $c$, the student learns to do so
#   without it (section 1.6).
#
# And what it costs: the teacher must be asked for all of this, its errors are
# passed on, and the student stays a small model.
#
# | part of the plan | choice | why |
# |---|---|---|
# | teacher | the server's model, frozen, with its best instruction | the best answers that there are; cost matters once |
# | student | 60 million parameters, 8 bits each | follows from the phone, not from taste |
# | data | sentences like those of the users, in $x' = (c', z)$ form | the student is good where it was taught |
# | objective | F1 with $\mathrm{KL}(P \Vert Q)$ for each next word | the whole distribution, not its best string |
# | control | the same student on the same sentences, from human translations | or nobody knows what the teacher was worth |

# %%
exercise("plan-for-a-phone")

# %%
# exercise: plan-for-a-phone
answer = ...  # the letters a, b, c, d, e, f in the right order
exercise("plan-for-a-phone").check(answer)

# %% [markdown]
# ## Summary
#
# - A label is one word and has entropy 0. A teacher's answer is a
#   distribution. After one sentence about June 30 it held a history that the
#   text tells in hundreds of places.
# - A good target tells words apart *and* is right. Its shape shows the first,
#   never the second.
# - A teacher is good where it has read. Asked about a cat it thinks of the
#   Senate.
# - Temperature $T$ takes the $T$-th root of all odds. With a large vocabulary
#   it wakes the noise long before $T = 4$.
# - The teacher reads the full input and is fixed; the student reads the
#   simplified one and is trained. Only what is always the same can be left out
#   of the input.
# - For a phone: student from the device, data from the users, targets from the
#   teacher, and a control.
#
# **Questions answered:** Q01 in sections 1.1 and 1.7, Q02 in section 1.6, Q03
# in sections 1.2, 1.3 and 1.4, Q04 in section 1.5, Q05 in section 1.7.
#
# **Further reading**
#
# - Buciluă, Caruana and Niculescu-Mizil, *Model Compression*, 2006: an
#   ensemble's answers on unlabelled inputs train one small network.
# - Hinton, Vinyals and Dean, *Distilling the Knowledge in a Neural Network*,
#   2015: soft targets, temperature, dark knowledge.
# - Romero et al., *FitNets*, 2015: the other road, through hidden layers.
# - Kim and Rush, *Sequence-Level Knowledge Distillation*, 2016: translation,
#   and whole strings as targets.
# - Snell, Klein and Zhong, *Learning by Distilling Context*, 2022: a teacher
#   that reads more than its student.
