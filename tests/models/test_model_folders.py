"""Teachers and students: built, saved, loaded, and refused where the pair could not work."""

import json

import pytest
import torch

from kdlib.data.document import Document
from kdlib.data.tokenizer import END_OF_TEXT, train_tokenizer
from kdlib.errors import UserError
from kdlib.models.folders import (
    POCKET_TEACHER,
    load_model,
    load_tokenizer,
    save_model,
    wrap_tokenizer,
)
from kdlib.models.from_scratch import ModelSize, new_model, parameter_count
from kdlib.models.frozen import check_pair, freeze

SMALL = ModelSize(width=16, layers=1, heads=2)
TEXT = "the cat sat on the mat and looked at the hat " * 20


@pytest.fixture(scope="module")
def tokenizer():
    return wrap_tokenizer(train_tokenizer([Document("a", TEXT)], 280), context=64)


def new(vocabulary=280, seed=0):
    return new_model(SMALL, vocabulary, 64, seed)


def test_generation_ends_where_the_tokenizer_says():
    model = new_model(SMALL, 280, 64, seed=0, end_of_text=7)
    assert model.generation_config.eos_token_id == model.config.eos_token_id == 7


def test_same_seed_same_weights_and_the_callers_randomness_is_left_alone():
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    one, other, third = new(seed=1), new(seed=1), new(seed=2)
    assert torch.equal(torch.rand(3), expected)
    parameters = zip(one.parameters(), other.parameters(), third.parameters())
    equal = [(torch.equal(a, b), torch.equal(a, c)) for a, b, c in parameters]
    assert all(same for same, _ in equal) and not all(same for _, same in equal)


def test_parameters_are_counted_once():
    model = new()
    width, mlp = SMALL.width, SMALL.mlp_width
    block = 4 * width**2 + 3 * width * mlp + 2 * width
    assert parameter_count(model) == 280 * width + block + width


@pytest.mark.parametrize("wrong", [{"width": 0}, {"layers": 0}, {"heads": 3}, {"heads": 16}])
def test_impossible_size_is_refused_by_name(wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        ModelSize(**{"width": 16, "layers": 1, "heads": 2, **wrong})


def test_saved_model_is_the_model(tmp_path, tokenizer):
    model = new()
    save_model(model, tokenizer, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    ids = torch.arange(20)[None]
    assert torch.equal(model(input_ids=ids).logits, loaded(input_ids=ids).logits)
    text = "the cat\n sat"
    again = load_tokenizer(tmp_path / "model")
    assert again(text).input_ids == tokenizer(text).input_ids
    assert again.decode(again(text).input_ids) == text
    assert again.eos_token == END_OF_TEXT
    assert not list((tmp_path / "model").glob("*.bin"))


def test_half_precision_on_disk_is_half_the_bytes(tmp_path, tokenizer):
    model = new()
    save_model(model, tokenizer, tmp_path / "half", torch.bfloat16)
    assert next(model.parameters()).dtype == torch.float32  # the model at hand is not touched
    size = (tmp_path / "half" / "model.safetensors").stat().st_size
    assert size == pytest.approx(2 * parameter_count(model), rel=0.2)
    loaded = load_model(tmp_path / "half")
    for one, other in zip(model.parameters(), loaded.parameters()):
        assert other.dtype == torch.float32
        assert torch.equal(one.to(torch.bfloat16).float(), other)


def test_broken_folders_are_named(tmp_path, tokenizer):
    with pytest.raises(UserError, match="no config.json"):
        load_model(tmp_path)
    save_model(new(), tokenizer, tmp_path / "model")
    weights = tmp_path / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:500])
    with pytest.raises(UserError, match="model.safetensors is missing or damaged"):
        load_model(tmp_path / "model")
    save_model(new(), tokenizer, tmp_path / "model")
    (tmp_path / "model" / "sha256.json").unlink()  # as if another program had written it
    (tmp_path / "model" / "tokenizer.json").write_text("{")
    with pytest.raises(UserError, match="tokenizer: .* cannot be loaded"):
        load_tokenizer(tmp_path / "model")


