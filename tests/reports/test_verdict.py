"""The verdict: every branch of its rule, and sentences that claim no more than the numbers do."""

import re

import pytest

from kdlib.reports.verdict import NAMES, stands, verdict

STEPS, COMPUTE, PATIENT = "control_equal_steps", "control_equal_compute", "control_patient"
NGRAM = "ngram"
AHEAD, FURTHER, UNSURE, BEHIND = (
    (0.2, 0.1, 0.3),
    (0.5, 0.4, 0.6),
    (0.05, -0.1, 0.2),
    (-0.2, -0.3, -0.1),
)


def interval(value, low, high, trainings=1):
    return {"value": value, "low": low, "high": high, "trainings": trainings, "units": 20}


def report(advantages, documents=20, trainings=1, counted=9.0):
    """A run whose student reaches 4 nats per token, its teacher 3, with these rivals."""
    found = {
        "advantage": {name: interval(*ends, trainings) for name, ends in advantages.items()},
        "teacher": {"cross_entropy": 3.0},
        "student": {"cross_entropy": 4.0},
        "data": {"test": {"documents": documents}},
        "test_blocks": 112,
    }
    found |= {name: {"cross_entropy": 4.0 + ends[0]} for name, ends in advantages.items()}
    return found | {NGRAM: {"cross_entropy": counted}}


def said(advantages, **rest):
    return " ".join(verdict(report(advantages, **rest))["sentences"])


# --- The rule -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("advantages", "worth", "against"),
    [
        # All above 0: the strongest rival is the one that comes closest.
        ({STEPS: AHEAD}, "yes", STEPS),
        ({STEPS: FURTHER, COMPUTE: AHEAD, NGRAM: FURTHER}, "yes", COMPUTE),
        ({STEPS: FURTHER, COMPUTE: FURTHER, NGRAM: AHEAD}, "yes", NGRAM),
        ({STEPS: FURTHER, COMPUTE: FURTHER, PATIENT: AHEAD, NGRAM: FURTHER}, "yes", PATIENT),
        # One below 0 decides, whatever the others are.
        ({STEPS: AHEAD, COMPUTE: BEHIND, NGRAM: FURTHER}, "no", COMPUTE),
        ({STEPS: AHEAD, COMPUTE: AHEAD, NGRAM: BEHIND}, "no", NGRAM),
        ({STEPS: UNSURE, COMPUTE: BEHIND, NGRAM: AHEAD}, "no", COMPUTE),
        # Of several below 0, the worst; one that is merely worse on average does not count.
        ({STEPS: BEHIND, COMPUTE: (-0.4, -0.5, -0.3), NGRAM: AHEAD}, "no", COMPUTE),
        ({STEPS: (-0.9, -1.9, 0.1), COMPUTE: BEHIND, NGRAM: AHEAD}, "no", COMPUTE),
        # None below 0, one that includes it: that one, though another comes closer on average.
        ({STEPS: AHEAD, COMPUTE: UNSURE, NGRAM: FURTHER}, "cannot_tell", COMPUTE),
        ({STEPS: (0.01, 0.005, 0.015), COMPUTE: (0.3, -0.1, 0.7)}, "cannot_tell", COMPUTE),
        ({STEPS: UNSURE, COMPUTE: (-0.05, -0.3, 0.2)}, "cannot_tell", COMPUTE),
        # An end exactly at 0 is in the interval.
        ({STEPS: (0.1, 0.0, 0.2)}, "cannot_tell", STEPS),
        ({STEPS: (-0.1, -0.2, 0.0)}, "cannot_tell", STEPS),
    ],
)
def test_the_rule(advantages, worth, against):
    found = verdict(report(advantages))
    assert (found["worth"], found["against"]) == (worth, against)
    # In the headline the rival that decides is named, and the number is its own.
    headline = found["sentences"][0]
    assert NAMES[against] in headline and f"{abs(advantages[against][0]):.3f}" in headline
    assert not any(NAMES[name] in headline for name in advantages if name != against)


@pytest.mark.parametrize("ngram", [{}, {NGRAM: AHEAD}, {NGRAM: BEHIND}])
def test_without_a_control_nothing_is_known(ngram):
    """Not even by the n-gram: it does not learn as the student does."""
    found = verdict(report(ngram))
    assert found["worth"] == "no_control" and "against" not in found
    assert "this run has no control" in found["sentences"][0]
    assert "4.000 nats per token, its teacher 3.000" in found["sentences"][0]
    assert len(found["sentences"]) == 1 + len(ngram)


# --- The headline -------------------------------------------------------------------------------


def test_a_yes_names_its_strongest_rival():
    assert verdict(report({STEPS: FURTHER, COMPUTE: AHEAD}))["sentences"][0] == (
        "The teacher was worth it: the student is ahead of its strongest rival, the control of"
        " equal compute, by 0.200 nats per token (95 % interval 0.100 to 0.300)."
    )


def test_a_no_says_by_how_much():
    assert verdict(report({STEPS: AHEAD, NGRAM: BEHIND}))["sentences"][0] == (
        "The teacher was not worth it: the student is behind an n-gram that only counts by 0.200"
        " nats per token (95 % interval 0.100 to 0.300)."
    )


