"""Swatches: a legend in running text, told apart without colour."""

from xml.etree import ElementTree

from kdlib import plots
from kdlib.plots.style import INK


def test_a_swatch_is_for_the_eye_and_has_no_ids():
    for look in plots.LOOKS.values():
        root = ElementTree.fromstring(plots.swatch(look))
        assert root.get("aria-hidden") == "true"
        assert not any("id" in part.attrib for part in root.iter())


def test_each_has_its_own_line_and_marker():
    parts = [ElementTree.fromstring(plots.swatch(look)) for look in plots.LOOKS.values()]
    assert len({root[0].get("stroke-dasharray") for root in parts}) == len(parts)
    assert len({root[1].get("d") for root in parts}) == len(parts)


def test_the_teacher_has_the_ink_of_the_page():
    colors = [
        ElementTree.fromstring(plots.swatch(look)).get("fill") for look in plots.LOOKS.values()
    ]
    assert colors[0] == "currentColor" and INK not in colors
    assert colors[1:] == [look.color for look in list(plots.LOOKS.values())[1:]]
