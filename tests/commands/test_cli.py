"""What a user meets at the command line: help, and one clear line for anything that cannot work."""

import json
import re
import subprocess
import sys

import pytest

from kdlib import cli
from kdlib.errors import UserError
from kdlib.jobs import pipeline
from kdlib.jobs.recipe import Recipe
from kdlib.jobs.recipe_files import recipe_to_toml
from kdlib.training import run_folder


@pytest.fixture
def call(monkeypatch, tmp_path, capsys):
    """Run a command in this process: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        code = 0
        try:
            cli.main([str(a) for a in arguments])
        except SystemExit as stop:
            code = stop.code
        out, err = capsys.readouterr()
        return code, out, err

    return run


def assert_refused(result, *words):
    code, _, err = result
    assert code == 2
    assert len(err.strip().splitlines()) == 1, err
    assert "Traceback" not in err
    for word in words:
        assert word in err


@pytest.fixture
def unseen(monkeypatch):
    """Runs that nobody looks at first: in a log, the look's progress would stand above an error."""
    monkeypatch.setattr(pipeline, "preview", lambda context, classroom: [])


TEXT = "It was a dark and stormy night; the cat sat on the mat.\n\n" * 400


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["distil"], ["unknown command", "distill"]),
        (["distill", "pockt"], ["recipe", "pockt", "pocket"]),
        (["distill", "tiny", "--student.stepz", "5"], ["unknown field", "student.stepz"]),
        (["distill", "tiny", "--seed", "x"], ["seed", "'x'"]),
        (["distill", "tiny", "--data.fraction", "0"], ["data.fraction", "(0, 1]"]),
        (["distill", "tiny", "--data.fraction", "1.1"], ["data.fraction", "(0, 1]"]),
        (["distill", "tiny", "--objective.temperature", "0"], ["objective.temperature", "above 0"]),
        (
            ["distill", "tiny", "--objective.weighing", "lambda", "--objective.weight", "-1"],
            ["lambda"],
        ),
        (["distill", "tiny", "--text", "nowhere.txt"], ["nowhere.txt", "does not exist"]),
        (["distill", "tiny", "--text", "empty.txt"], ["empty.txt", "empty"]),
        (["distill", "tiny", "--text", "binary.txt"], ["binary.txt", "not UTF-8"]),
        (["distill", "tiny", "--text", "short.txt"], ["short", "too short"]),
        (["distill", "tiny", "--teacher", "nowhere"], ["nowhere", "not a model folder"]),
        (["distill", "tiny", "--teacher", "broken"], ["broken", "has no model.safetensors"]),
        (["distill", "tiny", "--teacher", "owner/name"], ["owner/name", "hub"]),
        (["distill", "tiny", "--student", "nowhere"], ["nowhere", "not a model folder"]),
        (
            ["distill", "tiny", "--student", "pruned", "--student.pruning.layers", "9"],
            ["9", "5 blocks"],
        ),
        (
            ["distill", "tiny", "--teacher", "train", "--student", "nowhere"],
            ["nowhere", "tokenizer"],
        ),
        (["fetch"], ["missing", "model"]),
        (["fetch", "nonesuch"], ["model", "smollm2"]),
        (["distill", "tiny", "--device", "cuda"], ["device", "cuda", "--device auto"]),
        (["distill", "tiny", "--out", "full"], ["full", "not empty", "--resume"]),
        (["distill", "tiny", "--out", "full", "--overwrite"], ["full", "nothing was deleted"]),
        (["distill", "tiny", "--out", "full", "--resume"], ["full", "not the folder of a run"]),
        (["distill", "tiny", "--out", "empty.txt"], ["empty.txt", "is a file"]),
        (["distill", "tiny", "--out", "/proc/nowhere"], ["/proc/nowhere", "cannot be written"]),
        (["evaluate", "full"], ["full", "not the folder of a run"]),
        (["evaluate"], ["missing", "run"]),
        (["generate", "full", "hello"], ["full", "not the folder of a run"]),
        (["generate", "full", ""], ["prompt", "empty"]),
        (["doctor", "--verbose"], ["unknown field", "verbose"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_bad_input_is_one_line_and_leaves_nothing(call, unseen, tmp_path, arguments, words):
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "binary.txt").write_bytes(bytes(range(256)))
    (tmp_path / "short.txt").write_text("Too short.")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("dear")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text('{"model_type": "llama"}')
    before = sorted(tmp_path.rglob("*"))
    assert_refused(call(*arguments), *words)
    assert sorted(tmp_path.rglob("*")) == before


def test_resume_with_another_recipe_is_refused(call, tmp_path):
    run_folder.prepare_run(tmp_path / "run", "pocket", recipe_to_toml(Recipe()), overwrite=False)
    arguments = ["distill", "pocket", "--out", "run", "--resume", "--seed", "5"]
    assert_refused(call(*arguments), "resume", "seed", "other than")


def test_overview_names_commands_and_recipes(call):
    code, out, _ = call("--help")
    assert code == 0
    for word in ("distill", "evaluate", "generate", "doctor", "pocket", "tiny"):
        assert word in out


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_command_has_help(command):
    done = subprocess.run(
        [sys.executable, "-m", "kdlib", command, "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0 and f"kdlib {command}" in done.stdout
    assert len(done.stdout.splitlines()) > 4


def test_help_of_a_recipe_shows_its_values():
    done = subprocess.run(
        [sys.executable, "-m", "kdlib", "distill", "tiny", "--help"], capture_output=True, text=True
    )
    steps = re.search(r"--student\.training\.steps INT.*?default: (\d+)", done.stdout, re.DOTALL)
    assert steps.group(1) == "60"


def test_doctor_says_what_is_there(call):
    code, out, _ = call("doctor")
    assert code == 0
    for name in ("versions", "processor", "device", "corpus", "teacher", "disk"):
        assert re.search(rf"^ok +{name} ", out, re.MULTILINE), out
    assert "249 documents" in out


def test_doctor_speaks_json(call, monkeypatch, tmp_path):
    from kdlib.commands import doctor

    checks = {"disk": lambda: "room", "teacher": lambda: doctor.load_model(tmp_path / "nowhere")}
    monkeypatch.setattr(doctor, "CHECKS", checks)
    code, out, _ = call("doctor", "--json")
    found = json.loads(out)
    assert code == 1 and found["ok"] is False
    assert found["checks"]["disk"] == {"ok": True, "text": "room"}
    assert found["checks"]["teacher"]["ok"] is False


def test_doctor_fails_where_something_is_missing(call, monkeypatch, tmp_path):
    from kdlib.commands import doctor

    monkeypatch.setattr(doctor, "POCKET_TEACHER", tmp_path / "nowhere")
    code, out, _ = call("doctor")
    assert code == 1
    assert re.search(r"^MISSING +teacher ", out, re.MULTILINE)


def test_full_disk_is_one_line(call, unseen, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device", "runs/tiny/state.json")

    monkeypatch.setattr(run_folder, "write_state", full)
    assert_refused(call("distill", "tiny"), "No space left")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError("Can't load the model.\nIs the name\n  right?"),
         "kdlib: Can't load the model. Is the name right?"),
        (OSError(), "kdlib: OSError"),
        (TimeoutError(), "kdlib: TimeoutError"),
        (OSError(28, "No space left on device"), "kdlib: disk: No space left on device"),
        (PermissionError(13, "Permission denied", "x.json"), "kdlib: x.json: Permission denied"),
    ],
    ids=repr,
)  # fmt: skip
def test_an_error_of_the_system_says_what_it_says(call, monkeypatch, error, line):
    def fail(arguments):
        raise error

    monkeypatch.setitem(cli.COMMANDS, "doctor", fail)
    code, _, err = call("doctor")
    assert (code, err.splitlines()) == (2, [line])


@pytest.mark.parametrize("error", [OSError("odd"), UserError("seed: odd")])
def test_the_traceback_is_there_for_those_who_ask(call, monkeypatch, error):
    def where_it_went_wrong(arguments):
        raise error

    monkeypatch.setitem(cli.COMMANDS, "doctor", where_it_went_wrong)
    monkeypatch.setenv("KDLIB_TRACEBACK", "1")
    code, _, err = call("doctor")
    assert code == 2 and "Traceback" in err and "in where_it_went_wrong" in err
    assert err.splitlines()[-1] == f"kdlib: {error}"


def test_exercises_are_listed(call, monkeypatch):
    monkeypatch.setenv("KDLIB_PROGRESS_DIR", "off")
    code, out, _ = call("exercises")
    assert code == 0 and out.splitlines()[0].split()[:2] == ["chapter", "solved"]
    code, out, _ = call("exercises", "--coverage")
    assert code == 0 and re.search(r"^Q01 +\S", out, re.MULTILINE)
    assert re.search(r"^beyond .*\bmixed-batch\b", out, re.MULTILINE)  # a sampler: no question's
    code, out, _ = call("exercises", "--export")
    assert code == 0 and len(json.loads(out)) >= 30


def test_grade_judges_a_notebook(call, tmp_path):
    (tmp_path / "answers.py").write_text(
        "# %%\nfrom kdlib.exercises import exercise\n"
        "# %%\nexercise('soften').check(lambda logits, temperature: logits)\n"
    )
    code, out, err = call("grade", "answers.py", "--json")
    assert code == 0 and "runs the notebook's code" in err
    outcomes = {v["exercise"]: v["outcome"] for v in json.loads(out)["notebooks"][0]["verdicts"]}
    assert outcomes.pop("soften") == "wrong" and set(outcomes.values()) == {"not attempted"}


def test_one_damaged_notebook_costs_no_other_its_verdict(call, tmp_path):
    (tmp_path / "good.py").write_text(
        "# %%\nfrom kdlib.exercises import exercise\n"
        "# %%\nexercise('soften').check(lambda logits, temperature: logits)\n"
    )
    (tmp_path / "cells.ipynb").write_text('{"cells": [{"cell_type": "code"}]}')
    (tmp_path / "bytes.ipynb").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "folder.ipynb").mkdir()
    odd = ["cells.ipynb", "nowhere.ipynb", "bytes.ipynb", "folder.ipynb"]
    code, out, err = call("grade", *odd, "good.py", "--json")
    *refused, good = json.loads(out)["notebooks"]
    assert code == 1 and "wrong" in {v["outcome"] for v in good["verdicts"]}
    assert [each["notebook"] for each in refused] == odd
    assert all(each["problem"] and not each["verdicts"] for each in refused)
    said = [line for line in err.splitlines() if line.startswith("kdlib: ")]
    assert len(said) == len(odd)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["grade"], ["missing", "notebooks"]),
        (["grade", "nowhere.ipynb"], ["nowhere.ipynb", "does not exist"]),
        (["grade", "nowhere.ipynb", "--timeout", "0"], ["timeout", "above 0"]),
        (["start"], ["missing", "folder"]),
        (["bench", "everything"], ["step"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_bad_input_to_the_other_commands_is_refused(call, arguments, words):
    code, _, err = call(*arguments)
    assert code == 2 and "Traceback" not in err
    for word in words:
        assert word in err


@pytest.mark.parametrize("arguments", [["start", "mine"], ["grade", "chapter.ipynb"]])
def test_without_the_book_its_commands_say_what_to_install(call, monkeypatch, arguments):
    from kdlib.commands import book

    monkeypatch.setattr(book, "find_spec", lambda name: None)
    assert_refused(call(*arguments), "jupytext", "pip install 'kdlib[book]'")
