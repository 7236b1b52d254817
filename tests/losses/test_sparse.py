"""Sparse targets: what each kind estimates, and how well."""

import math

import pytest
import scipy.stats
import torch

from kdlib.losses import sparse
from kdlib.losses.divergences import forward_kl
from kdlib.losses.sparse import SparseTargets, sampled, top_k, with_tail

V = 12


def rows(n, seed, spread=2.0):
    generator = torch.Generator().manual_seed(seed)
    return (spread * torch.randn(n, V, generator=generator, dtype=torch.float64)).log_softmax(-1)


def zipf(vocabulary):
    return (-torch.arange(1, vocabulary + 1, dtype=torch.float64).log()).log_softmax(-1)


def by_hand(p, q, kept):
    """KL of P, cut to `kept` and renormalised, to Q, in plain Python."""
    mass = sum(p[i] for i in kept)
    return sum(p[i] / mass * math.log(p[i] / mass / q[i]) for i in kept)


def test_top_k_is_the_kl_to_a_renormalised_teacher():
    log_p, log_q = rows(5, 0), rows(5, 1)
    ours = top_k(log_p, 3).divergence(log_q)
    for row in range(5):
        p, q = log_p[row].exp().tolist(), log_q[row].exp().tolist()
        kept = sorted(range(V), key=lambda i: -p[i])[:3]
        assert ours[row].item() == pytest.approx(by_hand(p, q, kept), abs=1e-12)


def test_the_tail_is_one_outcome():
    log_p, log_q = rows(5, 0), rows(5, 1)
    ours = with_tail(log_p, 3).divergence(log_q)
    for row in range(5):
        p, q = log_p[row].exp().tolist(), log_q[row].exp().tolist()
        kept = sorted(range(V), key=lambda i: -p[i])[:3]
        rest = 1 - sum(p[i] for i in kept), 1 - sum(q[i] for i in kept)
        expected = sum(p[i] * math.log(p[i] / q[i]) for i in kept) + rest[0] * math.log(
            rest[0] / rest[1]
        )
        assert ours[row].item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("k", range(1, V))
def test_with_tail_lies_between_zero_and_the_full_kl(k):
    log_p, log_q = rows(200, 2), rows(200, 3)
    merged = with_tail(log_p, k).divergence(log_q)
    assert (merged >= 0).all()
    assert (merged <= forward_kl(log_p, log_q) + 1e-12).all()


def test_all_tokens_give_the_full_kl():
    log_p, log_q = rows(9, 4), rows(9, 5)
    full = forward_kl(log_p, log_q)
    torch.testing.assert_close(top_k(log_p, V).divergence(log_q), full)
    torch.testing.assert_close(with_tail(log_p, V - 1).divergence(log_q), full)


def test_a_student_equal_to_the_teacher_pays_for_what_top_k_cut_off():
    """Renormalising is a bias: the loss of a perfect student is -log of the kept mass."""
    log_p = zipf(1000)[None]
    kept_mass = log_p.exp().topk(5).values.sum().item()
    assert top_k(log_p, 5).divergence(log_p).item() == pytest.approx(-math.log(kept_mass))
    assert with_tail(log_p, 5).divergence(log_p).item() == pytest.approx(0, abs=1e-12)


def logit_gradient(targets, logits):
    leaf = logits.clone().requires_grad_()
    targets.divergence(leaf.log_softmax(-1)).sum().backward()
    return leaf.grad


def test_top_k_pulls_away_from_the_teacher():
    """At P = Q the full KL has no gradient, and top-k has one, on average over nothing: a bias."""
    log_p = zipf(200)[None]
    pull = logit_gradient(top_k(log_p, 5), log_p)
    assert pull[0, :5].max() < 0 < pull[0, 5:].min()  # kept tokens up, all others down
    assert logit_gradient(with_tail(log_p, 5), log_p).abs().max() < 1e-15


