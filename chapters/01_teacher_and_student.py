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
# The page in front of you gives one answer, say 1889. Somebody who has read
# all the messages can give another kind of answer. This chapter is about the
# difference between the two. One is a label, the other a distribution, and
# distillation is learning from a teacher that gives you the second.
#
# **You will be able to**
#
# - say what a student sees of its teacher, what is fixed, what is trained, and
#   what each of them reads;
# - compute the entropy of a target and its KL divergence from another, and say
#   what these numbers tell you and what they do not;
# - turn the temperature, and predict when it becomes too hot;
# - plan a model for a phone: teacher, student, data, objective.
#
# **Time**: about 2 h 50 min with the exercises. **Assumes**: chapter 0; what a
# probability and a logarithm are.

# %% [markdown]
# ## 1.1 One question to the teacher
#
# The teacher is the small language model that ships with this book. It has
# read the messages of American presidents from 1790 on, and it does one thing:
# it reads some text and gives a probability to each of the tokens (words, or
# pieces of words) that could come next.

# %%
import math
import random
import re
from collections import Counter

import torch

from kdlib.data.blocks import make_blocks
from kdlib.data.documents import load_splits
from kdlib.data.shares import take_fraction
from kdlib.exercises import exercise, foreseen, predict
from kdlib.models.folders import POCKET_TEACHER, load_model, load_tokenizer
from kdlib.models.frozen import freeze
from kdlib.models.from_scratch import ModelSize, new_model, parameter_count
from kdlib.plots import curves, distributions, explorable, frames, table, words

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
predict("01-one-year-or-several")

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


said = decades(SENTENCE)
print(f"{sum(said.values()):.2f} of its answer is a year")

# %% [markdown]
# Is it any good? Nobody told the teacher when people wrote such sentences. But
# we can count: which years follow "June 30," in the documents that it was
# trained on?

# %%
messages = load_splits("sotu")
everything = "\n".join(document.text for document in messages.training)


def count(pattern):
    """The decades of the years that a pattern finds, one for each place."""
    return [year[:3] for year in re.findall(pattern, everything)]


def shares(places):
    """Their shares, as {"188": share, ...}."""
    return {decade: n / len(places) for decade, n in Counter(places).items()}


any_june = count(r"June 30, (1[89]\d\d)")
counted = shares(any_june)
print(len(any_june), "places in the text")

# %%
DECADES = [str(decade) for decade in range(180, 200)]
curves(
    [10 * int(decade) for decade in DECADES],
    {"counted in the text": [counted.get(d, 0) for d in DECADES],
     "teacher": [said[d] for d in DECADES]},
    xlabel="decade", ylabel="probability", alt=words("01-decades"),
)

# %% [markdown]
# The teacher saw these sentences one at a time, each with one year. What it
# gives back looks like the history of a phrase: a summit, a fall after 1900, a
# small return in the 1910s. How close is it? **Total variation** is the share
# of the mass that would have to be moved to turn one distribution into the
# other. Two answers that need no model set the scale. (The library takes
# logarithms of probabilities; $\log 0 = -\infty$ is allowed.)

# %%
from kdlib.losses.divergences import total_variation


def vector(found):
    """The decades' shares, and last what is not a year, as logarithms."""
    years = [found.get(decade, 0.0) for decade in DECADES]
    rest = max(0.0, 1 - sum(years))
    return torch.tensor([*years, rest], dtype=torch.float64).log()


favourite = max(counted, key=counted.get)
answers = {
    "the teacher": said,
    "the favourite decade alone": {favourite: 1.0},
    "all decades evenly": dict.fromkeys(DECADES, 1 / 20),
}
table({name: {"to be moved": total_variation(vector(counted), vector(answer))}
       for name, answer in answers.items()}, ".2f")

# %% [markdown]
# The lines part in one place. The count has a third summit, in the 1940s, and
# the teacher has none. Is that the teacher's error? Before we blame it, let us
# see where that summit comes from.

# %%
forties = {
    document.name: len(re.findall(r"June 30, 194\d", document.text))
    for document in messages.training
}
source = max(forties, key=forties.get)
in_all = sum(forties.values())
ended = re.findall(r"year\s+ended\s+June 30, 194\d", everything)
print(f"{forties[source]} of {in_all} places are in {source}")
print(f"{len(ended)} of {in_all} end a fiscal year")

# %% [markdown]
# A conclusion offers itself. *Nearly all of these places are in one message,
# and no fiscal year ends there; our sentence asks for the end of a fiscal
# year. The count has thrown two kinds of sentence together, and the teacher
# has kept them apart. It has learned more than a count.* It is neat, and both
# numbers support it.
#
# **Predict.** Do you believe it? What would you look at before you do?

# %%
truman = next(d for d in messages.training if d.name == source)
for place in re.finditer(r"June 30, 194\d", truman.text):
    before = truman.text[:place.start()].split()[-8:]
    print(" ".join(before), place[0])

