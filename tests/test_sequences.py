"""sequences.py and sequence_losses.py against a brute force in NumPy that shares no code."""

import functools
import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kdlib import sequences as sq
from kdlib.divergences import (
    cross_entropy,
    entropy,
    forward_kl,
    jensen_shannon,
    reverse_kl,
    total_variation,
)
from kdlib.sequence_losses import (
    best_sequence_loss,
    chain_rule_loss,
    chain_rule_terms,
    enumerated_loss,
    sampled_loss,
    stepwise_loss,
)

EXACT = {"rel": 0, "abs": 1e-12}


@functools.cache
def random_row(seed, vocab_size, zeros, prefix, context):
    rng = np.random.default_rng([seed, context or 0, len(prefix), *prefix])
    weights = rng.exponential(size=vocab_size)
    if zeros:
        weights[rng.integers(vocab_size)] = 0
    return weights / weights.sum()


class PrefixModel:
    """A language with full memory: each (context, prefix) has its own next-token distribution."""

    def __init__(self, seed, vocab_size=3, eos_id=2, zeros=False):
        self.seed, self.vocab_size, self.eos_id, self.zeros = seed, vocab_size, eos_id, zeros

    def probs(self, prefix, context):
        return random_row(self.seed, self.vocab_size, self.zeros, prefix, context)

    def next_log_probs(self, prefixes, context=None):
        with np.errstate(divide="ignore"):
            rows = [np.log(self.probs(tuple(p), context)) for p in prefixes.tolist()]
        return torch.tensor(np.array(rows)).reshape(len(prefixes), self.vocab_size)


class Table:
    """A language given by {prefix: next-token probabilities}, uniform elsewhere."""

    def __init__(self, table, vocab_size, eos_id):
        self.table, self.vocab_size, self.eos_id = table, vocab_size, eos_id

    def next_log_probs(self, prefixes, context=None):
        assert len(prefixes), "asked about no prefix at all"
        uniform = [1 / self.vocab_size] * self.vocab_size
        rows = [self.table.get(tuple(p), uniform) for p in prefixes.tolist()]
        return torch.tensor(rows, dtype=torch.float64).log()


class Trainable:
    """A student without memory: one vector of logits for every prefix."""

    vocab_size, eos_id = 3, 2

    def __init__(self):
        self.logits = torch.tensor([0.3, -0.2, 0.1], dtype=torch.float64, requires_grad=True)

    def next_log_probs(self, prefixes, context=None):
        return self.logits.log_softmax(0).expand(len(prefixes), 3)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def brute_force(model, length, context=None):
    """{outcome: probability}, by walking every product of tokens; an outcome stops after eos."""
    outcomes = {}
    for tokens in itertools.product(range(model.vocab_size), repeat=length):
        if model.eos_id in tokens:
            tokens = tokens[: tokens.index(model.eos_id) + 1]
        probability = 1.0
        for t, token in enumerate(tokens):
            probability *= model.probs(tokens[:t], context)[token]
        outcomes[tokens] = probability
    return outcomes


def brute_force_losses(p, q):
    pairs = [(p[y], q[y]) for y in p if p[y] > 0]
    ce = math.fsum(-a * math.log(b) for a, b in pairs)
    return ce, ce + math.fsum(a * math.log(a) for a, _ in pairs)


# ---------------------------------------------------------------- counting and enumerating


@given(st.integers(1, 4), st.integers(1, 4), st.booleans())
@settings(max_examples=30, deadline=None)
def test_count_is_the_number_of_distinct_outcomes(vocab_size, length, has_eos):
    model = PrefixModel(0, vocab_size, vocab_size - 1 if has_eos else None)
    outcomes = brute_force(model, length)
    assert sq.count_sequences(vocab_size, length, has_eos) == len(outcomes)
    assert len(sq.enumerate_sequences(model, length).tokens) == len(outcomes)


