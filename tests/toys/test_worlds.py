"""The toy languages: their words, contexts and samples, and their exact ways to be wrong."""

import math
from collections import Counter

import numpy as np
import pytest
import torch
from story import CONTEXTS, STORY, close, rows

from kdlib.losses.divergences import entropy, total_variation
from kdlib.toys.students import LowRankStudent, TabularStudent, TinyTransformer
from kdlib.toys.worlds import confused, flip_labels, label_noise, mix, random_world

# ---------------------------------------------------------------- the story world


@pytest.mark.parametrize("context", CONTEXTS)
def test_rows_are_distributions_without_a_loose_end(context):
    p = rows(STORY, context)
    assert p.shape == (24, 24) and np.allclose(p.sum(axis=1), 1, rtol=0, atol=1e-12)
    reached = {STORY.eos_id}
    for _ in range(24):
        reached |= {int(j) for i in reached for j in p[i].nonzero()[0]}
    assert len(reached) == 24
    assert p[STORY.eos_id, STORY.eos_id] == 0  # no empty story


def test_words_say_what_the_table_says():
    p = dict(STORY.next_words("every brave"))
    assert p == pytest.approx({"child": 4 / 11, "fox": 3 / 11, "sailor": 3 / 11, "owl": 1 / 11})
    assert [*p][0] == "child" and [*p][-1] == "owl"
    assert STORY.next_words(top=2) == [("the", pytest.approx(0.8)), ("every", pytest.approx(0.2))]


def test_each_context_word_multiplies_the_odds():
    def odds(context):
        words = dict(STORY.next_words("a", context, top=24))
        return words["golden"] / words["boat"]

    assert odds("") == pytest.approx(2 / 3)
    assert odds("plain") == pytest.approx(0.1 * 2 / 3)
    assert odds("sea") == pytest.approx(2 / 3 / 5)
    assert odds("plain sea") == pytest.approx(0.1 * 2 / 3 / 5)
    assert STORY.log_rows("plain sea").equal(STORY.log_rows("sea plain"))
    assert STORY.log_rows(None).equal(STORY.log_rows(""))


def test_instructions_do_what_their_names_say():
    length = {context: STORY.visits(context).sum().item() for context in ("plain", "", "ornate")}
    assert length["plain"] < length[""] - 1 < length["ornate"] - 2
    assert STORY.entropy("plain fox") < STORY.entropy("fox") < STORY.entropy("ornate fox")
    stories = STORY.text(STORY.sample(400, "plain fox").tokens)
    assert sum("fox" in story for story in stories) > 340
    assert sum("golden" in story for story in stories) < 40


def test_text_and_ids_are_inverse_and_stop_at_the_full_stop():
    text = "the brave fox finds a golden lantern ."
    ids = STORY.ids(text)
    assert STORY.text(ids) == text
    assert STORY.text(torch.stack([ids, ids.flip(0)])) == [text, "."]
    assert STORY.text(ids[:3]) == "the brave fox"
    assert STORY.text(torch.cat([ids, ids])) == text


def test_unknown_words_are_named():
    with pytest.raises(
        ValueError, match=r"text is 'the dog': unknown \['dog'\]; the words allowed here are: . the"
    ):
        STORY.ids("the dog")
    for model in (
        STORY,
        TabularStudent(STORY),
        LowRankStudent(STORY, 2),
        TinyTransformer(STORY, 8),
    ):
        with pytest.raises(
            ValueError, match=r"context is 'plain dog': unknown \['dog'\].*plain ornate sea forest"
        ):
            model.next_log_probs(STORY.ids("the")[None], "plain dog")
    with pytest.raises(ValueError, match="the words allowed here are: none"):
        random_world().log_rows("fox")


def test_samples_repeat_with_the_seed_and_follow_the_rows():
    first, again, other = (STORY.sample(3000, "fox", seed=s) for s in (1, 1, 2))
    assert first.tokens.equal(again.tokens) and not first.tokens.equal(other.tokens)
    follows = STORY.transition_counts(first)
    share = follows / follows.sum(dim=1, keepdim=True)
    common = follows.sum(dim=1) > 1000
    assert common.sum() >= 4
    assert (share - STORY.log_rows("fox").exp())[common].abs().max() < 0.05
    assert abs(first.lengths.double().mean() - STORY.visits("fox", 20).sum()) < 0.25


def test_datasets_are_samples_for_each_context():
    data = STORY.dataset(["plain fox", "plain owl"], 200, length=9, seed=3)
    assert [*data] == ["plain fox", "plain owl"]
    assert data["plain owl"].tokens.shape == (200, 9)
    assert sum("owl" in story for story in STORY.text(data["plain owl"].tokens)) > 150
    again = STORY.dataset(["plain fox", "plain owl"], 200, length=9, seed=3)
    assert data["plain owl"].tokens.equal(again["plain owl"].tokens)


def test_transition_counts_are_what_a_counter_counts():
    stories = STORY.sample(30, "sea")
    expected = Counter()
    for story in STORY.text(stories.tokens):
        words = story.split()
        expected.update(zip([".", *words], words))
    counts = STORY.transition_counts(stories)
    found = {
        (STORY.words[i], STORY.words[j]): counts[i, j].item() for i, j in counts.nonzero().tolist()
    }
    assert found == expected
    labels = torch.full_like(stories.tokens, 5)
    noisy = STORY.transition_counts(stories, labels)
    close(noisy.sum(dim=1), counts.sum(dim=1), 0)
    assert noisy[:, 5].sum() == noisy.sum() == stories.lengths.sum()


