"""Names in a notebook's source that a grader is shown."""

from pathlib import Path

import pytest

from kdlib.exercises import exercise
from kdlib.exercises.notebooks.solved import CHAPTERS, solve
from kdlib.exercises.notebooks.submissions import Cell, read_submission
from kdlib.exercises.notebooks.suspicions import suspicions


def flags(*sources):
    return suspicions(tuple(Cell(n, source) for n, source in enumerate(sources, start=1)))


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("exercise('soften').check(exercise('soften').right_answers()[0])", ".right_answers"),
        ("f = getattr(exercise('soften'), 'right_answers')()", "right_answers"),
        ("f = exercise('soften').reference", ".reference"),
        ("print(exercise('soften').solution())", ".solution"),
        ("a = exercise('gibbs').letter", ".letter"),
        ("a = exercise('plan-for-a-phone').letters", ".letters"),
        ("a = exercise('times-smaller').value", ".value"),
        ("a = exercise('gibbs').cell(solved=True)", "solved="),
        ("from kdlib.exercises import solve", "solve"),
        ("from kdlib.exercises.chapter_01.soften import soften", "kdlib.exercises.chapter_01"),
        ("from kdlib.exercises import chapter_01", "kdlib.exercises.chapter_01"),
        ("import kdlib.exercises.kinds.base as b", "kdlib.exercises.kinds"),
        ("m = importlib.import_module('kdlib.exercises.kinds.functions')", "kdlib.exercises.kinds"),
        ("open(os.environ['KDLIB_VERDICT_FILE'], 'a')", "KDLIB_VERDICT_FILE"),
        ("CodeExercise.judge = lambda self, a: True", ".judge"),
        ("import numpy as np\nnp.allclose = lambda *a, **k: True", "np.allclose = ..."),
        ("torch.Tensor.__eq__ = always", "torch.Tensor.__eq__ = ..."),
        ("sys._getframe(1).f_back", "._getframe"),
        ("import gc\nx = gc.get_objects()", "gc"),
        ("f.__closure__[0]", ".__closure__"),
        ("exec(text)", "exec"),
        ("eval('1')", "eval"),
        ("exercise('soften').atol = 1e9", ".atol"),
        ("%%time\nexercise('soften').reference", ".reference"),
    ],
)
def test_a_telling_name_is_shown_with_its_cell(source, name):
    found = flags("x = 1", source)
    assert any(line.startswith("cell 2 ") and line.endswith(f": {name}") for line in found), found


@pytest.mark.parametrize(
    "source",
    [
        "# the reference is exercise('soften').reference; never use right_answers",
        "answer = 'the reference value of the letter'",
        "model.eval()\nre.compile('x')\nstart, solve = 0, 1\nprint(start)",
        "model.weight = w\nself.size = 3",
        "loss.backward(); values = x.max(-1).values",
        "import torch.nn.functional as F\nfrom kdlib.exercises import exercise",
        "not Python: .reference",
    ],
)
def test_what_is_ordinary_is_not_shown(source):
    assert flags(source) == []


def test_one_name_in_several_cells_is_one_line():
    line = "exercise('soften').reference"
    assert flags(line, "x", line) == ["cell 1, 3 asks the book for an answer: .reference"]


@pytest.mark.parametrize("path", sorted(Path(CHAPTERS).glob("[0-9]*.py")), ids=lambda p: p.stem)
@pytest.mark.parametrize("solved", [False, True], ids=["clean", "solved"])
def test_no_chapter_of_the_book_is_suspected(path, solved, tmp_path):
    text = path.read_text("utf-8")
    (tmp_path / "copy.py").write_text(solve(text) if solved else text, "utf-8")
    assert suspicions(read_submission(tmp_path / "copy.py").cells) == []


def test_the_books_answers_are_still_called_so():
    for name in ("right_answers", "reference", "solution", "judge", "known", "probes"):
        assert hasattr(exercise("soften"), name)
    assert hasattr(exercise("gibbs"), "right_answers")
