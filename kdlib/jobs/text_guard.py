"""A run knows its text: the checksums of its splits are in its state, and no other text passes.

A file that was edited, or paragraphs in another order, can put what a student was trained on into
its test. The numbers would look better than they are, and nothing would look wrong.
"""

from __future__ import annotations

from pathlib import Path

from kdlib.data.document import text_sha256
from kdlib.errors import UserError
from kdlib.jobs.context import RunContext, RunText
from kdlib.training.run_state import read_state


def refuse_another_text(context: RunContext) -> None:
    """Refuse to go on with, or to measure, a run whose text has changed.

    Args:
        context: the run, with the text as it is now.

    Raises:
        UserError: naming the splits that differ.
    """
    changed = changed_splits(context.folder, context.text)
    if changed:
        raise UserError(
            f"text: {context.recipe.data.name} is not the text that {context.folder} was started"
            f" with: its {' and '.join(changed)} documents have changed; put the old text back, or"
            " start a new run with another --out (`kdlib evaluate --text` measures on any text)"
        )


def changed_splits(folder: Path, text: RunText) -> list[str]:
    """Which splits of a text are not those that a run was started with.

    Args:
        folder: the run's folder.
        text: the run's text, as it is now.

    Returns:
        Their names; all of them for a run that has recorded none.
    """
    recorded, now = read_state(folder).get("text", {}), text_checksums(text)
    return [name for name in now if recorded.get(name) != now[name]]


def text_checksums(text: RunText) -> dict[str, str]:
    """The SHA-256 of each split's documents, as the state of a new run records them."""
    return {name: text_sha256(part) for name, part in text.named_splits.items()}
