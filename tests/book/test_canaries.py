"""Each way to spoil a chapter is seen, and by the one gate that is there for it."""

import json

import build
import contents
import nbformat
import pytest
from gates import GATES, headlines
from gates.chapter import Chapter

from kdlib.exercises import chapters, exercise

pytestmark = pytest.mark.slow

EXERCISE = chapters()[1][0].id
LONG = "\n".join(f"line_{number} = {number}" for number in range(21))


RIVALS = '''
@headline(0, "Both cells are equal.")
def test_they_are_equal():
    """Rival: other kernels."""
'''


@pytest.fixture
def source(folder, monkeypatch):
    (folder / "test_chapter_00.py").write_text(RIVALS, "utf-8")
    monkeypatch.setattr(headlines, "RIVALS", folder)
    return folder / "00_made_up.py"


def faults(source):
    found = {name: gate(Chapter(source)) for name, gate in GATES.items()}
    return {name: lines for name, lines in found.items() if lines}


def spoil(source, change):
    """Let `change` edit the notebook's code cells; the file keeps the form the builder gives it."""
    path = source.with_suffix(".ipynb")
    notebook = json.loads(path.read_text("utf-8"))
    change([cell for cell in notebook["cells"] if cell["cell_type"] == "code"])
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n")


def edit(source, old, new):
    """Replace a text in the source, and in the notebook as if the edited source had run."""
    replace(source, old, new)
    path = source.with_suffix(".ipynb")
    results = nbformat.reads(path.read_text("utf-8").replace(old, new), as_version=4)
    path.write_text(build.written(build.with_results(build.read_source(source), results)), "utf-8")


def replace(path, old, new):
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def test_a_healthy_chapter_passes(source):
    assert faults(source) == {}


def test_a_stale_pair(source):
    text = source.read_text("utf-8")
    source.write_text(text.replace("0.574 / 2", "0.574 / 3"), "utf-8")
    assert faults(source) == {"pair": ["00_made_up: cell 2 differs from its source: 'import os'"]}
    source.write_text(text + "\n# %%\nprint('new')\n", "utf-8")
    assert faults(source) == {"pair": ["00_made_up: has 8 cells, its source 9"]}


def test_another_mark_on_a_cell_is_a_stale_pair(source):
    text = source.read_text("utf-8")
    source.write_text(text.replace("# %%\nimport os", '# %% tags=["x"]\nimport os'), "utf-8")
    assert list(faults(source)) == ["pair"]


def test_a_notebook_saved_by_another_program(source):
    replace(source.with_suffix(".ipynb"), '"language_info": {', '"x": 1, "language_info": {')
    assert faults(source) == {"pair": ["00_made_up: is not in the form that the builder writes"]}


def test_an_unrun_cell(source):
    spoil(source, lambda cells: cells[2].update(execution_count=None, outputs=[]))
    assert faults(source) == {"order": ["00_made_up: code cell 3 has not run"]}


def test_cells_run_out_of_order(source):
    spoil(source, lambda cells: cells[2].update(execution_count=7))
    assert faults(source) == {"order": ["00_made_up: code cell 3 ran as number 7"]}


def test_a_stored_error(source):
    error = {"output_type": "error", "ename": "E", "evalue": "", "traceback": []}
    spoil(source, lambda cells: cells[1]["outputs"].append(error))
    assert faults(source) == {"order": ["00_made_up: code cell 2 holds an error"]}


@pytest.mark.parametrize("number", ["0.28", "0.39", "39 %", "129"])
def test_a_false_number_in_prose(source, number):
    edit(source, "about 0.29", f"about {number}")
    (fault,) = faults(source)["claims"]
    assert list(faults(source)) == ["claims"] and f" holds {number}: about {number}." in fault


def test_a_false_number_in_an_alt_text(source):
    edit(source, "One point.", "One point at 0.31.")
    (fault,) = faults(source)["claims"]
    assert list(faults(source)) == ["claims"] and " holds 0.31: One point at 0.31." in fault


@pytest.mark.parametrize(
    ("claim", "said"),
    [
        ("in at least seven ways", "at least seven"),
        ("twice as often as before", "twice"),
        ("in 7 of 9 ways", "7 of 9"),
    ],
)
def test_a_false_number_in_words(source, claim, said):
    edit(source, "in many ways", claim)
    (fault,) = faults(source)["number words"]
    assert list(faults(source)) == ["number words"] and f" holds {said!r}: " in fault


def test_a_conclusion_without_a_rival(source):
    edit(source, "are equal.", "are equal. They always are.")
    assert faults(source) == {"headlines": ["no rival stands behind 'They always are.'"]}


def test_a_time_that_is_not_the_rule_s(source):
    edit(source, "10 min", "40 min")
    (fault,) = faults(source)["reading time"]
    assert list(faults(source)) == ["reading time"]
    assert fault.endswith("the rule gives: **Time**: about 10 min.")


def test_an_answer_that_is_not_hidden(source):
    """The pair is at fault, too: the builder would have hidden it."""
    spoil(source, lambda cells: cells[-1].update(metadata={}))
    asked = "which of the next two cells says more."
    assert faults(source) == {
        "pair": ["00_made_up: cell 8 differs from its source: 'print(\"equal\")'"],
        "predictions": [f"shows its answer at once: {asked}"],
    }


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('print("equal")', 'print("equal")  # NBVAL_IGNORE_OUTPUT\n# NBVAL_IGNORE_OUTPUT'),
        ('print("equal")', '# NBVAL_SKIP\nprint("equal")'),
        ('print("equal")', '# PYTEST_VALIDATE_IGNORE_OUTPUT\nprint("equal")'),
        ('# %%\nprint("equal")', '# %% tags=["nbval-ignore-output"]\nprint("equal")'),
        ('# %%\nprint("equal")', '# %% tags=["raises-exception"]\nprint("equal")'),
    ],
)
def test_too_many_cells_that_are_not_compared(source, old, new):
    edit(source, old, new)
    assert faults(source) == {"comparison": ["2 of 6 code cells are not compared: 5, 6"]}