def test_count_is_exact_for_a_real_vocabulary():
    assert sq.count_sequences(50_257, 100, has_eos=False) == 50_257**100
    assert sq.count_sequences(3, 2) == 1 + 2 + 4  # eos; a eos, b eos; aa ab ba bb


@pytest.mark.parametrize("eos_id", [2, 0, None])
@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize("possible_only", [False, True])
def test_enumeration_is_the_brute_force(eos_id, zeros, possible_only):
    model = PrefixModel(1, 3, eos_id, zeros)
    expected = brute_force(model, 4, context=7)
    if possible_only:
        expected = {y: p for y, p in expected.items() if p > 0}
    found = sq.enumerate_sequences(model, 4, context=7, possible_only=possible_only)
    rows = zip(found.tokens.tolist(), found.lengths.tolist(), found.log_probs.exp().tolist())
    found_probs = {tuple(tokens[:length]): p for tokens, length, p in rows}
    assert found_probs.keys() == expected.keys()
    assert len(found_probs) == len(found.tokens)
    assert [found_probs[y] for y in expected] == pytest.approx(list(expected.values()), **EXACT)
    assert found.log_probs.exp().sum().item() == pytest.approx(1, **EXACT)


def test_sequences_are_filled_with_eos_and_masked_after_it():
    found = sq.enumerate_sequences(PrefixModel(0), 2)
    assert found.tokens.tolist() == [[2, 2], [0, 2], [1, 2], [0, 0], [0, 1], [1, 0], [1, 1]]
    assert found.lengths.tolist() == [1, 2, 2, 2, 2, 2, 2]
    assert found.mask.tolist() == [[True, False]] + [[True, True]] * 6


def test_a_language_whose_sequences_all_end_early():
    certain = Table({(): [0, 1, 0], (1,): [0, 0, 1]}, vocab_size=3, eos_id=2)
    found = sq.enumerate_sequences(certain, 6, possible_only=True)
    assert found.tokens.tolist() == [[1, 2, 2, 2, 2, 2]]
    assert found.log_probs.tolist() == [0.0]
    assert chain_rule_terms(certain, PrefixModel(0), 6)[2:].tolist() == [0, 0, 0, 0]
    assert sq.best_sequence(certain, 6).tokens.tolist() == [1, 2]


def test_enumeration_refuses_before_it_starts():
    class Untouchable(PrefixModel):
        def next_log_probs(self, prefixes, context=None):
            raise AssertionError("work was done")

    with pytest.raises(
        ValueError, match=r"limit is 1,000,000 and there are 2,147,483,647 sequences.*stepwise_loss"
    ):
        sq.enumerate_sequences(Untouchable(0), 30)


def test_limits_count_what_is_possible():
    grammar = PrefixModel(1, 3, 2, zeros=True)
    possible = len(sq.enumerate_sequences(grammar, 8, possible_only=True).tokens)
    assert possible < sq.count_sequences(3, 8)
    assert (
        len(sq.enumerate_sequences(grammar, 8, possible_only=True, limit=possible).tokens)
        == possible
    )
    with pytest.raises(ValueError, match=f"{possible} possible sequences of up to 8 tokens"):
        sq.enumerate_sequences(grammar, 8, possible_only=True, limit=possible - 1)
    with pytest.raises(ValueError, match="16 prefixes of 4 tokens"):
        chain_rule_loss(PrefixModel(0), PrefixModel(1), 6, limit=15)
    with pytest.raises(ValueError, match=r"best_sequence\(beam=...\)"):
        sq.best_sequence(PrefixModel(0), 6, limit=15)


# ---------------------------------------------------------------- sampling and scoring


def test_samples_have_the_enumerated_distribution():
    model, n = PrefixModel(3), 20_000
    drawn = sq.sample_sequences(model, 2, n, generator(), context=5)
    for tokens, log_p in zip(*[sq.enumerate_sequences(model, 2, 5)[i] for i in (0, 2)]):
        share, p = (drawn.tokens == tokens).all(dim=1).double().mean().item(), log_p.exp().item()
        assert abs(share - p) < 4 * math.sqrt(p * (1 - p) / n)


