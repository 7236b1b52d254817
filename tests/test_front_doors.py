"""How people come in: conda, Binder, Colab, a container, a workflow, a citation, a pull request.

Each of these files repeats a fact that stands elsewhere: a Python version, a make target, a
package. These tests hold the repetitions to their originals, without the network.
"""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import jsonschema
import pytest
from check_jsonschema.builtin_schemas import get_builtin_schema
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
PYTHONS = SpecifierSet(PROJECT["requires-python"])
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
WORKFLOW = ".github/workflows/checks.yml"
FORMS = sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"))
CONFIG = ROOT / ".github/ISSUE_TEMPLATE/config.yml"
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "chapters/index.md")


def read_yaml(name):
    return YAML(typ="safe", pure=True).load(ROOT / name)


def run(*command):
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True
    )
    return done.returncode, done.stdout + done.stderr


def extras_of(requirement):
    """The extras in a text such as ".[all]" or "kdlib[book]"."""
    found = re.search(r"\[([\w,]+)\]$", requirement)
    return set(found[1].split(",")) if found else set()


def requirements():
    """Every requirement of the package and of its extras, without the package itself."""
    optional = PROJECT["optional-dependencies"].values()
    texts = [*PROJECT["dependencies"], *(text for extra in optional for text in extra)]
    return [each for each in map(Requirement, texts) if each.name != "kdlib"]


# ---------------------------------------------------------------- conda and Binder


def test_conda_can_read_what_the_environment_asks_for():
    from rattler import MatchSpec

    asked = [each for each in read_yaml("environment.yml")["dependencies"] if isinstance(each, str)]
    specs = {spec.name.normalized: spec for spec in map(MatchSpec, asked)}
    assert {"python", "pip"} == specs.keys()
    assert PYTHONS.contains(str(specs["python"].version).removesuffix(".*"))


def test_pip_can_read_what_the_environment_asks_for():
    (pip,) = [d["pip"] for d in read_yaml("environment.yml")["dependencies"] if isinstance(d, dict)]
    options = dict(line.split(maxsplit=1) for line in pip)
    assert (ROOT / options.pop("-c")).is_file()
    editable = options.pop("-e")
    assert editable.startswith(".") and not options
    assert extras_of(editable) == {"all"} <= PROJECT["optional-dependencies"].keys()


@pytest.mark.skipif(sys.platform == "win32", reason="repo2docker runs on Linux and macOS")
def test_binder_builds_from_the_environment():
    """Not the build itself, which needs Docker: what repo2docker would build."""
    code, output = run("repo2docker", "--no-build", "--debug", ".")
    assert code == 0, output
    version = read_yaml("environment.yml")["dependencies"][0].removeprefix("python=")
    assert f"Building conda environment for python={version}" in output
    # The package is installed from its own folder, so the folder must be there by then.
    copied, installed = output.index(" src/ "), output.index('--file "environment.yml"')
    assert copied < installed


def test_the_tested_versions_are_of_the_ranges_asked_for():
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()[1:]
    names, versions = zip(*(line.split("==") for line in lines), strict=True)
    assert list(names) == sorted(names, key=canonicalize_name)
    tested = dict(zip(map(canonicalize_name, names), versions, strict=True))
    assert len(tested) == len(lines)
    for each in requirements():
        assert each.specifier.contains(tested[canonicalize_name(each.name)]), each


# ---------------------------------------------------------------- Colab


def links(name):
    """The targets of a page's links, pictures included; code is no link."""
    text = re.sub(r"```.*?```|`[^`\n]*`", "", (ROOT / name).read_text("utf-8"), flags=re.DOTALL)
    return re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|href)="([^"]+)"', text)


def colab_cell():
    cells = re.findall(
        r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), re.DOTALL
    )
    (cell,) = [cell for cell in cells if "google.colab" in cell]
    return cell


def magics_of(cell, monkeypatch):
    """Run a cell as a notebook does; returns the magics that it called."""
    from IPython.core.inputtransformer2 import TransformerManager

    called = []

    class Shell:
        def run_line_magic(self, name, line, *_):
            called.append((name, line))

    code = TransformerManager().transform_cell(cell)
    exec(code, {"get_ipython": Shell})
    return called


def test_the_first_cell_installs_on_colab(monkeypatch):
    monkeypatch.setitem(sys.modules, "google.colab", object())
    ((name, line),) = magics_of(colab_cell(), monkeypatch)
    assert name == "pip"
    wanted = Requirement(re.fullmatch(r'install --quiet "(.+)"', line)[1])
    assert wanted.name == PROJECT["name"]
    assert not wanted.extras  # Colab brings the notebook's own needs; the rest is the default


