"""Whatever is typed: one line that says what is wrong, a known exit code, and nothing left behind.

A run itself is replaced by nothing here: what counts is the way of a word from the command line to
the recipe, and of a recipe from a file.
"""

import io
import itertools
import os
import random
import subprocess
import sys

import pytest

from kdlib import cli
from kdlib.jobs import caches, pipeline
from kdlib.jobs.fields import fields_of
from kdlib.jobs.recipe import CacheOptions, DistillOptions

pytestmark = pytest.mark.door("command lines")

VALUES = [
    "", " ", "-1", "0", "1e308", "-1e308", "nan", "inf", "-inf", "99999999999999999999",
    "9223372036854775807", "9" * 5000, "1.5", "True", "None", "x", "pocket", "--help", "--", "-",
    "two\nlines", "~nobody_of_this_name/x", "\udce9", "é世", "a" * 5000, "{}", "[1]", "'", "%s",
]  # fmt: skip
EXITS = {0, 1, 2, 130}


@pytest.fixture
def call(monkeypatch, tmp_path, capsys):
    """A command in this process, without its run: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pipeline, "distill", lambda *_, **__: None)
    for name in ("cache_targets", "cache_from_logprobs"):
        monkeypatch.setattr(caches, name, lambda *_: {"tokens": 1, "bytes_per_token": 1})
    monkeypatch.setattr(caches, "write_prompts", lambda *_: 1)

    def run(*arguments):
        code = 0
        try:
            cli.main([*arguments])
        except SystemExit as stop:
            code = stop.code or 0
        out, err = capsys.readouterr()
        return code, out, err

    return run


def assert_civil(result, arguments):
    code, _, err = result
    assert code in EXITS, (arguments, code)
    assert "Traceback" not in err and "a fault in kdlib" not in err, (arguments, err)
    assert code != 2 or len(err.strip().splitlines()) == 1, (arguments, err)
    if code == 2:
        assert err.startswith("kdlib: ") and len(err) > len("kdlib: \n"), (arguments, err)


def some_of(cases, number):
    return random.Random(17).sample(cases, number)


FLAGS = {
    "distill": [field.flag for field in fields_of(DistillOptions)] + ["--text", "--teacher"],
    "cache": [field.flag for field in fields_of(CacheOptions)],
}
CASES = [
    [verb, "tiny", flag, value]
    for verb, flags in FLAGS.items()
    for flag, value in itertools.product(flags, VALUES)
]


def test_no_value_of_a_flag_is_a_traceback(call, tmp_path, inputs_tried):
    for arguments in some_of(CASES, 60):
        assert_civil(call(*arguments), arguments)
    assert list(tmp_path.iterdir()) == []
    inputs_tried(60)


OTHERS = [
    *[[verb, value] for verb in ("evaluate", "compare", "generate", "recipe") for value in VALUES],
    *[["generate", ".", "text", flag, v] for flag in ("--seed", "--tokens") for v in VALUES],
    *[["evaluate", ".", "--text", v] for v in VALUES],
    *[["grade", "missing.py", "--timeout", v] for v in VALUES],
    *[["bench", v] for v in VALUES],
    *[["fetch", v] for v in VALUES],
    *[["distill", v] for v in VALUES if v not in ("pocket", "-", "--")],
    *[[v] for v in VALUES],
]


def test_no_argument_of_any_command_is_a_traceback(call, tmp_path, inputs_tried):
    for arguments in some_of(OTHERS, 60):
        result = call(*arguments)
        if arguments[0] != "grade":  # which warns before it judges
            assert_civil(result, arguments)
        assert "Traceback" not in result[2] and result[0] in EXITS
    assert list(tmp_path.iterdir()) == []
    inputs_tried(60)


@pytest.mark.parametrize(
    ("flag", "value", "word"),
    [
        ("--seed", "99999999999999999999", "seed"),
        ("--seed", "9223372036854775807", "seed"),
        ("--seed", "9300000000000", "seed"),
        ("--targets.seed", str(2**63), "targets.seed"),
        ("--data.vocabulary", "1000000000", "data.vocabulary"),
        ("--student.training.steps", "99999999999999999999", "student.training.steps"),
        ("--student.training.steps", "0", "student.training.steps"),
        ("--teacher.training.batch", "0", "teacher.training.batch"),
        ("--student.size.heads", "3", "student.size.heads"),
        ("--student.pruning.mlp-share", "nan", "student.pruning.mlp_share"),
        ("--student.size.initial-std", "nan", "student.size.initial_std"),
        ("--text", "", "data.text"),
        ("--teacher", " ", "teacher.source"),
        ("--text", "\udce9.txt", "UTF-8"),
        ("--text", "~nobody_of_this_name/x", "home"),
        ("--out", "~nobody_of_this_name/x", "home"),
        ("--out", "", "empty"),
    ],
)
def test_what_cannot_be_is_refused_by_its_full_name(call, flag, value, word):
    code, _, err = call("distill", "tiny", flag, value)
    assert code == 2 and word in err and len(err.splitlines()) == 1


def test_the_largest_seed_shuffles(call):
    from kdlib.jobs.bounds import LARGEST_SEED
    from kdlib.training.schedule import rows_of_step

    assert call("distill", "tiny", "--seed", str(LARGEST_SEED))[0] == 0
    assert len(rows_of_step(10**9, 3, 8, LARGEST_SEED + 1000)) == 8


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("--steps", "--student.training.steps"),
        ("--lr", "--student.training.learning-rate"),
        ("--studnet", "--student?"),
        ("--temperature", "--objective.temperature"),
        ("--temp", "--data.template"),
        ("--student.steps", "--student.training.steps"),
        ("--batch-size", "--student.training.batch"),
        ("--sead", "seed"),
    ],
)
def test_a_flag_that_is_none_names_the_one_that_is_meant(call, typed, meant):
    code, _, err = call("distill", "tiny", typed, "3")
    assert code == 2 and "unknown field" in err and f"did you mean {meant}" in err


@pytest.mark.parametrize(
    ("typed", "meant"), [("distil", "distill"), ("evaluat", "evaluate"), ("hlep", "help")]
)
def test_a_command_that_is_none_names_the_one_that_is_meant(call, typed, meant):
    code, _, err = call(typed)
    assert (code, err) == (2, f"kdlib: unknown command: {typed}; did you mean {meant}?\n")


def test_help_of_a_command_is_that_of_its_flag(call):
    assert call("help") == call("--help") == call()
    assert call("help", "grade") == call("grade", "--help")
    assert "default: 60" in call("help", "distill", "tiny")[1]


def test_the_version_is_that_of_the_package(call):
    import kdlib

    assert call("--version") == (0, f"kdlib {kdlib.__version__}\n", "")


RECIPES = {
    "a byte order mark": b"\xef\xbb\xbfseed = 3\n",
    "help = 1": b"help = 1\n",
    "value of dashes": b'[data]\ntext = "--help"\n',
    "a list": b"seed = [1]\n",
    "a zero byte": b'[data]\ntext = "a\\u0000b"\n',
    "Latin-1": b'[data]\ntext = "\xe9"\n',
    "nested": b"seed = " + b"[" * 50_000,
    "an empty name": b'"" = 1\n',
    "a huge number": b"seed = " + b"9" * 4000 + b"\n",
}


@pytest.mark.parametrize("content", RECIPES.values(), ids=RECIPES)
def test_no_recipe_file_is_a_traceback(call, tmp_path, content):
    (tmp_path / "my.toml").write_bytes(content)
    result = call("distill", "my.toml")
    assert_civil(result, content)
    good = content in (RECIPES["a byte order mark"], RECIPES["value of dashes"])
    assert result[0] == (0 if good else 2) and "usage" not in result[1]


def assert_no_recipe(result):
    code, _, err = result
    assert code == 2 and "not a regular file" in err


def test_a_folder_is_no_recipe(call, tmp_path):
    (tmp_path / "my.toml").mkdir()
    assert_no_recipe(call("distill", "my.toml"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows keeps no named pipes in folders")
def test_a_pipe_is_no_recipe_and_is_not_waited_for(call, tmp_path):
    os.mkfifo(tmp_path / "my.toml")
    assert_no_recipe(call("distill", "my.toml"))


def kdlib(*arguments, shell="{}", **environment):
    """The command in a process of its own, with this environment besides."""
    command = shell.format(f'"{sys.executable}" -m kdlib {" ".join(arguments)}')
    given = os.environ | {"OMP_NUM_THREADS": "1"} | environment
    return subprocess.run(["bash", "-c", command], capture_output=True, env=given)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_a_console_prints_what_it_can(encoding, monkeypatch):
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding) for _ in range(2))
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setitem(cli.COMMANDS, "doctor", lambda words: print("世é | \udce9 | end"))
    cli.main(["doctor"])
    with pytest.raises(SystemExit):
        cli.main(["distill", "世\udce9.toml"])
    out.flush(), err.flush()
    said, refusal = (stream.buffer.getvalue().decode(encoding) for stream in (out, err))
    assert said == "世é | ? | end\n".encode(encoding, "replace").decode(encoding)
    assert "?.toml is neither a file" in refusal


@pytest.mark.parametrize(
    ("shell", "code"),
    [("{} >&-", 0), ("{} 2>&-", 0), ("{} | head -c 1 > /dev/null; exit ${{PIPESTATUS[0]}}", 0)],
)
def test_nobody_has_to_listen(shell, code):
    done = kdlib("--help", shell=shell)
    assert done.returncode == code and done.stderr == b""


@pytest.mark.skipif(
    not os.path.exists("/dev/full"), reason="only Linux has a device that is always full"
)
def test_output_to_a_full_disk_is_an_error():
    done = kdlib("--help", shell="{} > /dev/full")
    assert done.returncode == 2 and done.stderr == b"kdlib: disk: No space left on device\n"


@pytest.mark.parametrize(
    ("environment", "word"),
    [
        ({"RANK": "1"}, "WORLD_SIZE"),
        ({"WORLD_SIZE": "2"}, "MASTER_ADDR"),
        ({"LOCAL_RANK": "0"}, "MASTER_ADDR"),
        ({"RANK": "x"}, "not a number"),
        ({"WORLD_SIZE": "-1"}, "not a number"),
        ({"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "2", "MASTER_PORT": "1"}, "MASTER_ADDR"),
        (
            {n: "2" for n in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_PORT", "MASTER_ADDR")},
            "not below",
        ),
    ],
)
def test_half_of_a_launchers_environment_is_refused(call, monkeypatch, environment, word):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    code, _, err = call("distill", "tiny")
    assert code == 2 and word in err and len(err.splitlines()) == 1


def test_alone_is_alone(call, monkeypatch):
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert call("distill", "tiny")[0] == 0


def test_a_fault_of_its_own_is_a_line_that_says_so(call, monkeypatch):
    def fail(arguments):
        raise KeyError("odd")

    monkeypatch.setitem(cli.COMMANDS, "doctor", fail)
    code, _, err = call("doctor")
    assert code == 1 and "a fault in kdlib itself: KeyError: 'odd'" in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("[enforce] DefaultCPUAllocator: can't allocate memory: 10 bytes")],
    ids=repr,
)
def test_too_little_memory_is_said(call, monkeypatch, error):
    def fail(arguments):
        raise error

    monkeypatch.setitem(cli.COMMANDS, "doctor", fail)
    code, _, err = call("doctor")
    assert code == 2 and err.startswith("kdlib: memory: ")
