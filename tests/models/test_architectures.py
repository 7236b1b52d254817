"""What is offered for a causal language model is held by some forty architectures.

Each is built small, from its configuration, with weights large enough for every part to matter. Its
fused loss and gradients are those of the dense loss; saved, it is loaded as it was; a cut of all its
blocks is the model itself, and a cut of half is its teacher without the rest, and can be saved and
loaded, too. What is not offered for an architecture is refused in one line. Run with -s to see the
table.
"""

import copy
import warnings

import pytest
import torch
from little_folders import tokenizer
from transformers import AutoConfig, AutoModelForCausalLM

from kdlib.errors import UserError
from kdlib.losses.alignment import next_token
from kdlib.losses.distillation import distillation_loss
from kdlib.losses.fused.inputs import HiddenTargets
from kdlib.losses.objectives import Objective
from kdlib.models.cutting import Cut, cut_out
from kdlib.models.folders import load_model, save_model
from kdlib.models.frozen import freeze
from kdlib.models.heads import last_hidden_states, linear_head
from kdlib.models.pruning import Pruning, check_pruning, choose_cut
from kdlib.training.student_with_loss import StudentWithLoss

pytestmark = pytest.mark.door("architectures")

IDS = torch.randint(0, 280, (2, 12), generator=torch.Generator().manual_seed(0))
SHAPE = {
    "vocab_size": 280, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 4,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8,
    "max_position_embeddings": 64, "initializer_range": 0.2,
    "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": None,
}  # fmt: skip
EXPERTS = {
    "moe_intermediate_size": 32, "num_experts": 4, "n_routed_experts": 4, "num_local_experts": 4,
    "num_experts_per_tok": 2, "shared_expert_intermediate_size": 32,
}  # fmt: skip
MAMBA = {"state_size": 4, "conv_kernel": 3, "time_step_rank": 2}
# What is set beside the shape; of the same name, an architecture with other settings.
KINDS = {
    "llama": {}, "llama tied": {"tie_word_embeddings": True},
    "llama padded": {"vocab_size": 288}, "llama with biases": {"attention_bias": True, "mlp_bias": True},
    "llama with scaled positions": {"rope_parameters": {
        "rope_type": "linear", "factor": 4.0, "rope_theta": 10000.0}},
    "gpt2": {}, "gpt_neox": {}, "gptj": {"rotary_dim": 4}, "codegen": {"rotary_dim": 4},
    "opt": {"word_embed_proj_dim": 32, "ffn_dim": 64}, "bloom": {}, "mpt": {}, "phi": {}, "phi3": {},
    "gpt_bigcode": {}, "starcoder2": {}, "stablelm": {}, "xglm": {"ffn_dim": 64}, "biogpt": {},
    "qwen2": {"use_sliding_window": True, "sliding_window": 4, "max_window_layers": 2},
    "qwen3": {}, "qwen2_moe": EXPERTS, "qwen3_moe": EXPERTS,
    "qwen3_moe some dense": EXPERTS | {"mlp_only_layers": [0, 2]},
    "mistral": {"sliding_window": 4}, "ministral": {"sliding_window": 4},
    "mixtral": EXPERTS, "phimoe": EXPERTS, "olmoe": EXPERTS, "granitemoe": EXPERTS, "jetmoe": {},
    "gemma": {}, "gemma2": {"final_logit_softcapping": 5.0, "sliding_window": 4},
    "gemma3_text": {"sliding_window": 4}, "vaultgemma": {"sliding_window": 4},
    "recurrent_gemma": {"lru_width": 32, "attention_window_size": 4},
    "olmo": {}, "olmo2": {}, "olmo3": {"sliding_window": 4},
    "cohere": {"logit_scale": 0.3}, "cohere2": {"logit_scale": 0.3, "sliding_window": 4},
    "granite": {"logits_scaling": 6.0, "residual_multiplier": 0.5, "attention_multiplier": 0.2},
    "smollm3": {"no_rope_layers": [1, 1, 0, 1]}, "nemotron": {}, "helium": {}, "glm4": {},
    "exaone4": {"sliding_window": 4}, "bitnet": {}, "persimmon": {}, "diffllama": {},
    "llama4_text": {"intermediate_size_mlp": 64} | EXPERTS,
    "gpt_oss": EXPERTS | {"sliding_window": 4}, "lfm2": {},
    "mamba": MAMBA, "falcon_mamba": MAMBA, "rwkv": {},
}  # fmt: skip
NO_CUT = {
    "opt": "no plain list of blocks",
    "recurrent_gemma": "by a block's place",
    "diffllama": "by a block's place",
    "rwkv": "by a block's place",
}
# Sums in another order: equal up to the last bits, from one place in memory to another.
NOT_BITWISE = {"jetmoe", "granitemoe"}


