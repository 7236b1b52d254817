"""Every weight of a loaded model is from its files, finite, and of a model that looks back only."""

import ast
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from little_folders import SHAPE, change_settings, change_weights, write
from transformers import (
    BertConfig,
    BertForMaskedLM,
    LlamaConfig,
    LlamaForSequenceClassification,
    LlamaModel,
)

from kdlib.errors import UserError
from kdlib.models.folders import load_model, load_tokenizer, load_whole_model

pytestmark = pytest.mark.door("weights")


def without(*parts):
    return lambda tensors: {n: t for n, t in tensors.items() if not any(p in n for p in parts)}


def prefixed(prefix):
    return lambda tensors: {prefix + name: tensor for name, tensor in tensors.items()}


def with_more(name, *shape):
    return lambda tensors: tensors | {name: torch.zeros(shape)}


def spoilt(name, value):
    def change(tensors):
        tensors[name].view(-1)[3] = value
        return tensors

    return change


NORM = "model.layers.1.input_layernorm.weight"
WEIGHTS = {
    "a matrix is missing": (without("layers.2.mlp.up"), r"1 tensors missing \(model.layers.2.mlp"),
    "a norm is missing": (without(NORM), rf"1 tensors missing \({NORM}"),
    "a block is missing": (without("layers.2."), r"9 tensors missing .*too many blocks"),
    "peft": (prefixed("base_model.model."), r"begin with 'base_model.model.'.*merge_and_unload"),
    "ddp": (prefixed("module."), "begin with 'module.'"),
    "compiled": (prefixed("_orig_mod."), "begin with '_orig_mod.'"),
    "lora": (with_more("model.layers.0.self_attn.q_proj.lora_A.weight", 2, 16), "merge_and_unload"),
    "a value head": (with_more("v_head.summary.weight", 1, 16), r"1 unexpected \(v_head"),
    "a bias": (with_more("model.layers.0.self_attn.q_proj.bias", 16), "unexpected"),
    "a larger matrix": (
        with_more("model.layers.1.mlp.up_proj.weight", 48, 16),
        r"up_proj.weight is \(48, 16\), \(32, 16\) is wanted",
    ),
    "nan": (spoilt(NORM, torch.nan), f"1 of 16 values of {NORM}"),
    "inf": (spoilt("model.embed_tokens.weight", torch.inf), "1 of 4480 values of model.embed"),
}
SETTINGS = {
    "a block too many": ({"num_hidden_layers": 4}, r"9 tensors missing .*too many blocks \(4\)"),
    "a block too few": ({"num_hidden_layers": 2}, "too few blocks: the files hold block 2"),
    "no output matrix": ({"tie_word_embeddings": False}, "tie_word_embeddings: true"),
    "another width": ({"hidden_size": 32}, "of another shape"),
    "more slots": ({"vocab_size": 300}, r"embed_tokens.weight is \(280, 16\), \(300, 16\)"),
}


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path / "model")


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_that_are_not_the_models_are_refused_by_name(folder, name):
    change, message = WEIGHTS[name]
    change_weights(folder, change)
    with pytest.raises(UserError, match=message) as refused:
        load_whole_model(folder)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_that_are_not_the_weights_are_refused(folder, name):
    change, message = SETTINGS[name]
    change_settings(folder, **change)
    with pytest.raises(UserError, match=message):
        load_whole_model(folder)


@pytest.mark.parametrize("kind", ["gemma", "mistral", "olmo"])
def test_tensors_of_the_same_names_are_not_read_as_another_class(folder, kind):
    change_settings(folder, model_type=kind)
    with pytest.raises(
        UserError, match=f"names the class LlamaForCausalLM, and its model_type '{kind}'"
    ):
        load_whole_model(folder)


@pytest.mark.parametrize(
    "named", [None, ["LLaMAForCausalLM"], ["MyLlamaForCausalLM"], ["LlamaModel"]]
)
def test_a_class_that_the_library_does_not_know_is_no_contradiction(folder, named):
    change_settings(folder, architectures=named)
    load_whole_model(folder)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: LlamaModel(LlamaConfig(**SHAPE, tie_word_embeddings=False)), "a base model"),
        (
            lambda: LlamaForSequenceClassification(
                LlamaConfig(**SHAPE, num_labels=1, tie_word_embeddings=False)
            ),
            "a classifier or reward model",
        ),
        (
            lambda: BertForMaskedLM(BertConfig(**{k: SHAPE[k] for k in list(SHAPE)[:6]})),
            "would see what it is to predict",
        ),
    ],
)
def test_models_that_are_no_causal_ones_are_called_by_their_names(tmp_path, model, message):
    folder = write(tmp_path / "model", model())
    with pytest.raises(UserError, match=message):
        load_whole_model(folder)


@pytest.mark.parametrize("change", [
    with_more("model.layers.0.self_attn.rotary_emb.inv_freq", 4),
    with_more("model.layers.0.self_attn.masked_bias", 1),
    lambda tensors: tensors | {"lm_head.weight": tensors["model.embed_tokens.weight"].clone()},
])  # fmt: skip
def test_constants_of_old_files_and_a_tied_matrix_stored_twice_do_no_harm(folder, change):
    ids = torch.arange(20)[None]
    expected = load_whole_model(folder)(input_ids=ids).logits
    change_weights(folder, change)
    assert torch.equal(load_whole_model(folder)(input_ids=ids).logits, expected)