def test_the_first_cell_does_nothing_elsewhere(monkeypatch):
    assert "google.colab" not in sys.modules
    assert magics_of(colab_cell(), monkeypatch) == []


def test_all_addresses_are_those_of_one_copy():
    """Whoever publishes the project writes its name once, with one command."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    hosts = r"(?:mybinder\.org/v2/gh|colab\.research\.google\.com/github|git\+https://github\.com)"
    copies = re.findall(hosts + r"/([\w.-]+/[\w.-]+)", text)
    assert len(copies) == 3 and len(set(copies)) == 1
    shown = re.search(r"github/[\w.-]+/[\w.-]+/blob/HEAD/([\w./]+\.ipynb)", text)[1]
    assert (ROOT / shown).is_file()


# ---------------------------------------------------------------- workflow and hooks


def targets_of(text):
    return set(re.findall(r"\bmake ([a-z-]+)", text))


def test_the_workflow_runs_the_make_targets_on_every_system_and_python():
    (job,) = read_yaml(WORKFLOW)["jobs"].values()
    runs = [step["run"] for step in job["steps"] if "run" in step]
    assert {"lint", "test", "distill"} <= set().union(*map(targets_of, runs)) <= TARGETS
    matrix = job["strategy"]["matrix"]
    assert matrix["system"] == ["ubuntu-latest", "macos-latest", "windows-latest"]
    assert all(PYTHONS.contains(version) for version in matrix["python"])
    assert f">={matrix['python'][0]}" == PROJECT["requires-python"]  # the oldest
    assert len(matrix["python"]) == 2
    assert job["env"]["PYTHON"] == "python" and "PYTHON ?=" in MAKEFILE


def test_the_hooks_run_make_targets_and_fetch_nothing():
    hooks = read_yaml(".pre-commit-config.yaml")["repos"]
    assert [each["repo"] for each in hooks] == ["local"]
    for hook in hooks[0]["hooks"]:
        assert hook["language"] == "system" and "additional_dependencies" not in hook
        assert hook["entry"].split()[0] == "make" and targets_of(hook["entry"]) <= TARGETS
        assert not hook["pass_filenames"]
    assert run("pre_commit", "validate-config") == (0, "")


def test_what_lint_needs_is_in_its_extra():
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)[1]
    tools = set(re.findall(r"\$\(BIN\)/([\w-]+)", recipe))
    extra = {Requirement(text).name for text in PROJECT["optional-dependencies"]["lint"]}
    assert {"ruff", "mypy", "codespell"} == tools <= extra


def test_the_container_is_set_up_by_make_with_a_supported_python():
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text("utf-8"))
    name, version = container["image"].split(":")
    assert name == "python" and PYTHONS.contains(version)
    assert targets_of(container["postCreateCommand"]) == {"setup"} <= TARGETS


# ---------------------------------------------------------------- pages and forms


SCHEMAS = {
    "vendor.github-workflows": [WORKFLOW],
    "vendor.github-issue-forms": [form for form in FORMS if form != CONFIG],
    "vendor.github-issue-config": [CONFIG],
    "vendor.citation-file-format": ["CITATION.cff"],
}


def faults(schema, content):
    return [error.message for error in jsonschema.Draft7Validator(schema).iter_errors(content)]


@pytest.mark.parametrize("name", SCHEMAS)
def test_files_for_github_are_of_their_schema(name):
    """The schemas come with check-jsonschema; none is fetched."""
    schema = get_builtin_schema(name)
    assert SCHEMAS[name] and schema["$schema"].startswith("http://json-schema.org/draft-07")
    for file in SCHEMAS[name]:
        assert faults(schema, read_yaml(file)) == [], file
        assert faults(schema, {"no": "such key"})


def test_the_citation_is_of_this_version():
    citation = read_yaml("CITATION.cff")
    assert str(citation["version"]) == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    assert (ROOT / "README.md").read_text("utf-8").startswith(f"# {citation['title']}\n")
    assert citation["authors"][0]["name"] in (ROOT / "LICENSE").read_text("utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_every_link_into_the_project_leads_somewhere(page):
    for link in links(page):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def anchors(page):
    """What GitHub calls a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("page", PAGES)
def test_every_make_target_that_a_page_names_exists(page):
    text = (ROOT / page).read_text("utf-8")
    code = re.findall(r"```.*?```|`[^`\n]*`", text, flags=re.DOTALL)
    assert targets_of("\n".join(code)) <= TARGETS
