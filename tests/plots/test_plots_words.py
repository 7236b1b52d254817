"""Alt texts in files: found by key, filled, and complete or refused."""

import pytest

from kdlib.plots import words
from kdlib.plots import words as function
from kdlib.plots.words import FOLDER, texts_of


@pytest.fixture
def texts(tmp_path, monkeypatch):
    """A folder with the words of a chapter 90."""
    (tmp_path / "chapter_90.toml").write_text(
        'plain = "A line\\nfalls."\nfilled = """The mass is {best:.2f} at {{A}},\n {where}."""\n'
    )
    module = __import__("sys").modules[function.__module__]
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    texts_of.cache_clear()
    yield
    texts_of.cache_clear()


def test_words_are_found_and_filled(texts):
    assert words("90-plain") == "A line falls."
    filled = words("90-filled", best=0.274, where="left")
    assert filled == "The mass is 0.27 at {A}, left."


@pytest.mark.parametrize("key", ["90-none", "91-plain", "plain", "9-plain"])
def test_an_unknown_key_is_refused(texts, key):
    with pytest.raises(ValueError, match=f"there are no words for '{key}'"):
        words(key)


def test_places_and_values_must_be_the_same(texts):
    with pytest.raises(ValueError, match=r"have places for \['best', 'where'\], not {'best': 1}"):
        words("90-filled", best=1)
    with pytest.raises(ValueError, match=r"have places for \[\], not {'best': 1}"):
        words("90-plain", best=1)


def test_every_file_is_a_chapter_s_and_holds_texts():
    for path in FOLDER.iterdir():
        number = int(path.stem.removeprefix("chapter_"))
        assert path.name == f"chapter_{number:02}.toml"
        assert all(text.strip() for text in texts_of(number).values())
