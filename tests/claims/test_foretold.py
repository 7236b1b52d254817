"""What a reader expected beside what came out."""

import pytest
from made_up_claim import changed

from kdlib.claims import tables
from kdlib.claims.rules import Lead
from kdlib.claims.tables import UNTRIED, foretold

NUMBERS = {
    "one": {"loss": [1.0, 1.1, 1.2]},
    "other": {"loss": [2.0, 2.2, 2.1]},
    "table": {"loss": [3.0, 3.0, 3.0]},
}
RECORD = {"verdict": "reproduced", "numbers": NUMBERS}


@pytest.fixture
def claims(monkeypatch):
    """One with a record, one without."""
    monkeypatch.setattr(tables, "shipped", lambda name: RECORD if name == "tried" else None)
    return {name: changed(name=name) for name in ("tried", "open")}


@pytest.mark.parametrize(
    ("guess", "agreed"), [("reproduced", "yes"), ("opposite", "no"), ("undecided", "no"), ("", "-")]
)
def test_a_guess_is_compared(claims, guess, agreed):
    row = foretold(claims, {"tried": guess})["tried"]
    assert row == {
        "yours": guess or "-",
        "verdict": "reproduced",
        "agreed": agreed,
        "decided by": "loss +1.00 (+0.75 to +1.25)",
    }


@pytest.mark.parametrize("guess", ["Reproduced", " reproduced\n", "REPRODUCED"])
def test_a_guess_is_read_as_people_type(claims, guess):
    assert foretold(claims, {"tried": guess})["tried"]["agreed"] == "yes"


def test_what_was_not_tried_agrees_with_nothing(claims):
    row = foretold(claims, {"open": "opposite"})["open"]
    assert row == {"yours": "opposite", "verdict": UNTRIED, "agreed": "-", "decided by": "-"}


def test_every_rule_that_decides_is_shown(claims):
    both = (Lead("loss", "one", "other"), Lead("loss", "one", "table"))
    row = foretold({"tried": changed(name="tried", rule=both)}, {})["tried"]
    assert row["decided by"].count("loss") == 2


def test_a_name_or_a_word_that_there_is_not_is_refused(claims):
    with pytest.raises(ValueError, match="no claims named \\['tired'\\]"):
        foretold(claims, {"tired": "opposite"})
    with pytest.raises(ValueError, match="a verdict is one of"):
        foretold(claims, {"tried": "true"})
