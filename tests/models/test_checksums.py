"""A folder with checksums is read as it was written, or not at all."""

import pytest

from kdlib.errors import UserError
from kdlib.models.checksums import CHECKSUMS, verify_checksums, write_checksums


@pytest.fixture
def folder(tmp_path):
    for name in ("weights", "words"):
        (tmp_path / name).write_text(name * 100)
    write_checksums(tmp_path)
    return tmp_path


def test_what_is_untouched_passes_and_later_files_are_no_concern(folder):
    (folder / "README.md").write_text("added later")
    verify_checksums(folder)


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "words").unlink(),
        lambda folder: (folder / "words").write_text("words" * 99),
        lambda folder: (folder / "words").write_text("wordt" + "words" * 99),
        lambda folder: (folder / "weights").replace(folder / "words"),
    ],
    ids=["missing", "truncated", "changed", "swapped"],
)
def test_every_damage_is_named(folder, damage):
    damage(folder)
    with pytest.raises(UserError, match=r"(words|weights) is missing or damaged") as refusal:
        verify_checksums(folder)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("text", ["", "{", "[1]", '"a"'])
def test_a_damaged_seal_is_named(folder, text):
    (folder / CHECKSUMS).write_text(text)
    with pytest.raises(UserError, match="sha256.json is missing or damaged"):
        verify_checksums(folder)


def test_a_folder_of_another_program_has_no_seal(tmp_path):
    (tmp_path / "weights").write_text("anything")
    verify_checksums(tmp_path)
