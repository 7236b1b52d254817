"""Another engine's file: read rightly, or refused in one line that names the line."""

import contextlib
import copy
import gzip
import json
import random
import re

import pytest
import torch
from cache_cases import MORE, POSITIONS, TEXT, VOCABULARY, K, make_blocks
from scored_cases import TEACHER, answers, entry, scored, write

from kdlib.errors import UserError
from kdlib.teachers.cache_from_logprobs import open_scored_file
from kdlib.teachers.prompt_logprobs import Form, Line, read_line

FORM = Form(POSITIONS + 1, VOCABULARY, K)
GOOD = answers()


def read(answer, form=FORM):
    return read_line(Line("f, line 1", 0, json.dumps(answer).encode() + b"\n"), form)


def test_the_k_likeliest_are_read_whatever_the_order_and_the_rank_of_the_text(made_row):
    ids, log_p, row = made_row
    (text,) = read(GOOD[2])
    assert text.text.tolist() == TEXT.ids[2].tolist()
    assert text.ids.tolist() == ids and text.log_p.tolist() == log_p
    assert torch.allclose(text.left_out, 1 - row.exp().topk(K).values.sum(-1).double(), atol=1e-6)


@pytest.fixture
def made_row():
    with torch.no_grad():
        row = TEACHER(input_ids=TEXT.ids[2:3]).logits[0, :-1].log_softmax(-1)
    ids = row.argsort(-1, descending=True)[:, :K]
    return ids.tolist(), row.gather(-1, ids).tolist(), row


def test_offline_output_a_server_s_choices_and_answers_with_empty_keys_are_the_same():
    one = scored(TEXT.ids[0])
    shapes = [one, {"choices": [one]}, {"prompt_logprobs": None, "choices": [one]}]
    first, *others = [read(shape)[0] for shape in shapes]
    for other in others:
        assert all(torch.equal(a, b) for a, b in zip(first, other))


def test_a_server_s_minus_infinity_is_nothing(tmp_path):
    """vLLM's server writes -9999 for it, Python -Infinity."""
    for nothing in (-9999.0, float("-inf")):
        line = copy.deepcopy(GOOD[0])
        position = line["choices"][0]["prompt_logprobs"][3]
        position.clear()
        for token in range(K):
            position |= entry(token, 0.0 if token == 0 else nothing, token + 1)
        (text,) = read(line)
        assert text.left_out[2] == 0 and text.ids[2, 0] == 0
        assert text.log_p[2].exp().tolist() == [1.0] + [0.0] * (K - 1)


def test_of_two_equally_likely_tokens_the_engine_s_rank_decides():
    line = copy.deepcopy(GOOD[0])
    position = line["choices"][0]["prompt_logprobs"][1]
    position.clear()
    position |= entry(40, -3.0, K + 1)  # stands there; as likely as the last of the k
    for rank in range(1, K + 1):
        position |= entry(rank, -3.0, rank)
    assert sorted(read(line)[0].ids[0].tolist()) == list(range(1, K + 1))


# --- What is refused ----------------------------------------------------------------------------


def choice(line):
    return line["choices"][0]


def positions(line):
    return choice(line)["prompt_logprobs"]


def some_entry(line):
    return next(iter(positions(line)[4].values()))


def few(line):
    choice(line)["prompt_logprobs"] = scored(TEXT.ids[1], k=K - 2)["prompt_logprobs"]


def heavy(line):
    positions(line)[4] = {k: v | {"logprob": -0.2} for k, v in positions(line)[4].items()}


def renamed(line, name):
    first = next(iter(positions(line)[4]))
    positions(line)[4][name] = positions(line)[4].pop(first)


CHANGES = {
    "no prompt_logprobs": (lambda a: choice(a).pop("prompt_logprobs"), 'asks for it with "prompt_logprobs": K'),
    "null prompt_logprobs": (lambda a: choice(a).update(prompt_logprobs=None), "it has no list of prompt_logprobs"),
    "no tokens": (lambda a: choice(a).pop("prompt_token_ids"), '"return_token_ids": true'),
    "no choices": (lambda a: a.pop("choices"), "it has no prompt_logprobs; ask for them"),
    "an error's answer": (lambda a: (a.clear(), a.update(error={"code": 400})), "it has no prompt_logprobs"),
    "choices of text": (lambda a: a.update(choices=["x"]), "a choice in it is no object"),
    "k too small": (few, "has the 4 likeliest tokens, and targets.k is 6"),
    "a positive value": (lambda a: some_entry(a).update(logprob=0.5), "has the logprob 0.5; none is above 0"),
    "NaN": (lambda a: some_entry(a).update(logprob=float("nan")), "has the logprob nan; none is above 0"),
    "a word as value": (lambda a: some_entry(a).update(logprob="-1"), "has no number as its logprob"),
    "an endless number": (lambda a: some_entry(a).update(logprob=10**400), "none is above 0"),
    "nothing": (lambda a: positions(a)[4].clear(), "token 5: it has the 0 likeliest tokens"),
    "a truth value": (lambda a: some_entry(a).update(logprob=False), "has no number as its logprob"),
    "no value": (lambda a: some_entry(a).pop("logprob"), "has no number as its logprob"),
    "mass above 1": (heavy, "add up to .*, which is more than 1"),
    "a token beyond": (lambda a: renamed(a, str(VOCABULARY)), "token 50 is outside the teacher's vocabulary of 50"),
    "a token by its text": (lambda a: renamed(a, "hello"), "'hello' is no token's number"),
    "a token written oddly": (lambda a: renamed(a, "07"), "'07' is no token's number"),
    "a text's token beyond": (lambda a: choice(a)["prompt_token_ids"].__setitem__(2, -1), "token -1 is outside"),
    "a text as words": (lambda a: choice(a)["prompt_token_ids"].__setitem__(2, "a"), "'a' is no token's number"),
    "too few positions": (lambda a: positions(a).pop(), "it has 12 positions for 13 tokens"),
    "a beginning token added": (lambda a: (choice(a)["prompt_token_ids"].insert(0, 1), positions(a).insert(0, None)), "it has 14 tokens, and a block here has 13"),
    "the first is not null": (lambda a: positions(a).__setitem__(0, positions(a)[1]), "null for the first"),
    "another is null": (lambda a: positions(a).__setitem__(5, None), "token 6: it is no map"),
}  # fmt: skip


