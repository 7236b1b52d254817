"""How pages are made, piece by piece, without Sphinx and without a browser."""

import hashlib
import io
import tarfile

import nbformat
import pytest
from bs4 import BeautifulSoup
from markdown_it import MarkdownIt
from website import chapter, formulas, landing, links, misconceptions, notation, quizzes
from website.vendor import Unavailable, Vendored

from kdlib.exercises import exercise
from kdlib.exercises import misconceptions as catalogue

LINKS = links.Links({1: "01_one.ipynb", 4: "04_four.ipynb"}, frozenset({"4.2"}))


@pytest.mark.parametrize(
    ("text", "linked"),
    [
        ("See chapter 4.", "See [chapter 4](04_four.ipynb)."),
        ("Chapters 1 to 4.", "Chapters [1](01_one.ipynb) to [4](04_four.ipynb)."),
        ("Chapters 1, 4 and 9", "Chapters [1](01_one.ipynb), [4](04_four.ipynb) and 9"),
        ("of chapter\n4 it", "of [chapter\n4](04_four.ipynb) it"),
        ("section 4.2, section 4.9", "[section 4.2](#section-4-2), section 4.9"),
        ("F2 and F2", "[F2](#formula-f2) and F2"),
        ("`chapter 4` $F2$ [chapter 4](x)", "`chapter 4` $F2$ [chapter 4](x)"),
        ("## chapter 4\nchapter 4", "## chapter 4\n[chapter 4](04_four.ipynb)"),
        ("chapter 7 is not there", "chapter 7 is not there"),
    ],
)
def test_prose_gets_links_and_nothing_else_does(text, linked):
    assert LINKS.linked(text) == linked


def test_a_chapter_has_no_link_to_itself():
    assert LINKS.linked("chapter 4, chapter 1", here=4) == "chapter 4, [chapter 1](01_one.ipynb)"


def test_headings_get_the_targets_that_sections_are_linked_by():
    assert links.with_section_targets("## 4.2 Two") == "(section-4-2)=\n## 4.2 Two"


def cells(*sources):
    make = nbformat.v4.new_code_cell
    return [make(source) for source in sources]


def test_an_exercise_of_code_keeps_its_cell_and_a_quiz_does_not():
    code, quiz = exercise("kl-of-rows"), exercise("brown-fox")
    made = chapter.with_exercises(
        cells('exercise("kl-of-rows")', code.cell(), 'exercise("brown-fox")', quiz.cell(), "1 + 1")
    )
    kinds = [cell.cell_type for cell in made]
    assert kinds == ["markdown", "code", "markdown", "markdown", "code"]
    assert made[1].source == code.cell()
    assert 'id="quiz-brown-fox"' in made[3].source and 'id="quiz-kl-of-rows"' not in made[0].source
    assert "def kl_of_rows" in made[2].source and "answer = 0.60" in made[3].source


def test_the_stars_of_a_product_are_no_emphasis():
    prompt = quizzes.question(exercise("students-that-swap"))
    assert "a*log(w)" in MarkdownIt("commonmark").render(prompt)
    assert quizzes.inline("It is a*b*log(q*r), *not* `a*b`.") == (
        "It is a*b*log(q*r), <em>not</em> <code>a*b</code>."
    )


def test_an_exercise_that_is_only_shown_stays_as_it_is():
    assert [c.source for c in chapter.with_exercises(cells('exercise("soften")'))] == [
        'exercise("soften")'
    ]


def test_a_verdict_leads_to_pages_and_not_to_notebooks():
    """As chapter 0 has one: its links lead to the notebooks beside a reader's own."""
    shown = exercise("soften").judge(lambda logits, temperature: (logits * temperature).softmax(-1))
    data = {"text/html": shown._repr_html_(), "text/plain": repr(shown)}
    outputs = [
        nbformat.v4.new_output("execute_result", data),
        nbformat.v4.new_output("stream", text='<a href="01_one.ipynb">'),
    ]
    chapter.link_to_pages(outputs)
    links = BeautifulSoup(outputs[0].data["text/html"], "html.parser").select("a")
    assert [link["href"] for link in links] == [
        "01_teacher_and_student.html",
        "misconceptions.html#misconception-temperature-inverted",
    ]
    assert outputs[0].data["text/plain"] == repr(shown) and "ipynb" in outputs[1].text


