"""Upload a run's student, with its model card, to the hub."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from kdlib.errors import UserError, first_line
from kdlib.jobs.checks import refuse_unfinished_run
from kdlib.jobs.context import RunModels
from kdlib.jobs.recipe_files import recipe_of_run
from kdlib.models.checksums import verify_checksums
from kdlib.training.run_folder import require_run

CARD, REPORT = "README.md", "report.json"
PLACE = "path/to/this/folder"  # what a card calls the place of its model
OPENING = 10  # lines of the card that are shown


class Upload(NamedTuple):
    """What would be uploaded, and where to.

    Attributes:
        name: OWNER/NAME on the hub.
        private: whether only its owner may read it.
        files: name in the repository, and content: a file, or the card's bytes.
    """

    name: str
    private: bool
    files: dict[str, Path | bytes]


def prepare_upload(run: Path, name: str, *, private: bool) -> Upload:
    """Look at a run's student and its card. Nothing is sent.

    Args:
        run: the folder of a finished run.
        name: OWNER/NAME on the hub.
        private: whether only its owner may read it.

    Raises:
        UserError: for a name that the hub does not allow, and for a run that has not finished or is
            damaged.
    """
    _refuse_bad_name(name)
    require_run(run)
    models = RunModels(recipe_of_run(run), run)
    refuse_unfinished_run(models)
    folder = run / "student"
    if not (run / REPORT).is_file() or not (folder / CARD).is_file():
        raise UserError(
            f"{run} is not finished: it has no report yet; go on with `kdlib distill --resume`"
        )
    verify_checksums(folder)
    files: dict[str, Path | bytes] = {
        path.name: path for path in sorted(folder.iterdir()) if path.is_file()
    }
    card = (folder / CARD).read_text("utf-8")
    files[CARD] = card.replace(PLACE, name).encode()
    return Upload(name, private, files)


def _refuse_bad_name(name: str) -> None:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise UserError(f"name: {first_line(error)}") from error
    if name.count("/") != 1:
        raise UserError(f"name: {name} is not OWNER/NAME")


def describe_upload(upload: Upload) -> str:
    """Where it goes, every file with its bytes, and how the card begins."""
    sizes = {name: _size(content) for name, content in upload.files.items()}
    sizes["in all"] = sum(sizes.values())
    width = max(map(len, sizes))
    who = "private" if upload.private else "public"
    card = upload.files[CARD]
    assert isinstance(card, bytes)
    opening = card.decode().splitlines()[:OPENING]
    return "\n".join(
        [
            f"To {_endpoint()}/{upload.name} ({who}):",
            *(f"  {name:<{width}}  {size:>14,} bytes" for name, size in sizes.items()),
            "The card begins:",
            *(f"  {line}".rstrip() for line in opening),
        ]
    )


def _size(content: Path | bytes) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def _endpoint() -> str:
    """Of the hub: HF_ENDPOINT, if it is set."""
    from huggingface_hub import constants

    return constants.ENDPOINT


def find_token() -> str:
    """The hub's token on this machine: HF_TOKEN, or that of ``hf auth login``.

    Raises:
        UserError: where there is none.
    """
    from huggingface_hub import get_token

    token = get_token()
    if token is None:
        raise UserError(
            "publish: there is no token of the hub here; set HF_TOKEN, or log in with `hf auth login`"
        )
    return token


def publish(upload: Upload, token: str) -> str:
    """Send it, as one commit. A repository that is not there yet is made.

    Args:
        upload: from `prepare_upload`.
        token: of the hub.

    Returns:
        The address of the repository.

    Raises:
        UserError: for a repository that is public where a private one is wanted, and for whatever the
            hub refuses.
    """
    from huggingface_hub import CommitOperationAdd, HfApi

    api = HfApi(token=token)
    additions = [
        CommitOperationAdd(name, content if isinstance(content, bytes) else str(content))
        for name, content in upload.files.items()
    ]
    try:
        address = api.create_repo(upload.name, private=upload.private, exist_ok=True)
        # One that is there already keeps its visibility, whatever is asked for.
        is_public = upload.private and not api.model_info(upload.name).private
        if not is_public:
            message = "Upload a student distilled with kdlib"
            api.create_commit(upload.name, additions, commit_message=message)
    except Exception as error:  # no network, no permission, a name that is taken, a full account
        raise UserError(
            f"publish: {_endpoint()} does not take {upload.name}: {first_line(error)}"
        ) from error
    if is_public:
        raise UserError(
            f"private: {upload.name} is there already, and public; nothing was uploaded: give another"
            " name, or make it private on the hub"
        )
    return str(address)
