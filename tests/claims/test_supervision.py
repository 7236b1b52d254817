"""Weak-to-strong's ground: who reads what, the confidence loss, the counts, the fine-tuning."""

import re
from fractions import Fraction
from math import log

import numpy as np
import pytest
import torch

from kdlib.claims.grounds import pocket, supervision
from kdlib.claims.grounds import supervision_pieces as texts
from kdlib.claims.grounds.supervision_counts import Counted
from kdlib.claims.grounds.supervision_losses import confidence_loss, hardened
from kdlib.claims.papers import weak_to_strong
from kdlib.data.documents import load_splits
from kdlib.models.folders import POCKET_TEACHER, load_tokenizer

SEEDS = (0, 1, 2, 3, 4, 100)


def names(documents):
    return {document.name for document in documents}


@pytest.mark.parametrize("seed", SEEDS)
def test_no_document_is_on_two_sides(seed):
    drawn, splits = texts.drawn(seed), load_splits("sotu")
    sides = [names(each) for each in (*drawn, splits.validation, splits.test)]
    assert len(set.union(*sides)) == sum(map(len, sides))
    assert [len(side) for side in sides[:2]] == [texts.WEAK, texts.STRONG]


@pytest.mark.parametrize("seed", SEEDS)
def test_both_halves_of_the_years_are_drawn_alike(seed):
    for documents in texts.drawn(seed):
        years = [int(re.match(r"\d{4}", document.name)[0]) for document in documents]
        assert sum(year > 1907 for year in years) == len(years) / 2


def test_a_seed_draws_its_own_documents_and_always_the_same():
    assert texts.drawn(0) == texts.drawn.__wrapped__(0)
    assert names(texts.drawn(0).weak) != names(texts.drawn(1).weak)


def test_a_piece_is_of_its_document_and_has_its_truth():
    documents = texts.drawn(0).weak
    found = texts.pieces(documents, 3)
    assert found.ids.shape == (3 * len(documents), texts.PIECE)
    read = load_tokenizer(POCKET_TEACHER).batch_decode(found.ids)
    for place, piece in enumerate(read):
        document = documents[place // 3]
        assert piece.strip("\ufffd") in document.text
        assert found.truth[place] == (document.name[:4] > "1907")


def largest(probabilities, number):
    """Oracle of the hardening: 1 at so many of the highest, by a sort."""
    own = np.zeros(len(probabilities))
    own[np.argsort(probabilities)[len(probabilities) - number :]] = 1
    return own


@pytest.mark.parametrize("number", [0, 1, 5, 11, 15])
@pytest.mark.parametrize("lean", [-6.0, 0.0, 6.0])
def test_hardening_keeps_the_balance_however_the_student_leans(number, lean):
    logits = np.random.default_rng(number).normal(lean, 1, 16)
    q = 1 / (1 + np.exp(-logits))
    found = hardened(torch.tensor(q), torch.tensor(number / 16, dtype=torch.float64))
    np.testing.assert_array_equal(found, largest(q, number))


@pytest.mark.parametrize("share", [0.03, 0.31, 0.5, 0.77])
def test_a_share_between_two_pieces_is_met_to_one(share):
    q = torch.tensor(np.random.default_rng(7).uniform(size=16))
    assert abs(hardened(q, torch.tensor(share).double()).sum() - 16 * share) < 1


@pytest.fixture
def batch():
    """Logits of a student that leans to the second class, and soft labels of which 5 in 16 are."""
    draws = np.random.default_rng(3)
    labels = draws.uniform(size=16)
    return draws.normal(2, 1, 16), labels * (5 / labels.sum())


def cross_entropy(target, q):
    """By its definition."""
    return np.mean(-target * np.log(q) - (1 - target) * np.log(1 - q))


@pytest.mark.parametrize("alpha", [0.0, 0.2, 0.5, 1.0])
def test_the_confidence_loss_is_two_cross_entropies(batch, alpha):
    logits, labels = batch
    q = 1 / (1 + np.exp(-logits))
    own = largest(q, 5)
    variable = torch.tensor(logits, requires_grad=True)
    found = confidence_loss(variable, torch.tensor(labels), alpha)
    by_definition = (1 - alpha) * cross_entropy(labels, q) + alpha * cross_entropy(own, q)
    assert float(found.detach()) == pytest.approx(by_definition, rel=1e-9)
    found.backward()  # as if the opinion were a given target
    gradient = (q - (1 - alpha) * labels - alpha * own) / 16
    np.testing.assert_allclose(variable.grad, gradient, atol=1e-12)


def test_with_alpha_0_it_is_the_naive_loss(batch):
    logits, labels = batch
    naive = cross_entropy(labels, 1 / (1 + np.exp(-logits)))
    found = confidence_loss(torch.tensor(logits), torch.tensor(labels), 0.0)
    assert float(found) == pytest.approx(naive, rel=1e-12)


def test_counts_of_a_made_up_case():
    """Three tokens; the first piece is of the second class for sure, the other by a quarter."""
    counted = Counted(torch.tensor([[0, 0, 1], [1, 2, 2]]), torch.tensor([1.0, 0.25]), 3)
    quarter = Fraction(1, 4)
    second = [1 + Fraction(2), 1 + 1 + quarter, 1 + 2 * quarter]  # each once more than seen
    first = [Fraction(1), 1 + 3 * quarter, 1 + 6 * quarter]
    token = [log(a / sum(second)) - log(b / sum(first)) for a, b in zip(second, first, strict=True)]
    prior = log(Fraction(5, 4) / Fraction(3, 4))
    assert counted(torch.tensor([[0, 1, 1]])).tolist() == pytest.approx(
        [prior + token[0] + 2 * token[1]], rel=1e-12
    )
    assert token[0] > 0 > token[2]


class Fixed:
    """A judge that calls a piece by its first token."""

    def __call__(self, ids):
        return (ids[:, 0] % 2).float() - 0.5


def test_what_is_missed_is_counted_against_the_judge_or_the_truth():
    ids, truth = texts.held_out(test=False)
    called = ids[:, 0] % 2
    assert supervision.missed(Fixed(), Fixed()) == 0
    assert supervision.missed(Fixed(), lambda ids: -Fixed()(ids)) == 1
    wrong = np.mean(called.numpy() != truth.numpy())
    assert supervision.missed(Fixed(), None) == pytest.approx(wrong)


def test_the_exam_is_of_the_test_pieces():
    ids, truth = texts.held_out(test=True)
    logits = np.where(ids[:, 0] % 2 == 1, 0.5, -0.5)
    found = supervision.exam(Fixed())
    assert found["accuracy"] == pytest.approx(np.mean((logits > 0) == truth.numpy()))
    q = 1 / (1 + np.exp(-logits))
    assert found["loss"] == pytest.approx(cross_entropy(truth.numpy(), q), rel=1e-5)


def test_alpha_rises_to_its_end_and_stays(monkeypatch):
    seen = []

    def watched(logits, labels, alpha):
        seen.append(alpha)
        return confidence_loss(logits, labels, alpha)

    monkeypatch.setattr(supervision, "confidence_loss", watched)
    lesson = supervision.Labelled(torch.arange(64).view(16, 4), torch.rand(16), 0.5)
    begun = supervision.Classifier(pocket.new_student(0).model)
    supervision.fine_tune(begun, lesson, 10, 0.001, seed=0)
    assert seen == pytest.approx([0.25, *[0.5] * 9])


def test_a_classifier_begins_undecided_and_leaves_the_teacher_alone():
    teacher = pocket.teacher()
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    lesson = supervision.Labelled(torch.arange(64).view(16, 4), torch.linspace(0, 1, 16))
    begun = supervision.strong(True, seed=0)
    assert not begun(lesson.ids).any()
    supervision.fine_tune(begun, lesson, 1, 0.01, seed=0)
    assert begun(lesson.ids).all()
    body = begun.body.state_dict()
    assert any(not torch.equal(value, before[f"model.{name}"]) for name, value in body.items())
    assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())


