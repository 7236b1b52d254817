"""GGUF files and wheels made up on the spot, so that no test needs the network."""

import json
import zipfile

import gguf

FIELDS = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
NORMAL, CONTROL = 1, 3  # kinds of token


def write_gguf(path, model, tokenizer):
    """A small Llama and its byte-level BPE tokenizer as llama.cpp stores them."""
    writer = gguf.GGUFWriter(str(path), "llama")
    config = model.config
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_vocab_size(config.vocab_size)
    _add_tokenizer(writer, tokenizer)
    for name, weight in _tensors(model):
        writer.add_tensor(name, weight)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_tokenizer(writer, tokenizer):
    content = json.loads(tokenizer.backend_tokenizer.to_str())
    tokens = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().get)
    special = set(tokenizer.all_special_tokens)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([CONTROL if token in special else NORMAL for token in tokens])
    writer.add_token_merges([" ".join(pair) for pair in content["model"]["merges"]])
    writer.add_bos_token_id(tokenizer.bos_token_id)
    writer.add_eos_token_id(tokenizer.eos_token_id)


def _tensors(model):
    weights, config = model.state_dict(), model.config
    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}
    yield "token_embd.weight", weights["model.embed_tokens.weight"].numpy()
    yield "output_norm.weight", weights["model.norm.weight"].numpy()
    for layer in range(config.num_hidden_layers):
        for name, ours in FIELDS.items():
            weight = weights[f"model.layers.{layer}.{ours}.weight"].numpy()
            if name in heads:
                weight = _interleaved(weight, heads[name])
            yield f"blk.{layer}.{name}.weight", weight


def _interleaved(weight, heads):
    """llama.cpp rotates neighbours, transformers the two halves of a head."""
    halves = weight.reshape(heads, 2, weight.shape[0] // heads // 2, -1)
    return halves.swapaxes(1, 2).reshape(weight.shape)


def write_wheel(folder, gguf_file, module="llm_made_up", version="0.1"):
    """A wheel that holds the file, as pip accepts it; returns its path."""
    name = f"{module}-{version}"
    metadata = (
        f"Metadata-Version: 2.1\nName: {module}\nVersion: {version}\nRequires-Dist: nonesuch\n"
    )
    tags = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    path = folder / ".".join((f"{name}-py3-none-any", "whl"))
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(gguf_file, f"{module}/{gguf_file.name}")
        archive.writestr(f"{name}.dist-info/METADATA", metadata)
        archive.writestr(f"{name}.dist-info/WHEEL", tags)
        archive.writestr(f"{name}.dist-info/RECORD", "")
    return path
