"""The panel of the three models in a reader's hands: load, type, drag, write on, by keyboard too."""

import re

import models_site
import pytest
from look import AXE
from website import models_files, models_page

pytestmark = pytest.mark.slow

PHONE = 390
NUMBERS = ("entropy, nats", "forward KL(P‖Q)", "reverse KL(Q‖P)")


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return models_site.write(tmp_path_factory.mktemp("models"))


@pytest.fixture
def opened(browser, path):
    """opened(javascript=False) is the page, with what it asked for and complained about."""
    contexts = []

    def new(path=path, javascript=True, **settings):
        context = browser.new_context(offline=True, java_script_enabled=javascript, **settings)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(120_000)
        page.asked, page.complaints = [], []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.goto(path.as_uri())
        return page

    yield new
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def shared(browser, path):
    """One page with its models, for the tests that leave it as they found it."""
    with models_site.opened(browser, path) as page:
        yield page


@pytest.fixture
def page(shared):
    shared.fill("#models-temperature", "1")
    shared.fill("#models-seed", "0")
    shared.check("[name=models-writer][value=student]")
    shared.fill("#models-text", models_page.BEGINNING)
    models_site.settle(shared)
    return shared


def text_of(page):
    return page.locator("#models-text").input_value()


def write_many(page):
    page.click("#models-many")
    page.wait_for_function("() => document.querySelector('#models-many').textContent !== 'Stop'")
    models_site.settle(page)
    return text_of(page)


def test_nothing_is_loaded_before_the_button_and_all_of_it_by_it(opened, path):
    page = opened()
    page.wait_for_timeout(500)
    names = [url.rpartition("/")[2] for url in page.asked]
    assert sorted(names) == ["models.css", "models.html", "models.js"]
    assert not page.locator("#models-form").is_visible()
    models_site.load(page)
    loaded = {url.rpartition("/")[2] for url in page.asked if "/weights/" in url}
    assert loaded == set(models_files.files())
    assert all(url.startswith(path.parent.as_uri()) for url in page.asked)
    assert not page.locator("#models-load").is_visible() and page.complaints == []
    assert page.locator("script[src*=weights]").count() == 0, "its text need not stay in memory"


def test_what_python_has_drawn_is_what_the_models_draw(opened):
    """But for the last digit, which may be rounded the other way on another processor."""
    page = opened()
    before = models_site.table(page)
    caption = page.locator("#models-table caption").inner_text()
    models_site.load(page)
    after = models_site.table(page)
    assert list(before) == list(after)
    for row, cells in before.items():
        step = 0.0011 if row in NUMBERS else 0.11
        for one, other in zip(map(models_site.number, cells), map(models_site.number, after[row])):
            assert one == other or one == pytest.approx(other, abs=step), row
    assert page.locator("#models-table caption").inner_text() == caption
    assert page.locator("#models-table .best").count() == 3


def test_without_javascript_there_is_a_table_and_a_sentence(opened):
    page = opened(javascript=False)
    assert "switched off" in page.locator("noscript").inner_text()
    assert len(models_site.table(page)) == models_page.WORDS + 4
    assert page.get_by_role("button").count() == 0 and page.get_by_role("slider").count() == 0


def test_typing_changes_the_table_and_a_paste_of_a_long_text_can_be_typed_into(page):
    before = models_site.table(page)
    page.locator("#models-text").press_sequentially(" foreign")
    models_site.settle(page)
    assert models_site.table(page) != before
    page.fill("#models-text", "The Congress of the United States. " * 60)
    page.locator("#models-text").press("End")
    page.fill("#models-text", models_page.BEGINNING)  # while the long one is still being read
    models_site.settle(page)
    assert models_site.table(page) == before


def test_temperature_flattens_and_sharpens(page):
    found = {}
    for temperature in ("0.1", "1", "3"):
        page.fill("#models-temperature", temperature)
        found[temperature] = models_site.table(page)
        assert page.locator("#models-degrees").inner_text() == f"{float(temperature):.2f}"
    for place in range(3):
        cold, warm, hot = (models_site.number(t["entropy, nats"][place]) for t in found.values())
        assert cold < warm < hot < 8.318


def test_a_seed_writes_the_same_text_again_and_another_another(page):
    first = write_many(page)
    page.click("#models-back")
    models_site.settle(page)
    assert text_of(page) == models_page.BEGINNING
    assert write_many(page) == first != models_page.BEGINNING
    page.click("#models-back")
    page.fill("#models-seed", "1")
    assert write_many(page) != first
    page.click("#models-back")
    page.fill("#models-seed", "0")
    for _ in range(3):
        page.click("#models-one")
        models_site.settle(page)
    assert first.startswith(text_of(page)), "token by token, it is the same text"


def test_every_writer_writes_its_own(page):
    texts = set()
    for writer in models_files.NAMES:
        page.check(f"[name=models-writer][value={writer}]")
        texts.add(write_many(page))
        page.click("#models-back")
    assert len(texts) == 3


