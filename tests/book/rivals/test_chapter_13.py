"""The rivals of chapter 13: other bugs, teachers, texts and worlds, and what the records say."""

import math

import pytest
import torch
from planted import MISTAKES, distances, distillation, random_logits, wiring  # noqa: F401
from rivals.headlines import headline
from rivals.museum import museum

from kdlib.claims.grounds import pocket
from kdlib.claims.record import shipped
from kdlib.losses.divergences import forward_kl
from kdlib.losses.sparse import with_tail
from kdlib.models.ngram import NGram
from kdlib.toys.students import fit
from kdlib.toys.worlds import random_world, story_world

MATRIX = ("s", "log_p", "p", "full", "CHECKS", "LOSSES")


@headline(
    13,
    "Under most bugs equal models still have loss 0; one gradient, or one value by hand, finds most.",
)
@pytest.mark.parametrize("seed", range(10))
def test_13_1_other_models(seed):
    """Rival: it is the two models of the chapter."""
    names = museum(*MATRIX)
    found = {check.__name__: 0 for check in names["CHECKS"]}
    kept = names["s"], names["t"]
    names["s"], names["t"] = random_logits(2, 2, 5, 6, seed=100 + seed)
    try:
        for name, loss in names["LOSSES"].items():
            for check in names["CHECKS"]:
                found[check.__name__] += name != "the sound loss" and not check(loss)
    finally:
        names["s"], names["t"] = kept
    bugs = len(names["LOSSES"]) - 1
    assert found["equal_is_zero"] < bugs / 2
    assert min(found["slope_is_q_minus_p"], found["value_by_hand"]) > bugs / 2


@headline(
    13,
    "Under most bugs equal models still have loss 0; one gradient, or one value by hand, finds most.",
)
def test_13_1_other_bugs():
    """Rival: it is the thirteen bugs of the chapter. Here are those that the suite plants."""
    student, teacher = random_logits(2, 2, 1, 6, seed=3)
    planted = [m.wrong for m in MISTAKES if m.right is distillation]

    def with_slope(loss, here, target):
        here, target = here.clone().requires_grad_(), target.clone()
        value = loss(here, target)
        if not value.requires_grad:
            return value, torch.zeros_like(here)
        return value.detach(), torch.autograd.grad(value, here)[0]

    zero, slope, value, asked = 0, 0, 0, 0
    right = with_slope(distillation, student, teacher)
    for wrong in planted:
        try:
            seen = with_slope(wrong, student, teacher)
            at_equal = wrong(teacher, teacher)
        except (TypeError, RuntimeError):  # it takes a mask, a temperature or rows
            continue
        asked += 1
        zero += not torch.allclose(at_equal, torch.zeros_like(at_equal), atol=1e-6)
        value += not torch.allclose(seen[0].double(), right[0], atol=1e-6)
        slope += not torch.allclose(seen[1].double(), right[1], atol=1e-6)
    assert asked >= 12
    assert zero < asked / 2 < min(slope, value)


def kl(student, teacher):
    return forward_kl(teacher.log_softmax(-1), student.log_softmax(-1))


def by_batches(sizes, seed):
    """The mean of the batches' means, and that of the tokens."""
    losses = kl(*random_logits(2, sum(sizes), 5, seed=seed))
    return torch.stack([part.mean() for part in losses.split(sizes)]).mean(), losses.mean()


def at_temperature(T, seed):
    """Without T², and with it."""
    losses = kl(*(random_logits(2, 4, 5, seed=seed) / T)).mean()
    return losses, T**2 * losses


def padded(mask, seed):
    """Over all places, and over the real ones."""
    losses = kl(*random_logits(2, len(mask), 5, seed=seed))
    return losses.mean(), losses[torch.tensor(mask)].mean()


def far_off(shift, seed):
    """The softmax as it is defined, and a ready one."""
    logits = random_logits(5, seed=seed) + shift
    return logits.exp() / logits.exp().sum(), logits.softmax(-1)


