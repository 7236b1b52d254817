"""A teacher's sparse targets on disk: made once, read by every epoch and every run that follows.

    FOLDER/manifest.json        what the targets are, of which teacher, and which shards there are
    FOLDER/<hash>.safetensors   a shard: the packed targets of some blocks of text, and their keys

A block is found by its key, a hash of its tokens, never by its place in a data set: text in another
order cannot be given the targets of other text. A maker that stops loses at most one shard, and goes
on where it was.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from kdlib.data.blocks import Blocks
from kdlib.errors import UserError
from kdlib.files import claimed, write_atomically
from kdlib.losses.softmax import log_softmax
from kdlib.losses.sparse import KINDS, SparseTargets
from kdlib.machine.progress import bar
from kdlib.teachers.packing import pack, unpack

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

FORMAT = 1
MANIFEST = "manifest.json"
# What a maker that is killed can lose: minutes, of a big teacher on a processor.
SHARD_TOKENS = 2**16
PASS_TOKENS = 1024  # that the teacher reads at once
KEY_BYTES = 16


@dataclass(frozen=True)
class Contents:
    """What a cache holds. Whoever wants anything else is refused, by the field that differs."""

    teacher: str  # hash of its weights
    tokenizer: str  # its hash
    kind: str  # one of `targets.KINDS`
    k: int  # tokens kept of each distribution, or drawn from it
    temperature: float  # of the teacher's softmax
    positions: int  # predicted tokens in a block
    seed: int  # of the draws


def contents_of(
    teacher: nn.Module,
    tokenizer: PreTrainedTokenizerFast,
    blocks: Blocks,
    kind: str,
    k: int,
    temperature: float,
    seed: int,
) -> Contents:
    """What a cache of this teacher's targets for such blocks holds. UserError for a k of the likeliest
    tokens that the vocabulary does not have."""
    _check_k(teacher, kind, k)
    weights = hashlib.sha256()
    for name, parameter in sorted(teacher.named_parameters()):
        weights.update(name.encode())
        weights.update(parameter.detach().cpu().contiguous().view(torch.uint8).numpy().data)
    tokens = hashlib.sha256(tokenizer.backend_tokenizer.to_str().encode())
    positions = blocks.ids.shape[1] - 1
    return Contents(weights.hexdigest(), tokens.hexdigest(), kind, k, temperature, positions, seed)


def _check_k(teacher: nn.Module, kind: str, k: int) -> None:
    config: Any = teacher.config
    most = {"sampled": k, "top_k": config.vocab_size, "with_tail": config.vocab_size - 1}[kind]
    if k > most:
        raise UserError(
            f"targets.k: {k} is more than {kind} can keep of this vocabulary; use at most {most}"
        )


def write_cache(
    folder: Path,
    contents: Contents,
    teacher: nn.Module,
    blocks: Blocks,
    autocast: Callable[[], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext,
) -> dict[str, Any]:
    """Make the cache, or what is missing of it, and return its manifest.

    The draws for a block follow from the seed and its tokens, not from what was made before it.
    UserError where the folder holds other targets or something that is no cache.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with claimed(folder):
        manifest = _manifest_to_go_on_with(folder, contents)
        rows, made = {key: row for row, key in enumerate(_keys(blocks))}, _index(folder, manifest)
        missing = [row for key, row in rows.items() if key not in made]
        with bar(
            "teacher targets", len(rows), done=len(rows) - len(missing), unit="block"
        ) as progress:
            for some in _groups(torch.tensor(missing, dtype=torch.long), SHARD_TOKENS, contents):
                started, packed = time.perf_counter(), []
                for group in _groups(some, PASS_TOKENS, contents):
                    with autocast():
                        packed += _packed(teacher, blocks.ids[group], contents)
                    progress.update(len(group))
                shard = _write_shard(folder, _select(blocks, some), packed)
                shard["seconds"] = round(time.perf_counter() - started, 3)
                _write_manifest(folder, manifest, [*manifest["shards"], shard], complete=False)
        return _write_manifest(folder, manifest, manifest["shards"], complete=True)


