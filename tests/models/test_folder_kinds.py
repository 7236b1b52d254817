"""A folder that holds something else is called by its name before a weight is read."""

import json

import pytest
import torch
from little_folders import change_settings, change_weights, write
from safetensors.torch import save_file

from kdlib.errors import UserError
from kdlib.models.folders import load_whole_model, stored_slots

pytestmark = pytest.mark.door("model folders of other kinds")


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path / "model")


def only(folder, name, content=b"\x80\x02"):
    """The folder with this file in place of its weights."""
    (folder / "model.safetensors").unlink()
    (folder / name).write_bytes(content)


def as_adapter(folder):
    (folder / "config.json").unlink()
    (folder / "adapter_config.json").write_text('{"peft_type": "LORA"}')
    (folder / "model.safetensors").rename(folder / "adapter_model.safetensors")


def in_eight_bits(tensors):
    tensors["model.layers.0.mlp.up_proj.weight"] = torch.ones(32, 16, dtype=torch.int8)
    return tensors


KINDS = {
    "an adapter": (as_adapter, "adapter .*merge_and_unload"),
    "an adapter beside a model": (
        lambda f: (f / "adapter_config.json").write_text("{}"), "adapter .*merge_and_unload",
    ),
    "gptq": (lambda f: change_settings(f, quantization_config={"quant_method": "gptq", "bits": 4}),
             r"quantised weights \(gptq\)"),
    "awq": (lambda f: change_settings(f, quantization_config={"quant_method": "awq"}), "awq"),
    "bitsandbytes": (
        lambda f: change_settings(f, quantization_config={"load_in_4bit": True}), "quantised",
    ),
    "quantised within": (
        lambda f: change_settings(f, text_config={"quantization_config": {"quant_method": "fp8"}}),
        "fp8",
    ),
    "eight bits without a word": (
        lambda f: change_weights(f, in_eight_bits), "up_proj.weight as I8, which is quantised",
    ),
    "an encoder-decoder": (
        lambda f: change_settings(
            f, is_encoder_decoder=True, architectures=["BartForConditionalGeneration"]),
        r"encoder-decoder \(BartFor",
    ),
    "gguf": (lambda f: only(f, "model.Q4_K_M.gguf"), "GGUF .*gguf_file="),
    "gguf alone": (lambda f: (only(f, "model.gguf"), (f / "config.json").unlink()), "GGUF"),
    "pickle": (lambda f: only(f, "pytorch_model.bin"), "pickles, which can run code"),
    "a training checkpoint": (lambda f: only(f, "step_100.pt"), "pickles"),
    "tensorflow": (lambda f: only(f, "tf_model.h5"), "another library"),
    "consolidated": (lambda f: only(f, "consolidated.safetensors"), "other names"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "no model.safetensors"),
    "a pointer": (
        lambda f: only(
            f, "model.safetensors", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
        "git lfs pull",
    ),
    "cut off": (
        lambda f: (f / "model.safetensors").write_bytes(
            (f / "model.safetensors").read_bytes()[:3000]),
        "cannot be loaded",
    ),
    "empty": (lambda f: only(f, "model.safetensors", b""), "cannot be loaded"),
    "no json": (lambda f: (f / "config.json").write_text("{"), "not valid JSON"),
    "a list": (lambda f: (f / "config.json").write_text("[1]"), "not a configuration"),
    "an unknown kind": (lambda f: change_settings(f, model_type="no_such"), "cannot be loaded"),
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_it_is_named_in_one_line(folder, name):
    spoil, message = KINDS[name]
    spoil(folder)
    with pytest.raises(UserError, match=message) as refused:
        load_whole_model(folder)
    assert "\n" not in str(refused.value)


def test_a_missing_shard_is_refused(folder):
    weights = folder / "model.safetensors"
    index = {
        "metadata": {},
        "weight_map": {"model.norm.weight": "model-00001-of-00002.safetensors"},
    }
    weights.rename(folder / "model-00002-of-00002.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(UserError, match="cannot be loaded|missing"):
        load_whole_model(folder)


def test_a_folder_may_hold_other_formats_beside_its_safetensors(folder):
    for name in ("pytorch_model.bin", "model.gguf", "tf_model.h5"):
        (folder / name).write_bytes(b"\x80\x02")
    save_file({"a": torch.ones(1)}, folder / "extra.safetensors")
    assert load_whole_model(folder).config.vocab_size == stored_slots(folder) == 280