# %% [markdown]
# Read the places, not the number. Most of them are about the budget and the
# armed forces, and two end a fiscal year in so many words: *the year that ends
# on June 30, 1947* and *the fiscal year that ended on June 30, 1945*. Our
# pattern demanded `year ended June 30` with nothing in between. It could not
# have found them, although it finds dozens of places in other decades, as you
# will see. **A search that finds nothing may only tell you about the search.**
#
# So does the teacher keep kinds of sentence apart, or not? The text has two
# common wordings: a year *ended* June 30 and a year *ending* June 30. The
# first reports on a year that is over. Does the second speak of one to come?

# %%
ENDING = r"year,?\s+ending\s+June 30, (1[89]\d\d)"
dated = [(year, document.name[:4]) for document in messages.training
         for year in re.findall(ENDING, document.text)]
over = sum(year <= written for year, written in dated) / len(dated)
print(f"{over:.2f} of the places name no year after the message's own")

# %% [markdown]
# Not as a rule: most messages were sent in December, when the June of the same
# year was long over. So these are two wordings, not two meanings. But they
# come from different decades, and that can be measured.
#
# **Predict.** We ask the teacher in both ways. If it keeps the two apart,
# which count should each of its answers be closest to? And if it does not?

# %%
KINDS = {
    "any June 30": any_june,
    "year ended June 30": count(r"year\s+ended\s+June 30, (1[89]\d\d)"),
    "year ending June 30": count(ENDING),
}
ASKED = {"ended": said, "ending": decades(SENTENCE.replace("ended", "ending"))}
rows = {}
for kind, places in KINDS.items():
    rows[kind] = {"places": len(places)}
    for word, answer in ASKED.items():
        moved = total_variation(vector(shares(places)), vector(answer))
        rows[kind][f"teacher asked '{word}'"] = moved
table(rows, ".2f", corner="distance from the count of")

# %%
early = {kind: shares(places) for kind, places in KINDS.items()}
early |= {f"teacher asked '{word}'": answer for word, answer in ASKED.items()}
rows = {}
for name, found in early.items():
    both = found.get("185", 0.0) + found.get("186", 0.0)
    rows[name] = {"1850s and 1860s": both}
table(rows, ".2f")

# %% [markdown]
# It hears the word. Asked for a year *ending*, it gives 0.25 instead of 0.12
# to the 1850s and 1860s, where that was the usual wording. But it separates
# the two only partly. For a year *ended* it still gives more than a tenth to
# two decades in which our pattern for the phrase finds nothing, and the count
# of *ending* is no closer to its answer for *ending* (0.29) than to its answer
# for *ended* (0.27). The neat conclusion does not stand. What we can see is a
# word that shifts the decades, not two kinds of sentence kept apart.
#
# What, then, is the teacher's answer worth to a student? A student without a
# teacher reads one such sentence after the other and keeps a tally.
#
# **Predict.** How many sentences must it read until its tally is as close to
# the count as the teacher's one answer: a few, dozens, or hundreds? Answer
# first for any June 30, then for the phrase "year ended".

# %%
def tally(places, number, repeats=300):
    """Mean distance from all places to a tally of a few random ones."""
    draw = random.Random(0)
    target = vector(shares(places))
    total = 0.0
    for _ in range(repeats):
        read = draw.choices(places, k=number)
        total += total_variation(target, vector(shares(read))).item()
    return total / repeats


READ = (1, 3, 4, 5, 10, 20, 30, 40, 100)
columns = ("any June 30", "year ended June 30")
table({number: {kind: tally(KINDS[kind], number) for kind in columns}
       for number in READ}, ".2f", corner="sentences read")

# %% [markdown]
# **What it means.** Look for 0.21 in the first column and for 0.33 in the
# second. **One answer of this teacher is worth about thirty sentences if any
# June 30 will do, and about five if you want the exact words *year ended*.**
# That is neither magic nor nothing. A text gives one year at a time; the
# teacher gives, at once, a blurred picture of many. And it does so at every
# place in every text, even where no thirty such sentences exist. This is the
# idea of distillation, and the rest of the book is about doing it well.

# %%
exercise("what-the-student-sees")

# %%
# exercise: what-the-student-sees
answer = ...  # one letter of a, b, c, d
exercise("what-the-student-sees").check(answer)

# %% [markdown]
# Note what we used: the teacher's *outputs*. We looked at no weight and at no
# hidden layer. Methods that work like this are called **response-based**.

# %% [markdown]
# ## 1.2 How much does an answer leave open?
#
# **Predict.** Order these five beginnings by how sure you would be of the next
# word: "We must", "The Secretary of", "I thank", "I am", "The Government of
# Great".
#
# The **entropy** of a distribution, $H(P) = -\sum_v P(v) \log P(v)$, is its
# expected surprise. It is 0 for a one-hot distribution and $\log V$ for the
# even one. Its exponential is easier to read: so many equally likely words
# would be just as hard to guess. This number is called the **perplexity**.

# %%
predict("01-beginnings")

