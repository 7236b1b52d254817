"""Formats: what a file is that is not plain text, told by its contents and not only by its name.

A table or a page of HTML can be read as text, tags, quotes and all, and a student would learn to
write them. Text about such things, Markdown with a tag in it or a passage that begins with a brace,
is text.
"""

from __future__ import annotations

import csv
import json
import re
from itertools import islice
from typing import NamedTuple

from kdlib.data.unfinished_json import is_unfinished_json


class Format(NamedTuple):
    """What a file is, and what to do with it.

    Attributes:
        name: with its article.
        advice: how its text can be had.
    """

    name: str
    advice: str


def _packed(name: str, command: str) -> Format:
    return Format(f"compressed ({name})", f"unpack it first, for example with `{command}`")


_CONVERT = "convert it to plain text first"
_RECORDS = "write the text of its records to a plain text file, or to one .txt file each"
_MARKUP = Format("HTML", "take the text out of its tags first, for example with pandoc -t plain")
_XML = Format("XML", "take the text out of its tags first")
_PICTURE = Format("a picture", "give the text itself")
_TABLE = Format("a table (CSV or TSV)", _RECORDS)
_NOTEBOOK = Format("a Jupyter notebook", "convert it first: jupyter nbconvert --to markdown")
_RTF = Format("rich text (RTF)", _CONVERT)
_PDF = Format("a PDF", "take its text out first, for example with pdftotext")
_JSON = Format("JSON", _RECORDS)
_JSONL = Format("JSON Lines, a record in each line,", _RECORDS)
_PARQUET = Format("a Parquet table", _RECORDS)
_TAR = Format("a tar archive", "unpack it first and give the folder")
_ZIP = Format("a zip archive", "unpack it first and give the folder")
_WORD = Format("an office document", "save it as plain text (UTF-8) first")
_EBOOK = Format("an e-book (EPUB)", "convert it to plain text first, for example with pandoc")
_SAFETENSORS = Format("a file of tensors", "give a text")

_MAGIC = {
    b"\x1f\x8b": _packed("gzip", "gunzip"),
    b"\x1f\x9d": _packed("compress", "uncompress"),
    b"\x28\xb5\x2f\xfd": _packed("zstd", "unzstd"),
    b"BZh": _packed("bzip2", "bunzip2"),
    b"\xfd7zXZ\0": _packed("xz", "unxz"),
    b"]\0\0": _packed("lzma", "unlzma"),
    b"\x04\x22\x4d\x18": _packed("lz4", "unlz4"),
    b"LZIP": _packed("lzip", "lzip -d"),
    b"7z\xbc\xaf\x27\x1c": _packed("7-Zip", "7z x"),
    b"Rar!\x1a\x07": _packed("RAR", "unrar x"),
    b"%PDF-": _PDF,
    b"%!PS-Adobe": Format("PostScript", "take its text out first, for example with ps2ascii"),
    b"{\\rtf": _RTF,
    b"PAR1": _PARQUET,
    b"ARROW1": Format("an Arrow table", _RECORDS),
    b"ORC": Format("an ORC table", _RECORDS),
    b"Obj\x01": Format("an Avro table", _RECORDS),
    b"SQLite format 3\0": Format("an SQLite database", _RECORDS),
    b"\x89HDF\r\n\x1a\n": Format("an HDF5 file", _RECORDS),
    b"\x93NUMPY": Format("a NumPy array", _RECORDS),
    b"GGUF": Format("a model (GGUF)", "give a text"),
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": _WORD,
    b"\x89PNG\r\n": _PICTURE,
    b"\xff\xd8\xff": _PICTURE,
    b"GIF8": _PICTURE,
    b"II*\0": _PICTURE,
    b"MM\0*": _PICTURE,
    b"\x7fELF": Format("a program", "give a text"),
}
_ZIPS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")

