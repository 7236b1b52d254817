"""No answer before its question: what the gate finds in a made-up chapter, and what it lets pass."""

import nbformat
import pytest
from gates import giveaways
from gates.chapter import Chapter
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from kdlib.exercises import chapters

ALL = [each for found in chapters().values() for each in found]


def first(kind, **about):
    return next(
        e for e in ALL if e.kind == kind and all(getattr(e, n) == v for n, v in about.items())
    )


NUMBER = first("number", decimals=4)
SHORT = next(e for e in ALL if e.kind == "number" and len(f"{e.value:.{e.decimals}f}") == 4)
CHOICE, ORDERING, WRITTEN = first("choice"), first("ordering"), first("written")


def chapter(folder, cells, number=5):
    path = folder / f"{number:02}_x.py"
    path.with_suffix(".ipynb").write_text(nbformat.writes(new_notebook(cells=cells)), "utf-8")
    return Chapter(path)


@pytest.fixture
def faults(tmp_path):
    """faults(about, *cells, earlier=()): of a chapter with these cells before the exercise."""

    def found(about, *cells, earlier=()):
        asked = [new_code_cell(f'exercise("{about.id}")'), new_code_cell(about.cell())]
        whole = [chapter(tmp_path, earlier, 4), chapter(tmp_path, [*cells, *asked])]
        return giveaways.faults(whole[1], whole)

    return found


def right(about):
    return f"{about.value:.{about.decimals}f}"


def option(about):
    return about.options["abcdefgh".index(about.letter)].text


def words_of(about, many):
    return " ".join(about.model.split()[:many])


def printing(text):
    return new_code_cell("print(x)", outputs=[new_output("stream", text=text)])


def test_without_its_answer_a_chapter_passes(faults):
    for about in (NUMBER, CHOICE, ORDERING, WRITTEN):
        assert faults(about, new_markdown_cell("Nothing is said."), printing("17")) == []


@pytest.mark.parametrize("cell", [new_markdown_cell, new_code_cell, printing])
def test_an_answer_is_found_in_prose_in_code_and_in_outputs(faults, cell):
    (fault,) = faults(NUMBER, cell(right(NUMBER)))
    assert fault.startswith(f"{NUMBER.id}: its {right(NUMBER).lstrip('-')} stands before it")
    for about, text in (
        (CHOICE, option(CHOICE)),
        (ORDERING, ORDERING.letters),
        (ORDERING, ", ".join(ORDERING.letters)),
        (ORDERING, "; ".join(ORDERING.items)),
        (WRITTEN, words_of(WRITTEN, giveaways.RUN_OF_MODEL)),
    ):
        assert len(faults(about, new_markdown_cell(text))) == 1


def test_a_number_of_an_earlier_chapter_is_found(faults):
    assert len(faults(NUMBER, earlier=[printing(right(NUMBER))])) == 1
    assert faults(SHORT, earlier=[printing(right(SHORT))]) == []


def test_a_short_number_counts_in_its_own_section_alone(faults):
    there = printing(right(SHORT))
    assert len(faults(SHORT, new_markdown_cell("## One"), there)) == 1
    assert faults(SHORT, there, new_markdown_cell("## One")) == []


def test_the_words_of_a_picture_count(faults, tmp_path, monkeypatch):
    monkeypatch.setattr(giveaways, "texts_of", lambda number: {"bars": f"It is {right(NUMBER)}."})
    assert len(faults(NUMBER, new_code_cell('curves(alt=words("05-bars"))'))) == 1
    assert faults(NUMBER, new_code_cell('curves(alt=words("05-other"))')) == []


def test_the_format_of_a_number_is_none(faults):
    assert faults(first("number"), new_code_cell('f"{x:.4f} {y:8,.2%}"')) == []


def test_an_id_must_not_answer():
    class About:
        id, kind, letter = "an-exact-top-is-not-enough", "choice", "a"
        options = (type("Option", (), {"text": "No: an exact top is not enough."}),)

    assert "an exact top" in giveaways.given_away(About(), [], [])
