"""Which form of the loss's element-wise pass a run takes: chosen once, and the same at every resume.

The two forms round differently in the last digit, so the choice belongs to the run, not to the
moment: it is written into the run's state, and the report says which it was.
"""

from __future__ import annotations

import torch

from kdlib.errors import UserError
from kdlib.jobs.context import RunContext
from kdlib.jobs.recipe import Recipe
from kdlib.losses.fused.compiled import works
from kdlib.machine.distributed import run_on_main
from kdlib.training.run_state import read_state, write_state

PASS = "loss_pass"
COMPILED, EAGER = "compiled", "eager"


def uses_compiled_pass(context: RunContext) -> bool:
    """Whether the run's losses take the compiled pass; chosen and noted by the first who asks.

    Args:
        context: the run, whose folder has a state.

    Raises:
        UserError: if the run has begun with the compiled pass, or asks for it, and no compiler
            works here.
    """

    def note() -> str:
        state = read_state(context.folder)
        if PASS not in state:
            chosen = choose_pass(context.recipe, context.accelerator.device)
            write_state(context.folder, state | {PASS: chosen})
        elif state[PASS] == COMPILED and not works(context.accelerator.device):
            raise UserError(
                "resume: the run began with a compiled loss, and no compiler works here; install"
                " one (C++, on a GPU Triton), or start anew with --loss-pass eager"
            )
        return str(read_state(context.folder)[PASS])

    return run_on_main(note) == COMPILED


def choose_pass(recipe: Recipe, device: torch.device) -> str:
    """What the recipe asks for; where it leaves the choice open, what is faster.

    On a GPU each pass over the logits goes to its memory and back, and the compiled form makes two
    of ten. On a processor a chunk's logits stay in the cache, and nothing was gained.

    Args:
        recipe: its ``compile`` and ``loss_pass`` are used.
        device: where the losses are computed.

    Raises:
        UserError: for a compiled pass that is asked for where no compiler works.
    """
    asked: str = recipe.loss_pass
    if asked == "auto":
        asked = COMPILED if recipe.compile else ""
    if asked == COMPILED and not works(device):
        raise UserError(
            "loss_pass: no compiler works here; install one (C++, on a GPU Triton), or leave out"
            " --compile and --loss-pass compiled"
        )
    return asked or (COMPILED if device.type != "cpu" and works(device) else EAGER)
