"""Shards: the tokens of a large text on the disk, made once and mapped into memory.

A folder of shards is that of one text, one tokenizer and one separator, whatever the length of the
blocks::

    FOLDER/manifest.json        which shards there are, with their checksums
    FOLDER/00000.safetensors    a shard: the tokens of a portion of the text, as int32

A shard appears whole, and the manifest names it after that: who is stopped in between loses one
portion, and goes on there. A shard that has not its checksum is made again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors.numpy import save
from tokenizers import Tokenizer

from kdlib.data.document import Document
from kdlib.data.portions import Tokens, cut, encode_portion, portions, size_of
from kdlib.files import disk_errors_named, read_json, write_atomically

FORMAT = 1
MANIFEST = "manifest.json"
IDS, ENDS = "ids", "ends"  # of a shard: see `Tokens`
Shard = dict[str, Any]


class Preparation:
    """What is there of a text's shards, and what is missing.

    Args:
        folder: of the shards; it need not exist.
        documents: the text.

    Attributes:
        folder: of the shards.
        done: the intact shards, by their portion's number.
        characters_done: of the text, those whose tokens are in them.
    """

    def __init__(self, folder: Path, documents: list[Document]):
        self.folder, self._documents = folder, documents
        self._portions = list(portions(documents))
        self.done = self._intact()
        self.characters_done = sum(size_of(documents, self._portions[n]) for n in self.done)

    @property
    def is_complete(self) -> bool:
        """Whether no shard is missing."""
        return len(self.done) == len(self._portions)

    @property
    def shards(self) -> list[Shard]:
        """The entries of the manifest: name, checksum and number of tokens of each shard, and the
        bytes of its text."""
        return [self.done[number] for number in sorted(self.done)]

    def finish(
        self, tokenizer: Tokenizer, separator: int, advance: Callable[[int], object]
    ) -> None:
        """Make the shards that are missing.

        Args:
            tokenizer: encodes the text, without special tokens of its own.
            separator: id of the token after each document.
            advance: is told how many characters have been encoded since it was last called.

        Raises:
            UserError: for a disk that refuses, and as `encode_portion`.
        """
        with disk_errors_named(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            for number, portion in enumerate(self._portions):
                if number not in self.done:
                    made = encode_portion(self._documents, portion, tokenizer, separator, advance)
                    self.done[number] = self._write(number, made)
                    self._write_manifest()

    def _intact(self) -> dict[int, Shard]:
        """The shards that the manifest names and whose files are as they were."""
        try:
            manifest = read_json(self.folder / MANIFEST)
            if manifest["format"] != FORMAT or manifest["cut"] != cut():
                return {}
            return {
                int(each["number"]): each
                for each in manifest["shards"]
                if has_checksum(self.folder / each["file"], each["sha256"])
            }
        except (OSError, ValueError, KeyError, TypeError):  # none, or no manifest of ours
            return {}

    def _write(self, number: int, made: Tokens) -> Shard:
        """Write a shard, and return its entry in the manifest."""
        data = save({IDS: made.ids, ENDS: made.ends})
        name = f"{number:05}.safetensors"
        write_atomically(self.folder / name, data)
        return {
            "number": number,
            "file": name,
            "sha256": hashlib.sha256(data).hexdigest(),
            "tokens": len(made.ids),
            "bytes": made.bytes,
        }

    def _write_manifest(self) -> None:
        manifest = {"format": FORMAT, "cut": cut(), "shards": self.shards}
        write_atomically(self.folder / MANIFEST, json.dumps(manifest, indent=1) + "\n")


def has_checksum(path: Path, sha256: str) -> bool:
    """Whether a file is there and has this checksum.

    Args:
        path: the file.
        sha256: 64 hexadecimal digits.
    """
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256
