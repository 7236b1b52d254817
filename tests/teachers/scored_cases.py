"""What another engine says about the blocks of `cache_cases`, as its server writes it."""

import json

import torch
from cache_cases import TEXT, K, make_teacher, tokenizer

from kdlib.teachers.cache_format import cache_contents


def sharp(seed=0):
    """A teacher with opinions: an untrained one's are nearly even, and so nearly everybody's."""
    teacher = make_teacher(seed)
    with torch.no_grad():
        teacher.get_output_embeddings().weight.mul_(8)
    return teacher


TEACHER = sharp()
WANTED = cache_contents(TEACHER, tokenizer(), TEXT, "with_tail", K, temperature=1.0, seed=0)


def entry(token, log_p, rank):
    return {str(token): {"logprob": log_p, "rank": rank, "decoded_token": f"<{token}>"}}


def scored(ids, k=K, teacher=TEACHER):
    """The two keys for one text: of each position the token that stands there, then the k likeliest."""
    with torch.no_grad():
        rows = teacher(input_ids=ids.unsqueeze(0)).logits[0, :-1].log_softmax(-1)
    positions = [None]
    for token, row in zip(ids[1:].tolist(), rows):
        entries = entry(token, row[token].item(), int((row >= row[token]).sum()))
        for rank, likely in enumerate(row.argsort(descending=True)[:k].tolist(), 1):
            entries |= entry(likely, row[likely].item(), rank)
        positions.append(entries)
    return {"prompt_token_ids": ids.tolist(), "prompt_logprobs": positions}


def answers(text=TEXT, **how):
    """One for each block, in order, as the server sends them."""
    return [{"id": "cmpl-1", "choices": [{"index": 0, **scored(ids, **how)}]} for ids in text.ids]


def write(path, lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path
