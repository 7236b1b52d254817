"""What stands behind a conclusion is a test that names its rival; the gate finds where none does."""

import re

import pytest
from gates import headlines
from gates.chapter import Chapter, chapters
from rivals.headlines import headline


def test_a_test_keeps_its_headline():
    @headline(3, "It falls.")
    def test_3_1_it_falls():
        """Rival: other seeds."""

    assert test_3_1_it_falls.headlines == [(3, "It falls.")]


def test_a_headline_without_a_rival_or_without_words_is_refused():
    def test_alone():
        """Other seeds."""

    with pytest.raises(ValueError, match="test_alone has no docstring"):
        headline(3, "It falls.")(test_alone)
    with pytest.raises(ValueError, match="the headline is empty"):
        headline(3, " ")


CHAPTER = """# %% [markdown]
# # 3. A chapter
#
# **All of it holds.** So much for that.
#
# ## Summary
#
# - It falls. It *never*
#   rises.
# - And it ends.
#
# **Further reading**
#
# - A book, 2016.
"""
TESTS = '''
@headline(3, "It falls. It never rises.")
@headline(3, "All of it holds.")
def test_it_falls():
    """Rival: other seeds."""

@headline(3, "And it ends.")
def test_it_ends():
    """Rival: longer runs."""
'''


@pytest.fixture
def faults(tmp_path):
    """faults(chapter, tests): what the gate finds in a chapter 3 and the tests behind it."""

    def found(chapter=CHAPTER, tests=TESTS):
        (tmp_path / "03_a_chapter.py").write_text(chapter, "utf-8")
        (tmp_path / "test_chapter_03.py").write_text(tests, "utf-8")
        return headlines.faults(Chapter(tmp_path / "03_a_chapter.py"), tmp_path)

    return found


def test_a_chapter_whose_headlines_have_rivals_passes(faults):
    assert faults() == []


def test_a_sentence_without_a_rival_is_a_fault(faults):
    assert faults(CHAPTER.replace("It falls.", "It falls. It is always so."), TESTS) == [
        "no rival stands behind 'It is always so.'",
        "test_it_falls names what the chapter does not say: 'It falls. It never rises.'",
    ]
    assert faults(tests=TESTS.replace("def test_it_ends", "def it_ends")) == [
        "no rival stands behind 'And it ends.'"
    ]


def test_a_test_that_names_what_is_not_said_is_a_fault(faults):
    assert faults(CHAPTER.replace("**All of it", "**Much of it")) == [
        "test_it_falls names what the chapter does not say: 'All of it holds.'"
    ]


def test_a_test_of_another_chapter_or_without_a_rival_is_a_fault(faults):
    assert faults(tests=TESTS.replace('(3, "And', '(4, "And')) == [
        "test_it_ends is not of this chapter"
    ]
    assert faults(tests=TESTS.replace('"""Rival: longer', '"""Longer')) == [
        'test_it_ends has no """Rival: ..."""'
    ]


FALSE = "One drawn output solves the cost and forgets nothing, on average."


def test_a_false_conclusion_planted_in_the_book_is_found(tmp_path):
    """What chapter 3 once said, of a student that had seen 300 drawn outputs and not one."""
    source = next(chapter.source for chapter in chapters() if chapter.number == 3)
    planted = tmp_path / source.name
    text = source.read_text("utf-8")
    first = re.search(r"^# ## Summary\n(?:.*\n)*?(?=# - )", text, re.MULTILINE)
    planted.write_text(f"{text[: first.end()]}# - {FALSE}\n{text[first.end() :]}", "utf-8")
    new = set(headlines.faults(Chapter(planted))) - set(headlines.faults(Chapter(source)))
    assert new == {f"no rival stands behind {FALSE!r}"}
