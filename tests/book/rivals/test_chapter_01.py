"""The rivals of chapter 1: other phrases, other texts, other contexts, other words."""

import math
import random
import re
from collections import Counter
from functools import cache

import pytest
import torch
from rivals.headlines import headline

from kdlib.data.blocks import make_blocks
from kdlib.data.documents import load_splits
from kdlib.data.shares import take_fraction
from kdlib.losses.divergences import entropy, forward_kl, jensen_shannon
from kdlib.models.folders import POCKET_TEACHER, load_model, load_tokenizer
from kdlib.models.frozen import freeze
from kdlib.toys.worlds import mix, story_world

YEAR = r"(1[89]\d\d)"
ANY, OWN = rf"June 30, {YEAR}", rf"year\s+ended\s+June 30, {YEAR}"
OTHER_WORDS = ("For the fiscal year ended June 30,", "during the fiscal year ended June 30,")
AT_HOME = """The kettle whistled and nobody got up. Tom had put the cat in the pram again, and
the twins were painting the bath. You can borrow my bike if you pump up the tyres. It
snowed all night, so we built a slide behind the garage. Mum says the pizza will be here in ten
minutes. I dropped my sandwich in the puddle and a duck ate it. She plays the drums, badly, and her
neighbour plays the trumpet. Who left the tap on? The film was so boring that I fell asleep twice.
Grandpa cannot find his glasses because they are on his nose."""


@cache
def teacher():
    return freeze(load_model(POCKET_TEACHER)), load_tokenizer(POCKET_TEACHER)


@cache
def messages():
    return load_splits("sotu")


@cache
def everything():
    return "\n".join(document.text for document in messages().training)


def says(text):
    """The teacher's log-probabilities of the next token."""
    model, tokenizer = teacher()
    ids = [tokenizer.eos_token_id, *tokenizer(text).input_ids]
    return _logits(torch.tensor([ids]))[0, -1].double().log_softmax(-1)


def _logits(ids):
    with torch.no_grad():
        return teacher()[0](input_ids=ids).logits