# Where the contents do not tell: an empty page, a table of one column, a damaged record.
_SUFFIXES = {
    **dict.fromkeys((".json", ".geojson"), _JSON),
    **dict.fromkeys((".jsonl", ".ndjson"), _JSONL),
    **dict.fromkeys((".csv", ".tsv"), _TABLE),
    **dict.fromkeys((".html", ".htm", ".xhtml"), _MARKUP),
    ".xml": _XML,
    ".ipynb": _NOTEBOOK,
    ".rtf": _RTF,
    ".pdf": _PDF,
    ".parquet": _PARQUET,
    **dict.fromkeys((".docx", ".doc", ".odt", ".pptx", ".xlsx"), _WORD),
    ".epub": _EBOOK,
}


def binary_format(data: bytes) -> Format | None:
    """The format of a file that no text editor can show, by its first bytes.

    Args:
        data: the file's contents.

    Returns:
        The format; None if it is none of those known here.
    """
    if data.startswith(_ZIPS):
        return _zipped(data)
    if data[257:262] == b"ustar":
        return _TAR
    if data[8:10] == b'{"' and int.from_bytes(data[:8], "little") <= len(data):
        return _SAFETENSORS
    return next((found for magic, found in _MAGIC.items() if _begins(data, magic)), None)


def _begins(data: bytes, magic: bytes) -> bool:
    """Whether a file has these first bytes, and is not a text that begins with these letters."""
    if not data.startswith(magic):
        return False
    written_in_letters = magic in (b"BZh", b"ORC", b"PAR1", b"LZIP", b"GIF8", b"GGUF", b"ARROW1")
    return not written_in_letters or any(byte < 9 or byte > 126 for byte in data[:64])


def _zipped(data: bytes) -> Format:
    """What a zip archive is: office programs and e-books keep their documents in one."""
    if b"application/epub+zip" in data[:200]:
        return _EBOOK
    names = (b"word/", b"xl/", b"ppt/", b"[Content_Types].xml")
    if b"opendocument" in data[:200] or any(name in data for name in names):
        return _WORD
    return _ZIP


def text_format(text: str, suffix: str) -> Format | None:
    """The format of a text that is not prose but records, a page with tags or a notebook.

    Args:
        text: the file's text, without a byte order mark.
        suffix: of the file's name, with its dot; asked where the contents do not tell.

    Returns:
        The format; None for plain text.
    """
    start = text[:4096].lstrip()
    if start.startswith(("{\\rtf", "%PDF-")):
        return _RTF if start[0] == "{" else _PDF
    found = None
    if start.startswith("<"):
        found = _marked_up(text, start)
    elif start.startswith(("{", "[")):
        found = _json(text)
    if found is None and _is_table(text):
        found = _TABLE
    return found or _SUFFIXES.get(suffix.lower())


def large_text_format(beginning: str, end: str, suffix: str) -> Format | None:
    """The format of a text that is too large to be looked at as a whole.

    Args:
        beginning: its first characters, a million or more.
        end: its last ones.
        suffix: of the file's name, with its dot.

    Returns:
        As `text_format`.
    """
    if is_unfinished_json(beginning):
        return _JSON
    return text_format(f"{beginning}\n{end}", suffix)


# --- HTML and XML -------------------------------------------------------------------------------

_PREAMBLE = r"(?:\s|<\?xml.*?\?>|<!--.*?-->)*"
_HTML = re.compile(
    _PREAMBLE + r"<(?:!doctype\s+html|html|head|body|title|meta|link|style|base)\b",
    re.IGNORECASE | re.DOTALL,
)
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_ROOT = re.compile(r"<([A-Za-z_][\w:.-]*)[^<>]*>")
# With these, Markdown begins and ends too.
_IN_MARKDOWN = set(
    "a abbr b blockquote br center code dd del details div dl em figure font h1 h2 h3 h4 h5 h6 hr i"
    " img ins kbd li ol p picture pre s samp section small span strong sub summary sup table td u"
    " ul".split()
)


