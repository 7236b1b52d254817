"""Samples are draws from what a model has learned, whatever its folder says about generating."""

import json

import pytest
import torch
from tokenizers import Tokenizer, processors
from transformers import LlamaConfig, LlamaForCausalLM

from kdlib.data.document import Document
from kdlib.data.tokenizer import train_tokenizer
from kdlib.jobs.samples import generate, prompt_ids
from kdlib.models.folders import load_model, load_tokenizer, wrap_tokenizer

pytestmark = pytest.mark.door("generation defaults")

TEXT = "the cat sat on the mat and looked at the hat " * 20
HOSTILE = {
    "num_beams": 3,
    "do_sample": False,
    "temperature": 0.01,
    "top_p": 0.05,
    "top_k": 1,
    "min_p": 0.9,
    "typical_p": 0.1,
    "repetition_penalty": 9.0,
    "no_repeat_ngram_size": 1,
    "encoder_repetition_penalty": 3.0,
    "bad_words_ids": [[65], [66], [67]],
    "suppress_tokens": list(range(40, 120)),
    "begin_suppress_tokens": list(range(120, 200)),
    "forced_bos_token_id": 5,
    "forced_eos_token_id": 6,
    "max_length": 9,
    "min_length": 30,
    "min_new_tokens": 12,
    "penalty_alpha": 0.6,
    "guidance_scale": 4.0,
    "sequence_bias": [[[70], 50.0]],
    "renormalize_logits": True,
    "remove_invalid_values": True,
    "exponential_decay_length_penalty": [1, 5.0],
    "watermarking_config": {"greenlist_ratio": 0.25, "bias": 8.0},
    "stop_strings": ["e", "t", " "],
    "cache_implementation": "static",
    "use_cache": False,
    "prompt_lookup_num_tokens": 3,
    "dola_layers": "low",
    "max_time": 0.0,
    "return_dict_in_generate": True,
    "token_healing": True,
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A model folder with an end-of-text token of its own beside the tokenizer's."""
    folder = tmp_path_factory.mktemp("plain")
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=280, hidden_size=16, intermediate_size=32, num_hidden_layers=2,
            num_attention_heads=2, max_position_embeddings=64, initializer_range=0.4,
        )
    )  # fmt: skip
    model.generation_config.eos_token_id = [0, 7]
    model.save_pretrained(folder)
    wrap_tokenizer(train_tokenizer([Document("a", TEXT)], 280), 64).save_pretrained(folder)
    return folder


def drawn(folder, seed=0, tokens=20):
    model, tokenizer = load_model(folder), load_tokenizer(folder)
    before = model.generation_config.to_dict()
    text = generate(model, tokenizer, prompt_ids(tokenizer, "the cat"), tokens, seed)
    assert model.generation_config.to_dict() == before
    return text


def by_hand(folder, seed, tokens):
    """Softmax at temperature 0.8 over the 40 likeliest, one token after another."""
    model, tokenizer = LlamaForCausalLM.from_pretrained(folder), load_tokenizer(folder)
    ids = [0, *tokenizer.backend_tokenizer.encode("the cat", add_special_tokens=False).ids]
    start = len(ids)
    torch.manual_seed(seed)
    for _ in range(tokens):
        logits = model(input_ids=torch.tensor([ids])).logits[0, -1] / 0.8
        likeliest = logits.topk(40).indices
        p = torch.zeros(280).index_add(0, likeliest, logits[likeliest].softmax(-1))
        ids.append(int(torch.multinomial(p, 1)))
        if ids[-1] in (0, 7):
            break
    return tokenizer.decode(ids[start:], skip_special_tokens=True)


@pytest.mark.parametrize("seed", range(5))
def test_draws_are_those_of_the_softmax(plain, seed):
    with torch.no_grad():
        assert drawn(plain, seed) == by_hand(plain, seed, 20)


@pytest.mark.parametrize("name", [*HOSTILE, "all of them"])
def test_no_default_of_a_folder_changes_a_draw(plain, tmp_path, name):
    """Written into the file as other programs do, whether or not the settings fit together."""
    for file in plain.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    path = tmp_path / "generation_config.json"
    together = HOSTILE | {"num_return_sequences": 2}  # which alone no loader accepts
    changes = together if name == "all of them" else {name: HOSTILE[name]}
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    assert drawn(tmp_path) == drawn(plain)


def test_settings_of_generation_in_the_models_own_settings_change_nothing(plain, tmp_path):
    """Where older programs kept them."""
    for file in plain.iterdir():
        if file.name != "generation_config.json":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    path = tmp_path / "config.json"
    older = {"repetition_penalty": 9.0, "num_beams": 3, "max_length": 9, "eos_token_id": [0, 7]}
    path.write_text(json.dumps(json.loads(path.read_text()) | older))
    assert drawn(tmp_path) == drawn(plain)


def with_beginning(tokenizer):
    """As Llama's: it puts a token of its own in front of every text it is asked to prepare."""
    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    backend.add_special_tokens(["<s>"])
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", backend.token_to_id("<s>"))]
    )
    return wrap_tokenizer(backend, 64)


def test_a_prompt_begins_as_documents_do(plain):
    tokenizer = load_tokenizer(plain)
    words = tokenizer.backend_tokenizer.encode("the cat", add_special_tokens=False).ids
    assert prompt_ids(tokenizer, "the cat").tolist() == [[0, *words]]
    beginning = with_beginning(tokenizer)
    assert prompt_ids(beginning, "the cat").tolist() == [[280, *words]]
    assert prompt_ids(beginning, "the cat", "<|endoftext|>").tolist() == [[0, *words]]
    assert prompt_ids(tokenizer, "").tolist() == [[0]]
    assert prompt_ids(tokenizer, "").dtype == torch.int64


def test_a_separator_ends_a_text(plain):
    model, tokenizer = load_model(plain), load_tokenizer(plain)
    output = model.get_output_embeddings()
    model.set_output_embeddings(torch.nn.Linear(16, 280))
    with torch.no_grad():  # whatever it reads, " cat" comes next
        model.lm_head.weight.zero_()
        model.lm_head.bias.copy_(torch.full((280,), -1e4))
        token = tokenizer.backend_tokenizer.encode("at").ids[0]
        model.lm_head.bias[token] = 0
    ids = prompt_ids(tokenizer, "the")
    assert generate(model, tokenizer, ids, 4, 0) == 4 * tokenizer.decode([token])
    separator = tokenizer.convert_ids_to_tokens(token)
    assert generate(model, tokenizer, ids, 4, 0, separator=separator) == tokenizer.decode([token])
    assert output is not model.lm_head
