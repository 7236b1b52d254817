"""What a name in a recipe stands for."""

import huggingface_hub
import pytest

from kdlib.errors import UserError
from kdlib.models.fetch import CACHE_VARIABLE
from kdlib.models.folders import POCKET_TEACHER
from kdlib.models.locate import find_model


def test_pocket_is_the_shipped_teacher():
    assert find_model("pocket") == POCKET_TEACHER


def test_a_fetched_model_is_found_by_its_name(monkeypatch, tmp_path):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    with pytest.raises(UserError, match="run: kdlib fetch smollm2"):
        find_model("smollm2")
    (tmp_path / "smollm2").mkdir()
    assert find_model("smollm2") == tmp_path / "smollm2"


def test_a_folder_is_itself_even_if_it_looks_like_a_name_on_the_hub(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "owner" / "name").mkdir(parents=True)
    assert find_model("owner/name").resolve() == tmp_path / "owner" / "name"
    assert find_model(str(tmp_path)) == tmp_path


def test_no_network_is_one_line():
    with pytest.raises(UserError, match="owner/name is no folder here") as refused:
        find_model("owner/name")
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("source", "revision"), [("owner/name", None), ("owner/name@v1.0", "v1.0")]
)
def test_the_hub_is_asked_for_safetensors_and_no_code(monkeypatch, tmp_path, source, revision):
    asked = {}

    def snapshot(name, **options):
        asked.update(options, name=name)
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    assert find_model(source) == tmp_path
    assert (asked["name"], asked["revision"]) == ("owner/name", revision)
    matching = huggingface_hub.utils.filter_repo_objects(
        ["model.safetensors", "model.bin", "model.py", "config.json", "tokenizer.json", "x.gguf"],
        allow_patterns=asked["allow_patterns"],
    )
    assert set(matching) == {"model.safetensors", "config.json", "tokenizer.json"}
