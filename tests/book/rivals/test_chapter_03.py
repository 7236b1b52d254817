"""The rivals of chapter 3's headlines: other losses, worlds, constants and purchases."""

import math

import pytest
import torch
from rivals.headlines import headline

from kdlib.losses.divergences import cross_entropy, forward_kl
from kdlib.sequences import exact, losses, search
from kdlib.toys.worlds import World, random_world, story_world

INPUTS = ("fox", "owl", "child", "sailor")
STORY = story_world()


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def some_log_probs(*shape, seed, scale=1.5):
    draws = torch.randn(*shape, generator=seeded(seed), dtype=torch.float64)
    return (scale * draws).log_softmax(dim=-1)


# ---------------------------------------------------------------- what the sum is for


@headline(
    3,
    "The sum over all y makes the teacher its own best student: F2 is the average of a proper "
    "scoring rule.",
)
def test_3_2_no_other_student_has_a_lower_f2():
    """Rival: a sharper, a flatter or just any other student, for teachers of any shape."""
    for seed in range(20):
        p = some_log_probs(6, seed=seed)
        others = [(p * t).log_softmax(-1) for t in (0.5, 0.9, 1.1, 2)]
        others += list(some_log_probs(100, 6, seed=1000 + seed))
        assert all(cross_entropy(p, q) > cross_entropy(p, p) for q in others)


@headline(3, "Keep only the best y, and the best student is the surest.")
@headline(
    3,
    "**A student that is perfect under F4 can be worse, by F2, than one that knows nothing.**",
)
def test_3_2_what_training_on_each_loss_ends_with():
    """Rival: some part of the rest survives under F4, or a start near the teacher keeps it there."""
    for seed in range(3):
        p = some_log_probs(6, seed=seed)
        best = p.argmax()
        for start in (p, some_log_probs(6, seed=2000 + seed)):
            by_f4 = _trained(lambda q, best=best: -q[best], start)
            by_f2 = _trained(lambda q, p=p: cross_entropy(p, q), start)
            assert by_f4[best].exp() > 0.99
            assert torch.allclose(by_f2.exp(), p.exp(), atol=0.01)
            guess = torch.full((6,), 1 / 6, dtype=torch.float64).log()
            assert cross_entropy(p, by_f4) > cross_entropy(p, guess)


