"""The loss inside the forward pass: whatever form the teacher's targets have, the same loss."""

import pytest
import torch
from torch import nn

from kdlib.losses.alignment import predicting
from kdlib.losses.fused.inputs import HiddenTargets
from kdlib.losses.objectives import Objective
from kdlib.losses.softmax import log_softmax
from kdlib.losses.sparse import top_k
from kdlib.models.from_scratch import ModelSize, new_model
from kdlib.models.heads import last_hidden_states, linear_head
from kdlib.training.student_with_loss import StudentWithLoss

V, S = 20, 9
OBJECTIVE = Objective.from_alpha(0.7)


@pytest.fixture
def pair():
    return [new_model(ModelSize(width, 1, 2), V, 32, seed=width) for width in (32, 16)]


@pytest.fixture
def batch():
    ids = torch.randint(0, V, (3, S), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    mask[2, 4:] = 0
    return ids, predicting(mask)


def loss_and_gradient(student, batch, targets):
    student.zero_grad()
    loss = StudentWithLoss(student)(*batch, OBJECTIVE, targets)
    loss.total.backward()
    return loss.total.item(), [p.grad.clone() for p in student.parameters()]


def test_logits_hidden_states_and_all_tokens_kept_are_the_same_teacher(pair, batch):
    teacher, student = pair
    with torch.no_grad():
        logits = teacher(input_ids=batch[0]).logits
        hidden = HiddenTargets(last_hidden_states(teacher, batch[0]), linear_head(teacher))
    kept = top_k(log_softmax(logits[:, :-1]), V)
    value, gradient = loss_and_gradient(student, batch, logits)
    for targets in (hidden, kept):
        other, its_gradient = loss_and_gradient(student, batch, targets)
        assert other == pytest.approx(value, rel=1e-5)
        for one, two in zip(gradient, its_gradient):
            torch.testing.assert_close(one, two, atol=1e-5, rtol=1e-4)


class Capped(nn.Module):
    """Its logits are no matrix product."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, **more):
        output = self.model(input_ids=input_ids)
        output.logits = output.logits.tanh()
        return output


def test_sparse_targets_need_a_matrix_product(pair, batch):
    teacher, student = pair
    kept = top_k(log_softmax(teacher(input_ids=batch[0]).logits[:, :-1]), 3)
    with pytest.raises(ValueError, match="targets are sparse, and this student's logits"):
        StudentWithLoss(Capped(student))(*batch, OBJECTIVE, kept)
