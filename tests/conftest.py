"""What all tests share: no network, one thread, quiet libraries."""

import os
import runpy
import sys
from pathlib import Path

TESTS = Path(__file__).parent
OFFLINE = TESTS / "offline"

os.environ["HF_HUB_OFFLINE"] = "1"
# Two test processes with two threads each would wait for one another at every matrix product.
os.environ["OMP_NUM_THREADS"] = "1"
runpy.run_path(str(OFFLINE / "sitecustomize.py"))
sys.path.insert(0, str(TESTS))  # oracles.py
