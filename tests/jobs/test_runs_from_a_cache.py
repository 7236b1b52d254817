"""The tiny recipe taught from a cache of targets on disk."""

import json
import shlex

import pytest
from forked import kdlib
from little_runs import QUICK

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def little_cache(few_speeches, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache") / "cache"
    made = kdlib("cache", "tiny", *few_speeches, "--out", folder)
    assert made.code == 0, made.err
    return folder, made.out


def test_a_student_learns_from_a_cache(little_cache, few_speeches, tmp_path):
    _, printed = little_cache
    program, *printed_command = shlex.split(printed.partition("Use it:")[2])
    assert program == "kdlib"
    own = ("--targets.kind", "with_tail", "--targets.k", "8", "--data.block", "64")
    commands = {"given": printed_command, "own": ("distill", "tiny", *few_speeches, *own)}
    for out, command in commands.items():
        done = kdlib(*command, *QUICK, "--out", tmp_path / out)
        assert done.code == 0, done.err
        report = json.loads((tmp_path / out / "report.json").read_text())
        assert report["targets"]["readings_saved"] > 0
        assert report["seconds"]["teacher_pass"] > 0
        # Eight tokens and an untaught tail are worth less than labels here: nothing is claimed of them.
        if out == "given":
            assert report["advantage"]["control_equal_steps"]["low"] > 0
    assert not (tmp_path / "given" / "targets").exists()
    assert (tmp_path / "own" / "targets" / "manifest.json").is_file()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--targets.k", "7"), "is for k 50, and 7 is wanted"),
        (("--objective.temperature", "2"), "is for temperature 1.0, and 2.0 is wanted"),
        (("--data.block", "64"), "is for positions 128, and 64 is wanted"),
        (("--data.fraction", "0.8"), "lacks"),
    ],
)
def test_a_cache_of_something_else_is_refused_before_anything_is_written(
    little_cache, few_speeches, tmp_path, flags, message
):
    given = ("--targets.kind", "sampled", "--targets.cache", little_cache[0])
    refused = kdlib("distill", "tiny", *few_speeches, *given, *flags, "--out", tmp_path / "run")
    assert refused.code == 2
    assert message in refused.err and refused.err.count("\n") == 1
    assert not (tmp_path / "run").exists()
