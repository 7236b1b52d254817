"""Single files out of npm packages, fetched once, checked and kept in the build folder."""

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
    """A file of an npm package, in the version that was tested."""

    package: str
    version: str
    path: str
    sha256: str

    def file(self, folder: Path) -> Path:
        """The file, out of `folder` or, the first time, out of the package."""
        kept = folder / f"{self.package}-{self.version}" / Path(self.path).name
        if not kept.exists() or _hash(kept.read_bytes()) != self.sha256:
            content = self._fetched()
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(kept, content)
        return kept

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
            raise Unavailable(f"{self.package} {self.version}: {self.path} is not as it was tested")
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
        with tarfile.open(archives[0]) as archive:
            return archive.extractfile(f"package/{self.path}").read()


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# One file that draws formulas as SVG: no fonts, no further files, so it works from a folder.
MATHJAX = Vendored(
    "mathjax",
    "3.2.2",
    "es5/tex-svg-full.js",
    "a4354ff94fd868aea0cc6eaaa79a57fda0588646fc46ee3700a349ee0a11cbe6",
)
