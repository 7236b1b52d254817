"""The same slot means the same token in both models, and a slot that is no token has no mass."""

import json

import pytest
import torch
from tokenizers import Tokenizer

from kdlib.data.document import Document
from kdlib.data.tokenizer import train_tokenizer
from kdlib.errors import UserError
from kdlib.models.folders import load_model, load_whole_model, save_model, wrap_tokenizer
from kdlib.models.from_scratch import ModelSize, new_model
from kdlib.models.frozen import freeze
from kdlib.models.vocabularies import (
    check_same_tokens,
    surplus_mass,
    surplus_slots,
    token_slots,
    trim_vocabulary,
)

TEXT = "the cat sat on the mat and looked at the hat " * 20
IDS = torch.arange(24).view(2, 12)


@pytest.fixture(scope="module")
def tokenizer():
    return wrap_tokenizer(train_tokenizer([Document("a", TEXT)], 280), context=64)


def new(slots):
    return new_model(ModelSize(16, 1, 2, initial_std=0.3), slots, 64, seed=0)


def changed(tokenizer, change):
    content = json.loads(tokenizer.backend_tokenizer.to_str())
    change(content["model"])
    return wrap_tokenizer(Tokenizer.from_str(json.dumps(content)), context=64)


def test_a_tokenizer_has_its_own_tokens(tokenizer):
    check_same_tokens(tokenizer, tokenizer)


def test_equal_sizes_do_not_make_equal_tokenizers(tokenizer):
    def swap(model):
        vocabulary = model["vocab"]
        vocabulary["a"], vocabulary["b"] = vocabulary["b"], vocabulary["a"]

    permuted = changed(tokenizer, swap)
    assert len(permuted) == len(tokenizer)
    with pytest.raises(UserError, match="differs from the teacher's in 2 entries .*'a'"):
        check_same_tokens(tokenizer, permuted)


def test_a_missing_token_is_a_difference(tokenizer):
    larger = changed(tokenizer, lambda model: model["vocab"].update(zebra=len(model["vocab"])))
    with pytest.raises(UserError, match="in 1 entries .*'zebra': None and 280"):
        check_same_tokens(tokenizer, larger)


def test_a_class_that_changes_its_files_is_named(tokenizer):
    """transformers reads a plain tokenizer.json beside a Qwen2 configuration as a Qwen2Tokenizer."""
    own = type("KindOfAModel", (type(tokenizer),), {})(tokenizer_object=tokenizer.backend_tokenizer)
    check_same_tokens(tokenizer, own)
    own.add_tokens("zebra")
    with pytest.raises(UserError, match=r"the student's as KindOfAModel\)$"):
        check_same_tokens(tokenizer, own)


def test_equal_entries_do_not_make_equal_tokenizers(tokenizer):
    letters = changed(tokenizer, lambda model: model["merges"].clear())
    assert letters.get_vocab() == tokenizer.get_vocab()
    with pytest.raises(UserError, match="cuts text up otherwise"):
        check_same_tokens(tokenizer, letters)


@pytest.mark.parametrize("surplus_slots", [1, 20])
def test_trimmed_is_minus_infinity_beyond_the_tokenizer(tokenizer, surplus_slots):
    model = new(280 + surplus_slots)
    logits = model(input_ids=IDS).logits.detach().clone()
    logits[..., 280:] = -torch.inf
    expected = logits.log_softmax(-1)
    trimmed = trim_vocabulary(model, tokenizer)
    found = trimmed(input_ids=IDS).logits.log_softmax(-1)
    assert found.shape[-1] == trimmed.config.vocab_size == 280
    torch.testing.assert_close(found, expected[..., :280])
    assert expected[..., 280:].exp().sum() == 0


def test_trimming_keeps_what_the_model_was(tokenizer):
    frozen, learning = (
        trim_vocabulary(freeze(new(290)), tokenizer),
        trim_vocabulary(new(290), tokenizer),
    )
    assert not any(p.requires_grad for p in frozen.parameters())
    assert all(p.requires_grad for p in learning.parameters())
    assert learning.get_output_embeddings().weight is learning.get_input_embeddings().weight


def test_a_model_that_fits_is_left_alone(tokenizer):
    model = new(280)
    before = list(model.parameters())
    assert all(
        a is b for a, b in zip(before, trim_vocabulary(model, tokenizer).parameters(), strict=True)
    )


def test_removed_mass_is_what_the_softmax_gave_away(tokenizer):
    model = freeze(new(300))
    given = torch.softmax(model(input_ids=IDS).logits.double(), -1)[..., 280:].sum(-1).mean()
    assert surplus_mass(model, tokenizer, IDS) == pytest.approx(float(given), rel=1e-5)
    assert given > 0.01
    assert surplus_mass(new(280), tokenizer, IDS) == 0


def test_too_few_slots_are_refused(tokenizer):
    assert token_slots(tokenizer) == 280 and surplus_slots(new(283), tokenizer) == 3
    for check in (surplus_slots, trim_vocabulary):
        with pytest.raises(UserError, match="270 output slots .* ids up to 279"):
            check(new(270), tokenizer)


def test_a_loaded_model_has_its_tokenizers_vocabulary(tokenizer, tmp_path):
    save_model(new(288), tokenizer, tmp_path / "padded")
    assert load_whole_model(tmp_path / "padded").config.vocab_size == 288
    assert load_model(tmp_path / "padded").config.vocab_size == 280


@pytest.mark.parametrize("slots", [300, 280])
def test_special_tokens_without_a_slot_are_forgotten(tokenizer, tmp_path, slots):
    """With such a padding token in its settings, a saved student could not be loaded again."""
    model = new(slots)
    for settings in (model.config, model.generation_config):
        settings.pad_token_id, settings.bos_token_id = 295, -1
        settings.eos_token_id = [3, 299]
    trim_vocabulary(model, tokenizer)
    for settings in (model.config, model.generation_config):
        assert settings.pad_token_id is None
        assert settings.bos_token_id == -1  # as some write that there is none
        assert settings.eos_token_id == [3]
    save_model(model, tokenizer, tmp_path / "saved")
    assert load_model(tmp_path / "saved").generation_config.eos_token_id == [3]
