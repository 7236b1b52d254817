"""A chat template turns a conversation into text, and shows which characters its answers are.

Which characters these are is told by the template's own marks (``{% generation %}``), if it has
them. Else by two renderings: with the turn before an answer, as the model is asked for it, and with
the answer. What the second adds is the answer, if nothing before it has changed.

An answer ends with the special token that closes it. Without it in the loss, a student never learns
to stop.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kdlib.errors import UserError
from kdlib.records.faults import Unusable
from kdlib.records.record import ASSISTANT, Turn

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

# For a model without a template: "User: ...", "Assistant: ...", a line each. The space before an
# answer belongs to it, as in any text: " Yes" is one token of most vocabularies.
PLAIN = (
    "{{ bos_token or eos_token }}"
    "{% for message in messages %}"
    "{{ message['role'].capitalize() }}:"
    "{% if message['role'] == 'assistant' %}"
    "{% generation %} {{ message['content'] }}{{ eos_token }}{% endgeneration %}{{ '\n' }}"
    "{% else %} {{ message['content'] }}{{ '\n' }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)
# Private characters in place of the marks: what stands between two of them was marked.
OPEN, CLOSE = "\ue000", "\ue001"
_MARK = re.compile(r"\{%(-?)\s*(end)?generation\s*(-?)%\}")
# A statement around the character, as the mark is one: the blanks around both go the same way.
_IN_ITS_PLACE = r"{%\1 if true %}SIGN{% endif \3%}"

Span = tuple[int, int]


class Rendering(NamedTuple):
    """A conversation as a model reads it.

    Attributes:
        text: with all special tokens.
        answers: first character of each answer, and the one after its stop token.
    """

    text: str
    answers: tuple[Span, ...]


class ChatTemplate:
    """The template of a tokenizer, of a file, or the plain one.

    Args:
        tokenizer: of the model that reads the conversations.
        path: a Jinja file in place of the tokenizer's own template; empty for that.

    Raises:
        UserError: for a file that cannot be read.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast, path: str = ""):
        self.tokenizer = tokenizer
        self.source = _file(path) if path else _own(tokenizer) or PLAIN
        self._marked = _MARK.sub(_sign, self.source)

    @property
    def unmarked(self) -> str:
        """The template without marks, as a student takes it along: not every engine knows them."""
        return self._marked.replace(OPEN, "").replace(CLOSE, "")

    @cached_property
    def special_tokens(self) -> list[str]:
        """The tokens that no text spells, the longest first."""
        added = self.tokenizer.added_tokens_decoder.values()
        found = {token.content for token in added if token.special}
        return sorted(found | set(self.tokenizer.all_special_tokens), key=len, reverse=True)

    def render(self, turns: Sequence[Turn]) -> Rendering:
        """The conversation as text, with the places of its answers.

        Args:
            turns: the conversation.

        Raises:
            Unusable: for a conversation that the template refuses, or that spells special tokens.
            UserError: for a template of which nobody can tell what an answer is.
        """
        self._refuse_special(turns)
        if self._marked == self.source:
            return self._compared(turns)
        text, spans = _without_signs(self._apply(self._marked, turns))
        return Rendering(text, tuple(self._closed(text, span) for span in spans))

    def prompt(self, turns: Sequence[Turn]) -> str:
        """The conversation as a model is asked to answer it.

        Args:
            turns: the conversation, a user's turn last.
        """
        return _without_signs(self._apply(self._marked, turns, asked=True))[0]

    def _apply(self, source: str, turns: Sequence[Turn], *, asked: bool = False) -> str:
        from jinja2 import TemplateError

        messages = [turn._asdict() for turn in turns]
        try:
            return str(
                self.tokenizer.apply_chat_template(
                    messages, chat_template=source, tokenize=False, add_generation_prompt=asked
                )
            )
        except TemplateError as error:
            raise Unusable(
                f"refused by the chat template: {' '.join(str(error).split())}"
            ) from error

    def _refuse_special(self, turns: Sequence[Turn]) -> None:
        """A quoted stop token would end the turn that quotes it."""
        for turn in turns:
            found = [token for token in self.special_tokens if token in turn.content]
            if found or OPEN in turn.content or CLOSE in turn.content:
                raise Unusable(f"special tokens in its text ({found[0] if found else OPEN!r})")

    def _compared(self, turns: Sequence[Turn]) -> Rendering:
        """The answers as what each adds to the conversation before it."""
        text = self._apply(self.source, turns)
        answers = []
        for number, turn in enumerate(turns):
            if turn.role != ASSISTANT:
                continue
            asked = self._apply(self.source, turns[:number], asked=True)
            answered = self._apply(self.source, turns[: number + 1])
            end = answered.find(turn.content.strip(), len(asked))
            if not answered.startswith(asked) or end < 0:
                raise _unsound("it writes an answer otherwise than it asks for it")
            span = self._closed(answered, (len(asked), end + len(turn.content.strip())))
            if text[: span[1]] != answered[: span[1]]:
                raise _unsound("it writes an earlier turn otherwise once another follows")
            answers.append(span)
        return Rendering(text, tuple(answers))

    def _closed(self, text: str, span: Span) -> Span:
        """The answer with the special token that closes it."""
        start, end = span
        if any(text[start:end].rstrip().endswith(token) for token in self.special_tokens):
            return span
        rest = text[end:]
        blanks = len(rest) - len(rest.lstrip())
        for token in self.special_tokens:
            if rest.startswith(token, blanks):
                return start, end + blanks + len(token)
        raise _unsound("it closes an answer with no special token, so nobody would learn to stop")


def _sign(mark: re.Match[str]) -> str:
    sign = CLOSE if mark[2] else OPEN
    return mark.expand(_IN_ITS_PLACE).replace("SIGN", sign)


def _without_signs(text: str) -> tuple[str, list[Span]]:
    """The text without signs, and the spans between them."""
    parts, spans, length = re.split(f"([{OPEN}{CLOSE}])", text), list[Span](), 0
    start = 0
    for part in parts:
        if part == OPEN:
            start = length
        elif part == CLOSE:
            spans.append((start, length))
        else:
            length += len(part)
    return text.replace(OPEN, "").replace(CLOSE, ""), spans


def _file(path: str) -> str:
    try:
        return Path(path).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"data.template: {path} cannot be read: {error}") from error


def _own(tokenizer: PreTrainedTokenizerFast) -> str | None:
    """The tokenizer's template; of several, the one named "default"."""
    own = tokenizer.chat_template
    return own.get("default") if isinstance(own, dict) else own


def _unsound(why: str) -> UserError:
    return UserError(
        f"data.template: of this chat template nobody can tell what an answer is: {why}; give one"
        " with {% generation %} marks around the answers (--data.template)"
    )
