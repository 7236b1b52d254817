"""markov.py: visits, entropies and divergences of whole stories, against enumeration."""

import math

import numpy as np
import pytest
import torch
from story import CONTEXTS, EXACT, STORY, close, rows

from kdlib.losses.divergences import cross_entropy, forward_kl, jensen_shannon, reverse_kl
from kdlib.sequences.exact import count_sequences, enumerate_sequences, sequence_log_probs
from kdlib.sequences.losses import chain_rule_loss
from kdlib.sequences.search import best_sequence
from kdlib.toys.markov import MarkovModel
from kdlib.toys.students import LowRankStudent, TabularStudent, TinyTransformer
from kdlib.toys.worlds import World, random_world


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
    stories = enumerate_sequences(STORY, length, "sea fox", possible_only=True)
    p, log_p = stories.log_probs.exp().numpy(), stories.log_probs.numpy()
    log_q = sequence_log_probs(STORY, stories.tokens, "fox").numpy()
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
    expected = chain_rule_loss(
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
    stories = enumerate_sequences(STORY, 4, "plain fox", possible_only=True)
    gap = stories.log_probs - sequence_log_probs(student, stories.tokens, "fox")
    close(
        STORY.kl(student, "plain fox", student_context="fox", length=4),
        (stories.log_probs.exp() * gap).sum(),
    )
    assert STORY.kl(student, "plain fox", length=4) != STORY.kl(
        student, "plain fox", student_context="", length=4
    )


def test_the_best_story_is_found_among_the_possible_ones():
    assert count_sequences(24, 8) > 1e10
    best = best_sequence(STORY, 8, "plain fox")
    stories = enumerate_sequences(STORY, 8, "plain fox", possible_only=True)
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