def test_samples_know_their_probability_and_repeat_with_the_seed():
    model = PrefixModel(4)
    drawn = sq.sample_sequences(model, 5, 50, generator(1), context=1)
    torch.testing.assert_close(
        drawn.log_probs, sq.sequence_log_probs(model, drawn.tokens, 1), rtol=0, atol=1e-12
    )
    assert drawn.tokens.equal(sq.sample_sequences(model, 5, 50, generator(1), context=1).tokens)
    assert not drawn.tokens.equal(sq.sample_sequences(model, 5, 50, generator(2), context=1).tokens)
    assert (drawn.tokens[~drawn.mask] == 2).all() and (~drawn.mask).any()


@pytest.mark.parametrize("eos_id", [2, None])
def test_sequence_log_probs_are_the_enumerated_ones(eos_id):
    model = PrefixModel(5, 3, eos_id)
    y = sq.enumerate_sequences(model, 3)
    torch.testing.assert_close(
        sq.sequence_log_probs(model, y.tokens), y.log_probs, rtol=0, atol=1e-12
    )
    per_token = sq.token_log_probs(model, y.tokens)
    assert (per_token[~y.mask] == 0).all() and (per_token[y.mask] < 0).all()


def test_lengths_count_the_first_eos():
    tokens = torch.tensor([[2, 2, 2], [0, 2, 2], [0, 1, 2], [0, 1, 0], [0, 2, 1]])
    assert sq.sequence_lengths(tokens, 2).tolist() == [1, 2, 3, 3, 2]
    assert sq.sequence_lengths(tokens, None).tolist() == [3] * 5


def test_a_model_may_offer_all_positions_in_one_pass():
    class OnePass(PrefixModel):
        def position_log_probs(self, tokens, context=None):
            steps = [self.next_log_probs(tokens[:, :t], context) for t in range(tokens.shape[1])]
            self.passes = 1
            return torch.stack(steps, dim=1)

    fast, slow = OnePass(6), PrefixModel(6)
    tokens = torch.tensor([[0, 1, 2], [1, 1, 1]])
    assert sq.position_log_probs(fast, tokens, 3).equal(sq.position_log_probs(slow, tokens, 3))
    assert fast.passes == 1


@pytest.mark.parametrize(
    "tokens", [torch.zeros(3).long(), torch.zeros(2, 0).long(), torch.zeros(2, 2)]
)
def test_scores_refuse_tokens_of_the_wrong_kind(tokens):
    with pytest.raises(ValueError, match=r"tokens has shape .* each in 0..2"):
        sq.sequence_log_probs(PrefixModel(0), tokens)


@pytest.mark.parametrize("wrong", [-100, -1, 3])
def test_scores_refuse_ids_outside_the_vocabulary(wrong):
    with pytest.raises(ValueError, match="each in 0..2"):
        sq.position_log_probs(PrefixModel(0), torch.tensor([[0, wrong]]))


# ---------------------------------------------------------------- exact losses


@pytest.mark.parametrize("eos_id", [2, 0, None])
@pytest.mark.parametrize("length", [1, 2, 4])
def test_enumeration_chain_rule_and_brute_force_agree(eos_id, length):
    teacher, student = PrefixModel(1, 3, eos_id), PrefixModel(2, 3, eos_id)
    p, q = brute_force(teacher, length, 8), brute_force(student, length, 9)
    contexts = {"teacher_context": 8, "student_context": 9}
    for divergence, expected in zip((cross_entropy, forward_kl), brute_force_losses(p, q)):
        for loss in (enumerated_loss, chain_rule_loss):
            assert loss(teacher, student, length, divergence, **contexts).item() == pytest.approx(
                expected, **EXACT
            )
    _, backward = brute_force_losses(q, p)
    assert enumerated_loss(
        teacher, student, length, reverse_kl, **contexts
    ).item() == pytest.approx(backward, **EXACT)
    chained = chain_rule_loss(teacher, student, length, reverse_kl, along="student", **contexts)
    assert chained.item() == pytest.approx(backward, **EXACT)