@headline(
    13,
    "A silent bug shows on a small input: sizes that differ, a temperature other than 1, padding on "
    "both sides, logits far from zero.",
)
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(
    ("bug", "ordinary", "telling"),
    [
        (by_batches, [4, 4], [1, 7]),
        (at_temperature, 1.0, 2.0),
        (padded, [True] * 4, [False, True, True, False]),
        (far_off, 0.0, 1000.0),
    ],
)
def test_13_2_ordinary_inputs_hide_it(bug, ordinary, telling, seed):
    """Rival: any small input shows such a bug, also one of equal sizes at temperature 1."""
    assert torch.allclose(*bug(ordinary, seed))
    assert not torch.allclose(*bug(telling, seed), rtol=0.001)


@headline(
    13,
    "`F.kl_div` of two probabilities makes a copy of the teacher's favourite out of a perfect student.",
)
@pytest.mark.parametrize("seed", range(10))
def test_13_5_other_teachers(seed):
    """Rival: it is that teacher; a teacher with another favourite or more words keeps its student."""
    log_p = (0.7 * random_logits(4 + seed % 3, seed=seed)).log_softmax(-1)
    z = log_p.clone().requires_grad_()
    div = torch.nn.functional.kl_div
    losses = fit([z], lambda: div(z.softmax(-1), log_p.exp(), reduction="sum"), 3000, 0.1)
    q = z.detach().softmax(-1)
    assert q.argmax() == log_p.argmax() and q.max() > 0.99 and losses[-1] < 0


def truncated(log_p, k, reverse):
    """The least of a KL over the k likeliest words, by training, and the student's mass on them."""
    top = log_p.topk(k).indices
    z = log_p.clone().requires_grad_()

    def loss():
        log_q = z.log_softmax(-1)
        one, other = (log_q, log_p) if reverse else (log_p, log_q)
        return (one[top].exp() * (one[top] - other[top])).sum()

    losses = fit([z], loss, 2000, 0.05)
    return losses[-1], z.detach().softmax(-1)[top].sum(), log_p.exp()[top].sum()


@headline(13, "A KL over the teacher's likeliest words alone has its minimum below zero.")
@pytest.mark.parametrize("k", [2, 5, 20])
@pytest.mark.parametrize("seed", range(4))
def test_13_9_reverse_kl_over_the_top_ends_below_zero(k, seed):
    """Rival: the steps are too few, or the student began far from its teacher. It begins there."""
    log_p = random_logits(60, seed=seed).log_softmax(-1)
    loss, left, had = truncated(log_p, k, reverse=True)
    assert math.isclose(loss, -had / math.e, abs_tol=2e-3)
    assert math.isclose(left, had / math.e, abs_tol=2e-2)
    loss, left, had = truncated(log_p, k, reverse=False)
    assert math.isclose(loss, had * math.log(had), abs_tol=2e-2) and left > had


@headline(
    13,
    "One slot for the rest puts it back to zero; to a real student it gives calibration, and no "
    "lower loss.",
)
@pytest.mark.parametrize("k", [2, 5, 20])
def test_13_9_the_slot_is_a_divergence(k):
    """Rival: with the slot the value may still be negative, or positive at a perfect match."""
    for seed in range(10):
        log_p, log_q = random_logits(2, 60, seed=seed).log_softmax(-1)
        kept = with_tail(log_p, k)
        assert abs(kept.divergence(log_p)) < 1e-9
        assert 0 < kept.divergence(log_q) < forward_kl(log_p, log_q)


@headline(
    13,
    "One slot for the rest puts it back to zero; to a real student it gives calibration, and no "
    "lower loss.",
)
def test_13_9_the_slot_in_five_trainings():
    """Rival: what repairs the toy repairs a language model, too; or one seed says so."""
    numbers = shipped("sampled-targets")["numbers"]
    cut, slot, drawn = (numbers[arm] for arm in ("likeliest", "likeliest and rest", "drawn"))
    assert all(a < b for a, b in zip(slot["calibration"], cut["calibration"]))
    assert sum(slot["loss"]) > sum(cut["loss"]) > sum(drawn["loss"])
    assert max(drawn["loss"]) < min(slot["loss"])
    assert sum(drawn["calibration"]) < sum(slot["calibration"])


