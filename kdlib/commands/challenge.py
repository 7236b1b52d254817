"""The command about the challenge: rules and table, or a recipe that enters."""

from __future__ import annotations

import json
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from kdlib.errors import UserError
from kdlib.jobs.flags import parse
from kdlib.machine.console import show

if TYPE_CHECKING:
    from kdlib.challenge.running import Attempt
    from kdlib.jobs.recipe import Recipe


@dataclass(frozen=True)
class ChallengeOptions:
    """Make the best student of at most 1.1 million parameters within a budget of operations.

    `kdlib challenge` prints the rules and the table. `kdlib challenge my.toml` checks a recipe by the
    rules, trains it with three seeds, and writes an entry; a second call goes on where the first was
    stopped. Free are student.size, student.training, objective, targets.kind, .k and .seed, on_policy,
    device, precision, compile and loss_pass; everything else is the same for all.

    The budget is what the recipe pocket takes, 15.4 T operations. Counted are the student's forward and
    backward passes, what it writes itself, and every forward pass of the teacher over text that it is
    asked about. So every machine is equal. Entries are compared on the validation documents; no test
    number is printed or stored, except by --accept.
    """

    recipe: tyro.conf.Positional[str] = ""
    """A file ending in .toml, a built-in recipe or an entry of the table; left out: rules and table."""
    dry_run: bool = False
    """Only check it by the rules, and say what it takes of the budget."""
    once: bool = False
    """Train it once, with a seed of its own, and make no entry: for tuning."""
    accept: bool = False
    """For whoever accepts entries: train a submitted one again, NAME.toml with NAME.json beside it,
    compare, and fill in its test. An entry meets the test once."""
    overwrite: bool = False
    """Delete the run of this name first."""
    out: Path = Path("runs/challenge")
    """Folder of the runs: in it each recipe has a folder with its students and its entry."""
    json: bool = False
    """Print JSON: the table, or the entry."""

    def __post_init__(self) -> None:
        chosen = [name for name in ("dry_run", "once", "accept") if getattr(self, name)]
        if len(chosen) > 1:
            raise UserError(
                f"{chosen[1]}: it cannot be combined with {chosen[0]}; give one of them"
            )
        if not self.recipe and (chosen or self.overwrite):
            raise UserError("missing: recipe; name a file ending in .toml")


def challenge(arguments: list[str]) -> None:
    """Run ``kdlib challenge``: print rules and table, or train what enters."""
    options = parse(ChallengeOptions, arguments, prog="kdlib challenge")
    from kdlib.challenge import definition
    from kdlib.challenge.entry import read_entries
    from kdlib.challenge.table import printed_rules, printed_table, rows

    contest = definition.CHALLENGE
    if options.recipe:
        _enter(options)
    elif options.json:
        show(json.dumps(rows(read_entries(contest)), indent=1))
    else:
        show(f"{printed_rules(contest)}\n\n{printed_table(read_entries(contest))}")


def _enter(options: ChallengeOptions) -> None:
    """Check a recipe, and do with it what the options say."""
    from kdlib.challenge import definition
    from kdlib.challenge.running import open_attempt, open_single
    from kdlib.challenge.table import printed_cost

    path, recipe = _load(options.recipe)
    name = path.stem + "-once" * options.once
    folder = options.out / name
    opened = open_single if options.once else open_attempt
    attempt = opened(definition.CHALLENGE, recipe, folder, name)
    if not options.json:
        steps = attempt.recipe.student.training.steps
        show(printed_cost(definition.CHALLENGE, attempt.cost, steps))
    if options.dry_run:
        return
    if options.overwrite:
        _delete(folder)
    try:
        _finish(attempt, path, options)
    except KeyboardInterrupt as stopped:
        again = shlex.join(["kdlib", "challenge", options.recipe, *_flags(options)])
        raise KeyboardInterrupt(f"{str(stopped) or 'stopped'}; go on with: {again}") from None


def _load(name: str) -> tuple[Path, Recipe]:
    """The recipe that is meant: an entry of the table, else as everywhere."""
    from kdlib.challenge.entry import FOLDER
    from kdlib.files import expand_home
    from kdlib.jobs.recipe_files import load_recipe

    entered = FOLDER / f"{name}.toml"
    path = entered if entered.is_file() else expand_home(name)
    return path, load_recipe(str(path) if entered.is_file() else name)


def _delete(folder: Path) -> None:
    """Delete an earlier run, and nothing that is none."""
    from kdlib.files import locked
    from kdlib.training.run_folder import check_free

    check_free(folder, overwrite=True)
    if folder.exists():
        with locked(folder):
            shutil.rmtree(folder)


def _flags(options: ChallengeOptions) -> list[str]:
    """Those of a call that goes on with this one."""
    flags = [f"--{name}" for name in ("once", "accept", "json") if getattr(options, name)]
    return flags if options.out == ChallengeOptions.out else [*flags, "--out", str(options.out)]


def _finish(attempt: Attempt, path: Path, options: ChallengeOptions) -> None:
    """Train, and print what came of it."""
    from kdlib.challenge.acceptance import accept
    from kdlib.challenge.entry import mean_loss, read_entry
    from kdlib.challenge.running import record_of, tokens_by_document, train

    if options.accept:
        submitted = read_entry(attempt.challenge, path)
        _show_entry(attempt, accept(attempt, submitted, path.with_suffix(".json")), options)
        return
    nats = train(attempt)
    if options.once:
        loss = mean_loss(nats, tokens_by_document(attempt.classroom.validation))
        text = (
            json.dumps({"validation": loss})
            if options.json
            else f"Validation: {loss:.4f} nats per token"
        )
        show(text)
        return
    _show_entry(attempt, record_of(attempt, nats), options)


def _show_entry(attempt: Attempt, record: dict[str, Any], options: ChallengeOptions) -> None:
    """Write the entry into the run's folder, and print it with its place."""
    from kdlib.challenge.entry import Entry, read_entries, write_record
    from kdlib.challenge.table import printed_result

    path = attempt.folder / "entry.json"
    write_record(path, record)
    if options.json:
        show(json.dumps(record, indent=1))
        return
    entry = Entry(attempt.name, "", attempt.recipe, record)
    show(printed_result(entry, read_entries(attempt.challenge)))
    if entry.test is not None:
        show(f"Test: {entry.test:.4f} nats per token")
    show(f"\nEntry: {path}")
