"""The chunked loss at its edges: extremes, shapes, what autograd asks for, precision, memory."""

import itertools

import pytest
import torch
from fused_cases import (
    LABELS,
    TEACHER_WIDTH,
    WIDTH,
    N,
    V,
    assert_equal_to_dense,
    dense_logits,
    gradients,
    numbers,
    student,
    teacher,
)

from kdlib.bench.live import peak_bytes
from kdlib.bench.variants import Size, fused, make_inputs
from kdlib.losses.distillation import distillation_loss
from kdlib.losses.fused import products
from kdlib.losses.fused.chunk_size import chunk_rows
from kdlib.losses.fused.inputs import Head, HiddenTargets
from kdlib.losses.fused.loss import fused_distillation_loss
from kdlib.losses.objectives import Objective
from kdlib.losses.sparse import top_k


def test_a_perfect_student_has_no_loss_and_no_gradient():
    hidden, head = student(torch.float32)
    targets = HiddenTargets(hidden.detach().clone(), Head(head.weight.detach().clone()))
    loss = fused_distillation_loss(hidden, head, targets, objective=Objective.from_alpha(1.0))
    assert loss.total.item() == 0
    assert all(not g.any() for g in gradients(loss.total, hidden, head))


def test_huge_logits_stay_finite():
    hidden, head = student(torch.float32)
    big = Head((1e4 * head.weight).detach().requires_grad_())
    loss = fused_distillation_loss(
        hidden, big, teacher(torch.float32), LABELS, objective=Objective.from_lambda(1.0)
    )
    assert loss.total.isfinite()
    assert all(g.isfinite().all() for g in gradients(loss.total, hidden, big))


@pytest.mark.parametrize(
    "mask", [torch.zeros(N), torch.tensor([0.0, 0, 0, 1, 0, 0, 0])], ids=["none", "one"]
)
def test_few_rows_or_none(mask):
    assert_equal_to_dense(Objective.from_lambda(0.7), 3, mask=mask)


def test_a_vocabulary_of_one():
    hidden = numbers(3, WIDTH, seed=1).requires_grad_()
    head = Head(numbers(1, WIDTH, seed=2).requires_grad_())
    targets = HiddenTargets(numbers(3, 2, seed=3), Head(numbers(1, 2, seed=4)))
    labels = torch.zeros(3, dtype=torch.int64)
    loss = fused_distillation_loss(
        hidden, head, targets, labels, objective=Objective.from_lambda(1.0)
    )
    assert loss.total.item() == 0
    assert all(not g.any() for g in gradients(loss.total, hidden, head))


def test_rows_that_do_not_count_may_hold_anything():
    mask = torch.tensor([1, 1, 0, 1, 1, 1, 1])
    hidden, head = student()
    clean = fused_distillation_loss(
        hidden, head, teacher(), LABELS, mask, objective=Objective.from_lambda(0.7)
    )
    spoilt = hidden.detach().clone()
    spoilt[2] = torch.nan
    spoilt.requires_grad_()
    loss = fused_distillation_loss(
        spoilt, head, teacher(), LABELS, mask, objective=Objective.from_lambda(0.7)
    )
    assert loss.total == clean.total
    (gradient,) = torch.autograd.grad(loss.total, spoilt)
    assert gradient.isfinite().all() and not gradient[2].any()


def test_leading_dimensions_of_any_shape():
    hidden, head = student()
    flat = fused_distillation_loss(
        hidden[:6], head, objective=Objective.from_lambda(0), labels=LABELS[:6]
    )
    shaped = fused_distillation_loss(
        hidden[:6].view(2, 3, WIDTH),
        head,
        objective=Objective.from_lambda(0),
        labels=LABELS[:6].view(2, 3),
    )
    torch.testing.assert_close(flat.total, shaped.total)


def test_a_tied_head_receives_both_gradients():
    weight = numbers(V, WIDTH, seed=2).requires_grad_()

    def total(loss):
        return loss(weight[LABELS]).total

    objective = Objective.from_lambda(0.7)
    logits = dense_logits(*teacher())
    ours = total(
        lambda h: fused_distillation_loss(h, Head(weight), teacher(), LABELS, objective=objective)
    )
    dense = total(lambda h: distillation_loss(h @ weight.T, logits, LABELS, objective=objective))
    mine, theirs = (torch.autograd.grad(t, weight)[0] for t in (ours, dense))
    torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-12)


