"""One drawn token instead of two distributions: right on average, value and gradient."""

import pytest
import torch

from kdlib.losses.fused.inputs import Head, HiddenTargets
from kdlib.losses.single_sample import single_sample_loss

V, H, ROWS = 7, 5, 4


def drawn_from(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def exact(student, teacher):
    """KL(Q||P) and its gradient in the student's logits, from whole distributions."""
    logits = student.clone().requires_grad_()
    log_q, log_p = logits.log_softmax(-1), teacher.log_softmax(-1)
    kl = (log_q.exp() * (log_q - log_p)).sum()
    kl.backward()
    return kl.detach(), logits.grad


def estimates(student, teacher):
    """For each token: its probability under the student, the estimate and its gradient."""
    for token in range(V):
        logits = student.clone().requires_grad_()
        tokens = torch.full((len(student),), token)
        loss = single_sample_loss(logits, teacher, tokens)
        loss.total.backward()
        yield student.softmax(-1)[:, token], loss, logits.grad


def test_the_mean_over_what_could_be_drawn_is_the_divergence_and_its_gradient():
    student, teacher = 2 * drawn_from(1, 1, V), 2 * drawn_from(2, 1, V)
    kl, gradient = exact(student, teacher)
    found = list(estimates(student, teacher))
    assert sum(q * loss.total for q, loss, _ in found).item() == pytest.approx(kl.item(), rel=1e-12)
    torch.testing.assert_close(sum(q * g for q, _, g in found), gradient)


def test_a_row_gets_the_gradient_of_its_own_draw():
    student, teacher = drawn_from(3, ROWS, V), drawn_from(4, ROWS, V)
    tokens = torch.tensor([2, 0, 6, 2])
    logits = student.clone().requires_grad_()
    single_sample_loss(logits, teacher, tokens, weight=3.0).total.backward()
    log_q, log_p = student.log_softmax(-1), teacher.log_softmax(-1)
    for row, token in enumerate(tokens):
        reward = log_p[row, token] - log_q[row, token]
        pull = log_q[row].exp() - torch.eye(V)[token]
        torch.testing.assert_close(logits.grad[row], 3 * reward * pull)


def test_hidden_states_give_what_their_logits_give():
    hidden, weight = drawn_from(5, ROWS, H), drawn_from(6, V, H)
    other, matrix = drawn_from(7, ROWS, 3), drawn_from(8, V, 3)
    tokens = torch.tensor([1, 1, 5, 0])
    results = []
    for fused in (True, False):
        h, w = hidden.clone().requires_grad_(), weight.clone().requires_grad_()
        student = HiddenTargets(h, Head(w)) if fused else h @ w.T
        teacher = HiddenTargets(other, Head(matrix)) if fused else other @ matrix.T
        loss = single_sample_loss(student, teacher, tokens)
        loss.total.backward()
        results.append((loss.total.detach(), loss.count, *loss.parts.values(), h.grad, w.grad))
    for one, two in zip(*results, strict=True):
        torch.testing.assert_close(one, two)


def test_no_position_gives_no_loss():
    logits = torch.zeros(0, V, requires_grad=True)
    loss = single_sample_loss(logits, torch.zeros(0, V), torch.zeros(0, dtype=torch.long))
    loss.total.backward()
    assert (loss.total.item(), loss.count.item()) == (0, 0)


def test_a_student_that_is_its_teacher_gets_no_reward_and_no_gradient():
    """Not only on average: so near the goal it is less noisy than far from it."""
    student = drawn_from(9, ROWS, V).requires_grad_()
    loss = single_sample_loss(student, student.detach(), torch.arange(ROWS))
    loss.total.backward()
    assert loss.total.item() == 0 and not student.grad.any()
