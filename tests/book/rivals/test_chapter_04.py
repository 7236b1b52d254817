"""The rivals of chapter 4 but for its small students: directions, temperatures, precisions."""

import math

import pytest
import torch
from rivals.headlines import headline
from rivals.peaks import best_centre, random_logs

from kdlib.losses.divergences import (
    DIVERGENCES,
    cross_entropy,
    forward_kl,
    reverse_kl,
)
from kdlib.toys.students import fit, two_peaks
from kdlib.toys.worlds import story_world


def of_two(p, q):
    pair = (torch.tensor([x, 1 - x], dtype=torch.float64).log() for x in (p, q))
    return forward_kl(*pair).item()


# ---------------------------------------------------------------- what KL charges for


@headline(
    4,
    "KL(P‖Q) is the mean evidence per draw, from the teacher, for P against Q. It is no metric, and "
    "only a zero costs everything: for a rare word a missing amount costs more than an added one, "
    "but a factor costs more upwards than downwards.",
)
def test_4_1_amounts_and_factors():
    """Rival: too little costs more than too much, whatever is counted."""
    for p in (0.01, 0.05, 0.1, 0.2, 0.3, 0.4):
        for share in (0.1, 0.5, 0.9, 0.99):
            assert of_two(p, p * (1 - share)) > of_two(p, p * (1 + share))
        for factor in (1.1, 1.5, 2, 5, 20, 80):
            if p * factor < 1:
                assert of_two(p, p * factor) > of_two(p, p / factor)
    assert of_two(0.7, 0.5) < of_two(0.7, 0.9)  # amounts, for a word that is not rare: the reverse


@headline(
    4,
    "For a rare word a missing amount costs more than an added one, but a factor costs more upwards "
    "than downwards, and only a zero costs everything.",
)
def test_4_1_amounts_and_factors_among_many_words():
    """Rival: it holds for two words only, or the cost is infinite short of a zero."""
    p = random_logs(200, 50, seed=1).exp()
    for factor in (1.5, 3, 10):
        costs = []
        for word in (p[:, :1] / factor, p[:, :1] * factor):
            q = torch.cat([word, p[:, 1:] * (1 - word) / (1 - p[:, :1])], dim=1)
            costs.append(forward_kl(p.log(), q.log()))
        fits = p[:, 0] * factor < 1
        assert (costs[1] > costs[0])[fits].all()
    assert of_two(0.1, 1e-30) < 10 and of_two(0.1, 0) == math.inf


def test_4_1_evidence_per_draw_is_the_mean_of_a_judge_on_other_students():
    """The rule log 20 / KL, on ten random pairs: draws on average, between it and half more."""
    for seed in range(10):
        log_p, log_q = random_logs(2, 6, seed=seed, spread=0.5)
        draw = torch.Generator().manual_seed(seed)
        seen = log_p.exp().multinomial(500 * 800, True, generator=draw)
        enough = (log_p - log_q)[seen].view(500, 800).cumsum(dim=1) >= math.log(20)
        needed = 1.0 + enough.double().argmax(dim=1)
        assert 0.9 < needed.mean() * forward_kl(log_p, log_q) / math.log(20) < 1.6


def test_4_2_the_smallest_ratio_is_the_worse_guide_with_more_words_and_other_students():
    """The chapter's 78 against 92 of 100, for other vocabularies and distances."""
    for words in (3, 10, 100):
        for spread in (0.2, 1.0):
            log_p = random_logs(2000, words, seed=2)
            noise = random_logs(2, 2000, words, seed=3, spread=spread)
            students = (log_p + noise).log_softmax(-1)
            nearer = forward_kl(log_p, students)
            by_ratio = (log_p - students).amax(-1)
            by_size = (log_p.exp() - students.exp()).abs().sum(-1)
            agree = [((x[0] < x[1]) == (nearer[0] < nearer[1])).double().mean() for x in
                     (by_ratio, by_size)]  # fmt: skip
            assert agree[0] < agree[1]


# ---------------------------------------------------------------- cross-entropy and KL


@headline(
    4,
    "CE = KL + H. The gradients in the student are equal because the teacher's entropy is "
    "constant, and they are Q - P. In the other direction the entropy is the student's and may "
    "not be dropped.",
)
def test_4_4_the_gradients_in_both_directions():
    """Rival: equal for one pair of three words only; or the reverse entropy hardly matters."""
    log_p = random_logs(8, 1000, seed=4, spread=3)
    gradients = []
    for loss in (forward_kl, cross_entropy, reverse_kl, lambda p, q: cross_entropy(q, p)):
        z = random_logs(8, 1000, seed=5, spread=3).requires_grad_()
        loss(log_p, z.log_softmax(-1)).sum().backward()
        gradients.append(z.grad)
    q = random_logs(8, 1000, seed=5, spread=3).exp()
    assert torch.allclose(gradients[0], q - log_p.exp(), atol=1e-12)
    assert torch.allclose(gradients[0], gradients[1], atol=1e-12)
    assert (gradients[2] - gradients[3]).norm() > 0.3 * gradients[2].norm()


@headline(
    4,
    "An exact top-1 says nothing about the rest of the distribution, and the rest is what "
    "sampling shows.",
)
def test_4_3_an_exact_top_with_any_divergence_below():
    """Rival: students with an exact top are near their teacher, or at least nearer than others."""
    log_p = torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64).log()
    below = random_logs(500, 2, seed=6, spread=3).exp() * 0.3
    exact = torch.cat([torch.full((500, 1), 0.7, dtype=torch.float64), below], dim=1).log()
    slightly_off = (log_p + 0.1 * random_logs(500, 3, seed=7)).log_softmax(-1)
    assert forward_kl(log_p, exact).median() > 5 * forward_kl(log_p, slightly_off).median()
    assert forward_kl(log_p, exact).max() > 0.5
    world = story_world()
    entropies = [world.with_temperature(t).entropy("fox").item() for t in (0.1, 1, 4)]
    assert entropies == sorted(entropies) and entropies[0] < entropies[1] / 2