def classroom():
    names = museum("guide", "bpe", "end", "messages")
    return names, names["messages"].test


@headline(13, "Read beyond the length of its training, a teacher may fail without a word.")
def test_13_8_other_texts_and_lengths(recwarn, capfd):
    """Rival: the second half of a text is harder, or it is these messages."""
    names, documents = classroom()
    made = names["make_blocks"](documents, names["bpe"], 448, names["end"]).ids[:-1]
    blocks = made[5 :: len(made) // 10][:10]
    at_once = names["nats"](blocks)
    early = at_once[:, 64:256].mean()
    fresh = names["nats"](blocks[:, 192:])[:, 64:]  # the same last tokens, read from 192 on
    late = at_once[:, 256:]
    assert late.mean() > fresh.mean() + 0.3
    assert abs(fresh.mean() - early) < 0.3
    assert not [w for w in recwarn if "position" in str(w.message)]
    assert "position" not in "".join(capfd.readouterr())


@headline(
    13,
    "A truncated text leaves the loss per token where it was and makes the bits per byte a dream.",
)
@pytest.mark.parametrize("length", [300, 800])
def test_13_11_other_truncations(length):
    """Rival: it is these two messages, or the length of 512."""
    names, documents = classroom()
    names = {**names}
    names["messages_two"] = [d.text[8_000:22_000] for d in documents[1:3]]
    cut = names["Tokenizer"].from_str(names["bpe"].to_str())
    cut.enable_truncation(length)
    found = {}
    for name, tokenizer in (("cut", cut), ("whole", names["bpe"])):
        encoded = [tokenizer.encode(text).ids for text in names["messages_two"]]
        rows = torch.cat([torch.tensor(ids).unfold(0, 257, 256) for ids in encoded])
        loss = names["nats"](rows).mean().item()
        size = sum(len(text.encode()) for text in names["messages_two"])
        found[name] = loss, loss * sum(map(len, encoded)) / size / math.log(2)
    assert abs(found["cut"][0] - found["whole"][0]) < 0.4
    assert found["cut"][1] < found["whole"][1] / 2


@headline(13, "A lead over a control of the same size can be a lead that counting has too.")
def test_13_11_every_training_and_longer_counts():
    """Rival: one seed, an untuned control, or pairs that happen to be lucky."""
    record = shipped("dark-knowledge")
    taught, alone = (record["numbers"][arm]["loss"] for arm in ("teacher", "text"))
    tuned = record["tuning"]["text"]
    assert float(min(tuned, key=tuned.get)) == record["rates"]["text"]
    lesson, test = pocket.lesson(96), pocket.text().test
    for order in (2, 3):
        table = NGram.fit(lesson.ids, lesson.mask, 4096, order)
        counted = table.nll(test.ids, test.mask).sum() / test.predicted_tokens
        for with_teacher, without in zip(taught, alone):
            assert without > counted
            assert without - with_teacher > 3 * (counted - with_teacher)


@headline(
    13,
    "An interval over blocks calls two trainings of one recipe different far too often.",
)
@pytest.mark.parametrize("stories", [60, 200])
def test_13_11_other_worlds_and_longer_trainings(stories):
    """Rival: it is that world or its sixty stories; or no interval keeps its promise here."""
    names = {**museum()}
    worlds = [random_world("a b c d .", seed=8), random_world("a b .", seed=9), story_world()]
    over = {"over stories": 0.0, "over trainings": 0.0}
    for world in worlds:
        exam = world.sample(2000, seed=999).tokens
        losses = torch.stack(
            [
                -names["sequence_log_probs"](names["learned"](world, seed, stories), exam)
                for seed in range(10)
            ]
        )
        for name, (said, of) in names["told_apart"](losses).items():
            over[name] += float(said) / of / len(worlds)
    assert over["over stories"] > 0.15
    assert over["over trainings"] < 0.1
