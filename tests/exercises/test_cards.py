"""What a reader sees of an exercise in a notebook: card, hints, solution and verdict."""

import html
import re
from pathlib import Path

import pytest
import torch
from bs4 import BeautifulSoup
from markdown_it import MarkdownIt

from kdlib.exercises import exercise, exercises, misconceptions, progress
from kdlib.exercises.judging.looks import CODE, PRODUCT, prose, reading
from kdlib.exercises.judging.verdict import COLOURS, SIGNS, Text, Verdict
from kdlib.exercises.kinds import card
from kdlib.exercises.museum.cards import cards as all_cards

CHAPTERS = Path(__file__).parents[2] / "chapters"
EVERY = list(exercises().values())
SOFTEN = exercise("soften")
TWO_MODELS = exercise("why-two-models")
HOSTILE = "<b>bold</b> & <script>alert(1)</script>"


def named(e):
    return e.id


def drawn(markdown):
    """The Markdown as a page; a reader's Jupyter takes HTML in it, too."""
    return BeautifulSoup(MarkdownIt("commonmark").render(markdown), "html.parser")


def markup(verdict):
    return BeautifulSoup(verdict._repr_html_(), "html.parser")


def shown(verdict):
    """The text of a verdict's box, with spaces as they come."""
    return " ".join(markup(verdict).get_text(" ").split())


def turned_round(logits, temperature):
    return torch.softmax(logits * temperature, dim=-1)


@pytest.fixture
def kept(monkeypatch, tmp_path):
    """Progress is kept."""
    monkeypatch.setenv(progress.FOLDER, str(tmp_path))


# ---------------------------------------------------------------- the card


@pytest.mark.parametrize("e", EVERY, ids=named)
def test_a_card_has_a_heading_what_it_takes_and_the_prompt(e):
    page = drawn(e._repr_markdown_())
    assert page.h3.get_text() == f"Exercise: {card.title(e.id)}"
    facts = page.p.get_text()
    for fact in (e.kind, f"difficulty {e.difficulty} of 5", f"about {e.minutes} min", e.id):
        assert fact in facts
    words = re.findall(r"\w+", re.sub(r"```\w*", "", e.prompt))
    text = " ".join(re.findall(r"\w+", page.get_text()))
    assert " ".join(words) in text


@pytest.mark.parametrize("e", EVERY, ids=named)
def test_each_hint_opens_inside_the_one_before(e):
    page = drawn(e._repr_markdown_())
    found = page.select("details")
    assert len(found) == len(e.hints) and not page.select("details[open]")
    for depth, (each, text) in enumerate(zip(found, e.hints)):
        assert len(each.find_parents("details")) == depth
        own = each.find("p", recursive=False).get_text()
        assert re.findall(r"\w+", own) == re.findall(r"\w+", text.split("\n\n")[0])
        assert each.summary.get_text() == f"Hint {depth + 1} of {len(e.hints)}"


@pytest.mark.parametrize("e", EVERY, ids=named)
def test_no_star_of_a_formula_is_lost(e):
    texts = (e.prompt, *e.hints, e.explanation)
    for text in texts:
        products = sum(len(PRODUCT.findall(piece)) for piece in CODE.split(text)[::2])
        page = drawn(prose(text))
        for code in page.select("code"):
            code.decompose()
        assert len(PRODUCT.findall(page.get_text())) == products, text


def test_stars_around_words_are_emphasis_and_between_factors_are_not():
    page = drawn(prose("a*b*log(q) is *small*, **so** `a*b*c` stays"))
    assert page.get_text().strip() == "a*b*log(q) is small, so a*b*c stays"
    assert [tag.get_text() for tag in page.select("em, strong")] == ["small", "so"]
    assert prose("$a*b*c$ and `a*b*c`") == "$a*b*c$ and `a*b*c`"  # Jupyter draws the formula