def test_a_teacher_with_zeros():
    teacher, student = PrefixModel(1, zeros=True), PrefixModel(2)
    ce, kl = brute_force_losses(brute_force(teacher, 5), brute_force(student, 5))
    assert enumerated_loss(teacher, student, 5, cross_entropy).item() == pytest.approx(ce, **EXACT)
    assert chain_rule_loss(teacher, student, 5).item() == pytest.approx(kl, **EXACT)
    assert enumerated_loss(student, teacher, 5).item() == math.inf
    assert chain_rule_loss(student, teacher, 5).item() == math.inf


def test_prefixes_that_are_never_visited_do_not_count():
    teacher = Table({(): [0.5, 0, 0.5], (1,): [1, 0, 0]}, 3, 2)
    student = Table(
        {(): [0.5, 0, 0.5], (1,): [0, 1, 0]}, 3, 2
    )  # infinitely far, after a 1 that never comes
    assert chain_rule_loss(teacher, student, 4).item() == 0
    assert chain_rule_loss(teacher, student, 4, reverse_kl, along="student").item() == 0


def test_cross_entropy_is_kl_plus_entropy_of_sequences():
    teacher, student = PrefixModel(1), PrefixModel(2)
    h = entropy(sq.enumerate_sequences(teacher, 4).log_probs)
    ce, kl = (chain_rule_loss(teacher, student, 4, d) for d in (cross_entropy, forward_kl))
    assert (ce - kl - h).item() == pytest.approx(0, **EXACT)
    assert chain_rule_loss(teacher, teacher, 4, cross_entropy).item() == pytest.approx(
        h.item(), **EXACT
    )
    assert enumerated_loss(teacher, teacher, 4).item() == 0


def test_any_divergence_between_sequences_but_no_chain_rule_for_it():
    teacher, student = PrefixModel(1), PrefixModel(2)
    p, q = brute_force(teacher, 4), brute_force(student, 4)
    expected = 0.5 * math.fsum(abs(p[y] - q[y]) for y in p)
    assert enumerated_loss(teacher, student, 4, total_variation).item() == pytest.approx(
        expected, **EXACT
    )
    assert chain_rule_loss(teacher, student, 4, total_variation).item() > expected + 0.1
    token_level = chain_rule_loss(teacher, student, 4, jensen_shannon)
    assert abs(token_level - enumerated_loss(teacher, student, 4, jensen_shannon)) > 0.01


def test_terms_are_the_losses_gained_by_one_more_token():
    teacher, student = PrefixModel(1), PrefixModel(2)
    losses = torch.stack([enumerated_loss(teacher, student, n) for n in range(1, 6)])
    torch.testing.assert_close(
        chain_rule_terms(teacher, student, 5).cumsum(0), losses, rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("divergence", [cross_entropy, forward_kl])
def test_the_exact_losses_have_one_gradient(divergence):
    gradients = []
    for loss in (enumerated_loss, chain_rule_loss):
        student = Trainable()
        loss(PrefixModel(1), student, 4, divergence).backward()
        gradients.append(student.logits.grad)
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-12)
    assert gradients[0].abs().max() > 0.1


def test_on_policy_chain_rule_has_the_whole_gradient():
    gradients = []
    for loss, option in ((enumerated_loss, {}), (chain_rule_loss, {"along": "student"})):
        student = Trainable()
        loss(PrefixModel(1), student, 4, reverse_kl, **option).backward()
        gradients.append(student.logits.grad)
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-12)


# ---------------------------------------------------------------- estimates


ESTIMATES = [
    (sampled_loss, cross_entropy),
    (sampled_loss, forward_kl),
    (stepwise_loss, cross_entropy),
    (stepwise_loss, forward_kl),
    (stepwise_loss, jensen_shannon),
]


