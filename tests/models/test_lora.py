"""Adapters learn, the weights beside them stay, and merged they are a model like any other."""

import copy
import hashlib
import importlib.util

import pytest
import torch
from accelerate import Accelerator

from kdlib.data.blocks import Blocks
from kdlib.errors import UserError
from kdlib.jobs.compute import of_training, operations_of, writing_of
from kdlib.losses.objectives import Objective
from kdlib.models.folders import save_model
from kdlib.models.from_scratch import parameter_count, trainable_count
from kdlib.models.heads import linear_head
from kdlib.models.lora import (
    adapters_of,
    add_adapters,
    merge_adapters,
    plan_adapters,
    refuse_missing_peft,
)
from kdlib.models.operations import operations, writing_operations
from kdlib.teachers.live import LiveTargets
from kdlib.training.loop import train
from kdlib.training.metrics import Metrics
from kdlib.training.phase import Phase
from kdlib.training.rollouts import Rollouts
from kdlib.training.schedule import Training, make_optimizer
from kdlib.training.step import StepContext, take_step
from kdlib.training.student_with_loss import StudentWithLoss
from kdlib.training.task import Task

SLOTS, LENGTH = 61, 12
IDS = torch.randint(SLOTS, (6, LENGTH + 1), generator=torch.Generator().manual_seed(1))
TEXT = Blocks(IDS, torch.ones_like(IDS), bytes=1)


def llama(tied=True, layers=2):
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=SLOTS, hidden_size=24, num_hidden_layers=layers, num_attention_heads=4,
            num_key_value_heads=2, intermediate_size=40, tie_word_embeddings=tied,
            attn_implementation="eager", initializer_range=0.2,
        )
    )  # fmt: skip


