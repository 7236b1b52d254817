"""The pages as files: links lead somewhere, pictures have words, nothing is loaded from outside."""

import functools
import re
from urllib.parse import unquote, urlsplit

import contents
import nbformat
import pytest
from bs4 import BeautifulSoup
from predictions import HIDDEN
from website.chapter import Chapter
from website.misconceptions import exhibits_of
from website.paper import one_page

import kdlib
from kdlib.exercises import exercise, misconceptions

pytestmark = pytest.mark.slow

CHAPTERS = [Chapter(s, None) for s in contents.sources() if s.with_suffix(".ipynb").exists()]


@pytest.fixture(scope="module")
def read(website):
    @functools.cache
    def soup(path):
        text = (website / path).read_text("utf-8")
        text = re.sub(r'src="data:[^"]*"', 'src="data:,"', text)  # megabytes that say nothing here
        return BeautifulSoup(text, "html.parser")

    return soup


@pytest.fixture(scope="module")
def anchors(read):
    @functools.cache
    def of(path):
        return {tag["id"] for tag in read(path).select("[id]")}

    return of


def test_all_links_and_anchors_lead_somewhere(website, pages, read, anchors):
    faults = []
    for path in pages:
        for link in read(path).select("a[href]"):
            to = urlsplit(link["href"])
            target = (website / path).parent / unquote(to.path) if to.path else website / path
            if to.scheme:
                if to.scheme not in ("https", "mailto"):
                    faults.append(f"{path}: {link['href']}")
            elif not target.is_file():
                faults.append(f"{path}: no file {link['href']}")
            elif to.fragment and target.suffix == ".html" and link["href"] != "#":
                inside = str(target.resolve().relative_to(website.resolve()))
                if unquote(to.fragment) not in anchors(inside):
                    faults.append(f"{path}: no anchor {link['href']}")
    assert faults == []


def test_ids_are_unique_on_a_page(pages, read):
    for path in pages:
        ids = [tag["id"] for tag in read(path).select("[id]")]
        twice = {each for each in ids if ids.count(each) > 1} if len(ids) > len({*ids}) else {}
        assert not twice, path


def test_nothing_is_loaded_from_elsewhere(website, pages, read):
    """Also what no browser test happens to load."""
    for path in pages:
        for tag in read(path).select("[src], link[href]"):
            address = tag.get("src") or tag["href"]
            assert urlsplit(address).scheme in ("", "data"), f"{path}: {address[:80]}"
            assert not address.startswith("//"), f"{path}: {address[:80]}"
    for style in website.rglob("*.css"):
        text = style.read_text("utf-8")
        assert not re.search(r"(@import|url\()\s*['\"]?(https?:)?//", text), style


def test_every_picture_has_words(pages, read):
    for path in pages:
        for picture in read(path).select("img"):
            assert picture.get("alt", "").strip(), f"{path}: {str(picture)[:80]}"


def test_pictures_are_there_to_have_words(read):
    assert len(read("04_kl_divergence.html").select(".cell_output img")) >= 4


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.source.stem)
def test_a_chapter_has_its_facts_and_exercises(chapter, website, read):
    page = read(f"{chapter.source.stem}.html")
    facts = page.select_one("h1 + .facts").get_text()
    assert "tested with torch" in facts
    assert [card["id"] for card in page.select(".exercise")] == [
        f"exercise-{e.id}" for e in chapter.exercises
    ]
    assert len(page.select("details.solution")) == len(chapter.exercises)
    if chapter.exercises:
        assert f"{len(chapter.exercises)} exercises" in facts
    notebook = page.select_one(".facts a[download]")["href"]
    cells = nbformat.read(website / notebook, as_version=4).cells
    assert [c.source for c in cells] == [c.source for c in chapter.notebook().cells]
    assert not any(cell.get("outputs") for cell in cells), "a clean copy answers nothing"


def test_what_answers_a_prediction_is_opened_by_the_reader(read):
    for chapter in CHAPTERS:
        tagged = [c for c in chapter.notebook().cells if HIDDEN in c.metadata.get("tags", [])]
        hidden = read(f"{chapter.source.stem}.html").select("details.hide.below-input")
        assert len(hidden) == len(tagged)
        assert not any(each.has_attr("open") for each in hidden)


