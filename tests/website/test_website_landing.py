"""The first page: the picture of the result is the README's table; one-click links only where set."""

import re

import pytest
from contents import CHAPTERS
from website import assemble, landing, repository, result

from kdlib.plots import LOOKS

README = (CHAPTERS.parent / "README.md").read_text("utf-8")
CONTRIBUTING = (CHAPTERS.parent / "CONTRIBUTING.md").read_text("utf-8")
UNSET = re.sub(r"(?<=mybinder\.org/v2/gh/)[\w.-]+/[\w.-]+(?=/HEAD)", repository.UNSET, CONTRIBUTING)
ELSEWHERE = ("mybinder.org", "colab.research.google.com", "github.com")

FAILED = """text
```
                           teacher  student  control
                                               equal
                                               steps
cross-entropy, nats/token    3.570    4.749    4.799
perplexity                    35.5    115.5    121.4

The teacher was not worth it: the student <loses>.
This holds for this one training, over 2 blocks of 1 documents.
The student closes 4.1 % (1.0 to 7.0 %) of the gap from the control of equal steps to the teacher.
```
"""


# ---------------------------------------------------------------- the result


def test_every_number_is_the_readmes():
    """Read again by other means: the row's numbers in order, and the alt text of its picture."""
    run = result.result(README)
    (row,) = re.findall(r"^cross-entropy, nats/token +(.+)$", README, re.MULTILINE)
    order = ["teacher", "student", "control_equal_steps", "control_equal_compute", "ngram"]
    assert [run.cross_entropy[name] for name in order] == [float(x) for x in row.split()]
    alt = re.search(r'<img src="\.github/picture\.png"[^>]*alt="([^"]+)"', README)[1]
    for value in run.cross_entropy.values():
        assert f"{value:.3f}" in alt
    assert f"closes {100 * run.closed[0]:.0f} %" in alt
    teacher, student, control = (run.cross_entropy[name] for name in order[:3])
    assert run.closed[0] == pytest.approx((control - student) / (control - teacher), abs=0.001)
    assert run.closed[1] < run.closed[0] < run.closed[2]


def test_the_picture_says_its_numbers_and_has_the_ink_of_the_page():
    figure, run = result.figure(README), result.result(README)
    assert "\n" not in figure and "currentColor" in figure and "<title" not in figure
    label = re.search(r'aria-label="([^"]+)"', figure)[1]
    for name, value in run.cross_entropy.items():
        assert f"{LOOKS[name].label} {value:.3f}" in label
        assert f">{value:.3f}<" in figure
    caption = re.search(r"<figcaption>(.+)</figcaption>", figure)[1]
    assert run.verdict in caption and run.holds in caption


def test_another_readme_gives_another_picture():
    run = result.result(README)
    student, closed = f"{run.cross_entropy['student']:.3f}", f"closes {100 * run.closed[0]:.1f} %"
    readme = README.replace(student, "4.249").replace(closed, "closes 44.7 %")
    assert ">4.249<" in result.figure(readme) and "45 % closed" in result.figure(readme)


def test_the_readme_says_of_its_picture_what_its_table_says():
    run, alt = result.result(README), re.search(r'<img [^>]*alt="([^"]+)"', README)[1]
    assert set(re.findall(r"\d\.\d{3}", alt)) == {f"{v:.3f}" for v in run.cross_entropy.values()}
    assert f"closes {100 * run.closed[0]:.0f} %" in alt


def test_a_run_that_was_not_worth_it_is_shown_as_it_is():
    run = result.result(FAILED)
    assert run.closed == pytest.approx((0.041, 0.01, 0.07))
    assert list(run.cross_entropy) == ["teacher", "student", "control_equal_steps"]
    assert "The teacher was not worth it: the student &lt;loses&gt;." in result.figure(FAILED)


@pytest.mark.parametrize(
    ("readme", "message"),
    [
        ("no table", "README.md has no table"),
        (README.replace("The student closes", "It closes"), "has no table"),
        (
            README.replace("n-gram\n", "trigra\n", 1),
            "a column 'trigra counted', which is no model",
        ),
    ],
)
def test_a_readme_without_its_table_is_told(readme, message):
    with pytest.raises(LookupError, match=message):
        result.figure(readme)


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