def test_the_gradient_is_scaled_by_what_comes_from_above():
    hidden, head = student()
    loss = fused_distillation_loss(hidden, head, teacher(), objective=Objective.from_alpha(1.0))
    once = gradients(loss.total, hidden, head)
    again = fused_distillation_loss(hidden, head, teacher(), objective=Objective.from_alpha(1.0))
    for one, third in zip(once, gradients(again.total / 3, hidden, head)):
        torch.testing.assert_close(third, one / 3)


def test_the_teacher_receives_no_gradient():
    targets = HiddenTargets(numbers(N, TEACHER_WIDTH, seed=4).requires_grad_(), teacher().head)
    hidden, head = student()
    fused_distillation_loss(
        hidden, head, targets, objective=Objective.from_alpha(1.0)
    ).total.backward()
    assert targets.hidden.grad is None


def test_a_second_derivative_is_refused():
    hidden, head = student()
    loss = fused_distillation_loss(hidden, head, teacher(), objective=Objective.from_alpha(1.0))
    with pytest.raises(RuntimeError, match="has one derivative; .* use distillation_loss"):
        torch.autograd.grad(loss.total, hidden, create_graph=True)


def test_without_gradients_only_the_value_is_computed():
    hidden, head = student()
    with torch.no_grad():
        loss = fused_distillation_loss(
            hidden, head, teacher(), LABELS, objective=Objective.from_lambda(0.7)
        )
    assert not loss.total.requires_grad
    expected = fused_distillation_loss(
        hidden, head, teacher(), LABELS, objective=Objective.from_lambda(0.7)
    )
    torch.testing.assert_close(loss.total, expected.total.detach())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("chunk", [3, 100])
def test_precision_against_float64(dtype, chunk):
    """float32 to 1e-5; bfloat16 no worse than the dense loss in bfloat16."""
    objective = Objective.from_lambda(0.7, temperature=2.0)
    hidden, head = student(dtype)
    targets = teacher(dtype)
    loss = fused_distillation_loss(hidden, head, targets, LABELS, objective=objective, chunk=chunk)
    ours = gradients(loss.total, hidden, head)
    exact_inputs = [t.detach().double().requires_grad_() for t in (hidden, head.weight)]
    exact_teacher = targets.hidden.double() @ targets.head.weight.double().T
    reference = distillation_loss(
        exact_inputs[0] @ exact_inputs[1].T, exact_teacher, LABELS, objective=objective
    )
    expected = torch.autograd.grad(reference.total, exact_inputs)
    rough = distillation_loss(
        dense_logits(hidden, head), dense_logits(*targets), LABELS, objective=objective
    )
    dense = gradients(rough.total, hidden, head)

    def error(mine, exact):
        return ((mine.double() - exact).norm() / exact.norm()).item()

    # A gradient in bfloat16 is itself rounded to 8 bits, 2^-9 relative, which the dense one is too.
    slack = 1.0 if dtype == torch.float32 else 1.5
    pairs = [(loss.total, rough.total, reference.total), *zip(ours, dense, expected)]
    for mine, theirs, exact in pairs:
        bound = 1e-5 if dtype == torch.float32 else max(slack * error(theirs, exact), 2**-8)
        assert error(mine, exact) <= bound


def test_autocast_lowers_the_products_only():
    hidden, head = student(torch.float32)
    plain = fused_distillation_loss(
        hidden, head, teacher(torch.float32), objective=Objective.from_alpha(1.0)
    )
    with torch.autocast("cpu", torch.bfloat16):
        low = fused_distillation_loss(
            hidden, head, teacher(torch.float32), objective=Objective.from_alpha(1.0)
        )
    assert low.total.dtype == torch.float32
    assert low.total != plain.total
    torch.testing.assert_close(low.total, plain.total, rtol=3e-2, atol=0)
    assert [g.dtype for g in gradients(low.total, hidden, head)] == [torch.float32] * 2


def test_hidden_states_in_half_precision_have_logits():
    """As autocast leaves them, beside a head in float32."""
    hidden, head = teacher(torch.float32)
    logits = HiddenTargets(hidden.bfloat16(), head).logits()
    torch.testing.assert_close(logits.float(), hidden @ head.weight.T, rtol=3e-2, atol=3e-2)


