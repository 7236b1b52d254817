"""The toy worlds and their students: all that is said to be exact, against enumeration or NumPy."""

import math
from collections import Counter

import numpy as np
import pytest
import torch

from kdlib import sequence_losses as losses
from kdlib import sequences as sq
from kdlib.divergences import (
    cross_entropy,
    entropy,
    forward_kl,
    jensen_shannon,
    reverse_kl,
    total_variation,
)
from kdlib.markov import MarkovModel
from kdlib.toy_students import (
    LowRankStudent,
    OnePeak,
    TabularStudent,
    TinyTransformer,
    fit,
    one_peak,
    two_peaks,
)
from kdlib.worlds import World, confused, flip_labels, label_noise, mix, random_world, story_world

STORY = story_world()
EXACT = {"rel": 0, "abs": 1e-12}
CONTEXTS = ["", "fox", "plain fox", "ornate owl", "sea child", "forest sailor"]


def rows(world, context=None):
    """The transition matrix as plain NumPy probabilities."""
    return world.log_rows(context).exp().numpy()


def close(a, b, tolerance=1e-12):
    torch.testing.assert_close(a, b, rtol=0, atol=tolerance)


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


# ---------------------------------------------------------------- what is exact


@pytest.mark.parametrize("context", CONTEXTS)
def test_visits_satisfy_their_equation_and_are_the_limit_of_short_stories(context):
    p, visits = rows(STORY, context), STORY.visits(context).numpy()
    goes_on = p.copy()
    goes_on[:, STORY.eos_id] = 0
    start = np.eye(24)[STORY.eos_id]
    assert np.allclose(visits, start + visits @ goes_on, rtol=0, atol=1e-12)
    assert (visits @ p)[STORY.eos_id] == pytest.approx(1, **EXACT)  # every story ends once
    assert STORY.visits(context, 300).numpy() == pytest.approx(visits, rel=0, abs=1e-9)
    assert STORY.visits(context, 1).tolist() == start.tolist()


@pytest.mark.parametrize("length", [1, 2, 4, 6])
def test_entropy_and_kl_are_those_of_enumerated_stories(length):
    stories = sq.enumerate_sequences(STORY, length, "sea fox", possible_only=True)
    p, log_p = stories.log_probs.exp().numpy(), stories.log_probs.numpy()
    log_q = sq.sequence_log_probs(STORY, stories.tokens, "fox").numpy()
    assert p.sum() == pytest.approx(1, **EXACT)
    options = {"student_context": "fox", "length": length}
    assert STORY.entropy("sea fox", length).item() == pytest.approx(-(p * log_p).sum(), **EXACT)
    assert STORY.kl(STORY, "sea fox", **options).item() == pytest.approx(
        (p * (log_p - log_q)).sum(), **EXACT
    )
    assert STORY.cross_entropy(STORY, "sea fox", **options).item() == pytest.approx(
        -(p * log_q).sum(), **EXACT
    )


@pytest.mark.parametrize("divergence", [cross_entropy, forward_kl, reverse_kl, jensen_shannon])
@pytest.mark.parametrize("along", ["teacher", "student"])
def test_markov_and_chain_rule_agree(divergence, along):
    teacher, student = STORY.smoothed(0.1), LowRankStudent(STORY, 2)
    expected = losses.chain_rule_loss(
        teacher,
        student,
        3,
        divergence,
        teacher_context="plain fox",
        student_context="owl",
        along=along,
    )
    options = {"student_context": "owl", "length": 3, "along": along}
    close(teacher.expected_loss(student, divergence, "plain fox", **options), expected)


def test_whole_stories_are_the_limit_and_obey_ce_is_kl_plus_h():
    teacher, student = random_world(seed=1), random_world(seed=2)
    kl, ce = teacher.kl(student), teacher.cross_entropy(student)
    close(kl, teacher.kl(student, length=400), 1e-9)
    close(ce, kl + teacher.entropy())
    close(student.kl(teacher), teacher.expected_loss(student, reverse_kl, along="student"))
    assert teacher.kl(teacher).item() == 0


def test_a_student_that_remembers_is_measured_over_all_prefixes():
    student = TinyTransformer(STORY, 8)
    with pytest.raises(ValueError, match="length is None and the student remembers"):
        STORY.kl(student, "fox")
    stories = sq.enumerate_sequences(STORY, 4, "plain fox", possible_only=True)
    gap = stories.log_probs - sq.sequence_log_probs(student, stories.tokens, "fox")
    close(
        STORY.kl(student, "plain fox", student_context="fox", length=4),
        (stories.log_probs.exp() * gap).sum(),
    )
    assert STORY.kl(student, "plain fox", length=4) != STORY.kl(
        student, "plain fox", student_context="", length=4
    )


