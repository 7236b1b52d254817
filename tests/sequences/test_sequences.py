"""sequences.py: counting, enumerating, sampling, scoring and searching, against a brute force."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sequence_models import EXACT, PrefixModel, Table, brute_force, generator

from kdlib.sequences import exact
from kdlib.sequences.exact import (
    count_sequences,
    enumerate_sequences,
    sample_sequences,
    sequence_lengths,
    sequence_log_probs,
    token_log_probs,
)
from kdlib.sequences.losses import chain_rule_loss, chain_rule_terms
from kdlib.sequences.search import best_sequence
from kdlib.sequences.sums import sequence_mean, sequence_sum, subsequence_sum

# ---------------------------------------------------------------- counting and enumerating


@given(st.integers(1, 4), st.integers(1, 4), st.booleans())
@settings(max_examples=30, deadline=None)
def test_count_is_the_number_of_distinct_outcomes(vocab_size, length, has_eos):
    model = PrefixModel(0, vocab_size, vocab_size - 1 if has_eos else None)
    outcomes = brute_force(model, length)
    assert count_sequences(vocab_size, length, has_eos) == len(outcomes)
    assert len(enumerate_sequences(model, length).tokens) == len(outcomes)


def test_count_is_exact_for_a_real_vocabulary():
    assert count_sequences(50_257, 100, has_eos=False) == 50_257**100
    assert count_sequences(3, 2) == 1 + 2 + 4  # eos; a eos, b eos; aa ab ba bb


@pytest.mark.parametrize("eos_id", [2, 0, None])
@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize("possible_only", [False, True])
def test_enumeration_is_the_brute_force(eos_id, zeros, possible_only):
    model = PrefixModel(1, 3, eos_id, zeros)
    expected = brute_force(model, 4, context=7)
    if possible_only:
        expected = {y: p for y, p in expected.items() if p > 0}
    found = enumerate_sequences(model, 4, context=7, possible_only=possible_only)
    rows = zip(found.tokens.tolist(), found.lengths.tolist(), found.log_probs.exp().tolist())
    found_probs = {tuple(tokens[:length]): p for tokens, length, p in rows}
    assert found_probs.keys() == expected.keys()
    assert len(found_probs) == len(found.tokens)
    assert [found_probs[y] for y in expected] == pytest.approx(list(expected.values()), **EXACT)
    assert found.log_probs.exp().sum().item() == pytest.approx(1, **EXACT)


def test_sequences_are_filled_with_eos_and_masked_after_it():
    found = enumerate_sequences(PrefixModel(0), 2)
    assert found.tokens.tolist() == [[2, 2], [0, 2], [1, 2], [0, 0], [0, 1], [1, 0], [1, 1]]
    assert found.lengths.tolist() == [1, 2, 2, 2, 2, 2, 2]
    assert found.mask.tolist() == [[True, False]] + [[True, True]] * 6


def test_a_language_whose_sequences_all_end_early():
    certain = Table({(): [0, 1, 0], (1,): [0, 0, 1]}, vocab_size=3, eos_id=2)
    found = enumerate_sequences(certain, 6, possible_only=True)
    assert found.tokens.tolist() == [[1, 2, 2, 2, 2, 2]]
    assert found.log_probs.tolist() == [0.0]
    assert chain_rule_terms(certain, PrefixModel(0), 6)[2:].tolist() == [0, 0, 0, 0]
    assert best_sequence(certain, 6).tokens.tolist() == [1, 2]


def test_enumeration_refuses_before_it_starts():
    class Untouchable(PrefixModel):
        def next_log_probs(self, prefixes, context=None):
            raise AssertionError("work was done")

    with pytest.raises(
        ValueError, match=r"limit is 1,000,000 and there are 2,147,483,647 sequences.*stepwise_loss"
    ):
        enumerate_sequences(Untouchable(0), 30)


def test_limits_count_what_is_possible():
    grammar = PrefixModel(1, 3, 2, zeros=True)
    possible = len(enumerate_sequences(grammar, 8, possible_only=True).tokens)
    assert possible < count_sequences(3, 8)
    assert (
        len(enumerate_sequences(grammar, 8, possible_only=True, limit=possible).tokens) == possible
    )
    with pytest.raises(ValueError, match=f"{possible} possible sequences of up to 8 tokens"):
        enumerate_sequences(grammar, 8, possible_only=True, limit=possible - 1)
    with pytest.raises(ValueError, match="16 prefixes of 4 tokens"):
        chain_rule_loss(PrefixModel(0), PrefixModel(1), 6, limit=15)
    with pytest.raises(ValueError, match=r"best_sequence\(beam=...\)"):
        best_sequence(PrefixModel(0), 6, limit=15)


# ---------------------------------------------------------------- sampling and scoring


def test_samples_have_the_enumerated_distribution():
    model, n = PrefixModel(3), 20_000
    drawn = sample_sequences(model, 2, n, generator(), context=5)
    for tokens, log_p in zip(*[enumerate_sequences(model, 2, 5)[i] for i in (0, 2)]):
        share, p = (drawn.tokens == tokens).all(dim=1).double().mean().item(), log_p.exp().item()
        assert abs(share - p) < 4 * math.sqrt(p * (1 - p) / n)


def test_samples_know_their_probability_and_repeat_with_the_seed():
    model = PrefixModel(4)
    drawn = sample_sequences(model, 5, 50, generator(1), context=1)
    torch.testing.assert_close(
        drawn.log_probs, sequence_log_probs(model, drawn.tokens, 1), rtol=0, atol=1e-12
    )
    assert drawn.tokens.equal(sample_sequences(model, 5, 50, generator(1), context=1).tokens)
    assert not drawn.tokens.equal(sample_sequences(model, 5, 50, generator(2), context=1).tokens)
    assert (drawn.tokens[~drawn.mask] == 2).all() and (~drawn.mask).any()


@pytest.mark.parametrize("eos_id", [2, None])
def test_sequence_log_probs_are_the_enumerated_ones(eos_id):
    model = PrefixModel(5, 3, eos_id)
    y = enumerate_sequences(model, 3)
    torch.testing.assert_close(sequence_log_probs(model, y.tokens), y.log_probs, rtol=0, atol=1e-12)
    per_token = token_log_probs(model, y.tokens)
    assert (per_token[~y.mask] == 0).all() and (per_token[y.mask] < 0).all()


def test_lengths_count_the_first_eos():
    tokens = torch.tensor([[2, 2, 2], [0, 2, 2], [0, 1, 2], [0, 1, 0], [0, 2, 1]])
    assert sequence_lengths(tokens, 2).tolist() == [1, 2, 3, 3, 2]
    assert sequence_lengths(tokens, None).tolist() == [3] * 5


def test_a_model_may_offer_all_positions_in_one_pass():
    class OnePass(PrefixModel):
        def position_log_probs(self, tokens, context=None):
            steps = [self.next_log_probs(tokens[:, :t], context) for t in range(tokens.shape[1])]
            self.passes = 1
            return torch.stack(steps, dim=1)

    fast, slow = OnePass(6), PrefixModel(6)
    tokens = torch.tensor([[0, 1, 2], [1, 1, 1]])
    assert exact.position_log_probs(fast, tokens, 3).equal(
        exact.position_log_probs(slow, tokens, 3)
    )
    assert fast.passes == 1


@pytest.mark.parametrize(
    "tokens", [torch.zeros(3).long(), torch.zeros(2, 0).long(), torch.zeros(2, 2)]
)
def test_scores_refuse_tokens_of_the_wrong_kind(tokens):
    with pytest.raises(ValueError, match=r"tokens has shape .* each in 0..2"):
        sequence_log_probs(PrefixModel(0), tokens)


@pytest.mark.parametrize("wrong", [-100, -1, 3])
def test_scores_refuse_ids_outside_the_vocabulary(wrong):
    with pytest.raises(ValueError, match="each in 0..2"):
        exact.position_log_probs(PrefixModel(0), torch.tensor([[0, wrong]]))


# ---------------------------------------------------------------- the best sequence


@pytest.mark.parametrize("eos_id", [2, None])
@pytest.mark.parametrize("seed", range(4))
def test_best_sequence_is_the_brute_force_one(seed, eos_id):
    model = PrefixModel(seed, 3, eos_id)
    outcomes = brute_force(model, 4, context=6)
    expected = max(outcomes, key=outcomes.get)
    for beam in (None, count_sequences(3, 4, eos_id is not None)):
        best = best_sequence(model, 4, context=6, beam=beam)
        assert tuple(best.tokens.tolist()) == expected
        assert best.log_prob.item() == pytest.approx(math.log(outcomes[expected]), **EXACT)


def test_a_narrow_beam_may_miss_the_best():
    """Greedy takes 0 (.6) and then at most .2 of it; 1 (.4) is followed by eos for certain."""
    trap = Table({(): [0.6, 0.4, 0, 0, 0, 0], (1,): [0, 0, 0, 0, 0, 1]}, 6, 5)
    greedy, wide = (best_sequence(trap, 2, beam=beam) for beam in (1, 2))
    assert greedy.tokens[0] == 0 and greedy.log_prob.exp().item() == pytest.approx(0.1)
    assert wide.tokens.tolist() == [1, 5] == best_sequence(trap, 2).tokens.tolist()
    assert wide.log_prob.exp().item() == pytest.approx(0.4)


def test_beam_search_keeps_ended_sequences():
    short = Table({(): [0.3, 0.3, 0.4]}, 3, 2)
    assert best_sequence(short, 5, beam=1).tokens.tolist() == [2]


# ---------------------------------------------------------------- sums and means (F8)


FOX = torch.tensor([0.1, 0.3, 0.2, 0.4], dtype=torch.float64)  # The quick brown fox


def test_the_quick_brown_fox():
    assert sequence_sum(FOX).item() == pytest.approx(1.0, **EXACT)
    assert sequence_mean(FOX).item() == pytest.approx(0.25, **EXACT)
    assert subsequence_sum(FOX, 1, 3).item() == pytest.approx(0.5, **EXACT)  # quick brown
    assert (subsequence_sum(FOX, 0, 2) + subsequence_sum(FOX, 2, 4)).item() == pytest.approx(
        1.0, **EXACT
    )


def test_masked_tokens_do_not_count_even_when_they_are_not_numbers():
    losses = torch.stack([FOX, FOX])
    losses[1, 2:] = torch.tensor([math.inf, math.nan])
    mask = torch.tensor([[True] * 4, [True, True, False, False]])
    assert sequence_sum(losses, mask).tolist() == pytest.approx([1.0, 0.4])
    assert sequence_mean(losses, mask).tolist() == pytest.approx([0.25, 0.2])
    assert subsequence_sum(losses, 1, 3, mask).tolist() == pytest.approx([0.5, 0.3])


def test_masks_are_checked():
    with pytest.raises(TypeError, match="mask has type torch.int64: pass booleans"):
        sequence_sum(FOX, torch.ones(4, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"mask has shape \(3,\), token_losses \(4,\)"):
        sequence_mean(FOX, torch.ones(3, dtype=torch.bool))
    with pytest.raises(ValueError, match="counts no token"):
        sequence_mean(FOX, torch.zeros(4, dtype=torch.bool))


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (2, 2), (3, 2), (0, 5)])
def test_subsequences_lie_inside(start, stop):
    with pytest.raises(ValueError, match=f"start, stop are {start}, {stop}"):
        subsequence_sum(FOX, start, stop)
