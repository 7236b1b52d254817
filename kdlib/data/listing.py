"""Which files of a folder are its documents, and how many of the others there are of each kind.

What programs leave behind is no document: copies for a backup, settings, a bin. Their texts are old
versions of the documents beside them, and would put what a student was trained on into its test.
"""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from pathlib import Path

from kdlib.errors import UserError

SUFFIX = ".txt"
HIDDEN, BACKUP, SYSTEM = "hidden", "backup copies", "a system's own"
AGAIN, BROKEN, SPECIAL = "the same file again", "links that lead nowhere", "not regular files"

_SYSTEMS_OWN = {
    *("__pycache__", "__macosx", "thumbs.db", "desktop.ini", "$recycle.bin", "lost+found"),
    *("system volume information", "node_modules", "@eadir", "cvs", "icon\r"),
}
_BACKUP = re.compile(
    r".*~|#.*#|~\$.*|.*\.(?:bak|backup|old|orig|rej|save|tmp|temp|swp|swo|part|crdownload)"
    r"|.*\.txt\.\d+|.*\.~\d+~",
    re.IGNORECASE,
)
_COPY_BEFORE = re.compile(
    r"(?:backup|copy|kopie|copie|copia|cópia)(?: \(\d+\))? (?:of|von|de|di) (?P<of>.+)",
    re.IGNORECASE,
)
_COPY_AFTER = re.compile(
    r"(?P<of>.+?)(?:[ _-]+)\(?(?:copy|kopie|copie|copia|cópia|backup)\)?(?: ?\(?\d+\)?)?",
    re.IGNORECASE,
)


def text_files(folder: Path) -> tuple[list[Path], Counter[str]]:
    """The files in and below a folder that are its documents.

    These are the ``.txt`` files, in letters of either case. Links are followed. A file or a folder
    that is reached twice counts once.

    Args:
        folder: the folder, whose own name may be anything.

    Returns:
        The files, sorted by path; and how many others were left out, by reason.

    Raises:
        UserError: for a folder that cannot be read.
    """
    found: list[Path] = []
    left_out: Counter[str] = Counter()
    # A link to the folder itself, or to one above it, leads back to the same files.
    whole = folder.resolve()
    seen = {_identity(place.stat()) for place in (whole, *whole.parents)}
    waiting = [folder]
    while waiting:
        place = waiting.pop()
        below = []
        for path in _entries(place):
            reason = _reason(path, seen)
            if reason is not None:
                left_out[reason] += 1
            elif path.is_dir():
                below.append(path)
            else:
                found.append(path)
        waiting += reversed(below)
    return sorted(found), left_out


def _entries(folder: Path) -> list[Path]:
    """What is in a folder: files before links to them, so that a file has its own name."""
    try:
        return sorted(folder.iterdir(), key=lambda path: (path.is_symlink(), path))
    except OSError as error:
        raise UserError(f"text: {folder} cannot be read: {error.strerror or error}") from error


def _reason(path: Path, seen: set[tuple[int, int]]) -> str | None:
    """Why a file or a folder is left out; None if it is not."""
    if path.name.startswith("."):
        return HIDDEN
    if path.name.casefold() in _SYSTEMS_OWN:
        return SYSTEM
    try:
        status = path.stat()
    except OSError:
        return BROKEN
    is_folder = stat.S_ISDIR(status.st_mode)
    if not is_folder and not stat.S_ISREG(status.st_mode):
        return SPECIAL
    if not is_folder and _is_backup(path):
        return BACKUP
    if not is_folder and path.suffix.lower() != SUFFIX:
        return f"{path.suffix.lower() or 'no suffix'}"
    if _identity(status) in seen:
        return AGAIN
    seen.add(_identity(status))
    return None


def _identity(status: os.stat_result) -> tuple[int, int]:
    """The same for all names of one file or folder."""
    return status.st_dev, status.st_ino


def _is_backup(path: Path) -> bool:
    """Whether a file's name says that it is a copy, of a file that is there if it says of which."""
    if _BACKUP.fullmatch(path.name):
        return True
    matches = (pattern.fullmatch(path.stem) for pattern in (_COPY_BEFORE, _COPY_AFTER))
    originals = (path.with_name(match["of"] + path.suffix) for match in matches if match)
    return any(map(os.path.exists, originals))
