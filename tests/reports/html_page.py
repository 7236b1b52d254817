"""A page as a browser would take it apart."""

import html.parser

VOID = {"meta", "br", "hr", "img", "link", "input"}


class Page(html.parser.HTMLParser):
    """Checks that tags are balanced; collects tags, attributes and text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.words = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    @property
    def figures(self):
        """The alt texts of the figures."""
        return self.values("aria-label", role="img")

    def values(self, name, **where):
        """All values of an attribute, or those of the elements with these attributes."""
        if where:
            return [value for value in self._of_role(name, **where)]
        return [value for key, value in self.attributes if key == name]

    def _of_role(self, name, role):
        """`role` comes directly before the label in the figures' markup."""
        pairs = zip(self.attributes, self.attributes[1:])
        return [value for before, (key, value) in pairs if key == name and before == ("role", role)]


def assert_self_contained(text):
    """Nothing is fetched, nothing runs, and no id is there twice: returns the page."""
    page = Page(text)
    links = [value for key in ("href", "src", "xlink:href") for value in page.values(key)]
    ids = page.values("id")
    assert all(link.startswith("#") for link in links)
    assert {link[1:] for link in page.values("href")} <= set(ids), "a link leads nowhere"
    assert set(page.values("aria-describedby")) <= set(ids)
    assert "@import" not in text and "url(http" not in text
    assert not {"script", "link", "iframe", "img", "object"} & set(page.tags)
    assert len(ids) == len(set(ids))
    assert "default-src 'none'" in " ".join(page.values("content"))
    return page