@pytest.mark.parametrize(("estimator", "divergence"), ESTIMATES)
def test_estimates_are_unbiased_and_know_their_error(estimator, divergence):
    teacher, student, draws = PrefixModel(1), PrefixModel(2), 150
    options = {"teacher_context": 8, "student_context": 9}
    exact = chain_rule_loss(teacher, student, 3, divergence, **options)
    found = [
        estimator(teacher, student, 3, divergence, samples=30, generator=generator(seed), **options)
        for seed in range(draws)
    ]
    values = torch.stack([e.value for e in found])
    errors = torch.stack([e.standard_error for e in found])
    assert abs(values.mean() - exact) < 3.5 * values.std() / draws**0.5
    assert errors.square().mean().sqrt().item() == pytest.approx(values.std().item(), rel=0.2)
    assert found[0].samples == 30


def test_stepwise_along_the_student_is_unbiased():
    teacher, student = PrefixModel(1), PrefixModel(2)
    contexts = {"teacher_context": 8, "student_context": 9}
    exact = enumerated_loss(teacher, student, 3, reverse_kl, **contexts)
    options = {"samples": 4000, "generator": generator(), **contexts}
    found = stepwise_loss(teacher, student, 3, reverse_kl, along="student", **options)
    assert abs(found.value - exact) < 3.5 * found.standard_error
    other = stepwise_loss(teacher, student, 3, reverse_kl, along="teacher", **options)
    assert (
        abs(other.value - exact) > 5 * other.standard_error
    )  # the teacher's prefixes are other prefixes


def exact_variances(teacher, student, length, divergence):
    """Of one sample of the plain and of the stepwise estimate, by enumeration."""
    y = sq.enumerate_sequences(teacher, length)
    plain = -sq.sequence_log_probs(student, y.tokens) + (divergence is forward_kl) * y.log_probs
    rows = divergence(
        sq.position_log_probs(teacher, y.tokens), sq.position_log_probs(student, y.tokens)
    )
    p = y.log_probs.exp()
    return [(p * v**2).sum() - (p * v).sum() ** 2 for v in (plain, sq.sequence_sum(rows, y.mask))]


@pytest.mark.parametrize(
    ("divergence", "eos_id", "share"),
    [(forward_kl, 2, 0.9), (forward_kl, None, 0.6), (cross_entropy, None, 0.6)],
)
def test_stepwise_estimate_has_the_lower_variance(divergence, eos_id, share):
    for seed in range(8):
        teacher, student = PrefixModel(seed, 3, eos_id), PrefixModel(seed + 100, 3, eos_id)
        plain, stepwise = exact_variances(teacher, student, 4, divergence)
        assert 0 < stepwise < share * plain
        estimates = [
            estimator(teacher, student, 4, divergence, samples=2000, generator=generator())
            for estimator in (sampled_loss, stepwise_loss)
        ]
        for variance, estimate in zip((plain, stepwise), estimates):
            assert estimate.standard_error.item() == pytest.approx(
                (variance / 2000).sqrt().item(), rel=0.15
            )


def test_stepwise_estimate_has_not_always_the_lower_variance():
    """P(y) / Q(y) = 2 for every possible y: nothing varies, except between the steps."""
    p = Table({(): [0.5, 0.5, 0], (0,): [1, 0, 0], (1,): [1, 0, 0]}, 3, None)
    q = Table({(): [0.25, 0.75, 0], (0,): [1, 0, 0], (1,): [1 / 3, 2 / 3, 0]}, 3, None)
    plain, stepwise = (
        f(p, q, 2, samples=500, generator=generator()) for f in (sampled_loss, stepwise_loss)
    )
    assert plain.value.item() == pytest.approx(math.log(2), **EXACT)
    assert plain.standard_error.item() == pytest.approx(0, abs=1e-12)
    assert stepwise.standard_error > 0.02
    assert abs(stepwise.value - math.log(2)) < 3.5 * stepwise.standard_error