@headline(4, "With enough capacity all divergences have the same optimum.")
def test_4_4_free_students_reach_other_teachers_too():
    """Rival: it holds for one teacher of three words, or for the divergences that were shown."""
    log_p = random_logs(5, seed=8)
    for name in ("forward_kl", "reverse_kl", "symmetric_kl", "hellinger_squared"):
        z = torch.zeros(5, dtype=torch.float64, requires_grad=True)
        fit([z], lambda: DIVERGENCES[name](log_p, z.log_softmax(-1)), 100, 0.2)  # noqa: B023
        assert torch.allclose(z.softmax(-1), log_p.exp(), atol=1e-3), name


# ---------------------------------------------------------------- temperature and numerics


def softened(z, temperature):
    return (z / temperature).log_softmax(-1)


@headline(
    4,
    "At a high temperature the direction hardly matters. The length of the gradient is kept by T² "
    r"in the model's parameters better than in the logits, where it goes like $1/\sqrt V$.",
)
def test_4_10_what_t_squared_keeps():
    """Rival: a small student still chooses at T = 8; or the fall in the logits is the model's."""
    for second in (0.4, 0.2):
        two = two_peaks(second_weight=second)
        apart = {}
        for t in (1, 8):
            f, r = (best_centre(lambda p, q, d=d, t=t: d(softened(p, t), softened(q, t)), two)
                    for d in (forward_kl, reverse_kl))  # fmt: skip
            apart[t] = max(f, r) - min(f, r)
        assert apart[8] <= 1 < apart[1]
    lengths, losses, through = {}, {}, {}
    for size in (100, 10_000):
        z_p = 2 * random_logs(16, size, seed=10)
        z_q = z_p + random_logs(16, size, seed=11)
        draw = torch.Generator().manual_seed(12)
        layer = torch.randn(size, 32, generator=draw, dtype=torch.float64)
        z_q = z_q + torch.randn(16, 32, generator=draw, dtype=torch.float64) @ layer.T / 8
        for t in (1, 32):
            pull = t * (softened(z_q, t).exp() - softened(z_p, t).exp())
            lengths[size, t] = pull.norm(dim=-1).mean().item()
            through[size, t] = (pull @ layer).norm(dim=-1).mean().item()
            kl = forward_kl(softened(z_p, t), softened(z_q, t))
            losses[size, t] = t**2 * kl.mean().item()
    assert lengths[10_000, 32] == pytest.approx(lengths[100, 32] / 10, rel=0.2)
    assert losses[10_000, 32] == pytest.approx(losses[100, 32], rel=0.2)
    fall = lengths[10_000, 1] / lengths[10_000, 32]
    assert fall > 3 * through[10_000, 1] / through[10_000, 32]


@headline(
    4,
    "T² gives the loss a limit, half the variance of the logits' difference over all words; it is "
    "near the loss at T = 1 only where the student is about equally wrong everywhere.",
)
def test_4_10_a_student_that_is_wrong_in_some_places_only():
    """Rival: T² keeps the size of the loss, whatever the student; or the limit fails elsewhere."""
    for seed in range(3):
        draw = torch.Generator().manual_seed(seed)
        noise = torch.randn(2, 32, 4096, generator=draw, dtype=torch.float64)
        z_p = 2 * noise[0] - torch.arange(1, 4097).double().log()
        top = torch.zeros_like(z_p).scatter(1, z_p.topk(20, dim=-1).indices, 1)
        kept = {}
        for name, where in {"top": top, "others": 1 - top, "all": 1 + 0 * top}.items():
            z_q = z_p + where * noise[1]
            loss = {t: t**2 * forward_kl(softened(z_p, t), softened(z_q, t)).mean().item()
                    for t in (1, 100)}  # fmt: skip
            limit = (z_q - z_p).var(dim=-1, correction=0).mean().item() / 2
            assert loss[100] == pytest.approx(limit, rel=0.1), name
            kept[name] = loss[100] / loss[1]
        assert kept["top"] < 0.05 and kept["others"] > 1.5 and 0.8 < kept["all"] < 1.3


@headline(
    4,
    "Compute from log-softmax in float32 or better: in bfloat16 a small KL over a large vocabulary "
    "is noise.",
)
def test_4_11_other_precisions_vocabularies_and_distances():
    """Rival: only at one vocabulary or distance; or float16 would do; or it never matters."""

    def error(size, distance, dtype):
        draw = torch.Generator().manual_seed(size)
        noise = torch.randn(2, size, generator=draw, dtype=torch.float64)
        z_p = 0.5 * noise[0] - torch.arange(1, size + 1).double().log()
        pair = z_p, z_p + distance * noise[1]
        logs = [z.to(dtype).log_softmax(-1) for z in pair]
        found = (logs[0].exp() * (logs[0] - logs[1])).sum().double()
        exact = forward_kl(*(z.log_softmax(-1) for z in pair))
        return ((found - exact) / exact).square().sqrt().item()

    for size in (4_096, 32_000, 256_000):
        assert error(size, 0.045, torch.float32) < 0.01
        assert error(size, 0.045, torch.float32) < error(size, 0.045, torch.float16)
    assert max(error(size, 0.045, torch.bfloat16) for size in (32_000, 128_000, 256_000)) > 0.5
    assert error(8, 3.0, torch.bfloat16) < 0.2  # few words and a large KL: it hardly matters
