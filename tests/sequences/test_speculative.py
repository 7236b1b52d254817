"""Speculative sampling: what comes out is the target's language, and how much of a draft is kept."""

import numpy as np
import pytest
import torch
from sequence_models import PrefixModel, generator

from kdlib.models.from_scratch import ModelSize, new_model
from kdlib.sequences.speculative import NONE, speculative_pass

ROWS = 20_000
PREFIX = (0, 1)
LANGUAGES = [
    (1, 2, False),
    (3, 4, True),
]  # seeds of target and draft; whether some words are ruled out


def passed(target, draft, ahead, rows=ROWS):
    texts = torch.tensor([PREFIX]).expand(rows, -1)
    return speculative_pass(target, draft, texts, ahead, generator(0))


def share_of(tokens, vocabulary=3):
    return np.bincount(tokens.numpy(), minlength=vocabulary) / len(tokens)


def close_to(found, expected, count):
    """Within five standard errors of a share."""
    expected = np.asarray(expected)
    return np.all(np.abs(found - expected) <= 5 * np.sqrt(expected * (1 - expected) / count))


@pytest.mark.parametrize(("p", "q", "zeros"), LANGUAGES)
def test_every_token_has_the_targets_law(p, q, zeros):
    target, draft = PrefixModel(p, zeros=zeros), PrefixModel(q, zeros=zeros)
    tokens = passed(target, draft, ahead=2).tokens
    assert close_to(share_of(tokens[:, 0]), target.probs(PREFIX, None), ROWS)
    for first in range(3):
        second = tokens[tokens[:, 0] == first, 1]
        second = second[second != NONE]
        if len(second):
            law = target.probs((*PREFIX, first), None)
            assert close_to(share_of(second), law, len(second))
    assert not close_to(share_of(tokens[:, 0]), draft.probs(PREFIX, None), ROWS)


@pytest.mark.parametrize(("p", "q", "zeros"), LANGUAGES)
def test_a_token_is_kept_as_often_as_the_two_overlap(p, q, zeros):
    target, draft = PrefixModel(p, zeros=zeros), PrefixModel(q, zeros=zeros)
    kept = (passed(target, draft, ahead=1).accepted == 1).double().mean().item()
    overlap = np.minimum(target.probs(PREFIX, None), draft.probs(PREFIX, None)).sum()
    assert close_to(kept, overlap, ROWS)


def test_a_draft_that_is_its_target_is_kept_whole_and_one_that_never_agrees_not_at_all():
    same = passed(PrefixModel(1), PrefixModel(1), ahead=3, rows=50)
    assert (same.accepted == 3).all() and (same.tokens != NONE).all()

    class Says(PrefixModel):
        def probs(self, prefix, context):
            return np.eye(3)[self.seed]

    never = passed(Says(0), Says(1), ahead=3, rows=50)
    assert (never.accepted == 0).all()
    assert never.tokens.tolist() == [[0, NONE, NONE, NONE]] * 50


def test_tokens_end_with_one_of_the_targets_own():
    found = passed(PrefixModel(1), PrefixModel(2), ahead=3, rows=200)
    assert ((found.tokens != NONE).sum(1) == found.accepted + 1).all()
    assert set(found.accepted.tolist()) == {0, 1, 2, 3}


def test_causal_language_models_speculate_too():
    """The same tokens as where each next word is asked for by itself."""
    models = [new_model(ModelSize(16, 2, 2, initial_std=0.3), 11, 32, seed) for seed in (0, 1)]

    class Wrapped:
        vocab_size, eos_id = 11, None

        def __init__(self, model):
            self.model = model

        @torch.no_grad()
        def next_log_probs(self, prefixes, context=None):
            return self.model.eval()(input_ids=prefixes).logits[:, -1].log_softmax(-1)

    alone = passed(*models, ahead=3, rows=40)
    wrapped = passed(*map(Wrapped, models), ahead=3, rows=40)
    assert alone.tokens.tolist() == wrapped.tokens.tolist()


@pytest.mark.parametrize("models", [
    (PrefixModel(1), PrefixModel(1, vocab_size=4)),
    (PrefixModel(1, vocab_size=4), PrefixModel(1)),
    tuple(new_model(ModelSize(16, 1, 2), words, 32, 0) for words in (11, 12)),
])  # fmt: skip
def test_two_vocabularies_are_refused(models):
    with pytest.raises(ValueError, match="both need one vocabulary"):
        passed(*models, ahead=2, rows=2)


def test_a_draft_of_nothing_is_refused_by_its_name():
    with pytest.raises(ValueError, match="ahead"):
        passed(PrefixModel(1), PrefixModel(2), ahead=0, rows=2)
