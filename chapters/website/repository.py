"""Where a public copy of the project lives, if it has one, and what one click can open there.

Its name stands in CONTRIBUTING.md, in the place of OWNER/REPO, and in no other file. As long as it
is not set, no page has such a link.
"""

from __future__ import annotations

import re

UNSET = "OWNER/REPO"
BINDER = re.compile(r"https://mybinder\.org/v2/gh/([\w.-]+/[\w.-]+)/HEAD")


def name(contributing: str) -> str | None:
    """The repository as owner/name, or None where nobody has set it.

    Raises:
        LookupError: where CONTRIBUTING.md has lost its link to Binder, which holds the name.
    """
    found = BINDER.search(contributing)
    if not found:
        raise LookupError(
            "CONTRIBUTING.md has no link to Binder, which would hold the repository's name"
        )
    return None if found[1] == UNSET else found[1]


def doors(contributing: str, stem: str) -> str:
    """Links that open the chapters, and one of them, without installing anything; or nothing."""
    repository = name(contributing)
    if repository is None:
        return ""
    hub = f"github.com/{repository}"
    links = {
        "Open all chapters in Binder": (
            f"https://mybinder.org/v2/gh/{repository}/HEAD?urlpath=lab/tree/chapters"
        ),
        "Open the first in Colab": (
            f"https://colab.research.google.com/github/{repository}/blob/HEAD/chapters/{stem}.ipynb"
        ),
        "See the project on GitHub": f"https://{hub}",
    }
    shown = " ".join(f'<a href="{address}">{words}</a>' for words, address in links.items())
    return f'<p class="doors elsewhere">{shown}</p>'
