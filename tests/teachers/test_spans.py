"""Two cuts of one text, and a likelihood for what they have in common."""

import functools
import math
import types

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers import models as tokenizer_models

from kdlib.data.document import Document
from kdlib.data.tokenizer import train_tokenizer
from kdlib.errors import UserError
from kdlib.losses.alignment import predicting
from kdlib.losses.objectives import Objective
from kdlib.losses.spans import NO_SPAN, SpanTargets, bernoulli_kl, span_distillation_loss
from kdlib.models.folders import wrap_tokenizer
from kdlib.models.from_scratch import ModelSize, new_model
from kdlib.models.frozen import freeze
from kdlib.teachers.spans import ROWS, SpanLikelihoods, align_spans, pair_blocks

TEXT = (
    "the cat sat on the mat; naïve cafés, “quotes” and 1790 hats — all the state of the union. " * 9
)
DOCUMENTS = [Document("one", TEXT), Document("two", TEXT[::-1])]


def trained(vocabulary, text=TEXT):
    return wrap_tokenizer(train_tokenizer([Document("a", text)], vocabulary), 64)


@pytest.fixture(scope="module")
def coarse():
    return trained(400)


@pytest.fixture(scope="module")
def fine():
    return trained(265, "other words wholly " * 20)


# --- Aligning -----------------------------------------------------------------------------------


def test_spans_end_where_both_cuts_end():
    words, pieces = [(0, 3), (3, 7), (7, 9)], [(0, 1), (1, 5), (5, 7), (7, 8), (8, 9)]
    assert align_spans(words, pieces) == ([0, 0, 1], [0, 0, 0, 1, 1])
    assert align_spans(words, words) == ([0, 1, 2], [0, 1, 2])
    assert align_spans(words, [(0, 9)]) == ([0, 0, 0], [0])


def test_a_divided_character_is_one_span():
    bytes_of_it, whole = [(0, 1), (1, 2), (1, 2), (1, 2), (2, 3)], [(0, 1), (1, 2), (2, 3)]
    assert align_spans(whole, bytes_of_it) == ([0, 1, 2], [0, 1, 1, 1, 2])
    assert align_spans(bytes_of_it, bytes_of_it) == ([0, 1, 1, 1, 2],) * 2


def test_what_one_cut_leaves_out_is_in_no_span():
    assert align_spans([(0, 2), (2, 4)], [(0, 2)]) == ([0], [0])
    assert align_spans([], []) == ([], [])


@settings(deadline=None)
@given(text=st.text(alphabet="thecason ïé—“”\n1790", max_size=60))
def test_every_span_spells_the_same_text_in_both(coarse, fine, text):
    cuts = [t.backend_tokenizer.encode(text, add_special_tokens=False) for t in (coarse, fine)]
    numbers = align_spans(cuts[0].offsets, cuts[1].offsets)
    spelt = [
        [
            tokenizer.decode([i for i, n in zip(cut.ids, of, strict=True) if n == span])
            for span in range(max(of, default=-1) + 1)
        ]
        for tokenizer, cut, of in zip((coarse, fine), cuts, numbers, strict=True)
    ]
    assert spelt[0] == spelt[1] and "".join(spelt[0]) == text


# --- Blocks -------------------------------------------------------------------------------------


def test_rows_hold_the_same_text_in_both_cuts(coarse, fine):
    pairs = pair_blocks(DOCUMENTS, coarse, fine, 32)
    assert len(pairs.student) == len(pairs.teacher) == len(pairs.student_spans)
    whole = {"teacher": "", "student": ""}
    for row in range(len(pairs.student)):
        texts = {}
        for name, tokenizer in (("teacher", coarse), ("student", fine)):
            blocks, spans = getattr(pairs, name), getattr(pairs, f"{name}_spans")[row]
            assert blocks.ids[row, 0] == tokenizer.eos_token_id and spans[0] == NO_SPAN
            assert torch.equal(blocks.mask[row, 1:] == 1, spans[1:] != NO_SPAN)
            texts[name] = tokenizer.decode(blocks.ids[row][spans != NO_SPAN])
            whole[name] += texts[name]
        assert texts["teacher"] == texts["student"]
        assert pairs.student_spans[row].max() == pairs.teacher_spans[row].max()
    assert whole["student"] == TEXT + TEXT[::-1]


