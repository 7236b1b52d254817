"""Conversations, chat templates and tokenizers for the tests of records.

The expected tokens are written down here piece by piece, as a person reads a template: nothing of
the package renders or compares anything.
"""

import random

from kdlib.models.folders import load_tokenizer
from kdlib.models.locate import find_model
from kdlib.records.record import ASSISTANT, SYSTEM, USER, Turn, new_record

CHATML = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content']"
    " + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
# As the second, but its marks leave the stop token out.
HEADERS = (
    "<|begin_of_text|>{% for message in messages %}"
    "<|start_header_id|>{{ message['role'] }}<|end_header_id|>\n\n"
    "{%- if message['role'] == 'assistant' %}{{ '\n\n' }}"
    "{%- generation %}{{ message['content'] }}{% endgeneration -%}"
    "{%- else %}{{ '\n\n' + message['content'] }}{% endif -%}"
    "<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>{{ '\n\n' }}{% endif %}"
)
TURNS = (
    "<bos>{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% set role = 'model' if message['role'] == 'assistant' else message['role'] %}"
    "{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}"
)
SPECIAL = [
    "<|im_start|>", "<|im_end|>", "<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>",
    "<|eot_id|>", "<bos>", "<start_of_turn>", "<end_of_turn>",
]  # fmt: skip
WORDS = (
    "the of congress peace war state gold 1863 treasury, law; Union (and) it's “quoted” naïve 日本 x=1"
    " then? no! \n\n- item"
).split(" ")


def tokenizer():
    """The embedded teacher's, with the special tokens of the three templates."""
    found = load_tokenizer(find_model("pocket"))
    found.add_special_tokens({"additional_special_tokens": SPECIAL})
    return found


def conversations(count, *, seed=0, system=True):
    """Conversations of one to four questions and answers, some after a system's turn."""
    draw = random.Random(seed)

    def said():
        return " ".join(draw.choices(WORDS, k=draw.randint(1, 12))).strip()

    made = []
    for number in range(count):
        turns = [Turn(SYSTEM, said())] * (system and draw.random() < 0.5)
        for _ in range(draw.randint(1, 4)):
            turns += [Turn(USER, said()), Turn(ASSISTANT, said())]
        made.append(new_record(f"chat:{number}", turns))
    return made


def chatml(record):
    """Pieces of text, each with whether it counts: <|im_start|>role, a line break, the text."""
    for turn in record.turns:
        yield f"<|im_start|>{turn.role}\n", False
        yield f"{turn.content}<|im_end|>", turn.role == ASSISTANT
        yield "\n", False


def headers(record):
    """A header and an empty line before each turn, and no break after it."""
    yield "<|begin_of_text|>", False
    for turn in record.turns:
        yield f"<|start_header_id|>{turn.role}<|end_header_id|>\n\n", False
        yield f"{turn.content}<|eot_id|>", turn.role == ASSISTANT


def turns(record):
    """The assistant is called model, and there is no system."""
    yield "<bos>", False
    for turn in record.turns:
        role = "model" if turn.role == ASSISTANT else turn.role
        yield f"<start_of_turn>{role}\n", False
        yield f"{turn.content}<end_of_turn>", turn.role == ASSISTANT
        yield "\n", False
