"""A whole chapter by keys: whatever can be pressed is reached, shows that it is, and opens."""

import pytest

pytestmark = pytest.mark.slow

PAGE = "04_kl_divergence.html"
TABS = 2000  # more than there is to reach
CAN = "a[href], button, input, select, textarea, summary, [tabindex='0']"
# Of a group of radio buttons one has a place in the order of the keys; its first stands for it.
READ = """(can) => {
  const article = document.querySelector("article.bd-article");
  const first = (part) => part.type === "radio"
    ? [...part.form.elements].find((one) => one.name === part.name) : part;
  const isShown = (style) => style.boxShadow !== "none"
    || (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0);
  globalThis.wanted = () => [...new Set([...article.querySelectorAll(can)]
    .filter((part) => !part.matches(":disabled") && part.tabIndex >= 0)
    .filter((part) => part.checkVisibility({ visibilityProperty: true }))
    .map(first))];
  globalThis.focused = () => {
    const part = document.activeElement;
    const around = [part, part.parentElement, ...part.querySelectorAll("*")];
    return {
      inside: article.contains(part),
      place: wanted().indexOf(first(part)),
      shown: around.some((one) => isShown(getComputedStyle(one))
        || (one.matches(".ring") && one.checkVisibility())),
      opens: part.matches("summary") ? !part.parentElement.open
        : part.matches("form.prediction button[type=button]") && part.textContent === "Show me",
      html: part.outerHTML.slice(0, 100),
    };
  };
}"""


def walk(page, opening):
    """What has the focus after each press of Tab, from the page's top to the chapter's end."""
    page.evaluate("() => { document.activeElement.blur(); scrollTo(0, 0); }")
    found, inside = [], False
    for _ in range(TABS):
        page.keyboard.press("Tab")
        at = page.evaluate("() => focused()")
        if inside and not at["inside"]:
            return found
        inside = at["inside"]
        if inside:
            found.append(at)
        if inside and opening and at["opens"]:
            page.keyboard.press("Enter")
    raise AssertionError(f"{TABS} presses of Tab do not leave the chapter: {found[-1]['html']}")


def test_a_whole_chapter_by_keys(look):
    opened = look(PAGE)
    page = opened.page
    page.evaluate(READ, CAN)
    assert sum(at["opens"] for at in walk(page, opening=True)) > 50
    article = page.locator("article.bd-article")
    assert article.locator("details:not([open])").count() == 0
    assert article.get_by_role("button", name="Show me").count() == 0
    found = walk(page, opening=False)
    wanted = page.evaluate("() => wanted().map((part) => part.outerHTML.slice(0, 100))")
    reached = {at["place"] for at in found}
    assert [html for place, html in enumerate(wanted) if place not in reached] == []
    assert [at["html"] for at in found if not at["shown"]] == []
    assert opened.complaints == []


def test_a_focus_that_cannot_be_seen_is_noticed(look):
    page = look(PAGE).page
    page.add_style_tag(
        content="* { outline: none !important; box-shadow: none !important } .ring { display: none }"
    )
    page.evaluate(READ, CAN)
    assert len([at for at in walk(page, opening=False) if not at["shown"]]) > 50
