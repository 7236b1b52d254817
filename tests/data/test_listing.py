"""What programs leave in a folder is no document of it, and is counted by its reason."""

import os
import random
from pathlib import Path

import pytest

from kdlib.data.documents import load_splits, load_text
from kdlib.data.sources import open_source
from kdlib.errors import UserError

pytestmark = pytest.mark.door("folders of texts")


def prose(number, words=60):
    """Words in an order of their own for each number."""
    return " ".join(f"w{word}" for word in random.Random(number).choices(range(3000), k=words))


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "texts"
    place.mkdir()
    for n in range(40):
        (place / f"letter {n}.txt").write_text(prose(n))
    return place


def left_out(folder):
    return dict(load_text(str(folder)).facts.left_out)


LEFTOVERS = {
    "hidden": [".letter 1.txt", "._letter 1.txt", ".git", ".Trash", ".ipynb_checkpoints"],
    "a system's own": ["__pycache__", "__MACOSX", "Thumbs.db", "desktop.ini", "$RECYCLE.BIN"],
    "backup copies": [
        *("letter 1.txt~", "#letter 1.txt#", "letter 1.txt.bak", "letter 1.txt.orig"),
        *("Copy of letter 1.txt", "letter 1 - Copy.txt", "letter 1 copy.txt"),
        *("letter 1 copy 2.txt", "letter 1 (copy).txt", "Kopie von letter 1.txt", "~$letter 1.txt"),
    ],
    ".md": ["letter.md", "README.MD"],
    "no suffix": ["LICENSE"],
}


@pytest.mark.parametrize(
    ("reason", "name"), [(reason, name) for reason, names in LEFTOVERS.items() for name in names]
)
def test_leftovers_are_no_documents(folder, reason, name):
    before = load_splits(str(folder))
    path = folder / name
    if "." in name[1:] or name == "LICENSE":
        path.write_text(prose(1, 59) + " edited")
    else:  # a folder of copies
        path.mkdir()
        (path / "letter 1-checkpoint.txt").write_text(prose(1, 59) + " edited")
    assert load_splits(str(folder)) == before
    assert left_out(folder) == {reason: 1}


def test_a_copy_by_name_whose_original_is_elsewhere_is_a_document(folder):
    (folder / "Copy of another letter.txt").write_text(prose(99))
    assert len(open_source(str(folder)).documents) == 41 and left_out(folder) == {}


def test_an_empty_file_is_left_out_with_a_count(folder):
    (folder / "empty.txt").write_bytes(b"")
    (folder / "blank.txt").write_bytes(b"\xef\xbb\xbf \r\n")
    assert len(open_source(str(folder)).documents) == 40 and left_out(folder) == {"empty": 2}


def test_suffixes_may_be_in_capitals(folder):
    (folder / "OLD.TXT").write_text(prose(77))
    assert len(open_source(str(folder)).documents) == 41


def test_all_unusable_files_are_named_at_once(folder):
    for name in ("b", "c", "d"):
        (folder / f"{name}.txt").write_bytes("Größe".encode("latin-1"))
    with pytest.raises(UserError) as refused:
        load_splits(str(folder))
    message = str(refused.value)
    assert "b.txt is not UTF-8 text (byte 2)" in message and "2 others" in message
    assert "c.txt" in message and "d.txt" in message and "\n" not in message


def test_links_are_followed_once(folder, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "far.txt").write_text(prose(55))
    (folder / "below").mkdir()
    links = {"far": other, "below/far again": other, "loop": folder, "below/up": tmp_path}
    for name, target in links.items():
        (folder / name).symlink_to(target, target_is_directory=True)
    (folder / "linked.txt").symlink_to(folder / "letter 3.txt")
    (folder / "nowhere.txt").symlink_to(folder / "gone.txt")
    os.link(folder / "letter 4.txt", folder / "below" / "hard.txt")
    texts = [document.text for document in open_source(str(folder)).documents]
    assert sorted(texts) == sorted([*map(prose, range(40)), prose(55)])
    assert left_out(folder) == {"the same file again": 5, "links that lead nowhere": 1}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows keeps no named pipes in folders")
def test_a_pipe_in_a_folder_is_not_waited_for(folder):
    os.mkfifo(folder / "pipe.txt")
    assert left_out(folder) == {"not regular files": 1}


def test_a_hidden_folder_may_be_named(folder):
    hidden = folder.rename(folder.with_name(".texts"))
    assert len(open_source(str(hidden)).documents) == 40


def test_a_folder_of_other_files_says_what_it_holds(tmp_path):
    for n in range(4):
        (tmp_path / f"{n}.md").write_text("text")
    with pytest.raises(UserError, match=r"holds 0 \.txt files \(left out: 4 \(\.md\)\)"):
        load_splits(str(tmp_path))


def test_a_folder_that_cannot_be_read_is_named(folder, monkeypatch):
    def refused(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refused)
    with pytest.raises(UserError, match="texts cannot be read: Permission denied"):
        load_splits(str(folder))


def test_facts_are_said_in_sentences(folder):
    (folder / ".DS_Store").write_bytes(b"\0")
    for n in range(3):
        (folder / f"{n}.md").write_text("text")
        (folder / f"again {n}.txt").write_text(prose(n).replace(" ", "\n"))
    size = sum(len(prose(n)) for n in range(40))
    assert load_text(str(folder)).facts.lines()[1:] == [
        "left out: 3 (.md), 1 (hidden)",
        "3 exact duplicates dropped; one of each text is kept",
    ]
    assert load_text(str(folder)).facts.lines()[0] == f"40 documents of {size:,} characters"
