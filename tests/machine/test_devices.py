"""What is said about the machine is about this process."""

import platform
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from kdlib.machine import devices
from kdlib.machine.devices import describe_machine, peak_accelerator_bytes, peak_memory_bytes


def test_a_child_does_not_inherit_its_parents_peak():
    held = torch.ones(200_000_000, dtype=torch.uint8)
    ours = peak_memory_bytes()
    code = "from kdlib.machine.devices import peak_memory_bytes; print(peak_memory_bytes())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ours > held.numel()
    assert int(done.stdout) < ours - held.numel() / 2


def run_on(device, ranks=1):
    return SimpleNamespace(device=torch.device(device), num_processes=ranks)


@pytest.fixture
def two_gpus(monkeypatch):
    """The second is the one in use."""
    gpus = {0: ("NVIDIA Idle", 1), 1: ("NVIDIA H200", 150_754_820_096)}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: gpus[device.index][0])
    monkeypatch.setattr(
        torch.cuda,
        "get_device_properties",
        lambda device: SimpleNamespace(total_memory=gpus[device.index][1]),
    )
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 3_000_000_000)


def test_a_report_names_the_gpu_and_its_memory(two_gpus):
    machine = describe_machine(run_on("cuda:1", ranks=2), "bf16")
    assert machine["device"] == "cuda:1" and machine["precision"] == "bf16"
    assert machine["accelerator"] == {"name": "NVIDIA H200", "memory_gb": 150.8, "count": 2}
    assert "NVIDIA" not in machine["processor"]
    assert peak_accelerator_bytes() == 3_000_000_000


def test_without_a_gpu_none_is_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert set(describe_machine(run_on("cpu"), "fp32")) == {
        "device", "processor", "threads", "precision",
    }  # fmt: skip
    assert peak_accelerator_bytes() is None


def test_a_gpu_that_was_not_used_has_no_peak(two_gpus, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
    assert peak_accelerator_bytes() is None


def told_by_sysctl(command, **_):
    assert command[1:] == ["-n", "machdep.cpu.brand_string"]
    return SimpleNamespace(stdout="Apple M4 Pro\n")


def no_sysctl(command, **_):
    raise FileNotFoundError(2, "No such file or directory", command[0])


@pytest.mark.parametrize(
    ("system", "run", "platforms_word", "name"),
    [
        ("darwin", told_by_sysctl, "arm", "Apple M4 Pro"),
        ("darwin", no_sysctl, "arm", "arm"),
        ("win32", no_sysctl, "AMD64 Family 25 Model 97", "AMD64 Family 25 Model 97"),
        ("win32", no_sysctl, "", "some machine"),
    ],
)
def test_processor_is_named_on_every_system(monkeypatch, system, run, platforms_word, name):
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(platform, "processor", lambda: platforms_word)
    monkeypatch.setattr(platform, "machine", lambda: "some machine")
    assert devices.processor_name() == name


@pytest.mark.parametrize(
    ("cpuinfo", "name"),
    [
        ("processor\t: 0\nmodel name\t: Xeon: the 4th\nmodel name\t: other\n", "Xeon: the 4th"),
        ("processor\t: 0\nBogoMIPS\t: 50.00\n", "aarch64"),
    ],
)
def test_processor_is_named_as_linux_names_it(monkeypatch, cpuinfo, name):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(Path, "read_text", lambda path: cpuinfo)
    monkeypatch.setattr(platform, "processor", lambda: "")
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert devices.processor_name() == name
