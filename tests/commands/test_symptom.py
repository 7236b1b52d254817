"""`kdlib symptom`: from what one sees, in one's own words, to a mistake and its card."""

import json

import pytest

from kdlib import cli


def test_a_symptom_leads_to_mistakes(capsys):
    cli.main(["symptom", "generation", "never", "stops"])
    first, second, *_, last = capsys.readouterr().out.splitlines()
    assert first == "1. Generation never ends." and second.endswith(
        "chapter 13, #stop-token-masked"
    )
    assert last.startswith("kdlib symptom stop-token-masked shows the first")


def test_what_nobody_knows_leads_nowhere(capsys):
    cli.main(["symptom", "学生"])
    assert capsys.readouterr().out.startswith("Nothing like that is known.")


def test_an_id_shows_its_card_or_its_entry(capsys):
    cli.main(["symptom", "terms-clamped"])
    assert "# prints 0.1079 -0.0311" in capsys.readouterr().out
    cli.main(["symptom", "ce-called-kl"])
    assert "Do:   Subtract the teacher's entropy" in capsys.readouterr().out


def test_json_has_what_a_program_needs(capsys):
    cli.main(["symptom", "my loss is negative", "--json"])
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == 5 and rows[0]["id"] == "probs-for-log-probs" and rows[0]["read"]


@pytest.mark.parametrize(("words", "said"), [([], "words"), (["--wrods"], "wrods")])
def test_without_words_or_with_an_unknown_flag_it_says_so(words, said, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["symptom", *words])
    assert ended.value.code == 2 and said in capsys.readouterr().err