def test_stepwise_kl_is_never_negative_where_plain_sampling_may_be():
    teacher, student = PrefixModel(1), PrefixModel(2)
    few = [
        [f(teacher, student, 3, samples=2, generator=generator(s)).value.item() for s in range(60)]
        for f in (sampled_loss, stepwise_loss)
    ]
    assert min(few[0]) < 0 <= min(few[1])


def test_an_impossible_sample_is_an_infinite_loss_with_an_infinite_error():
    never = Table({(): [1, 0, 0]}, 3, 2)
    found = sampled_loss(PrefixModel(1), never, 2, samples=50, generator=generator())
    assert found.value.item() == math.inf and found.standard_error.item() == math.inf


@pytest.mark.parametrize("estimator", [sampled_loss, stepwise_loss])
def test_the_gradient_of_an_estimate_is_unbiased(estimator):
    exact, estimated = Trainable(), Trainable()
    enumerated_loss(PrefixModel(1), exact, 3).backward()
    estimator(PrefixModel(1), estimated, 3, samples=4000, generator=generator()).value.backward()
    torch.testing.assert_close(estimated.logits.grad, exact.logits.grad, rtol=0, atol=0.06)
    assert exact.logits.grad.abs().max() > 0.3


# ---------------------------------------------------------------- the best sequence


@pytest.mark.parametrize("eos_id", [2, None])
@pytest.mark.parametrize("seed", range(4))
def test_best_sequence_is_the_brute_force_one(seed, eos_id):
    model = PrefixModel(seed, 3, eos_id)
    outcomes = brute_force(model, 4, context=6)
    expected = max(outcomes, key=outcomes.get)
    for beam in (None, sq.count_sequences(3, 4, eos_id is not None)):
        best = sq.best_sequence(model, 4, context=6, beam=beam)
        assert tuple(best.tokens.tolist()) == expected
        assert best.log_prob.item() == pytest.approx(math.log(outcomes[expected]), **EXACT)


def test_a_narrow_beam_may_miss_the_best():
    """Greedy takes 0 (.6) and then at most .2 of it; 1 (.4) is followed by eos for certain."""
    trap = Table({(): [0.6, 0.4, 0, 0, 0, 0], (1,): [0, 0, 0, 0, 0, 1]}, 6, 5)
    greedy, wide = (sq.best_sequence(trap, 2, beam=beam) for beam in (1, 2))
    assert greedy.tokens[0] == 0 and greedy.log_prob.exp().item() == pytest.approx(0.1)
    assert wide.tokens.tolist() == [1, 5] == sq.best_sequence(trap, 2).tokens.tolist()
    assert wide.log_prob.exp().item() == pytest.approx(0.4)


def test_beam_search_keeps_ended_sequences():
    short = Table({(): [0.3, 0.3, 0.4]}, 3, 2)
    assert sq.best_sequence(short, 5, beam=1).tokens.tolist() == [2]


def test_hard_target_loss_is_the_students_surprise_at_the_teachers_best():
    teacher, student = PrefixModel(1), PrefixModel(2)
    p, q = brute_force(teacher, 4, 8), brute_force(student, 4, 9)
    expected = -math.log(q[max(p, key=p.get)])
    contexts = {"teacher_context": 8, "student_context": 9}
    assert best_sequence_loss(teacher, student, 4, **contexts).item() == pytest.approx(
        expected, **EXACT
    )
    assert best_sequence_loss(teacher, student, 4, beam=99, **contexts).item() == pytest.approx(
        expected, **EXACT
    )


# ---------------------------------------------------------------- sums and means (F8)


FOX = torch.tensor([0.1, 0.3, 0.2, 0.4], dtype=torch.float64)  # The quick brown fox


