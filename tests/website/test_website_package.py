"""How the pages of the package are made, without Sphinx: all of it, in its order, linked."""

import sys
from pathlib import Path
from re import MULTILINE, findall
from types import SimpleNamespace
from typing import NamedTuple, Protocol

import pytest
from website import api, fields, names, signatures

import kdlib
from kdlib.errors import UserError

ROOT = Path(kdlib.__file__).parent


def public_modules():
    """What a reader can import, read from the files; of the exercises only the package itself."""
    for path in ROOT.rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        inside = parts[:1] == ("exercises",) and len(parts) > 1
        if not inside and not any(part.startswith("_") for part in parts):
            yield ".".join(("kdlib", *parts))


def documented(text):
    return findall(r"^\.\. automodule:: (\S+)$", text, MULTILINE)


def test_every_public_module_has_a_page_once():
    assert sorted(documented("\n".join(api.pages().values()))) == sorted(public_modules())


def test_every_page_stands_in_the_table_of_contents():
    listed = findall(r"^   ([\w-]+)$", api.overview().partition("toctree::")[2], MULTILINE)
    assert sorted(f"api/{name}.rst" for name in [*listed, "index"]) == sorted(api.pages())
    assert listed[:4] == ["kdlib", "losses", "losses-fused", "sequences"]
    assert listed[-1] == "small-modules"


def test_a_module_stands_on_the_page_of_its_room():
    pages = api.pages()
    assert documented(pages["api/toys.rst"])[:2] == ["kdlib.toys", "kdlib.toys.crowds"]
    assert "kdlib.losses.fused.loss" in documented(pages["api/losses-fused.rst"])
    assert "kdlib.losses.fused.loss" not in documented(pages["api/losses.rst"])
    assert documented(pages["api/exercises.rst"]) == ["kdlib.exercises"]
    assert documented(pages["api/small-modules.rst"])[-1] == "kdlib.cli"


def test_a_new_room_and_a_new_module_appear_by_themselves(tmp_path, monkeypatch):
    (tmp_path / "attic").mkdir()
    (tmp_path / "attic" / "__init__.py").write_text('"""What is kept?"""')
    (tmp_path / "attic" / "boxes.py").write_text('"""Boxes, tied\nup.\n\nMore."""')
    (tmp_path / "attic" / "_dust.py").write_text("")
    monkeypatch.setattr(kdlib, "__path__", [*kdlib.__path__, str(tmp_path)])
    api.found.cache_clear()
    try:
        assert list(api.rooms())[-1] == "attic" and api.rooms()["attic"] == ["attic.boxes"]
        assert documented(api.pages()["api/attic.rst"]) == ["kdlib.attic", "kdlib.attic.boxes"]
        assert "What is kept?" in api.overview() and "- Boxes, tied up.\n" in api.overview()
    finally:
        api.found.cache_clear()
        sys.modules.pop("kdlib.attic", None)
        vars(kdlib).pop("attic", None)


def test_the_overview_has_the_question_of_every_room_and_the_first_line_of_every_module():
    overview = api.overview()
    for room, modules in api.rooms().items():
        assert api.summary(room) and f"`{room} <" in overview
        for name in (room, *modules):
            assert api.summary(name) in overview, name


def test_every_public_name_stands_in_a_group_once():
    grouped = [name for group in api.public_groups().values() for name in group]
    assert sorted(grouped) == sorted(kdlib.__all__)
    assert "forward_kl" in next(iter(api.public_groups().values()))


def test_a_public_name_is_at_home_where_it_is_documented():
    assert api.home("forward_kl") == "kdlib.losses.divergences.forward_kl"
    assert api.home("exercise") == "kdlib.exercises.exercise"


KNOWN = {
    "kdlib.losses": "module",
    "kdlib.losses.divergences": "module",
    "kdlib.losses.divergences.forward_kl": "function",
    "kdlib.losses.divergences.entropy": "function",
    "kdlib.jobs.recipe.Recipe": "class",
    "kdlib.jobs.recipe.Recipe.data_seed": "attribute",
    "kdlib.bench.costs.logits": "function",
    "kdlib.bench.loss.as_table": "function",
    "kdlib.bench.step.as_table": "function",
}


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("forward_kl", "kdlib.losses.divergences.forward_kl"),
        ("kdlib.forward_kl", "kdlib.losses.divergences.forward_kl"),
        ("forward_kl()", "kdlib.losses.divergences.forward_kl"),
        ("losses.divergences", "kdlib.losses.divergences"),
        ("entropy", "kdlib.losses.divergences.entropy"),  # public, so no parameter
        ("costs.logits", "kdlib.bench.costs.logits"),
        ("Recipe.data_seed", "kdlib.jobs.recipe.Recipe.data_seed"),
        ("logits", None),  # more likely a parameter
        ("losses", None),
        ("data_seed", None),
        ("as_table", None),  # two of them
        ("log_p", None),
    ],
)
def test_a_short_name_is_linked_only_where_it_can_mean_one_thing(name, full):
    objects = {known: SimpleNamespace(objtype=kind) for known, kind in KNOWN.items()}
    assert names.full_name(name, objects) == full


@pytest.mark.parametrize(
    ("lines", "made"),
    [
        (["Text.", "", "Source: Lin 1991."], ["Text.", "", "", ":Source: Lin 1991."]),
        (["Source: Lin;", "and more.", ""], ["", ":Source: Lin;", "   and more.", ""]),
        (["A Source: no field."], ["A Source: no field."]),
        ([], []),
    ],
)
def test_the_source_becomes_a_field(lines, made):
    assert fields.with_source(lines) == made


class Pair(NamedTuple):
    one: int


class Asked(Protocol):
    """Only what a class is a kind of besides is worth a field."""


class Plain:
    """A class of its own."""


def test_only_bases_that_say_something_are_named():
    assert fields.bases_of(UserError) == [":py:class:`ValueError`"]
    assert fields.bases_of(Pair) == [":py:class:`~typing.NamedTuple`"]
    assert fields.bases_of(Asked) == fields.bases_of(Plain) == []


@pytest.mark.parametrize(
    ("type_", "shown"),
    [
        ("(a: Annotated[str, f(x, y=[1])] = 'b', c: int)", "(a: str = 'b', c: int)"),
        ("(a: Annotated[dict[str, int], 1] | None)", "(a: dict[str, int] | None)"),
        ("(a: list[Annotated[int, 1, 2], str])", "(a: list[int, str])"),
    ],
)
def test_a_type_is_shown_without_what_is_meant_for_the_command_line(type_, shown):
    made = signatures.shorten_signature(None, "class", "", None, None, type_, "int")
    assert made == (shown, "int")


def test_a_type_without_metadata_is_left_alone():
    signature = "(a: dict[str, list[int]])"
    assert signatures.shorten_signature(None, "class", "", None, None, signature, None) is None


def test_members_that_others_wrote_are_left_out():
    def skipped(member):
        return signatures.skip_strangers(None, "class", "", member, False, None)

    assert skipped(Pair.one) and skipped(Path.open)
    assert not skipped(UserError) and not skipped(kdlib.next_token)
