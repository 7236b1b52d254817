"""What all tests share: no network, one thread, quiet libraries."""

import collections
import os
import runpy
import signal
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
# As in a terminal: a job in the background ignores Ctrl-C, and one under nohup SIGHUP, which tests
# send to themselves and to the runs that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.hookimpl(trylast=True)  # after chapters/conftest.py has marked the notebooks
def pytest_collection_modifyitems(items):
    # The longest files first: begun last, one of them would keep a single core busy at the end.
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
    _skip_without_gpu(items)
    _refuse_addresses(items)
    for item in items:
        for marker in item.iter_markers("door"):
            item.user_properties.append(("door", marker.args[0]))


def _refuse_addresses(items):
    """Of an object's address: another in each process, which then seem to have different tests."""
    if moving := [item.nodeid for item in items if " at 0x" in item.nodeid]:
        raise pytest.UsageError(f"give its parameters ids that stay: {moving[0]}")


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


@pytest.fixture
def inputs_tried(record_property):
    """Call with a number, in a test that tries so many inputs at a door, once all are asserted."""
    return lambda number: record_property("inputs", number)


def pytest_terminal_summary(terminalreporter):
    """What runs were put through and what was brought to the doors, and how they came out of it."""
    _list_faults(terminalreporter)
    _count_inputs(terminalreporter)


def _count_inputs(terminalreporter):
    """How many inputs were tried at each door (``pytest.mark.door``): all refused by name or right."""
    tried = collections.Counter()
    for report in terminalreporter.getreports("passed"):
        properties = dict(report.user_properties)
        if "door" in properties and report.when == "call":
            tried[properties["door"]] += properties.get("inputs", 1)
    if tried:
        terminalreporter.section(
            f"{tried.total()} inputs tried at the doors, each refused or right"
        )
        for door, number in sorted(tried.items()):
            terminalreporter.write_line(f"{door:48} {number}")


def _list_faults(terminalreporter):
    """What was damaged or stopped, and how each run came out of it (see faults/)."""
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
