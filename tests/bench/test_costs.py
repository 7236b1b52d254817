"""The costs are counts: they agree with real models, with a counter of operations and by hand."""

import math
from dataclasses import fields, replace

import pytest
import torch

from kdlib.bench.costs import (
    CACHES,
    LLAMA_3_1B,
    LLAMA_3_8B,
    LLAMA_3_70B,
    SMOLLM2_135M,
    Assumptions,
    Llama,
    LossModel,
    assumption_table,
    bills,
    bytes_per_token,
    gradient_bytes,
    logits,
    loss_flops,
    passes_that_pay,
    state_bytes,
    step_seconds,
    student_seconds,
    teacher_seconds,
    traffic_bytes,
)
from kdlib.bench.variants import VARIANTS, Size, make_inputs
from kdlib.losses.fused.chunk_size import chunk_rows
from kdlib.models.folders import POCKET_TEACHER, load_model
from kdlib.models.from_scratch import parameter_count
from kdlib.models.operations import operations

SIZE = Size(tokens=6, width=3, teacher_width=5, vocabulary=7)
GROUPED = Llama(48, 3, 4, 2, 80, 301, head_width=16)


def shape_of(model) -> Llama:
    c = model.config
    return Llama(
        c.hidden_size, c.num_hidden_layers, c.num_attention_heads, c.num_key_value_heads,
        c.intermediate_size, c.vocab_size, c.head_dim, c.tie_word_embeddings,
    )  # fmt: skip


def grouped_model():
    """Untied, with fewer keys than queries and heads wider than width / heads."""
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=301,
            hidden_size=48,
            intermediate_size=80,
            num_hidden_layers=3,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=16,
            tie_word_embeddings=False,
            attn_implementation="eager",
        )  # fmt: skip
    )


# --- Models --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "published"),
    [
        (LLAMA_3_70B, 70_553_706_496),
        (LLAMA_3_8B, 8_030_261_248),
        (LLAMA_3_1B, 1_235_814_400),
        (SMOLLM2_135M, 134_515_008),
    ],
)
def test_parameters_are_those_of_the_published_models(shape, published):
    assert shape.parameters == published


@pytest.mark.parametrize("make", [grouped_model, lambda: load_model(POCKET_TEACHER)])
def test_parameters_are_those_of_a_model_in_memory(make):
    model = make()
    assert shape_of(model).parameters == parameter_count(model)


@pytest.mark.parametrize("length", [8, 33])
def test_operations_are_those_that_torch_counts(length):
    model, ids = grouped_model(), torch.zeros(2, length, dtype=torch.long)
    assert shape_of(model) == GROUPED

    def forward():
        return model(input_ids=ids, use_cache=False).logits

    tokens = ids.numel()
    assert operations(forward) / tokens == GROUPED.forward_flops(length, attended=1)
    both = operations(lambda: forward().sum().backward()) / tokens
    assert both == GROUPED.training_flops(length, attended=1)


def test_a_causal_kernel_saves_half_of_the_scores_only():
    full, causal = GROUPED.forward_flops(64, 1), GROUPED.forward_flops(64)
    assert full - causal == 4 * 3 * (4 * 16) * 64 / 2
    assert GROUPED.forward_flops(0) == 2 * GROUPED.multiplied


# --- The loss ------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["dense", "fused"])
def test_operations_of_a_loss_are_those_that_torch_counts(way):
    """In chunks, too, no product is made twice."""
    size = SIZE._replace(tokens=600, vocabulary=10_000)
    assert size.tokens > 2 * chunk_rows(size.vocabulary)
    given = make_inputs(size, torch.float32, torch.device("cpu"))

    def step():
        torch.autograd.grad(VARIANTS[way](given), (given.student, given.head))

    assert operations(step) == loss_flops(size)


def test_seconds_are_operations_and_logits_each_at_its_own_rate():
    model = LossModel(matrices=5, seconds_per_flop=0.5, seconds_per_logit=3.0)
    assert logits(SIZE) == 42
    assert model.seconds(SIZE) == 0.5 * 2 * 42 * (3 * 3 + 5) + 3.0 * 42


def test_dense_memory_grows_with_the_tokens_and_leaves_the_gradients_room():
    model = LossModel(5, 0, 0)
    assert gradient_bytes(SIZE) == 4 * 3 * (6 + 7)
    assert model.extra_bytes(SIZE) == 5 * 4 * 42 - gradient_bytes(SIZE)


def test_memory_in_chunks_is_that_of_a_chunk_or_of_a_second_set_of_gradients():
    wide, many = Size(6, 30, 5, 7), Size(600, 3, 5, 7)
    model = LossModel(4, 0, 0, rows=2)
    assert model.extra_bytes(SIZE) == 4 * 4 * 2 * 7
    assert model.extra_bytes(wide) == gradient_bytes(wide) > 4 * 4 * 2 * 7
    assert LossModel(4, 0, 0, rows=50).extra_bytes(SIZE) == 4 * 4 * 6 * 7
    assert model.extra_bytes(many) == max(4 * 4 * 2 * 7, gradient_bytes(many))


# --- Bills ---------------------------------------------------------------------------------------

