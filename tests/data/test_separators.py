"""The token between documents: what the model read there in its own training, or what is asked."""

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from kdlib.data.separators import separator_id
from kdlib.errors import UserError
from kdlib.models.folders import POCKET_TEACHER, load_tokenizer

pytestmark = pytest.mark.door("separators")

NAMES = [
    *("<unk>", "<s>", "</s>", "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|eot_id|>"),
    *("<|end_of_text|>", "<bos>", "a", "b", "ab", "hello", "\u010a"),
]


def tokenizer(eos, *, names=NAMES, front=(), **more):
    vocabulary = {name: number for number, name in enumerate(names)}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[("a", "b")]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.add_special_tokens([name for name in names if name.startswith("<")])
    if front:
        backend.post_processor = processors.TemplateProcessing(
            single=" ".join([*front, "$A"]), special_tokens=[(f, vocabulary[f]) for f in set(front)]
        )
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token=eos, **more)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"eos": "</s>"}, "</s>"),
        ({"eos": "</s>", "front": ["<s>"], "bos_token": "<s>"}, "<s>"),
        ({"eos": "<|eot_id|>", "front": ["<bos>"]}, "<bos>"),
        ({"eos": "</s>", "bos_token": "<s>"}, "</s>"),  # which it has, but does not put there
        ({"eos": "<|im_end|>", "bos_token": "<|im_start|>"}, "<|endoftext|>"),
        (
            {"eos": "<|eot_id|>", "names": [n for n in NAMES if n != "<|endoftext|>"]},
            "<|end_of_text|>",
        ),
        ({"eos": "<|im_end|>", "names": [n for n in NAMES if "of" not in n]}, "<|im_end|>"),
        ({"eos": "<|endoftext|>"}, "<|endoftext|>"),
        ({"eos": "<|end_of_text|>"}, "<|end_of_text|>"),
        ({"eos": "</s>", "chat_template": "{{ m }}</s>"}, "<|endoftext|>"),
        ({"eos": "</s>", "chat_template": "{{ m }}<|im_end|>"}, "</s>"),
        ({"eos": "</s>", "front": ["<s>", "<bos>"]}, "</s>"),
        ({"eos": None, "front": ["<bos>"]}, "<bos>"),
    ],
)
def test_auto_is_what_stood_there_in_pretraining(asked, expected):
    names = asked.get("names", NAMES)
    assert separator_id(tokenizer(**asked)) == names.index(expected)


@pytest.mark.parametrize("text", ["<|im_start|>", "hello", "ab", "\n", "\u010a"])
def test_any_single_token_can_be_asked_for(text):
    name = "\u010a" if text == "\n" else text
    assert separator_id(tokenizer("</s>"), text) == NAMES.index(name)


@pytest.mark.parametrize("text", ["ba", "<|nothing|>", "abab", ""])
def test_what_is_no_single_token_is_refused_by_name(text):
    with pytest.raises(UserError, match=r"data\.separator: '.*' is \d+ tokens .*'</s>'"):
        separator_id(tokenizer("</s>"), text)


def test_without_any_there_is_none():
    with pytest.raises(UserError, match="data.separator.* no end-of-text token"):
        separator_id(tokenizer(None))


def test_for_the_embedded_teacher_it_is_the_end_of_text():
    embedded = load_tokenizer(POCKET_TEACHER)
    assert separator_id(embedded) == embedded.eos_token_id == 0
