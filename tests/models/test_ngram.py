"""The baseline that counts: its definition again, by loops over dictionaries, and what it must do."""

import itertools
import math
from bisect import bisect
from collections import Counter, defaultdict
from functools import cache

import numpy as np
import pytest
import torch

from kdlib.models.ngram import NGram


def cut(stream, length):
    """Blocks as `make_blocks` cuts them: they overlap by one token, and the last one is padded."""
    count = math.ceil((len(stream) - 1) / length)
    padding = count * length + 1 - len(stream)
    ids = torch.tensor([*stream, *[0] * padding])
    mask = torch.tensor([1] * len(stream) + [0] * padding)
    return ids.unfold(0, length + 1, length), mask.unfold(0, length + 1, length)


def one_block(*tokens):
    return np.array([tokens]), np.ones((1, len(tokens)), dtype=int)


def zipf(tokens, vocabulary, seed):
    """A text whose tokens are as unevenly frequent as words, and which depend on each other."""
    random = np.random.default_rng(seed)
    weights = 1 / np.arange(1, vocabulary + 1) ** 1.5
    text = random.choice(vocabulary, tokens, p=weights / weights.sum())
    copied = random.random(tokens) < 0.3
    text[1:][copied[1:]] = (text[:-1][copied[1:]] * 3 + 1) % vocabulary
    return tuple(text.tolist())


# --- The definition, as the papers write it -----------------------------------------------------


def occurrences(text, n):
    return Counter(text[i : i + n] for i in range(len(text) - n + 1))


@cache
def adjusted_counts(text, n, order):
    if n == order:
        return occurrences(text, n)
    before = defaultdict(set)
    for first, *rest in occurrences(text, n + 1):
        before[tuple(rest)].add(first)
    return {gram: len(tokens) for gram, tokens in before.items()}


@cache
def estimated_discounts(text, n, order):
    """Chen and Goodman 1998, equation 26; None where it has no answer."""
    counts = list(adjusted_counts(text, n, order).values())
    n1, n2, n3, n4 = (counts.count(times) for times in (1, 2, 3, 4))
    if 0 in (n1, n2, n3, n4):
        return None
    y = n1 / (n1 + 2 * n2)
    found = {1: 1 - 2 * y * n2 / n1, 2: 2 - 3 * y * n3 / n2, 3: 3 - 4 * y * n4 / n3}
    return found if all(discount > 0 for discount in found.values()) else None


def probability(text, vocabulary, order, context, token):
    n = len(context) + 1
    shorter = 1 / vocabulary
    if context:
        shorter = probability(text, vocabulary, order, context[1:], token)
    counts = adjusted_counts(text, n, order)
    discounts = estimated_discounts(text, n, order) or {1: 0.5, 2: 1.0, 3: 1.5}
    total = freed = own = 0
    for follower in range(vocabulary):
        count = counts.get((*context, follower), 0)
        if count:
            total += count
            freed += discounts[min(count, 3)]
            if follower == token:
                own = count - discounts[min(count, 3)]
    return own / total + freed / total * shorter if total else shorter


# tokens, vocabulary, block length, order, seed
CORPORA = [
    (2, 3, 4, 1, 0),
    (3, 2, 5, 3, 1),
    (40, 5, 7, 2, 2),
    (60, 9, 6, 3, 3),
    (400, 40, 9, 1, 4),
    (400, 40, 9, 2, 5),
    (400, 40, 9, 3, 6),
    (400, 12, 16, 4, 7),
]


@pytest.mark.parametrize("tokens, vocabulary, length, order, seed", CORPORA)
def test_it_is_the_definition(tokens, vocabulary, length, order, seed):
    text = zipf(tokens, vocabulary, seed)
    new = zipf(100, vocabulary, seed + 100)
    ids, mask = cut(new, length)
    found = NGram.fit(*cut(text, length), vocabulary, order).nll(ids, mask)
    for block, row in enumerate(ids.tolist()):
        for i in range(1, int(mask[block].sum())):
            context = tuple(row[max(0, i - order + 1) : i])
            expected = -math.log(probability(text, vocabulary, order, context, row[i]))
            assert found[block, i - 1] == pytest.approx(expected, abs=1e-12)


