"""Columns: the shapes in which files hold conversations, and the turns that each shape stands for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kdlib.errors import UserError
from kdlib.records.faults import Unusable
from kdlib.records.record import ASSISTANT, ROLES, USER, Turn

Row = dict[str, Any]


def shape_of(
    name: str, columns: Sequence[str], *, answered: bool = True
) -> Callable[[Row], list[Turn]] | None:
    """How the rows of a file become turns.

    Args:
        name: of the file, for the error.
        columns: the names of its columns.
        answered: False where the answers are yet to be written: a prompt alone will do.

    Returns:
        The function from a row to its turns; None for a column "text", which holds documents.

    Raises:
        UserError: for columns of no known shape, and for those of more than one.
    """
    shapes = SHAPES if answered else QUESTIONS
    found = [needed for needed in shapes if set(needed) <= set(columns)]
    if len(found) != 1:
        what = "no columns that are known" if not found else "columns of more than one shape"
        known = "; ".join(", ".join(needed) for needed in shapes)
        raise UserError(
            f"data.records: {name} has {what}; found: {', '.join(columns) or 'none'}; known, one of"
            f" these: {known}"
        )
    return shapes[found[0]]


def _messages(row: Row) -> list[Turn]:
    return _turns(row["messages"])


def _completed(row: Row) -> list[Turn]:
    """Prompt and completion are texts, or each a list of messages."""
    prompt, completion = row["prompt"], row["completion"]
    if isinstance(prompt, list) or isinstance(completion, list):
        return [*_either(prompt, USER), *_either(completion, ASSISTANT)]
    return [Turn(USER, _text(prompt)), Turn(ASSISTANT, _text(completion))]


def _either(value: Any, role: str) -> list[Turn]:
    return _turns(value) if isinstance(value, list) else [Turn(role, _text(value))]


def _instructed(row: Row) -> list[Turn]:
    """An instruction, with its input in a paragraph of its own if there is one."""
    asked = [_text(row["instruction"])]
    if row.get("input"):
        asked.append(_text(row["input"]))
    return [Turn(USER, "\n\n".join(asked)), Turn(ASSISTANT, _text(row["output"]))]


SHAPES: dict[tuple[str, ...], Callable[[Row], list[Turn]] | None] = {
    ("messages",): _messages,
    ("prompt", "completion"): _completed,
    ("instruction", "output"): _instructed,
    ("text",): None,
}
QUESTIONS: dict[tuple[str, ...], Callable[[Row], list[Turn]] | None] = {
    ("messages",): lambda row: _asked(_messages(row)),
    ("prompt",): lambda row: _asked(_either(row["prompt"], USER)),
    ("instruction",): lambda row: _asked(_instructed(row | {"output": ""})),
}


def _asked(turns: list[Turn]) -> list[Turn]:
    """Without the answer that stands at the end, if there is one: another will be written."""
    return turns[:-1] if turns and turns[-1].role == ASSISTANT else turns


def _turns(messages: Any) -> list[Turn]:
    if not isinstance(messages, list) or not all(isinstance(each, dict) for each in messages):
        raise Unusable("messages that are no list of role and content")
    return [Turn(_role(message), _text(message.get("content"))) for message in messages]


def _role(message: Row) -> str:
    role = message.get("role")
    if role not in ROLES:
        raise Unusable(f"a turn of the role {role!r}")
    return str(role)


def _text(value: Any) -> str:
    """A text, or the text of parts that are texts."""
    if value is None:
        return ""
    if isinstance(value, list) and all(
        isinstance(part, dict) and isinstance(part.get("text"), str) for part in value
    ):
        return "".join(part["text"] for part in value)
    if not isinstance(value, str):
        raise Unusable(f"content that is {type(value).__name__}, not text")
    return value
