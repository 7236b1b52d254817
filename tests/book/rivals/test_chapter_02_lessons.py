"""The rivals of sections 2.6 to 2.10: other numbers of inputs, of stories, lengths and favourites."""

import math
import random

import pytest
import torch
from rivals.headlines import headline
from rivals.stories import HEROES, SEEDS, STYLES, TEACHER, Students, losses, per_story, says, train
from torch.nn import functional as F

from kdlib.sequences.exact import enumerate_sequences
from kdlib.toys.worlds import World

# ---------------------------------------------------------------- more inputs, more outputs

INPUTS = [place + hero for place in ("", "sea ", "forest ") for hero in HEROES]
TWELVE = [(f"plain {z}", z) for z in INPUTS]


def stories_of(x, number):
    dice = [random.Random(f"{x}, {seed}").randrange(10**9) for seed in SEEDS]
    draws = [TEACHER.sample(number, x, seed=seed) for seed in dice]
    return torch.stack([TEACHER.transition_counts(draw) for draw in draws]) / number


def imitate(students, lessons, steps=100, every=None):
    """Students after lessons, and their states on the way if ``every`` looks at them."""
    optimizer = torch.optim.Adam(students.parameters(), 0.1)
    for step in range(steps):
        optimizer.zero_grad()
        (-sum((taken * students.log_rows(x)).sum() for x, taken in lessons.items())).backward()
        optimizer.step()
        if every and (step + 1) % 10 == 0:
            every(students)
    return students


@headline(
    2,
    "A final loss belongs to its D'. For a small student, more inputs of use raise it and "
    "improve the match in use. "
    "To one input the others are a cost where capacity is scarce, and a help where the teacher's "
    "outputs are.",
)
def test_2_6_the_final_loss_rises_also_after_a_longer_search():
    """Rival: twelve inputs were not trained long enough; their loss would fall to that of one."""
    at_end = {}
    for size in (1, 12):
        weights = torch.zeros(12, len(SEEDS), dtype=torch.float64)
        for column, seed in enumerate(SEEDS):
            weights[random.Random(seed).sample(range(12), size), column] = 1
        students = train(Students(rank=3), TWELVE, 250, weights=weights)
        with torch.no_grad():
            each = losses(students, TWELVE)
        at_end[size] = (each * weights).sum(0) / size, each.mean(0)
    assert at_end[12][0].min() > 3 * at_end[1][0].max()
    assert at_end[12][1].max() < 0.3 < 1 < at_end[1][1].min()


@headline(
    2,
    "If capacity is scarce they cost; if the teacher's outputs are scarce they help, and less "
    "than as many outputs for the input itself.",
)
@pytest.mark.parametrize("rank", [3, 8])
def test_2_6_others_help_where_stories_are_few(rank):
    """Rival: stopped at its best step, the student of one input alone needs no others."""
    sea = [("plain sea owl", "sea owl")]

    def best(lessons):
        seen = []
        imitate(Students(rank), lessons, every=lambda s: seen.append(per_story(s, sea)))
        return torch.stack(seen).min(0).values

    alone = best({"sea owl": stories_of(sea[0][0], 5)})
    others = best({z: stories_of(x, 5) for x, z in TWELVE})
    as_many = best({"sea owl": stories_of(sea[0][0], 60)})
    assert (others < alone).all()
    assert as_many.median() < others.median()


def test_2_6_a_student_with_a_memory_could_win_some_of_it_back():
    """The hedge of the torn input is the best of students with one word of memory only."""
    stories = enumerate_sequences(TEACHER, 9, "ornate fox", possible_only=True)
    logs = []
    for x in ("plain fox", "ornate fox"):
        at = TEACHER.position_log_probs(stories.tokens, x)
        taken = at.gather(2, stories.tokens[..., None])[..., 0]
        logs.append(torch.where(stories.mask, taken, 0).sum(1))
    p, q = (log.exp() for log in logs)
    middle = ((p + q) / 2).log()
    remembering = ((p * (logs[0] - middle)).sum() + (q * (logs[1] - middle)).sum()).item() / 2
    taken = sum(v[:, None] * r.exp() for r, v in (says(TEACHER, f"{s} fox") for s in STYLES[:2]))
    average = (taken / taken.sum(1, keepdim=True).clamp(min=1e-12)).log()
    hedge = World(TEACHER.words, lambda _: average, TEACHER.context_words)
    torn = [("plain fox", "fox"), ("ornate fox", "fox")]
    assert 0.2 < remembering < 0.9 * per_story(hedge, torn)


# ---------------------------------------------------------------- what to keep

IN_FOREST = [(f"forest {hero}", hero) for hero in HEROES]


def kept(what, x, number):
    drawn, p = stories_of(x, number), TEACHER.log_rows(x).exp()
    if what == "drawn":
        return drawn
    if what == "top":
        p = F.one_hot(p.argmax(-1), p.shape[-1])
    return drawn.sum(-1, keepdim=True) * p


