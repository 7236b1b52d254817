"""The toy students: what each can and cannot learn, and the line with two peaks."""

import math

import numpy as np
import pytest
import torch
from story import EXACT, STORY, close

from kdlib.losses.divergences import cross_entropy, forward_kl, reverse_kl
from kdlib.sequences.exact import enumerate_sequences, sequence_log_probs
from kdlib.toys.students import (
    LowRankStudent,
    OnePeak,
    TabularStudent,
    TinyTransformer,
    fit,
    one_peak,
    two_peaks,
)
from kdlib.toys.worlds import mix, random_world

STUDENTS = {
    "tabular": TabularStudent,
    "low-rank": lambda world, seed=0: LowRankStudent(world, 3, seed),
    "transformer": lambda world, seed=0: TinyTransformer(world, 8, layers=2, seed=seed),
}


@pytest.mark.parametrize("make", STUDENTS.values(), ids=STUDENTS)
def test_students_are_distributions_over_sequences(make):
    student = make(random_world())
    y = enumerate_sequences(student, 4)
    assert y.log_probs.exp().sum().item() == pytest.approx(1, **EXACT)
    close(sequence_log_probs(student, y.tokens), y.log_probs)  # one pass and step by step agree


@pytest.mark.parametrize("make", STUDENTS.values(), ids=STUDENTS)
def test_students_learn_and_read_the_context(make):
    student = make(STORY)
    data = STORY.dataset(["fox", "owl"], 40, length=8)

    def loss():
        return -sum(sequence_log_probs(student, y.tokens, c).mean() for c, y in data.items()) / 2

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
    curve = fit([prompt], lambda: -sequence_log_probs(transformer, tokens, prompt).mean(), 20, 0.1)
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
