"""Whose licences a student's card names. What it says of a real run: test_end_to_end.py."""

import pytest

from kdlib.model_card import licences


@pytest.mark.parametrize(
    ("teacher", "text", "expected"),
    [
        ("pocket", "sotu", ["MIT", "public domain"]),
        ("smollm2", "sotu", ["Apache-2.0", "public domain"]),
        ("train", "my.txt", ["same run", "The text is the user's own"]),
        ("models/mine", "sotu", ["The teacher is the user's own", "public domain"]),
    ],
)
def test_licences_follow_the_teacher_and_the_text(teacher, text, expected):
    named = licences(teacher, text)
    assert all(words in named for words in expected)
    assert ("the user's own" in named) == any("user's own" in words for words in expected)
