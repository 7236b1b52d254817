"""A little model folder as another program writes it, and ways to spoil it."""

import json

import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM

from kdlib.data.document import Document
from kdlib.data.tokenizer import train_tokenizer
from kdlib.models.folders import wrap_tokenizer

TEXT = "the cat sat on the mat and looked at the hat. Why? Nobody knows; it sat " * 20
TOKENIZER = train_tokenizer([Document("a", TEXT)], 280).to_str()
SHAPE = {
    "vocab_size": 280, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 3,
    "num_attention_heads": 2, "max_position_embeddings": 64, "initializer_range": 0.5,
    "bos_token_id": 0, "eos_token_id": 0,
}  # fmt: skip


def tokenizer():
    from tokenizers import Tokenizer

    return wrap_tokenizer(Tokenizer.from_str(TOKENIZER), context=64)


def write(folder, model=None, tied=True):
    """No checksums: it is not a folder of ours."""
    if model is None:
        torch.manual_seed(0)
        model = LlamaForCausalLM(LlamaConfig(**SHAPE, tie_word_embeddings=tied))
    model.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def change_settings(folder, name="config.json", **settings):
    path = folder / name
    old = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(old | settings))


def change_weights(folder, change):
    """change(tensors) -> tensors."""
    path = folder / "model.safetensors"
    save_file(change(load_file(path)), path, metadata={"format": "pt"})
