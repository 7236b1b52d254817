"""Divergences by who wrote the beginning, and what shows that a model has collapsed."""

import itertools
import math

import numpy as np
import pytest
import torch

from kdlib.reports.intervals import advantage
from kdlib.reports.prefixes import Divergences, divergences, own_leads, writing


def logs(*rows):
    return torch.tensor(rows, dtype=torch.float64).log()


def test_both_directions_are_means_over_positions():
    p, q = logs([0.5, 0.5], [0.9, 0.1]), logs([0.5, 0.5], [0.5, 0.5])
    forward = (0.9 * math.log(1.8) + 0.1 * math.log(0.2)) / 2
    reverse = (0.5 * math.log(0.5 / 0.9) + 0.5 * math.log(0.5 / 0.1)) / 2
    assert divergences(p, q, texts=1).means() == {
        "forward_kl": pytest.approx(forward),
        "reverse_kl": pytest.approx(reverse),
    }


def test_own_words_and_reverse_are_parts_of_the_divergence_of_whole_texts():
    """By enumeration of all texts of two words; so are the teacher's words and forward."""
    draw = torch.Generator().manual_seed(0)
    first = torch.randn(2, 3, generator=draw, dtype=torch.float64).log_softmax(-1)
    second = torch.randn(2, 3, 3, generator=draw, dtype=torch.float64).log_softmax(-1)
    whole, parts = [0.0, 0.0], [0.0, 0.0]
    for a, b in itertools.product(range(3), repeat=2):
        log_p, log_q = (first[m, a] + second[m, a, b] for m in (0, 1))
        whole[0] += (log_p.exp() * (log_p - log_q)).item()
        whole[1] += (log_q.exp() * (log_q - log_p)).item()
        far = divergences(*(torch.stack([first[m], second[m, a]]) for m in (0, 1)), texts=1).means()
        for at, (chance, name) in enumerate(((log_p, "forward_kl"), (log_q, "reverse_kl"))):
            parts[at] += 2 * chance.exp().item() * far[name]
    assert parts == pytest.approx(whole)


def test_a_lead_on_own_words_pairs_text_with_text():
    ours, theirs = torch.tensor([[1.0, 2.0], [0.5, 0.5]]), torch.tensor([[1.5, 2.5], [3.0, 0.0]])
    own = {
        "student": Divergences(ours, ours),
        "control_equal_steps": Divergences(theirs, theirs),
    }
    expected = advantage(np.array([[3.0, 1.0]]), np.array([[4.0, 3.0]]), np.array([2, 2]))
    assert own_leads(own) == {"control_equal_steps": expected}
    assert expected["value"] == pytest.approx(0.75)


def test_of_a_single_text_there_is_no_lead():
    one = Divergences(torch.ones(1, 3), torch.ones(1, 3))
    assert own_leads({"student": one, "control_equal_steps": one}) == {}


def test_a_text_that_goes_in_circles_repeats_itself_and_one_without_does_not():
    circles = torch.tensor([[1, 2, 3, 4] * 5])
    plain = torch.arange(20)[None]
    unsure = torch.full((20, 7), 1 / 7).log()
    assert writing(unsure, plain) == {
        "entropy": pytest.approx(math.log(7)), "repeated": 0, "distinct": 1,
    }  # fmt: skip
    found = writing(unsure, circles)
    assert found["repeated"] == 13 / 17  # of 17 runs of four, 4 are new
    assert found["distinct"] == 4 / 19


def test_what_another_text_has_said_is_no_repetition_but_not_distinct_either():
    twice = torch.arange(6).expand(2, -1)
    found = writing(torch.zeros(1, 1), twice)
    assert (found["repeated"], found["distinct"]) == (0, 0.5)


def test_a_text_too_short_for_a_run_is_no_error():
    assert writing(torch.zeros(1, 1), torch.tensor([[3]])) == {
        "entropy": 0, "repeated": 0, "distinct": 0,
    }  # fmt: skip