def test_the_best_story_is_found_among_the_possible_ones():
    assert sq.count_sequences(24, 8) > 1e10
    best = sq.best_sequence(STORY, 8, "plain fox")
    stories = sq.enumerate_sequences(STORY, 8, "plain fox", possible_only=True)
    assert best.log_prob == stories.log_probs.max()
    assert STORY.text(best.tokens) == "the fox follows a shell ."


def test_impossible_words_make_the_kl_infinite_in_one_direction_only():
    student = TabularStudent(STORY)
    assert STORY.kl(student, "fox").isfinite()
    assert STORY.expected_loss(student, reverse_kl, "fox").item() == math.inf
    assert STORY.smoothed(0.01).expected_loss(student, reverse_kl, "fox").isfinite()


def test_states_that_are_never_met_do_not_count():
    def world(after_b):
        p = torch.tensor([[0.5, 0, 0.5], after_b, [1, 0, 0]], dtype=torch.float64)
        return World(("a", "b", "."), lambda _: p.log())

    teacher, student = world([1.0, 0.0, 0.0]), world([0.0, 0.0, 1.0])
    assert teacher.visits().tolist() == [2, 0, 1]
    assert teacher.kl(student).item() == 0  # they differ after b, infinitely, where nobody comes


@pytest.mark.parametrize("leak", [0.0, 1e-13])
def test_stories_that_never_end_need_a_length(leak):
    p = torch.tensor([[0.5, 0.5 - leak, leak], [0.5, 0.5, 0], [1, 0, 0]], dtype=torch.float64)
    endless = World(("a", "b", "."), lambda _: p.log())
    with pytest.raises(ValueError, match="length is None and stories in context None never end"):
        endless.entropy()
    assert endless.visits(length=7).sum().item() == pytest.approx(7)


def test_a_markov_model_must_say_its_rows():
    with pytest.raises(NotImplementedError):
        MarkovModel().log_rows()


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


# ---------------------------------------------------------------- students


STUDENTS = {
    "tabular": TabularStudent,
    "low-rank": lambda world, seed=0: LowRankStudent(world, 3, seed),
    "transformer": lambda world, seed=0: TinyTransformer(world, 8, layers=2, seed=seed),
}


@pytest.mark.parametrize("make", STUDENTS.values(), ids=STUDENTS)
def test_students_are_distributions_over_sequences(make):
    student = make(random_world())
    y = sq.enumerate_sequences(student, 4)
    assert y.log_probs.exp().sum().item() == pytest.approx(1, **EXACT)
    close(sq.sequence_log_probs(student, y.tokens), y.log_probs)  # one pass and step by step agree


@pytest.mark.parametrize("make", STUDENTS.values(), ids=STUDENTS)
def test_students_learn_and_read_the_context(make):
    student = make(STORY)
    data = STORY.dataset(["fox", "owl"], 40, length=8)

    def loss():
        return -sum(sq.sequence_log_probs(student, y.tokens, c).mean() for c, y in data.items()) / 2

    curve = fit(student, loss, 60, 0.05)
    assert len(curve) == 60 and curve[-1] < 0.5 * curve[0]
    said = {c: dict(STORY.next_words("the", c, 24)) for c in ("fox", "owl")}
    for c in said:
        p = student.next_log_probs(STORY.ids("the")[None], c)[0].exp()
        assert p[STORY.ids(c)].item() == pytest.approx(said[c][c], abs=0.15)


@pytest.mark.parametrize("make", [STUDENTS["low-rank"], STUDENTS["transformer"]])
def test_students_are_made_from_their_seed_alone(make):
    before = torch.random.get_rng_state()
    first, again, other = make(STORY, seed=1), make(STORY, seed=1), make(STORY, seed=2)
    prefix = STORY.ids("the fox")[None]
    assert first.next_log_probs(prefix, "sea").equal(again.next_log_probs(prefix, "sea"))
    assert not first.next_log_probs(prefix, "sea").equal(other.next_log_probs(prefix, "sea"))
    assert torch.random.get_rng_state().equal(before)


def test_tabular_student_reaches_the_entropy_of_the_source():
    student = TabularStudent(STORY)
    before = STORY.cross_entropy(student, "fox")
    assert before.item() == pytest.approx(
        STORY.visits("fox").sum().item() * math.log(24)
    )  # uniform
    fit(student, lambda: STORY.kl(student, "fox"), 150, 0.3)
    assert STORY.entropy("fox") <= STORY.cross_entropy(student, "fox") < STORY.entropy("fox") + 0.01