@pytest.mark.parametrize("e", EVERY, ids=named)
def test_a_card_and_its_hints_run_nothing(e):
    for markdown in (e._repr_markdown_(), *(e.hint(n + 1).markdown for n in range(len(e.hints)))):
        tags = {tag.name for tag in drawn(markdown).find_all(True)}
        assert not tags & {"script", "style", "iframe", "form", "input", "button"}
        assert not re.search(r"\son\w+=", markdown)


# ---------------------------------------------------------------- progress on the card


def test_the_card_says_what_this_reader_has_reached(kept):
    assert "**Your progress:** ○ not checked yet" in SOFTEN._repr_markdown_()
    SOFTEN.check(turned_round)
    assert "**Your progress:** ✗ tried, 1 check\n" in SOFTEN._repr_markdown_()
    SOFTEN.check(SOFTEN.reference)
    assert "**Your progress:** ✓ solved, 2 checks\n" in SOFTEN._repr_markdown_()


def test_of_a_written_answer_it_says_the_most_points_so_far(kept):
    TWO_MODELS.check("The one is large and the other one is small enough.", ticked=[1, 2])
    made, of = 2, len(TWO_MODELS.rubric)
    said = f"**Your progress:** ✗ tried, {made} of {of} points, "
    assert f"{said}1 check\n" in TWO_MODELS._repr_markdown_()
    TWO_MODELS.check("The one is large and the other one is small enough.", ticked=[1])
    assert f"{said}2 checks\n" in TWO_MODELS._repr_markdown_()
    TWO_MODELS.check(TWO_MODELS.model, ticked=range(1, of + 1))
    assert f"✎ self-marked, {of} of {of} points, 3 checks\n" in TWO_MODELS._repr_markdown_()


def test_what_is_wrong_with_the_progress_file_stands_on_the_card(kept, tmp_path):
    (tmp_path / "progress.json").write_text("{")
    assert "kept as" in SOFTEN._repr_markdown_()


@pytest.mark.parametrize("e", EVERY[:3], ids=named)
def test_plain_text_is_the_same_for_every_reader(e, monkeypatch, tmp_path):
    """nbval compares it, and what the chapters hold is made where no progress is kept."""
    unkept, text = e._repr_markdown_(), repr(e)
    monkeypatch.setenv(progress.FOLDER, str(tmp_path))
    e.check(e.right_answers()[0])
    assert repr(e) == text and "progress" not in unkept
    assert e._repr_markdown_() != unkept
    monkeypatch.setenv(progress.FOLDER, "off")
    assert e._repr_markdown_() == unkept


# ---------------------------------------------------------------- hints and solutions


def test_a_hint_says_how_to_get_the_next():
    first, last = SOFTEN.hint(), SOFTEN.hint(len(SOFTEN.hints))
    assert first.markdown.startswith("**Hint 1 of 3.** A high")
    assert 'exercise("soften").hint(2)' in first.markdown and "More: hint(2)" in repr(first)
    assert "More" not in repr(last) and "More" not in last.markdown


@pytest.mark.parametrize("e", EVERY, ids=named)
def test_code_of_a_solution_stays_code(e):
    if e.kind == "written":
        assert e.model in e.solution().markdown
        return
    code = drawn(e.solution().markdown).select_one("pre > code").get_text().strip()
    assert code == e.answer_solved.strip()
    assert e.answer_solved in repr(e.solution())


def test_a_plain_text_is_its_own_markdown():
    assert Text("a*b*c")._repr_markdown_() == r"a\*b\*c" and repr(Text("a*b*c")) == "a*b*c"


# ---------------------------------------------------------------- verdicts


@pytest.mark.parametrize("outcome", SIGNS)
def test_a_sign_and_words_say_what_the_colour_says(outcome):
    verdict = Verdict("soften", outcome)
    assert SIGNS[outcome] in shown(verdict) and COLOURS[outcome] in verdict._repr_html_()
    assert markup(verdict).select_one("[role=group][aria-label='Verdict on soften']")
    words = shown(verdict).partition(": ")[2]
    others = [shown(Verdict("soften", o)).partition(": ")[2] for o in SIGNS if o != outcome]
    assert words and words not in others


