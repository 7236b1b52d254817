"""The rivals of chapter 11: other languages and features, other pairs, and what the records say."""

from statistics import fmean

import pytest
import torch
from rivals.headlines import headline

from kdlib.claims.record import shipped
from kdlib.claims.registry import claim
from kdlib.losses.divergences import forward_kl, total_variation
from kdlib.losses.spans import bernoulli_kl
from kdlib.sequences.speculative import speculative_pass
from kdlib.toys.worlds import random_world

NAMES = "a b c d e f g h i j k ."


def leads(name):
    """The intervals of a record, by the words of the rule."""
    return claim(name).intervals(shipped(name)["numbers"])


def losses(name, arm, measure="loss"):
    return shipped(name)["numbers"][arm][measure]


def languages(first, scale=1.5):
    return torch.stack(
        [random_world(NAMES, seed=first + n, scale=scale).log_rows() for n in range(10)]
    )


@headline(
    11,
    "With its teacher a student gains by reading the same text again; without one it learns that "
    "text by heart.",
)
def test_11_1_patience_without_a_teacher():
    """Rival: whoever reads for longer gains, with a teacher or not."""
    found = leads("patience")
    assert found["loss: taught, patient better than taught by more than 0.1"].low > 0.1
    assert found["loss: alone, patient better than alone"].high < 0.1
    assert found["loss: taught, patient better than alone, patient"].low > 0.1


@headline(
    11,
    "As many steps on text that it has not read before, without a teacher, end as low as patience "
    "with one, as far as five trainings tell.",
)
def test_11_1_new_text_is_a_rival():
    """Rival: patience with a teacher beats everything that needs none."""
    lead = leads("patience")["loss: taught, patient better than alone, new text"]
    assert lead.low < 0 < lead.high
    assert len(shipped("patience")["seeds"]) == 5


@headline(
    11,
    "At equal operations the teacher wins on little text; on much of it a student that reads all of "
    "it once with its teacher loses to one without, and one that reads a part of it with its teacher, "
    "in more steps, wins. From that one, three trainings cannot tell a student that reads fifteen "
    "times as much new text alone.",
)
@headline(
    11,
    "On the smallest lessons the teacher is worth more than half a nat; on the largest, the student "
    "without one is ahead, in every training.",
)
def test_11_2_the_lines_cross_once():
    """Rival: the teacher leads at every size, or at none; or one training decides."""
    sizes = [int(size) for size in claim("crossover").settings["sizes"]]
    taught, alone = ([losses("crossover", f"{who} {size}") for size in sizes]
                     for who in ("taught", "alone"))  # fmt: skip
    ahead = [[b - a for a, b in zip(*pair)] for pair in zip(taught, alone)]
    assert all(lead > 0.5 for size in ahead[:2] for lead in size)
    assert all(lead < 0 for lead in ahead[-1])
    means = [sum(each) / len(each) for each in ahead]
    assert means == sorted(means, reverse=True)
    found = leads("crossover")
    assert found["loss: alone 1536 better than split 768"].high < 0
    assert found["loss: split 384 better than alone 1536"].low > 0
    new = found["loss: new 11784 better than split 768"]
    assert new.low < 0 < new.high


def _taught_by(log_p, features, steps=200):
    weights = torch.zeros(
        len(log_p), features.shape[-1], log_p.shape[-1], dtype=log_p.dtype, requires_grad=True
    )
    optimizer = torch.optim.LBFGS([weights], max_iter=steps, line_search_fn="strong_wolfe")

    def loss():
        optimizer.zero_grad()
        value = forward_kl(log_p, (features @ weights).log_softmax(-1)).mean()
        value.backward()
        return value

    optimizer.step(loss)
    return (features @ weights).log_softmax(-1).detach()


@headline(
    11,
    "In the loss no teacher beats the truth, for a student that is trained to the end; in the "
    "favourite word a sharper teacher does, although it is the worse one.",
)
@pytest.mark.parametrize(("first", "count"), [(100, 1), (100, 3), (200, 5)])
def test_11_3_which_exam(first, count):
    """Rival: it is this set of languages, or this number of features."""
    truth = languages(first)
    draws = torch.Generator().manual_seed(first)
    features = torch.randn(10, truth.shape[1], 1 + count, generator=draws, dtype=truth.dtype)
    features[..., 0] = 1.0
    students, teachers = {}, {}
    for temperature in (0.25, 0.5, 1.0, 2.0):
        teachers[temperature] = (truth / temperature).log_softmax(-1)
        students[temperature] = _taught_by(teachers[temperature], features)
    nats = {t: forward_kl(truth, q).mean(-1) for t, q in students.items()}
    right = {t: (q.argmax(-1) == truth.argmax(-1)).double().mean() for t, q in students.items()}
    assert all((nats[1.0] <= nats[t] + 1e-4).all() for t in nats)
    assert right[0.25] == max(right.values()) > right[1.0]
    worst = max(teachers, key=lambda t: forward_kl(truth, teachers[t]).mean())
    assert worst == 0.25


@headline(
    11,
    "On little text the best reader is not the best teacher, neither of a narrow student nor of a "
    "wide one; with more text it is.",
)
def test_11_3_is_it_capacity():
    """Rival: it is the student that is too small; or the better reader teaches better everywhere."""
    found = leads("capacity-gap")
    assert found["loss: wide, shipped better than wide, small"].high < 0
    for student in ("narrow", "wide"):
        assert found[f"loss: {student}, three blocks better than {student}, shipped"].low > 0
    own = {t: losses("capacity-gap", f"wide, {t}", "teacher's loss")[0]
           for t in ("shipped", "three blocks", "two half blocks", "small")}  # fmt: skip
    assert list(own.values()) == sorted(own.values())
    found = leads("lesser-teacher")
    assert found["loss: little, small better than little, shipped"].low > 0
    assert found["loss: little, longer, small better than little, longer, shipped"].low > 0
    assert found["loss: more, shipped better than more, small"].low > 0.3


