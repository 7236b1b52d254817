"""How a student's card says what it was made of. What it says of a real run: test_end_to_end.py."""

import pytest
from report_cases import whole_report

from kdlib.reports.model_card import licences, model_card


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


def card(text="sotu", **objective):
    report = whole_report()
    report["data"]["text"] = text
    report["recipe"] = {
        "teacher": {"source": "pocket"},
        "objective": {
            "weighing": "alpha",
            "weight": 1.0,
            "divergence": "forward_kl",
            "temperature": 2.0,
        }
        | objective,
        "student": {"cross_tokenizer": False},
        "targets": {"kind": "sampled", "k": 50},
    }
    report["data"]["test"]["documents"] = 1
    return " ".join(model_card(report).split())


@pytest.mark.parametrize(
    ("objective", "said"),
    [
        ({}, "KD alone, where KD is the forward_kl at temperature 2."),
        ({"weight": 0.25}, "0.75 CE + 0.25 KD, where"),
        ({"weighing": "lambda", "weight": 4.0}, "CE + 4 KD, where"),
        ({"weighing": "lambda", "weight": 0.0}, "CE alone, so nothing of the teacher."),
    ],
)
def test_the_objective_is_said_as_people_write_it(objective, said):
    assert f"What it minimised: {said}" in card(**objective)


def test_counts_and_kept_targets_read_well():
    assert "(20 documents)" in card() and "180,010 tokens of 1 document of the same text" in card()
    assert "Of each of the teacher's distributions it saw 50 draws." in card()


def test_a_text_that_is_the_folder_one_is_in_has_its_name(tmp_path, monkeypatch):
    letters = tmp_path / "letters"
    letters.mkdir()
    monkeypatch.chdir(letters)
    assert "tokens of the text `letters` (20 documents)" in card(text=".")


def test_the_verdict_stands_on_the_card():
    """With its interval, and with the rival that came closest."""
    assert "its strongest rival, the patient control, by 0.117 nats per token" in card()