def test_the_quick_brown_fox():
    assert sq.sequence_sum(FOX).item() == pytest.approx(1.0, **EXACT)
    assert sq.sequence_mean(FOX).item() == pytest.approx(0.25, **EXACT)
    assert sq.subsequence_sum(FOX, 1, 3).item() == pytest.approx(0.5, **EXACT)  # quick brown
    assert (sq.subsequence_sum(FOX, 0, 2) + sq.subsequence_sum(FOX, 2, 4)).item() == pytest.approx(
        1.0, **EXACT
    )


def test_masked_tokens_do_not_count_even_when_they_are_not_numbers():
    losses = torch.stack([FOX, FOX])
    losses[1, 2:] = torch.tensor([math.inf, math.nan])
    mask = torch.tensor([[True] * 4, [True, True, False, False]])
    assert sq.sequence_sum(losses, mask).tolist() == pytest.approx([1.0, 0.4])
    assert sq.sequence_mean(losses, mask).tolist() == pytest.approx([0.25, 0.2])
    assert sq.subsequence_sum(losses, 1, 3, mask).tolist() == pytest.approx([0.5, 0.3])


def test_masks_are_checked():
    with pytest.raises(TypeError, match="mask has type torch.int64: pass booleans"):
        sq.sequence_sum(FOX, torch.ones(4, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"mask has shape \(3,\), token_losses \(4,\)"):
        sq.sequence_mean(FOX, torch.ones(3, dtype=torch.bool))
    with pytest.raises(ValueError, match="counts no token"):
        sq.sequence_mean(FOX, torch.zeros(4, dtype=torch.bool))


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (2, 2), (3, 2), (0, 5)])
def test_subsequences_lie_inside(start, stop):
    with pytest.raises(ValueError, match=f"start, stop are {start}, {stop}"):
        sq.subsequence_sum(FOX, start, stop)


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sq.count_sequences(0, 3), "vocab_size is 0"),
        (lambda: sq.count_sequences(3, 0), "length is 0"),
        (lambda: sq.enumerate_sequences(PrefixModel(0), 0), "length is 0"),
        (lambda: sq.sample_sequences(PrefixModel(0), 0, 5, generator()), "length is 0"),
        (lambda: sq.sample_sequences(PrefixModel(0), 3, 0, generator()), "samples is 0"),
        (lambda: sq.best_sequence(PrefixModel(0), 3, beam=0), "beam is 0"),
        (lambda: sq.best_sequence(PrefixModel(0), 0, beam=1), "length is 0"),
        (lambda: chain_rule_loss(PrefixModel(0), PrefixModel(1), 0), "length is 0"),
        (
            lambda: chain_rule_loss(PrefixModel(0), PrefixModel(1), 2, along="both"),
            "along is 'both'",
        ),
        (
            lambda: stepwise_loss(
                PrefixModel(0), PrefixModel(1), 2, samples=9, generator=generator(), along="x"
            ),
            "along is 'x'",
        ),
        (
            lambda: sampled_loss(
                PrefixModel(0), PrefixModel(1), 2, samples=1, generator=generator()
            ),
            "samples is 1",
        ),
        (
            lambda: stepwise_loss(
                PrefixModel(0), PrefixModel(1), 2, samples=1, generator=generator()
            ),
            "samples is 1",
        ),
        (
            lambda: sampled_loss(
                PrefixModel(0), PrefixModel(1), 2, reverse_kl, samples=9, generator=generator()
            ),
            "divergence is reverse_kl.*swap teacher and student",
        ),
        (
            lambda: enumerated_loss(PrefixModel(0), PrefixModel(0, 4), 2),
            "student.vocab_size is 4, teacher.vocab_size",
        ),
        (
            lambda: best_sequence_loss(PrefixModel(0), PrefixModel(0, 3, 1), 2),
            "student.eos_id is 1, teacher.eos_id",
        ),
    ],
)
def test_errors_name_the_argument_and_the_way_out(call, message):
    with pytest.raises(ValueError, match=message):
        call()