def test_a_headless_file_of_a_tied_model_is_whole(tmp_path):
    torch.manual_seed(0)
    body = LlamaModel(LlamaConfig(**SHAPE, tie_word_embeddings=True))
    model = load_whole_model(write(tmp_path / "model", body))
    hidden = body(input_ids=torch.arange(9)[None]).last_hidden_state
    logits = hidden @ body.embed_tokens.weight.T
    torch.testing.assert_close(model(input_ids=torch.arange(9)[None]).logits, logits)


def test_what_the_loader_does_not_report_is_refused_too(folder, monkeypatch):
    change_weights(folder, without("layers.2.mlp.up"))
    monkeypatch.setattr("kdlib.models.weights._refuse_incomplete", lambda *_: None)
    with pytest.raises(UserError, match="lacks model.layers.2.mlp.up_proj.weight, and random"):
        load_whole_model(folder)


def test_two_loads_are_equal_and_the_callers_randomness_is_left_alone(folder):
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    one, two = load_whole_model(folder).state_dict(), load_whole_model(folder).state_dict()
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(one[name], two[name]) for name in one)


CODE = """
import pathlib
pathlib.Path(r"{trace}").write_text("it ran")
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
class Config(LlamaConfig): model_type = "own"
class Model(LlamaForCausalLM): config_class = Config
class Tokenizer(PreTrainedTokenizerFast): pass
"""
LOAD = """
import sys
from kdlib.errors import UserError
from kdlib.models import folders, operations
for load in (folders.load_whole_model, folders.load_model, folders.load_tokenizer,
             folders.stored_slots):
    try:
        load(sys.argv[1])
    except (UserError, ValueError) as error:
        print("refused:", str(error).splitlines()[0])
print("done")
"""
ASK = """
import sys
from transformers import AutoConfig
AutoConfig.from_pretrained(sys.argv[1])
print("done")
"""


def with_code(folder, trace):
    """Model, configuration and tokenizer of this folder are classes of its own."""
    (folder / "own.py").write_text(CODE.format(trace=trace))
    change_settings(
        folder,
        model_type="own",
        auto_map={"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"},
    )
    change_settings(
        folder,
        "tokenizer_config.json",
        tokenizer_class="Tokenizer",
        auto_map={"AutoTokenizer": [None, "own.Tokenizer"]},
    )
    (folder / "custom_generate").mkdir()
    (folder / "custom_generate" / "generate.py").write_text(CODE.format(trace=trace))


def answered_yes(folder, tmp_path, program):
    """Run a program on the folder in a terminal where somebody types y; what it printed."""
    with_code(folder, tmp_path / "trace")
    ours, theirs = pty.openpty()
    os.write(ours, b"y\n" * 20)
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder)],
        stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        env=os.environ | {"HF_MODULES_CACHE": str(tmp_path / "modules")},
    )  # fmt: skip
    os.close(ours)
    os.close(theirs)
    assert "done" in done.stdout, done.stdout
    return done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pty module")
@pytest.mark.parametrize(("program", "runs"), [(LOAD, False), (ASK, True)])
def test_no_code_of_a_folder_is_run_even_if_somebody_says_yes(folder, tmp_path, program, runs):
    """In a terminal, transformers would ask, and whoever types y runs the folder's code."""
    said = answered_yes(folder, tmp_path, program)
    assert (tmp_path / "trace").exists() == runs, said


def test_a_folder_is_hashed_once(tmp_path, monkeypatch):
    from kdlib.models import checksums

    write(tmp_path / "model")
    checksums.write_checksums(tmp_path / "model")
    hashed, real = [], checksums._hash
    monkeypatch.setattr(checksums, "_hash", lambda path: hashed.append(path.name) or real(path))
    load_model(tmp_path / "model")
    assert sorted(hashed) == sorted(set(hashed)) and "model.safetensors" in hashed
    hashed.clear()
    load_tokenizer(tmp_path / "model")
    assert "tokenizer.json" in hashed


def test_a_wrapper_of_texts_and_images_is_refused(tmp_path):
    from transformers import Gemma3Config, Gemma3ForConditionalGeneration

    small = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2}
    config = Gemma3Config(
        text_config=small
        | {"num_hidden_layers": 2, "num_key_value_heads": 1, "head_dim": 8, "vocab_size": 280},
        vision_config=small | {"num_hidden_layers": 1, "image_size": 16, "patch_size": 8},
        mm_tokens_per_image=4,
    )
    folder = write(tmp_path / "model", Gemma3ForConditionalGeneration(config))
    with pytest.raises(UserError, match="a Gemma3ForConditionalGeneration, a wrapper around"):
        load_model(folder)


def test_every_call_that_could_run_a_folders_code_forbids_it():
    root = Path(__file__).parents[2] / "kdlib"
    forgotten = [
        f"{path.relative_to(root)}:{node.lineno}"
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("from_pretrained", "from_config")
        and "trust_remote_code" not in {keyword.arg for keyword in node.keywords}
    ]
    assert not forgotten
