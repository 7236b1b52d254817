"""Records at hand everywhere: questions about Python's standard library, answered by itself.

Two turns each: which arguments a function takes, and what it does. The answers are its signature and
the first paragraph of its documentation, so another version of Python gives other records.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from kdlib.records.record import ASSISTANT, USER, Record, Turn, new_record

STDLIB = "stdlib"
# Modules without side effects, on every platform.
MODULES = (
    "argparse", "ast", "asyncio", "base64", "bisect", "calendar", "cmath", "codecs", "collections",
    "colorsys", "concurrent.futures", "configparser", "contextlib", "copy", "csv", "dataclasses",
    "datetime", "decimal", "difflib", "dis", "email.message", "enum", "filecmp", "fileinput",
    "fnmatch", "fractions", "functools", "glob", "gzip", "hashlib", "heapq", "hmac", "html",
    "http.client", "http.cookies", "importlib.metadata", "inspect", "io", "ipaddress", "itertools",
    "json", "linecache", "locale", "logging", "lzma", "math", "mimetypes", "numbers", "operator",
    "os", "os.path", "pathlib", "pickle", "pkgutil", "platform", "plistlib", "pprint", "queue",
    "quopri", "random", "re", "reprlib", "sched", "secrets", "selectors", "shelve", "shlex",
    "shutil", "smtplib", "socket", "sqlite3", "statistics", "string", "struct", "subprocess",
    "symtable", "sys", "tarfile", "tempfile", "textwrap", "threading", "time", "timeit", "token",
    "tokenize", "trace", "traceback", "types", "typing", "unicodedata", "unittest", "urllib.parse",
    "urllib.request", "uuid", "warnings", "wave", "weakref", "xml.etree.ElementTree", "zipfile",
    "zlib",
)  # fmt: skip
SHORTEST, LONGEST = 20, 400  # characters of a paragraph that is an answer


def stdlib_records() -> list[Record]:
    """The records, in the order of the modules and of the names in each."""
    found: dict[str, Record] = {}  # of functions that say the same of themselves, the first
    for name in MODULES:
        module = importlib.import_module(name)
        for place, function in _functions(module):
            record = _record(place, function)
            if record is not None:
                found.setdefault(record.reference, record)
    return list(found.values())


def _functions(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """The public functions of a module and the methods of its classes, with their full names."""
    names = getattr(module, "__all__", None) or sorted(vars(module))
    for name in names:
        value = getattr(module, name, None)
        if name.startswith("_") or inspect.ismodule(value):
            continue
        place = f"{module.__name__}.{name}"
        if inspect.isclass(value):
            members = sorted(vars(value).items())
            yield from ((f"{place}.{own}", each) for own, each in members if own[0] != "_")
        else:
            yield place, value


def _record(place: str, function: Any) -> Record | None:
    """Its questions and answers; None where it says too little or too much of itself."""
    if not (inspect.isroutine(function) or inspect.ismethoddescriptor(function)):
        return None
    try:
        signature = str(inspect.signature(function))
    except (ValueError, TypeError):  # some that are written in C have none
        return None
    name = place.rsplit(".", 1)[-1]
    told = " ".join((inspect.getdoc(function) or "").split("\n\n")[0].split())
    if not SHORTEST <= len(told) <= LONGEST or told.startswith(f"{name}("):
        return None
    if " at 0x" in signature:  # a default whose place in memory is another in each process
        return None
    return new_record(
        place,
        [
            Turn(USER, f"Which arguments does {place} take?"),
            Turn(ASSISTANT, f"{name}{signature}"),
            Turn(USER, "What does it do?"),
            Turn(ASSISTANT, told),
        ],
    )