def test_nothing_of_the_size_of_the_logits_is_kept():
    """The graph holds the gradients of hidden states and head, however many rows there are."""
    kept = []

    def note(tensor):
        kept.append(tensor.numel())
        return tensor

    for rows, vocabulary in itertools.product((50, 100), (40, 400)):
        kept.clear()
        hidden = numbers(rows, WIDTH, seed=1).requires_grad_()
        head = Head(numbers(vocabulary, WIDTH, seed=2).requires_grad_())
        targets = HiddenTargets(numbers(rows, 2, seed=3), Head(numbers(vocabulary, 2, seed=4)))
        with torch.autograd.graph.saved_tensors_hooks(note, lambda t: t):
            fused_distillation_loss(hidden, head, targets, objective=Objective.from_alpha(1.0))
        assert sum(kept) == WIDTH * (rows + vocabulary)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"targets": None}, "there is no teacher"),
        ({"labels": None}, "labels is None"),
        ({"labels": LABELS[:3]}, "labels has shape"),
        ({"chunk": 0}, "chunk is 0"),
        (
            {"student_head": Head(torch.zeros(V, 2))},
            "student hidden states have width 5, its head 2",
        ),
        (
            {"targets": HiddenTargets(torch.zeros(N, 2), Head(torch.zeros(V, 3)))},
            "teacher hidden states",
        ),
        (
            {"targets": HiddenTargets(torch.zeros(2, 3), Head(torch.zeros(V, 3)))},
            "targets have rows",
        ),
        ({"targets": HiddenTargets(torch.zeros(N, 3), Head(torch.zeros(4, 3)))}, "over 4 tokens"),
        ({"targets": torch.zeros(N, 4)}, "over 4 tokens"),
        ({"targets": top_k(torch.zeros(2, V), 3)}, "targets have rows"),
        (
            {
                "targets": top_k(torch.zeros(N, V), 3),
                "objective": Objective.from_alpha(1.0, divergence="reverse_kl"),
            },
            "sparse targets know the forward KL only",
        ),
    ],
)
def test_what_does_not_fit_is_named(change, message):
    hidden, head = student()
    arguments = {
        "student_hidden": hidden, "student_head": head, "targets": teacher(), "labels": LABELS,
        "objective": Objective.from_lambda(1.0),
    }  # fmt: skip
    with pytest.raises(ValueError, match=message):
        fused_distillation_loss(**arguments | change)


def test_the_chunk_follows_the_vocabulary():
    assert [chunk_rows(v) for v in (64, 2048, 4096, 50_000)] == [1024, 512, 256, 256]
    half = torch.bfloat16  # of the products alone, or of the logits that are kept, too
    assert [chunk_rows(v, "cpu", half) for v in (2048, 50_000)] == [512, 256]
    assert [chunk_rows(v, "cpu", half, half) for v in (2048, 50_000)] == [1024, 256]


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("factors", [torch.float32, torch.bfloat16])
def test_a_chunks_memory_is_bounded_up_to_the_largest_vocabularies(device, factors):
    """256,000 tokens are Gemma's; a chunk never has fewer than 128 rows."""
    for vocabulary in (50, 4096, 32_000, 50_257, 128_256, 151_936, 256_000):
        rows = chunk_rows(vocabulary, device, factors)
        assert rows >= 128
        assert 4 * rows * vocabulary <= (
            2**28 if (device, factors) == ("cuda", torch.bfloat16) else 2**27
        )
        if device == "cuda":
            assert rows % 128 == 0


def test_the_peak_of_the_loss_is_flat_in_the_tokens():
    """Beyond a chunk's rows, a token more costs its hidden state and gradient and no logit."""
    width, vocabulary = 4, 20_000
    rows = chunk_rows(vocabulary)

    def peak(tokens):
        given = make_inputs(
            Size(tokens, width, width, vocabulary), torch.float32, torch.device("cpu")
        )
        return peak_bytes(lambda: torch.autograd.grad(fused(given), (given.student, given.head)))

    few, many = peak(2 * rows), peak(6 * rows)
    assert many - few <= 3 * 4 * 4 * rows * width + 4096
    assert few < 3.2 * 4 * rows * vocabulary


def test_half_precision_adds_up_the_weights_gradient_in_pieces(monkeypatch):
    """Of the vocabulary; the last piece is shorter. One piece, as small inputs have, is the oracle."""

    def gradient():
        generator = torch.Generator().manual_seed(0)
        hidden, weight = (torch.randn(n, 4, generator=generator) for n in (6, 11))
        weight = weight.bfloat16().requires_grad_()
        labels = torch.arange(6)
        loss = fused_distillation_loss(
            hidden.bfloat16(), Head(weight), labels=labels, objective=Objective.from_lambda(0.0), chunk=4
        )  # fmt: skip
        return torch.autograd.grad(loss.total, weight)[0]

    whole = gradient()
    three_rows = 3 * 4 * 2  # of four numbers of two bytes
    monkeypatch.setattr(products, "PIECE_BYTES", three_rows)
    torch.testing.assert_close(gradient(), whole)
