"""Next-token losses, with padding that looks like the stop token."""

import torch
import torch.nn.functional as F

from kdlib.exercises.authoring.floors import UNLIKELY, no_floor
from kdlib.exercises.authoring.inputs import normal
from kdlib.exercises.authoring.next_words import NEXT_WORD_SWITCHES, next_losses
from kdlib.exercises.authoring.switches import name_switches
from kdlib.exercises.kinds.functions import code


@code(
    source=(),
    difficulty=3,
    minutes=10,
    prompt=(
        "`ids` (B, S) are token ids, `mask` (B, S) is their attention mask: 1 for a real token, 0 "
        "for padding, which may stand on either side. Padding is filled with `eos`, the id of the "
        "stop token, for want of another. A pair of neighbours counts if both tokens, the one read "
        "and the one predicted, are real. Write `bug_next_token_sum(logits, ids, mask, eos)`: for "
        "evaluation, the sum of the next-token losses in nats, and how many there are. logits is "
        "(B, S, V)."
    ),
    hints=(
        "The logits at a position speak about the token after it; the last ones have no label.",
        "Which tokens are real is said by the mask alone. The end of a text is a real token.",
        (
            "Drop the last logits and the first ids; multiply the mask without its end by the mask "
            "without its beginning; gather the labels' log-probabilities."
        ),
    ),
    explanation="eos is not needed: comparing ids with it would hide the token that ends a text.",
)
def bug_next_token_sum(logits, ids, mask, eos):
    """Sum of the next-token losses over pairs of real tokens, and their number. -> (nats, count)"""
    log_q = torch.log_softmax(logits[:, :-1], dim=-1)
    losses = -log_q.gather(-1, ids[:, 1:, None])[..., 0]
    real = mask[:, :-1] * mask[:, 1:]
    return (losses * real).sum(), real.sum()


def _texts(lengths: list[int], side: str, seed: int):
    """Logits, ids, mask and eos = 8 of texts that end with eos, padded with eos on one side."""
    size, generator = max(lengths), torch.Generator().manual_seed(seed)
    ids = torch.full((len(lengths), size), 8)
    mask = torch.zeros_like(ids)
    for row, length in enumerate(lengths):
        start = 0 if side == "right" else size - length
        text = torch.randint(8, (length - 1,), generator=generator)
        ids[row, start : start + length - 1] = text
        mask[row, start : start + length] = 1
    return normal(len(lengths), size, 9, seed=seed, scale=2.0), ids, mask, 8


_PACKED = torch.tensor([[0, 2, 8, 1, 3, 8], [4, 8, 0, 8, 2, 1]])  # 10 pairs, 4 of them end a text
bug_next_token_sum.probe("padding on the right", *_texts([6, 3, 4], "right", 701))
bug_next_token_sum.probe("padding on the left", *_texts([7, 2, 4], "left", 702))
bug_next_token_sum.probe("much padding", *_texts([9, 2, 2, 3], "right", 703))
bug_next_token_sum.probe("no padding", *_texts([5, 5], "right", 704))
bug_next_token_sum.probe(
    "texts packed into rows", normal(2, 6, 9, seed=705), _PACKED, torch.ones_like(_PACKED), 8
)
_TWO_STOPS = torch.tensor([[8, 8, 3, 1, 8], [2, 8, 8, 0, 8]])  # and no padding
bug_next_token_sum.probe(
    "two stop tokens in a row",
    *(normal(2, 5, 9, seed=707), _TWO_STOPS, torch.ones_like(_TWO_STOPS), 8),
)
_logits, _ids, _mask, _eos = _texts([4, 6, 1, 2], "right", 708)
_mask[0] = 0
bug_next_token_sum.probe("a row of padding alone", _logits, _ids, _mask, _eos)
bug_next_token_sum.probe(
    "a model that is nearly sure",
    (
        normal(2, 5, 9, seed=706)
        + 9.0 * torch.eye(9)[torch.tensor([[1, 4, 2, 8, 0], [7, 7, 3, 5, 8]])]
    ),
    torch.tensor([[3, 1, 4, 2, 8], [0, 7, 7, 3, 5]]),
    *(torch.ones(2, 5, dtype=torch.long), 8),
)
no_floor(
    bug_next_token_sum,
    *(torch.tensor([[[0.0, UNLIKELY, 1.0]] * 4]), torch.tensor([[0, 1, 0, 2]])),
    *(torch.ones(1, 4, dtype=torch.long), 2),
)


@bug_next_token_sum.symptom(
    "stop-token-masked",
    seen="where several texts stand in one row, the predictions of the stop token do not count",
    expected="the end of a text is a token to be learned",
)
def _(results):
    return float(results["texts packed into rows"][1]) in (6, 3)


@bug_next_token_sum.symptom(
    "padding-counted",
    seen="without padding the count is right; with padding, on one side or both, it is too large",
    expected="only pairs of two real tokens",
)
def _(results):
    more = results["padding on the right"][1] > 10 or results["padding on the left"][1] > 10
    return more and float(results["no padding"][1]) == 8


@bug_next_token_sum.also
def next_token_sum_in_loops(logits, ids, mask, eos):
    total, count = 0.0, 0
    for row, words, real in zip(logits, ids, mask):
        for t in range(len(words) - 1):
            if real[t] and real[t + 1]:
                total += float(F.cross_entropy(row[t], words[t + 1]))
                count += 1
    return total, count


def _summed(result=lambda losses, real, mask: (losses.sum(), real.sum()), **options):
    """The pair made in another way of losses, 0 where they do not count, or of other losses."""

    def answer(logits, ids, mask, eos):
        losses, real = next_losses(**options)(logits, ids, mask, eos)
        return result(losses * real, real, mask)

    return answer


name_switches(
    bug_next_token_sum, _summed,
    *NEXT_WORD_SWITCHES,
    ("padding-counted", "the sum leaves padding out, but the count does not",
     "sum and count over the same pairs",
     {"result": lambda losses, real, mask: (losses.sum(), real.numel())}),
    ("wrong-size-in-mean", "the count is that of the real tokens; each row has one pair less",
     "a count of what was summed",
     {"result": lambda losses, real, mask: (losses.sum(), mask.sum())}),
    ("batchmean-over-sequences", "the count is that of the texts", "a count of pairs",
     {"result": lambda losses, real, mask: (losses.sum(), len(mask))}),
    ("end-left-out", "the last pair of every row is left out", "all pairs of real tokens",
     {"result": lambda losses, real, mask: (losses[:, :-1].sum(), real[:, :-1].sum())}),
    ("mean-for-sum", "the first result is a mean already; it cannot be added up over batches",
     "a sum that grows with the number of pairs",
     {"result": lambda losses, real, mask: (losses.sum() / real.sum(), real.sum())}),
    ("mean-for-sum", "the first result is divided by the number of all positions",
     "a sum of token losses", {"result": lambda losses, real, mask: (losses.mean(), real.sum())}),
)  # fmt: skip
