"""The scores of every token on disk: what `kdlib compare` and a second look read instead of models.

One safetensors file holds the scores of all models of a run on one text, and in its metadata what
they were made of. They are read again only for exactly that.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from kdlib.files import write_atomically
from kdlib.reports.layout import Layout
from kdlib.reports.scores import TokenScores

FORMAT = "kdlib-scores-1"
LAYOUT, TEACHERS_LAYOUT = "layout", "layout of the teacher"


@dataclass(frozen=True)
class Scores:
    """All models of a run on one text.

    Attributes:
        layout: of the tokens of student and controls.
        teachers_layout: of the teacher's; the same, unless the student has its own tokenizer.
        text_bytes: UTF-8 bytes of the text.
        models: the scores of the teacher and of the first seed's learners, by name.
        losses: (T,) nats, of the further seeds' learners, by name, and of "ngram", which counts.
    """

    layout: Layout
    teachers_layout: Layout
    text_bytes: int
    models: dict[str, TokenScores]
    losses: dict[str, np.ndarray]

    @property
    def tokens(self) -> int:
        """Tokens that the learners predict."""
        return len(self.layout.token)

    def unit_losses(self, name: str) -> np.ndarray:
        """A model's summed loss on each document, or block of a single one: (units,), in nats."""
        layout = self.teachers_layout if name == "teacher" else self.layout
        return layout.by_unit(self.losses[name] if name in self.losses else self.models[name].nll)

    @property
    def unit_tokens(self) -> np.ndarray:
        """Tokens of each document, or block of a single one: (units,)."""
        return self.layout.by_unit(np.ones(self.tokens))


def scores_path(folder: Path, text_sha256: str) -> Path:
    """Where a run keeps the scores on the text with this checksum: for each text a file."""
    return folder / f"scores_{text_sha256[:12]}.safetensors"


def write_scores(path: Path, scores: Scores, made_of: dict[str, str]) -> None:
    """Write the scores.

    Args:
        path: of the file.
        scores: what to write.
        made_of: checksums of text and models; any text by any name.
    """
    parts: dict[str, NamedArrays] = {
        LAYOUT: scores.layout,
        TEACHERS_LAYOUT: scores.teachers_layout,
        **scores.models,
    }
    arrays = {
        f"{name}.{quantity}": np.ascontiguousarray(array)
        for name, part in parts.items()
        for quantity, array in part._asdict().items()
    }
    arrays |= {f"{name}.nll": array for name, array in scores.losses.items()}
    metadata = {"format": FORMAT, "text_bytes": str(scores.text_bytes)}
    metadata["made_of"] = json.dumps(made_of)
    metadata["sha256"] = _digest(arrays, metadata)
    write_atomically(path, save(arrays, metadata))


NamedArrays = Layout | TokenScores


def _digest(arrays: dict[str, np.ndarray], metadata: dict[str, str]) -> str:
    """Checksum of all that the file says: one with a flipped bit can still be read."""
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype} {array.shape}".encode() + array.tobytes())
    return digest.hexdigest()


def read_scores(path: Path, made_of: dict[str, str] | None = None) -> Scores | None:
    """Read scores.

    Args:
        path: of the file.
        made_of: what they must be made of; None for whatever they are made of.

    Returns:
        The scores; None if there are none, or of another text, of other models, or damaged: they
        can be measured again.
    """
    if not path.is_file():  # nor a folder or a pipe: to open that would be to wait
        return None
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError):
        return None
    # Before anything in it is believed: damage may also have hit a name or the metadata.
    if metadata.pop("sha256", None) != _digest(arrays, metadata):
        return None
    if metadata["format"] != FORMAT:
        return None
    if made_of is not None and json.loads(metadata["made_of"]) != made_of:
        return None
    return _from_arrays(arrays, int(metadata["text_bytes"]))


def _from_arrays(arrays: dict[str, np.ndarray], text_bytes: int) -> Scores:
    """Put the arrays back to where they belong."""
    parts: dict[str, dict[str, np.ndarray]] = {}
    for key, array in arrays.items():
        name, _, quantity = key.rpartition(".")
        parts.setdefault(name, {})[quantity] = array
    layout, teachers = (Layout(**parts.pop(name)) for name in (LAYOUT, TEACHERS_LAYOUT))
    whole = {name for name, part in parts.items() if len(part) > 1}
    return Scores(
        layout,
        teachers,
        text_bytes,
        {name: TokenScores(**parts[name]) for name in parts if name in whole},
        {name: part["nll"] for name, part in parts.items() if name not in whole},
    )
