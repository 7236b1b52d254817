"""What all tests share: no network, one thread, quiet libraries."""

import os
import runpy
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
OFFLINE = TESTS / "offline"

os.environ["HF_HUB_OFFLINE"] = "1"
# Two test processes with two threads each would wait for one another at every matrix product.
os.environ["OMP_NUM_THREADS"] = "1"
runpy.run_path(str(OFFLINE / "sitecustomize.py"))
sys.path.insert(0, str(TESTS))  # oracles.py


@pytest.hookimpl(trylast=True)  # after chapters/conftest.py has marked the notebooks
def pytest_collection_modifyitems(items):
    # The longest files first: begun last, one of them would keep a single core busy at the end.
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
    _skip_without_gpu(items)


def _skip_without_gpu(items):
    """Tests that need a GPU say so where there is none."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if not marked:
        return
    import torch

    if not torch.cuda.is_available():
        reason = f"needs an NVIDIA GPU; torch {torch.__version__} finds none on this machine"
        for item in marked:
            item.add_marker(pytest.mark.skip(reason=reason))


def pytest_terminal_summary(terminalreporter):
    """What runs were put through and how they came out of it (see faults/)."""
    faults = [
        outcome
        for report in terminalreporter.getreports("passed")
        for name, outcome in report.user_properties
        if name == "fault" and report.when == "call"
    ]
    if faults:
        terminalreporter.section(f"{len(faults)} faults tried and survived, nothing lost")
        for fault, outcome in sorted(map(tuple, faults)):
            terminalreporter.write_line(f"{fault:48} {outcome}")
