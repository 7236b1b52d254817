"""What a reader has done: kept in the browser, shown beside exercises and chapters, carried in files."""

import json

import pytest

from kdlib.exercises import exercise, exercises, progress

pytestmark = pytest.mark.slow

PAGE, OVERVIEW = "02_the_objective.html", "exercises.html"
CHOICE, NUMBER = "most-informative-target", "objective-on-two-inputs"
KEPT = "() => JSON.parse(localStorage.getItem('kdlib:progress'))"
KEEP = "(text) => localStorage.setItem('kdlib:progress', text)"
SOLVED = {"state": "solved", "checks": 2}


def answer(page, id, text):
    form = page.locator(f"#quiz-{id}")
    form.locator("input").fill(text)
    form.locator("input").press("Enter")


def value_of(id):
    return f"{exercise(id).value:.{exercise(id).decimals}f}"


def file(**entries):
    return json.dumps({"version": 1, "exercises": entries}, indent=1)


@pytest.fixture
def begun(look):
    """begun(text) opens the page of exercises with this in the storage."""

    def opened(text):
        page = look(OVERVIEW)
        page.run(KEEP, text)
        page.page.reload()
        return page

    return opened


def test_a_check_is_kept_as_in_the_notebook(look, tmp_path, monkeypatch):
    monkeypatch.setenv(progress.FOLDER, str(tmp_path))
    page = look(PAGE)
    for text in ("7", "", "one", value_of(NUMBER), "7"):
        answer(page.page, NUMBER, text)
        exercise(NUMBER).check(text or ...)
    assert page.run(KEPT) == {"version": 1, "exercises": progress.read()[0]}
    assert page.run(KEPT)["exercises"] == {NUMBER: {"state": "solved", "checks": 4}}
    title = page.page.locator(f"#exercise-{NUMBER} .admonition-title")
    assert title.inner_text().endswith("✓ solved")
    page.page.reload()
    assert title.inner_text().endswith("✓ solved")
    assert page.complaints == []


def test_the_contents_say_how_far_one_is(look):
    page = look(PAGE)
    entry = page.page.locator(
        "nav.bd-links a[aria-current=page], nav.bd-links li.current > a"
    ).first
    before = entry.inner_text()
    answer(page.page, NUMBER, value_of(NUMBER))
    of = sum(
        e.id in page.page.content()
        for e in exercises().values()
        if f"exercise-{e.id}" in page.page.content()
    )
    assert of > 5
    assert entry.inner_text().removeprefix(before).split()[0].startswith(f"1/{of}")
    page.goto(OVERVIEW)
    row = page.page.locator(f"td:has(a[href$='#exercise-{NUMBER}'])")
    assert row.inner_text().endswith("✓ solved")
    assert (
        page.page.locator("#progress strong")
        .inner_text()
        .startswith(f"1 of {len(exercises())} exercises done")
    )


def test_what_the_page_saves_a_notebook_loads(begun, tmp_path, monkeypatch):
    entries = {"soften": SOLVED, CHOICE: {"state": "tried", "checks": 1}}
    page = begun(file(**entries))
    with page.page.expect_download() as download:
        page.page.get_by_role("button", name="Save to a file").click()
    download.value.save_as(tmp_path / "kdlib-progress.json")
    monkeypatch.setenv(progress.FOLDER, str(tmp_path / "notebook"))
    assert progress.load(tmp_path / "kdlib-progress.json") == (2, "")
    assert progress.read()[0] == entries
    progress.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_text() == (tmp_path / "kdlib-progress.json").read_text()


def test_what_a_notebook_saves_the_page_loads(begun, tmp_path, monkeypatch):
    monkeypatch.setenv(progress.FOLDER, str(tmp_path / "notebook"))
    exercise("soften").check(exercise("soften").reference)
    written = next(e for e in exercises().values() if e.kind == "written")
    of = len(written.rubric)
    written.check("These are eight words that say nothing at all, really.", ticked=[1])
    progress.save(tmp_path / "mine.json")
    page = begun(file(soften={"state": "tried", "checks": 5}))
    page.page.locator("#progress input[type=file]").set_input_files(tmp_path / "mine.json")
    said = page.page.locator("#progress output")
    said.get_by_text("2 exercises added from mine.json.").wait_for()
    points = progress.read()[0][written.id]["points"]
    assert points[1] == of
    assert page.run(KEPT)["exercises"] == {
        "soften": {"state": "solved", "checks": 5},
        written.id: {"state": "tried", "checks": 1, "points": points},
    }


