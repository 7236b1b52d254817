"""The rivals of chapter 9: other moors, other hands, other authors, and what two records say."""

import pytest
import torch
from rivals.headlines import headline
from rivals.moor import SEEDS, bias, per_word, trained, walks

from kdlib.claims.record import shipped
from kdlib.claims.registry import claim
from kdlib.losses.divergences import forward_kl, reverse_kl
from kdlib.sequences.exact import enumerate_sequences
from kdlib.toys.crowds import visits
from kdlib.toys.worlds import random_world, story_world


@headline(9, "Reading more given text removes it too, slowly: about as one over the budget.")
@pytest.mark.parametrize("moor", [{"moor": 40}, {"road": 4, "moor": 30}, {"back": 0.5}])
def test_9_1_more_of_the_same_on_other_moors(moor):
    """Rival: more texts of one kind never become texts of the other kind; or it is this moor."""
    guide = walks(**moor)
    once, often = (bias(guide, trained(guide, share=0.0, steps=s)) for s in (150, 600))
    assert ((1.5 < once / often) & (once / often < 6)).all()


@headline(9, "What counts first is which places are read, and only then who has written them.")
@pytest.mark.parametrize("slip", [0.01, 0.05, 0.2])
def test_9_1_a_teacher_that_stumbles(slip):
    """Rival: it takes the student's own hand."""
    guide = walks()
    stumbling = ((1 - slip) * guide.exp() + slip / len(guide)).log()
    reads = trained(guide, share=0.0, slip=slip)
    watches = trained(guide, share=0.0, slip=slip, author=stumbling)
    writes = trained(guide, share=1.0, slip=slip)
    clean, watched, own = (per_word(guide, q, q).mean() for q in (reads, watches, writes))
    assert (clean - watched) / (clean - own) > 0.8
    assert own < watched


@headline(
    9,
    "Exposure bias is the loss per word on the student's own prefixes less the loss on the "
    "teacher's: measure it before you pay for a cure.",
)
def test_9_2_the_bias_tells_what_there_is_to_gain():
    """Rival: the gain is a matter of the student, and the bias measured before says nothing of it."""
    found = []
    for lost, slip in ((0.0, 0.0), (0.0, 0.02), (0.0, 0.1), (0.01, 0.02), (0.05, 0.02)):
        guide = walks(lost=lost)
        reads, writes = (trained(guide, share=share, slip=slip) for share in (0.0, 1.0))
        gain = per_word(guide, reads, reads) - per_word(guide, writes, writes)
        found.append((bias(guide, reads).mean().item(), gain.mean().item()))
    assert [gain for _, gain in sorted(found)] == sorted(gain for _, gain in found)


@headline(9, "Words are counted after sampling, up to and with the end of a text.")
def test_9_3_places_reward_brevity():
    """Rival: one may as well divide by the places of the batch."""
    story = story_world().smoothed(0.01).log_rows()
    good = story_world().smoothed(0.05).log_rows()
    brief = good.clone()
    brief[:, 0] += 2  # the full stop comes sooner
    brief = brief.log_softmax(-1)
    losses = {}
    for name, q in (("good", good), ("brief", brief)):
        met = visits(q, 40)
        total = (met * forward_kl(story, q)).sum()
        losses[name] = (total / met.sum(), total / 40)
    assert losses["brief"][0] > 2 * losses["good"][0]
    ratio = (losses["brief"][1] / losses["good"][1]) / (losses["brief"][0] / losses["good"][0])
    assert ratio < 0.9  # by places, the brief student looks better than it is


@headline(
    9,
    "Where there is no exposure bias the writing gains nothing; neither an unsteady student nor a "
    "small one is enough for it.",
)
@pytest.mark.parametrize("lost", [0.05, 0.2, 0.4])
def test_9_2_no_bias_no_gain(lost):
    """Rival: writing helps every student that errs."""
    guide = walks(lost=lost)
    reads, writes = (trained(guide, share=share) for share in (0.0, 1.0))
    assert bias(guide, reads).abs().max() < 0.005
    gain = per_word(guide, reads, reads) - per_word(guide, writes, writes)
    assert gain.max() < 0.005


@headline(
    9,
    "A small share of own texts brings most of the gain, and they are best drawn as the student "
    "will be used, or a little wilder.",
)
@pytest.mark.parametrize("slip", [0.01, 0.05])
def test_9_3_small_shares_of_other_hands(slip):
    """Rival: the gain is in proportion to the share."""
    guide = walks()
    own = {}
    for share in (0.0, 0.125, 1.0):
        q = trained(guide, share=share, slip=slip)
        own[share] = per_word(guide, q, q).mean()
    assert (own[0.0] - own[0.125]) / (own[0.0] - own[1.0]) > 0.7


@headline(
    9,
    "Of the four pairs of author and direction two are divergences of whole texts: forward on the "
    "teacher's, reverse on the student's.",
)
@pytest.mark.parametrize("seed", range(3))
def test_9_4_only_two_are_sums_over_whole_texts(seed):
    """Rival: whole texts of the student estimate KL(Q‖P) whichever way each word is compared."""
    p, q = (random_world("a b .", seed=seed + shift) for shift in (0, 50))
    log_p, log_q = (enumerate_sequences(world, 6).log_probs for world in (p, q))
    rows_p, rows_q = p.log_rows(), q.log_rows()
    forward = (log_p.exp() * (log_p - log_q)).sum()
    reverse = (log_q.exp() * (log_q - log_p)).sum()

    def summed(author, divergence):
        return (visits(author, 6, p.eos_id) * divergence(rows_p, rows_q)).sum()

    assert torch.isclose(summed(rows_p, forward_kl), forward)
    assert torch.isclose(summed(rows_q, reverse_kl), reverse)
    for hybrid in (summed(rows_p, reverse_kl), summed(rows_q, forward_kl)):
        assert not torch.isclose(hybrid, forward, rtol=0.02)
        assert not torch.isclose(hybrid, reverse, rtol=0.02)