def test_a_span_longer_than_a_block_is_left_out(coarse):
    letters = types.SimpleNamespace(
        backend_tokenizer=per_word(), eos_token_id=0, eos_token="?", chat_template=None
    )
    text = "ab " * 40 + "x" * 50 + " ab" * 40
    pairs = pair_blocks([Document("a", text)], letters, trained(257, "q"), 16)
    assert (pairs.student_spans != NO_SPAN).sum() == len(text) - 50 - 1  # with its space


def per_word():
    tokenizer = Tokenizer(tokenizer_models.WordLevel({"?": 0}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer


def test_too_little_text_is_refused(coarse, fine):
    with pytest.raises(UserError, match="less than two blocks"):
        pair_blocks([Document("a", "the")], coarse, fine, 16)


# --- Likelihoods --------------------------------------------------------------------------------


def test_teachers_likelihood_of_a_span_is_the_product_of_its_tokens(coarse, fine):
    teacher = freeze(new_model(ModelSize(16, 1, 2, 0.3), len(fine), 64, seed=0))
    pairs = pair_blocks(DOCUMENTS, fine, coarse, 24)
    rows = torch.tensor([2, 0])
    found = SpanLikelihoods(teacher, pairs)(rows, pairs.student.ids[rows])
    assert torch.equal(found.spans, pairs.student_spans[rows])
    for index, row in enumerate(rows):
        ids, spans = pairs.teacher.ids[row], pairs.teacher_spans[row]
        log_p = teacher(input_ids=ids[None]).logits[0].log_softmax(-1)
        for span in range(int(spans.max()) + 1):
            product = sum(
                float(log_p[at - 1, ids[at]]) for at in range(len(ids)) if spans[at] == span
            )
            assert float(found.log_p[index, span]) == pytest.approx(product, abs=1e-4)


def test_likelihoods_are_those_of_the_runs_precision(coarse, fine):
    """Computed ahead, but with the products of a training step: bit for bit those of such a pass."""
    teacher = freeze(new_model(ModelSize(16, 1, 2, 0.3), len(fine), 64, seed=0))
    pairs = pair_blocks(DOCUMENTS, fine, coarse, 24)
    rows = torch.arange(2)
    low = functools.partial(torch.autocast, "cpu", torch.bfloat16)
    found = SpanLikelihoods(teacher, pairs, low)(rows, pairs.student.ids[rows]).log_p
    exact = SpanLikelihoods(teacher, pairs)(rows, pairs.student.ids[rows]).log_p
    with low(), torch.no_grad():
        logits = teacher(input_ids=pairs.teacher.ids[:ROWS]).logits[:2, :-1].float()
    log_p = logits.log_softmax(-1).gather(-1, pairs.teacher.ids[:2, 1:, None])[..., 0]
    for row in range(2):
        spans = pairs.teacher_spans[row, 1:]
        for span in range(int(spans.max()) + 1):
            product = log_p[row][spans == span].double().sum().item()
            assert found[row, span].item() == pytest.approx(product, abs=1e-5)
    assert (found - exact).abs().max() > 1e-4


def test_one_distribution_in_two_vocabularies_has_no_distance():
    """P(the span) is 1/8 for the teacher in one token, and 1/2 * 1/4 for the student in two."""
    logits = torch.zeros(1, 3, 4)
    logits[0, 0, :2] = 20.0
    ids = torch.tensor([[0, 1, 3]])
    targets = SpanTargets(torch.tensor([[NO_SPAN, 0, 0]]), torch.tensor([[math.log(1 / 8)]]))
    loss = span_distillation_loss(logits, ids, None, targets, Objective())
    assert float(loss.parts["distillation"]) == pytest.approx(0, abs=1e-6)
    assert float(loss.parts["cross_entropy"]) == pytest.approx(math.log(8), abs=1e-5)
    assert float(loss.count) == 2


@pytest.mark.parametrize("temperature", [1.0, 3.0])
@pytest.mark.parametrize(("p", "q"), [(0.5, 0.5), (0.9, 0.2), (1e-6, 0.3), (0.3, 1e-6)])
def test_kl_of_two_outcomes(p, q, temperature):
    a, b = p ** (1 / temperature), q ** (1 / temperature)
    expected = a * math.log(a / b) + (1 - a) * math.log((1 - a) / (1 - b))
    logs = torch.tensor([p, q], dtype=torch.float64).log()
    assert float(bernoulli_kl(*logs, temperature)) == pytest.approx(expected, abs=1e-12)


def test_a_certain_student_has_a_finite_loss_and_gradient():
    log_q = torch.zeros(2, requires_grad=True)
    bernoulli_kl(torch.tensor([-1.0, 0.0]), log_q).sum().backward()
    assert log_q.grad.isfinite().all()


def test_padding_and_unused_spans_do_not_count():
    torch.manual_seed(0)
    logits, ids = torch.randn(2, 5, 7), torch.randint(7, (2, 5))
    spans = torch.tensor([[-1, 0, 0, 1, 2], [-1, 0, 1, -1, -1]])
    log_p = -torch.rand(2, 3)
    mask = (spans != NO_SPAN).long()
    mask[:, 0] = 1
    objective = Objective(label_weight=1.0)
    both = span_distillation_loss(
        logits, ids, predicting(mask), SpanTargets(spans, log_p), objective
    )
    first = span_distillation_loss(
        logits[:1], ids[:1], None, SpanTargets(spans[:1], log_p[:1]), objective
    )
    second = span_distillation_loss(
        logits[1:, :3], ids[1:, :3], None, SpanTargets(spans[1:, :3], log_p[1:, :2]), objective
    )
    torch.testing.assert_close(both.total, first.total + second.total)
    assert float(both.count) == float(first.count + second.count) == 6


def test_minimising_it_brings_the_teachers_likelihoods():
    torch.manual_seed(0)
    logits = torch.randn(1, 6, 9, requires_grad=True)
    ids = torch.tensor([[0, 3, 1, 4, 1, 5]])
    spans = torch.tensor([[-1, 0, 0, 1, 2, 2]])
    targets = SpanTargets(spans, torch.tensor([[0.3, 0.6, 0.05]]).log())
    optimizer = torch.optim.Adam([logits], lr=0.1)
    for _ in range(400):
        optimizer.zero_grad()
        loss = span_distillation_loss(logits, ids, None, targets, Objective())
        loss.total.backward()
        optimizer.step()
    own = logits.log_softmax(-1)[0, :-1].gather(-1, ids[0, 1:, None])[:, 0].detach()
    found = torch.stack([own[:2].sum(), own[2], own[3:].sum()]).exp()
    torch.testing.assert_close(found, torch.tensor([0.3, 0.6, 0.05]), atol=0.01, rtol=0)


def test_pieces_begin_with_the_separator_of_their_tokenizer():
    """A setting is a token of the student's; the teacher reads as it was taught to."""
    documents = [Document("a", "the cat sat on the mat " * 9)]
    teacher, student = trained(280), trained(290)
    pairs = pair_blocks(documents, teacher, student, 16, separator="!")
    assert (pairs.student.ids[:, 0] == student.backend_tokenizer.token_to_id("!")).all()
    assert (pairs.teacher.ids[:, 0] == teacher.eos_token_id).all()