def _trained(loss, start, steps=400):
    logits = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([logits], lr=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        loss(logits.log_softmax(-1)).backward()
        optimizer.step()
    return logits.detach().log_softmax(-1)


@headline(3, "F2 and F4 are losses with their minus sign, whatever is printed.")
def test_3_1_without_the_minus_a_step_leads_away_from_any_teacher():
    """Rival: the sign might not matter, or only at the chapter's three outputs."""
    for seed in range(20):
        p, start = some_log_probs(6, seed=seed), some_log_probs(6, seed=3000 + seed)
        for loss in (cross_entropy, lambda p, q: -q[p.argmax()]):
            after = {}
            for sign in (1, -1):
                logits = start.clone().requires_grad_()
                (sign * loss(p, logits.log_softmax(-1))).backward()
                after[sign] = loss(p, (logits - 0.1 * logits.grad).log_softmax(-1)).item()
            assert after[1] < loss(p, start) < after[-1]


@headline(
    3, "**Of two students that differ by a swap, the one that keeps the teacher's order wins.**"
)
def test_3_1_every_swap():
    """Rival: it might hold for this swap, these numbers and three outputs only."""
    for seed in range(100):
        p, q = some_log_probs(5, seed=seed), some_log_probs(5, seed=4000 + seed)
        i, j = 0, 1 + seed % 4
        swapped = q.clone()
        swapped[[i, j]] = q[[j, i]]
        in_order = (p[i] - p[j]) * (q[i] - q[j]) > 0
        assert (cross_entropy(p, q) < cross_entropy(p, swapped)) == in_order


# ---------------------------------------------------------------- what it costs, and what an error knows


@headline(3, "The exact sum is out of reach for any real vocabulary.")
def test_3_5_neither_a_small_vocabulary_nor_short_outputs_save_it():
    """Rival: characters, bytes or a 4,096-token tokenizer, and answers of a line or two."""
    since_the_big_bang = 1e18 * 1.4e10 * 365.25 * 86_400
    for size, tokens_of_20_words in ((27, 100), (256, 110), (4096, 32), (50_000, 26)):
        assert exact.count_sequences(size, tokens_of_20_words) > since_the_big_bang
    # Three tokens would fit: it is length that makes the wall.
    assert exact.count_sequences(4096, 3, has_eos=False) < 1e11


@headline(
    3,
    "Sampling is not: its error depends on how much the losses differ, not on how many outputs "
    "there are.",
)
@headline(3, "**The error does not know how many outputs there are.**")
def test_3_7_synonyms_multiply_the_outputs_and_leave_the_error():
    """Rival: more outputs need more samples. Each word becomes k synonyms, equally likely."""
    world, student = random_world(seed=1), random_world(seed=2)
    variance, outputs = {}, {}
    for k in (1, 2, 3):
        many = [_with_synonyms(each, k) for each in (world, student)]
        y = exact.enumerate_sequences(many[0], 5, possible_only=True)
        # A synonym costs log k nats for each word but ".": that is known, and no surprise.
        spelling = math.log(k) * ((y.tokens != many[0].eos_id) & y.mask).sum(dim=1).double()
        surprise = -exact.sequence_log_probs(many[1], y.tokens) - spelling
        p = y.log_probs.exp()
        variance[k] = (p * (surprise - p @ surprise) ** 2).sum().item()
        outputs[k] = exact.count_sequences(many[0].vocab_size, 5)
    assert outputs[3] > 50 * outputs[1]
    assert variance[3] == pytest.approx(variance[1], rel=1e-9)
    kl = {
        k: _variance(list(_outputs(*[_with_synonyms(w, k) for w in (world, student)], 5, 1)), 1)
        for k in (1, 2)
    }
    assert kl[2] == pytest.approx(kl[1], rel=1e-9)


def _with_synonyms(world, k):
    """Every word but "." as k words that share its probability."""
    rows = world.log_rows()
    eos = world.eos_id
    copies = [i for i in range(world.vocab_size) for _ in range(1 if i == eos else k)]
    cost = torch.tensor([0.0 if i == eos else math.log(k) for i in copies], dtype=torch.float64)
    wide = rows[copies][:, copies] - cost
    names = [f"{world.words[i]}{n}" if i != eos else "." for n, i in enumerate(copies)]
    return World(tuple(names), lambda context: wide)


@headline(3, "But a rare and costly output that was not drawn is missing from the interval, too.")
@headline(3, "**A rare and costly output that was not drawn is missing from the interval, too.**")
def test_3_7_coverage_in_other_worlds_with_the_rare_output_and_without():
    """Rival: 19 in 20 at a hundred outputs, for any student, whatever happened to be drawn."""
    for seed in (0, 2, 4):
        world = random_world(seed=seed)
        assert _coverage(world, world.with_bias(0.3)) > 0.9
    for seed in (0, 8, 10):
        world = random_world(seed=seed, scale=3)
        met, missed = _sorted(world, _blind_for_the_rarest(world))
        assert min(len(met), len(missed)) > 30
        assert sum(met) / len(met) > 0.95
        assert sum(missed) / len(missed) < 0.8


def _sorted(teacher, student, n=100, repeats=200):
    """Whether each interval holds: of those whose outputs have the costly word, and of the others."""
    true = teacher.cross_entropy(student, length=5).item()
    met, missed = [], []
    for seed in range(repeats):
        surprise = -exact.sequence_log_probs(student, teacher.sample(n, length=5, seed=seed).tokens)
        holds = abs(surprise.mean().item() - true) < 1.96 * surprise.std().item() / n**0.5
        (met if surprise.max() > 30 else missed).append(holds)
    return met, missed


def _blind_for_the_rarest(world):
    """A perfect copy, but for one word in each row that it all but rules out."""
    rows = world.log_rows().clone()
    rows.scatter_(1, rows.argmin(dim=1, keepdim=True), -40.0)
    rows = rows.log_softmax(dim=-1)
    return World(world.words, lambda context: rows)


def _coverage(teacher, student, n=100, repeats=200):
    true = teacher.cross_entropy(student, length=5).item()
    hits = 0
    for seed in range(repeats):
        found = losses.sampled_loss(
            teacher, student, 5, cross_entropy, samples=n, generator=seeded(seed)
        )
        hits += abs(found.value.item() - true) < 1.96 * found.standard_error.item()
    return hits / repeats


def _outputs(teacher, student, length, kl, prefix=(), log_p=0.0, whole=0.0, steps=0.0):
    """Every output: its log-probability, its own term, and the sum of its exact terms per word.

    Word by word down the tree, in plain numbers: nothing of the chapter or of the estimators.
    """
    if len(prefix) == length or (prefix and prefix[-1] == teacher.eos_id):
        yield log_p, whole, steps
        return
    ids = torch.tensor([prefix], dtype=torch.long)
    p, q = (model.next_log_probs(ids)[0].tolist() for model in (teacher, student))
    terms = [kl * a - b for a, b in zip(p, q)]
    exact_term = sum(math.exp(a) * term for a, term in zip(p, terms) if a > -math.inf)
    for word, a in enumerate(p):
        if a > -math.inf:
            so_far = (log_p + a, whole + terms[word], steps + exact_term)
            yield from _outputs(teacher, student, length, kl, (*prefix, word), *so_far)


def _variance(outputs, which):
    mean = sum(math.exp(output[0]) * output[which] for output in outputs)
    return sum(math.exp(output[0]) * (output[which] - mean) ** 2 for output in outputs)


def _stepwise_wins(relative, divergence, scale):
    wins = 0
    for seed in range(20):
        world = random_world(seed=seed, scale=scale)
        kl = int(divergence is forward_kl)
        outputs = list(_outputs(world, relative(world, seed, scale), 5, kl))
        noise = [(p, whole - steps) for p, whole, steps in outputs]
        assert _variance(noise, 1) > 0  # of each word, and so of their sum
        wins += _variance(outputs, 2) < _variance(outputs, 1)
    return wins


def _a_copy(world, seed, scale):
    return world.with_bias(0.2)


def _a_stranger(world, seed, scale):
    return random_world(seed=seed + 100, scale=scale)


@headline(3, "Summing over the next word removes noise at every position.")
@headline(3, "Whether the total gets quieter depends on how the positions are correlated.")
def test_3_7_the_estimator_on_other_trees():
    """Rival: the published "less than or equal" in every world, divergence and student."""
    copies = [_stepwise_wins(_a_copy, forward_kl, scale) for scale in (0.5, 1, 3)]
    assert copies == [20, 20, 20]  # "the KL of every student that resembles its teacher"
    assert _stepwise_wins(_a_stranger, forward_kl, 3) < 20
    assert 0 < _stepwise_wins(_a_copy, cross_entropy, 0.5) < 20
    assert 0 < _stepwise_wins(_a_stranger, cross_entropy, 3) < 20


# ---------------------------------------------------------------- the best output


@headline(
    3, "The likeliest output is not a sample, and the best word at each step need not lead to it."
)
@headline(
    3,
    "**The likeliest output need not be likely, and it is often shorter than the average one.**",
)
@headline(3, "The sharper a world is, the weaker this gets: 100, 91, 70, 59.")
def test_3_8_greedy_against_best_and_short_against_average():
    """Rival: the story world's grammar does it, or any output is as often short, or sharpness helps."""
    short = {}
    for scale in (1, 3):
        greedy, unlikely, short[scale], drawn_is = 0, 0, 0, 0
        for seed in range(300, 340):
            world = random_world("a b c d e .", seed=seed, scale=scale)
            best = search.best_sequence(world, 5)
            greedy += torch.equal(best.tokens, search.best_sequence(world, 5, beam=1).tokens)
            average = world.visits(length=5).sum()
            short[scale] += bool(len(best.tokens) < average)
            told = world.sample(500, length=5, seed=seed).lengths
            drawn_is += (told < average).double().mean().item()
            unlikely += bool(best.log_prob.exp() < 0.5)
        assert greedy < 35
        assert unlikely > 20
        assert short[scale] > drawn_is + 5
    assert short[3] < short[1]
    chain = _long_once_begun()
    assert len(search.best_sequence(chain, 8).tokens) > chain.visits().sum()


def _long_once_begun():
    """The first word a (0.6) leads through five words to the end, the first word z ends at once."""
    words = ("a", "b", "c", "d", "e", "z", ".")
    rows = torch.zeros(7, 7, dtype=torch.float64)
    for here, there in (("a", "b"), ("b", "c"), ("c", "d"), ("d", "e"), ("e", "."), ("z", ".")):
        rows[words.index(here), words.index(there)] = 1
    rows[6, 0], rows[6, 5] = 0.6, 0.4
    return World(words, lambda context: rows.log())


@headline(
    3,
    "Sums, means per output and means per token answer different questions. Never compare one with "
    "another.",
)
def test_3_6_length_alone_turns_a_comparison_round():
    """Rival: it may hardly matter. The same losses per token, and texts of another length."""
    better, worse = 0.30, 0.40  # nats at each token
    assert 12 * better > 3 * worse  # by sums over different texts the worse student wins
    for seed in range(20):
        share = torch.rand(4, generator=seeded(seed)).double()
        share, lengths = share / share.sum(), torch.tensor([2.0, 5, 9, 14], dtype=torch.float64)
        assert (share * lengths * better).sum() < (share * lengths * worse).sum()