def blocks(documents, count, length=128, offset=0):
    tokenizer = teacher()[1]
    ids = make_blocks(documents, tokenizer.backend_tokenizer, length, tokenizer.eos_token_id).ids[
        :-1
    ]
    return ids[offset :: len(ids) // count][:count]


def places(pattern):
    return [year[:3] for year in re.findall(pattern, everything())]


def shares(found):
    return {decade: n / len(found) for decade, n in Counter(found).items()}


@cache
def decades(sentence):
    pieces = [teacher()[1].decode(token) for token in range(len(teacher()[1]))]
    said = Counter()
    for piece, p in zip(pieces, says(sentence).exp().tolist()):
        if re.fullmatch(r" 1[89]\d", piece):
            said[piece.strip()] += p
        elif piece in (" 18", " 19"):
            for digits, q in zip(pieces, says(sentence + piece).exp().tolist()):
                if digits[0].isdigit():
                    said[piece.strip() + digits[0]] += p * q
    return said


def moved(one, other):
    """Total variation; what is no year is one more outcome."""
    names = sorted({*one, *other})
    rest = abs(sum(one.values()) - sum(other.values()))
    return (sum(abs(one.get(n, 0) - other.get(n, 0)) for n in names) + rest) / 2


def worth(sentence, pattern, seed):
    """Sentences that a reader must tally to come as close as the teacher's answer."""
    found = places(pattern)
    target, draw = shares(found), random.Random(seed)
    goal = moved(decades(sentence), target)
    for number in range(1, 200):
        read = [moved(shares(draw.choices(found, k=number)), target) for _ in range(80)]
        if sum(read) / len(read) <= goal:
            return number
    raise AssertionError("no tally is as close")


@pytest.mark.parametrize("sentence", OTHER_WORDS)
@headline(
    1,
    "A label is one word and has entropy 0. A teacher's answer is a distribution. One answer about"
    " June 30 was worth about thirty sentences if any June 30 would do, about five for the exact"
    " words.",
)
def test_1_1_other_words_are_worth_as_much(sentence):
    """Rival: it holds for this sentence and this draw only, or for any list of years."""
    assert 20 <= worth(sentence, ANY, seed=7) <= 50
    assert 3 <= worth(sentence, OWN, seed=7) <= 7
    years = shares(places(rf"\b{YEAR}\b"))
    assert moved(decades(sentence), years) > 2 * moved(decades(sentence), shares(places(ANY)))
    one_word = torch.tensor([0.0, -torch.inf, -torch.inf])
    assert entropy(one_word) == 0 < entropy(says(sentence))


@headline(
    1,
    "A search that finds nothing may only tell you about the search. Read the places, not the"
    " number.",
)
def test_1_1_a_pattern_that_works_elsewhere_is_blind_here():
    """Rival: the pattern was simply broken, and a test of it would have shown that."""
    assert len(places(OWN)) > 50
    assert not re.findall(r"year\s+ended\s+June 30, 194\d", everything())
    wider = r"year\s+that\s+end(?:s|ed)\s+on\s+June 30, 194\d"
    assert len(re.findall(wider, everything())) == 2


@headline(1, "So these are two wordings, not two meanings.")
def test_1_1_a_year_ending_is_mostly_over():
    """Rival: the places, read with the date of the message, are estimates after all."""
    found = [
        (year, document.name[:4])
        for document in messages().training
        for year in re.findall(rf"year,?\s+ending\s+June 30, {YEAR}", document.text)
    ]
    assert sum(year <= written for year, written in found) > len(found) / 2
    said = " ".join(document.text for document in messages().training)
    for verb in ("were", "amounted", "was"):
        assert re.search(rf"year,?\s+ending\s+June 30, {YEAR},? {verb}", said)


@headline(1, "But it separates the two only partly.")
def test_1_1_other_words_keep_kinds_half_apart():
    """Rival: it keeps them fully apart, or not at all, if it is asked in other words."""
    for sentence in OTHER_WORDS:
        early = [
            sum(answer.get(decade, 0) for decade in ("185", "186"))
            for answer in (decades(sentence), decades(sentence.replace("ended", "ending")))
        ]
        assert early[1] > 1.5 * early[0] and early[0] > 0.1
        assert moved(decades(sentence), shares(places(ANY))) < moved(
            decades(sentence), shares(places(OWN))
        )


@headline(
    1,
    "A good target tells apart the words that differ, and is right. Its shape can show the first,"
    " never the second.",
)
def test_1_3_a_shuffled_teacher_has_the_same_shape():
    """Rival: with thousands of words, entropy or the pairs told apart would show nonsense."""
    ids = blocks(take_fraction(messages().test, 0.3), 8)
    log_p = _logits(ids[:, :-1]).double().log_softmax(-1)
    order = torch.randperm(log_p.shape[-1], generator=torch.Generator().manual_seed(0))
    nonsense = log_p[..., order]
    assert torch.allclose(entropy(nonsense), entropy(log_p))
    assert torch.equal(nonsense.sort().values, log_p.sort().values)
    right, wrong = (-lp.gather(-1, ids[:, 1:, None]).mean().item() for lp in (log_p, nonsense))
    assert wrong > right + 4


def _honesty(ids):
    """Expected and actual surprise at each place."""
    log_p = _logits(ids[:, :-1]).double().log_softmax(-1)
    return entropy(log_p), -log_p.gather(-1, ids[:, 1:, None])[..., 0]


@headline(
    1,
    "The teacher's entropy can be trusted on the kind of language that it has read: on new messages"
    " it was as surprised as it expected to be, on everyday English much more.",
)
def test_1_2_other_messages_and_another_everyday_text():
    """Rival: these blocks, this length of context, or these sentences decided it."""
    for documents, length in ((messages().validation, 128), (messages().test, 32)):
        expected, came = _honesty(blocks(take_fraction(documents, 0.2), 24, length, offset=1))
        assert abs(came.mean() - expected.mean()) < 0.3
        for low, high in ((0, 1), (1, 3), (3, 5), (5, 9)):
            here = (expected >= low) & (expected < high)
            assert abs(came[here].mean() - expected[here].mean()) < 0.5
    tokenizer = teacher()[1]
    tokens = [tokenizer.eos_token_id, *tokenizer(" ".join(AT_HOME.split())).input_ids]
    expected, came = _honesty(torch.tensor([tokens]))
    excess = (came - expected).flatten()
    assert excess.mean() - 2 * excess.std() / math.sqrt(len(excess)) > 0.3
    assert excess[expected.flatten() < 3].mean() > 1


@headline(
    1,
    "Temperature $T$ takes the $T$-th root of all odds. $N$ senseless words with a gap of $g$ nats"
    " take over at $T = g / \\log N$, and sooner if some gaps are smaller.",
)
def test_1_4_the_rule_holds_in_other_contexts():
    """Rival: it fits "The Secretary of" by chance."""
    logits = _logits(blocks(take_fraction(messages().test, 0.3), 2)).double().flatten(0, 1)
    best = logits.topk(8)
    gap = (best.values[:, :1] - logits).median(-1).values
    rule = gap / math.log(logits.shape[-1] - 8)
    low, high = torch.full_like(rule, 0.1), torch.full_like(rule, 8.0)
    for _ in range(30):
        middle = (low + high) / 2
        mass = (logits / middle[:, None]).softmax(-1).gather(-1, best.indices).sum(-1)
        low = torch.where(mass > 0.5, middle, low)
        high = torch.where(mass > 0.5, high, middle)
    assert torch.corrcoef(torch.stack([low, rule]))[0, 1] > 0.9
    ratio = (low / rule).quantile(torch.tensor([0.05, 0.95], dtype=torch.float64))
    assert 0.6 < ratio[0] and ratio[1] < 1.1
    # The best word alone is overtaken before that, everywhere: the rule is an upper limit.
    at_rule = (logits / rule[:, None]).softmax(-1)
    others = 1 - at_rule.gather(-1, best.indices).sum(-1)
    assert (others > at_rule.gather(-1, best.indices[:, :1])[:, 0]).all()
    odds = lambda T: (logits / T).log_softmax(-1)[:, :2].diff(dim=-1)
    assert torch.allclose(odds(4.0) * 4, odds(1.0))


@headline(
    1,
    "$\\mathrm{KL}(P \\Vert Q)$ is the surprise that better beliefs would have saved. It is never"
    " negative, and 0 only for a student that agrees.",
)
def test_1_5_whoever_tries_to_make_kl_negative_ends_up_agreeing():
    """Rival: some student wins by giving unlikely words much, where the pieces are negative."""
    torch.manual_seed(3)
    log_p = torch.randn(50, 6, dtype=torch.float64).mul(3).log_softmax(-1)
    student = torch.randn(50, 6, dtype=torch.float64).requires_grad_()
    optimizer = torch.optim.LBFGS([student], max_iter=500, line_search_fn="strong_wolfe")

    def loss():
        optimizer.zero_grad()
        total = forward_kl(log_p, student.log_softmax(-1)).sum()
        total.backward()
        return total

    optimizer.step(loss)
    log_q = student.detach().log_softmax(-1)
    assert (forward_kl(log_p, log_q) > -1e-12).all()
    assert torch.allclose(log_q.exp(), log_p.exp(), atol=1e-3)
    other = torch.randn(50, 6, dtype=torch.float64).log_softmax(-1)
    drawn = torch.multinomial(log_p.exp(), 50_000, replacement=True)
    saved = (log_p - other).gather(-1, drawn).mean(-1)
    assert torch.allclose(saved, forward_kl(log_p, other), atol=0.1)


@headline(1, "A step goes down in the loss, not straight towards the teacher.")
def test_1_5_a_push_up_and_a_fall():
    """Rival: the step was too large."""
    before = torch.tensor([0.50, 0.40, 0.10], dtype=torch.float64)
    target = torch.tensor([0.55, 0.41, 0.04], dtype=torch.float64)
    for rate in (1.0, 0.1, 1e-3, 1e-5):
        after = (before.log() + rate * (target - before)).softmax(-1)
        assert after[1] < before[1] < target[1]
        assert forward_kl(target.log(), after.log()) < forward_kl(target.log(), before.log())


@headline(
    1,
    "Once every word has been drawn often, $n$ strings leave a distance of about $(V - 1) / (2n)$",
)
def test_1_5_the_rule_of_counts_holds_for_other_distributions():
    """Rival: it holds for these four words."""
    draw = torch.Generator().manual_seed(5)
    for size in (3, 10, 30):
        p = torch.rand(size, generator=draw, dtype=torch.float64) + 0.3
        p /= p.sum()
        strings = 200 * size
        drawn = torch.multinomial(p.expand(300, -1), strings, replacement=True, generator=draw)
        counts = torch.nn.functional.one_hot(drawn, size).sum(1)
        q = (counts + 1 / size) / (strings + 1)
        far = forward_kl(p.log().expand_as(q), q.log()).mean().item()
        assert far == pytest.approx((size - 1) / (2 * strings), rel=0.15)


@headline(1, "Any sentence does it.")
def test_1_6_ten_contexts_against_five():
    """Rival: the two controls happened to be about islands or seas."""
    cuba = teacher()[1](" Cuba").input_ids[-1]
    about = ("The war in Cuba goes on. ", "Spain has sent troops to Cuba. ",
             "The people of Cuba are suffering. ", "Our trade with Cuba has grown. ",
             "The insurrection in Cuba continues. ")  # fmt: skip
    others = ("The treaty with Japan was signed. ", "Congress met in December. ",
              "The Post Office has a surplus. ", "I thank the Senate. ",
              "The mint at Denver was closed. ")  # fmt: skip
    mean = lambda contexts: (
        sum(says(c + "The island of")[cuba].exp().item() for c in contexts) / len(contexts)
    )
    alone = mean([""])
    assert mean(others) > 5 * alone
    assert mean(about) < 1.6 * mean(others)


@headline(
    1,
    "The teacher reads the full input and is fixed; the student reads the simplified one and is"
    " trained. A context can move into the parameters without loss if it is always the same.",
)
def test_1_6_a_trained_student_finds_what_the_table_says():
    """Rival: another instruction, other shares of the two, or a student that is really trained."""
    world = story_world()
    row = world.words.index("a")
    plain, ornate = (world.log_rows(f"{c} fox")[row] for c in ("plain", "ornate"))

    def least(share):
        logits = torch.zeros_like(plain).requires_grad_()
        optimizer = torch.optim.LBFGS([logits], max_iter=300, line_search_fn="strong_wolfe")

        def loss():
            optimizer.zero_grad()
            log_q = logits.log_softmax(-1)
            both = share * forward_kl(plain, log_q) + (1 - share) * forward_kl(ornate, log_q)
            both.backward()
            return both

        optimizer.step(loss)
        return loss().item()

    assert least(1.0) < 1e-3 and least(0.0) < 1e-3
    assert least(0.5) == pytest.approx(jensen_shannon(plain, ornate).item(), abs=1e-3)
    for share in (0.1, 0.3, 0.9):
        average = mix(plain, ornate, 1 - share)
        left = share * forward_kl(plain, average) + (1 - share) * forward_kl(ornate, average)
        assert least(share) == pytest.approx(left.item(), abs=1e-3) and left > 0.05


@headline(
    1,
    "For a phone: student from the device, data from the users, targets from the teacher, and a"
    " control.",
)
def test_1_7_fewer_bits_alone_do_not_reach_the_phone():
    """Rival: no student is needed, for weights can be stored in fewer and fewer bits."""
    assert 7e9 * 1 / 8 / 1e6 > 8 * 100  # a single bit for each weight, in megabytes
