"""A page in a browser, with an eye on what it complains about and whom it asks."""

from urllib.parse import urlsplit

from website.vendor import Vendored

AXE = Vendored(
    "axe-core",
    "4.14.1",
    "e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745",
    "axe.min.js",
)
SECONDS = 120  # that a page may take on a busy machine
LOCAL = ("file", "data", "blob", "about")
OVERFLOW = """() => {
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  if (wide <= 1) return "";
  // What a parent clips or scrolls, as a formula's does, makes no page wider.
  const shown = (part) => part === document.body || part === document.documentElement
    || (getComputedStyle(part.parentElement).overflowX === "visible" && shown(part.parentElement));
  const parts = [...document.querySelectorAll("article *")]
    .filter((part) => part.getBoundingClientRect().right > innerWidth + 1 && shown(part))
    .slice(0, 3).map((part) => part.outerHTML.slice(0, 120));
  return `${wide} pixels too wide: ${parts.join(" | ")}`;
}"""


class Page:
    """`path` of the website, opened and drawn. goto() another one keeps what was seen before."""

    def __init__(self, context, website, path):
        self.website = website
        self.complaints, self.asked = [], []
        self.page = context.new_page()
        self.page.set_default_timeout(SECONDS * 1000)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._request)
        self.goto(path)

    def goto(self, path):
        self.page.goto(f"{self.website.resolve().as_uri()}/{path}")

    def run(self, script, argument=None):
        return self.page.evaluate(script, argument)

    def darken(self):
        """As if the reader's system had just gone dark."""
        self.page.emulate_media(color_scheme="dark")
        self.page.wait_for_function("() => document.documentElement.dataset.theme === 'dark'")
        # Colours fade into each other; what counts is where they end.
        self.run("() => Promise.all(document.getAnimations().map((fade) => fade.finished))")

    def resize(self, width):
        self.page.set_viewport_size({"width": width, "height": 900})

    def overflow(self):
        """What makes the page wider than the screen; nothing where all fits."""
        return self.run(OVERFLOW)

    def _console(self, message):
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _request(self, request):
        if urlsplit(request.url).scheme not in LOCAL:
            self.asked.append(request.url)
