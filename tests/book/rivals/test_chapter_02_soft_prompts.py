"""The rivals of section 2.11: ten other models, three instructions, other starts of the vectors."""

import functools
import itertools
import random
from statistics import median

import torch
from rivals.headlines import headline
from rivals.stories import HEROES, TEACHER

from kdlib.losses.divergences import forward_kl
from kdlib.sequences.exact import position_log_probs, sample_sequences
from kdlib.sequences.sums import sequence_sum
from kdlib.toys.students import TinyTransformer

WORDS = ("plain", "ornate", "sea", "forest")
LONG = (
    "forest sea ornate forest sea forest plain forest",
    "ornate ornate sea plain ornate sea ornate forest",
    "sea plain sea plain sea sea plain forest",
)
DEPTH, SEEDS = 16, range(10)


def told_by(author, contexts, number, seed):
    dice, told = torch.Generator().manual_seed(seed), {}
    with torch.no_grad():
        for x in contexts:
            stories = sample_sequences(author, DEPTH, number, dice, x)
            told[x] = stories, position_log_probs(author, stories.tokens, x)
    return told


def kl_to(told, model, context):
    stories, log_p = told
    log_q = position_log_probs(model, stories.tokens, context)
    return sequence_sum(forward_kl(log_p, log_q), stories.mask).mean()


def descend(parameters, losses, rate):
    optimizer = torch.optim.Adam(parameters, rate)
    for i, loss in enumerate(losses):
        optimizer.param_groups[0]["lr"] = rate * (1 - i / len(losses))
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()


@functools.cache
def reader(seed, layers=1):
    """A frozen model that follows instructions."""
    dice = random.Random(seed)
    contexts = [
        " ".join([*dice.choices(WORDS, k=dice.randint(0, 8)), dice.choice(HEROES)])
        for _ in range(120)
    ]
    book = told_by(TEACHER, dict.fromkeys(contexts), 12, seed)
    model = TinyTransformer(TEACHER, 32, layers, max_words=DEPTH + 1, seed=seed)
    pages = dice.choices(list(book), k=300)
    losses = [lambda x=x: kl_to(book[x], model, x) for x in pages]
    descend(model.parameters(), losses, 6e-3)
    return model.requires_grad_(False)


class Compression:
    """An instruction, a model that follows it, and what stands in for it."""

    def __init__(self, seed, layers=1):
        self.model, self.instruction = reader(seed, layers), LONG[seed % len(LONG)]
        self.full = {hero: f"{self.instruction} {hero}" for hero in HEROES}
        self.exam = told_by(self.model, self.full.values(), 30, 99)
        seen = [self.full[hero] for hero in HEROES[:3]]
        self.lessons = told_by(self.model, seen, 8, 98)

    @torch.no_grad()
    def far(self, before):
        """For each hero, the KL from the model with its instruction."""
        return [kl_to(self.exam[x], self.model, before(h)).item() for h, x in self.full.items()]

    def words(self, said):
        return sum(self.far(lambda hero: f"{said} {hero}")) / 4

    def best_words(self, number):
        tried = itertools.combinations_with_replacement(WORDS, number)
        return min(self.words(" ".join(said)) for said in tried)

    def behind(self, soft, hero):
        number = TEACHER.context_words.index(hero)
        return torch.cat([soft, self.model.context.weight[number : number + 1]])

    def vectors(self, soft):
        return sum(self.far(lambda hero: self.behind(soft, hero))) / 4

    @functools.cached_property
    def softs(self):
        """Three starts each of one and of two vectors."""
        return {k: [self._compressed(k, seed) for seed in range(3)] for k in (1, 2)}

    def _compressed(self, k, seed):
        dice = torch.Generator().manual_seed(100 + seed)
        soft = 0.1 * torch.randn(k, 32, generator=dice, dtype=torch.float64)
        soft.requires_grad_()
        losses = [
            lambda x=x: kl_to(self.lessons[x], self.model, self.behind(soft, x.split()[-1]))
            for x in [*self.lessons] * 20
        ]
        descend([soft], losses, 0.1)
        return soft.detach()


compression = functools.cache(Compression)


@headline(
    2,
    "A vector says more than a word, and a few words more catch up: a soft prompt saves "
    "positions, it does not say what words cannot.",
)
@headline(2, "A vector says more than a word, and a few words more catch up.")
def test_2_11_vectors_against_as_many_words_and_against_more():
    """Rival: the vector's lead is over baselines that stop too early; three words would do."""
    ahead = {(k, number): 0 for k in (1, 2) for number in (1, 2, 3)}
    for seed in SEEDS:
        one = compression(seed)
        by_words = {number: one.best_words(number) for number in (1, 2, 3)}
        for k, softs in one.softs.items():
            typical = median(map(one.vectors, softs))
            for number, far in by_words.items():
                ahead[k, number] += typical < far
        assert abs(one.words(one.instruction)) < 1e-9 < by_words[3]
    assert ahead[1, 1] == ahead[2, 1] == ahead[2, 2] == 10
    assert 10 > ahead[1, 2] > 5 > ahead[1, 3]  # mostly ahead of two, mostly behind three
    assert ahead[2, 3] > ahead[1, 3]


@headline(
    2,
    "A context can be distilled into a few vectors of a frozen model: the teacher reads the full "
    "context, the student the vectors.",
)
def test_2_11_the_hero_that_was_not_trained_profits():
    """Rival: the vectors hold the answers for the heroes of the lessons, not the instruction."""
    for seed in SEEDS:
        one = compression(seed)
        nothing = one.far(lambda hero: hero)[-1]
        sailor = [one.far(functools.partial(one.behind, soft))[-1] for soft in one.softs[2]]
        assert median(sailor) < 0.6 * nothing


@headline(
    2,
    "This model sums its context: an instruction is to it no more than how often each word occurs.",
)
def test_2_11_order_is_nothing_with_one_layer():
    """Rival: C happens to be indifferent to its order; or every transformer is."""
    moved = {1: [], 2: []}
    for layers, seeds in ((1, SEEDS), (2, range(2))):
        for seed in seeds:
            one = compression(seed, layers)
            for again in range(3):
                said = one.instruction.split()
                random.Random(again).shuffle(said)
                moved[layers].append(abs(one.words(" ".join(said))))
    assert max(moved[1]) < 1e-9
    assert median(moved[2]) > 1e-4  # with two layers the order counts


@headline(2, "It speaks to the one model with which it was trained.")
@headline(2, "It is no word, and speaks to the one model with which it was trained.")
def test_2_11_neither_rounded_nor_handed_on():
    """Rival: the vectors lie near words that say as much, or mean the same to a model's twin."""
    worse = []
    for seed in SEEDS:
        one = compression(seed)
        table = one.model.context.weight
        apart = torch.cdist(table, table)
        near = [torch.cdist(soft, table) for soft in one.softs[2]]
        assert min(map(torch.min, near)) > 0.4 * apart[apart > 0].min()
        rounded = median(one.vectors(table[each.argmin(dim=1)]) for each in near)
        assert rounded > 1.5 * median(map(one.vectors, one.softs[2]))
        for twin in SEEDS:
            if twin != seed and twin % len(LONG) == seed % len(LONG):
                other = compression(twin)
                handed = median(map(other.vectors, one.softs[2]))
                worse.append(handed > other.best_words(1))
    assert sum(worse) > 0.7 * len(worse)
