"""An explorable on a page of its own, which opens at once, and what a hand does to it."""

import json
import math
import shutil

import torch
from website import explorables_data
from website.assemble import HERE
from website.explorables import markup

MINUS = "−"

ALONE = """<!DOCTYPE html><html lang="en" data-theme="light"><meta charset="utf-8"><title>Alone</title>
<link rel="stylesheet" href="_static/explorables/explorables.css">
<link rel="stylesheet" href="_static/explorables/instruments.css">
<style>:root {{ --pst-color-text-base: #222 }}</style>
<body style="max-width: 700px"><article class="bd-article">{figure}</article></body></html>"""


def write(made):
    """Every explorable as a page of this folder."""
    shutil.copytree(HERE / "static" / "explorables", made / "_static" / "explorables")
    for name in explorables_data.EXPLORABLES:
        page = ALONE.format(figure=markup([name])[0])
        (made / f"{name}.html").write_text(page, "utf-8")


def identity(name):
    return f"explorable-{name.replace('_', '-')}"


class Figure:
    """An explorable on a page, or in a frame of the page."""

    def __init__(self, look, name, frame=None):
        self.look, self.page = look, look.page
        self.part = (frame or self.page).locator(f"#{identity(name)}")
        self.part.scroll_into_view_if_needed()

    @property
    def state(self):
        return json.loads(self.part.locator(".stage").get_attribute("data-state"))

    def texts(self, css):
        return [" ".join(text.split()) for text in self.part.locator(css).all_text_contents()]

    def slider(self, label):
        return self.part.locator(f'[role=slider][aria-label^="{label}"]')

    def drag(self, label, x, y):
        """The slider's dot, by so many pixels, in steps as a hand does."""
        dot = self.slider(label).locator(".dot")
        dot.scroll_into_view_if_needed()
        dot.evaluate("(dot) => dot.scrollIntoView({block: 'center'})")
        box = dot.bounding_box()
        left, top = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self.page.mouse.move(left, top)
        self.page.mouse.down()
        self.page.mouse.move(left + x / 2, top + y / 2)
        self.page.mouse.move(left + x, top + y)
        self.page.mouse.up()

    def keys(self, label, *keys):
        for key in keys:
            self.slider(label).press(key)
        return self.slider(label).get_attribute("aria-valuetext")

    def press(self, name):
        self.part.get_by_role("button", name=name).click()


def number(value, digits=3, signed=False):
    """As the page writes it."""
    if math.isinf(value):
        return "∞"
    text = f"{abs(value):.{digits}f}"
    return (MINUS if value < 0 and float(text) else "+" if signed else "") + text


def logs(p):
    return torch.tensor(p, dtype=torch.float64).log()
