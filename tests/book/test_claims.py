"""The rules of the claims, one by one."""

from decimal import Decimal

import nbformat
import pytest
from gates import claims
from gates.chapter import Chapter
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

SUPPORTED = [
    ("0.27", "0.27"),
    ("0.27", "0.2700"),
    (".27", "0.27"),
    ("0.27", "-0.27"),
    ("0.027", "0.0268"),
    ("2.7 %", "0.0268"),
    ("51 %", "51 %"),
    ("51 %", "0.51"),
    ("51 %", "share: 51"),
    ("0.51", "51%"),
    ("0.51", "51.3 %"),
    ("0.03", "0.03"),
    ("1e-3", "0.001"),
    ("200,000", "200000"),
    ("200000", "200,000"),
    (r"200\,000", "200_000"),
]
NOT_SUPPORTED = [
    ("0.27", "0.26"),
    ("0.27", "0.2"),
    ("0.27", "27"),
    ("0.270", "0.27 %"),
    ("0.0268", "0.027"),
    ("0.03", "0.0268"),
    ("5 %", "0.0512"),
    ("51 %", "5.1"),
    ("51.0 %", "52 %"),
    ("0.25", "T0.25"),
    ("4096", "4095"),
    ("0.285", "0.2"),
]


def number(text):
    (found,) = claims.numbers(text)
    return found


@pytest.mark.parametrize(("claim", "output"), SUPPORTED)
def test_an_output_supports_a_claim(claim, output):
    assert claims.supported(number(claim), claims.numbers(output), [])


@pytest.mark.parametrize(("claim", "output"), NOT_SUPPORTED)
def test_an_output_does_not_support_a_claim(claim, output):
    assert not claims.supported(number(claim), claims.numbers(output), [])


def test_an_input_supports_only_itself():
    assert claims.supported(number("0.5"), [], [number("0.50")])
    assert not claims.supported(number("0.57"), [], [number("0.5678")])


@pytest.mark.parametrize(
    ("prose", "expected"),
    [
        ("It falls from 0.9 to 0.25.", ["0.9", "0.25"]),
        (r"$0.7 \ln(0.7/0.6)$, `x = 1.5` and |0.1|", ["0.7", "0.7", "0.6", "1.5", "0.1"]),
        ("a 1.5x gain with 7.36M parameters", ["1.5", "7.36"]),
        (r"51 % of 4096, $5.5\%$ of 12", ["51 %", "4096", r"5.5\%"]),
        ("from 0.2-0.4", ["0.2", "0.4"]),
        ("Two of 99 seeds, top-5, F2, Q07, float64, SmolLM2-135M, utf-8", []),
        ("Hinton et al. (2015), from 1790 to 2026", []),
        ("## 3.2 The loss\n\nSee section 4.1, chapters 3.1 and 3.2, § 2.5.", []),
        ("arXiv:1503.02531 and torch 2.13.0", []),
        ("[a page](https://example.org/1.5) and https://example.org/1.5", []),
    ],
)
def test_what_is_a_claim(prose, expected):
    assert [claim.text for claim in claims.claims(prose)] == expected


def test_a_number_written_into_a_text_is_not_computed():
    printed = new_output("stream", text="below 0.25: 0.24")
    cell = new_code_cell('print(f"below 0.25: {0.12 * 2:.2f}")', outputs=[printed])
    assert [found.value for found in claims._computed(cell)] == [Decimal("0.24")]
    assert [found.text for found in claims._literals(cell, int | float)] == ["0.12", "2"]


def test_the_words_of_a_picture_are_its_author_s(monkeypatch):
    text = "Below 0.25, at {low:.2f}."
    monkeypatch.setattr(claims, "texts_of", lambda chapter: {"bars": text} if chapter == 4 else {})
    data = {"text/plain": "Below 0.25, at 0.24.", "text/html": '<img alt="Below 0.25, at 0.24.">'}
    cell = new_code_cell(
        'curves(alt=words("04-bars", low=x))', outputs=[new_output("display_data", data)]
    )
    assert [found.text for found in claims._computed(cell)] == ["0.24"]
    assert [claim.text for claim, _ in claims._said_by_pictures(cell)] == ["0.25"]


def computing(number):
    return new_code_cell("print(x)", outputs=[new_output("stream", text=number)])


@pytest.mark.parametrize(
    ("place", "supported"),
    [("opening", True), ("## One", False), ("## Two", True), ("## Three", True)],
)
def test_a_claim_speaks_about_its_own_section_and_the_one_before(tmp_path, place, supported):
    """The claim stands in the third section; the number is computed in another."""
    cells = []
    for heading in ("opening", "## One", "## Two", "## Three"):
        said = "It is 0.274." if heading == "## Three" else "Nothing."
        cells += [new_markdown_cell(f"{heading}\n\n{said}")]
        cells += [computing("0.2741")] if heading == place else []
    assert (faults_of(cells, tmp_path) == []) is supported


def test_opening_and_summary_speak_about_the_whole_chapter(tmp_path):
    said = "It is 0.274."
    cells = [
        new_markdown_cell(f"# Title\n\n{said}"),
        new_markdown_cell("## One"),
        computing("0.274"),
    ]
    cells += [
        new_markdown_cell("## Two"),
        new_markdown_cell(f"## Summary\n\n{said}"),
        new_markdown_cell(f"## Last\n\n{said}"),
    ]
    assert faults_of(cells, tmp_path) == []
    cells[2].outputs[0].text = "0.275"
    assert len(faults_of(cells, tmp_path)) == 3


def faults_of(cells, folder):
    (folder / "00_x.ipynb").write_text(nbformat.writes(new_notebook(cells=cells)), "utf-8")
    return claims.faults(Chapter(folder / "00_x.py"))
