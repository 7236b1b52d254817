"""Knowledge distillation of language models: exact, small, executed.

What most people need is here, by its own name; each is imported from its room when it is first
asked for, so that ``import kdlib`` alone costs next to nothing::

    import kdlib

    kdlib.distill("pocket", "runs/pocket")          # a recipe, from text to report
    kdlib.exercise("soften").check(my_soften)       # an exercise of the book, judged
    kdlib.forward_kl(log_p, log_q)                  # KL(P || Q) in nats, teacher first
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kdlib.errors import UserError
    from kdlib.exercises.registry import exercise
    from kdlib.jobs.pipeline import distill
    from kdlib.jobs.recipe import Recipe
    from kdlib.jobs.recipe_files import load_recipe
    from kdlib.losses.alignment import next_token
    from kdlib.losses.distillation import distillation_loss
    from kdlib.losses.divergences import (
        cross_entropy,
        entropy,
        forward_kl,
        generalized_jsd,
        get_divergence,
        reverse_kl,
        skew_kl,
    )
    from kdlib.losses.fused.inputs import Head, HiddenTargets
    from kdlib.losses.fused.loss import fused_distillation_loss
    from kdlib.losses.objectives import Loss, Objective
    from kdlib.losses.sparse import SparseTargets
    from kdlib.models.folders import load_model, load_tokenizer
    from kdlib.sequences.on_policy import on_policy_loss

__version__ = "0.1.0"

# Here, because it must come before torch, and nothing of this package comes before this.
importlib.import_module("kdlib.machine.waiting").bound_waiting(os.environ)

# name: its room. The imports above say the same to those who read types.
_ROOMS = {
    "Head": "losses.fused.inputs",
    "HiddenTargets": "losses.fused.inputs",
    "Loss": "losses.objectives",
    "Objective": "losses.objectives",
    "Recipe": "jobs.recipe",
    "SparseTargets": "losses.sparse",
    "UserError": "errors",
    "cross_entropy": "losses.divergences",
    "distill": "jobs.pipeline",
    "distillation_loss": "losses.distillation",
    "entropy": "losses.divergences",
    "exercise": "exercises.registry",
    "forward_kl": "losses.divergences",
    "fused_distillation_loss": "losses.fused.loss",
    "generalized_jsd": "losses.divergences",
    "get_divergence": "losses.divergences",
    "load_model": "models.folders",
    "load_recipe": "jobs.recipe_files",
    "load_tokenizer": "models.folders",
    "next_token": "losses.alignment",
    "on_policy_loss": "sequences.on_policy",
    "reverse_kl": "losses.divergences",
    "skew_kl": "losses.divergences",
}

__all__ = [
    "Head",
    "HiddenTargets",
    "Loss",
    "Objective",
    "Recipe",
    "SparseTargets",
    "UserError",
    "cross_entropy",
    "distill",
    "distillation_loss",
    "entropy",
    "exercise",
    "forward_kl",
    "fused_distillation_loss",
    "generalized_jsd",
    "get_divergence",
    "load_model",
    "load_recipe",
    "load_tokenizer",
    "next_token",
    "on_policy_loss",
    "reverse_kl",
    "skew_kl",
]


def __getattr__(name: str) -> Any:
    """PEP 562: called for what is not here yet."""
    if name not in _ROOMS:
        raise AttributeError(f"module 'kdlib' has no attribute {name!r}; see kdlib.__all__")
    value = getattr(importlib.import_module(f"kdlib.{_ROOMS[name]}"), name)
    globals()[name] = value  # the next time it is found without asking
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
