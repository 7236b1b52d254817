"""How long a text a model reads at once."""

from __future__ import annotations

from typing import Any


def context_length(model: Any) -> int | None:
    """Tokens that a model reads at once; None for a model without a limit.

    Args:
        model: a model of transformers.
    """
    longest = getattr(model.config, "max_position_embeddings", None)
    return longest if longest and longest > 0 else None  # some store -1 or 0 for "no limit"
