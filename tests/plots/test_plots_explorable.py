"""Figures that a reader moves, as a notebook gets them: one page, one picture, nothing from elsewhere."""

import base64
import re

import pytest

from kdlib.plots import explorable
from kdlib.plots.explorable import FOLDER

NAMES = sorted(path.stem for path in FOLDER.glob("*.html"))


def test_there_are_some():
    assert {"lambda_map", "cost_calculator", "moor_walk"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_gets_a_picture_and_a_page_and_asks_nobody(name):
    shown = explorable(name)._repr_mimebundle_()
    assert shown["text/plain"].startswith(f"{explorable(name).title}. ")
    assert len(explorable(name).alt) > 80
    image = re.search(
        r'<img alt="[^"]{80,}"[^>]*src="data:image/svg\+xml;base64,([^"]+)"', shown["text/html"]
    )
    assert b"<svg" in base64.b64decode(image[1])
    (page,) = re.findall(r'<iframe title="[^"]+" srcdoc="([^"]+)"', shown["text/html"])
    assert not re.search(r"(?:src|href)=(?:&quot;|\")(?!data:|#)", page)
    assert "import(" not in page and "fetch(" not in page
    assert len(shown["text/html"]) < (
        200_000 if name == "temperature" else 100_000
    )  # 80,000 logits


def test_an_unknown_figure_is_told_with_those_that_are_known():
    with pytest.raises(ValueError, match=r"name is 'lambda'; it must be one of .*lambda_map"):
        explorable("lambda")
