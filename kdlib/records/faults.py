"""Faults: why a record is left out. Nothing of a record is cut: it is kept whole or left out."""

from __future__ import annotations

from kdlib.records.record import ASSISTANT, USER, Turn


class Unusable(ValueError):
    """A record that is left out; the message is the reason, in the words of the count."""


def refuse_unusable(turns: list[Turn]) -> None:
    """Refuse a conversation of which nothing can be learned, or something false.

    Args:
        turns: the conversation.

    Raises:
        Unusable: for one without an answer, with an empty one, without a question before it, and
            for a question that is empty.
    """
    roles = [turn.role for turn in turns]
    if ASSISTANT not in roles:
        raise Unusable("no answer")
    if any(turn.role == ASSISTANT and not turn.content.strip() for turn in turns):
        # A student would learn to say nothing.
        raise Unusable("an empty answer")
    if USER not in roles[: roles.index(ASSISTANT)]:
        raise Unusable("no user's turn before the first answer")
    _refuse_empty_question(turns)


def refuse_no_question(turns: list[Turn]) -> None:
    """Refuse a conversation that nobody can answer.

    Args:
        turns: the conversation, without the answer.

    Raises:
        Unusable: for one that does not end with a user's turn, and for an empty one.
    """
    if not turns or turns[-1].role != USER:
        raise Unusable("no user's turn at the end")
    _refuse_empty_question(turns)


def _refuse_empty_question(turns: list[Turn]) -> None:
    if any(turn.role == USER and not turn.content.strip() for turn in turns):
        raise Unusable("an empty user's turn")
