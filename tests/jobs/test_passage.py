"""The passage that all models read: the right tokens, and what each model thought of them."""

import dataclasses

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from kdlib.data.blocks import make_blocks
from kdlib.data.document import Document
from kdlib.jobs.passage import PASSAGE_TOKENS, read_passage
from kdlib.jobs.scoring import Exam
from kdlib.models.folders import POCKET_TEACHER, load_tokenizer
from kdlib.models.from_scratch import ModelSize, new_model

SENTENCE = "The cotton boll-weevil has overspread Texas; it costs $3,000,000 a year.\n\n"


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer(POCKET_TEACHER)


@pytest.fixture(scope="module")
def loaded(tokenizer):
    return {
        name: new_model(ModelSize(16, 1, 2), len(tokenizer), 128, seed=seed)
        for seed, name in enumerate(("teacher", "student"))
    }


def exam_of(documents, tokenizer, length=100):
    blocks = make_blocks(documents, tokenizer.backend_tokenizer, length, tokenizer.eos_token_id)
    return Exam(documents, blocks, blocks)


def read(loaded, exam, tokenizer):
    return read_passage(loaded, exam, tokenizer, Accelerator(cpu=True))


@pytest.fixture(scope="module")
def long(tokenizer):
    """Two documents, of which the second holds the middle."""
    return exam_of([Document("short", SENTENCE * 8), Document("long", SENTENCE * 30)], tokenizer)


def test_it_is_a_stretch_of_its_document(loaded, long, tokenizer):
    passage = read(loaded, long, tokenizer)
    text = "".join(passage["tokens"])
    assert passage["document"] == "long" and text in SENTENCE * 30
    assert len(passage["tokens"]) == PASSAGE_TOKENS
    for name in loaded:
        assert {len(part) for part in passage[name].values()} == {PASSAGE_TOKENS}


def test_each_model_is_read_as_by_hand(loaded, long, tokenizer):
    passage = read(loaded, long, tokenizer)
    for name, model in loaded.items():
        row = next(
            ids for ids in long.blocks.ids
            if tokenizer.decode(ids[-PASSAGE_TOKENS:]) == "".join(passage["tokens"])
        )  # fmt: skip
        logits = model.eval()(input_ids=row[None]).logits[0].detach().double().numpy()
        for place in (0, 31, PASSAGE_TOKENS - 1):
            at = len(row) - PASSAGE_TOKENS + place
            p = np.exp(logits[at - 1] - logits[at - 1].max())
            p /= p.sum()
            best = np.argsort(-p)[:5]
            assert passage[name]["nll"][place] == pytest.approx(-np.log(p[row[at]]), abs=6e-4)
            assert passage[name]["probability"][place] == pytest.approx(p[best], abs=6e-4)
            spelt = [tokenizer.decode([token]) for token in best.tolist()]
            assert passage[name]["top5"][place] == spelt


def test_of_a_record_the_answers_alone_count(loaded, long, tokenizer):
    assert "counted" not in read(loaded, long, tokenizer)
    blocks = long.blocks
    answer = torch.zeros_like(blocks.ids, dtype=torch.int32)
    answer[:, -7:-2] = 1
    records = dataclasses.replace(blocks, answer=answer)
    passage = read(loaded, Exam(long.documents, records, records), tokenizer)
    assert passage["counted"] == [0] * (PASSAGE_TOKENS - 7) + [1] * 5 + [0] * 2


def test_numbers_have_three_digits(loaded, long, tokenizer):
    for value in read(loaded, long, tokenizer)["student"]["nll"]:
        assert value == round(value, 3)


def test_a_block_of_two_documents_and_a_padded_one_are_not_chosen(loaded, tokenizer):
    documents = [Document(str(number), SENTENCE * 5) for number in range(4)]
    exam = exam_of(documents, tokenizer, length=30)
    passage = read(loaded, exam, tokenizer)
    assert "<|endoftext|>" not in "".join(passage["tokens"])
    assert len(passage["tokens"]) == 30, "a whole block, where blocks are short"


def test_of_a_text_without_such_a_block_the_middle_one_is_read(loaded, tokenizer):
    documents = [Document(str(number), "A word.") for number in range(12)]
    exam = exam_of(documents, tokenizer, length=16)
    tokens = read(loaded, exam, tokenizer)["tokens"]
    ids = exam.blocks.ids[len(exam.blocks) // 2]
    assert "".join(tokens) == tokenizer.decode(ids[1:])


def test_a_decoder_that_drops_the_first_space_loses_none(loaded):
    """As of tokenizers made by sentencepiece."""
    words = ["<unk>", "<end>", "▁a", "▁the", "▁cat", "s", "▁sat"]
    core = Tokenizer(models.WordLevel({word: n for n, word in enumerate(words)}, "<unk>"))
    core.pre_tokenizer, core.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, unk_token="<unk>", eos_token="<end>")
    assert tokenizer.decode([3]) == "the"
    tiny = {"teacher": new_model(ModelSize(16, 1, 2), len(words), 16, seed=0)}
    passage = read(tiny, exam_of([Document("d", "the cat sat " * 8)], tokenizer, 6), tokenizer)
    assert passage["tokens"] == [" the", " cat", " sat"] * 2
    assert set(sum(passage["teacher"]["top5"], [])) <= {
        "<unk>", "<end>", " a", " the", " cat", "s", " sat",
    }  # fmt: skip


def test_no_model_is_left_in_training_mode(loaded, long, tokenizer):
    loaded["student"].train()
    read(loaded, long, tokenizer)
    assert not loaded["student"].training and torch.is_grad_enabled()