@headline(
    2,
    "Hard targets lose little if they are drawn, and drawn often; the top loses the distribution "
    "however many there are.",
)
def test_2_7_drawn_words_need_numbers_and_the_top_is_past_help():
    """Rival: early stopping saves the top; and one drawn story is already better than a top."""

    def best(what, number):
        seen, lessons = [], {z: kept(what, x, number) for x, z in IN_FOREST}
        imitate(Students(), lessons, every=lambda s: seen.append(per_story(s, IN_FOREST)))
        return torch.stack(seen).min(0).values, seen[-1]

    (top_best, top_end), (one_best, one_end) = best("top", 100), best("drawn", 1)
    many_best, many_end = best("drawn", 200)
    assert top_best.min() > 20 * many_end.max()
    assert one_end.median() > 0.7 * top_end.median() and one_best.min() > 20 * many_best.max()


@headline(
    2,
    "The top keeps the winner and throws away the distribution, however many texts there are. "
    "Drawn words find it again, if there are many.",
)
def test_2_7_the_distance_of_drawn_words_falls_with_their_number():
    """Rival: drawn targets level off at a distance that more stories do not lower."""
    few, many = (
        per_story(imitate(Students(), {z: kept("drawn", x, n) for x, z in IN_FOREST}), IN_FOREST)
        for n in (40, 400)
    )
    top = per_story(imitate(Students(), {z: kept("top", x, 400) for x, z in IN_FOREST}), IN_FOREST)
    assert 5 < few.median() / many.median() < 60  # about one over the number
    assert top.min() > 10 * few.max()


# ---------------------------------------------------------------- sums, means, parts


@headline(2, "The sum always charges for length; the mean may charge for it or pay for it.")
def test_2_9_the_mean_has_no_fixed_bias():
    """Rival: one context was picked; elsewhere sums might not charge, or means never pay."""
    found = {}
    for context in ("owl", "sailor", "sea child", "plain owl", "ornate sea fox"):
        stories = enumerate_sequences(TEACHER, 10, context, possible_only=True)
        p = stories.log_probs.exp() * (stories.tokens == TEACHER.eos_id).any(1)
        lengths, sums = stories.lengths.double(), -stories.log_probs
        found[context] = [correlation(lengths, s, p / p.sum()) for s in (sums, sums / lengths)]
    assert min(by_sum for by_sum, _ in found.values()) > 0.2
    assert min(m for _, m in found.values()) < -0.1 < 0.3 < max(m for _, m in found.values())


def correlation(a, b, p):
    a, b = a - (p * a).sum(), b - (p * b).sum()
    return ((p * a * b).sum() / ((p * a * a).sum() * (p * b * b).sum()).sqrt()).item()


@headline(
    2,
    "A sum is about a sequence, a mean about a token. Keep sums and counts, divide once. Over "
    "different lengths the smaller sum is the likelier text, not the better.",
)
def test_2_10_only_sums_and_counts_survive_another_cut():
    """Rival: means of means come out right if the batches are many."""
    dice = random.Random(3)
    lengths = [dice.randint(1, 30) for _ in range(400)]
    sentences = [torch.full((n,), 2.0 / math.sqrt(n)) for n in lengths]  # long ones are easier
    truth = torch.cat(sentences).mean().item()
    for size in (1, 8):
        batches = [torch.cat(sentences[i : i + size]) for i in range(0, 400, size)]
        total = sum(batch.sum().item() for batch in batches) / sum(map(len, batches))
        of_means = sum(batch.mean().item() for batch in batches) / len(batches)
        assert total == pytest.approx(truth, rel=1e-4)
        assert abs(of_means - truth) > 0.003


@headline(
    2,
    "The factor $T^2$ keeps the gradient's size only among high temperatures; on the way there, a "
    "favourite among many words, not yet learned, loses nearly all of it.",
)
@pytest.mark.parametrize("favourite", [0.4, 0.6, 0.9])
def test_2_10_the_factor_fails_for_a_favourite_among_many(favourite):
    """Rival: the chapter's 0.6 was chosen; and the number of words alone may be to blame."""
    lost = {}
    for size in (3, 1000):
        p = torch.full((size,), (1 - favourite) / (size - 1), dtype=torch.float64)
        p[0] = favourite
        lost[size] = _kept_by_the_factor(p.log())
    assert 0.5 < lost[3] < 2 and lost[1000] < 0.1
    dice = torch.Generator().manual_seed(5)
    even = torch.randn(1000, generator=dice, dtype=torch.float64)  # many words, no favourite
    assert 0.5 < _kept_by_the_factor(even) < 1


def _kept_by_the_factor(logits):
    """The gradient at T = 8 with the factor, against that at T = 1; the student is even."""
    even = 1 / len(logits)
    sizes = [(T * (even - (logits / T).softmax(-1))).norm().item() for T in (1, 8)]
    return sizes[1] / sizes[0]
