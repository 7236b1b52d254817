"""The whole job as its users run it: `kdlib distill tiny`, killed, resumed, reported, reloaded."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from forked import kdlib, start
from safetensors.torch import load_file

pytestmark = pytest.mark.slow
OFFLINE = Path(__file__).parents[1] / "offline"
LITTLE = ("--data.fraction", "0.005", "--data.test-fraction", "0.02")
QUICK = (
    *LITTLE,
    "--student.training.steps", "30", "--student.training.checkpoint-every", "10",
    "--student.training.validate-every", "10", "--controls.equal-compute", "False",
)  # fmt: skip
# A control of equal compute takes the more steps, the more text the teacher reads for the student.
WITH_ALL_CONTROLS = ("--data.fraction", "0.005", "--student.training.steps", "20")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A finished run of the tiny recipe, with less text: its folder and what it printed. As a user
    starts it; the others are forks."""
    folder = tmp_path_factory.mktemp("tiny") / "run"
    done = subprocess.run(
        [sys.executable, "-m", "kdlib", "distill", "tiny", *WITH_ALL_CONTROLS, "--out", folder],
        env={**os.environ, "PYTHONPATH": str(OFFLINE)}, capture_output=True, text=True, timeout=400,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_report_holds_what_it_promises(tiny):
    report = json.loads((tiny[0] / "report.json").read_text())
    learners = ("student", "control_equal_steps", "control_equal_compute")
    for name in ("teacher", *learners):
        entry = report[name]
        assert entry["perplexity"] == pytest.approx(2.718281828 ** entry["cross_entropy"], rel=1e-6)
        for key in ("bits_per_byte", "parameters", "bytes_on_disk", "tokens_per_second", "ece"):
            assert entry[key] > 0
    for name in learners:
        for key in ("forward_kl", "reverse_kl", "top1_agreement", "top5_agreement"):
            assert report[name][key] > 0
    intervals = [report["advantage"][name] for name in (*learners[1:], "ngram")]
    for interval in (*intervals, report["gap_closed"]):
        assert interval["low"] < interval["value"] < interval["high"]
        assert (interval["trainings"], interval["units"]) == (
            1,
            report["data"]["test"]["documents"],
        )
    assert report["interval_unit"] == "document" and report["data"]["test"]["documents"] == 11
    assert report["peak_memory_bytes"] > 10**8
    assert report["teacher"]["parameters"] >= 5 * report["student"]["parameters"]
    assert report["recipe"]["data"]["test_fraction"] == 0.1, "as the recipe says"


def test_the_control_of_equal_compute_spends_what_teacher_and_student_spend(tiny):
    report = json.loads((tiny[0] / "report.json").read_text())
    operations = report["operations"]
    owed = operations["teacher_pass"] + operations["student"]
    a_step = operations["control_equal_steps"] // report["control_equal_steps"]["steps"]
    assert owed - a_step < operations["control_equal_compute"] <= owed
    steps = {name: report[name]["steps"] for name in ("student", "control_equal_compute")}
    assert steps["student"] == 20 < steps["control_equal_compute"]


def test_the_verdict_follows_from_the_numbers_and_is_printed(tiny):
    folder, printed = tiny
    report = json.loads((folder / "report.json").read_text())
    found, advantages = report["verdict"], report["advantage"]
    below = [name for name, each in advantages.items() if each["high"] < 0]
    assert (found["worth"] == "no") == bool(below)
    assert found["against"] in (below or advantages)
    assert all(sentence in printed for sentence in found["sentences"])


def test_report_counts_its_test_tokens_and_bytes(tiny):
    report = json.loads((tiny[0] / "report.json").read_text())
    test, entry = report["data"]["test"], report["student"]
    nats = entry["cross_entropy"] * test["tokens"]
    assert entry["bits_per_byte"] == pytest.approx(nats / 0.6931471805599453 / test["bytes"])


def test_page_and_table_are_there(tiny):
    folder, printed = tiny
    page = (folder / "report.html").read_text()
    assert page.lstrip().lower().startswith("<!doctype html>") and "</html>" in page
    assert "student" in printed and "perplexity" in printed.lower()
    assert str(folder / "report.html") in printed


def test_models_load_with_transformers(tiny):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = tiny[0] / "student"
    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = tokenizer("The state of the Union", return_tensors="pt").input_ids
    assert model(input_ids=ids).logits.shape == (1, ids.shape[1], len(tokenizer))
    assert tokenizer.decode(ids[0]) == "The state of the Union"


def test_controls_start_where_the_student_starts(tiny):
    rows = [json.loads(line) for line in (tiny[0] / "metrics.jsonl").read_text().splitlines()]
    first = {row["phase"]: row for row in reversed(rows)}
    assert set(first) == {"student", "control_equal_steps", "control_equal_compute"}
    assert first["student"]["cross_entropy"] == pytest.approx(
        first["control_equal_steps"]["cross_entropy"], rel=0.02
    )


def test_evaluate_and_generate_use_the_run(tiny):
    done = kdlib("generate", tiny[0], "The people of the", "--tokens", "5")
    assert done.code == 0, done.err
    assert done.out.count("The people of the") == 4
    assert done.out == kdlib("generate", tiny[0], "The people of the", "--tokens", "5").out


def test_generate_and_another_text_need_no_text_of_the_run(tmp_path):
    """Sixty tokens are no reason to read a corpus, and the file may be gone by then."""
    text = tmp_path / "book.txt"
    text.write_text("\n\n".join(f"It was the best of times, in the year {n}." for n in range(900)))
    folder, other = tmp_path / "run", tmp_path / "other.txt"
    shares = ("--data.fraction", "1", "--data.test-fraction", "1")
    flags = (*QUICK, *shares, "--student.training.steps", "2")
    done = kdlib("distill", "tiny", "--text", text, *flags, "--out", folder)
    assert done.code == 0, done.err
    text.rename(other)
    assert kdlib("generate", folder, "It was", "--tokens", "3").code == 0
    assert "perplexity" in kdlib("evaluate", folder, "--text", other).out
    refused = kdlib("evaluate", folder)
    assert refused.code == 2 and "book.txt does not exist" in refused.err
    assert refused.err.count("\n") == 1


def test_models_are_measured_on_another_text_and_the_report_stays(tiny, tmp_path):
    report = (tiny[0] / "report.json").read_bytes()
    other = tmp_path / "other.txt"
    other.write_text("It was the best of times, it was the worst of times. " * 40)
    done = kdlib("evaluate", tiny[0], "--text", other)
    assert done.code == 0, done.err
    assert done.out.startswith(f"On {other}:") and "perplexity" in done.out
    assert (tiny[0] / "report.json").read_bytes() == report


def test_the_student_has_a_card(tiny):
    card = (tiny[0] / "student" / "README.md").read_text()
    report = json.loads((tiny[0] / "report.json").read_text())
    assert f"{report['student']['cross_entropy']:.3f}" in card
    assert f"{report['student']['steps']:,} steps" in card
    assert "public domain" in card


def test_a_finished_run_keeps_no_checkpoint(tiny):
    assert not (tiny[0] / "checkpoint.safetensors").exists()


def test_runs_are_compared(tiny):
    done = kdlib("compare", tiny[0], tiny[0])
    assert done.code == 0, done.err
    report = json.loads((tiny[0] / "report.json").read_text())
    assert done.out.count(f"{report['student']['cross_entropy']:.3f}") == 2
    # From the scores on disk, document by document: a run does not differ from itself.
    assert "run and run differ by +0.000 nats per token" in done.out
    assert "over 1 training each and 11 documents." in done.out


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("straight") / "run"
    done = kdlib("distill", "tiny", "--out", folder, *QUICK)
    assert done.code == 0, done.err
    return folder


def weights(folder):
    return {
        (name, key): tensor
        for name in ("student", "control_equal_steps")
        for key, tensor in load_file(folder / name / "model.safetensors").items()
    }


def logged_steps(folder, phase):
    path = Path(folder) / "metrics.jsonl"
    return path.read_text().count(f'"phase": "{phase}"') if path.exists() else 0


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """killed(phase): a copy of a run that was killed in it."""
    folders = {}

    def in_phase(phase, folder):
        if phase not in folders:
            folders[phase] = tmp_path_factory.mktemp(phase) / "run"
            command = start("distill", "tiny", "--out", folders[phase], *QUICK)
            command.wait_for(lambda: logged_steps(folders[phase], phase) >= 2)
            assert command.strike(signal.SIGKILL).code == -signal.SIGKILL
            assert not (folders[phase] / "report.json").exists()
        return shutil.copytree(folders[phase], folder)

    return in_phase


@pytest.mark.parametrize("phase", ["student", "control_equal_steps"])
def test_killed_and_resumed_is_bit_equal(uninterrupted, killed, tmp_path, phase):
    folder = killed(phase, tmp_path / "run")
    done = kdlib("distill", "tiny", "--out", folder, *QUICK, "--resume")
    assert done.code == 0, done.err
    straight, resumed = weights(uninterrupted), weights(folder)
    assert straight.keys() == resumed.keys()
    assert all(torch.equal(straight[key], resumed[key]) for key in straight)
    assert logged_steps(folder, phase) == logged_steps(uninterrupted, phase)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_saves_and_says_how_to_go_on(tmp_path, number):
    folder = tmp_path / "run"
    command = start("distill", "tiny", "--out", folder, *QUICK)
    command.wait_for(lambda: logged_steps(folder, "student") >= 1)
    done = command.strike(number)
    assert done.code == 130
    assert "Traceback" not in done.err
    last = done.err.strip().splitlines()[-1]
    assert "go on with: kdlib distill tiny" in last and "--resume" in last
    assert (folder / "checkpoint.safetensors").exists()


def test_damaged_checkpoint_is_refused_and_kept(killed, tmp_path):
    folder = killed("student", tmp_path / "run")
    path = folder / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    done = kdlib("distill", "tiny", "--out", folder, *QUICK, "--resume")
    assert done.code == 2
    assert "checkpoint.safetensors is damaged" in done.err and "Traceback" not in done.err
    assert path.stat().st_size == 1000


def test_own_text_and_a_teacher_trained_on_it(tmp_path):
    words = "alpha beta gamma delta epsilon zeta eta theta iota kappa".split()
    text = "\n\n".join(
        " ".join(words[(n * k) % 10] for k in range(1, 30)) + "." for n in range(1500)
    )
    (tmp_path / "book.txt").write_text(text)
    folder = tmp_path / "run"
    done = kdlib(
        "distill", "tiny", *QUICK, "--text", tmp_path / "book.txt", "--teacher", "train",
        "--data.fraction", "0.5", "--data.vocabulary", "300", "--data.block", "32",
        "--teacher.size.width", "64", "--teacher.size.layers", "2", "--teacher.size.heads", "2",
        "--teacher.training.steps", "40", "--data.test-fraction", "0.5", "--out", folder,
    )  # fmt: skip
    assert done.code == 0, done.err
    report = json.loads((folder / "report.json").read_text())
    assert report["teacher"]["cross_entropy"] < 5
    assert (folder / "teacher" / "tokenizer.json").exists()


@pytest.fixture(scope="module")
def little_cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache") / "cache"
    made = kdlib("cache", "tiny", *LITTLE, "--out", folder)
    assert made.code == 0, made.err
    return folder, made.out


def test_a_student_learns_from_a_cache(little_cache, tmp_path):
    _, printed = little_cache
    program, *printed_command = shlex.split(printed.partition("Use it:")[2])
    assert program == "kdlib"
    own = ("--targets.kind", "with_tail", "--targets.k", "8", "--data.block", "64")
    commands = {"given": printed_command, "own": ("distill", "tiny", *LITTLE, *own)}
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
        (("--data.fraction", "0.01"), "lacks"),
    ],
)
def test_a_cache_of_something_else_is_refused_before_anything_is_written(
    little_cache, tmp_path, flags, message
):
    given = ("--targets.kind", "sampled", "--targets.cache", little_cache[0])
    refused = kdlib("distill", "tiny", *LITTLE, *given, *flags, "--out", tmp_path / "run")
    assert refused.code == 2
    assert message in refused.err and refused.err.count("\n") == 1
    assert not (tmp_path / "run").exists()
