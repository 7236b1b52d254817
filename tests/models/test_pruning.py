"""What is cut away is what does least, and what stays is the teacher's, bit by bit."""

import pytest
import torch
import torch.nn.functional as F
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen2MoeConfig,
    Qwen2MoeForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    SmolLM3Config,
    SmolLM3ForCausalLM,
)

from kdlib.errors import UserError
from kdlib.models import cutting, influence, pruning
from kdlib.models.frozen import check_pair, freeze
from kdlib.models.pruning import Cut, Pruning
from kdlib.models.transformer_blocks import transformer_blocks

IDS = torch.arange(48).view(4, 12) % 30
SHAPE = {"vocab_size": 30, "hidden_size": 16, "num_hidden_layers": 5, "num_attention_heads": 2}
KINDS = {
    "llama": lambda: LlamaForCausalLM(
        LlamaConfig(**SHAPE, num_key_value_heads=1, intermediate_size=96, initializer_range=0.3)
    ),
    "gpt2": lambda: GPT2LMHeadModel(
        GPT2Config(vocab_size=30, n_embd=16, n_layer=5, n_head=2, n_positions=32)
    ),
    "qwen2": lambda: Qwen2ForCausalLM(
        Qwen2Config(
            **SHAPE, num_key_value_heads=1, intermediate_size=96, initializer_range=0.3,
            use_sliding_window=True, sliding_window=4, max_window_layers=3,
        )
    ),
    "qwen3": lambda: Qwen3ForCausalLM(
        Qwen3Config(
            **SHAPE, num_key_value_heads=1, head_dim=8, intermediate_size=96, initializer_range=0.3,
            use_sliding_window=True, sliding_window=4, layer_types=[
                f"{kind}_attention" for kind in ("sliding", "full", "full", "sliding", "full")
            ],
        )
    ),
    "smollm3": lambda: SmolLM3ForCausalLM(
        SmolLM3Config(
            **SHAPE, num_key_value_heads=1, intermediate_size=96, initializer_range=0.3,
            no_rope_layers=[1, 1, 0, 1, 0], eos_token_id=[1, 2, 3, 4, 5], pad_token_id=None,
        )
    ),
}  # fmt: skip


def teacher(kind="llama"):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return freeze(KINDS[kind]())


def inverse_layer_gpt2():
    shape = GPT2Config(
        vocab_size=30, n_embd=16, n_layer=5, n_head=2, scale_attn_by_inverse_layer_idx=True
    )
    return GPT2LMHeadModel(shape)


def every_second_is_sparse():
    shape = Qwen2MoeConfig(
        **SHAPE, num_key_value_heads=1, intermediate_size=96, decoder_sparse_step=2, num_experts=2,
        num_experts_per_tok=1, moe_intermediate_size=32, shared_expert_intermediate_size=32,
    )  # fmt: skip
    return Qwen2MoeForCausalLM(shape)


def silence(model, number):
    """Make a block pass on what it is given."""
    block = model.model.layers[number]
    block.self_attn.o_proj.weight.zero_()
    block.mlp.down_proj.weight.zero_()


def logits(model):
    return model.eval()(input_ids=IDS).logits.detach()


def test_influence_is_one_minus_the_cosine_of_input_and_output():
    model = teacher()
    states = model(input_ids=IDS, output_hidden_states=True).hidden_states
    measured = pruning.block_influence(model, IDS)
    assert len(measured) == 5
    for number in range(4):  # the last of the states is taken after the final norm
        cosine = F.cosine_similarity(states[number], states[number + 1], dim=-1)[:, 4:]
        assert measured[number] == pytest.approx(1 - cosine.mean().item(), abs=1e-5)


@pytest.mark.parametrize("length", [1, 2, 4, 5])
def test_short_rows_have_an_influence_too(length):
    model, ids = teacher(), IDS[:, :length]
    states = model(input_ids=ids, output_hidden_states=True).hidden_states
    measured = pruning.block_influence(model, ids)
    for number in range(4):
        cosine = F.cosine_similarity(states[number][:, -1], states[number + 1][:, -1], dim=-1)
        assert measured[number] == pytest.approx(1 - cosine.mean().item(), abs=1e-5)
    assert pruning.choose_cut(model, ids, Pruning(layers=2)).layers


