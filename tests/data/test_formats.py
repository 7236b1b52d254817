"""What is no plain text is refused by name, whatever its file is called; text about it passes."""

import bz2
import gzip
import io
import json
import lzma
import os
import tarfile
import zipfile

import pytest

from kdlib.data.text_files import EmptyFileError, read_text_file
from kdlib.errors import UserError

pytestmark = pytest.mark.door("formats of texts")

PROSE = "It was a dark night, and the rain fell; nobody saw it. " * 40
RECORDS = [{"id": n, "text": f"Line {n}, with a comma.\nAnd more."} for n in range(30)]


def zipped(**files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/"), content)
    return buffer.getvalue()


def tarred():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.txt"))
    return buffer.getvalue()


NOTEBOOK = {"cells": [{"source": PROSE}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
PAGE = f"<!DOCTYPE html>\n<html><body><p>{PROSE}</p></body></html>\n"
OTHERS = {
    "gzip": (gzip.compress(PROSE.encode()), "gunzip"),
    "bzip2": (bz2.compress(PROSE.encode()), "bunzip2"),
    "xz": (lzma.compress(PROSE.encode()), "unxz"),
    "zstd": (b"\x28\xb5\x2f\xfd\x04\x00" + bytes(range(60)), "unzstd"),
    "zip": (zipped(a_txt=PROSE), "unpack"),
    "docx": (zipped(word__document_xml=PROSE), "save it as plain text"),
    "epub": (zipped(mimetype="application/epub+zip", a=PROSE), "e-book"),
    "tar": (tarred(), "unpack"),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj", "pdftotext"),
    "parquet": (b"PAR1\x15\x04" + bytes(40), "records"),
    "rtf": (rb"{\rtf1\ansi Hello}", "plain text first"),
    "png": (b"\x89PNG\r\n\x1a\n" + bytes(40), "picture"),
    "json": (json.dumps(RECORDS).encode(), "JSON"),
    "indented json": (json.dumps(RECORDS[0], indent=2).encode(), "JSON"),
    "json with a mark": (b"\xef\xbb\xbf" + json.dumps(RECORDS).encode(), "JSON"),
    "lines of json": ("\n".join(map(json.dumps, RECORDS)).encode(), "JSON Lines"),
    "two lines": ("\n".join(map(json.dumps, RECORDS[:2])).encode(), "JSON Lines"),
    "lists": ("\n".join(json.dumps([r["text"], 1]) for r in RECORDS).encode(), "JSON Lines"),
    "one bad line": ("\n".join([*map(json.dumps, RECORDS), '{"text": "cut o']).encode(), "JSON L"),
    "a stream": ("\n".join(json.dumps(r, indent=1) for r in RECORDS).encode(), "JSON Lines"),
    "notebook": (json.dumps(NOTEBOOK).encode(), "nbconvert"),
    "csv": (
        "\r\n".join(["id,text", *(f'{n},"A line, {n}; it ends."' for n in range(9))]).encode(),
        "table",
    ),
    "semicolons": ("\n".join(["id;price", *(f"{n};{n},50" for n in range(9))]).encode(), "table"),
    "tsv": ("\n".join(["label\ttext", *(f"{n}\tIt is, so." for n in range(9))]).encode(), "table"),
    "html": (PAGE.encode(), "HTML"),
    "html after a comment": (b"<!-- saved -->\n<html lang=en>\n<p>x</p></html>", "HTML"),
    "html cut off": ((PAGE[:40] + "<p>a<b>c</b></p>" * 20 + " and").encode(), "HTML"),
    "xml": (b"<?xml version='1.0'?>\n<TEI><text>a</text></TEI>\n", "XML"),
    "xml without its line": (b'<doc id="1"><s>a &amp; b</s></doc>', "XML"),
    "many roots": (b'<doc id="1">\na & b\n</doc>\n<doc id="2">\nc\n</doc>\n', "XML"),
    "utf-16": (PROSE.encode("utf-16"), "iconv -f UTF-16 "),
    "utf-16 without mark": (PROSE.encode("utf-16-le"), "iconv -f UTF-16LE"),
    "utf-16 big": (PROSE.encode("utf-16-be"), "iconv -f UTF-16BE"),
    "utf-32": (PROSE.encode("utf-32"), "iconv -f UTF-32"),
    "latin-1": ("Ein Würfel. ".encode("latin-1") * 30, r"byte 5\).*Latin-1.*iconv"),
    "NUL": (b"text with \0 in it", "NUL"),
}


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("suffix", [".txt", ".dat"])
def test_another_format_is_refused_with_its_advice(tmp_path, name, suffix):
    content, advice = OTHERS[name]
    path = tmp_path / f"words{suffix}"
    path.write_bytes(content)
    with pytest.raises(UserError, match=advice) as refused:
        read_text_file(path)
    message = str(refused.value)
    assert message.startswith(f"text: {path} is ") and "\n" not in message
    assert not isinstance(refused.value, EmptyFileError)


TEXTS = {
    "prose": PROSE,
    "a brace": "{This is how they wrote it}, said the clerk. " + PROSE,
    "a footnote": "[1] [2] [3] See below.\n" + PROSE,
    "notes": "[1]\nA note.\n[2]\nAnother.\n",
    "about json": '{"a": 1}\n{"a": 2}\nare two records, and this is text about them.\n' + PROSE,
    "a list of one": "[sic] " + PROSE,
    "markdown with html": '<p align="center">\n<img src="a.png">\n</p>\n\n# Title\n\n' + PROSE,
    "markdown in html": "<div>\n\n# Title\n\n**bold** <br>\n\n</div>\n",
    "about html": "<!DOCTYPE html> is the first line of a page, <html> the second.\n" + PROSE,
    "about xml": "<?xml version='1.0'?> begins a file.\n" + PROSE,
    "an arrow": "<- this way. " + PROSE,
    "a table in markdown": "| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * 20,
    "commas": "Cold, wet\nWarm, dry\nHot, damp\nMild, fair\n" * 5,
    "stories that end with a token": "Once, a cat. <|endoftext|>\n" * 9,
    "verse": "\tWhen lilacs\n\tin the door\n\tbloomed\n\tand the star\n",
    "code": "int a;\nint b;\nint c;\nint d;\nint e;\n",
    "a program": "def f(a, b):\n    return {a: [b]}\n" * 10,
    "yaml": "---\ntitle: A\n---\n" + PROSE,
    "archive's letters": "BZh was here. PAR1 and ORC too. " + PROSE,
    "orc": "ORCs came, and the night fell. " + PROSE,
    "one line": "x" * 100_000,
    "emoji": "🙂" * 500,
    "cr": PROSE.replace(". ", ".\r"),
    "rtf": "RTF files begin with {\\rtf1. " + PROSE,
}


@pytest.mark.parametrize("name", TEXTS)
def test_text_about_such_things_is_text(tmp_path, name):
    path = tmp_path / "words.txt"
    path.write_bytes(TEXTS[name].encode())
    assert read_text_file(path) == TEXTS[name]


@pytest.mark.parametrize("suffix", [".json", ".csv", ".HTML", ".ipynb"])
def test_where_the_contents_do_not_tell_the_name_does(tmp_path, suffix):
    path = tmp_path / f"words{suffix}"
    path.write_text(PROSE)
    with pytest.raises(UserError, match="not plain text"):
        read_text_file(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows keeps no named pipes in folders")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.txt")
    with pytest.raises(UserError, match=r"^text: \S+pipe\.txt is a pipe or a device; "):
        read_text_file(tmp_path / "pipe.txt")


@pytest.mark.parametrize("name", ["a\0b.txt", "x" * 300 + ".txt", "nowhere.txt"])
def test_a_name_that_cannot_be_is_refused(tmp_path, name):
    with pytest.raises(UserError) as refused:
        read_text_file(tmp_path / name)
    assert str(refused.value).startswith(f"text: {tmp_path / name} ")
    assert str(refused.value).count("text: ") == 1