@pytest.mark.door("another engine's log-probabilities")
@pytest.mark.parametrize("change", CHANGES)
def test_a_broken_line_is_refused_by_its_number(tmp_path, change):
    spoil, message = CHANGES[change]
    lines = copy.deepcopy(GOOD)
    spoil(lines[1])
    refused = refusal(write(tmp_path / "f.jsonl", lines))
    assert f"{tmp_path / 'f.jsonl'}, line 2" in refused
    assert re.search(message, refused), refused
    assert len(refused) < 400


def refusal(path, text=TEXT, k=K):
    with pytest.raises(UserError) as refused:
        open_scored_file(path, text, k, VOCABULARY)
    assert "\n" not in str(refused.value) and str(refused.value).startswith("from_logprobs: ")
    return str(refused.value)


@pytest.mark.door("another engine's log-probabilities")
def test_files_that_are_no_such_file(tmp_path, inputs_tried):
    good = write(tmp_path / "good.jsonl", GOOD).read_bytes()
    files = {
        "gzip": (gzip.compress(good), "packed with gzip; unpack it first: gunzip"),
        "truncated": (good[:-40], f"line {len(GOOD)}: it is cut short, and so no JSON"),
        "not JSON": (b"hello\n" + good, "line 1: it is no JSON"),
        "a list": (b"[]\n" + good, "line 1: it is not an object"),
        "bytes": (bytes(range(128, 256)) + b"\n", "line 1: it is no JSON"),
        "deep": (b"[" * 100_000 + b"\n", "line 1: it is no JSON"),
        "empty": (b"", f"lacks {len(TEXT)} of the {len(TEXT)} blocks of this text, the first of them block 1;"),
        "a text twice": (good + good.splitlines(True)[4], "line 24: its tokens are those of line 5, too"),
        "cut between lines": (b"".join(good.splitlines(True)[:9]), "lacks 14 of the 23 blocks of this text, the first of them block 10;"),
    }  # fmt: skip
    for name, (content, message) in files.items():
        path = tmp_path / f"{name}.jsonl"
        path.write_bytes(content)
        assert message in refusal(path), name
    assert "cannot be read: No such file" in refusal(tmp_path / "missing")
    assert "cannot be read: Is a directory" in refusal(tmp_path)
    inputs_tried(len(files) + 2)


def test_another_text_s_file_is_told_from_an_unfinished_one(tmp_path):
    refused = refusal(write(tmp_path / "f.jsonl", answers(MORE)))
    assert "lacks 23 of the 23 blocks" in refused and "23 of its 23 texts are of another" in refused


def test_empty_lines_and_other_texts_beside_the_wanted_ones_do_no_harm(tmp_path):
    lines = answers(make_blocks(seed=9, number=3)) + GOOD
    path = write(tmp_path / "f.jsonl", lines)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\n\n"))
    found = open_scored_file(path, TEXT, K, VOCABULARY)
    assert found.others == 3 and len(found.places) == len(TEXT)


def test_fewer_tokens_than_the_file_has_can_be_kept(tmp_path):
    path = write(tmp_path / "f.jsonl", GOOD)
    few, all_of_them = (open_scored_file(path, TEXT, k, VOCABULARY).left_out for k in (2, K))
    assert few.mass > all_of_them.mass > 0
    assert few.worst_mass >= few.mass
    assert "has the 6 likeliest tokens, and targets.k is 7; ask" in refusal(path, k=7)


@pytest.mark.door("another engine's log-probabilities")
def test_no_damage_to_a_line_is_a_traceback(inputs_tried):
    """Bytes flipped, cut out and doubled: a UserError, or a line that is still good."""
    choose = random.Random(5)
    good = json.dumps(GOOD[3]).encode()
    tried = 400
    for _ in range(tried):
        line, place = bytearray(good), choose.randrange(len(good))
        how = choose.randrange(4)
        if how == 0:
            line[place] = choose.randrange(256)
        elif how == 1:
            del line[place : place + choose.randrange(1, 40)]
        elif how == 2:
            line[place:place] = line[place - choose.randrange(40) : place]
        else:
            line[place : place + 1] = choose.choice(
                [b"null", b"-", b"9" * 30, b'"', b"{}", b"1e999"]
            )
        with contextlib.suppress(UserError):
            (text,) = read_line(Line("f, line 1", 0, bytes(line)), FORM)
            assert text.ids.shape == text.log_p.shape == (POSITIONS, K)
            assert (text.log_p <= 0).all() and (text.left_out >= 0).all()
    inputs_tried(tried)