SMALL = Assumptions(
    teacher=GROUPED, student=Llama(8, 1, 2, 2, 16, 301, 4), tokens=1e6, passes=3, context=32,
    gpus=4, gpu_flops=1e6, gpu_bytes=1e5, teacher_use=0.5, student_use=0.25, logit_passes=2,
    terabyte_month=1e6, months=2, gpu_hour=3,
)  # fmt: skip


def test_every_assumption_stands_in_the_table():
    table = assumption_table(replace(SMALL, gpus=77)).splitlines()
    assert [line.split()[0] for line in table] == [f.name for f in fields(Assumptions)]
    assert table[[f.name for f in fields(Assumptions)].index("gpus")].split()[1] == "77"


def test_bytes_per_token_by_hand():
    stored = bytes_per_token(replace(SMALL, kept=10, kept_bytes=5, drawn_bytes=9))
    assert stored == {
        "no teacher": 0,
        "teacher beside": 0,
        "dense logits": 301 * 2,
        "hidden states": 48 * 2,
        "top-k": 50,
        "sampled": 9,
    }
    assert set(CACHES) < set(stored)


def test_seconds_of_a_token():
    assert teacher_seconds(SMALL) == GROUPED.forward_flops(32) / 0.5e6
    products = SMALL.student.training_flops(32) / 0.25e6
    assert student_seconds(SMALL) == pytest.approx(products + 2 * 301 * 4 / 1e5)


def test_a_bill_by_hand():
    bill = bills(SMALL)["sampled"]
    assert bill.stored_bytes == 1e6 * SMALL.drawn_bytes
    assert bill.teacher_hours == pytest.approx(1e6 * teacher_seconds(SMALL) / 3600)
    assert bill.student_hours == pytest.approx(3e6 * student_seconds(SMALL) / 3600)
    # Four GPUs read four tokens' targets in the seconds of one token.
    assert bill.read_bytes_per_second == pytest.approx(
        4 * SMALL.drawn_bytes / student_seconds(SMALL)
    )
    storage = SMALL.drawn_bytes * 1e6 / 1e12 * 1e6 * 2
    assert bill.dollars == pytest.approx(storage + 3 * bill.gpu_hours)


def test_who_asks_the_teacher_how_often():
    found = bills(SMALL)
    once = 1e6 * teacher_seconds(SMALL) / 3600
    assert found["no teacher"].teacher_hours == 0
    assert found["teacher beside"].teacher_hours == pytest.approx(3 * once)
    assert all(found[name].teacher_hours == pytest.approx(once) for name in CACHES)


def test_hidden_states_cost_the_teachers_head_in_every_pass():
    found = bills(SMALL)
    more = found["hidden states"].student_hours - found["dense logits"].student_hours
    assert more == pytest.approx(3e6 * 2 * 301 * 48 / 0.25e6 / 3600)


@pytest.mark.parametrize("name", CACHES)
def test_at_the_number_of_passes_that_pay_both_cost_the_same(name):
    cheap_storage = replace(SMALL, terabyte_month=100.0)
    passes = passes_that_pay(cheap_storage, name)
    assert 0 < passes < math.inf
    then = bills(replace(cheap_storage, passes=passes))
    assert then[name].dollars == pytest.approx(then["teacher beside"].dollars)


def test_hidden_states_of_a_teacher_that_is_little_but_its_head_never_pay():
    all_head = replace(SMALL, teacher=Llama(48, 1, 1, 1, 1, 100_000, 1), teacher_use=0.5)
    assert passes_that_pay(all_head, "hidden states") == math.inf


def test_what_is_no_cache_is_refused():
    with pytest.raises(ValueError, match="name is 'labels'.*dense logits, hidden states"):
        passes_that_pay(SMALL, "labels")


# --- Many machines -------------------------------------------------------------------------------


def test_states_are_cut_among_the_shards():
    whole, cut = state_bytes(SMALL), state_bytes(SMALL, shards=8)
    assert whole["student"] == 16 * SMALL.student.parameters
    assert whole["teacher"] == 2 * SMALL.teacher.parameters
    assert cut == {name: size / 8 for name, size in whole.items()}


def test_traffic_of_a_step():
    student, teacher = SMALL.student.parameters, SMALL.teacher.parameters
    assert traffic_bytes(SMALL, 1, sharded=True) == {"student": 0, "teacher": 0}
    assert traffic_bytes(SMALL, 4, sharded=False) == {
        "student": 2 * 2 * 0.75 * student,
        "teacher": 0,
    }
    assert traffic_bytes(SMALL, 4, sharded=True) == {
        "student": 3 * 2 * 0.75 * student,
        "teacher": 2 * 0.75 * teacher,
    }


def test_a_ring_sends_what_the_formula_says():
    """An all-reduce by hand: every rank sends one of R parts in each of 2 (R - 1) turns."""
    ranks, numbers = 4, SMALL.student.parameters
    sent = sum(2 * numbers / ranks for _ in range(2 * (ranks - 1)))
    assert traffic_bytes(SMALL, ranks, sharded=False)["student"] == pytest.approx(sent)


def test_a_step_computes_its_tokens_and_sends_its_bytes():
    a = replace(SMALL, step_tokens=10, link=100.0)
    step = step_seconds(a, 4, sharded=True)
    assert step["compute"] == pytest.approx(10 * (student_seconds(a) + teacher_seconds(a)))
    assert step["network"] == pytest.approx(sum(traffic_bytes(a, 4, True).values()) / 100)
