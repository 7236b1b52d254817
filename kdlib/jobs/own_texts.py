"""What each model of a run writes, and how near it is to its teacher there and elsewhere."""

from __future__ import annotations

from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from kdlib.data.blocks import Blocks
from kdlib.losses.softmax import log_softmax
from kdlib.machine.turns import on_device
from kdlib.reports.prefixes import Divergences, divergences, own_leads, writing
from kdlib.sequences.on_policy import sample_batch

TEXTS = 32  # of which every model continues the beginning
BEGINNING = 16  # tokens, or half of a block that is shorter than two of these
TOGETHER = 8  # texts that are read at once: their whole distributions are large


@torch.no_grad()
def on_own_texts(
    loaded: dict[str, nn.Module], blocks: Blocks, seed: int, accelerator: Accelerator
) -> dict[str, Any]:
    """Let every model go on from the beginnings of some blocks, and compare it with the teacher.

    Args:
        loaded: teacher and learners, which share a tokenizer, by name.
        blocks: the test text, as they read it.
        seed: of the draws, the same for all models.
        accelerator: device and mixed precision.

    Returns:
        The report's entries "prefixes" (by who wrote the text, then by learner), "writing" (by
        model) and "own_lead" (by twin, if there are two texts or more); none if no block is full.
    """
    given = _some(blocks)
    if not len(given):
        return {}
    prompt = min(BEGINNING, given.shape[1] // 2)
    texts = {
        name: _continued(model, given, prompt, seed, accelerator) for name, model in loaded.items()
    }
    learners = [name for name in loaded if name != "teacher"]

    def read(name: str, ids: Tensor) -> Tensor:
        return _expected(loaded[name], ids, prompt, accelerator)

    behind: dict[str, dict[str, Divergences]] = {}
    for who, ids in (("text", given), ("teacher", texts["teacher"])):
        log_p = read("teacher", ids)
        behind[who] = {name: divergences(log_p, read(name, ids), len(ids)) for name in learners}
    written, behind["own"] = {"teacher": writing(log_p, ids[:, prompt:])}, {}
    for name in learners:
        ids = texts[name]
        log_q = read(name, ids)
        behind["own"][name] = divergences(read("teacher", ids), log_q, len(ids))
        written[name] = writing(log_q, ids[:, prompt:])
    found: dict[str, Any] = {
        "prefixes": {
            who: {name: each.means() for name, each in found.items()}
            for who, found in behind.items()
        },
        "writing": written,
    }
    leads = own_leads(behind["own"])
    return found | ({"own_lead": leads} if leads else {})


def _some(blocks: Blocks) -> Tensor:
    """Ids (R, S) of a few full blocks from all over the text."""
    full = blocks.full().nonzero().squeeze(-1)
    wanted = min(TEXTS, len(full))
    return (
        blocks.ids[full[torch.linspace(0, len(full) - 1, wanted).long()]]
        if wanted
        else blocks.ids[:0]
    )


def _continued(
    model: nn.Module, given: Tensor, prompt: int, seed: int, accelerator: Accelerator
) -> Tensor:
    """The beginnings as the model goes on from them, at temperature 1."""
    generator = torch.Generator(accelerator.device).manual_seed(seed)
    beginnings = given[:, :prompt].to(accelerator.device)
    with on_device([model], accelerator.device), accelerator.autocast():
        written = sample_batch(
            model, beginnings, given.shape[1] - prompt, eos_id=None, generator=generator
        )
    return written.ids.cpu()


def _expected(model: nn.Module, ids: Tensor, prompt: int, accelerator: Accelerator) -> Tensor:
    """Log-probabilities (N, V) for every token behind the beginning, all texts in a row."""
    found = []
    with on_device([model], accelerator.device):
        for part in ids.split(TOGETHER):
            with accelerator.autocast():
                logits = model(input_ids=part.to(accelerator.device), use_cache=False).logits
            found.append(log_softmax(logits[:, prompt - 1 : -1]).flatten(0, 1).cpu())
    return torch.cat(found)