def _marked_up(text: str, start: str) -> Format | None:
    """HTML or XML: it begins with a tag, ends with one, and has more of them in between."""
    end = text[-4096:].rstrip()
    html = _HTML.match(start) is not None
    # A page whose download was cut off has no end, but tags all over it.
    if html and (end.endswith(">") or len(_TAG.findall(text[:65536])) > 20):
        return _MARKUP
    if not end.endswith(">"):
        return None
    if start.startswith(("<?xml", "<!DOCTYPE")):
        return _XML
    root = _ROOT.match(start)
    if root is None or root[1].lower() in _IN_MARKDOWN:
        return None
    return _XML if end.endswith(f"</{root[1]}>") else None


# --- JSON ---------------------------------------------------------------------------------------

_ENOUGH_RECORDS = 50


def _json(text: str) -> Format | None:
    """JSON, JSON Lines or a notebook: it parses, or nearly all of its lines do."""
    first, ends = _first_value(text)
    if ends and _is_record(first):
        return _NOTEBOOK if isinstance(first, dict) and "nbformat" in first else _JSON
    sample = text[: 2**20].splitlines()
    if len(text) > 2**20:
        sample.pop()
    lines = list(islice((line for line in sample if line.strip()), _ENOUGH_RECORDS))
    records = sum(_is_record(_first_value(line)[0]) for line in lines)
    many = len(lines) > 1 and records >= 0.9 * len(lines)
    return _JSONL if many or _is_stream(text) else None


def _first_value(text: str) -> tuple[object, bool]:
    """The value that a text begins with, None if it is not JSON, and whether it ends with it."""
    stripped = text.strip()
    try:
        value, end = json.JSONDecoder().raw_decode(stripped)
    except (ValueError, RecursionError):
        return None, False
    return value, end == len(stripped)


def _is_record(value: object) -> bool:
    """Whether it is an object, or a list that holds more than numbers: "[1]" stands in texts."""
    return isinstance(value, dict) or (
        isinstance(value, list) and any(isinstance(each, (dict, str, list)) for each in value)
    )


def _is_stream(text: str) -> bool:
    """Whether objects follow one another to the end, each over several lines."""
    decode, place, found = json.JSONDecoder().raw_decode, 0, 0
    gap = re.compile(r"[\s,\x1e]*")
    while found < _ENOUGH_RECORDS:
        place = gap.match(text, place).end()  # type: ignore[union-attr]
        if place == len(text):
            return found > 1
        try:
            value, place = decode(text, place)
        except (ValueError, RecursionError):
            return False
        if not isinstance(value, dict):
            return False
        found += 1
    return True


# --- Tables -------------------------------------------------------------------------------------

_ROWS = 50
_FEWEST_ROWS = 4
_TOKEN = re.compile(r"<\|[^|\s]*\|>")  # <|endoftext|>, as it ends the lines of many corpora


def _is_table(text: str) -> bool:
    """Whether every line has the same number of cells, which do not begin with a space.

    Prose has a space after each comma, and no two sentences in a row of one number of clauses.
    """
    sample = text[:65536]
    lines = _TOKEN.sub("", sample).splitlines()
    if len(text) > len(sample):
        lines = lines[:-1]
    lines = [line for line in lines if line.strip()][:_ROWS]
    return any(_is_separated(lines, mark) for mark in "\t,;|")


def _is_separated(lines: list[str], mark: str) -> bool:
    """Whether this mark separates the cells of a table."""
    if len(lines) < _FEWEST_ROWS or mark not in lines[0]:
        return False
    try:
        rows = list(csv.reader(lines, delimiter=mark, skipinitialspace=False))
    except csv.Error:
        return False
    rows = rows[: max(_FEWEST_ROWS, len(rows) - 1)]  # the last may be cut off in a quoted cell
    widths, header = {len(row) for row in rows}, rows[0]
    if len(widths) > 1 or len(rows) < _FEWEST_ROWS or not all(cell.strip() for cell in header):
        return False
    cells = [cell for row in rows for cell in row[1:] if cell]
    spaced = sum(cell[0] == " " for cell in cells)
    return len(header) > 1 and spaced <= 0.1 * len(cells)
