"""A cache made of log-probabilities that another engine wrote (see `prompt_logprobs`).

The file is read twice: once from end to end, so that nothing is written of a file that cannot be
used, and then block by block. So the cache is the same whatever the order of the file's lines.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from kdlib.data.blocks import Blocks
from kdlib.errors import UserError
from kdlib.losses.softmax import log_softmax
from kdlib.losses.sparse import SparseTargets, lumped
from kdlib.machine.progress import progress_bar
from kdlib.teachers.cache_format import CacheContents, block_keys, hash_rows
from kdlib.teachers.cache_writer import fill_cache
from kdlib.teachers.left_out import LeftOut, left_out
from kdlib.teachers.packing import pack
from kdlib.teachers.prompt_logprobs import Form, Line, ScoredText, read_line, read_lines

SAMPLE = 8  # blocks on which the teacher at hand is asked, too
# Nats. The pocket teacher in bfloat16 is 0.00007 from itself in float32; at temperature 0.9 it is
# 0.023 from itself at 1, at 0.8 it is 0.091.
MOST_DISTANCE = 0.02


class Found(NamedTuple):
    """Where a block's log-probabilities are in the file.

    Attributes:
        start: the first byte of its line.
        choice: which of the line's texts it is.
        name: of file and line, for messages.
    """

    start: int
    choice: int
    name: str


@dataclasses.dataclass(frozen=True)
class ScoredFile:
    """A file of log-probabilities that has all of a text's blocks.

    Attributes:
        path: the file.
        form: what its texts are like.
        places: where each block is, by the block's key.
        others: how many of its texts are no block of this text.
        left_out: what its k likeliest tokens leave out, over the predicted tokens.
    """

    path: Path
    form: Form
    places: dict[bytes, Found]
    others: int
    left_out: LeftOut

    def targets(self, ids: Tensor) -> list[SparseTargets]:
        """The targets with a tail of some blocks.

        Args:
            ids: (B, S) their tokens.

        Returns:
            Targets (S - 1, k) of each.
        """
        with open(self.path, "rb") as file:
            read: tuple[int, list[ScoredText]] = (-1, [])
            found = []
            for place in (self.places[key] for key in hash_rows(ids)):
                if place.start != read[0]:  # a line may hold the texts of many blocks
                    file.seek(place.start)
                    line = Line(place.name, place.start, file.readline())
                    read = (place.start, read_line(line, self.form))
                found.append(_with_tail(read[1][place.choice]))
        return found


def _with_tail(scored: ScoredText) -> SparseTargets:
    """The targets that ``kdlib.losses.sparse.with_tail`` makes of a teacher's whole distributions."""
    # 1 minus the kept mass: as exact as float32's log-probabilities are, no thinner a tail is known.
    log_tail = scored.left_out.log()
    return lumped(scored.ids, scored.log_p.float(), log_tail.float())


def open_scored_file(path: Path, blocks: Blocks, k: int, vocabulary: int) -> ScoredFile:
    """Read a file from end to end, and find the blocks of a text in it.

    Args:
        path: JSONL (see `prompt_logprobs`).
        blocks: the text's, each of which must be in the file once.
        k: tokens to keep of each distribution.
        vocabulary: the number of the teacher's tokens.

    Raises:
        UserError: for a file with a line that cannot be used, with a text twice, or without some of
            the blocks.
    """
    form = Form(blocks.ids.shape[1], vocabulary, k)
    # The row of a block that the text holds twice does not matter: its predicted tokens are alike.
    rows = {key: row for row, key in enumerate(block_keys(blocks))}
    places: dict[bytes, Found] = {}
    seen: dict[bytes, str] = {}
    tails, least = [], []
    with progress_bar("reading log-probabilities", len(rows), unit="block") as progress:
        for line in read_lines(path):
            for choice, scored in enumerate(read_line(line, form)):
                (key,) = hash_rows(scored.text.unsqueeze(0))
                if key in seen:
                    raise UserError(
                        f"from_logprobs: {line.name}: its tokens are those of {seen[key]}, too; keep"
                        " one of them"
                    )
                seen[key] = line.name.rpartition(", ")[2]
                if key in rows:
                    places[key] = Found(line.start, choice, line.name)
                    predicted = _counted(blocks, rows[key])
                    tails.append(scored.left_out[predicted])
                    least.append(scored.log_p[predicted, -1].exp())
                    progress.update()
    _refuse_missing(path, rows, places, len(seen))
    found = left_out(torch.cat(tails), torch.cat(least), vocabulary - k)
    return ScoredFile(path, form, places, len(seen) - len(places), found)