def brightness(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear))


@pytest.mark.parametrize("page", ["#ffffff", "#111111"])
@pytest.mark.parametrize("outcome", COLOURS)
def test_a_colour_stands_out_from_a_light_page_and_from_a_dark_one(outcome, page):
    low, high = sorted((brightness(COLOURS[outcome]), brightness(page)))
    assert (high + 0.05) / (low + 0.05) >= 3


def test_the_text_has_the_colour_of_the_page():
    boxes = [Verdict("soften", outcome, note="`x`")._repr_html_() for outcome in SIGNS]
    assert not any(re.search(r"[;\"](color|background)", box) for box in boxes)


def test_a_wrong_verdict_leads_on():
    verdict = SOFTEN.check(turned_round)
    box = markup(verdict)
    assert [label.get_text() for label in box.select("dt")] == [
        "Seen:", "Expected:", "Read:", "Hint:",
    ]  # fmt: skip
    assert [link["href"] for link in box.select("a")] == [
        "01_teacher_and_student.ipynb",
        "13_the_bug_museum.ipynb#cards",
    ]
    assert box.select("a")[-1]["data-card"] == "temperature-inverted"
    assert 'bug("temperature-inverted")' in repr(verdict)
    for text in (repr(verdict), shown(verdict)):
        assert 'exercise("soften").hint()' in text and "temperature-inverted" in text
    right = SOFTEN.check(SOFTEN.reference)
    assert "hint()" not in repr(right) and not markup(right).select("a")


@pytest.mark.parametrize("id", misconceptions())
def test_every_mistake_leads_to_chapters_and_headings_that_are_there(id):
    links = BeautifulSoup(reading(misconceptions()[id]).html, "html.parser").select("a")
    places = [link["href"].partition("#") for link in links]
    has_card = id in all_cards()
    assert places[-1] == ("13_the_bug_museum.ipynb", "#", "cards" if has_card else id)
    assert links[-1].get("data-card") == (id if has_card else None)
    for notebook, _, heading in places:
        source = (CHAPTERS / notebook).with_suffix(".py").read_text("utf-8")
        assert not heading or f'<a id="{heading}"></a>' in source
    assert len(set(places)) == len(places)


def test_two_answers_stand_beside_each_other_and_the_mistakes_below():
    verdict = TWO_MODELS.check(
        f"{HOSTILE} and $5 are many words, and $6 are more of them.", ticked=[]
    )
    lists = markup(verdict).select("dl")
    assert [lists[0].dt.get_text(), lists[1].dt.get_text()] == ["Your answer:", "Model answer:"]
    assert lists[0].dd.get_text().startswith(HOSTILE) and "mathjax_ignore" in lists[0].dd["class"]
    assert "self-marked" in shown(verdict) and lists[2].select("a")


@pytest.mark.parametrize("label", ["misconception-free", HOSTILE])
def test_an_answers_text_is_shown_and_not_run(label):
    texts = [
        Verdict("soften", "wrong", None, HOSTILE, HOSTILE, HOSTILE),
        Verdict("soften", "error", note=f"{HOSTILE} in `{HOSTILE}`"),
        Verdict(label, "correct"),
        TWO_MODELS.check(f"{HOSTILE} and some more words to make it an answer"),
    ]
    for verdict in texts:
        box = markup(verdict)
        assert not box.select("b, script")
        assert HOSTILE in box.get_text() or HOSTILE not in html.unescape(repr(verdict))


def test_code_in_a_sentence_is_shown_as_code():
    box = markup(Verdict("soften", "wrong", seen="`x < y` is `<b>`", expected="more"))
    assert [code.get_text() for code in box.select("dd")[0].select("code")] == ["x < y", "<b>"]
