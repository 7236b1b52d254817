"""A record: turns of a conversation, which are never divided between two splits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from kdlib.data.document import Document

SYSTEM, USER, ASSISTANT = "system", "user", "assistant"
ROLES = (SYSTEM, USER, ASSISTANT)


class Turn(NamedTuple):
    """What one side says.

    Attributes:
        role: "system", "user" or "assistant".
        content: its text.
    """

    role: str
    content: str


@dataclass(frozen=True)
class Record(Document):
    """A conversation. As a document, its text is that of its turns, each after its role.

    Attributes:
        turns: in their order. The assistant's are its answers: what a student learns.
    """

    turns: tuple[Turn, ...] = ()

    @property
    def answers(self) -> list[Turn]:
        """What the assistant says."""
        return [turn for turn in self.turns if turn.role == ASSISTANT]

    @property
    def prompt(self) -> str:
        """All that is said before the first answer."""
        first = next(n for n, turn in enumerate(self.turns) if turn.role == ASSISTANT)
        return written(self.turns[:first])

    @property
    def reference(self) -> str:
        """The last answer."""
        return self.answers[-1].content


def new_record(name: str, turns: Iterable[Turn]) -> Record:
    """A record with its text.

    Args:
        name: of the file and of the place in it.
        turns: the conversation.
    """
    kept = tuple(turns)
    return Record(name, written(kept), kept)


def written(turns: Iterable[Turn]) -> str:
    """Turns as plain text, by which records are compared and hashed. No model reads this form.

    Args:
        turns: any turns.
    """
    return "\n\n".join(f"{turn.role}: {turn.content}" for turn in turns)


def said(documents: Sequence[Document]) -> list[Document]:
    """What is learned of documents, as documents: of records the answers, of texts all.

    Args:
        documents: of one source.
    """
    return [
        Document(each.name, "\n\n".join(turn.content for turn in each.answers))
        if isinstance(each, Record)
        else each
        for each in documents
    ]


def as_records(documents: Sequence[Document]) -> list[Record]:
    """The documents that are conversations. A source holds nothing else, or none of them.

    Args:
        documents: of one source.
    """
    return [document for document in documents if isinstance(document, Record)]
