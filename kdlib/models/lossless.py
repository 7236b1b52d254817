"""A tokenizer whose tokens spell the text, the whole text, and nothing but the text.

Nats per token become bits per byte by the bytes of the text. If a tokenizer cuts a text off, pads
it, or drops and changes characters, the model is asked about one text and judged by another.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tokenizers import Tokenizer

from kdlib.data.document import Document, parts
from kdlib.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

# What tokenizers lose, each with a text that shows it. Outer blanks are not compared: many
# tokenizers put one in front of every text and take it away again.
PROBES = {
    "letters and punctuation": 'the 1,790 words of (a) "union" and [b]: x_1 = 2 * {y};',
    "capital letters": "Union, UNION and union",
    "accents": "naïve, Café, Ångström, Đà Nẵng",
    "several spaces in a row": "one  two   three",
    "line breaks and tabs": "\none\n\n\ttwo\r\nthree\n",
    "signs that look like others": "ﬁrst ½ x² Ａ…",
    "spaces that do not break": "ten\u00a0miles",
    "quotation marks": "``quoted'' and “quoted” – so",
    "other scripts": "日本語, العربية, Ελληνικά, हिन्दी",
    "emoji": "well 👍🏽 done",
}
# SentencePiece's own sign for a space: it comes back as one, and stands in hardly any text.
SPACE_MARK = "\u2581"
SOME, BEGINNING = 64, 4096  # documents, and characters of each, that are encoded and compared


def make_neutral(backend: Tokenizer) -> None:
    """Switch off, in place, what an earlier use or training has left in a tokenizer.

    Truncation and padding are stored in ``tokenizer.json`` and obeyed at every call; so is sampling
    among the ways to cut a word up, which makes other tokens of the same text each time.

    Args:
        backend: the tokenizer proper, as ``tokenizer.backend_tokenizer`` gives it.
    """
    backend.no_truncation()
    backend.no_padding()
    model = backend.model
    for sampling in ("dropout", "alpha", "nbest_size"):  # of BPE, and two of Unigram
        if getattr(model, sampling, None) is not None:
            setattr(model, sampling, None)
            backend.model = model


def refuse_lossy(tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Refuse a tokenizer whose tokens do not spell what it was given.

    Spelling a character in one of two canonically equivalent ways (Unicode's NFC) is no loss.

    Args:
        tokenizer: a neutral tokenizer (see `make_neutral`).
        folder: where it is from, for the message.

    Raises:
        UserError: for a tokenizer that drops, changes or adds anything, with a text that shows it.
    """
    backend = tokenizer.backend_tokenizer
    for what, text in _probes(backend):
        ids = backend.encode(text, add_special_tokens=False).ids
        if tokenizer.unk_token_id is not None and tokenizer.unk_token_id in ids:
            how = f"makes unknown tokens ({tokenizer.unk_token!r}) of them"
        elif not any(_same(text, spelling) for spelling in _spellings(backend, ids)):
            how = f"spells {text!r} as {_decoded(backend, ids)!r}"
        else:
            continue
        raise UserError(
            f"tokenizer: the one in {folder} loses {what}: it {how}, so a model would not be asked"
            " about the text that it is judged by; give a model whose tokenizer covers every byte"
        )


def refuse_lost_text(tokenizer: PreTrainedTokenizerFast, documents: Iterable[Document]) -> None:
    """Refuse documents that hold what a tokenizer loses, though other texts may be safe with it.

    A vocabulary learned from a small text may lack a letter, and the tokenizer drops it in silence.
    Each character of the documents is tried once, each special token that stands in them, and the
    beginning of some documents.

    Args:
        tokenizer: a neutral tokenizer (see `make_neutral`).
        documents: the texts that it is to encode.

    Raises:
        UserError: for what is dropped, changed or unknown, naming the first.
    """
    backend = tokenizer.backend_tokenizer
    probes = list(_probes_of(backend, list(documents)))
    encoded = backend.encode_batch([text for _, text in probes], add_special_tokens=False)
    lost = [
        what
        for (what, text), ids in zip(probes, (each.ids for each in encoded), strict=True)
        if not any(_same(text, spelling) for spelling in _spellings(backend, ids))
    ]
    if lost:
        more = f" and {len(lost) - 1:,} more" if len(lost) > 1 else ""
        raise UserError(
            f"text: the tokenizer in {tokenizer.name_or_path} loses {lost[0]}{more}, so a model would"
            " not be asked about the text that it is judged by; give a model whose tokenizer covers"
            " every byte, or a text without that"
        )