def test_the_corpora_have_discounts_of_both_kinds():
    estimated = defaultdict(set)
    for tokens, vocabulary, _, order, seed in CORPORA:
        text = zipf(tokens, vocabulary, seed)
        for n in range(1, order + 1):
            estimated[order - n].add(estimated_discounts(text, n, order) is not None)
    assert all(estimated[shorter_by] == {True, False} for shorter_by in (0, 1, 2))


# --- What it must do ----------------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("tokens", [3, 30, 300])
def test_probabilities_after_every_context_sum_to_one(order, tokens):
    vocabulary = 7
    text = zipf(tokens, vocabulary - 1, seed=tokens)  # the last token is never seen
    model = NGram.fit(*cut(text, 10), vocabulary, order)
    for length in (1, 2, 3):
        ids = np.array(list(itertools.product(range(vocabulary), repeat=length + 1)))
        last = np.exp(-model.nll(ids, np.ones_like(ids))[:, -1])
        assert (last > 0).all()
        sums = last.reshape(-1, vocabulary).sum(-1)
        np.testing.assert_allclose(sums, 1, rtol=0, atol=1e-13)


def test_a_small_case_by_hand():
    """Text 0 1 0 1 2: after 0 twice a 1, so (2 - 1 + 1 * P1(1)) / 2. Of the pairs 01, 10, 12, one
    each ends in 0, 1 and 2, so P1(1) = (1 - 0.5) / 3 + 1.5 / 3 / 4."""
    model = NGram.fit(*cut((0, 1, 0, 1, 2), 2), vocabulary=4, order=2)
    unigram = 0.5 / 3 + 0.5 / 4
    assert model.nll(*one_block(0, 1))[0, 0] == pytest.approx(-math.log((1 + unigram) / 2))
    assert model.nll(*one_block(2, 1))[0, 0] == pytest.approx(-math.log(unigram))
    assert model.order == 2 and model.entries == 3 + 3


def test_discounts_that_cannot_be_estimated():
    """Counts 1, 2, 3 and none of 4: half of each is taken off, (1 + 2 + 3) / 2 / 6 in all, not a
    third of 1, half of 2 and all of 3, as the estimate from a missing 4 would have it."""
    model = NGram.fit(*one_block(0, 1, 1, 2, 2, 2), vocabulary=4, order=1)
    expected = [count / 2 / 6 + 1 / 2 / 4 for count in (1, 2, 3, 0)]
    np.testing.assert_allclose(np.exp(-model.nll(*one_block(0, 0, 1, 2, 3)))[0], expected)


@pytest.fixture(scope="module")
def chain():
    """Transitions (V, V) of a Markov chain, its entropy rate in nats, and two texts of it."""
    random = np.random.default_rng(5)
    transitions = random.dirichlet(np.full(8, 0.5), size=8)
    visits = np.linalg.matrix_power(transitions, 200)[0]
    rate = -(visits[:, None] * transitions * np.log(transitions)).sum()
    below = transitions.cumsum(-1)[:, :-1].tolist()
    text = [0]
    for u in random.random(50_000).tolist():
        text.append(bisect(below[text[-1]], u))
    return rate, text[:30_000], text[30_000:]


def test_it_learns_a_markov_chain(chain):
    rate, text, new = chain
    ids, mask = cut(new, 64)

    def loss(tokens, order):
        return NGram.fit(*cut(text[:tokens], 64), 8, order).nll(ids, mask).sum() / (len(new) - 1)

    assert loss(30_000, order=2) == pytest.approx(rate, abs=0.02)
    assert loss(30_000, order=3) == pytest.approx(rate, abs=0.02)
    assert loss(100, order=2) > loss(1000, order=2) > loss(30_000, order=2)
    assert loss(30_000, order=1) > rate + 0.2