@headline(
    9,
    "The word that was drawn gives the gradient of the reverse KL on average, and one such word a "
    "noise of many times its length.",
)
@pytest.mark.parametrize("place", [1, 3, 5])
def test_9_5_the_noise_of_one_word(place):
    """Rival: it is the one place of the chapter, or one student."""
    log_p = story_world().smoothed(0.01).log_rows()[place]
    draws = torch.Generator().manual_seed(place)
    for _ in range(5):
        log_q = (0.7 * torch.randn(len(log_p), generator=draws, dtype=torch.float64)).log_softmax(
            -1
        )
        q = log_q.exp()
        slopes = torch.eye(len(q), dtype=q.dtype) - q
        each = -(log_p - log_q)[:, None] * slopes
        exact = q @ each
        logits = log_q.clone().requires_grad_()
        (wanted,) = torch.autograd.grad(reverse_kl(log_p, logits.log_softmax(-1)), logits)
        assert torch.allclose(exact, wanted)
        error = (q * (each - exact).norm(dim=-1)).sum() / exact.norm()
        assert error > 2


@headline(
    9,
    "No gradient goes through the sampling: with it a student that is too small writes less, and the "
    "smallest falls silent.",
)
@pytest.mark.parametrize(("room", "seed"), [(1, 0), (1, 1), (2, 0)])
def test_9_3_who_falls_silent(room, seed):
    """Rival: it is one start, or the narrowest of all students."""
    story = story_world().smoothed(0.01).log_rows()
    draws = torch.Generator().manual_seed(seed)
    shapes = ((SEEDS, len(story), room), (SEEDS, room, len(story)))
    parts = [0.3 * torch.randn(*shape, generator=draws, dtype=torch.float64) for shape in shapes]
    for part in parts:
        part.requires_grad_()

    def descend(own, through, steps):
        optimizer = torch.optim.Adam(parts, lr=0.02)
        for _ in range(steps):
            q = (parts[0] @ parts[1]).log_softmax(-1)
            met = visits(q if own else story.expand_as(q), 60)
            met = met if through else met.detach()
            optimizer.zero_grad()
            (met * forward_kl(story, q)).sum().backward()
            optimizer.step()
        return visits((parts[0] @ parts[1]).log_softmax(-1), 60).sum(-1).detach()

    before = descend(own=False, through=False, steps=300)
    start = [part.detach().clone() for part in parts]
    stopped = descend(own=True, through=False, steps=200)
    for part, kept in zip(parts, start):
        part.data.copy_(kept)
    whole = descend(own=True, through=True, steps=200)
    assert (whole < (0.5 if room == 1 else 0.95) * before).all()
    assert (stopped > 0.9 * before).all()


def test_ten_students_differ():
    """Ten seeds are ten: no two have drawn the same texts."""
    guide = walks()
    q = trained(guide, share=1.0, steps=20)
    assert len({tuple(row.flatten().tolist()) for row in q}) == SEEDS


def per_seed(name, measure, arm):
    """The five trainings of an arm in a record, as a tensor."""
    return torch.tensor(shipped(name)["numbers"][arm][measure], dtype=torch.float64)


@headline(
    9,
    "On real text chapter 7's student has no exposure bias, and a student that writes half of its "
    "texts from its first step on ends farther from its teacher than one that reads for as many "
    "operations, on its own words too.",
)
def test_9_6_the_writer_is_behind_in_every_training():
    """Rival: it is one seed, one direction, or the test text alone."""
    assert (per_seed("own-texts", "exposure bias", "reads") < 0).all()
    for measure in ("own reverse KL", "own forward KL", "forward KL", "loss"):
        reads, writes = (
            per_seed("own-texts", measure, arm) for arm in ("reads, equal compute", "writes half")
        )
        assert (writes > reads).all(), measure


def test_9_6_the_rates_are_not_at_the_edge_of_the_sweep():
    """Else the arm that is behind may only have been trained badly."""
    record = shipped("own-texts")
    for arm, rate in record["rates"].items():
        assert min(record["tuning"][arm]) != f"{rate:g}" != max(record["tuning"][arm], key=float)


@headline(
    9,
    "On additions, too, the reader of equal compute is ahead in every training; at equal steps the "
    "seed decides more than the author.",
)
def test_9_7_the_reader_of_equal_compute_and_the_seeds():
    """Rival: the means hide a training in which the writer is ahead; or the steps decide nothing."""
    writes, reads, same_steps = (
        per_seed("own-answers", "right", arm)
        for arm in ("writes half", "reads, equal compute", "reads")
    )
    assert (reads > writes).all()
    assert claim("own-answers").verdict(shipped("own-answers")["numbers"]) == "opposite"
    assert same_steps.max() - same_steps.min() > (same_steps - writes).mean()


@headline(
    9,
    "After some reading, writing beats reading the same lesson again; reading as much new text does "
    "what writing does.",
)
def test_9_6_after_some_reading():
    """Rival: own words are what a student needs, and given ones cannot stand in for them."""
    found = claim("read-then-write").intervals(shipped("read-then-write")["numbers"])
    for measure in ("own reverse KL", "loss"):
        assert found[f"{measure}: writes half better than reads on"].low > 0
        assert found[f"{measure}: writes half better than reads new text"].value < 0.03
