"""Threads spin for a bounded time, whoever loads torch, unless the user says otherwise."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kdlib.machine.waiting import SPINCOUNT, bound_waiting

ROOT = Path(__file__).parents[2]


def test_the_bound_is_set():
    environment = {}
    bound_waiting(environment)
    assert environment == {"GOMP_SPINCOUNT": SPINCOUNT}


def test_a_users_own_bound_stays():
    environment = {"GOMP_SPINCOUNT": "7"}
    bound_waiting(environment)
    assert environment == {"GOMP_SPINCOUNT": "7"}


def test_a_users_own_policy_is_not_overruled():
    environment = {"OMP_WAIT_POLICY": "ACTIVE"}
    bound_waiting(environment)
    assert environment == {"OMP_WAIT_POLICY": "ACTIVE"}


@pytest.mark.parametrize(
    "statement", ["import kdlib", "import kdlib.cli", "from kdlib import losses"]
)
def test_it_is_set_before_torch_is_loaded(statement):
    """Whoever imports anything of the package has the bound, and torch is not there yet."""
    code = f"""{statement}
import os, sys
assert "torch" not in sys.modules
print(os.environ["GOMP_SPINCOUNT"])"""
    clean = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"}
    printed = subprocess.run(
        [sys.executable, "-c", code], env=clean, capture_output=True, text=True, check=True
    )
    assert printed.stdout.strip() == SPINCOUNT


def test_make_lab_has_the_same_bound():
    """A notebook may import torch first: there the bound must come from outside."""
    lines = (ROOT / "Makefile").read_text()
    assert re.findall(r"^lab: export GOMP_SPINCOUNT \?= (\d+)$", lines, re.MULTILINE) == [SPINCOUNT]