def test_a_writer_is_stopped_by_its_button_and_by_typing(page):
    for stop in (lambda: page.click("#models-many"), lambda: page.fill("#models-text", "We must")):
        page.fill("#models-text", models_page.BEGINNING)
        page.click("#models-many")
        stop()
        page.wait_for_function(
            "() => document.querySelector('#models-many').textContent !== 'Stop'"
        )
        models_site.settle(page)
        after = text_of(page)
        page.wait_for_timeout(300)
        assert text_of(page) == after and page.locator("#models-tokens .written").count() < 20


def test_a_token_is_drawn_of_what_stands_there_and_not_of_what_stood_there(page):
    """Text and clicks come in one moment, before anything has been read."""
    text = "The President of the United"
    page.fill("#models-text", text)
    models_site.settle(page)
    page.click("#models-one")
    models_site.settle(page)
    wanted = text_of(page)
    page.fill("#models-text", models_page.BEGINNING)
    models_site.settle(page)
    page.evaluate(
        """(text) => {
          const box = document.querySelector("#models-text");
          box.value = text;
          box.dispatchEvent(new Event("input"));
          for (let i = 0; i < 5; i++) document.querySelector("#models-one").click();
        }""",
        text,
    )
    page.wait_for_selector("#models-tokens .written")
    models_site.settle(page)
    page.wait_for_timeout(200)
    assert text_of(page) == wanted != text


def test_a_writer_may_end_its_text(page):
    page.evaluate("() => { threeModels.kept = threeModels.sample; threeModels.sample = () => 0; }")
    page.click("#models-many")
    page.wait_for_selector("text=the student ends here")
    page.evaluate("() => { threeModels.sample = threeModels.kept; }")
    assert text_of(page) == models_page.BEGINNING
    assert page.locator("#models-many").inner_text() == "Write 20"


def test_it_works_from_the_keyboard_and_its_parts_have_names(page):
    box = page.get_by_role("textbox", name="The beginning of a text")
    box.focus()
    page.keyboard.type(" the")
    page.keyboard.press("Tab")
    slider = page.get_by_role("slider", name="Temperature")
    assert slider.evaluate("slider => slider === document.activeElement")
    page.keyboard.press("ArrowRight")
    assert slider.input_value() == "1.05"
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")  # from the student to the control
    assert page.get_by_role("radio", name="control").is_checked()
    assert page.get_by_role("group", name="Writer").count() == 1
    page.keyboard.press("Tab")
    assert page.get_by_role("spinbutton", name="Seed").evaluate(
        "it => it === document.activeElement"
    )
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("#models-tokens .written")
    models_site.settle(page)
    assert text_of(page).startswith(f"{models_page.BEGINNING} the")
    assert len(text_of(page)) > len(f"{models_page.BEGINNING} the")


def test_the_likeliest_are_read_out_once_all_is_quiet(page):
    said = page.locator("#models-said")
    assert said.get_attribute("role") == "status"
    page.fill("#models-text", "The President of the United")
    page.wait_for_function(
        "() => /States/.test(document.querySelector('#models-said').textContent)"
    )
    assert re.fullmatch(
        r"Likeliest next: teacher “States” \d+\.\d\s%, student “States” \d+\.\d\s%, "
        r"control “States” \d+\.\d\s%\.",
        said.inner_text(),
    )


def test_a_damaged_file_is_told_and_can_be_loaded_again(opened, tmp_path):
    path = models_site.write(tmp_path)
    part = path.parent / "_static" / "models" / "weights" / "student-0.js"
    whole = part.read_text("utf-8")
    page = opened(path)
    for damaged in (whole[:-20] + whole[-10:], "<html>404</html>", None):
        part.unlink() if damaged is None else part.write_text(damaged, "utf-8")
        page.click("#models-load")
        page.wait_for_function("() => /try again/.test(document.body.innerText)")
        assert not page.locator("#models-form").is_visible()
    part.write_text(whole, "utf-8")
    models_site.load(page)
    assert page.locator("#models-form").is_visible()


def test_nothing_moves_for_those_who_want_it_still(opened):
    page = opened(reduced_motion="reduce")
    style = "() => getComputedStyle(document.querySelector('.bar')).transitionDuration"
    assert page.evaluate(style) in ("0s", "0")
    page.emulate_media(reduced_motion="no-preference")
    assert page.evaluate(style) == "0.15s"


def test_on_the_website_it_is_found_and_fits_and_is_accessible(look, vendor):
    """From the end of chapter 7; on a phone and in the dark, with the models loaded."""
    seen = look("07_distilling_a_language_model.html")
    page = seen.page
    page.locator("article a[href='three_models.html']").click()
    page.wait_for_url("**/three_models.html")
    assert seen.overflow() == ""
    seen.resize(PHONE)
    models_site.load(page)
    write_many(page)
    assert seen.overflow() == "" and seen.complaints == [] and seen.asked == []
    page.evaluate(vendor(AXE).read_text("utf-8"))
    run = "() => axe.run({resultTypes: ['violations']})"
    for _ in ("light", "dark"):
        found = page.evaluate(run)["violations"]
        serious = [f for f in found if f["impact"] in ("serious", "critical")]
        assert [(f["id"], f["nodes"][0]["html"]) for f in serious] == []
        seen.darken()