def test_quizzes_keep_their_ids(read):
    forms = read("01_teacher_and_student.html").select("form.quiz")
    assert "quiz-most-informative-target" in [form["id"] for form in forms]


def test_a_card_does_not_show_the_verdict_of_the_untouched_cell(read):
    for chapter in CHAPTERS[1:]:
        text = read(f"{chapter.source.stem}.html").select_one("article").get_text()
        assert "○ " not in re.sub(r"[●○]{5}", "", text)


def test_every_misconception_is_on_its_page(read):
    page = read("misconceptions.html")
    for id, about in misconceptions().items():
        entry = page.select_one(f"#misconception-{id}")
        assert entry is not None and about.name in entry.get_text(), id


def test_a_misconception_links_to_its_exercises_and_its_exhibit(read):
    page = read("misconceptions.html")
    entry = page.select_one("#misconception-mean-for-sum")
    entry = entry if entry.name == "section" else entry.parent
    links = [link["href"] for link in entry.select("a")]
    assert "02_the_objective.html#exercise-objective-on-two-inputs" in links
    for id, source in exhibits_of(CHAPTERS).items():
        assert page.select(f'a[href="{source.replace(".ipynb", ".html")}#{id}"]'), id


def test_every_mistake_of_an_exercise_leads_to_the_exercise(read):
    links = {link["href"] for link in read("misconceptions.html").select("a[href]")}
    for chapter in CHAPTERS:
        for each in chapter.exercises:
            assert exercise(each.id).wrongs
            assert f"{chapter.source.stem}.html#exercise-{each.id}" in links


def test_the_landing_page_asks_the_question_of_every_chapter(read):
    rows = read("index.html").select("ol.chapters li")
    assert len(rows) == len(CHAPTERS)
    for row in rows:
        assert len(row.select_one(".title + span").get_text()) > 10, row.get_text()


def test_a_function_has_its_signature_formula_and_fields(read):
    entry = read("api/losses.html").select_one("#kdlib\\.losses\\.divergences\\.forward_kl").parent
    assert "log_p: Tensor" in entry.select_one("dt").get_text()
    assert entry.select_one("div.math svg")
    assert entry.select_one("div.math math").get_text().startswith("KL(P‖Q)")
    assert "Kullback" in fields(entry)["Source"] and "log_p" in fields(entry)["Parameters"]


def fields(entry):
    """{label: text} of the fields of an entry."""
    labels, texts = entry.select("dl.field-list > dt"), entry.select("dl.field-list > dd")
    return {dt.get_text().rstrip(":"): dd.get_text() for dt, dd in zip(labels, texts)}


def test_a_class_says_what_it_is_a_kind_of(read):
    entry = (
        read("api/machine.html").select_one("#kdlib\\.machine\\.distributed\\.ProcessLost").parent
    )
    assert entry.select_one('.field-list a[href="small-modules.html#kdlib.errors.UserError"]')


def test_types_say_nothing_to_the_command_line(read, pages):
    package = [path for path in pages if path.startswith("api/")]
    assert [path for path in package if "Annotated" in read(path).get_text()] == []


def test_every_public_name_leads_to_its_documentation(read):
    links = [link["title"] for link in read("api/kdlib.html").select("td:first-child a[href]")]
    assert sorted(link.rpartition(".")[2] for link in links) == sorted(kdlib.__all__)


def test_a_bare_name_is_a_link_from_another_module(read):
    entry = read("api/losses.html").select_one("#kdlib\\.losses\\.objectives\\.Objective").parent
    assert entry.select_one('a[href="#kdlib.losses.divergences.get_divergence"] > code')


def test_the_printed_book_is_one_page_with_its_solutions_at_the_end(website):
    page = BeautifulSoup(one_page(website), "html.parser")
    ids = [tag["id"] for tag in page.select("[id]")]
    assert len(ids) == len(set(ids))
    links = [link["href"] for link in page.select("article a[href]")]
    assert [link for link in links if link[1:] not in ids] == []
    solutions = page.select("article > section")[-1].select(".solution")
    assert len(solutions) == sum(len(chapter.exercises) for chapter in CHAPTERS)
    assert page.select("details") == []
    assert len(page.select(".math svg")) > 200
