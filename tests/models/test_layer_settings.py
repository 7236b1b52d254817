"""Settings of blocks go with their blocks, under whatever name and in whatever form."""

import pytest
from transformers import GPTNeoConfig, GPTNeoForCausalLM, LlamaConfig, Phi3Config, Phi3ForCausalLM

from kdlib.errors import UserError
from kdlib.models.frozen import freeze
from kdlib.models.layer_settings import keep_blocks
from kdlib.models.pruning import Pruning, check_pruning

pytestmark = pytest.mark.door("settings of cut layers")

KEPT = [1, 2, 4]
FORMS = {
    "a list by block": ("kv_heads_by_block", [5, 6, 7, 8, 9], [6, 7, 9]),
    "switches": ("no_rope_layers", [1, 1, 0, 1, 0], [1, 0, 0]),
    "numbers": ("mlp_only_layers", [0, 1, 4], [0, 2]),
    "other numbers": ("full_attn_idxs", [2], [1]),
    "none of them kept": ("attn_layer_indices", [0, 3], []),
    "all numbers": ("mlp_only_layers", [0, 1, 2, 3, 4], [0, 1, 2]),
    "a dictionary": ("window_by_block", {"1": 8, "3": 4, "4": 2}, {0: 8, 2: 2}),
    "a count": ("first_k_dense_replace", 3, 2),
    "tokens": ("image_token_layers", [1, 2, 3, 4, 9], [1, 2, 3, 4, 9]),
    "labels": ("id2label", {0: "a", 1: "b"}, {0: "a", 1: "b"}),
    "a list of another length": ("shape_of_blocks", [3, 3], [3, 3]),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_setting_goes_with_its_blocks(form):
    name, given, expected = FORMS[form]
    config = LlamaConfig(num_hidden_layers=5)
    setattr(config, name, given)
    made = keep_blocks(config, KEPT)
    assert getattr(made, name) == expected
    assert made.num_hidden_layers == 3
    assert getattr(config, name) == given and config.num_hidden_layers == 5


def test_settings_that_cannot_be_set_apart_are_refused():
    """Seven kinds for five blocks: whose they are is not to be guessed."""
    config = LlamaConfig(num_hidden_layers=5)
    config.layer_types = ["full_attention"] * 7
    with pytest.raises(UserError, match="settings for all of its 5 blocks") as refused:
        keep_blocks(config, [0, 3])
    assert "\n" not in str(refused.value)


def test_a_pattern_that_is_not_a_list_by_block_is_refused():
    config = GPTNeoConfig(
        vocab_size=40, hidden_size=16, num_layers=4, num_heads=2, window_size=4,
        attention_types=[[["global", "local"], 2]], bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    with pytest.raises(UserError, match="by a block's place"):
        check_pruning(freeze(GPTNeoForCausalLM(config)), Pruning(2))


def test_an_mlp_whose_matrices_are_one_cannot_be_narrowed():
    config = Phi3Config(
        vocab_size=40, hidden_size=16, intermediate_size=96, num_hidden_layers=3,
        num_attention_heads=2, num_key_value_heads=1, pad_token_id=None, bos_token_id=0,
        eos_token_id=0,
    )  # fmt: skip
    model = freeze(Phi3ForCausalLM(config))
    check_pruning(model, Pruning(2))
    with pytest.raises(UserError, match="student.pruning.mlp_share: .* Phi3.*mlp-share 1"):
        check_pruning(model, Pruning(2, mlp_share=0.5))