def build(name, seed=0):
    config = AutoConfig.for_model(name.split()[0], **SHAPE | KINDS[name])
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config)
        for parameter in model.parameters():  # an initial 0 or 1 would hide what it is for
            parameter.data += 0.02 * torch.randn_like(parameter)
    return model.float()


def logits(model):
    with torch.no_grad():
        return model.eval()(input_ids=IDS, use_cache=False).logits


def same(one, other, name):
    if name in NOT_BITWISE:
        torch.testing.assert_close(one, other, rtol=0, atol=1e-4)
    else:
        assert torch.equal(one, other)


@pytest.mark.parametrize("name", KINDS)
def test_the_fused_loss_is_the_dense_loss(name):
    """Value and the gradient of every weight; its teacher is another of its kind."""
    student, teacher = build(name).eval(), freeze(build(name, seed=1))
    objective = Objective.from_alpha(0.7)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # none of them takes the dense road
        head = linear_head(teacher)
        alone, fused = copy.deepcopy(student), StudentWithLoss(student).eval()
    targets = HiddenTargets(last_hidden_states(teacher, IDS), head)
    made, labels, _ = next_token(alone(input_ids=IDS, use_cache=False).logits, IDS)
    dense = distillation_loss(made, logits(teacher)[:, :-1], labels, objective=objective)
    dense.total.backward()
    ours = fused(IDS, None, objective, targets)
    ours.total.backward()
    torch.testing.assert_close(ours.total, dense.total, rtol=1e-4, atol=1e-4)
    for (where, one), other in zip(student.named_parameters(), alone.parameters()):
        if other.grad is None:
            assert one.grad is None or not one.grad.any(), where
        else:
            scale = float(other.grad.abs().max())
            torch.testing.assert_close(one.grad, other.grad, rtol=1e-3, atol=1e-3 * scale + 1e-5)


@pytest.mark.parametrize("name", KINDS)
def test_saved_and_loaded_it_is_the_same(name, tmp_path):
    model = build(name)
    save_model(model, tokenizer(), tmp_path / "model")
    same(logits(load_model(tmp_path / "model")), logits(model)[..., :280], name)


@pytest.mark.parametrize("name", KINDS)
def test_cut_out_it_is_its_teacher_or_it_is_refused(name, tmp_path):
    teacher = freeze(build(name))
    if name in NO_CUT:
        with pytest.raises(UserError, match=NO_CUT[name]) as refused:
            check_pruning(teacher, Pruning(2))
        assert "\n" not in str(refused.value)
        print(f"{name:28} loss, save, load; no cut: {NO_CUT[name]}")
        return
    check_pruning(teacher, Pruning(2))
    # Frozen as the teacher is: Mamba's convolutions round otherwise where there are gradients.
    whole = freeze(cut_out(teacher, choose_cut(teacher, IDS, Pruning(4))))
    same(logits(whole), logits(teacher), name)
    for layers in ([0, 2], [1, 3]):
        try:
            student = cut_out(teacher, Cut(layers, None, []))
        except UserError as refused:
            print(f"{name:28} loss, save, load; {layers}: {refused}")
            assert "\n" not in str(refused)
            continue
        check_half(teacher, student, layers, name, tmp_path)
    print(f"{name:28} loss, save, load, cut")


def check_half(teacher, student, layers, name, tmp_path):
    """The oracle: the teacher, whose dropped blocks hand on their input."""
    saved = tmp_path / str(layers)
    save_model(student, tokenizer(), saved)
    same(logits(load_model(saved)), logits(student)[..., :280], name)
    blocks = next(
        module
        for module in teacher.modules()
        if isinstance(module, torch.nn.ModuleList) and len(module) == 4
    )
    for number in set(range(4)) - set(layers):
        blocks[number].register_forward_hook(hand_on, with_kwargs=True)
    expected = logits(teacher)
    for number in set(range(4)) - set(layers):
        blocks[number]._forward_hooks.clear()
    torch.testing.assert_close(logits(student), expected, rtol=1e-3, atol=1e-3)


def hand_on(block, positional, named, output):
    before = positional[0] if positional else named["hidden_states"]
    return (before, *output[1:]) if isinstance(output, tuple) else before
