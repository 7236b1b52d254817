"""What the data call right is what the stored notebooks show; and each form has its place."""

import dataclasses
import itertools
import re

import predictions
import pytest
from gates import claims
from gates.chapter import chapters

from kdlib.exercises.predictions.data import of_chapter
from kdlib.exercises.predictions.data import predictions as all_predictions
from kdlib.exercises.predictions.proof import faults

ALL = list(all_predictions().values())
CHAPTERS = {c.number: c for c in chapters() if of_chapter(c.number)}
FEWEST = 6  # typed predictions of a chapter that has any
of_each = pytest.mark.parametrize("about", ALL, ids=lambda about: about.id)


def cells_of(about):
    return CHAPTERS[int(about.id[:2])].notebook.cells


def output_of(about):
    return predictions.answers(cells_of(about)).get(about.id, "")


def wrong_ones(about):
    """The prediction with other answers called right: every option, near numbers, every order."""
    if about.kind == "choice":
        rows = [dataclasses.replace(option, because="") for option in about.options]
        return [
            dataclasses.replace(about, options=rows, right=option.text)
            for option in rows
            if option.text != about.right
        ]
    if about.kind == "number":
        return [dataclasses.replace(about, right=about.right * by) for by in (0.999, 1.001, 10)]
    orders = itertools.permutations(about.items)
    return [dataclasses.replace(about, items=order) for order in orders if order != about.items]


@of_each
def test_what_is_called_right_is_what_the_notebook_shows(about):
    assert faults(about, output_of(about)) == []


@of_each
def test_whatever_else_is_called_right_turns_that_red(about):
    assert [wrong for wrong in wrong_ones(about) if not faults(wrong, output_of(about))] == []


@of_each
def test_its_question_is_in_one_place_and_its_form_after_it(about):
    cells = cells_of(about)
    prose = "\n\n".join(c.source for c in cells if c.cell_type == "markdown")
    asked = [" ".join(part.split()).lstrip(": ") for part in predictions.PREDICT.split(prose)[1:]]
    assert sum(part.startswith(about.question) for part in asked) == 1
    assert predictions.question(cells, about.id).startswith(about.question)


@pytest.mark.parametrize("number", CHAPTERS)
def test_a_chapter_has_the_forms_of_its_data_in_their_order(number):
    cells = [c for c in CHAPTERS[number].notebook.cells if c.cell_type == "code"]
    placed = [found[1] for cell in cells if (found := predictions.FORM.match(cell.source))]
    assert placed == [about.id for about in of_chapter(number)]
    assert len(placed) >= FEWEST
    sums = [c.source for c in cells if predictions.FORESEEN.match(c.source)]
    assert sums == [f'foreseen("{number:02}")'] and cells[-1].source == sums[0]


@of_each
def test_a_number_in_an_explanation_is_printed_or_given_near_by(about):
    said = [option.because for option in getattr(about, "options", ())]
    chapter = CHAPTERS[int(about.id[:2])]
    cells = [cell for cell in chapter.notebook.cells if cell.cell_type == "code"]
    place = next(i for i, c in enumerate(cells) if c.source == f'predict("{about.id}")')
    computed, given = claims._support(cells[place : place + 8])
    wrong = [
        n.text
        for text in said
        for n in claims.claims(text)
        if not claims.supported(n, computed, given)
    ]
    assert wrong == []


def test_no_form_is_without_data():
    for chapter in chapters():
        sources = [cell.source for cell in chapter.notebook.cells if cell.cell_type == "code"]
        ids = re.findall(r'predict\("([^"]+)"', "\n".join(sources))
        assert [id for id in ids if id not in all_predictions()] == []