def test_both_merge_two_records_to_the_same(begun, tmp_path, monkeypatch):
    """Every pair of entries of an exercise, here and there."""
    written = next(e for e in exercises().values() if e.kind == "written")
    of = len(written.rubric)
    plain = [{"state": s, "checks": c} for s in ("solved", "tried") for c in (1, 4)]
    marked = [
        {"state": s, "checks": c, "points": [p, of]}
        for s, p in (("self-marked", of), ("tried", 1), ("tried", 0)) for c in (1, 4)
    ]  # fmt: skip
    page = begun("{}")
    merge = """([one, other]) => {
        const entries = JSON.parse(one).exercises;
        Exercises.progress.merged(entries, JSON.parse(other).exercises);
        return entries;
    }"""
    for id, found in (("soften", plain), (written.id, marked)):
        for one in found:
            for other in found:
                monkeypatch.setenv(progress.FOLDER, str(tmp_path))
                (tmp_path / "progress.json").write_text(file(**{id: one}))
                (tmp_path / "more.json").write_text(file(**{id: other}))
                progress.load(tmp_path / "more.json")
                both = page.run(merge, [file(**{id: one}), file(**{id: other})])
                assert both == progress.read()[0], (one, other)


@pytest.mark.parametrize(
    "damaged",
    [
        "null", "[]", "7", "{", '{"version": 2, "exercises": {}}', '{"version": 1, "exercises": []}',
        file(soften=None), file(soften={"state": "solved"}), file(soften={"state": "open", "checks": 1}),
        file(soften={"state": "solved", "checks": -1}), file(soften={"state": "solved", "checks": 0.5}),
        file(soften={"state": "solved", "checks": True}), file(soften={"state": "self-marked", "checks": 1}),
        file(soften={"state": "solved", "checks": 1, "points": [1, 3]}), file(nothing=SOLVED),
        '{"version": 1, "exercises": {"__proto__": {"state": "solved", "checks": 1}}}',
        '{"version": 1, "exercises": {"toString": {"state": "solved", "checks": 1}}}',
    ],
)  # fmt: skip
def test_what_is_damaged_is_as_if_nothing_was_kept(begun, damaged):
    page = begun(damaged)
    assert page.page.locator("#progress strong").inner_text().startswith("0 of ")
    assert page.page.locator(".tick").count() == 0
    page.goto(PAGE)
    answer(page.page, NUMBER, value_of(NUMBER))
    assert page.run(KEPT)["exercises"] == {NUMBER: {"state": "solved", "checks": 1}}
    assert page.complaints == []


def test_what_is_sound_beside_what_is_damaged_is_taken(begun):
    page = begun(file(soften=SOLVED, nothing=SOLVED, **{CHOICE: {"state": 3, "checks": 1}}))
    assert page.page.locator("#progress strong").inner_text().startswith("1 of ")


@pytest.mark.parametrize("text", ["", "no JSON", "[1]", '{"version": 9, "exercises": {}}'])
def test_a_file_that_is_no_progress_changes_nothing(begun, tmp_path, text):
    page = begun(file(soften=SOLVED))
    (tmp_path / "wrong.json").write_text(text)
    page.page.locator("#progress input[type=file]").set_input_files(tmp_path / "wrong.json")
    page.page.get_by_text("wrong.json is no file of progress").wait_for()
    assert page.run(KEPT)["exercises"] == {"soften": SOLVED}


def test_it_is_forgotten_only_by_who_says_so_twice(begun):
    page = begun(file(soften=SOLVED))
    forget = page.page.get_by_role("button", name="Forget")
    page.page.once("dialog", lambda dialog: dialog.dismiss())
    forget.click()
    assert page.run(KEPT)["exercises"] == {"soften": SOLVED}
    page.page.once("dialog", lambda dialog: dialog.accept())
    forget.click()
    assert page.run(KEPT)["exercises"] == {}
    assert page.page.locator(".tick").count() == 0


def test_two_pages_at_once_lose_nothing(look):
    first = look(PAGE)
    second = first.page.context.new_page()
    second.goto(first.page.url)
    answer(first.page, NUMBER, "7")
    second.locator("#exercise-" + NUMBER).get_by_text("✗ tried").wait_for()
    answer(second, NUMBER, "8")
    assert first.run(KEPT)["exercises"] == {NUMBER: {"state": "tried", "checks": 2}}
