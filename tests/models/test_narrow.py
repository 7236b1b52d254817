"""A narrowed model takes half the memory and computes the same bits."""

import copy

import pytest
import torch
from test_heads import MODELS, TINY
from test_heads import make as make_one
from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel

from kdlib.models.cutting import Cut, cut_out
from kdlib.models.frozen import freeze
from kdlib.models.heads import last_hidden_states, linear_head
from kdlib.models.narrow import narrow_exactly

V = TINY["vocab_size"]


def rounded(model):
    """As it comes from a file of bfloat16: those numbers, in float32."""
    return freeze(model.bfloat16().float())


def gpt2():
    torch.manual_seed(0)
    return GPT2LMHeadModel(
        GPT2Config(vocab_size=V, n_positions=32, n_embd=16, n_layer=2, n_head=2, bos_token_id=1, eos_token_id=2)
    )  # fmt: skip


def make(name, tied):
    if name == "gpt2":
        return rounded(gpt2())
    model, config, settings, _ = MODELS[name]
    torch.manual_seed(0)
    return rounded(model(config(**TINY | settings | {"tie_word_embeddings": tied})))


NAMES = [*MODELS, "gpt2"]


@pytest.fixture
def ids():
    return torch.randint(0, V, (3, 9), generator=torch.Generator().manual_seed(0))


def said(model, ids, lowered):
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=lowered):
        return last_hidden_states(model, ids), model(input_ids=ids, use_cache=False).logits


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("lowered", [True, False], ids=["bf16", "fp32"])
@pytest.mark.parametrize("name", NAMES)
def test_the_bits_are_the_same(name, lowered, tied, ids):
    model = make(name, tied)
    before = said(model, ids, lowered)
    after = said(narrow_exactly(model), ids, lowered)
    for one, other in zip(before, after):
        assert one.dtype == other.dtype
        assert torch.equal(one, other)


def matrix_bytes(model):
    return sum(p.numel() * p.element_size() for p in model.parameters() if p.ndim == 2)


@pytest.mark.parametrize("tied", [True, False])
def test_matrices_take_half_the_memory_and_stay_tied(tied):
    model = make("llama", tied)
    wide = matrix_bytes(model)
    assert matrix_bytes(narrow_exactly(model)) == wide / 2
    assert (model.lm_head.weight is model.model.embed_tokens.weight) == tied


def test_under_autocast_no_matrix_is_cast(ids):
    """Of a model in float32, each is, in each pass."""
    from kdlib.bench.launches import Launches

    casts = {}
    model = make("llama", tied=False)
    for name, each in (("wide", model), ("narrow", narrow_exactly(copy.deepcopy(model)))):
        with Launches() as counted:
            said(each, ids, lowered=True)
        casts[name] = counted.counts["_to_copy"]
    matrices = sum(type(m) is nn.Linear for m in model.modules())
    # Hidden states and logits: two passes; the table gives what it looked up in float32.
    assert casts["wide"] - casts["narrow"] >= 2 * matrices - 3


def test_what_would_lose_a_digit_stays(ids):
    model = freeze(make_one("llama"))
    with torch.no_grad():
        model.lm_head.weight.copy_(model.lm_head.weight.bfloat16())
    before = said(model, ids, lowered=False)[1]
    narrow_exactly(model)
    assert torch.equal(said(model, ids, lowered=False)[1], before)
    narrow = {name for name, p in model.named_parameters() if p.dtype == torch.bfloat16}
    assert narrow == {"lm_head.weight"}


def test_the_head_is_found_and_a_student_is_cut_in_float32():
    model = make("llama", tied=False)
    whole = cut_out(model, Cut([0, 1], None, []))
    student = cut_out(narrow_exactly(model), Cut([0, 1], None, []))
    assert linear_head(model).weight.dtype == torch.bfloat16
    for one, other in zip(student.parameters(), whole.parameters(), strict=True):
        assert one.dtype == torch.float32
        assert torch.equal(one, other)
    assert all(type(m) is not type(model.lm_head) for m in student.modules())


def test_what_is_trained_is_refused():
    with pytest.raises(ValueError, match="freeze"):
        narrow_exactly(make_one("llama"))
