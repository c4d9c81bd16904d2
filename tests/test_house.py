"""What stands around the package: its archives, its version, and what the repository's services read."""

import json
import re
import sys
import tarfile
import tomllib
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import dist
import pytest
import yaml
from built_book import ROOT
from superbook import citing
from superbook.address import Address

import superpos
from superpos.__main__ import main

CFF = citing.citation()
PUBLISHED = Address("https://example.org/superpos/", "https://github.com/owner/name")
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
FORMS = [p for p in sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml")) if p.name != "config.yml"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
WORDS = {"CONTRIBUTING.md", "CHANGELOG.md", "README.md"}


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The source archive and the wheel of a published book."""
    sdist, wheel = dist.build(tmp_path_factory.mktemp("dist"), PUBLISHED)
    return sdist, wheel


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as held:
        return message_from_bytes(held.read(next(n for n in held.namelist() if n.endswith("METADATA"))))


def test_both_archives_hold_the_whole_package(archives: tuple[Path, Path]) -> None:
    here = {p.relative_to(ROOT).as_posix() for p in (ROOT / "superpos").rglob("*") if p.is_file()}
    own = {name for name in here if "__pycache__" not in name}
    assert {"superpos/py.typed", "superpos/data/trained.npz"} <= own
    with tarfile.open(archives[0]) as held:
        names = {name.partition("/")[2] for name in held.getnames()}
    assert own | {"pyproject.toml", "README.md", "LICENSE"} <= names
    with zipfile.ZipFile(archives[1]) as held:
        names = set(held.namelist())
    assert {name for name in names if name.startswith("superpos/")} == own


def test_the_wheel_says_what_it_is(archives: tuple[Path, Path]) -> None:
    said = metadata(archives[1])
    assert said["Version"] == superpos.__version__ == CFF["version"]
    assert said["License-Expression"] == CFF["license"]
    addresses = dict(line.split(", ", 1) for line in said.get_all("Project-URL") or [])
    assert addresses == {
        "Homepage": PUBLISHED.site,
        "Documentation": PUBLISHED.site,
        "Source": PUBLISHED.repository,
        "Issues": f"{PUBLISHED.repository}/issues",
        "Changelog": f"{PUBLISHED.repository}/blob/main/CHANGELOG.md",
    }
    with zipfile.ZipFile(archives[1]) as held:
        entry = next(n for n in held.namelist() if n.endswith("entry_points.txt"))
        assert "superpos=superpos.__main__:main" in held.read(entry).decode().replace(" ", "")


def test_an_address_that_is_not_known_is_left_out() -> None:
    assert not list(dist.urls(Address()))
    assert dict(dist.urls(Address(repository="https://example.org/name"))) == {"Source": "https://example.org/name"}
    assert "urls" not in PROJECT  # book/site.yml alone has them


def test_a_tag_is_that_of_the_version() -> None:
    dist.check_tag("")
    dist.check_tag(f"v{superpos.__version__}")
    for wrong in ("v99.0.0", superpos.__version__, "main"):
        with pytest.raises(SystemExit, match=f"tag it v{superpos.__version__}"):
            dist.check_tag(wrong)


def test_the_newest_version_in_the_changes_is_that_of_the_citation() -> None:
    found = re.findall(r"^## (\d+\.\d+\.\d+) — (\d{4}-\d\d-\d\d)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert found[0] == (superpos.__version__, CFF["date-released"])
    assert found == sorted(found, key=lambda entry: [int(n) for n in entry[0].split(".")], reverse=True)


def test_zenodo_is_told_what_the_citation_says() -> None:
    told = json.loads((ROOT / ".zenodo.json").read_text())
    assert told["title"] == CFF["title"]
    assert told["creators"] == [{"name": author["name"]} for author in CFF["authors"]]
    assert told["license"] == CFF["license"] == PROJECT["license"]
    assert told["keywords"] == CFF["keywords"]
    assert told["upload_type"] == CFF["type"]
    assert told["description"] == PROJECT["description"]
    assert "version" not in told  # the tag's


@pytest.mark.parametrize(("called", "name"), [("/bin/superpos", "superpos"), ("/x/__main__.py", "python -m superpos")])
def test_the_command_is_named_as_it_was_called(
    called: str, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert PROJECT["scripts"] == {"superpos": "superpos.__main__:main"}
    monkeypatch.setattr(sys, "argv", [called, "--help"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: {name} [-h]")


# What services read


def targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))


def steps(workflow: dict) -> list[dict]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.stem)
def test_a_workflow_runs_what_make_makes(path: Path) -> None:
    workflow = yaml.load(path.read_text(), yaml.BaseLoader)  # else `on` is a truth value
    assert {"name", "on", "permissions", "jobs"} <= workflow.keys()
    for job in workflow["jobs"].values():
        assert {"runs-on", "steps"} <= job.keys()
        assert "latest" not in job["runs-on"]
        assert set(job.get("needs", "").split()) <= workflow["jobs"].keys()
    for step in steps(workflow):
        assert ("run" in step) != ("uses" in step)
        if "run" in step:
            command, *made = step["run"].split()
            if command == "apt-get":  # a browser, for the PDF
                continue
            assert command == "make"
            assert made
            assert set(made) <= targets()
        else:
            assert re.fullmatch(r"[\w-]+/[\w.-]+@v\d+(\.\d+)*", step["uses"])


def test_there_is_a_workflow_for_tests_site_and_release() -> None:
    assert [p.stem for p in WORKFLOWS] == ["release", "site", "tests"]
    known = {p.stem: yaml.load(p.read_text(), yaml.BaseLoader) for p in WORKFLOWS}
    assert known["release"]["jobs"]["publish"]["permissions"] == {"id-token": "write"}  # trusted, without a secret
    branch, _, _ = yaml.safe_load((ROOT / "book/site.yml").read_text())["notebooks"].partition("/")
    given = next(step["with"] for step in steps(known["site"]) if "with" in step)
    assert given["publish_branch"] == branch
    assert given["publish_dir"] == "_build/html"


@pytest.mark.parametrize("path", FORMS, ids=lambda p: p.stem)
def test_a_form_asks_for_something(path: Path) -> None:
    form = yaml.safe_load(path.read_text())
    assert {"name", "description", "body"} <= form.keys() <= {"name", "description", "body", "labels"}
    ids = [field["id"] for field in form["body"]]
    assert len(ids) == len(set(ids)) > 0
    assert any(field.get("validations", {}).get("required") for field in form["body"])
    for field in form["body"]:
        assert field["type"] in ("input", "textarea")
        assert field["attributes"]["label"]


@pytest.mark.parametrize("name", sorted(WORDS))
def test_the_files_and_targets_that_a_text_names_are_there(name: str) -> None:
    text = (ROOT / name).read_text()
    spans = re.findall(r"`([^`\n]+)`", text)
    places = [
        s for s in spans if re.fullmatch(r"(?:superpos|tests|scripts|book|\.github)/[\w./-]+|[A-Z]+\.(?:md|cff)", s)
    ]
    assert not [place for place in places if not (ROOT / place).exists()]
    assert {m for m in re.findall(r"\bmake ([a-z]+)\b`", text)} <= targets()
    linked = re.findall(r"\]\((?!https?:)([^)#]+)\)", text)
    assert not [place for place in linked if not (ROOT / place).exists()]
