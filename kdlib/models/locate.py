"""Find the model that a recipe names: shipped, fetched, in a folder, or on the hub."""

from __future__ import annotations

import re
from pathlib import Path

from kdlib.errors import UserError, first_line
from kdlib.models.fetch import PACKAGES, fetched_folder
from kdlib.models.folders import POCKET_TEACHER

HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?")
# Weights as safetensors only, and no code.
HUB_FILES = ["*.safetensors", "*.json", "*.jinja", "tokenizer.model", "merges.txt", "vocab.txt"]


def find_model(source: str) -> Path:
    """The folder of a model.

    A path is returned as it is, even if there is no such folder: loading it reports what is wrong.

    Args:
        source: ``pocket``, a model of ``kdlib fetch``, the path of a folder, or ``OWNER/NAME`` on
            the hub, with or without ``@REVISION``. An existing folder comes before the hub.

    Returns:
        The path of the folder.

    Raises:
        UserError: for a model that has not been fetched yet or that the hub does not provide.
    """
    if source == "pocket":
        return POCKET_TEACHER
    if source in PACKAGES:
        return fetched_folder(source)
    folder = Path(source).expanduser()
    if not folder.exists() and HUB_NAME.fullmatch(source):
        return _from_hub(source)
    return folder


def _from_hub(source: str) -> Path:
    """Download the model into the hub's own cache, unless it is there already."""
    from huggingface_hub import snapshot_download

    name, _, revision = source.partition("@")
    try:
        folder = snapshot_download(name, revision=revision or None, allow_patterns=HUB_FILES)
    except Exception as error:  # no network, no such model, no permission, a full disk
        raise UserError(
            f"model: {source} is no folder here, and the hub does not give it: {first_line(error)}"
        ) from error
    return Path(folder)