def test_new_weights_have_the_strong_model_s_shape_and_are_a_seed_s():
    first, again, other = (supervision.strong(False, seed).body.state_dict() for seed in (0, 0, 1))
    shapes = {name: value.shape for name, value in first.items()}
    old = supervision.strong(True, 0).body.state_dict()
    assert shapes == {name: value.shape for name, value in old.items()}
    assert all(torch.equal(value, again[name]) for name, value in first.items())
    assert any(not torch.equal(value, other[name]) for name, value in first.items())


def test_a_supervisor_is_its_seed_s_alone():
    ids = texts.held_out(test=False).ids[:8]
    torch.manual_seed(1)
    one = supervision.said(supervision.supervisor.__wrapped__(100), ids)
    torch.manual_seed(2)
    assert torch.equal(one, supervision.said(supervision.supervisor.__wrapped__(100), ids))


def test_the_gap_recovered_is_a_seed_s_own():
    columns = {"weak": [0.6, 0.7], "top": [0.8, 0.8], "arm": [0.65, 0.8]}
    numbers = {arm: {"accuracy": column} for arm, column in columns.items()}
    assert supervision.gap_recovered(numbers, "arm", "weak", "top") == pytest.approx([0.25, 1])


def test_the_arms_labels_are_the_supervisor_s_sharpened_or_the_truth():
    soft, sharpened, truth = (
        weak_to_strong._labels(kind, 100).numpy() for kind in ("naive", "sharpened", "ceiling")
    )
    assert np.array_equal(truth, texts.lesson(False, 100).truth)
    assert 0.6 < np.mean((soft > 0.5) == truth) < 0.85  # weak, and no guess
    alpha = supervision.ALPHA
    np.testing.assert_allclose(sharpened, np.where(soft > 0.5, alpha, 0) + (1 - alpha) * soft)


def test_a_rate_that_the_truth_chooses_changes_the_choice_alone():
    """The same training; only the judge of the validation pieces is another."""
    alone, told = (
        weak_to_strong._train(kind, 0.001, 100, True)
        for kind in ("naive", "naive" + weak_to_strong.TOLD)
    )
    assert alone["accuracy"] == told["accuracy"]
    assert alone["loss"] == told["loss"]
    assert alone["validation"] != told["validation"]