def test_what_cannot_be_told_is_called_neither_equal_nor_a_lead():
    sentences = verdict(report({STEPS: UNSURE, COMPUTE: UNSURE, NGRAM: UNSURE}))["sentences"]
    assert sentences[0].startswith("Whether the teacher was worth it cannot be told: the student")
    text = " ".join(sentences)
    for name in NAMES.values():  # "the control of equal steps" is a name
        text = re.sub(re.escape(name), "RIVAL", text, flags=re.IGNORECASE)
    assert not re.search(r"equal|same|alike|no difference|no better|ahead|behind", text), text
    assert text.count("+0.050 nats per token, with a 95 % interval from -0.100 to +0.200") == 3


@pytest.mark.parametrize(
    ("ends", "words"),
    [
        ((0.2, 0.1, 0.3), "is ahead of X by 0.200 nats per token (95 % interval 0.100 to 0.300)"),
        ((-0.2, -0.3, -0.1), "is behind X by 0.200 nats per token (95 % interval 0.100 to 0.300)"),
        ((0.0, -0.1, 0.1), "and X differ by +0.000 nats per token, with a 95 % interval from"
                           " -0.100 to +0.100 that includes 0"),
        ((-0.1, -0.2, 0.0), "and X differ by -0.100 nats per token, with a 95 % interval from"
                            " -0.200 to +0.000 that includes 0"),
    ],
)  # fmt: skip
def test_how_one_stands_to_another(ends, words):
    assert stands(interval(*ends), "X") == words


# --- Over what it holds -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("documents", "trainings", "scope"),
    [
        (1, 1, "This holds for this one training, over 112 blocks of 1 document; how another"
               " document would fare it cannot say."),
        (2, 1, "This holds for this one training, over 112 blocks of 2 documents; 2 are few."),
        (9, 1, "This holds for this one training, over 112 blocks of 9 documents; 9 are few."),
        (10, 1, "This holds for this one training, over 112 blocks of 10 documents."),
        (1, 3, "This holds over 3 trainings and 1 document; how another document would fare it"
               " cannot say."),
        (9, 3, "This holds over 3 trainings and 9 documents; 9 are few."),
        (30, 2, "This holds over 2 trainings and 30 documents."),
    ],
)  # fmt: skip
def test_the_scope_is_said_second(documents, trainings, scope):
    rivals = {STEPS: AHEAD, COMPUTE: FURTHER, NGRAM: FURTHER}
    sentences = verdict(report(rivals, documents, trainings))["sentences"]
    assert sentences[1] == scope


# --- The gap ------------------------------------------------------------------------------------


GAP = {"value": 0.25, "low": 0.2, "high": 0.304, "trainings": 1, "units": 20}
CLOSES = "The student closes 25.0 % (20.0 to 30.4 %) of the gap"


def test_the_share_of_the_gap_is_said_with_its_interval():
    found = report({STEPS: AHEAD}) | {"gap_closed": GAP}
    assert CLOSES in " ".join(verdict(found)["sentences"])


@pytest.mark.parametrize("low", [0.0, -0.1])
def test_a_share_that_may_be_nothing_is_not_said(low):
    found = report({STEPS: UNSURE}) | {"gap_closed": GAP | {"low": low}}
    assert "gap" not in " ".join(verdict(found)["sentences"])


def test_a_gap_that_is_not_measured_is_not_said():
    assert "gap" not in said({STEPS: AHEAD})
    assert "gap" not in said({COMPUTE: AHEAD})


@pytest.mark.parametrize("teacher", [4.2, 4.3])
def test_a_teacher_no_better_than_the_control_leaves_no_gap(teacher):
    """Even where a share was computed: of a negative gap it would be any number."""
    found = report({STEPS: AHEAD}) | {"gap_closed": GAP}
    found["teacher"]["cross_entropy"] = teacher
    text = " ".join(verdict(found)["sentences"])
    assert (
        f"The teacher ({teacher:.3f} nats per token) is no better than the control of equal steps"
        " (4.200): there is no gap to close." in text
    )
    assert "closes" not in text


# --- The rest -----------------------------------------------------------------------------------


def test_each_rival_has_its_say_once():
    sentences = verdict(report({STEPS: FURTHER, COMPUTE: AHEAD, PATIENT: BEHIND, NGRAM: UNSURE}))[
        "sentences"
    ]
    text = " ".join(sentences)
    for name in (STEPS, COMPUTE, PATIENT, NGRAM):
        assert text.count(NAMES[name]) == 1, name
    assert "The student is ahead of the control of equal steps by 0.500" in text
    assert "The student and an n-gram that only counts differ by +0.050" in text


def test_controls_that_a_table_of_counts_beats_are_named():
    text = said({STEPS: FURTHER, COMPUTE: AHEAD, NGRAM: (0.3, 0.2, 0.4)}, counted=4.3)
    assert (
        "The control of equal steps loses to the n-gram, a table of counts (4.500 against 4.300"
        " nats per token)." in text
    )
    assert text.count("loses to the n-gram") == 1
    assert "loses" not in said({STEPS: FURTHER, NGRAM: FURTHER}, counted=4.5)


def test_without_an_ngram_nobody_loses_to_it():
    """As on a text where the run's own text is no longer there to be counted."""
    found = report({STEPS: FURTHER})
    del found[NGRAM]
    assert "n-gram" not in " ".join(verdict(found)["sentences"])


def test_a_missing_control_of_equal_compute_is_said():
    words = "No control of equal compute was trained, which may be a stronger rival."
    assert words in said({STEPS: AHEAD}) and words in said({PATIENT: AHEAD})
    assert words not in said({STEPS: AHEAD, COMPUTE: AHEAD})