@headline(
    11,
    "A student of its teacher's own shape comes to agree with it, given time, text and a good start.",
)
def test_11_4_what_stood_between_them():
    """Rival: a rest of disagreement stays, whatever is done; or one of the three does nothing."""
    found = leads("fidelity")
    assert found["disagreement on its lesson: above 0.1 for patient"].high < 0.1
    assert found["disagreement on its lesson: patient better than teacher's shape"].low > 0.1
    assert found["agreement: patient, more text better than patient"].low > 0
    assert found["agreement: begun near it better than teacher's shape"].low > 0.1
    patient = losses("fidelity", "patient, more text")
    teacher = losses("fidelity", "patient, more text", "teacher's loss")
    assert all(abs(mine - theirs) < 0.02 for mine, theirs in zip(patient, teacher))


@headline(
    11,
    "Distributions teach more than words, on whosever texts they stand; the teacher's words alone "
    "teach as given words do.",
)
def test_11_5_whose_texts():
    """Rival: the teacher's own texts are the better lesson, plainer or nearer to what it knows."""
    found = leads("sequence-level")
    assert found["loss: written, its words better than given, soft"].high < -0.3
    assert found["loss: given, soft better than given, its words"].low > 0.3
    for rule in ("loss: written, its words better than given, its words",
                 "loss: written, soft better than given, soft"):  # fmt: skip
        assert max(abs(found[rule].low), abs(found[rule].high)) < 0.1


@headline(
    11,
    "On additions with right answers, five trainings cannot tell whether a teacher helps: within "
    "each arm they differ by more than the arms do.",
)
def test_11_9_five_ways_to_learn_answers():
    """Rival: one of the arms is ahead, and the rates or the steps hide it."""
    assert all(found.low < 0 < found.high for found in leads("four-arms").values())
    numbers = [losses("four-arms", arm, "right") for arm in claim("four-arms").arms]
    means = [fmean(each) for each in numbers]
    assert min(max(each) - min(each) for each in numbers) > max(means) - min(means)
    for rates in shipped("four-arms")["tuning"].values():  # no arm's best rate ends its sweep
        assert min(rates, key=rates.get) == list(rates)[1]


@headline(
    11,
    "In speculative sampling the draft decides how fast a text comes, not which language it is in.",
)
@pytest.mark.parametrize("scale", [0.5, 3.0])
def test_11_6_what_comes_out(scale):
    """Rival: a bad draft shines through."""
    target, draft = (random_world(NAMES, seed=s, scale=scale).smoothed(0.01) for s in (5, 6))
    rows = 20_000
    texts = torch.zeros(rows, 1, dtype=torch.int64)
    found = {}
    for name, model in {"other": draft, "same": target}.items():
        passed = speculative_pass(target, model, texts, 3, torch.Generator().manual_seed(1))
        out = passed.tokens[:, 0].bincount(minlength=target.vocab_size) / rows
        found[name] = (out, passed.accepted.double().mean())
    law, wrong = (world.next_log_probs(texts[:1])[0] for world in (target, draft))
    for out, _ in found.values():
        assert total_variation(out.log(), law) < 0.02 < total_variation(wrong, law)
    assert found["same"][1] == 3 > found["other"][1] + 0.5


@headline(
    11,
    "A draft that has learned from its target is kept more often than one that has learned from "
    "text; after a short training a table of counts is kept as often, after a long one it is not.",
)
def test_11_6_counting_drafts_too():
    """Rival: only what was trained on the target is worth drafting with."""
    found = leads("drafts")
    assert found["kept: forward KL better than alone, equal compute"].low > 0
    assert found["kept: forward KL better than alone"].low > 0
    counts = found["kept: forward KL better than counts"]
    assert counts.low < 0 < counts.high and counts.value < 0.05
    assert found["kept: forward KL, patient better than counts"].low > 0.1


@headline(
    11,
    "A student that is cut out of its teacher and reads on alone is far ahead of a new one that has "
    "the teacher. After the cut the teacher still helps, and four times the text in four times the "
    "steps, without it, comes close.",
)
def test_11_7_what_is_kept_and_what_is_taught():
    """Rival: the teaching does it, and new weights would do; or the kept weights do it all."""
    found = leads("pruned")
    assert claim("pruned").verdict(shipped("pruned")["numbers"]) == "reproduced"
    assert found["loss: pruned, alone better than new, taught"].low > 1
    assert found["loss: pruned, taught better than pruned, alone"].low > 0.2
    assert 0 < found["loss: pruned, taught better than pruned, alone, more"].high < 0.1


@headline(11, "The coins of two cuts keep a small part of what two distributions differ by.")
@pytest.mark.parametrize("scale", [0.5, 1.5, 3.0])
@pytest.mark.parametrize("share", [0.05, 0.5])
def test_11_8_what_the_coins_keep(scale, share):
    """Rival: it is this language, or this distance between the two."""
    truth, other = languages(300, scale), languages(400, scale)
    student = ((1 - share) * truth.exp() + share * other.exp()).log()
    whole = forward_kl(truth, student).mean()
    coins = (truth.exp() * bernoulli_kl(truth, student)).sum(-1).mean()
    assert 0 < coins < 0.4 * whole
