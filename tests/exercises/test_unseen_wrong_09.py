"""Unseen mistakes of chapter 9: nine in ten are named rightly."""

import pytest
import torch
import torch.nn.functional as F
from torch.distributions import Categorical
from unseen import Unseen, assert_nine_in_ten

from kdlib.exercises import exercise

unseen = Unseen()


def kl(teacher, student, reduction="sum"):
    return F.kl_div(student.log_softmax(-1), teacher.softmax(-1), reduction=reduction)


def written(data, logits, temperature, draw=lambda probs: torch.multinomial(probs, 1)[:, 0]):
    rows = data.clone()
    for t in range(1, data.shape[1]):
        rows[:, t] = draw((logits[rows[:, t - 1]] / temperature).softmax(-1))
    return rows


def mixed(data, own, share):
    return torch.where(torch.rand(len(data), 1) < share, own, data)


@unseen.wrong("mixed-batch", "greedy-for-sampled")
def mixed_batch_greedy(data, logits, share, temperature):
    own = written(data, logits, temperature, lambda probs: probs.max(-1).indices)
    return mixed(data, own, share)


@unseen.wrong("mixed-batch", "prefix-not-extended")
def mixed_batch_at_once(data, logits, share, temperature):
    drawn = Categorical(logits=logits[data[:, :-1]] / temperature).sample()
    return mixed(data, torch.cat([data[:, :1], drawn], 1), share)


@unseen.wrong("mixed-batch", "share-misread")
def mixed_batch_first_rows(data, logits, share, temperature):
    count = round(share * len(data))
    return torch.cat([written(data[:count], logits, temperature), data[count:]])


@unseen.wrong("mixed-batch", "share-misread")
def mixed_batch_turned_round(data, logits, share, temperature):
    return mixed(written(data, logits, temperature), data, share)


@unseen.wrong("mixed-batch", "share-misread")
def mixed_batch_of_a_fixed_number(data, logits, share, temperature):
    chosen = torch.randperm(len(data))[: round(share * len(data))]
    rows = data.clone()
    rows[chosen] = written(data[chosen], logits, temperature)
    return rows


def summed(teacher, student, rollout, temperature, *, factor=None, shift=1, stop=True):
    """Token by token; the right result, if nothing is said otherwise."""
    total, count = 0.0, 0
    for row, tokens in enumerate(rollout["tokens"].tolist()):
        for t in range(rollout["prompt_length"], len(tokens)):
            last = tokens[t] == rollout["stop"]
            if stop or not last:
                logits = (
                    teacher[row, t - shift] / temperature,
                    student[row, t - shift] / temperature,
                )
                total, count = total + kl(*logits), count + 1
            if last:
                break
    return total * (temperature**2 if factor is None else factor), count


@unseen.wrong("on-policy-loss", "missing-t-squared")
def on_policy_unscaled(*everything):
    return summed(*everything, factor=1)


@unseen.wrong("on-policy-loss", "stop-token-masked")
def on_policy_without_stop(*everything):
    return summed(*everything, stop=False)


@unseen.wrong("on-policy-loss", "off-by-one")
def on_policy_unshifted(*everything):
    return summed(*everything, shift=0)


@unseen.wrong("on-policy-loss", "temperature-ignored")
def on_policy_only_scaled(teacher, student, rollout, temperature):
    return summed(teacher, student, rollout, 1.0, factor=temperature**2)


@unseen.wrong("on-policy-loss", "whole-for-part")
def on_policy_with_prompt(teacher, student, rollout, temperature):
    return summed(teacher, student, {**rollout, "prompt_length": 1}, temperature)


@unseen.wrong("on-policy-loss", "student-gets-no-gradient")
def on_policy_as_a_number(*everything):
    total, count = summed(*everything)
    return total.item(), count


@unseen.wrong("on-policy-loss", "floor-in-logarithm")
def on_policy_floored(teacher, student, rollout, temperature):
    floored = [((x / temperature).softmax(-1) + 1e-10).log() for x in (teacher, student)]
    total, count = summed(*floored, rollout, 1.0)
    return total * temperature**2, count


@pytest.mark.filterwarnings("ignore:reduction")
def test_unseen_mistakes_are_named():
    assert_nine_in_ten(unseen.of_chapter(9))


def test_unlikely_words_are_drawn_too():
    def likely(probs):
        return torch.multinomial(torch.where(probs < 0.05, 0.0, probs), 1)[:, 0]

    def answer(data, logits, share, temperature):
        own = torch.rand(len(data), 1) < share
        return torch.where(own, written(data, logits, temperature, likely), data)

    assert exercise("mixed-batch").check(answer).outcome == "wrong"


def test_a_seed_of_its_own_makes_every_step_alike():
    def answer(data, *others):
        torch.manual_seed(0)
        return drawn(data, *others)

    verdict = exercise("mixed-batch").check(answer)
    assert verdict.outcome == "wrong" and "same rows" in verdict.seen


def drawn(data, logits, share, temperature):
    return mixed(data, written(data, logits, temperature), share)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda rows: torch.cat([rows, rows[:, -1:]], 1), "(50, 4)"),
        (lambda rows: rows[:, :-1].tolist(), "(50, 2)"),
        (lambda rows: [row[: 1 + i % 3] for i, row in enumerate(rows)], "one length"),
        (lambda rows: rows - 1, "words"),
        (lambda rows: rows + 0.5, "words"),
        (lambda rows: F.one_hot(rows), "shape"),
    ],
)
def test_what_is_no_batch_of_texts_is_described(spoil, words):
    verdict = exercise("mixed-batch").check(lambda *a: spoil(drawn(*a)))
    assert verdict.outcome == "wrong"
    assert words.replace("50", "4000") in verdict.seen and "line" not in verdict.note


def test_a_batch_that_is_written_over_has_authors_of_its_own():
    def in_place(data, *others):
        return data.copy_(drawn(data, *others))

    verdict = exercise("mixed-batch").check(in_place)
    assert verdict.outcome == "correct" and "in place" in verdict.note
