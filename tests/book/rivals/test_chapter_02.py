"""The rivals of chapter 2: other seeds, starts, instructions, steps, stories and students."""

import functools
import math
import random

import pytest
import torch
from rivals.headlines import headline
from torch.nn import functional as F

from kdlib.losses.divergences import forward_kl, jensen_shannon
from kdlib.sequences.exact import enumerate_sequences
from kdlib.toys.students import LowRankStudent, TabularStudent
from kdlib.toys.worlds import World, story_world

TEACHER = story_world()
HEROES = ("fox", "owl", "child", "sailor")
SEEDS = range(10, 20)  # the chapter has 0 to 9
STYLES = ("plain", "ornate", "sea", "forest", "plain sea", "ornate forest")


class Students(torch.nn.Module):
    """Students of seeds that the chapter does not use, side by side."""

    def __init__(self, rank=8, size=1.0):
        super().__init__()
        ones = [LowRankStudent(TEACHER, rank, seed) for seed in SEEDS]
        for name in ("state", "context", "output"):
            stacked = torch.stack([getattr(one, name).detach() for one in ones])
            setattr(self, name, torch.nn.Parameter(size * stacked))

    def log_rows(self, x):
        read = self.context[:, TEACHER.context_ids(x)].sum(1, keepdim=True)
        return ((self.state + read) @ self.output).log_softmax(dim=-1)


@functools.cache
def says(world, x):
    return world.log_rows(x), world.visits(x)


def losses(student, pairs, world=TEACHER, divergence=forward_kl):
    """The loss of each pair, (pairs, ...)."""
    each = []
    for x, x_prime in pairs:
        log_p, visits = says(world, x)
        each.append((visits * divergence(log_p, student.log_rows(x_prime))).sum(-1))
    return torch.stack(each)


def train(student, pairs, steps=100, rate=0.1, decay=0.0, weights=1, **options):
    optimizer = torch.optim.AdamW(student.parameters(), rate, weight_decay=decay)
    for _ in range(steps):
        optimizer.zero_grad()
        (losses(student, pairs, **options) * weights).sum().backward()
        optimizer.step()
    return student


@torch.no_grad()
def per_story(student, pairs, **options):
    return losses(student, pairs, **options).mean(0)


def paired(instruction):
    """D and D' of an instruction."""
    return [f"{instruction} {hero}" for hero in HEROES], list(HEROES)


def copy_of(world):
    student = TabularStudent(world)
    with torch.no_grad():
        student.base.copy_(world.log_rows(""))
        for shift, word in zip(student.shift, world.context_words):
            shift.copy_((world.log_rows(word) - student.base).nan_to_num(0))
    return student


# ---------------------------------------------------------------- F1, labels, first choices


@headline(
    2,
    "F1 asks for the teacher's distribution on D'. Labels and the teacher's parameters do not "
    "occur in it; many labels drawn by the teacher lead to the same place.",
)
def test_2_2_many_labels_of_the_teacher_rank_as_f1_does():
    """Rival: labels as such are another goal, so that more of them change nothing."""
    dice = torch.Generator().manual_seed(7)
    agree = {1: 0, 10_000: 0}
    for _ in range(30):
        drawn = 1.5 * torch.randn(5, 2, 4, generator=dice, dtype=torch.float64)
        p, students = drawn[0].log_softmax(-1), drawn[1:].log_softmax(-1)
        best = forward_kl(p, students).sum(-1).argmin()
        for number in agree:
            labels = torch.multinomial(p.exp(), number, replacement=True, generator=dice)
            on_labels = -students.gather(2, labels.expand(4, 2, number)).mean(2).sum(1)
            agree[number] += int(on_labels.argmin() == best)
    assert agree[10_000] >= 28 > 24 > agree[1]


@headline(2, "being right about the top is not being close.")
@pytest.mark.parametrize("size", [3, 10, 50])
def test_2_3_first_choices_are_a_hint_and_no_more(size):
    """Rival: A and B were picked; among random students first choices tell who is closer."""
    dice = torch.Generator().manual_seed(1)
    drawn = torch.randn(3, 4000, 2, size, generator=dice, dtype=torch.float64)
    p, q, r = (1.5 * drawn).log_softmax(-1)
    tops = [(x.argmax(-1) == p.argmax(-1)).sum(-1) for x in (q, r)]
    closer = forward_kl(p, q).sum(-1) < forward_kl(p, r).sum(-1)
    share = closer[tops[0] > tops[1]].double().mean()
    assert 0.6 < share < 0.85


# ---------------------------------------------------------------- who reads what


@headline(
    2,
    "The teacher reads $x$, the student reads $x'$. All five pairings train to zero; one is "
    "right in use. A copy of the teacher trained on D learns nothing.",
)
@pytest.mark.parametrize("instruction", ["plain sea", "ornate forest"])
def test_2_4_one_pairing_of_five_is_of_use(instruction):
    """Rival: other seeds, another instruction; the mistakes might be as good as F1 there."""
    full, simple = paired(instruction)
    use = list(zip(full, simple))
    right = per_story(train(Students(), use, 150), use)
    assert right.max() < 0.02
    for teacher, student in (
        (full, full), (simple, simple), (simple, full), (full[1:] + full[:1], simple),
    ):  # fmt: skip
        pairs = list(zip(teacher, student))
        students = train(Students(), pairs, 150)
        assert per_story(students, pairs).max() < 0.02
        assert per_story(students, use).min() > 3 * right.max()