def test_silent_blocks_go_first_and_nothing_changes():
    model = teacher()
    silence(model, 1)
    silence(model, 3)
    cut = pruning.choose_cut(model, IDS, Pruning(layers=3))
    assert cut.layers == [0, 2, 4] and cut.neurons is None
    assert cut.influence[1] == pytest.approx(0, abs=1e-6) == cut.influence[3]
    assert torch.equal(logits(pruning.cut_out(model, cut)), logits(model))


def test_near_ties_go_by_what_a_block_is_worth(monkeypatch):
    model = teacher()
    silence(model, 1)
    silence(model, 2)
    ranked = [0.9, 0.5, 0.4, 0.3, 0.2]
    monkeypatch.setattr(pruning, "block_influence", lambda *_: ranked)
    assert pruning.choose_cut(model, IDS, Pruning(layers=3)).layers == [0, 3, 4]
    monkeypatch.setattr(pruning, "NEAR", 1)  # only 2 and 3 are near the line
    assert pruning.choose_cut(model, IDS, Pruning(layers=3)).layers == [0, 1, 3]


@pytest.mark.parametrize("kind", KINDS)
def test_trying_leaves_the_teacher_as_it_was(kind):
    model = teacher(kind)
    before = logits(model)
    pruning.choose_cut(model, IDS, Pruning(layers=2))
    assert torch.equal(logits(model), before)


@pytest.mark.parametrize("kind", KINDS)
def test_a_block_that_is_skipped_is_a_block_that_is_cut_out(kind):
    model = teacher(kind)
    student = pruning.cut_out(model, Cut([0, 2, 4], None, []))
    skipped = cutting.log_probabilities_without(model, IDS, {1, 3})
    torch.testing.assert_close(logits(student).log_softmax(-1), skipped)


def test_silent_neurons_go_first_and_nothing_changes():
    model = teacher()
    silent = range(0, 96, 3)
    for block in model.model.layers:
        block.mlp.down_proj.weight[:, list(silent)] = 0
    cut = pruning.choose_cut(model, IDS, Pruning(layers=5, mlp_share=2 / 3))
    assert all(kept == [n for n in range(96) if n % 3] for kept in cut.neurons)
    student = pruning.cut_out(model, cut)
    assert student.config.intermediate_size == 64
    torch.testing.assert_close(logits(student), logits(model))


def test_a_neuron_counts_by_what_it_adds():
    model = teacher()
    down = model.model.layers[2].mlp.down_proj
    down.weight[:, 7] *= 1000
    assert pruning.neuron_size(model, IDS)[2].argmax() == 7


@pytest.mark.parametrize("kind", KINDS)
def test_all_blocks_make_the_teacher(kind):
    model = teacher(kind)
    pruning.check_pruning(model, Pruning(layers=5))
    cut = pruning.choose_cut(model, IDS, Pruning(layers=5))
    student = pruning.cut_out(model, cut)
    assert torch.equal(logits(student), logits(model))
    theirs, ours = model.config.to_dict(), student.config.to_dict()
    assert ours == theirs
    if kind != "gpt2":
        whole = cut._replace(neurons=[list(range(96))] * 5)
        assert torch.equal(logits(pruning.cut_out(model, whole)), logits(model))


@pytest.mark.parametrize("kind", KINDS)
def test_kept_blocks_are_the_teachers_without_the_others(kind):
    model, cut = teacher(kind), Cut([0, 2, 4], None, [])
    student = pruning.cut_out(model, cut)
    _, blocks = transformer_blocks(model)
    _, own = transformer_blocks(student)
    for number, there in enumerate(cut.layers):
        pairs = zip(own[number].parameters(), blocks[there].parameters(), strict=True)
        assert all(torch.equal(mine, its) for mine, its in pairs)
        for name in ("attention_type", "self_attn.use_rope", "self_attn.sliding_window"):
            mine, its = (attribute(block, name) for block in (own[number], blocks[there]))
            assert mine == its, name
    assert student.config.num_hidden_layers == 3
    for name in ("layer_types", "no_rope_layers"):
        its = getattr(model.config, name, None)
        if its:
            assert getattr(student.config, name) == [its[number] for number in cut.layers]
    assert student.config.eos_token_id == model.config.eos_token_id  # no setting of a block


def attribute(block, name):
    """None where this architecture has none of that name."""
    for part in name.split("."):
        block = getattr(block, part, None)
    return block