def test_a_small_rank_cannot_reach_it_and_a_larger_one_can():
    gap = {}
    for rank in (1, 2, 4):
        student = LowRankStudent(STORY, rank)
        gap[rank] = fit(student, lambda s=student: STORY.kl(s, "fox"), 250, 0.05)[-1]
        assert torch.linalg.matrix_rank(student.state @ student.output) == rank
    assert gap[1] > 3 > 0.2 > gap[2] > 0.02 > gap[4]


def test_the_optimum_of_label_and_teacher_is_their_mixture():
    label, teacher, lam = STORY.with_label_noise(0.2), STORY.with_bias(0.5), 3.0
    student = TabularStudent(STORY)

    def loss():
        q = student.log_rows("fox")
        return (
            cross_entropy(label.log_rows("fox"), q) + lam * forward_kl(teacher.log_rows("fox"), q)
        ).sum()

    fit(student, loss, 500, 0.1)
    best = mix(label.log_rows("fox"), teacher.log_rows("fox"), lam / (1 + lam))
    close(student.log_rows("fox").exp(), best.exp(), 1e-3)


def test_a_soft_prompt_stands_for_a_context():
    low_rank = LowRankStudent(STORY, 3)
    vector = low_rank.context[low_rank.context_ids("plain fox")].sum(dim=0)
    assert low_rank.log_rows(vector).equal(low_rank.log_rows("plain fox"))
    transformer = TinyTransformer(STORY, 8)
    vectors = transformer.context.weight[[STORY.context_words.index(w) for w in ("plain", "fox")]]
    tokens = STORY.sample(5, "fox").tokens
    assert transformer.position_log_probs(tokens, vectors).equal(
        transformer.position_log_probs(tokens, "plain fox")
    )
    prompt = torch.zeros(1, 8, dtype=torch.float64, requires_grad=True)
    curve = fit(
        [prompt], lambda: -sq.sequence_log_probs(transformer, tokens, prompt).mean(), 20, 0.1
    )
    assert curve[-1] < curve[0] and prompt.abs().max() > 0


def test_a_transformer_looks_back_only_but_all_the_way():
    student, tokens = TinyTransformer(STORY, 8, layers=2), STORY.sample(1, "fox").tokens[:, :6]
    read = student.position_log_probs(tokens, "sea")
    assert read.shape == (1, 6, 24) and student.position_log_probs(tokens).shape == (1, 6, 24)
    changed = tokens.clone()
    changed[0, 3] = (changed[0, 3] + 1) % 24
    same = (student.position_log_probs(changed, "sea") == read).all(dim=2)[0].tolist()
    assert same == [True] * 4 + [False] * 2


def test_a_transformer_knows_the_order_of_words():
    student = TinyTransformer(STORY, 8, layers=1)  # one causal layer without positions sees a bag
    p, q = (student.next_log_probs(STORY.ids(t)[None]) for t in ("old fox the", "fox old the"))
    assert (p - q).abs().max() > 0.01


def test_fit_stops_at_an_infinite_loss():
    student = TabularStudent(STORY)
    with pytest.raises(ValueError, match=r"loss is inf at step 0.*world.smoothed"):
        fit(student, lambda: STORY.expected_loss(student, reverse_kl, "fox"), 5)


# ---------------------------------------------------------------- the line with two peaks


def test_peaks_are_gaussians_on_points():
    points = np.arange(40)
    bump = np.exp(-((points - 12.5) ** 2) / (2 * 3**2))
    found = one_peak(40, torch.tensor([12.5]), torch.tensor([3.0])).exp().numpy()[0]
    assert np.allclose(found, bump / bump.sum(), rtol=0, atol=1e-12)
    target = two_peaks().exp()
    assert target.sum().item() == pytest.approx(1, **EXACT)
    assert target[:19].sum().item() == pytest.approx(0.6, abs=1e-3)


@pytest.mark.parametrize(
    ("divergence", "width"), [(forward_kl, (10, 12)), (reverse_kl, (1.9, 2.1))]
)
def test_forward_kl_covers_both_peaks_and_reverse_kl_takes_one(divergence, width):
    target, student = two_peaks(), OnePeak()
    fit(student, lambda: divergence(target, student()), 300, 0.1)
    assert width[0] < student.log_width.exp().item() < width[1]
    centre, widths = torch.meshgrid(
        torch.linspace(5, 35, 61), torch.linspace(1, 15, 57), indexing="ij"
    )
    best_of_all = divergence(target, one_peak(40, centre, widths)).min()
    assert divergence(target, student()).item() == pytest.approx(best_of_all.item(), abs=0.005)
