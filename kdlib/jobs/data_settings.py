"""The settings of what a run reads, and of what its answers are compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro

from kdlib.errors import UserError


@dataclass(frozen=True)
class Data:
    """What is read."""

    text: Annotated[str, tyro.conf.arg(aliases=["--text"])] = "sotu"
    """'sotu' (presidential messages), 'sums' (made-up additions, whose answers are checked), a UTF-8
    text FILE, or a FOLDER of .txt files."""
    records: Annotated[str, tyro.conf.arg(aliases=["--records"])] = ""
    """In place of a text: a FILE of chats or of prompts with answers (.jsonl, .json, .csv, .tsv,
    .parquet, also .gz), OWNER/NAME of a data set on the hub, or 'stdlib' (questions about Python's
    standard library). Only the answers are learned."""
    template: str = ""
    """FILE of a chat template (Jinja) in place of the teacher's own; of records only."""
    validation: str = ""
    """FILE or FOLDER for what tuning may look at; left out: a twentieth of the text or records."""
    test: str = ""
    """FILE or FOLDER for what only the report looks at; left out: a twentieth as well."""
    separator: str = "auto"
    """The token between documents, as its text. auto: the one that the tokenizer puts before a text,
    else the pretraining's (``<|endoftext|>``) where its end-of-text ends a chat's turn, else that."""
    fraction: float = 0.1
    """Share of the training text that the student and its controls may see, in (0, 1]; of a single
    file, pieces from all over it."""
    test_fraction: float = 0.5
    """Share of the test text that the report is measured on, in (0, 1]."""
    block: int = 128
    """Tokens that a model reads at once. A record that is longer is left out whole."""
    vocabulary: int = 4096
    """Entries of the tokenizer, where one is trained (teacher.source = train)."""

    @property
    def name(self) -> str:
        """What is read: the text or the records, as they were named."""
        return self.records or self.text

    def __post_init__(self) -> None:
        for name in ("fraction", "test_fraction"):
            if not 0 < getattr(self, name) <= 1:
                raise UserError(f"data.{name}: {getattr(self, name)} is not in (0, 1]")
        if self.block < 8:
            raise UserError(f"data.block: {self.block} is too short; use 8 or more")
        if self.vocabulary < 257:
            raise UserError(f"data.vocabulary: {self.vocabulary} is too small; use 257 or more")
        if self.template and not self.records:
            raise UserError(
                "data.template: a text has no turns; give --data.records, or leave it out"
            )


@dataclass(frozen=True)
class Evaluate:
    """What the report measures beside the losses."""

    exact_match: tyro.conf.FlagConversionOff[bool] = False
    """Of records: the share of test prompts that each model answers as the record does, with the
    likeliest token each time; case, white space and a full stop at the end do not count."""
