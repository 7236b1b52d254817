"""Whatever happens to a run, it goes on to the same end, or refuses in one line that names the thing."""

import os
import resource
import shutil
import signal

import pytest
import torch
from small_runs import at_call, distil, kdlib, kill, result, write_text

from kdlib.files import locked
from kdlib.jobs import measure, phases, pipeline, samples, scoring
from kdlib.models import folders
from kdlib.reports import page, scores
from kdlib.teachers import cache_writer
from kdlib.training import checkpoint, loop
from kdlib.training.run_folder import is_run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    return write_text(tmp_path_factory.mktemp("text") / "book.txt")


@pytest.fixture(scope="module")
def finished(text, tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished") / "run"
    done = distil(folder, text)
    assert done.code == 0, done.err
    return folder


def assert_same_end(folder, finished):
    (weights, entries), (expected, expected_entries) = result(folder), result(finished)
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[key], expected[key]) for key in weights)
    assert entries == expected_entries


def goes_on_to_the_same_end(folder, text, finished):
    done = distil(folder, text, "--resume") if is_run(folder) else distil(folder, text)
    assert done.code == 0, done.err
    assert_same_end(folder, finished)


MOMENTS = {
    "the beginning": (pipeline, "_run", 1),
    "the tokenizer": (phases, "train_tokenizer", 1),
    "the teacher's training": (loop, "take_step", 4),
    "the saving of a checkpoint": (loop, "save_checkpoint", 2),
    "the writing of a checkpoint, beside the steps": (checkpoint, "_write", 2),
    "the file of a checkpoint, beside the steps": (checkpoint, "save_file", 3),
    "the saving of the teacher": (phases, "save_model", 1),
    "the checksums of the teacher": (folders, "write_checksums", 1),
    "the cache": (cache_writer, "_write_shard", 2),
    "the cache's manifest": (cache_writer, "_write_manifest", 3),
    "the student's training": (loop, "take_step", 6 + 4),
    "the saving of the student": (phases, "save_model", 2),
    "the control's training": (loop, "take_step", 6 + 6 + 4),
    "the training of another seed": (loop, "take_step", 6 + 6 + 6 + 4),
    "the saving of another seed": (phases, "save_model", 4),
    "the evaluation": (scores, "_quantities", 3),
    "the evaluation of another seed": (scoring, "score_text", 2),
    "the saving of the scores": (scoring, "write_scores", 1),
    "the samples": (samples, "generate", 2),
    "the report": (page, "render_html", 1),
    "the student's card": (measure, "write_model_card", 1),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_any_moment(moment, text, finished, tmp_path, survived, monkeypatch):
    monkeypatch.setattr(cache_writer, "SHARD_TOKENS", 256)  # so that there are several
    folder = tmp_path / "run"
    done = distil(folder, text, sabotage=at_call(*MOMENTS[moment], kill))
    assert done.code == -signal.SIGKILL, done.err
    goes_on_to_the_same_end(folder, text, finished)
    survived(f"killed in {moment}", "went on to the same weights and report")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("moment", ["the teacher's training", "the student's training"])
def test_a_signal_saves(moment, number, text, finished, tmp_path, survived):
    folder = tmp_path / "run"
    strike = lambda: os.kill(os.getpid(), number)
    done = distil(folder, text, sabotage=at_call(*MOMENTS[moment], strike))
    assert done.code == 130, done.err
    assert "--resume" in done.err.splitlines()[-1] and "Traceback" not in done.err
    assert (folder / "checkpoint.safetensors").exists()
    goes_on_to_the_same_end(folder, text, finished)
    survived(f"{signal.Signals(number).name} in {moment}", "saved, went on to the same end")


# --- Damage on disk -----------------------------------------------------------------------------


def truncated(path):
    path.write_bytes(path.read_bytes()[:-7])


def with_a_bit_flipped(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def swapped(path):
    """Put another file of its kind in its place."""
    others = {"teacher": "student", "student": "teacher", "control_equal_steps": "student"}
    other = path.parent.parent / others[path.parent.name] / path.name
    shutil.copy(other, path)


WEIGHTS = [
    (f"{name}/model.safetensors", damage)
    for name in ("teacher", "student", "control_equal_steps")
    for damage in (truncated, with_a_bit_flipped, swapped)
]
SMALL_FILES = [
    (name, damage)
    for name in (
        "teacher/config.json",
        "student/config.json",
        "teacher/tokenizer.json",
        "teacher/sha256.json",
    )
    for damage in (truncated, with_a_bit_flipped)
]


@pytest.mark.parametrize(("name", "damage"), [*WEIGHTS, *SMALL_FILES, ("state.json", truncated)])
def test_what_was_damaged_is_refused_by_name(name, damage, text, finished, tmp_path, survived):
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    damage(folder / name)
    report_before = (folder / "report.json").read_bytes()
    for command in (("evaluate", folder), ("generate", folder, "alpha", "--tokens", "5")):
        done = kdlib(*command)
        if name == "state.json" and command[0] == "generate":
            continue  # which needs no state
        assert done.code == 2, (command, done.err)
        refusal = done.err.splitlines()[-1]
        assert (
            refusal.startswith("kdlib: ") and folder.name in refusal and "Traceback" not in done.err
        )
        # Where the checksums themselves are damaged, it is a file that does not fit them.
        assert name.split("/")[-1] in refusal or (
            name.endswith("sha256.json") and "/teacher/" in refusal
        )
    assert (folder / "report.json").read_bytes() == report_before
    survived(f"{name} {damage.__name__.replace('_', ' ')}", "refused by name")


@pytest.mark.parametrize("damage", [truncated, with_a_bit_flipped])
def test_a_damaged_checkpoint_is_refused_and_the_phase_can_be_redone(
    damage, text, finished, tmp_path, survived
):
    folder = tmp_path / "run"
    distil(folder, text, sabotage=at_call(loop, "take_step", 6 + 4, kill))
    checkpoint = folder / "checkpoint.safetensors"
    damage(checkpoint)
    done = distil(folder, text, "--resume")
    assert done.code == 2 and "checkpoint.safetensors is damaged" in done.err.splitlines()[-1]
    checkpoint.unlink()
    goes_on_to_the_same_end(folder, text, finished)
    survived(f"checkpoint {damage.__name__.replace('_', ' ')}", "refused by name; redone, same end")


@pytest.mark.parametrize("damage", [truncated, with_a_bit_flipped])
def test_damaged_targets_are_made_again(damage, text, finished, tmp_path, survived):
    folder = tmp_path / "run"
    distil(folder, text, sabotage=at_call(loop, "take_step", 6 + 4, kill))
    damage(next((folder / "targets").glob("*.safetensors")))
    goes_on_to_the_same_end(folder, text, finished)
    survived(f"targets {damage.__name__.replace('_', ' ')}", "found and made again, same end")


@pytest.mark.parametrize("damage", [truncated, with_a_bit_flipped])
def test_damaged_scores_are_made_again(damage, text, finished, tmp_path, survived):
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    damage(next(folder.glob("scores_*.safetensors")))
    done = kdlib("evaluate", folder)
    assert done.code == 0, done.err
    assert_same_end(folder, finished)
    survived(f"scores {damage.__name__.replace('_', ' ')}", "found and made again, same report")


def test_a_torn_line_of_the_log_is_dropped(text, finished, tmp_path, survived):
    folder = tmp_path / "run"
    distil(folder, text, sabotage=at_call(loop, "take_step", 6 + 4, kill))
    truncated(folder / "metrics.jsonl")
    goes_on_to_the_same_end(folder, text, finished)
    survived("log torn in its last line", "went on to the same end")


# --- No room, and company -------------------------------------------------------------------------


def no_file_larger_than(size):
    """The system refuses to let a file grow beyond it, as a full disk does."""

    def sabotage():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return sabotage


@pytest.mark.parametrize("size", [2_000, 8_000, 30_000])
def test_no_room_on_the_disk(size, text, finished, tmp_path, survived):
    folder = tmp_path / "run"
    done = distil(folder, text, sabotage=no_file_larger_than(size))
    assert done.code == 2, done.err
    assert "Traceback" not in done.err and done.err.splitlines()[-1].startswith("kdlib: ")
    goes_on_to_the_same_end(folder, text, finished)
    survived(f"no file may exceed {size} bytes", "one line; went on to the same end")


def test_a_text_too_short_to_test_on_is_refused_before_any_training(text, tmp_path, survived):
    done = distil(tmp_path / "run", text, "--data.test-fraction", "0.02", "--data.block", "256")
    assert done.code == 2 and "less than two blocks" in done.err
    assert not (tmp_path / "run" / "metrics.jsonl").exists()
    survived("a test text of no length", "refused before the training")


def test_two_runs_on_one_folder(text, finished, tmp_path, survived):
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    with locked(folder):
        for flag in ("--resume", "--overwrite"):
            done = distil(folder, text, flag)
            assert done.code == 2 and "another run is using" in done.err
    assert_same_end(folder, finished)
    survived("a second run on the folder", "refused, nothing touched")