@pytest.mark.parametrize("order", [1, 2, 3])
def test_how_a_text_is_cut_changes_nothing(order):
    """A token counted twice where blocks overlap, or an n-gram lost there, would show."""
    text, probe = zipf(200, 9, seed=1), one_block(*zipf(50, 9, seed=2))
    whole = NGram.fit(*one_block(*text), 9, order)
    for length in (1, 2, 3, 50):
        model = NGram.fit(*cut(text, length), 9, order)
        assert model.entries == whole.entries
        np.testing.assert_array_equal(model.nll(*probe), whole.nll(*probe))


def test_blocks_that_do_not_overlap_are_separate_texts():
    apart = NGram.fit([[0, 1, 2], [3, 1, 0]], np.ones((2, 3)), 4, order=2)
    assert [divmod(gram, 4) for gram in apart.tables[1].grams] == [(0, 1), (1, 0), (1, 2), (3, 1)]


def test_padding_is_no_text():
    text, probe = zipf(101, 9, seed=3), one_block(*zipf(50, 9, seed=4))
    ids, mask = cut(text, 30)
    assert (mask == 0).sum() == 20
    expected = NGram.fit(*one_block(*text), 9).nll(*probe)
    for padding in (0, 5, -100):
        filled = ids.masked_fill(mask == 0, padding)
        model = NGram.fit(filled, mask, 9)
        np.testing.assert_array_equal(model.nll(*probe), expected)
        loss = model.nll(filled, mask)
        assert loss.shape == (4, 30) and loss.dtype == np.float64
        assert ((loss == 0) == (mask[:, 1:].numpy() == 0)).all()


def test_a_block_is_scored_by_itself():
    model = NGram.fit(*cut(zipf(300, 9, seed=5), 20), 9)
    ids, mask = cut(zipf(100, 9, seed=6), 20)
    alone = [model.nll(ids[i : i + 1], mask[i : i + 1]) for i in range(len(ids))]
    np.testing.assert_array_equal(model.nll(ids, mask), np.concatenate(alone))


@pytest.mark.parametrize("vocabulary, order", [(2**18, 3), (2**21 - 1, 3), (2**10, 6), (2**62, 1)])
def test_the_largest_keys_fit(vocabulary, order):
    top = vocabulary - 1
    model = NGram.fit(*one_block(*[top] * 50, 0, *[top] * 50), vocabulary, order)
    again = one_block(*[top] * (order + 1))
    assert model.nll(*again)[0, -1] < 0.1


@pytest.mark.parametrize("vocabulary, order", [(2**18, 4), (2**21, 3), (5, 0), (0, 2), (2, 63)])
def test_what_does_not_fit_is_refused(vocabulary, order):
    with pytest.raises(ValueError, match=rf"order, vocabulary: {order} and {vocabulary};"):
        NGram.fit(*one_block(0, 1, 1), vocabulary, order)


def test_a_token_outside_the_vocabulary_is_refused():
    model = NGram.fit(*one_block(0, 1, 2, 2), 3)
    for refuse in (lambda *blocks: NGram.fit(*blocks, 3), model.nll):
        for token in (3, -1):
            with pytest.raises(ValueError, match=rf"ids: {token} is outside .* 3 tokens"):
                refuse(*one_block(0, token, 2, 1))


def test_a_text_without_an_n_gram_is_refused():
    with pytest.raises(ValueError, match="ids: no 3 tokens in a row"):
        NGram.fit([[0, 1], [2, 1]], np.ones((2, 2)), 3, order=3)


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match=r"ids, mask: shapes \(1, 3\) and \(3,\)"):
        NGram.fit([[0, 1, 2]], np.ones(3), 3)