def many(log_p, draws, times, seed):
    return sampled(log_p.expand(times, -1), draws, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("draws", [1, 10, 50])
def test_sampled_loss_and_gradient_are_unbiased(draws):
    """z-scores over 20,000 independent targets, for value and for every slot of the gradient."""
    times = 20_000
    log_p, logits = rows(1, 6), rows(1, 7)
    targets = many(log_p[0], draws, times, seed=draws)
    full = forward_kl(log_p, logits.log_softmax(-1))
    values = targets.divergence(logits.log_softmax(-1).expand(times, -1))
    gradients = logit_gradient(targets, logits.expand(times, -1))
    dense = logits.softmax(-1) - log_p.exp()
    for estimates, truth in ((values[:, None], full), (gradients, dense[0])):
        z = (estimates.mean(0) - truth) / (estimates.std(0) / times**0.5)
        assert z.abs().max() < 4  # of 13 numbers; the seed is fixed


def test_variance_falls_as_one_over_the_draws():
    log_p, log_q = rows(1, 6), rows(1, 7)
    spread = {}
    for draws in (5, 50):
        targets = many(log_p[0], draws, 20_000, seed=draws)
        spread[draws] = targets.divergence(log_q.expand(20_000, -1)).var().item()
    assert spread[5] / spread[50] == pytest.approx(10, rel=0.1)
    # One draw's loss is -H(P) - log q of the token drawn: its variance in closed form.
    p = log_p[0].exp()
    once = (p * log_q[0].square()).sum() - (p * log_q[0]).sum().square()
    assert spread[5] == pytest.approx(once.item() / 5, rel=0.1)


def test_weights_are_shares_of_the_draws():
    targets = sampled(rows(40, 8), 25, torch.Generator().manual_seed(0))
    assert torch.equal(
        (targets.weights * 25).round().sum(-1), torch.full((40,), 25.0, dtype=torch.float64)
    )
    assert (targets.ids.diff(dim=-1) >= 0).all()


REAL = 2**17  # tokens; vocabularies of this size are in use


@pytest.mark.parametrize(
    ("tail", "tokens"),
    [(1e-2, REAL), (3.3e-3, REAL), (3.3e-3, REAL - 1), (0.5, REAL), (1e-4, REAL)],
)
@pytest.mark.parametrize("first", [True, False], ids=["tail behind", "tail ahead"])
def test_a_tail_is_drawn_as_often_as_it_is_likely(tail, tokens, first):
    """In float32, of a real vocabulary: each of its tokens has less than 1e-7 of the mass."""
    p = torch.full((tokens,), tail / (tokens - 1), dtype=torch.float64)
    likeliest = 0 if first else tokens - 1
    p[likeliest] = 1 - tail
    log_p = p.log().float()
    draws = 2_000_000
    ids = sampled(log_p, draws, torch.Generator().manual_seed(0)).ids
    ids = ids[ids != likeliest]
    # The rounding of log_p to float32 changes the tail's mass by 1e-6 of itself at most.
    assert scipy.stats.binomtest(len(ids), draws, tail).pvalue > 1e-6
    # All of the tail alike: its lower half is drawn in half of the cases.
    lower = int((ids < tokens // 2).sum())
    assert scipy.stats.binomtest(lower, len(ids), 0.5).pvalue > 1e-6


def test_draws_of_a_vocabulary_that_multinomial_refuses():
    """It takes no more than 2^24 tokens."""
    log_p = torch.full((1, 2**24 + 8), -torch.inf)
    log_p[0, [5, 2**24 + 1]] = math.log(0.5)
    ids = sampled(log_p, 100, torch.Generator().manual_seed(0)).ids
    assert set(ids.flatten().tolist()) == {5, 2**24 + 1}


def test_draws_do_not_depend_on_the_chunks(monkeypatch):
    """Nor does a token without mass come up, first, last or between."""
    log_p = torch.randn(50, 40, generator=torch.Generator().manual_seed(1)).log_softmax(-1)
    log_p[:, [0, 7, 39]] = -torch.inf
    whole = sampled(log_p, 30, torch.Generator().manual_seed(2)).ids
    monkeypatch.setattr(sparse, "CHUNK", 100)
    assert torch.equal(sampled(log_p, 30, torch.Generator().manual_seed(2)).ids, whole)
    assert not set(whole.flatten().tolist()) & {0, 7, 39}


class Ends:
    """Uniform numbers at both ends of [0, 1)."""

    def __call__(self, *shape, **_):
        return torch.tensor([0.0, 1 - 2**-53], dtype=torch.float64).expand(*shape)


@pytest.mark.parametrize("shift", [0.0, -3.0, 40.0])
def test_the_ends_of_the_uniform_numbers_fall_on_tokens_that_have_mass(monkeypatch, shift):
    monkeypatch.setattr(sparse.torch, "rand", Ends())
    log_p = torch.randn(200, 9, generator=torch.Generator().manual_seed(1)).log_softmax(-1)
    log_p[:, [0, 8]] = -torch.inf  # also not normalised
    ids = sampled(log_p + shift, 2).ids
    assert torch.equal(ids, torch.tensor([1, 7]).expand(200, 2))


def test_no_position_is_drawn_from_none():
    assert sampled(torch.zeros(0, 5), 3).ids.shape == (0, 3)


@pytest.mark.parametrize("row", [[math.nan, 0.0], [-math.inf] * 2, [math.inf, 0.0]])
def test_what_is_no_distribution_is_not_drawn_from(row):
    with pytest.raises(ValueError, match="is not a distribution"):
        sampled(torch.tensor([[-0.7, -0.7], row]), 3)


def test_a_token_that_the_student_excludes():
    log_p, log_q = rows(1, 0), rows(1, 1)
    best = log_p.argmax(-1)
    log_q[0, best] = -torch.inf
    assert top_k(log_p, 3).divergence(log_q).item() == math.inf
    other = rows(1, 1)
    other[0, log_p.argmin(-1)] = -torch.inf  # not kept: the tail's business
    assert with_tail(log_p, 3).divergence(other.log_softmax(-1)).isfinite().all()


@pytest.mark.parametrize(("mass", "value"), [(0.0, math.log(2)), (0.25, math.inf)])
def test_a_student_without_any_other_token(mass, value):
    """All others are slots that do not exist: no distance, or an infinite one, and no NaN."""
    logits = torch.full((1, V), -torch.inf, dtype=torch.float64)
    logits[0, :2] = torch.tensor([0.0, 1.0])
    weights = torch.full((1, 2), (1 - mass) / 2, dtype=torch.float64)
    targets = SparseTargets(
        torch.tensor([[0, 1]]), weights, weights.new_zeros(1), weights.new_tensor([mass])
    )
    even = targets.divergence(torch.where(logits == 1, 0.0, logits).log_softmax(-1))
    assert even.item() == pytest.approx(value)
    expected = torch.zeros_like(logits)
    expected[0, :2] = (1 - mass) * (logits[0, :2].softmax(-1) - 0.5)  # of the kept tokens alone
    torch.testing.assert_close(logit_gradient(targets, logits), expected)


def test_leading_dimensions_are_kept():
    log_p = rows(6, 0).view(2, 3, V)
    for targets in (
        top_k(log_p, 2),
        with_tail(log_p, 2),
        sampled(log_p, 4, torch.Generator().manual_seed(0)),
    ):
        assert targets.divergence(log_p).shape == (2, 3)
        flat = targets.map(lambda t: t.flatten(0, 1))
        assert torch.equal(
            flat.divergence(log_p.flatten(0, 1)), targets.divergence(log_p).flatten()
        )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: top_k(rows(1, 0), 0), "k is 0; it must lie between 1 and the vocabulary's 12"),
        (lambda: top_k(rows(1, 0), 13), "k is 13"),
        (lambda: with_tail(rows(1, 0), V), "no tail; use top_k"),
        (lambda: sampled(rows(1, 0), 0), "k is 0; it must be at least 1"),
    ],
)
def test_what_cannot_be_kept_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