# %%
from kdlib.losses.divergences import entropy

BEGINNINGS = ("The Government of Great", "I thank", "The Secretary of",
              "I am", "We must")
rows = {}
for beginning in BEGINNINGS:
    log_p = teacher_says(beginning)
    h = entropy(log_p).item()
    likeliest = ",".join(PIECES[token] for token in log_p.topk(4).indices)
    rows[beginning] = {"entropy": h, "perplexity": math.exp(h),
                       "likeliest": likeliest}
rows["(all tokens evenly)"] = {
    "entropy": math.log(V), "perplexity": V, "likeliest": "-"
}
table(rows, {"entropy": ".2f", "perplexity": ".0f"})

# %% [markdown]
# After "Great" only Britain is left. After "We must" there are hundreds of
# words to choose from. A text gives exactly one word in either case, with the
# same air of certainty: **a label has entropy 0**, always.
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
# expects a surprise of, say, three nats, it should on average *be* surprised
# by three nats. A model of which this is true is called **calibrated**. We try
# it on messages that the teacher has never seen, and sort the places in the
# text by the entropy that the teacher has there.

# %%
from kdlib.losses.alignment import next_token
from kdlib.losses.softmax import log_softmax


def honesty(ids, edges):
    """Expected and actual surprise, at places sorted by the expected one."""
    with torch.no_grad():
        logits, labels, _ = next_token(teacher(input_ids=ids).logits, ids)
    log_p = log_softmax(logits)
    expected = entropy(log_p)
    came = -log_p.gather(-1, labels[..., None])[..., 0]
    rows = {}
    for low, high in zip(edges, edges[1:]):
        here = (expected >= low) & (expected < high)
        rows[f"{low} to {high} nats"] = {
            "places": here.sum().item(), "expected": expected[here].mean(),
            "surprise that came": came[here].mean(),
        }
    return rows