def test_a_tokenizer_that_ends_in_the_library_is_refused_in_a_line(tmp_path, tokenizer):
    folder = tmp_path / "model"
    save_model(new(), tokenizer, folder)
    (folder / "sha256.json").unlink()
    settings, parts = (folder / name for name in ("tokenizer_config.json", "tokenizer.json"))
    old, backend = json.loads(settings.read_text()), json.loads(parts.read_text())
    # A class with an unknown token that the vocabulary lacks: the error is a bare Exception.
    settings.write_text(json.dumps(old | {"tokenizer_class": "GemmaTokenizer"}))
    with pytest.raises(UserError, match="cannot encode a text: Unk token"):
        load_tokenizer(folder)
    settings.write_text(json.dumps(old))
    backend["model"]["continuing_subword_prefix"] = "##"  # a panic, which is no Exception
    parts.write_text(json.dumps(backend))
    with pytest.raises(UserError, match="tokenizer: .* cannot be loaded: "):
        load_tokenizer(folder)


def test_a_configuration_that_is_refused_says_why(tmp_path, tokenizer):
    """The library's first line only announces the second."""
    folder = tmp_path / "model"
    save_model(new(), tokenizer, folder)
    (folder / "sha256.json").unlink()
    path = folder / "config.json"
    settings = json.loads(path.read_text())
    for change, why in (
        ({"num_attention_heads": 3}, "not a multiple"),
        ({"hidden_act": "x"}, "KeyError 'x'"),
    ):
        path.write_text(json.dumps(settings | change))
        with pytest.raises(UserError, match=why) as refused:
            load_model(folder)
        assert "\n" not in str(refused.value)


def test_a_tokenizer_without_a_fast_form_is_refused(tmp_path, tokenizer, monkeypatch):
    from transformers import AutoTokenizer

    save_model(new(), tokenizer, tmp_path / "model")
    monkeypatch.setattr(AutoTokenizer, "from_pretrained", lambda *_, **__: object())
    with pytest.raises(UserError, match="a tokenizer.json is needed"):
        load_tokenizer(tmp_path / "model")


def test_frozen_teacher_has_no_gradient_and_no_dropout():
    teacher = freeze(new().train())
    assert not teacher.training
    assert not teacher(input_ids=torch.arange(5)[None]).logits.requires_grad


def test_good_pair_passes():
    check_pair(freeze(new()), new(seed=1))


def test_pairs_that_would_teach_nothing_are_refused():
    teacher, student = freeze(new()), new(seed=1)
    with pytest.raises(UserError, match="training mode"):
        check_pair(new().train(), student)
    with pytest.raises(UserError, match="require gradients"):
        check_pair(new().eval(), student)
    with pytest.raises(UserError, match="shares parameters"):
        check_pair(teacher, teacher)
    with pytest.raises(UserError, match="has 300 entries, the teacher's 280"):
        check_pair(teacher, new(vocabulary=300))


def test_shipped_teacher_is_what_its_papers_say():
    """Its hash, its size and its recipe stand beside it in provenance.json."""
    import hashlib

    provenance = json.loads((POCKET_TEACHER / "provenance.json").read_text())
    weights = POCKET_TEACHER / "model.safetensors"
    assert hashlib.sha256(weights.read_bytes()).hexdigest() == provenance["sha256"]
    assert sum(f.stat().st_size for f in POCKET_TEACHER.iterdir()) <= 16_000_000
    teacher, tokenizer = load_model(POCKET_TEACHER), load_tokenizer(POCKET_TEACHER)
    assert parameter_count(teacher) == provenance["parameters"]
    assert teacher.config.vocab_size == len(tokenizer) == 4096
    # A block, and the token that it overlaps by: at later positions it has learned nothing.
    assert provenance["longest_text_read"] == provenance["recipe"]["data"]["block"] + 1
    assert teacher.config.max_position_embeddings == provenance["longest_text_read"]
    assert tokenizer.model_max_length == provenance["longest_text_read"]