@pytest.mark.parametrize(
    ("make", "layers", "setting"),
    [
        (inverse_layer_gpt2, [0, 2], "attn.scaling"),
        (every_second_is_sparse, [0, 2], "mlp"),
    ],
)
def test_blocks_that_know_their_place_are_refused(make, layers, setting):
    """GPT-2's may divide by it; of a mixture of experts every second may be sparse."""
    model = freeze(make())
    with pytest.raises(
        UserError, match=rf"block 2 of the teacher.* sets {setting}\b.* by a block's"
    ):
        pruning.cut_out(model, Cut(layers, None, []))
    with pytest.raises(UserError, match="cannot be block 0 of a student"):
        pruning.check_pruning(model, Pruning(layers=2))
    pruning.cut_out(model, Cut([0, 1], None, []))  # at their old places they may stay


def test_a_student_stops_where_its_teacher_stops(tmp_path):
    """A chat model's end of turn stands in the generation config alone."""
    model = teacher()
    model.generation_config.eos_token_id = [3, 7]
    model.generation_config.repetition_penalty = 1.5
    student = pruning.cut_out(model, Cut([0, 4], None, []))
    student.save_pretrained(tmp_path)
    again = LlamaForCausalLM.from_pretrained(tmp_path).generation_config
    assert (again.eos_token_id, again.repetition_penalty) == ([3, 7], 1.5)
    student.generation_config.eos_token_id.append(9)
    assert model.generation_config.eos_token_id == [3, 7]


def test_losing_a_block_is_skipping_it():
    """The same student another way: the teacher, two of whose blocks hand on their input."""
    model = teacher()
    student = pruning.cut_out(model, Cut([0, 2, 4], None, []))
    silence(model, 1)
    silence(model, 3)
    assert torch.equal(logits(student), logits(model))


def test_the_first_tokens_of_a_row_have_no_say():
    model = teacher()
    for block in model.model.layers:
        block.self_attn.o_proj.weight.zero_()  # so that no token hears of another
    before, other = pruning.block_influence(model, IDS), IDS.clone()
    other[:, : influence.SINKS] = 29
    assert pruning.block_influence(model, other) == before
    other[:, influence.SINKS] = 29
    assert pruning.block_influence(model, other) != before


def test_a_student_learns_and_shares_nothing():
    model = teacher()
    student = pruning.cut_out(model, pruning.choose_cut(model, IDS, Pruning(3, mlp_share=0.5)))
    check_pair(model, student)
    assert all(p.requires_grad and p.dtype == torch.float32 for p in student.parameters())


def test_a_student_survives_saving(tmp_path):
    student = pruning.cut_out(teacher(), Cut([0, 4], [list(range(32)), list(range(32, 64))], []))
    student.save_pretrained(tmp_path)
    again = LlamaForCausalLM.from_pretrained(tmp_path)
    assert torch.equal(logits(again), logits(student))


def test_the_callers_randomness_is_left_alone():
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    model = teacher()
    pruning.cut_out(model, pruning.choose_cut(model, IDS, Pruning(2)))
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(
    ("width", "share", "kept"),
    [(1536, 1, 1536), (1536, 0.875, 1344), (96, 0.01, 32), (20, 0.5, 20)],
)
def test_widths_are_multiples_where_they_can_be(width, share, kept):
    assert pruning.kept_width(width, share) == kept


@pytest.mark.parametrize("wrong", [{"layers": 0}, {"mlp_share": 0.0}, {"mlp_share": 1.1}])
def test_impossible_shares_are_refused_by_name(wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        Pruning(**wrong)


def test_a_teacher_that_cannot_be_cut_is_refused():
    with pytest.raises(UserError, match="6 is more than the teacher's 5 blocks"):
        pruning.check_pruning(teacher(), Pruning(6))
    pruning.check_pruning(teacher("gpt2"), Pruning(4))
    with pytest.raises(UserError, match="mlp_share: the teacher's MLPs are not gated"):
        pruning.check_pruning(teacher("gpt2"), Pruning(4, mlp_share=0.5))
    plain = torch.nn.Linear(2, 2)
    plain.config = LlamaConfig(**SHAPE)
    with pytest.raises(UserError, match="no plain list of blocks"):
        pruning.check_pruning(plain, Pruning(1))