# %%
unseen = take_fraction(messages.test, 0.3)
bpe, end = tokenizer.backend_tokenizer, tokenizer.eos_token_id
blocks = make_blocks(unseen, bpe, 128, end).ids[:-1]
blocks = blocks[:: len(blocks) // 48][:48]  # evenly spaced
table(honesty(blocks, (0, 1, 3, 5, 9)), ".1f", corner="entropy")

# %% [markdown]
# The two columns agree within a few tenths of a nat in every row, on text that
# is new to the teacher. It knows how much it does not know. That is worth
# teaching, and no label contains it: where the text says one word, the teacher
# also says whether any other would have done.
#
# (The trivial baseline, a model that counts words and ignores the past,
# expects the same surprise everywhere. All its places would fall into one
# row.)
#
# **Predict.** Here is some English from outside Congress. Will the columns
# still agree?

# %%
predict("01-outside-congress")

# %%
HOME = """My sister made pancakes for breakfast, and we ate them with honey.
After school the children kicked a ball against the wall until it was dark. He
lost his keys again, so he climbed in through the kitchen window. The soup
needs more salt, and the bread is still in the oven. She tied her shoes, put on
a red scarf and ran to catch the bus. My phone is almost empty, can you bring
me the charger? On Sunday we went to the beach, but the water was far too cold
to swim. The baby laughed whenever the dog sneezed. Grandmother keeps her
buttons in an old biscuit tin. Put the milk back in the fridge before it goes
off. They danced in the living room while the rain drummed on the roof. The
plumber came twice and the tap still drips. We painted the fence blue and the
dog, too, by mistake."""
tokens = [end, *tokenizer(" ".join(HOME.split())).input_ids]
table(honesty(torch.tensor([tokens]), (0, 3, 5, 9)), ".1f", corner="entropy")

# %% [markdown]
# Now the surprise is larger than expected, and by far the most so where the
# teacher feels sure. **The teacher knows how much it does not know in the kind
# of language that it has read; the further from it, the less.** Its certainty
# comes from its text like everything else it has.

# %% [markdown]
# ## 1.3 Four targets for one gap
#
# A target is what the student is trained towards. Is one with more entropy a
# better one? Take a sentence with four ways to end, *the cat sat on the mat,
# sofa, floor, moon*, and four teachers.

# %%
WORDS = ("mat", "sofa", "floor", "moon")
TARGETS = {
    "A": (1.00, 0.00, 0.00, 0.00),
    "B": (0.25, 0.25, 0.25, 0.25),
    "C": (0.60, 0.22, 0.16, 0.02),
    "D": (0.02, 0.02, 0.01, 0.95),
}
distributions(TARGETS, WORDS, alt=words("01-four-targets"))

# %% [markdown]
# **Predict.** Which of them teaches a student most? What would entropy say?

# %%
exercise("most-informative-target")

# %%
# exercise: most-informative-target
answer = ...  # one letter of a, b, c, d
exercise("most-informative-target").check(answer)

# %% [markdown]
# Entropy alone would choose B, which prefers no word to any other. What we
# want from a target here is that it tells words *apart*: mat from sofa, and
# sofa from moon. That can be counted.

# %%
exercise("pairs-told-apart")

# %%
# exercise: pairs-told-apart
def pairs_told_apart(p, tolerance):
    """Number of word pairs in each row that differ by more than the tolerance. (..., V) -> (...)"""
    raise NotImplementedError


exercise("pairs-told-apart").check(pairs_told_apart)

# %% [markdown]
# Here are both scores for all four, and for a fifth one, E, which is C read
# backwards. (The counting is done by the exercise's reference solution.)
#
# **Predict.** Which of the scores tells C from E?

# %%
pairs = exercise("pairs-told-apart").reference
rows = {}
for name, target in (TARGETS | {"E": TARGETS["C"][::-1]}).items():
    p = torch.tensor(target, dtype=torch.float64)
    rows[name] = {
        "entropy": entropy(p.log()), "pairs told apart": pairs(p, 0.03),
        "mass on what one can sit on": p[:3].sum(),
    }
table(rows, {"entropy": ".2f", "pairs told apart": ".0f",
             "mass on what one can sit on": ".2f"})

# %% [markdown]
# - **A**, the one-hot target, tells mat from everything else, and nothing
#   else: a sofa is as wrong as the moon.
# - **B** is as open as can be and tells no two words apart.
# - **C** tells all six pairs apart, and its order makes sense. Of the four it
#   teaches most.
# - **D** is decided, with low entropy, and wrong.
#
# And then the surprise: **E** has exactly C's entropy and exactly C's number
# of pairs, and it is nonsense. **No score that looks only at the shape of a
# distribution can tell a good teacher from a confident fool**: shuffle the
# words, and the shape is the same. The last column can, but it uses knowledge
# from outside: that cats sit on things. In practice this knowledge is a
# held-out text.
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
# In its world one speaks *on the subject*, and what sits is the *Senate*. Its
# high entropy is no warning: "We must" was nearly as open, and rightly so.
# **Teach a student on inputs that its teacher knows.**

# %% [markdown]
# ## 1.4 Temperature
#
# What does a teacher know that its first choice does not show? Ask it
# something that it is sure of.

# %%
united = teacher_says("The President of the United").exp()
best = united.argmax()
print(f"{united[best]:.2f}{PIECES[best]}, {1 - united[best]:.2f} the others:")
rest = exercise("dark-knowledge").reference(united)
for p, token in zip(*rest.topk(4)):
    print(f"     {p:.2f}{PIECES[token]}")

# %% [markdown]
# Behind one obvious word there is a small lexicon of what can be united: a
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
# Between them, these words share only what the first one leaves, so they
# hardly move a student. One remedy is to divide the logits by a
# **temperature** $T$ before the softmax:
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
# **Predict.** At which temperature are the three best words within a factor of
# two of each other? And what happens to the bar at the right, "all others"?

# %%
predict("01-all-others")

# %%
secretary = teacher_says("The Secretary of")
eight = secretary.topk(8).indices
names = [PIECES[token].strip() for token in eight]


def picture(T):
    """The eight best words and all the others at temperature T."""
    p = log_softmax(secretary, T).exp()
    best = p[eight].sum()
    return distributions(
        {"teacher": [*p[eight], 1 - best]}, [*names, "all others"],
        alt=words("01-eight-best", best=best.item(), others=1 - best.item()),
    )


frames({T: picture(T) for T in (0.25, 0.5, 1, 1.5, 2, 4)}, "temperature", 1)

# %%
rows = {}
for T in (0.5, 1.0, 1.5, 2.0, 4.0):
    log_p = log_softmax(secretary, T)
    p = log_p.exp()
    rows[T] = {
        "the : War": p[eight[0]] / p[eight[1]],
        "the : State": p[eight[0]] / p[eight[2]],
        "perplexity": entropy(log_p).exp(),
        "on the best eight": p[eight].sum(),
    }
table(rows, ".2f", corner="T")

# %% [markdown]
# The odds do what one hopes: each doubling of $T$ takes their square root, and
# the order of the words never changes. The last column does something else.
# Already at $T = 2$ three quarters of the mass have left the eight best words,
# and at $T = 4$ hardly any is left there. Thousands of tokens that
# the teacher had rightly dismissed got a raise each.
#
# Is the size of the vocabulary to blame? One might think that temperature is
# for a handful of classes. But Hinton, Vinyals and Dean (2015) softened a
# speech model with 14,000 labels, several times our vocabulary, and tried
# temperatures from 1 to 10. That does not show that 10 was good for it, but it
# makes one ask.
#
# **Predict.** What else may decide when the noise takes over?

# %%
exercise("when-noise-wins")

# %%
# exercise: when-noise-wins
answer = [..., ..., ..., ...]  # one text for each blank
exercise("when-noise-wins").check(answer)

# %%
others = torch.ones(V, dtype=torch.bool)
others[eight] = False
gap = (secretary.max() - secretary[others]).median().item()
print(f"typical gap of the others: {gap:.1f} nats below the best")
print(f"g / log(N): T = {gap / math.log(V - 8):.2f}")
for T in (1.5, 1.6, 1.7):
    p = log_softmax(secretary, T).exp()
    print(f"T = {T}: the best word {p.max():.2f}, all but the best eight"
          f" {p[others].sum():.2f}")
LABELS = 14_000
for gap in (19, 22, 25):
    noise = LABELS * math.exp(-gap / 2)
    print(f"{LABELS:,} labels {gap} nats down: at T = 2 they have"
          f" {noise / (1 + noise):.2f}")

# %% [markdown]
# **The rule.** Temperature takes the $T$-th root of all odds, of sensible and
# senseless words alike. If all $N$ senseless words lie $g$ nats below the best
# word, together they have as much as it has at $T = g / \log N$. Their number
# counts only through its logarithm; the gap counts in full. Real gaps differ,
# and the smaller ones count most, so in practice the noise takes over sooner:
# here the rule says 1.7, and the best word alone is overtaken at 1.5. Read it
# as an upper limit. With 14,000 labels 19 nats down, $T = 2$ is already the
# point at which noise and best word are equal; at 25 nats the noise has a
# twentieth. **Measure the gap before you raise the temperature.**
#
# (A high temperature also shrinks the gradient, and objectives often carry a
# factor $T^2$ against it. For a few classes and large $T$ that is about right;
# for a vocabulary of thousands it is not. Chapter 4 derives and measures it.)

# %%
explorable("temperature")

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
# do to the logit of *glad*? Of *Tuesday*?

# %%
predict("01-glad-and-tuesday")

# %%
CHOICES = ("happy", "glad", "pleased", "content", "sad", "Tuesday")
LESSONS = {
    "the string": (1.00, 0.00, 0.00, 0.00, 0.00, 0.00),
    "the teacher": (0.60, 0.20, 0.15, 0.05, 0.00, 0.00),
}


def one_step(target):
    """What one descent step adds to the logits of an even student."""
    logits = torch.zeros(len(CHOICES), requires_grad=True)
    loss = -(torch.tensor(target) * logits.log_softmax(dim=-1)).sum()
    loss.backward()
    return -logits.grad


table({name: dict(zip(CHOICES, one_step(target)))
       for name, target in LESSONS.items()}, "+.2f")

# %%
exercise("why-the-distribution")

# %%
# exercise: why-the-distribution
answer = """
...
"""
ticked = ...  # after the first check: the points that you made, such as [1, 3]
exercise("why-the-distribution").check(answer, ticked=ticked)

# %% [markdown]
# To the string, *glad* is as wrong as *Tuesday*: both are pushed down by the
# same amount. The teacher pushes *glad* up, leaves *pleased* nearly where it
# is and pushes *Tuesday* down. The best word gets a push up from both. The
# difference is in what happens to all the others, so a student that has seen
# one string may be right and still not know that *glad* would have been right
# too.

# %%
exercise("push")

# %%
# exercise: push
def push(p, student_logits):
    """Direction of one descent step on the cross-entropy, in the student's logits. -> (..., V)"""
    raise NotImplementedError


exercise("push").check(push)

# %% [markdown]
# **Predict.** The push on a word is upwards. Is the word more likely after the
# step?

# %%
predict("01-after-the-step")

# %%
teacher_p = torch.tensor([0.55, 0.41, 0.04], dtype=torch.float64)
student_q = torch.tensor([0.50, 0.40, 0.10], dtype=torch.float64)
g = teacher_p - student_q
after = (student_q.log() + 0.1 * g).softmax(dim=-1)
table({
    "the teacher": dict(zip("abc", teacher_p)),
    "the student": dict(zip("abc", student_q)),
    "push on the logit": dict(zip("abc", g)),
    "the student after a step": dict(zip("abc", after)),
})

# %% [markdown]
# Not always: a push moves a *logit*. The second one is pushed up by 0.01, and
# its probability falls,
# away from the teacher's: the first word is pushed harder, and the softmax
# only knows who has more than the others. With student $q$ and push $g$ the
# change is $q_v \left(g_v - \sum_u q_u g_u\right)$ for each unit of learning
# rate. A step goes down in the loss, not straight towards the teacher.

# %%
exercise("je-suis-content")

# %%
# exercise: je-suis-content
answer = ...  # nats, to 3 decimals
exercise("je-suis-content").check(answer)

# %% [markdown]
# ### KL in half a page
#
# How far is a student $Q$ from its teacher $P$? Somebody who expects $Q$ while
# the words come from $P$ is surprised by $-\sum_v P(v) \log Q(v)$ on average:
# this is the **cross-entropy**, $\mathrm{CE}(P, Q)$. Somebody who expects $P$
# itself is surprised by the entropy $H(P)$. The difference, the surprise that
# better beliefs would have saved, is the **KL divergence** (F5):
#
# $$\mathrm{KL}(P \,\Vert\, Q) = \sum_v P(v) \log \frac{P(v)}{Q(v)}
# = \mathrm{CE}(P, Q) - H(P)$$
#
# Each word adds a piece. Here are the four words and a student that is too
# shy about *happy*.

# %%
from kdlib.losses.divergences import forward_kl
from kdlib.plots.chapter_01 import signed_pieces

four = torch.tensor([0.60, 0.20, 0.15, 0.05], dtype=torch.float64)
shy = torch.tensor([0.40, 0.30, 0.20, 0.10], dtype=torch.float64)
pieces = four * (four / shy).log()
assert torch.isclose(pieces.sum(), forward_kl(four.log(), shy.log()))
print(f"{pieces.sum():.4f} nats in all")
signed_pieces(
    CHOICES[:4], four.tolist(), shy.tolist(), alt=words("01-kl-pieces")
)

# %% [markdown]
# A piece is positive where the student gives a word too little, negative where
# it gives too much. Can the negative ones win?

# %%
exercise("gibbs")

# %%
# exercise: gibbs
answer = [..., ..., ..., ...]  # one text for each blank
exercise("gibbs").check(answer)

# %% [markdown]
# So the expected surprise is least for the student who believes what the
# teacher believes, and for no other. A score with this property is called a
# **strictly proper scoring rule**. The share of right first guesses is proper
# but not strictly so: the truth does best, and so does every student with the
# same favourite. Chapter 4 has much more about KL, above all its direction.
#
# Back to the objection that you may have had all along: over many texts the
# strings vary, and *glad* gets its share in time. True. **How many strings is
# one distribution worth?** Draw $n$ strings from the teacher, count, and ask
# how far the counts still are from the teacher, in KL. (Each count starts from
# one imaginary string that is spread evenly over all words, so that nothing is
# impossible.)
#
# **Predict.** How many strings does it take to come within a tenth of a nat,
# for the four words? And for the real teacher's whole vocabulary, after "I
# am"?

# %%
predict("01-strings-for-a-tenth")

# %%
def distance(p, strings, repeats):
    """Mean KL(P||counts) after so many strings, and how many words occur."""
    draw = torch.Generator().manual_seed(0)
    total, met = 0.0, 0
    for _ in range(repeats):
        row = torch.multinomial(p, strings, replacement=True, generator=draw)
        counts = torch.bincount(row, minlength=len(p))
        q = (counts + 1 / len(p)) / (strings + 1)
        total += forward_kl(p.log(), q.log()).item()
        met += (counts > 0).sum().item()
    return total / repeats, met / repeats


i_am = teacher_says("I am").exp()
N = (1, 10, 100, 1000, 10_000, 100_000)
toy = {n: distance(four, n, repeats=400)[0] for n in N}
real = {n: distance(i_am, n, repeats=20) for n in N}

# %%
table({f"{n:,}": {
    "four words": toy[n], "3/(2n)": 3 / (2 * n),
    "all tokens": real[n][0], f"{V - 1}/(2n)": (V - 1) / (2 * n),
    "never drawn": 1 - real[n][1] / V,
} for n in N}, {"four words": ".2g", "3/(2n)": ".2g", "all tokens": ".2f",
                f"{V - 1}/(2n)": ".2f", "never drawn": ".2f"}, "strings")

# %%
curves(
    N, {"four words": list(toy.values()),
        "all tokens": [far for far, _ in real.values()]},
    xlabel="strings drawn for this one context", logx=True, logy=True,
    ylabel="KL from the teacher, nats", alt=words("01-strings"),
)

# %% [markdown]
# **The rule.** Once every word has been drawn often, $n$ strings leave a
# distance of about $(V - 1) / (2n)$: half a nat for each free probability,
# divided by the number of strings. The four words follow it from ten strings
# on, and are within a fiftieth of a nat after a hundred.
#
# The real vocabulary does not obey the rule in this table, because "often" has
# not come: after 100,000 strings 31 % of the tokens have not occurred once. At
# first the distance even *grows*: each string that is drawn leaves the many
# tokens that are still missing with a smaller share of the imaginary one. It
# takes more than 10,000 strings to come within a tenth of a nat, *for this one
# context* and counted in this way. The teacher's one answer has distance 0, by
# definition: how far the teacher itself is from the text is another
# question.
#
# **The limit.** No student learns each context by itself: what it learns after
# "I am" helps after "I was". So labels are worth more than this count says.
# What the same thought says about whole sentences, *I am happy* against all
# possible sentences, is chapter 3: F2 against F4.

# %% [markdown]
# ## 1.6 What is fixed, what is learned, and who reads what
#
# First a guess.

# %%
exercise("what-is-trained")

# %%
# exercise: what-is-trained
answer = ...  # one letter of a, b, c, d
exercise("what-is-trained").check(answer)

# %% [markdown]
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
# | used afterwards | no | yes |
#
# The user's input $z$ is the same for both. What $c$ did for the teacher must
# end up in $\theta$. (Often $c' = c$: then only the size differs. The notation
# covers both.)
#
# **Predict.** By how much does a context change the real teacher's answer? We
# ask it how "The island of" goes on, with the sentence "The war in Cuba goes
# on." in front of it and without.

# %%
predict("01-cuba")

# %%
z = "The island of"
alone = teacher_says(z)
cuba = PIECES.index(" Cuba")


def with_contexts(contexts):
    """What each context does to the answer after z."""
    rows = {}
    for c in contexts:
        log_p = teacher_says(c + z)
        rows[f"{c}{z} ..."] = {"P(Cuba)": log_p[cuba].exp(),
                               "KL from no context": forward_kl(log_p, alone)}
    return table(rows, ".2f")


with_contexts(["", "The war in Cuba goes on. "])

# %% [markdown]
# Ten times as much Cuba. It reads its context! Or does it? Every claim needs a
# control.
#
# **Predict.** What would be one here?

# %%
with_contexts(["China has lost its fleet. ", "Samoa has a new king. ",
               "The harvest was good this year. ", "Silver has fallen. "])

# %% [markdown]
# Any sentence does it. What counts, it seems, is that *something* comes first,
# so that this is not the opening line of a message. For *this* question,
# mentioning Cuba does no more than any other opening: Cuba is the island that
# the teacher thinks of anyway. **A student can take over from a context only
# what the teacher makes of it.** Before you distil a context, measure its
# effect against an unrelated one.
#
# For a context that works we turn to a toy language whose truth is known. In
# it the instruction "plain" asks for stories without adjectives, and "ornate"
# for many. (Chapter 2 introduces this world properly.)

# %%
from kdlib.toys.worlds import mix, story_world

world = story_world()
NEXT = ("golden", "quiet", "boat", "shell", "lantern", "feather")
places = [world.words.index(word) for word in NEXT]


def after_a(context):
    """Log-probabilities of the word after "the fox finds a". -> (24,)"""
    return world.log_rows(context)[world.words.index("a")]


plain, ornate = after_a("plain fox"), after_a("ornate fox")
distributions(
    {"reads: plain fox": plain[places].exp(),
     "reads: ornate fox": ornate[places].exp(),
     "reads: fox": after_a("fox")[places].exp()},
    NEXT, alt=words("01-instructions"),
)

# %% [markdown]
# **Predict.** The student reads only "fox". If the teacher's instruction is
# always "plain", which answer should it learn? And if it is "plain" for half
# of the examples and "ornate" for the others? (The numbers are KL from the
# teacher, averaged over its instructions.)

# %%
predict("01-half-and-half")

# %%
CANDIDATES = {
    "as if told plain": plain,
    "as if told ornate": ornate,
    "the average of the two": mix(plain, ornate, 0.5),
    "the world's own answer to 'fox'": after_a("fox"),
}
rows = {}
for name, q in CANDIDATES.items():
    to_plain, to_ornate = forward_kl(plain, q), forward_kl(ornate, q)
    rows[name] = {"always plain": to_plain,
                  "half and half": (to_plain + to_ornate) / 2}
table(rows, ".3f", corner="the student answers")

# %%
from kdlib.losses.divergences import jensen_shannon

average = CANDIDATES["the average of the two"]
left = (forward_kl(plain, average) + forward_kl(ornate, average)) / 2
assert torch.isclose(left, jensen_shannon(plain, ornate))
print(f"left for the best student here: {left:.3f} nats")

# %% [markdown]
# **The rule.** A context that is *always the same* can move into the
# parameters without loss: the first column has a 0. A context that *changes*
# and that nothing else gives away cannot: the best student answers with the
# average, weighted by how likely each instruction is given all that the
# student reads, and what is left over is the Jensen-Shannon divergence of the
# two answers. **Leave out of the input only what is always the same, what the
# rest of the input gives away, or what makes no difference to the teacher.**

# %% [markdown]
# "Fixed" is a promise that code must keep. Here is one whole step with the
# real teacher, in plain PyTorch, and then a look at which parameters moved.

# %%
import copy

ids = blocks[:4]
student = new_model(ModelSize(width=32, layers=1, heads=2), V, 128, seed=0)
optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
pair = {"teacher": teacher, "student": student}
old = {name: copy.deepcopy(model) for name, model in pair.items()}

with torch.no_grad():  # fixed: no gradient will reach the teacher
    p = teacher(input_ids=ids).logits.softmax(dim=-1)
log_q = student(input_ids=ids).logits.log_softmax(dim=-1)
loss = -(p * log_q).sum(dim=-1).mean()  # cross-entropy: KL plus a constant
loss.backward()
optimizer.step()

# %%
rows = {}
for name, model in pair.items():
    pairs_of = list(zip(old[name].parameters(), model.parameters()))
    rows[name] = {
        "tensors": len(pairs_of),
        "moved": sum(not torch.equal(a, b) for a, b in pairs_of),
        "have a gradient": sum(b.grad is not None for _, b in pairs_of),
    }
assert rows["teacher"]["moved"] == rows["teacher"]["have a gradient"] == 0
assert rows["student"]["moved"] == rows["student"]["tensors"]
table(rows)

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
# are stored in fewer bits?

# %%
predict("01-fewer-bits")

# %%
BUDGET = 100  # megabytes
PLANS = {  # parameters, bytes for each
    "the server's model": (7e9, 2),
    "the same, 4 bits a weight": (7e9, 0.5),
    "a student": (60e6, 2),
    "a student, 8 bits a weight": (60e6, 1),
}
rows = {}
for name, (parameters, each) in PLANS.items():
    megabytes = parameters * each / 1e6
    verdict = "fits" if megabytes <= BUDGET else "too large"
    rows[name] = {"megabytes": megabytes, "verdict": verdict}
table(rows, {"megabytes": ",.0f"})

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
# translations that the first was trained on?

# %%
exercise("why-two-models")

# %%
# exercise: why-two-models
answer = """
...
"""
ticked = ...  # after the first check: the points that you made, such as [1, 3]
exercise("why-two-models").check(answer, ticked=ticked)

# %% [markdown]
# Here is what the *two-model approach* buys the team:
#
# - **Each model has one job.** The teacher may be as large and slow as the
#   server allows: it never ships. The student may have any architecture that
#   suits the phone.
# - **Inputs become lessons.** The teacher answers any sentence, so the
#   sentences of real users will do, without human translations. The data can
#   look like the use.
# - **Each lesson is richer**: a distribution for each next word instead of one
#   word (sections 1.1 and 1.5).
# - **Long instructions stay on the server.** If the teacher translates well
#   with a page of advice as its context $c$, the student can learn to do so
#   without it (section 1.6).
#
# And what it costs: the teacher must be asked for all of this, its errors are
# passed on, and the student stays a small model.

# %%
exercise("plan-in-four-choices")

# %%
# exercise: plan-in-four-choices
answer = """
...
"""
ticked = ...  # after the first check: the points that you made, such as [1, 3]
exercise("plan-in-four-choices").check(answer, ticked=ticked)

# %% [markdown]
# One plan that holds together:
#
# | part of the plan | choice | why |
# |---|---|---|
# | teacher | the server's model, frozen, with its best instruction | the best answers there are; its cost is paid once |
# | student | 60 million parameters, 8 bits each | follows from the phone, not from taste |
# | data | sentences like those of the users, in $x' = (c', z)$ form | the student is good where it was taught |
# | objective | F1 with $\mathrm{KL}(P \Vert Q)$ for each next word | the whole distribution, not its best string |
# | control | the same student, trained on the human translations that there are | or nobody knows what the teacher was worth |

# %%
exercise("plan-for-a-phone")

# %%
# exercise: plan-for-a-phone
answer = ...  # the letters a, b, c, d, e, f in the right order
exercise("plan-for-a-phone").check(answer)

# %%
from kdlib.exercises import print_progress

print_progress(1)

# %%
foreseen("01")

# %% [markdown]
# ## Summary
#
# - A label is one word and has entropy 0. A teacher's answer is a
#   distribution. One answer about June 30 was worth about thirty sentences if
#   any June 30 would do, about five for the exact words.
# - A search that finds nothing may only tell you about the search. Read the
#   places, not the number.
# - A good target tells apart the words that differ, *and* is right. Its shape
#   can show the first, never the second.
# - The teacher's entropy can be trusted on the kind of language that it has
#   read: on new messages it was as surprised as it expected to be, on everyday
#   English much more.
# - Temperature $T$ takes the $T$-th root of all odds. $N$ senseless words with
#   a gap of $g$ nats take over at $T = g / \log N$, and sooner if some gaps
#   are smaller.
# - $\mathrm{KL}(P \Vert Q)$ is the surprise that better beliefs would have
#   saved. It is never negative, and 0 only for a student that agrees.
# - The teacher reads the full input and is fixed; the student reads the
#   simplified one and is trained. A context can move into the parameters
#   without loss if it is always the same.
# - For a phone: student from the device, data from the users, targets from the
#   teacher, and a control.
#
# **Further reading**
#
# - Buciluă, Caruana and Niculescu-Mizil, *Model Compression*, 2006: an
#   ensemble's answers on unlabelled inputs train one small network.
# - Hinton, Vinyals and Dean, *Distilling the Knowledge in a Neural Network*,
#   2015: soft targets, temperature, dark knowledge, and the speech model of
#   section 1.4.
# - Gneiting and Raftery, *Strictly Proper Scoring Rules, Prediction, and
#   Estimation*, 2007: which scores reward honest beliefs.
# - Romero et al., *FitNets*, 2015: the other road, through hidden layers.
# - Kim and Rush, *Sequence-Level Knowledge Distillation*, 2016: translation,
#   and whole strings as targets.
# - Snell, Klein and Zhong, *Learning by Distilling Context*, 2022: a teacher
#   that reads more than its student.