def gpt2():
    """Its matrices are transposed, and have biases."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=SLOTS, n_positions=32, n_embd=24, n_layer=2, n_head=2, resid_pdrop=0,
            embd_pdrop=0, attn_pdrop=0, initializer_range=0.2,
        )
    )  # fmt: skip


def untied():
    return llama(tied=False)


MODELS = [llama, untied, gpt2]


def adapted(model, rank=3, alpha=6.0, targets="all-linear", seed=0):
    return add_adapters(model, plan_adapters(model, rank, alpha, targets), seed)


def stirred(model, size=0.1):
    """Adapters that say something, as after a training: B begins as 0."""
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.copy_(size * torch.randn(parameter.shape, generator=generator))
    return model


def logits(model):
    with torch.no_grad():
        return model.eval()(input_ids=IDS, use_cache=False).logits


def digest(tensors):
    whole = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        whole.update(name.encode() + tensor.detach().numpy().tobytes())
    return whole.hexdigest()


@pytest.mark.parametrize("make", MODELS)
def test_before_the_first_step_it_is_the_model_that_it_was(make):
    plain, model = make(), adapted(make())
    assert torch.equal(logits(plain), logits(model))
    assert type(model) is type(plain)


@pytest.mark.parametrize("make", MODELS)
def test_merged_it_says_what_it_said_before_and_is_of_plain_layers(make, tmp_path):
    from tokenizers import Tokenizer, models
    from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

    plain, model = make(), stirred(adapted(make()))
    said = logits(model)
    assert (said - logits(plain)).abs().max() > 0.1, "the adapters say something"
    merged = merge_adapters(model)
    assert adapters_of(merged) is None
    assert {n: type(m) for n, m in merged.named_modules()} == {
        n: type(m) for n, m in plain.named_modules()
    }
    assert torch.allclose(logits(merged), said, rtol=0, atol=1e-5)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()))
    save_model(merged, tokenizer, tmp_path / "merged")
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", attn_implementation="eager")
    assert loaded.state_dict().keys() == plain.state_dict().keys()
    assert torch.allclose(logits(loaded), said, rtol=0, atol=1e-5)


@pytest.mark.parametrize("make", MODELS)
def test_in_double_precision_even_a_large_update_is_merged_to_the_last_digits(make):
    model = stirred(adapted(make()), size=0.3).double()
    said = logits(model)
    assert torch.allclose(logits(merge_adapters(model)), said, rtol=0, atol=1e-12)


def test_what_is_merged_is_the_product_of_both_times_alpha_by_rank():
    plain, model = llama(), stirred(adapted(llama(), rank=3, alpha=6.0))
    layer = model.model.layers[1].mlp.up_proj
    a, b = layer.lora_A["default"].weight.detach(), layer.lora_B["default"].weight.detach()
    expected = plain.model.layers[1].mlp.up_proj.weight + 2 * b @ a
    assert torch.allclose(merge_adapters(model).model.layers[1].mlp.up_proj.weight, expected)


@pytest.mark.parametrize("make", MODELS)
def test_the_head_is_found_and_never_adapted(make):
    model = stirred(adapted(make()))
    head = linear_head(model)
    assert head is not None and head.weight is model.get_output_embeddings().weight
    assert not hasattr(model.get_output_embeddings(), "lora_A")


def test_a_model_without_adapters_stays_as_it_is():
    model = llama()
    model.lm_head.weight.requires_grad_(False)
    before = copy.deepcopy(model.state_dict())
    assert merge_adapters(model) is model and not model.lm_head.weight.requires_grad
    assert all(torch.equal(model.state_dict()[name], value) for name, value in before.items())
    assert adapters_of(model) is None


def test_as_many_parameters_are_trained_as_the_ranks_say():
    model = adapted(llama(), rank=3)
    shapes = [(24, 24), (12, 24), (12, 24), (24, 24), (40, 24), (40, 24), (24, 40)]
    by_hand = 2 * 3 * sum(rows + columns for rows, columns in shapes)
    assert trainable_count(model) == by_hand
    assert parameter_count(model) == parameter_count(llama()) + by_hand
    plan = adapters_of(model)
    assert (plan.rank, plan.alpha, len(plan.layers)) == (3, 6.0, 14)
    assert plan == plan_adapters(llama(), 3, 6.0, "all-linear")


def test_some_layers_by_the_ends_of_their_names():
    plan = plan_adapters(llama(), 2, 4.0, "self_attn.q_proj, v_proj")
    assert {name.rpartition(".")[2] for name in plan.layers} == {"q_proj", "v_proj"}
    assert len(plan.layers) == 4


def test_a_seed_gives_its_adapters_and_leaves_the_random_state_alone():
    def first(seed):
        return adapted(llama(), seed=seed).model.layers[0].mlp.up_proj.lora_A["default"].weight

    before = torch.get_rng_state()
    state = copy.deepcopy(before)
    model = llama()
    torch.set_rng_state(state)
    adapted(model)
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(first(5), first(5)) and not torch.equal(first(5), first(6))


@pytest.mark.parametrize(
    ("targets", "rank", "words"),
    [
        (
            "q_proj,qq",
            2,
            r"targets: LlamaForCausalLM has no layer 'qq' to adapt; use all-linear or",
        ),
        ("", 2, "has no layer ''"),
        ("proj", 2, "some of down_proj, gate_proj, k_proj, o_proj, q_proj, up_proj, v_proj"),
        ("lm_head", 2, "has no layer 'lm_head'"),
        ("embed_tokens", 2, "has no layer 'embed_tokens'"),
        ("all-linear,q_proj", 2, "has no layer 'all-linear'"),
        ("all-linear", 13, "rank: 13 is beyond the smallest matrix, of rank 12"),
    ],
)
def test_what_cannot_be_adapted_is_refused_by_name(targets, rank, words):
    with pytest.raises(UserError, match=words):
        plan_adapters(llama(), rank, 1.0, targets)


def test_where_peft_is_missing_the_command_is_named(monkeypatch):
    refuse_missing_peft()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"peft is not installed; pip install 'kdlib\[lora\]'"):
        refuse_missing_peft()


# --- Training -----------------------------------------------------------------------------------


@pytest.mark.parametrize("make", MODELS)
def test_in_training_the_loss_falls_and_the_base_keeps_its_bits(make, tmp_path):
    model = adapted(make(), rank=8, alpha=16.0)
    base = {name: p for name, p in model.named_parameters() if not p.requires_grad}
    assert base.keys() == {name for name in dict(model.named_parameters()) if "lora_" not in name}
    before = digest(base)
    training = Training(steps=40, batch=6, learning_rate=0.02, warmup=0, validate_every=40)
    task = Task(TEXT, TEXT, Objective.from_lambda(0.0), training)
    train(model, task, Phase("student", tmp_path, "r", 0), Accelerator(cpu=True))
    losses = [row["loss"] for row in Metrics(tmp_path).rows()]
    assert losses[-1] < losses[0] - 1
    assert digest(base) == before
    trained = [p for p in model.parameters() if p.requires_grad]
    assert all(bool(p.any()) for p in trained), "B has left its 0, and A is not 0"


@pytest.mark.parametrize("targets", ["all-linear", "v_proj", "layers.1.mlp.down_proj"])
@pytest.mark.parametrize("taught", [False, True])
def test_a_training_takes_what_torch_counts_in_its_steps(targets, taught):
    """Frozen weights have no gradient, and below the first adapter nothing has one."""
    student, teacher = adapted(llama(), targets=targets), llama().requires_grad_(False).eval()
    training = Training(steps=2, batch=3)
    objective = Objective.from_alpha(0.5) if taught else Objective.from_lambda(0.0)
    task = Task(TEXT, TEXT, objective, training, LiveTargets(teacher) if taught else None)
    learner = StudentWithLoss(student)
    context = StepContext(learner, make_optimizer(learner, training), task, Accelerator(cpu=True))
    costs = operations_of(student, TEXT), operations_of(teacher, TEXT)

    def steps():
        for _ in range(training.steps):
            take_step(context, torch.tensor([0, 2, 3]))

    assert operations(steps) == of_training(task, *costs)
    assert costs[0].forward > costs[1].forward, "the adapters are products, too"
    assert costs[0].training < costs[1].training


def test_a_student_with_adapters_writes_with_them():
    model = adapted(llama())
    rollouts = Rollouts(share=0.5, prompt_tokens=3, new_tokens=4)
    bare = writing_operations(llama().config, 3, 4)
    ranks = (
        2
        * 3
        * sum(map(sum, [(24, 24), (12, 24), (12, 24), (24, 24), (40, 24), (40, 24), (24, 40)]))
    )
    # Each of the six tokens that are read passes every adapter once.
    assert writing_of(model, rollouts) == bare + 6 * 2 * ranks
