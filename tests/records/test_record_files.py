"""Files of records: every format and shape read, every broken one refused in one line."""

import csv
import gzip
import json

import pytest

from kdlib.errors import UserError
from kdlib.records.reading import open_questions, open_records
from kdlib.records.record import ASSISTANT, USER, Record, Turn
from kdlib.records.stdlib import STDLIB

pytestmark = pytest.mark.door("files of records")

CHAT = [
    {"messages": [{"role": "user", "content": q}, {"role": "assistant", "content": a}]}
    for q, a in [("Who?", "They, “naïve”."), ("How many?", "042"), ("日本?", "Yes, so.")]
]
SHAPES = {
    "messages": CHAT,
    "prompt, completion": [
        {"prompt": m["messages"][0]["content"], "completion": m["messages"][1]["content"]}
        for m in CHAT
    ],
    "prompt, completion as messages": [
        {"prompt": m["messages"][:1], "completion": m["messages"][1:]} for m in CHAT
    ],
    "instruction, output": [
        {"instruction": m["messages"][0]["content"], "output": m["messages"][1]["content"]}
        for m in CHAT
    ],
}
EXPECTED = [tuple(Turn(m["role"], m["content"]) for m in each["messages"]) for each in CHAT]


def as_jsonl(rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def as_json(rows):
    return json.dumps(rows).encode()


def as_csv(rows, delimiter=","):
    from io import StringIO

    text = StringIO()
    writer = csv.DictWriter(text, rows[0].keys(), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def as_parquet(rows):
    import io

    import pyarrow
    from pyarrow import parquet

    file = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(rows), file)
    return file.getvalue()


FORMATS = {
    ".jsonl": as_jsonl,
    ".ndjson": as_jsonl,
    ".json": as_json,
    ".parquet": as_parquet,
    ".csv": as_csv,
    ".tsv": lambda rows: as_csv(rows, "\t"),
}
FLAT = ("prompt, completion", "instruction, output")  # tables hold no lists


@pytest.mark.parametrize("packed", ["", ".gz"])
@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_format_and_shape_gives_the_same_records(shape, suffix, packed, tmp_path):
    if suffix in (".csv", ".tsv") and shape not in FLAT:
        pytest.skip("a table holds no lists")
    if suffix == ".parquet" and packed:
        pytest.skip("a Parquet table is packed by itself")
    data = FORMATS[suffix](SHAPES[shape])
    path = tmp_path / f"records{suffix}{packed}"
    path.write_bytes(gzip.compress(data) if packed else data)
    found = open_records(str(path))
    assert [each.turns for each in found.documents] == EXPECTED
    assert not found.left_out
    assert found.documents[0].name == f"{path.name}:1"


def test_an_input_is_a_paragraph_of_its_own(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(
        as_jsonl(
            [
                {"instruction": "Add.", "input": "1 and 2", "output": "3"},
                {"instruction": "Greet.", "input": "", "output": "Hello"},
            ]
        )
    )
    first, second = open_records(str(path)).documents
    assert first.turns[0].content == "Add.\n\n1 and 2" and second.turns[0].content == "Greet."


def test_a_column_of_texts_gives_documents(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(as_jsonl([{"text": "one"}, {"text": "two"}, {"text": " "}]))
    found = open_records(str(path))
    assert [each.text for each in found.documents] == ["one", "two"]
    assert not any(isinstance(each, Record) for each in found.documents)
    assert found.left_out == {"no text": 1}


def test_parts_that_are_texts_are_one_text(tmp_path):
    path = tmp_path / "a.jsonl"
    parts = [{"type": "text", "text": "Who "}, {"type": "text", "text": "is it?"}]
    row = {"messages": [{"role": "user", "content": parts}, {"role": "assistant", "content": "I."}]}
    path.write_bytes(as_jsonl([row]))
    assert open_records(str(path)).documents[0].turns[0].content == "Who is it?"


def chat(*turns):
    return {"messages": [{"role": role, "content": content} for role, content in turns]}


UNUSABLE = {
    "no answer": chat(("user", "Who?")),
    "an empty answer": chat(("user", "Who?"), ("assistant", " \n")),
    "no user's turn before the first answer": chat(("system", "Be."), ("assistant", "I am.")),
    "an empty user's turn": chat(("user", ""), ("assistant", "I am.")),
    "a turn of the role 'tool'": chat(("user", "Who?"), ("tool", "x"), ("assistant", "I.")),
    "a turn of the role None": chat((None, "Who?"), ("assistant", "I.")),
}


@pytest.mark.parametrize("reason", UNUSABLE)
def test_a_record_of_which_nothing_can_be_learned_is_counted_and_left_out(reason, tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(as_jsonl([CHAT[0], UNUSABLE[reason], CHAT[1], CHAT[0]]))
    found = open_records(str(path))
    assert [each.turns for each in found.documents] == EXPECTED[:2]
    assert (dict(found.left_out), found.duplicates) == ({reason: 1}, 1)


BROKEN = {
    "empty": ("a.jsonl", b"", "is empty"),
    "not JSON": ("a.jsonl", b"hello\nworld\n", "cannot be read"),
    "torn": ("a.jsonl", as_jsonl(CHAT)[:-20], "cannot be read"),
    "not UTF-8": ("a.jsonl", b'{"prompt": "\xe9", "completion": "x"}\n', "no record that can be used: 1 (not UTF-8)"),
    "a list of numbers": ("a.json", b"[1, 2, 3]", "cannot be read|no columns|3 (no text)"),
    "unknown columns": ("a.jsonl", as_jsonl([{"question": "q", "reply": "a"}]), "found: question, reply; known, one of these: messages; prompt, completion"),
    "two shapes": ("a.jsonl", as_jsonl([CHAT[0] | {"text": "x"}]), "more than one shape"),
    "a prompt alone": ("a.jsonl", as_jsonl([{"prompt": "q"}]), "found: prompt; known"),
    "text by its name": ("a.txt", b"hello", "no file of records by its name; known: .jsonl"),
    "no ending": ("records", as_jsonl(CHAT), "no file of records by its name"),
    "gzip that is none": ("a.jsonl.gz", as_jsonl(CHAT), "cannot be read"),
    "gzip that is torn": ("a.jsonl.gz", gzip.compress(as_jsonl(CHAT))[:-9], "cannot be read"),
    "parquet that is none": ("a.parquet", b"PAR1 no", "cannot be read"),
    "a table of one column": ("a.csv", b"prompt\nwho\n", "found: prompt; known"),
    "a table with a torn quote": ("a.csv", b'prompt,completion\n"who,they\nx\n', "cannot be read|no record"),
    "no usable record": ("a.jsonl", as_jsonl([UNUSABLE["no answer"]] * 2), "no record that can be used: 2 (no answer)"),
    "messages that are text": ("a.jsonl", as_jsonl([{"messages": "hello"}]), "no list of role and content"),
    "content that is a number": ("a.jsonl", as_jsonl([{"prompt": 3, "completion": 4}]), "content that is int, not text"),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_file_is_refused_in_one_line(what, tmp_path):
    name, data, why = BROKEN[what]
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(UserError) as refused:
        open_records(str(path))
    message = str(refused.value)
    assert message.startswith("data.records: ") and "\n" not in message
    assert any(each in message for each in why.split("|")), message


def test_a_line_that_is_not_utf8_is_counted_and_left_out(tmp_path):
    path = tmp_path / "a.jsonl"
    rows = SHAPES["prompt, completion"]
    path.write_bytes(as_jsonl(rows) + b'{"prompt": "\xe9", "completion": "x"}\n')
    found = open_records(str(path))
    assert [each.turns for each in found.documents] == EXPECTED
    assert found.left_out == {"not UTF-8": 1}


@pytest.mark.parametrize("name", ["no/such/file.jsonl", "nowhere.jsonl", "~/none.parquet"])
def test_a_file_that_is_not_there_is_refused(name):
    with pytest.raises(UserError, match=r"data.records: there is no file"):
        open_records(name)


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(UserError, match="is a folder"):
        open_records(str(tmp_path))


def test_a_data_set_that_cannot_be_had_is_refused_in_one_line():
    with pytest.raises(UserError, match="data.records: nobody/nothing cannot be read"):
        open_records("nobody/nothing")


def test_without_the_library_its_extra_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'kdlib\[records\]'"):
        open_records("a.jsonl")


def test_questions_need_no_answers(tmp_path):
    path = tmp_path / "a.jsonl"
    for row in (
        CHAT[0],
        UNUSABLE["no answer"],
        {"prompt": "Who?"},
        {"prompt": "Who?", "completion": "x"},
    ):
        path.write_bytes(as_jsonl([row]))
        (record,), left_out = open_questions(str(path))
        assert record.turns == (Turn(USER, "Who?"),) and not left_out
    path.write_bytes(as_jsonl([chat(("system", "Be.")), CHAT[0]]))
    assert open_questions(str(path))[1] == {"no user's turn at the end": 1}


def test_the_standard_library_answers_for_itself():
    records = {each.name: each for each in open_records(STDLIB).documents}
    dedent = records["textwrap.dedent"]
    assert [turn.role for turn in dedent.turns] == [USER, ASSISTANT] * 2
    assert dedent.answers[0].content == "dedent(text)"
    assert "whitespace" in dedent.reference
    assert len(records) > 1000 and not any(" at 0x" in each.text for each in records.values())