@headline(2, "A perfect score, and nothing learned.")
@pytest.mark.parametrize("optimizer", ["Adam", "SGD"])
def test_2_1_a_copy_learns_nothing_from_d(optimizer):
    """Rival: another optimiser, ten times the rate; the copy might find the way by noise."""
    full, simple = paired("ornate forest")
    student = copy_of(TEACHER)
    rate = {"Adam": 0.1, "SGD": 0.5}[optimizer]
    steps = getattr(torch.optim, optimizer)(student.parameters(), rate)
    for _ in range(60):
        steps.zero_grad()
        losses(student, list(zip(full, full))).sum().backward()
        steps.step()
    use = list(zip(full, simple))
    nothing = per_story(TEACHER, use)
    assert per_story(student, use) == pytest.approx(nothing.item(), rel=0.01)


@headline(2, "Where F1 is silent, something else decides: the seed, the start, the instruction.")
def test_2_4_the_start_decides_what_the_mistake_costs():
    """Rival: the mistake has a price of its own, the same wherever training starts."""
    full, simple = paired("ornate forest")
    use, mistake = list(zip(full, simple)), list(zip(full, full))
    nothing = per_story(TEACHER, use)
    small, large = (per_story(train(Students(size=s), mistake), use) for s in (0.1, 2.0))
    assert small.median() < nothing < large.median()
    assert large.median() > 2 * small.median()
    f1 = per_story(train(Students(), use), use)
    assert 5 * f1.max() < small.min()


@headline(
    2,
    "It binds the student on the inputs of the sum and nowhere else. What happens elsewhere is "
    "left to shared parameters, the start and the seed. Seeds that differ in use are an alarm; "
    "seeds that agree are no all-clear.",
)
def test_2_4_agreement_of_seeds_proves_nothing():
    """Rival: seeds that agree in use have learned the right thing; a fixed start leaves no doubt."""
    full, simple = paired("ornate forest")
    use = list(zip(full, simple))
    differ = per_story(train(Students(), list(zip(full, full))), use)
    agree = per_story(train(Students(), list(zip(simple, simple)), 150), use)
    assert differ.max() > 2 * differ.min()
    assert agree.max() - agree.min() < 0.02 and agree.min() > 0.5
    fixed = per_story(train(TabularStudent(TEACHER), list(zip(full, full)), 300), use)
    assert fixed > 0.3  # no seed at all, and wrong


@headline(
    2, "the student is what F1 asks for on the inputs in the sum, and is promised nowhere else."
)
def test_2_4_the_copy_follows_twice():
    """Rival: that x is followed twice over may be the work of one optimiser."""
    full, simple = paired("ornate forest")
    student = copy_of(TEACHER)
    descent = torch.optim.SGD(student.parameters(), 0.5)
    for _ in range(100):
        descent.zero_grad()
        losses(student, list(zip(full, simple))).sum().backward()
        descent.step()
    twice = [(f"{x} ornate forest", x) for x in full]
    once = per_story(student, list(zip(full, full)))
    assert per_story(student, twice) < 0.02 < 0.3 < once


# ---------------------------------------------------------------- what the sum holds

SIMPLE = [(word, word) for word in TEACHER.context_words]
COMPLEX = [
    (text, text)
    for text in (
        f"{style} {place} {hero}"
        for style in ("plain", "ornate") for place in ("sea", "forest") for hero in HEROES
    )
]  # fmt: skip


@headline(2, "What the sum does not hold costs nothing, so nothing asks for it to be right.")
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ({"rank": 12}, {}),
        ({"size": 0.2}, {}),
        ({}, {"decay": 0.1}),
        ({}, {"divergence": jensen_shannon}),
    ],
    ids=["larger", "smaller start", "weight decay", "another loss"],
)
def test_2_5_no_other_part_repairs_what_the_sum_leaves_out(kind, options):
    """Rival: capacity, the start, the search or the loss may be the cause after all."""
    students = train(Students(**kind), SIMPLE, **options)
    assert per_story(students, SIMPLE).median() < 0.1
    assert per_story(students, COMPLEX).min() > 0.15
    assert per_story(students, COMPLEX).median() > 0.3


@headline(
    2,
    "What D' leaves open matters, not how complex its inputs look. Adding the inputs of use is "
    "the safe way to close it.",
)
def test_2_5_the_empty_input_closes_what_adds_up_and_no_more():
    """Rival: any extra input would do; and the empty one would do for any teacher."""
    empty = [("", "")]
    with_empty = per_story(train(Students(), SIMPLE + empty, 150), COMPLEX)
    repeated = per_story(train(Students(), SIMPLE + SIMPLE[:1], 150), COMPLEX)
    assert with_empty.median() < 0.1 and with_empty.max() < repeated.min()
    assert 10 * with_empty.median() < repeated.median()
    erring = {"world": TEACHER.with_bias(0.3)}
    clever = per_story(train(Students(), SIMPLE + empty, **erring), COMPLEX, **erring)
    safe = per_story(train(Students(), SIMPLE + COMPLEX, **erring), COMPLEX, **erring)
    assert (safe < clever).all()


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