class CachedTargets:
    """targets(rows, ids) -> SparseTargets (B, T, k) for the blocks of these row numbers.

    `prefetch(rows)` begins to read what is going to be asked for next. UserError where the cache is
    of something else, is not complete, is damaged, or lacks one of the blocks.
    """

    def __init__(self, folder: Path, contents: Contents, blocks: Blocks):
        manifest = read_manifest(folder)
        _refuse_other_contents(folder, manifest, contents)
        if not manifest["complete"]:
            raise UserError(f"cache: {folder} is not complete; finish it with `kdlib cache`")
        for shard in manifest["shards"]:
            if not _is_intact(folder, shard):
                raise UserError(
                    f"cache: {folder / shard['file']} is missing or damaged;"
                    " `kdlib cache` makes it again"
                )
        index = _index(folder, manifest)
        places = [index.get(key) for key in _keys(blocks)]
        if None in places:
            raise UserError(
                f"cache: {folder} lacks {places.count(None)} of the {len(places)} blocks of this text;"
                " `kdlib cache` adds them"
            )
        self._contents = contents
        self._places = [place for place in places if place is not None]
        self._pool = ThreadPoolExecutor(1, "kdlib-cache")
        self._coming: dict[int, Future[SparseTargets]] = {}

    def prefetch(self, rows: Tensor) -> None:
        for row in rows.tolist():
            if row not in self._coming:
                self._coming[row] = self._pool.submit(self._read, row)

    def __call__(self, rows: Tensor, ids: Tensor) -> SparseTargets:
        coming = [self._coming.pop(row, None) for row in rows.tolist()]
        read = [c.result() if c else self._read(row) for c, row in zip(coming, rows.tolist())]
        stacked: list[Any] = [None if f[0] is None else torch.stack(f) for f in zip(*read)]
        return SparseTargets(*stacked).map(lambda t: t.to(ids.device, non_blocking=True))

    def _read(self, row: int) -> SparseTargets:
        place = self._places[row]
        data = place.payload[place.start : place.end].numpy().tobytes()
        return unpack(data, self._contents.kind, self._contents.positions, self._contents.k)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a cache; UserError where there is none that this version can read."""
    path = folder / MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(path.read_text())
        version = manifest["format"]
    except FileNotFoundError:
        raise UserError(f"cache: {folder} is no cache; make one with `kdlib cache`") from None
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"cache: {path} is damaged; delete {folder} and make it again") from error
    if version != FORMAT:
        raise UserError(f"cache: {folder} has format {version}, this version reads {FORMAT}")
    return manifest


# --- Making -----------------------------------------------------------------------------------


def _groups(rows: Tensor, tokens: int, contents: Contents) -> tuple[Tensor, ...]:
    """The rows in groups of about so many tokens."""
    return rows.split(max(1, tokens // contents.positions)) if len(rows) else ()


@torch.no_grad()
def _packed(teacher: nn.Module, ids: Tensor, contents: Contents) -> list[bytes]:
    """The targets of a few blocks (B, T + 1)."""
    device: Any = teacher.device
    logits = teacher(input_ids=ids.to(device), use_cache=False).logits[:, :-1]
    log_p = log_softmax(logits, contents.temperature)
    return [pack(_keep(row, key, contents), contents.kind) for row, key in zip(log_p, _hashes(ids))]


def _keep(log_p: Tensor, key: bytes, contents: Contents) -> SparseTargets:
    if contents.kind != "sampled":
        return KINDS[contents.kind](log_p, contents.k)
    seed = hashlib.blake2b(key + str(contents.seed).encode(), digest_size=7).digest()
    generator = torch.Generator(log_p.device).manual_seed(int.from_bytes(seed))
    return KINDS["sampled"](log_p, contents.k, generator)


def _manifest_to_go_on_with(folder: Path, contents: Contents) -> dict[str, Any]:
    """A new one, or the one that is there, without shards that have been lost or damaged."""
    drafts_of_a_maker_killed_early = (path.name.startswith(".") for path in folder.iterdir())
    if all(drafts_of_a_maker_killed_early):
        new = {"format": FORMAT, "contents": dataclasses.asdict(contents)}
        return _write_manifest(folder, new, [], complete=False)
    manifest = read_manifest(folder)
    _refuse_other_contents(folder, manifest, contents)
    return manifest | {"shards": [s for s in manifest["shards"] if _is_intact(folder, s)]}


def _write_shard(folder: Path, blocks: Blocks, packed: list[bytes]) -> dict[str, Any]:
    """Write the file and return its entry in the manifest."""
    data = save(
        {
            "keys": torch.frombuffer(bytearray(b"".join(_keys(blocks))), dtype=torch.uint8),
            "ends": torch.tensor([len(p) for p in packed]).cumsum(0),
            "payload": torch.frombuffer(bytearray(b"".join(packed)), dtype=torch.uint8),
        }
    )
    digest = hashlib.sha256(data).hexdigest()
    name = f"{digest[:16]}.safetensors"
    write_atomically(folder / name, data)
    return {
        "file": name,
        "sha256": digest,
        "bytes": len(data),
        "blocks": len(packed),
        "tokens": blocks.predicted_tokens,
    }


def _write_manifest(
    folder: Path, manifest: dict[str, Any], shards: list[dict[str, Any]], complete: bool
) -> dict[str, Any]:
    """With the shards' sums: real tokens, what one takes on disk, seconds of the teacher's work."""
    size, tokens, seconds = (
        sum(s[name] for s in shards) for name in ("bytes", "tokens", "seconds")
    )
    manifest |= {
        "complete": complete,
        "tokens": tokens,
        "bytes_per_token": round(size / max(1, tokens), 2),
        "seconds": round(seconds, 3),
        "shards": shards,
    }
    write_atomically(folder / MANIFEST, json.dumps(manifest, indent=1) + "\n")
    return manifest


# --- Finding -----------------------------------------------------------------------------------


class _Place(NamedTuple):
    """Where a block's targets stand: a slice of a shard's payload, mapped into memory."""

    payload: Any
    start: int
    end: int


def _index(folder: Path, manifest: dict[str, Any]) -> dict[bytes, _Place]:
    index = {}
    for shard in manifest["shards"]:
        opened = safe_open(folder / shard["file"], framework="pt")
        keys, ends = opened.get_tensor("keys").numpy().tobytes(), opened.get_tensor("ends").tolist()
        for row, (start, end) in enumerate(zip([0, *ends], ends)):
            key = keys[row * KEY_BYTES : (row + 1) * KEY_BYTES]
            index[key] = _Place(opened.get_slice("payload"), start, end)
    return index


def _keys(blocks: Blocks) -> list[bytes]:
    return _hashes(blocks.ids)


def _hashes(ids: Tensor) -> list[bytes]:
    rows = ids.cpu().int().numpy()
    return [hashlib.blake2b(row.tobytes(), digest_size=KEY_BYTES).digest() for row in rows]


def _select(blocks: Blocks, rows: Tensor) -> Blocks:
    return dataclasses.replace(blocks, ids=blocks.ids[rows], mask=blocks.mask[rows])


def _is_intact(folder: Path, shard: dict[str, Any]) -> bool:
    path = folder / shard["file"]
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == str(shard["sha256"])


def _refuse_other_contents(folder: Path, manifest: dict[str, Any], wanted: Contents) -> None:
    for name, value in dataclasses.asdict(wanted).items():
        held = manifest["contents"].get(name)
        if held != value:
            raise UserError(
                f"cache: {folder} is for {name} {_short(held)}, and {_short(value)} is wanted;"
                " give another folder, or leave it as it was"
            )


def _short(value: object) -> str:
    return f"{value[:12]}…" if isinstance(value, str) and len(value) > 16 else str(value)
