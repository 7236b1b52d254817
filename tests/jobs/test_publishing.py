"""A student on the hub: what is sent, what is not, and that anybody can load it.

The hub is a stub of its HTTP API on this machine (`hub_stub`).
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import huggingface_hub
import pytest
import torch
from hub_stub import serving

from kdlib import cli
from kdlib.models.folders import load_model

NAME = "some-one/little.student"


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A hub, and a token for it. What the library knows of this machine is shut out."""
    constants = huggingface_hub.constants
    with serving() as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.address)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # a protocol of its own
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no token"))
        monkeypatch.delenv("HUGGING_FACE_HUB_TOKEN", raising=False)
        monkeypatch.setenv("HF_TOKEN", "hf_made_up")
        yield hub


@pytest.fixture
def call(capsys):
    """A command in this process: (exit code, stdout, stderr without the bars of an upload)."""

    def run(*arguments):
        code = 0
        try:
            cli.main([*map(str, arguments)])
        except SystemExit as stop:
            code = stop.code or 0
        out, err = capsys.readouterr()
        return code, out, "".join(x for x in err.splitlines(True) if x.startswith("kdlib:"))

    return run


def sent(hub):
    return [(method, path) for method, path, _ in hub.requests]


def test_what_is_published_is_the_student_and_its_card(workplace, hub, call):
    code, out, err = call("publish", "run", NAME)
    assert code == 0, err
    assert out.endswith(f"Published: {hub.address}/{NAME}\n")
    published, student = hub.repositories[NAME], Path("run/student")
    assert published.keys() == {path.name for path in student.iterdir()}
    for name, content in published.items():
        own = (student / name).read_bytes()
        assert content == (own.replace(b"path/to/this/folder", NAME.encode()) if name == "README.md" else own)  # fmt: skip
    assert f'from_pretrained("{NAME}")' in published["README.md"].decode()
    assert hub.private[NAME] is False
    for _, path, token in hub.requests:
        if path.startswith("/store/"):  # what is stored is signed for in its address
            assert not token
        elif NAME in path or "repos" in path:
            assert token == "hf_made_up", path


LOAD = """
import sys, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
model, tokenizer = (each.from_pretrained(sys.argv[1]) for each in (AutoModelForCausalLM, AutoTokenizer))
assert tokenizer.decode(tokenizer("Number 7: alpha beta.")["input_ids"]) == "Number 7: alpha beta."
with torch.no_grad():
    torch.save(model(torch.arange(10)[None]).logits, sys.argv[2])
"""


def test_plain_transformers_loads_it_by_its_name(workplace, hub, call, tmp_path):
    """Downloaded from the hub in a process that knows nothing of kdlib."""
    assert call("publish", "run", NAME)[0] == 0
    environment = os.environ | {
        "HF_ENDPOINT": hub.address, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1",
        "HF_HOME": str(tmp_path / "home"),
    }  # fmt: skip
    command = [sys.executable, "-I", "-c", LOAD, NAME, str(tmp_path / "logits")]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with torch.no_grad():
        own = load_model("run/student")(torch.arange(10)[None]).logits
    assert torch.equal(torch.load(tmp_path / "logits"), own)


def test_a_dry_run_shows_all_and_sends_nothing(workplace, hub, call, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    code, out, _ = call("publish", "run", NAME, "--dry-run", "--private")
    assert code == 0 and hub.requests == []
    assert out.startswith(f"To {hub.address}/{NAME} (private):\n")
    files = list(Path("run/student").iterdir())
    for file in files:
        if file.name != "README.md":
            assert f"{file.stat().st_size:,} bytes" in out.partition(f"  {file.name} ")[2].partition("\n")[0]  # fmt: skip
    grown = Path("run/student/README.md").read_text().count("path/to/this/folder")
    more = grown * (len(NAME) - len("path/to/this/folder"))
    assert f"{sum(file.stat().st_size for file in files) + more:,} bytes\nThe card" in out
    assert "  # little: a distilled student" in out
    assert out.endswith("Nothing was sent.\n")


def test_a_private_one_is_private(workplace, hub, call):
    assert call("publish", "run", NAME, "--private")[0] == 0
    assert hub.private[NAME] is True and hub.repositories[NAME]
    assert call("publish", "run", NAME, "--private")[0] == 0, "again, into the same"


def test_nothing_goes_into_a_public_repository_that_was_to_be_private(workplace, hub, call):
    hub.repositories[NAME], hub.private[NAME] = {}, False
    code, _, err = call("publish", "run", NAME, "--private")
    assert code == 2 and err.count("\n") == 1
    assert f"private: {NAME} is there already, and public; nothing was uploaded" in err
    assert hub.repositories[NAME] == {}
    assert not any("preupload" in path or "store" in path for _, path in sent(hub))


def test_without_a_token_nothing_is_asked_of_the_hub(workplace, hub, call, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    code, out, err = call("publish", "run", NAME)
    assert code == 2 and err.count("\n") == 1 and not out and hub.requests == []
    assert "there is no token of the hub here; set HF_TOKEN, or log in" in err


def test_a_run_that_has_not_finished_is_refused(workplace, hub, call, tmp_path):
    shutil.copytree("run", "no report"), Path("no report/report.json").unlink()
    shutil.copytree("run", "no control"), shutil.rmtree("no control/control_equal_steps")
    shutil.copytree("run", "no card"), Path("no card/student/README.md").unlink()
    shutil.copytree("run", "damaged")
    config = Path("damaged/student/config.json")
    config.write_text(config.read_text() + " ")
    (tmp_path / "empty").mkdir()
    for place, message in (
        ("no report", "is not finished: it has no report yet"),
        ("no control", "is not finished: it has no control_equal_steps"),
        ("no card", "is not finished: it has no report yet"),
        ("damaged", "config.json is missing or damaged"),
        (tmp_path / "empty", "is not the folder of a run"),
        ("nowhere", "is not the folder of a run"),
    ):
        code, out, err = call("publish", place, NAME)
        assert code == 2 and message in err and err.count("\n") == 1 and not out, (place, err)
    assert hub.requests == []


@pytest.mark.parametrize("name", ["", "student", "a/b/c", "/b", "a/", "a b/c", "a/b.git", "a/--b", "ü/b", "a/" + "b" * 200])  # fmt: skip
def test_a_name_that_the_hub_does_not_allow_is_refused_here(workplace, hub, call, name):
    code, _, err = call("publish", "run", name, "--dry-run")
    assert code == 2 and err.count("\n") == 1 and "name" in err, err


@pytest.mark.parametrize(
    ("part", "status"),
    [("create", 401), ("create", 403), ("preupload", 403), ("commit", 500), ("yaml", 400), ("store", 403)],
)  # fmt: skip
def test_what_the_hub_refuses_is_one_line(workplace, hub, call, part, status, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # before it is asked once more
    hub.refuses[part] = status
    code, _, err = call("publish", "run", NAME)
    assert code == 2 and err.count("\n") == 1, err
    assert err.startswith(f"kdlib: publish: {hub.address} does not take {NAME}: ")
    assert not hub.repositories.get(NAME)


def test_a_hub_that_is_away_is_one_line(workplace, hub, call, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    code, _, err = call("publish", "run", NAME)
    assert code == 2 and err.count("\n") == 1 and "does not take" in err


def test_a_machine_that_is_told_to_stay_offline_sends_nothing(workplace, hub, call, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    code, _, err = call("publish", "run", NAME)
    assert code == 2 and err.count("\n") == 1 and hub.requests == []