def _counted(blocks: Blocks, row: int) -> Tensor:
    """The positions (S - 1,) of a block whose predictions count."""
    return blocks.counted(slice(row, row + 1))[0]


def _refuse_missing(
    path: Path, rows: dict[bytes, int], places: dict[bytes, Found], texts: int
) -> None:
    missing = [row for key, row in rows.items() if key not in places]
    if not missing:
        return
    others = texts - len(places)
    held = f"; {others} of its {texts} texts are of another text" if others else ""
    raise UserError(
        f"from_logprobs: {path} lacks {len(missing)} of the {len(rows)} blocks of this text, the first"
        f" of them block {missing[0] + 1}{held}; `kdlib cache --write-prompts` writes what has to be"
        " scored, with the same recipe"
    )


def write_cache_from_logprobs(
    folder: Path, contents: CacheContents, scored: ScoredFile, blocks: Blocks, distance: float
) -> dict[str, Any]:
    """Make the cache, or what is missing of it.

    Args:
        folder: the cache; it is made where it does not exist.
        contents: what it holds; its kind is ``with_tail``.
        scored: the file, which has all the blocks.
        blocks: the blocks to make targets for.
        distance: of the file from the teacher at hand (see `distance_from_teacher`).

    Returns:
        The manifest.

    Raises:
        UserError: as `fill_cache`.
    """

    def read(rows: Tensor) -> list[bytes]:
        return [pack(each, contents.kind) for each in scored.targets(blocks.ids[rows])]

    origin = {"logprobs": {**scored.left_out._asdict(), "distance_from_teacher": distance}}
    return fill_cache(folder, contents, blocks, read, origin)


@torch.no_grad()
def distance_from_teacher(scored: ScoredFile, teacher: nn.Module, blocks: Blocks) -> float:
    """How far the file's distributions are from those of the teacher at hand.

    Args:
        scored: the file.
        teacher: a frozen causal language model of transformers, on its device.
        blocks: the text; some evenly spaced blocks of it are read.

    Returns:
        The mean KL in nats per predicted token after the merger of the tail, KL(file‖teacher).

    Raises:
        UserError: for a distance that no rounding explains: another model, another temperature,
            positions that are off by one.
    """
    model: Any = teacher
    rows = torch.linspace(0, len(blocks) - 1, min(SAMPLE, len(blocks))).long()
    total, count = 0.0, 0
    for row, targets in zip(rows.tolist(), scored.targets(blocks.ids[rows])):
        ids, predicted = blocks.ids[row : row + 1], _counted(blocks, row)
        logits = model(input_ids=ids.to(model.device), use_cache=False).logits[0, :-1]
        log_q = log_softmax(logits, 1.0).cpu()
        total += targets.divergence(log_q)[predicted].sum().item()
        count += int(predicted.sum())
    distance = total / max(1, count)
    if not distance <= MOST_DISTANCE:
        raise UserError(
            f"from_logprobs: {scored.path} is {distance:.3g} nats per token from the teacher here, and"
            f" {MOST_DISTANCE} is more than another precision explains; score with the recipe's teacher, not"
            " quantised, at temperature 1, exactly the tokens of --write-prompts"
        )
    return max(distance, 0.0)  # a KL below 0 is rounding