def test_one_in_ten_may_stay_out(source):
    marked = '# NBVAL_IGNORE_OUTPUT\nprint("noise")'
    more = "".join(f"\n# %%\nprint({number})\n" for number in range(3))
    source.write_text(source.read_text("utf-8") + f"{more}\n# %%\n{marked}\n", "utf-8")
    build.build(source)
    assert faults(source) == {}
    replace(source, "# %%\nprint(2)\n\n", "")
    build.build(source)
    assert faults(source) == {"comparison": ["1 of 9 code cells are not compared: 9"]}


def test_a_cell_too_long_or_too_wide(source):
    edit(source, "import os\n\nprint", f"{LONG}\nimport os\n\nprint")
    assert faults(source) == {"size": ["code cell 1 has 24 lines; at most 20"]}
    wide = "x = 1  # " + "y" * 71
    edit(source, LONG, wide)
    assert faults(source) == {"size": [f"code cell 1 is wider than 79 columns: {wide}"]}


def test_a_picture_that_nobody_sees(source):
    edit(source, 'alt="One point.")', 'alt="One point.")\nmade = 1')
    (line,) = faults(source)["results"]
    assert line.startswith("points({'a': ([1], [2])}") and line.endswith("cell's last line")
    edit(source, "\nmade = 1", "")
    assert faults(source) == {}
    edit(source, 'frames({"small"', 'for _ in "ab":\n    frames({"small"')
    assert len(faults(source)["results"]) == 1


def without_alt(data):
    data["text/html"] = [line.replace("alt=", "alt='' old=") for line in data["text/html"]]


def without_page(data):
    del data["text/html"]
    data["image/png"] = "AAAA"


def without_plain_twin(data):
    del data["text/plain"]


@pytest.mark.parametrize("change", [without_alt, without_page, without_plain_twin])
def test_a_picture_without_words(source, change):
    spoil(source, lambda cells: change(cells[2]["outputs"][0]["data"]))
    assert faults(source) == {"alt text": ["code cell 3 shows a picture without words"]}


@pytest.mark.parametrize("spoilt", ['alt=""', "", 'alt="  "', 'alt="Two."'])
def test_one_frame_without_its_words(source, spoilt):
    def change(cells):
        data = cells[3]["outputs"][0]["data"]
        first, *others = [line for line in data["text/html"] if 'alt="One."' in line]
        assert others
        data["text/html"] = [
            line.replace('alt="One."', spoilt) if line == first else line
            for line in data["text/html"]
        ]

    spoil(source, change)
    assert faults(source) == {"alt text": ["code cell 4 shows a picture without words"]}


def test_exercises_of_another_chapter_or_changed_or_alone(source):
    own = source.with_name("01_made_up.py")
    source.rename(own)
    ids = [each.id for each in chapters()[1]]
    pairs = "".join(f'\n# %%\nexercise("{id}")\n\n# %%\n{exercise(id).cell()}\n' for id in ids)
    start = "\n# %%\nfrom kdlib.exercises import exercise\n\nimport torch\n"
    own.write_text(own.read_text("utf-8") + start + pairs, "utf-8")
    assert gate_of_exercises(own) == []
    assert gate_of_exercises(own, f'exercise("{EXERCISE}")\n', "pass\n") == [
        f'the cell before exercise {EXERCISE} is not exercise("{EXERCISE}")'
    ]
    assert gate_of_exercises(own, exercise(EXERCISE).cell(), "pass") == [
        f"exercise {EXERCISE} is missing"
    ]
    assert gate_of_exercises(own, f"# exercise: {EXERCISE}\n", f"# exercise: {EXERCISE}\n\n") == [
        f"paste the text of exercise({EXERCISE!r}).cell()"
    ]
    again = f'\n# %%\nexercise("{EXERCISE}")\n\n# %%\n{exercise(EXERCISE).cell()}\n'
    assert gate_of_exercises(own, start, start + again) == [f"exercise {EXERCISE} stands twice"]
    other = chapters()[2][0].id
    assert gate_of_exercises(own, start, f"{start}\n# %%\n{exercise(other).cell()}\n") == [
        f"exercise {other} is not of this chapter"
    ]


def gate_of_exercises(source, old="", new=""):
    """The faults after an edit; the gate reads cells only, so nothing need run."""
    edited = source.with_name("edited") / source.name
    edited.parent.mkdir(exist_ok=True)
    edited.write_text(source.read_text("utf-8").replace(old, new, 1), "utf-8")
    text = build.written(build.read_source(edited))
    edited.with_suffix(".ipynb").write_text(text, "utf-8")
    return GATES["exercises"](Chapter(edited))


def test_a_chapter_that_takes_too_long_or_was_never_timed(source):
    contents.note_seconds(source, 91)
    assert faults(source) == {"time": ["takes 91 s; its budget is 90 s"]}
    (source.parent / "seconds.json").unlink()
    assert faults(source) == {"time": ["no build of it was timed"]}