@pytest.mark.parametrize(("minutes", "words"), [(8, "15 min"), (60, "1 h"), (80, "1 h 15 min")])
def test_durations_are_rounded_to_a_quarter_of_an_hour(minutes, words):
    assert chapter.duration(minutes) == words


def test_the_groups_hold_the_whole_catalogue():
    grouped = [entry.id for group in misconceptions.groups().values() for entry in group]
    assert grouped == list(catalogue())


def test_a_mistake_is_found_wherever_an_author_named_it():
    named = misconceptions.named_by(exercise("soften"))
    assert {"temperature-inverted", "softmax-overflow"} <= set(named)


def test_a_mistake_has_its_symptom_as_a_title_and_its_code_with_what_it_prints():
    about = catalogue()["terms-clamped"]
    text = misconceptions.entry(about, None, [exercise("bug-small-kl")], LINKS)
    assert text.startswith(f"(misconception-terms-clamped)=\n### {about.sign}\n\n`terms-clamped`")
    drawn = BeautifulSoup(MarkdownIt("commonmark").render(text), "html.parser")
    broken, right = drawn.select(".beside > div")
    assert "clamp" in broken.pre.get_text() and "clamp" not in right.pre.get_text()
    assert broken.samp.get_text() == "0.1079 -0.0311" and right.samp.get_text() == "0.0268 0.0268"
    for words in (about.name, about.do, "OPSD #2, 2026", "exercise bug-small-kl"):
        assert words in drawn.get_text()


def test_a_mistake_with_an_exhibit_leads_there_and_has_no_code():
    text = misconceptions.entry(catalogue()["ce-called-kl"], "13_museum.ipynb", [], LINKS)
    assert "[the exhibit](13_museum.ipynb#ce-called-kl)" in text and "beside" not in text


def test_a_row_of_formulas_is_displayed_and_a_sentence_is_not():
    shown = notation.formula("F4", "target", r"$\Pr^t(y)$, $\;Q$", "3", LINKS)
    assert shown.count("$$") == 2 and r"\Pr\nolimits^t" in shown and "(formula-f4)=" in shown
    assert "$$" not in notation.formula("F3", "cost", "the sum has $V^L$ terms", "3, 4", LINKS)


def test_questions_come_from_the_readme():
    row = "| [4. KL](chapters/04_kl.ipynb) | What is kept? | more |"
    assert landing.questions(row) == {4: "What is kept?"}


def test_a_file_that_cannot_be_had_is_told_plainly(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unavailable, match=r"no-such-thing 1\.0.*npm is not installed"):
        Vendored("no-such-thing", "1.0", "", "file.js").file(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_was_kept_needs_no_npm(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    archive = tmp_path / "thing-1.0.tgz"
    with tarfile.open(archive, "w:gz") as made:
        file = tarfile.TarInfo("package/dist/file.js")
        file.size = 1
        made.addfile(file, io.BytesIO(b"x"))
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    whole, part = Vendored("thing", "1.0", digest), Vendored("thing", "1.0", digest, "dist/file.js")
    assert part.file(tmp_path).read_text() == "x"
    assert whole.file(tmp_path) == part.file(tmp_path).parents[1]
    archive.write_bytes(b"changed")
    with pytest.raises(Unavailable):
        part.file(tmp_path)


def test_a_formula_is_found_with_its_tex_as_it_was_written():
    page = '<p><span class="math">a &lt; b</span> and <div class="math" id="x">\\sum_y</div></p>'
    found = [formulas._task(each) for each in formulas.FORMULA.finditer(page)]
    assert found == [("a < b", False), ("\\sum_y", True)]
