"""What the page of a chapter ends with and its notebook does not: a link to what only a page can do."""

from __future__ import annotations

INVITATIONS = {
    7: '<p class="on-screen doors"><a href="three_models.html">Try it: type a text, and see '
    "what this chapter's teacher, a student and a control expect next</a></p>",
}
