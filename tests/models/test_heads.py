"""Every way from hidden states to logits that the fused loss knows is found, and no other."""

import copy
import warnings
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from transformers import (
    CohereConfig,
    CohereForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GraniteConfig,
    GraniteForCausalLM,
    HyperCLOVAXConfig,
    HyperCLOVAXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
)

from kdlib.losses.alignment import next_token
from kdlib.losses.distillation import distillation_loss
from kdlib.losses.fused.inputs import HiddenTargets
from kdlib.losses.objectives import Objective
from kdlib.models.heads import last_hidden_states, linear_head
from kdlib.training.student_with_loss import StudentWithLoss

V = 40
TINY = dict(
    vocab_size=V, hidden_size=16, intermediate_size=32, num_hidden_layers=2,
    num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=32,
    pad_token_id=0, bos_token_id=1, eos_token_id=2, initializer_range=0.5,
)  # fmt: skip
MODELS = {
    "llama": (LlamaForCausalLM, LlamaConfig, {}, {}),
    "gemma2": (
        Gemma2ForCausalLM,
        Gemma2Config,
        {"head_dim": 8, "final_logit_softcapping": 5.0},
        {"soft_cap": 5.0},
    ),
    "gemma2 without a cap": (
        Gemma2ForCausalLM,
        Gemma2Config,
        {"head_dim": 8, "final_logit_softcapping": None},
        {},
    ),
    "cohere": (CohereForCausalLM, CohereConfig, {"logit_scale": 0.3}, {"scale": 0.3}),
    "granite": (GraniteForCausalLM, GraniteConfig, {"logits_scaling": 6.0}, {"scale": 1 / 6}),
    "hyperclovax": (
        HyperCLOVAXForCausalLM,
        HyperCLOVAXConfig,
        {"logits_scaling": 0.3},
        {"scale": 0.3},
    ),
    "a setting that the model ignores": (LlamaForCausalLM, LlamaConfig, {"logit_scale": 0.3}, {}),
}


def make(name, seed=0):
    model, config, settings, _ = MODELS[name]
    torch.manual_seed(seed)
    return model(config(**TINY | settings))


@pytest.fixture
def ids():
    return torch.randint(0, V, (3, 9), generator=torch.Generator().manual_seed(0))


@pytest.fixture
def quiet():
    """Whatever warns fails."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize("name", MODELS)
def test_the_head_is_found_with_what_comes_after_it(name, quiet):
    model = make(name).train()
    head = linear_head(model)
    expected = {"scale": 1.0, "soft_cap": None} | MODELS[name][3]
    assert {"scale": head.scale, "soft_cap": head.soft_cap} == pytest.approx(expected)
    assert head.weight is model.get_output_embeddings().weight
    assert model.training


@pytest.mark.parametrize("name", MODELS)
def test_the_fused_loss_of_such_a_model_is_the_dense_one(name, ids, quiet):
    """As student and as teacher: value, and the gradient of every weight."""
    student, teacher = make(name), make(name, seed=1).eval()
    objective = Objective.from_alpha(0.7)
    with torch.no_grad():
        given = teacher(input_ids=ids).logits
        targets = HiddenTargets(last_hidden_states(teacher, ids), linear_head(teacher))
    alone = copy.deepcopy(student)
    logits, labels, _ = next_token(alone(input_ids=ids).logits, ids)
    dense = distillation_loss(logits, given[:, :-1], labels, objective=objective)
    dense.total.backward()
    fused = StudentWithLoss(student)(ids, None, objective, targets)
    fused.total.backward()
    torch.testing.assert_close(fused.total, dense.total, rtol=1e-5, atol=1e-5)
    for one, other in zip(student.parameters(), alone.parameters()):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-4)


class Doubled(LlamaForCausalLM):
    """Its logits are no product of its last hidden states, and its config does not say so."""

    def forward(self, **inputs):
        output = super().forward(**inputs)
        output.logits = output.logits + 0.01 * output.logits**2
        return output


class Bigram(nn.Module):
    """No model of transformers: it only maps ids to logits."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(V, V)

    def forward(self, input_ids, **more):
        return SimpleNamespace(logits=self.table(input_ids))


@pytest.mark.parametrize(
    ("make_model", "why"),
    [
        (lambda: Doubled(LlamaConfig(**TINY)), "Doubled: its logits are not the product"),
        (Bigram, "Bigram: it names no output matrix"),
    ],
)
def test_any_other_head_takes_the_dense_road_and_says_so(make_model, why, ids):
    torch.manual_seed(0)
    model, objective = make_model(), Objective.from_lambda(0.0)
    with pytest.warns(UserWarning, match=why) as warned:
        student = StudentWithLoss(model)
    assert len(warned) == 1
    assert student.head is None
    logits, labels, _ = next_token(model(input_ids=ids).logits, ids)
    expected = distillation_loss(logits, labels=labels, objective=objective)
    torch.testing.assert_close(student(ids, None, objective).total, expected.total)


def test_it_is_said_once():
    model = Doubled(LlamaConfig(**TINY))
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("default")  # as Python has it for whoever sets nothing
        for _ in range(3):
            assert linear_head(model) is None
    assert len(warned) == 1


def test_a_head_is_told_from_one_that_is_nearly_the_same():
    """A setting counts only if it gives the model's own logits: here it is a hair off."""
    model = make("cohere")
    model.config.logit_scale = 0.3 * (1 + 1e-6)
    with pytest.warns(UserWarning, match="CohereForCausalLM"):
        assert linear_head(model) is None
