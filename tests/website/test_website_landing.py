"""The first page: its picture and the README's table are one run's; one-click links only where set."""

import copy
import dataclasses
import json
import re

import default_run
import pytest
from contents import CHAPTERS
from look import AXE
from website import assemble, example_report, landing, repository, result

from kdlib.jobs.recipe_files import load_recipe
from kdlib.plots import LOOKS
from kdlib.reports.fields import MODELS, NGRAM, validate

README = (CHAPTERS.parent / "README.md").read_text("utf-8")
CONTRIBUTING = (CHAPTERS.parent / "CONTRIBUTING.md").read_text("utf-8")
UNSET = re.sub(r"(?<=mybinder\.org/v2/gh/)[\w.-]+/[\w.-]+(?=/HEAD)", repository.UNSET, CONTRIBUTING)
ELSEWHERE = ("mybinder.org", "colab.research.google.com", "github.com")

# ---------------------------------------------------------------- the result


def test_the_readme_quotes_the_stored_run():
    """Its table, all but the speed, which is the machine's, and what its picture says."""
    assert default_run.quoting(README, example_report.report()) == README


def test_another_run_is_quoted_otherwise():
    report = copy.deepcopy(example_report.report())
    report["student"]["cross_entropy"] = 4.249
    readme = default_run.quoting(README, report)
    assert "cross-entropy, nats/token    3.570    4.249" in readme and "student 4.249;" in readme
    assert "speed, tokens/s" not in readme


@pytest.mark.parametrize("readme", [README.replace("Report: ", "Page: "), README + README])
def test_a_readme_without_a_place_for_it_is_told(readme):
    with pytest.raises(SystemExit, match="places for 'teacher"):
        default_run.quoting(readme, example_report.report())


def test_a_run_of_another_recipe_is_not_taken_over(tmp_path):
    report = copy.deepcopy(example_report.report())
    report["recipe"]["student"]["training"]["steps"] += 1
    with pytest.raises(SystemExit, match=r"has no report\.json; give the folder of a finished run"):
        default_run.take_over(tmp_path)
    (tmp_path / "report.json").write_text(json.dumps(report), "utf-8")
    (tmp_path / "metrics.jsonl").touch()
    with pytest.raises(SystemExit, match="no run of the recipe pocket as it is now"):
        default_run.take_over(tmp_path)


def test_the_stored_run_is_the_default_recipes_and_is_whole():
    report = example_report.report()
    validate(report)
    assert report["recipe"] == dataclasses.asdict(load_recipe("pocket"))


def test_the_picture_says_its_numbers_and_has_the_ink_of_the_page():
    report = example_report.report()
    figure = result.figure(report)
    assert "\n" not in figure and "currentColor" in figure and "<title" not in figure
    label = re.search(r'aria-label="([^"]+)"', figure)[1]
    for name in (*MODELS, NGRAM):
        if name in report:
            value = f"{report[name]['cross_entropy']:.3f}"
            assert f"{LOOKS[name].label} {value}" in label and f">{value}<" in figure
    caption = re.search(r"<figcaption>(.+)</figcaption>", figure)[1]
    assert " ".join(report["verdict"]["sentences"][:2]) in caption
    assert f'href="{example_report.NAME}"' in caption


def test_another_run_gives_another_picture():
    report = copy.deepcopy(example_report.report())
    report["student"]["cross_entropy"] = 4.249
    report["gap_closed"] = {"value": 0.447, "low": 0.43, "high": 0.46}
    assert ">4.249<" in result.figure(report) and "45 % closed" in result.figure(report)


def test_a_run_that_was_not_worth_it_is_shown_as_it_is():
    report = copy.deepcopy(example_report.report())
    report["gap_closed"] = {"value": 0.01, "low": -0.02, "high": 0.04}
    report["verdict"]["sentences"] = [
        "The teacher was not worth it: the student <loses>.",
        "So.",
        "No.",
    ]
    figure = result.figure(report)
    assert "The teacher was not worth it: the student &lt;loses&gt;. So. <a" in figure
    assert "closed</text>" not in figure and "closes 1 % (-2 to 4 %)" in figure


@pytest.mark.slow
def test_the_whole_report_is_a_page_of_the_website(look, website, vendor):
    opened = look("index.html")
    opened.page.get_by_role("link", name="The whole report").click()
    opened.page.wait_for_url(f"**/{example_report.NAME}")
    text = opened.page.locator("body").inner_text()
    assert example_report.report()["verdict"]["sentences"][0] in " ".join(text.split())
    opened.resize(390)
    assert opened.overflow() == "" and opened.complaints == [] and opened.asked == []
    opened.run(vendor(AXE).read_text("utf-8"))
    found = opened.run("() => axe.run({resultTypes: ['violations']})")["violations"]
    assert [(v["id"], v["nodes"][0]["html"][:120]) for v in found] == []


# ---------------------------------------------------------------- one click


def test_nothing_is_shown_where_no_repository_is_set():
    assert repository.name(UNSET) is None
    assert repository.doors(UNSET, "00_start_here") == ""


def test_a_repository_that_is_set_has_three_links():
    contributing = UNSET.replace(repository.UNSET, "some-one/the.book")
    assert repository.name(contributing) == "some-one/the.book"
    links = re.findall(r'href="([^"]+)"', repository.doors(contributing, "00_start_here"))
    assert links == [
        "https://mybinder.org/v2/gh/some-one/the.book/HEAD?urlpath=lab/tree/chapters",
        "https://colab.research.google.com/github/some-one/the.book/blob/HEAD/chapters/00_start_here.ipynb",
        "https://github.com/some-one/the.book",
    ]
    # The first two are those of CONTRIBUTING.md, of one chapter or another.
    assert links[0] in contributing
    assert links[1].replace("00_start_here", "01_teacher_and_student") in contributing


def test_the_name_stands_in_one_place():
    """The command of CONTRIBUTING.md sets it for all that reads it."""
    (command,) = re.findall(r"^sed -i 's#OWNER/REPO#name/repository#' (\S+)$", UNSET, re.MULTILINE)
    assert command == "CONTRIBUTING.md"
    with pytest.raises(LookupError, match="link to Binder"):
        repository.name("nothing")


@pytest.mark.parametrize("name", [None, "some-one/book"])
def test_the_first_page_has_the_links_only_where_they_lead_somewhere(tmp_path, monkeypatch, name):
    text = UNSET.replace(repository.UNSET, name) if name else UNSET
    (tmp_path / "CONTRIBUTING.md").write_text(text, "utf-8")
    monkeypatch.setattr(landing, "CHAPTERS", tmp_path / "chapters")
    page = landing.page(assemble.chapters_of(CHAPTERS), README)
    assert [place for place in ELSEWHERE if place in page] == (list(ELSEWHERE) if name else [])
    assert "{" not in page.partition("## The chapters")[0].partition('<figure class="explorable"')[
        0
    ].replace(".result *{", "")


# ---------------------------------------------------------------- as it is seen


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1440, 390])
def test_the_result_is_seen_in_both_themes_and_on_a_phone(look, dark, width):
    page = look("index.html", dark=dark, width=width)
    picture = page.page.locator("figure.result svg")
    box = picture.bounding_box()
    assert box["width"] > 300 and box["y"] < (900 if width > 500 else 1400)
    ink = picture.evaluate("(svg) => getComputedStyle(svg).color")
    light = sum(map(float, re.findall(r"[\d.]+", ink)[:3])) / 3 > 128
    assert light == dark
    assert page.overflow() == "" and page.complaints == [] and page.asked == []
