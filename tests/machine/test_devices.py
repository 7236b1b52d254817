"""What is said about the machine is about this process."""

import subprocess
import sys

import torch

from kdlib.machine.devices import peak_memory_bytes


def test_a_child_does_not_inherit_its_parents_peak():
    held = torch.ones(200_000_000, dtype=torch.uint8)
    ours = peak_memory_bytes()
    code = "from kdlib.machine.devices import peak_memory_bytes; print(peak_memory_bytes())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ours > held.numel()
    assert int(done.stdout) < ours - held.numel() / 2
