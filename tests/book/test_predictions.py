"""Which outputs are hidden, and what the gate says where one is not."""

import nbformat
import predictions
import pytest
from gates import predictions as gate
from gates.chapter import Chapter
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output


def printing(text, source="print(x)", **more):
    return new_code_cell(source, outputs=[new_output("stream", text=text)] if text else [], **more)


def hidden(*cells):
    """The sources of the cells that are tagged."""
    predictions.tag(cells)
    return [cell.source for cell in cells if cell.metadata.get("tags") == ["hide-output"]]


ASKED = "A table. **Predict**: which is nearer?"


@pytest.mark.parametrize("text", [ASKED, "**Predict.** Which?", "**Predict:** which?"])
def test_what_follows_a_prediction_is_hidden_up_to_the_next_text(text):
    cells = [
        printing("0", "zero"),
        new_markdown_cell(text),
        printing("1", "one"),
        printing("2", "two"),
    ]
    assert hidden(*cells, new_markdown_cell("So."), printing("3", "three")) == ["one", "two"]


def test_exercises_and_what_draws_nothing_are_left_alone():
    cells = [
        new_markdown_cell(ASKED),
        printing("a card", 'exercise("soften")'),
        printing("not attempted", "# exercise: soften\nanswer = ..."),
        printing("", "import torch"),
        printing("1", "one"),
    ]
    assert hidden(*cells) == ["one"]


def test_one_prediction_may_follow_another():
    cells = [new_markdown_cell(ASKED), new_markdown_cell(ASKED), printing("1", "one")]
    assert hidden(*cells) == ["one"]


def test_a_form_asks_and_is_answered_by_what_follows():
    cells = [
        new_markdown_cell("**Predict**: how\nmany?"),
        printing("(a) 1 (b) 2", 'predict("04-x")'),
        printing("a card", 'exercise("soften")'),
        new_markdown_cell(ASKED),
        printing("a form", 'predict("04-y")'),
        printing("1", "one"),
        printing("", "import torch"),
        printing("2", "two"),
        new_markdown_cell("So."),
        printing("3", "three"),
    ]
    assert hidden(*cells) == ["one", "two"]
    assert predictions.answers(cells) == {"04-x": "1\n2", "04-y": "1\n2"}
    assert predictions.question(cells, "04-x") == "how many?"
    assert predictions.question(cells, "04-z") == ""


def test_a_form_alone_is_no_answer(tmp_path):
    form = printing("(a) 1", 'predict("04-x")')
    assert faults(tmp_path, new_markdown_cell(ASKED), form, new_markdown_cell("So.")) == [
        "no code follows the prediction: : which is nearer?"
    ]


def test_other_tags_stay():
    cell = printing("1", metadata={"tags": ["x"]})
    predictions.tag([new_markdown_cell(ASKED), cell])
    predictions.tag([new_markdown_cell(ASKED), cell])
    assert cell.metadata["tags"] == ["x", "hide-output"]


def faults(folder, *cells):
    (folder / "00_x.ipynb").write_text(nbformat.writes(new_notebook(cells=cells)), "utf-8")
    return gate.faults(Chapter(folder / "00_x.py"))


TAGGED = {"metadata": {"tags": ["hide-output"]}}


def test_the_gate_finds_what_is_shown_at_once_and_what_nothing_answers(tmp_path):
    asked = new_markdown_cell(ASKED)
    assert faults(tmp_path, asked, printing("0.271 0.314", **TAGGED)) == []
    assert faults(tmp_path, asked, printing("0.271 0.314")) == [
        "shows its answer at once: : which is nearer?"
    ]
    assert faults(tmp_path, asked, new_markdown_cell("So."), printing("1")) == [
        "no code follows the prediction: : which is nearer?"
    ]


def test_the_gate_finds_an_answer_that_was_shown_before(tmp_path):
    cells = [new_markdown_cell(ASKED), printing("0.271, 0.314", **TAGGED)]
    assert faults(tmp_path, printing("0.271 and 0.314 and more"), *cells) == [
        "was shown before: : which is nearer?"
    ]
    assert faults(tmp_path, printing("0.271 and 0.315"), *cells) == []