# ---------------------------------------------------------------- ways to be wrong


@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_label_noise_is_exact(rate):
    clean, noisy = rows(STORY, "fox"), rows(STORY.with_label_noise(rate), "fox")
    flip = np.full((24, 24), rate / 23)
    np.fill_diagonal(flip, 1 - rate)
    assert np.allclose(noisy, clean @ flip, rtol=0, atol=1e-12)


def test_flipped_labels_follow_the_noisy_distribution():
    n, generator = 200_000, torch.Generator().manual_seed(0)
    p = torch.tensor([0.6, 0.3, 0.1, 0.0], dtype=torch.float64)
    labels = torch.multinomial(p, n, replacement=True, generator=generator)
    flipped = flip_labels(labels, 0.4, 4, generator)
    assert abs((flipped != labels).double().mean() - 0.4) < 0.005
    close(flipped.bincount(minlength=4) / n, label_noise(p.log(), 0.4).exp().float(), 0.005)
    assert flip_labels(labels.view(2, -1), 0.0, 4, generator).equal(labels.view(2, -1))
    assert (flip_labels(labels, 1.0, 4, generator) != labels).all()


@pytest.mark.parametrize("strength", [0.0, 0.25, 1.0])
def test_bias_is_an_exact_mixture_and_the_same_every_time(strength):
    p, wrong = rows(STORY, "fox"), rows(random_world(" ".join(STORY.words), seed=5))
    towards = torch.tensor(wrong).log()
    expected = (1 - strength) * p + strength * wrong
    assert np.allclose(
        rows(STORY.with_bias(strength, towards), "fox"), expected, rtol=0, atol=1e-12
    )
    expected = (1 - strength) * p + strength * confused(STORY.log_rows("fox")).exp().numpy()
    assert np.allclose(rows(STORY.with_bias(strength), "fox"), expected, rtol=0, atol=1e-12)


def test_confused_rows_keep_the_grammar_and_lose_the_odds():
    clean, wrong = STORY.log_rows("fox").exp(), confused(STORY.log_rows("fox")).exp()
    assert ((clean > 0) == (wrong > 0)).all()
    close(clean.sort(dim=1).values, wrong.sort(dim=1).values, 0)
    choices = (clean > 0).sum(dim=1)
    close(wrong[choices == 1], clean[choices == 1], 0)
    assert total_variation(clean.log(), wrong.log())[STORY.ids("the")].item() > 0.5
    distance = [STORY.kl(STORY.with_bias(strength), "fox").item() for strength in (0.0, 0.3, 0.6)]
    assert distance[0] == 0 and distance[1] > 0.1 and distance[2] > 2 * distance[1]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_temperature_keeps_the_order_and_moves_the_confidence(temperature):
    p = rows(STORY, "fox")
    expected = p ** (1 / temperature)
    found = STORY.with_temperature(temperature)
    assert np.allclose(
        rows(found, "fox"), expected / expected.sum(axis=1, keepdims=True), rtol=0, atol=1e-12
    )
    gap = (entropy(found.log_rows("fox")) - entropy(STORY.log_rows("fox"))).sum().item()
    assert np.sign(round(gap, 9)) == np.sign(temperature - 1)


def test_corruptions_combine_and_stay_worlds():
    world = STORY.with_temperature(2).with_bias(0.1).with_label_noise(0.2).smoothed(0.05)
    p = rows(world, "plain owl")
    assert np.allclose(p.sum(axis=1), 1, rtol=0, atol=1e-12) and p.min() > 0.05 / 24 * 0.99
    assert (world.words, world.eos_id, world.context_words) == (
        STORY.words,
        STORY.eos_id,
        STORY.context_words,
    )
    assert world.sample(5, "owl").tokens.shape == (5, 20)


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_mix_is_a_mixture(weight):
    p, w = torch.tensor([0.5, 0.5, 0.0]).double(), torch.tensor([0.0, 0.2, 0.8]).double()
    close(mix(p.log(), w.log(), weight).exp(), (1 - weight) * p + weight * w)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: STORY.with_label_noise(1.2), "rate is 1.2: it must lie between 0 and 1"),
        (lambda: STORY.with_bias(-0.1), "strength is -0.1"),
        (lambda: STORY.smoothed(2), "weight is 2"),
        (lambda: STORY.with_temperature(0), "temperature is 0: it must be above 0"),
        (lambda: STORY.with_temperature(math.nan), "temperature is nan"),
        (lambda: mix(torch.zeros(1), torch.zeros(1), -1), "weight is -1"),
        (lambda: label_noise(torch.zeros(1), 7), "rate is 7"),
        (lambda: flip_labels(torch.zeros(1), 7, 3, torch.Generator()), "rate is 7"),
        (lambda: LowRankStudent(STORY, 0), "rank is 0"),
        (
            lambda: TinyTransformer(STORY, 10, heads=3),
            "heads is 3 and does not divide width, which is 10",
        ),
        (
            lambda: STORY.kl(TinyTransformer(STORY, 8, max_words=3), length=4),
            "4 positions.*max_words=3",
        ),
        (lambda: STORY.with_temperature(math.inf), "temperature is inf"),
        (lambda: STORY.visits(length=0), "length is 0"),
        (lambda: STORY.kl(random_world()), "student.vocab_size is 4, teacher.vocab_size is 24"),
        (lambda: STORY.kl(TabularStudent(STORY), along="x"), "along is 'x'"),
        (lambda: random_world("a b"), "eos is '.': it must be one of the words, a b"),
    ],
)
def test_errors_name_the_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call()
