"""Separators: the token that stands before, between and after documents.

A model reads a text as it read texts in its own training, or its probabilities are those of
something else: a Llama or a Gemma that does not begin with its BOS token is hundreds of times as
perplexed, and a chat model knows its end-of-turn token as the end of an answer, not of a document.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdlib.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

AUTO = "auto"
# What stood between documents in the pretraining of models that were then taught to chat.
PRETRAINING_SEPARATORS = ("<|endoftext|>", "<|end_of_text|>", "<|EOT|>")
TURN_ENDS = (
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<end_of_turn>",
    "<turn|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|end_of_turn|>",
    "<|eot|>",
    "<|END_OF_TURN_TOKEN|>",
    "<|user|>",
)


def separator_id(tokenizer: PreTrainedTokenizerFast, wanted: str = AUTO) -> int:
    """The id of the token that stands before, between and after documents.

    ``"auto"`` is the token that the tokenizer itself puts in front of a text (BOS), if it does.
    Else, where its end-of-text token ends a turn of a chat, the one that separated documents in
    pretraining, if the tokenizer still has it; else its end-of-text token.

    Args:
        tokenizer: of the model that reads the documents.
        wanted: ``"auto"``, or the text of the token.

    Returns:
        The token's id. What a model is to continue begins with this token, too.

    Raises:
        UserError: for a text that is no single token, and for ``"auto"`` where the tokenizer has
            none of the three.
    """
    if wanted != AUTO:
        return _given(tokenizer, wanted)
    candidates = (_put_in_front(tokenizer), _of_pretraining(tokenizer), tokenizer.eos_token_id)
    found = next((token for token in candidates if token is not None), None)
    if found is None:
        raise UserError(
            f"data.separator: the tokenizer in {tokenizer.name_or_path} puts no token before a text"
            " and has no end-of-text token; name one of its tokens"
        )
    return int(found)


def _given(tokenizer: PreTrainedTokenizerFast, text: str) -> int:
    """A token by its text: as the vocabulary spells it, or as text that is encoded to it."""
    backend = tokenizer.backend_tokenizer
    token = backend.token_to_id(text)
    if token is not None:
        return int(token)
    ids = backend.encode(text, add_special_tokens=False).ids
    if len(ids) != 1 or ids[0] == tokenizer.unk_token_id:
        raise UserError(
            f"data.separator: {text!r} is {len(ids)} tokens of the tokenizer in"
            f" {tokenizer.name_or_path}, not one; give a single token such as"
            f" {tokenizer.eos_token!r}, or auto"
        )
    return int(ids[0])


def _put_in_front(tokenizer: PreTrainedTokenizerFast) -> int | None:
    """The one token that the tokenizer adds before a text, if it adds one."""
    backend = tokenizer.backend_tokenizer
    bare, whole = (backend.encode("a", add_special_tokens=added).ids for added in (False, True))
    if not bare or bare[0] not in whole:
        return None
    front = whole[: whole.index(bare[0])]
    return front[0] if len(front) == 1 else None


def _of_pretraining(tokenizer: PreTrainedTokenizerFast) -> int | None:
    """The pretraining's separator, where the end-of-text token has become the end of a turn."""
    eos, template = tokenizer.eos_token, tokenizer.chat_template
    ends_turn = eos in TURN_ENDS or (isinstance(template, str) and bool(eos) and eos in template)
    if not ends_turn or eos in PRETRAINING_SEPARATORS:
        return None
    known = map(tokenizer.backend_tokenizer.token_to_id, PRETRAINING_SEPARATORS)
    return next((token for token in known if token is not None), None)