def special_tokens_in(
    tokenizer: PreTrainedTokenizerFast, documents: Iterable[Document]
) -> Counter[str]:
    """How often documents hold the text of a special token, which is read as that token.

    Nothing is lost, but a page that quotes ``<|endoftext|>`` ends there for the model.

    Args:
        tokenizer: of the model that reads the documents.
        documents: the texts.

    Returns:
        Occurrences by the token's text, of those that occur.
    """
    added = tokenizer.backend_tokenizer.get_added_tokens_decoder().values()
    special = sorted({token.content for token in added if token.special})
    found: Counter[str] = Counter()
    for document in documents:
        found.update(_occurrences(document, special))
    return +found


def _probes(backend: Tokenizer) -> Iterator[tuple[str, str]]:
    """What may be lost, and a text that shows it."""
    yield from PROBES.items()
    for token in backend.get_added_tokens_decoder().values():
        # Special tokens stand in few texts; those of chat models may swallow blanks.
        if not token.special and (token.lstrip or token.rstrip or token.normalized):
            yield _beside_blanks(token.content)


def _probes_of(backend: Tokenizer, documents: list[Document]) -> Iterator[tuple[str, str]]:
    """The same for documents: their characters, special tokens that swallow blanks, beginnings."""
    held = {each for document in documents for part in parts(document) for each in set(part)}
    for character in sorted(held - {SPACE_MARK}):
        yield f"the character {character!r}", f"a{character}a"
    special = [token for token in backend.get_added_tokens_decoder().values() if token.special]
    for token in special:
        swallows = token.lstrip or token.rstrip
        if swallows and any(_occurrences(document, [token.content]) for document in documents):
            yield _beside_blanks(token.content)
    for document in documents[:: 1 + len(documents) // SOME]:
        beginning = document.body[:BEGINNING].replace(SPACE_MARK, " ")
        # After a special token some tokenizers put a blank, as they do before a text.
        if not any(token.content in beginning for token in special):
            yield f"words of {document.name}", beginning


def _occurrences(document: Document, tokens: list[str]) -> Counter[str]:
    """How often a document holds each of these texts; only of those that it holds."""
    found: Counter[str] = Counter()
    longest, before = max(map(len, tokens), default=0), ""
    for part in parts(document):
        for token in tokens:
            # In this part, and across the border to the one before.
            edge = len(token) - 1
            across = before[len(before) - edge :] + part[:edge] if edge else ""
            found[token] += part.count(token) + across.count(token)
        before = (before + part[-longest:])[-longest:]
    return +found


def _beside_blanks(token: str) -> tuple[str, str]:
    """A token beside one blank and beside two, which may be a token of their own."""
    return f"blanks around {token!r}", f"one {token} two  {token}  three"


def _spellings(backend: Tokenizer, ids: list[int]) -> Iterator[str]:
    """The text that tokens spell: as decoded or, where there is no decoder, side by side."""
    yield _decoded(backend, ids)
    yield "".join(backend.id_to_token(token) or "" for token in ids)


def _decoded(backend: Tokenizer, ids: list[int]) -> str:
    return backend.decode(ids, skip_special_tokens=False)


def _same(one: str, other: str) -> bool:
    one, other = (unicodedata.normalize("NFC", text).lstrip(" ") for text in (one, other))
    return one == other
