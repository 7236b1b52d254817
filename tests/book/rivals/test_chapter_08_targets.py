"""The rivals of sections 8.4 to 8.6, without training a language model: other teachers, and a record."""

import itertools

import pytest
import torch
from rivals.headlines import headline

from kdlib.claims.record import shipped
from kdlib.claims.rules import Lead
from kdlib.losses.divergences import forward_kl
from kdlib.losses.sparse import top_k, with_tail
from kdlib.toys.students import fit


def teacher(seed, spread, words=400):
    """A random distribution; the larger the spread, the thinner its tail."""
    draws = torch.Generator().manual_seed(seed)
    return (spread * torch.randn(words, generator=draws, dtype=torch.float64)).log_softmax(-1)


def distances(log_p, targets, steps=1000):
    """KL(P‖Q) of a student with a free logit for each word, before and after."""
    logits = torch.zeros_like(log_p).requires_grad_()
    start = forward_kl(log_p, logits.detach().log_softmax(-1)).item()
    fit(
        [logits],
        lambda: targets.divergence(logits.log_softmax(-1)),
        steps=steps,
        learning_rate=0.03,
    )
    q = logits.detach().log_softmax(-1)
    return start, forward_kl(log_p, q).item(), q


@headline(
    8,
    "The scaled-up likeliest words are another teacher: where the tail is long, a student that can "
    "follow it ends farther from its own than one that has learned nothing.",
)
@pytest.mark.parametrize("seed", range(10))
def test_8_4_other_teachers_with_long_tails(seed):
    """Rival: it is Zipf's law, a thousand words, or twelve of them."""
    log_p = teacher(seed, spread=1.0)
    for k in (4, 12, 40):
        start, end, _ = distances(log_p, top_k(log_p, k))
        assert end > start
        assert distances(log_p, with_tail(log_p, k))[1] < start


def test_8_4_where_the_tail_is_thin_little_is_lost():
    """The condition of the headline: a sure teacher can be cut without such harm."""
    log_p = teacher(0, spread=6.0)
    assert log_p.topk(40).values.exp().sum() > 0.995
    start, end, _ = distances(log_p, top_k(log_p, 40))
    assert end < 0.05 * start


@headline(
    8,
    "In the logits of the tail its gradient is q times the same number for every word, so it lifts "
    "or lowers the tail as a whole.",
)
@pytest.mark.parametrize("seed", range(10))
def test_8_4_the_lump_says_nothing_of_its_division(seed):
    """Rival: a uniform start hides that the lump does teach the division of the rest."""
    log_p = teacher(seed, spread=2.0)
    logits = teacher(seed + 100, spread=2.0).requires_grad_()
    targets = with_tail(log_p, 12)
    targets.divergence(logits.log_softmax(-1)).backward()
    in_tail = torch.ones_like(log_p, dtype=torch.bool).scatter(0, targets.ids, False)
    ratio = (logits.grad / logits.detach().softmax(-1))[in_tail]
    assert torch.allclose(ratio, ratio.mean().expand_as(ratio))


def expected(p, draws, weigh):
    """The exact average of a drawn target, and of its squared error, over all possible draws."""
    average, squared = torch.zeros_like(p), 0.0
    for words in itertools.product(range(len(p)), repeat=draws):
        ids = torch.tensor(words)
        target = weigh(p, ids)
        chance = p[ids].prod()
        average += chance * target
        squared += chance * (target - p).square().sum()
    return average, squared


def share(p, ids):
    return torch.zeros_like(p).index_add(0, ids, torch.full(ids.shape, 1 / len(ids)).double())


def own_probability(p, ids):
    kept = torch.zeros_like(p)
    kept[ids] = p[ids]
    return kept / kept.sum()


@headline(
    8,
    "Words drawn from the teacher, weighted by their share of the draws, are right on average, and "
    "their squared error falls as one over the draws.",
)
@pytest.mark.parametrize("seed", range(10))
def test_8_5_all_draws_enumerated(seed):
    """Rival: the drawn words with their own probabilities are as right; or it is Zipf's luck."""
    p = teacher(seed, spread=1.0, words=5).exp()
    for draws in (1, 2, 3, 4):
        average, squared = expected(p, draws, share)
        assert torch.allclose(average, p)
        assert torch.isclose(squared, (1 - p.square().sum()) / draws)
    biased, _ = expected(p, 4, own_probability)
    assert (biased - p).abs().sum() > 0.02 and biased[p.argmax()] > p.max()


NUMBERS = shipped("sampled-targets")["numbers"]


def per_seed(arm, measure):
    """The five trainings of an arm, as a tensor."""
    return torch.tensor(NUMBERS[arm][measure], dtype=torch.float64)


@headline(
    8,
    "Read a few times, twelve drawn words teach a real student better than twelve likeliest ones, in "
    "loss and in calibration.",
)
def test_8_6_in_every_training_of_the_record():
    """Rival: the means hide trainings in which the likeliest are ahead, or the rates do."""
    for kept in ("likeliest", "likeliest and rest"):
        assert (per_seed("drawn", "loss") < per_seed(kept, "loss") - 0.05).all()
    assert (per_seed("drawn", "calibration") < per_seed("likeliest", "calibration")).all()
    tuning = shipped("sampled-targets")["tuning"]
    # No rate of the sweep makes the likeliest as good as the drawn words at any of theirs.
    assert min(tuning["likeliest"].values()) > max(tuning["drawn"].values())
    assert min(tuning["likeliest and rest"].values()) > max(tuning["drawn"].values())


@headline(
    8,
    "A slot for the rest repairs most of the calibration and next to nothing of the loss, because "
    "nobody tells the student how the rest is divided.",
)
def test_8_6_the_slot_in_every_training_of_the_record():
    """Rival: the mean hides trainings in which the slot repairs the loss."""
    scaled, rest, drawn = ("likeliest", "likeliest and rest", "drawn")
    assert (per_seed(rest, "loss") > per_seed(scaled, "loss")).all()
    gap = per_seed(scaled, "calibration") - per_seed(drawn, "calibration")
    repaired = per_seed(scaled, "calibration") - per_seed(rest, "calibration")
    assert (repaired > 0).all() and repaired.mean() > 0.5 * gap.mean()


@headline(8, "Top-1 agreement is better with the likeliest words than with drawn ones.")
@headline(8, "top-1 agreement is best with the scaled-up likeliest words")
def test_8_6_agreement_in_every_training_of_the_record():
    """Rival: one training in which the top happened to be learned well."""
    for other in ("drawn", "all", "likeliest and rest"):
        assert (per_seed("likeliest", "agreement") > per_seed(other, "agreement")).all()
        assert Lead("agreement", "likeliest", other, higher=True).interval(NUMBERS).low > 0
