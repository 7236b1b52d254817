"""The command that sends something away: publish."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from kdlib.jobs.bounds import refuse_impossible
from kdlib.jobs.flags import parse
from kdlib.machine.console import show


@dataclass(frozen=True)
class PublishOptions:
    """Upload the student of a finished run, with its model card, to the hub.

    It needs a token: HF_TOKEN, or `hf auth login`. HF_ENDPOINT names another hub.
    """

    run: tyro.conf.Positional[Path]
    """Folder of the run."""
    name: tyro.conf.Positional[str]
    """OWNER/NAME on the hub; made if it is not there."""
    private: bool = False
    """Let only its owner read it."""
    dry_run: bool = False
    """Show what would be uploaded, and send nothing."""

    def __post_init__(self) -> None:
        refuse_impossible(self)


def publish(arguments: list[str]) -> None:
    """Run ``kdlib publish``: upload a student, or show what would be uploaded."""
    options = parse(PublishOptions, arguments, prog="kdlib publish")
    from kdlib.jobs.publishing import describe_upload, find_token, prepare_upload
    from kdlib.jobs.publishing import publish as send

    upload = prepare_upload(options.run, options.name, private=options.private)
    if options.dry_run:
        show(f"{describe_upload(upload)}\nNothing was sent.")
        return
    token = find_token()
    show(describe_upload(upload))
    show(f"Published: {send(upload, token)}")
