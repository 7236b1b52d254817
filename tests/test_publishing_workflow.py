"""What is published on a tag: nothing, until the project names the repository that it lies in."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import jsonschema
import pytest
from check_jsonschema.builtin_schemas import get_builtin_schema
from ruamel.yaml import YAML

ROOT = Path(__file__).parent.parent
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
WORKFLOW = YAML(typ="safe", pure=True).load(ROOT / ".github/workflows/publish.yml")
NAMED, OTHER = "someone/kd", "someone/else"


@pytest.fixture
def project(tmp_path):
    """What the script reads, with the repository's name set as CONTRIBUTING.md says."""
    if shutil.which("bash") is None:
        pytest.skip("there is no bash")
    for name in ("pyproject.toml", "CONTRIBUTING.md"):
        shutil.copy(ROOT / name, tmp_path)
    page = tmp_path / "CONTRIBUTING.md"
    page.write_text(page.read_text("utf-8").replace("OWNER/REPO", NAMED), "utf-8")
    return tmp_path


def may_publish(folder, repository, tag):
    command = ["bash", ROOT / ".github/may_publish.sh", repository, tag]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stdout.strip()


def test_the_named_repository_publishes_its_version(project):
    assert may_publish(project, NAMED, f"v{VERSION}") == (0, "publish=true")


@pytest.mark.parametrize("repository", [OTHER, "someone/k", "someoneXkd", "OWNER/REPO"])
def test_another_repository_publishes_nothing(project, repository):
    assert may_publish(project, repository, f"v{VERSION}") == (0, "publish=false")


@pytest.mark.parametrize("repository", [OTHER, NAMED])
def test_nothing_is_published_as_long_as_no_name_is_set(repository):
    if "OWNER/REPO" not in (ROOT / "CONTRIBUTING.md").read_text("utf-8"):
        pytest.skip("this copy names its repository")
    assert may_publish(ROOT, repository, f"v{VERSION}") == (0, "publish=false")


def test_a_tag_of_another_version_fails(project):
    code, printed = may_publish(project, NAMED, "v99.0")
    assert code == 1 and "publish" not in printed


def test_every_job_that_publishes_waits_for_the_answer():
    jobs = WORKFLOW["jobs"]
    assert {"named", "site", "package"} == set(jobs)
    for name in ("site", "package"):
        assert jobs[name]["needs"] == "named"
        assert jobs[name]["if"] == "needs.named.outputs.publish == 'true'"
    assert jobs["named"]["outputs"]["publish"] == "${{ steps.look.outputs.publish }}"
    assert "permissions" not in jobs["named"]


def test_no_secret_is_needed_and_no_right_is_left_open():
    text = (ROOT / ".github/workflows/publish.yml").read_text("utf-8")
    assert "secrets." not in text and "password" not in text
    assert WORKFLOW["permissions"] == {"contents": "read"}
    given = {name: job.get("permissions", {}) for name, job in WORKFLOW["jobs"].items()}
    assert given["package"] == {"id-token": "write"}
    assert given["site"] == {"pages": "write", "id-token": "write"}
    # What others can choose, a tag's name, reaches a shell through the environment only.
    for job in WORKFLOW["jobs"].values():
        for step in job["steps"]:
            assert "${{" not in step.get("run", "")


def test_it_is_of_the_workflows_schema():
    schema = get_builtin_schema("vendor.github-workflows")
    faults = [error.message for error in jsonschema.Draft7Validator(schema).iter_errors(WORKFLOW)]
    assert faults == []


def test_the_site_that_is_published_is_the_one_that_is_built():
    said = (ROOT / "chapters/book.py").read_text("utf-8")
    built = re.search(r"^ *python chapters/book\.py +(\S+)/index\.html: ", said, re.MULTILINE)
    steps = {step.get("uses", "").split("@")[0]: step for step in WORKFLOW["jobs"]["site"]["steps"]}
    assert steps["actions/upload-pages-artifact"]["with"]["path"] == built[1]
    assert {"run": "make book"} in WORKFLOW["jobs"]["site"]["steps"]
