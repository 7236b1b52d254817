"""The whole job as its users run it: `kdlib distill tiny`, reported, reloaded, measured anew."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from forked import kdlib
from little_runs import QUICK

pytestmark = pytest.mark.slow
OFFLINE = Path(__file__).parents[1] / "offline"
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
        assert (interval["trainings"], interval["units"]) == (1, 11)
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
    assert done.out.startswith(f"On {other}: 1 document of 2,120 characters\n")
    assert "perplexity" in done.out
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
