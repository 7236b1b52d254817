"""The rivals of chapter 7 about its text and its teacher: other phrases, other documents, other slips."""

import functools
from collections import Counter, defaultdict

import numpy as np
import pytest
import torch
from rivals.headlines import headline

from kdlib.claims.grounds import pocket
from kdlib.claims.rules import interval
from kdlib.data.documents import load_splits
from kdlib.data.shares import take_fraction
from kdlib.losses.objectives import Objective
from kdlib.models.folders import POCKET_TEACHER, load_tokenizer
from kdlib.training.student_with_loss import StudentWithLoss

FROM_TEACHER = Objective.from_alpha(1.0)


@functools.cache
def messages():
    return load_splits("sotu")


@functools.cache
def encoded(documents):
    tokenizer = load_tokenizer(POCKET_TEACHER).backend_tokenizer
    return [each.ids for each in tokenizer.encode_batch([d.text for d in documents])]


@functools.cache
def others():
    """As many training documents again, none of them the chapter's."""
    tenth = {d.name for d in take_fraction(messages().training, 0.1)}
    return encoded(tuple(d for d in messages().training if d.name not in tenth)[: len(tenth)])


def read_elsewhere(documents, length, block, group_of):
    """For each document, the share of its phrases that stand in another group, too."""
    pieces = [
        (number, set(zip(*(ids[start : start + block][i:] for i in range(length)))))
        for number, ids in enumerate(documents)
        for start in range(0, len(ids), block)
    ]
    everywhere = Counter(phrase for _, found in pieces for phrase in found)
    within = defaultdict(Counter)
    for place, (number, found) in enumerate(pieces):
        within[group_of(place, number)].update(found)
    read, count = np.zeros((2, len(documents)))
    for place, (number, found) in enumerate(pieces):
        group = within[group_of(place, number)]
        read[number] += sum(everywhere[phrase] > group[phrase] for phrase in found)
        count[number] += len(found)
    return read / count


@headline(
    7,
    "Split documents before you cut them: of the same phrases more have been read elsewhere when "
    "every twentieth block is kept back than when whole documents are.",
)
@pytest.mark.parametrize(("length", "block"), [(6, 128), (4, 128), (8, 128), (6, 512)])
def test_7_2_a_split_by_blocks_leaks(length, block):
    """Rival: it is these documents, phrases of six tokens, or short blocks."""
    by_block = read_elsewhere(others(), length, block, lambda place, number: place % 20)
    by_document = read_elsewhere(others(), length, block, lambda place, number: number)
    assert interval(list(by_block - by_document)).low > 0


@torch.no_grad()
def nats_of_the_last(stretches, first_position=0):
    """The teacher's nats on the last 32 tokens of each stretch; positions count from the first."""
    positions = torch.arange(stretches.shape[1] - 1)[None] + first_position
    logits = [
        pocket.teacher()(
            input_ids=some[:, :-1], position_ids=positions.expand(len(some), -1), logits_to_keep=32
        ).logits
        for some in stretches.split(8)
    ]
    log_p = torch.cat(logits).log_softmax(-1)
    return -log_p.gather(-1, stretches[:, -32:, None])[..., 0].mean(1)


@headline(
    7,
    "This teacher gains next to nothing from more than 32 tokens of context, and beyond the length "
    "that it was trained on it loses about a nat, without an error.",
)
def test_7_3_the_cliff_is_in_the_distance():
    """Rival: it is the validation documents; or it is high positions, whatever the context."""
    stretches = torch.tensor([ids[300:749] for ids in encoded(tuple(messages().test))])
    near, known, long = (nats_of_the_last(stretches[:, -length:]) for length in (65, 257, 449))
    assert interval((near - known).tolist()).high < 0.1
    assert (long - known > 0.3).all()
    lost = interval((long - known).tolist())
    assert lost.low > 0.5 and 0.7 < lost.value < 1.5
    moved = nats_of_the_last(stretches[:, -257:], first_position=192)
    assert (moved - known).abs().max() < 0.05  # the same positions as in the long one, no more read


def slips(kind, rows):
    """The teacher's remembered answers, read wrongly."""
    lesson, remembered = pocket.lesson(24), pocket.exact(24)
    targets = remembered(rows + (kind == "rows"), lesson.ids[rows])
    if kind == "positions":
        return targets._replace(hidden=targets.hidden.roll(1, dims=1))
    if kind == "half precision of three bits":
        return targets._replace(hidden=(4 * targets.hidden).round() / 4)
    return targets


@headline(
    7,
    "A teacher's hidden states hold its logits, so it is asked once; let it be its own student "
    "before it teaches, for a slip shows there as a loss above 0.",
)
def test_7_4_slips_show():
    """Rival: a wrong cache passes, too, for all its distributions are those of a language model."""
    rows, lesson, read = torch.arange(4), pocket.lesson(24), StudentWithLoss(pocket.teacher())
    losses = {}
    for kind in ("none", "rows", "positions", "half precision of three bits"):
        with torch.no_grad():
            loss = read(lesson.ids[rows], lesson.counted(rows), FROM_TEACHER, slips(kind, rows))
        losses[kind] = abs(loss.mean.item())
    right = losses.pop("none")
    assert right < 1e-3
    assert min(losses.values()) > 10 * max(right, 1e-4), losses
