"""What all tests share: no network, one thread, quiet libraries."""

import os
import runpy
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
OFFLINE = TESTS / "offline"

os.environ["HF_HUB_OFFLINE"] = "1"
runpy.run_path(str(OFFLINE / "sitecustomize.py"))
sys.path.insert(0, str(TESTS))  # oracles.py


@pytest.fixture
def run_kdlib(tmp_path):
    """Run `kdlib ARGUMENTS` as its users do, in a subprocess; gives the completed process."""
    import subprocess

    def run(*arguments: str, timeout: float = 240, **environment: str):
        return subprocess.run(
            [sys.executable, "-m", "kdlib", *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(OFFLINE), **environment},
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    return run
