"""JupyterLab in a browser, as `make lab` starts it: a chapter is read, run, moved, saved, changed; a download read."""

import difflib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from browser import needs_browser
from built_book import ROOT, SITE
from playwright.sync_api import Browser, Page

pytestmark = [needs_browser, pytest.mark.timeout(180)]
CHAPTER, OFFERED = "index.md", "02-small-circuits.ipynb"
OF_THE_BUILD = ("MATPLOTLIBRC", "SUPERPOS_STATIC")
LEFT = re.compile(r"\{[\w:-]+\}`|:::|\(eq-[\w-]+\)")  # of MyST


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab: its address, and the folder whose files it opens."""

    address: str
    folder: Path

    def open(self, browser: Browser, file: str) -> Page:
        page = browser.new_page(viewport={"width": 1300, "height": 1000})
        page.goto(f"{self.address.replace('/?', f'/lab/tree/{file}?')}")
        page.wait_for_selector(".jp-NotebookPanel .jp-Cell", timeout=60_000)
        page.wait_for_function(
            "() => window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'",
            timeout=60_000,
        )
        return page


@pytest.fixture
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab with the settings of the Makefile, on a copy of the book's sources."""
    folder, own = tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("jupyter")
    for name in ("book", ".jupyter", "superpos"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "lab"))
    shutil.copy(ROOT / CHAPTER, folder)
    shutil.copy(SITE / "_sources/book" / OFFERED, folder)
    settings = folder / ".jupyter/labconfig/default_setting_overrides.json"
    whole = {"@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"}}  # no cell waits to be scrolled to
    settings.write_text(json.dumps(json.loads(settings.read_text()) | whole))
    environment = {key: value for key, value in os.environ.items() if key not in OF_THE_BUILD}
    environment |= {f"JUPYTER_{what}_DIR": str(own / what) for what in ("CONFIG", "DATA", "RUNTIME")}
    environment |= {"JUPYTER_CONFIG_PATH": str(folder / ".jupyter"), "JUPYTER_PREFER_ENV_PATH": "1"}
    environment |= {"PYTHONPATH": str(folder), "BOOK_CACHE": str(ROOT / "_build/cache"), "OMP_NUM_THREADS": "1"}
    options = ["--no-browser", "--allow-root", f"--notebook-dir={folder}", "--LabApp.expose_app_in_browser=True"]
    with (own / "log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options], cwd=folder, env=environment, stdout=log, stderr=log
        )
        try:
            yield Lab(address(own / "RUNTIME", server), folder)
        finally:
            server.terminate()
            try:
                server.wait(30)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def address(folder: Path, server: subprocess.Popen[bytes]) -> str:
    """Where the server listens, with the token that it asks for."""
    for _ in range(300):
        for found in folder.glob("jpserver-*.json"):
            told = json.loads(found.read_text())
            return f"{told['url']}?token={told['token']}"
        assert server.poll() is None, "JupyterLab has stopped"
        time.sleep(0.1)
    raise AssertionError("JupyterLab has not started in 30 seconds")


def do(page: Page, command: str) -> None:
    page.evaluate("command => window.jupyterapp.commands.execute(command)", command)


def run_all(page: Page, cells: int) -> None:
    """Run a chapter, in which nothing has run yet, and wait until so many cells with code are done."""
    page.evaluate("() => void window.jupyterapp.commands.execute('notebook:run-all-cells')")
    page.wait_for_function(
        "count => window.jupyterapp.shell.currentWidget.content.widgets.filter(cell => cell.model.type === 'code'"
        "  && cell.model.executionCount && cell.promptNode.textContent !== '[*]:').length >= count",
        arg=cells,
        timeout=90_000,
    )


def said(page: Page) -> str:
    """All that the text of the notebook says, once all of it is shown."""
    page.wait_for_function(
        "() => { const cells = window.jupyterapp.shell.currentWidget.content.widgets.filter("
        "  cell => cell.model.type === 'markdown');"
        " return cells.length && cells.every("
        "  cell => cell.node.isConnected && cell.node.querySelector('.jp-RenderedHTMLCommon')?.innerText.trim()); }",
        timeout=60_000,
    )
    return "\n".join(page.locator(".jp-MarkdownCell .jp-RenderedHTMLCommon").all_inner_texts())


def errors(page: Page) -> list[str]:
    return page.locator(
        ".jp-RenderedText[data-mime-type='application/vnd.jupyter.stderr'], .jp-mod-error"
    ).all_inner_texts()


def test_a_chapter_is_read_run_moved_and_saved(lab, browser):
    before = (lab.folder / CHAPTER).read_text()
    page = lab.open(browser, CHAPTER)

    text = said(page)
    assert not LEFT.search(text)
    assert "Bushnaq and Mendel [2024] showed" in text
    assert re.search(r"exact superposition [\d,]+ rotations run without any error", text)
    folded = page.locator(".jp-CodeCell .jp-InputPlaceholder, .jp-CodeCell .jp-Placeholder").count()
    assert folded >= 4  # all of its code is hidden on the page

    run_all(page, 4)
    assert not errors(page)
    assert "holds" in page.locator(".claim .claim-mark").get_attribute("aria-label")
    figure = page.locator(".superpos-fig-claim")
    assert figure.locator("label:has(input[type=radio])").all_inner_texts() == [
        "one circuit", "two in one cell", "two in two lanes",
    ]  # fmt: skip
    words = figure.locator("p").inner_text()
    figure.locator("label", has_text="two in two lanes").click()
    page.wait_for_function("old => document.querySelector('.superpos-fig-claim p').innerText !== old", arg=words)
    assert "each in a cell of its own" in figure.locator("p").inner_text()
    words = figure.locator("p").inner_text()
    figure.locator(".noUi-handle").press("ArrowRight")
    page.wait_for_function("old => document.querySelector('.superpos-fig-claim p').innerText !== old", arg=words)
    assert "circuit 5 from slot 1 to slot 2" in figure.locator("p").inner_text()

    do(page, "docmanager:save")
    assert (lab.folder / CHAPTER).read_text() == before

    shown = page.locator(".jp-MarkdownCell", has_text="showed a way to use this room")
    # At the start of a line, where no link is. Shown plain, it opens, but takes no letter.
    shown.locator("p").first.dblclick(position={"x": 2, "y": 5})
    page.keyboard.type("lost")
    do(page, "docmanager:save")
    assert (lab.folder / CHAPTER).read_text() == before

    page.evaluate(
        "() => { const { content } = window.jupyterapp.shell.currentWidget; const cells = content.widgets;"
        " const place = cells.findIndex(cell => cell.model.sharedModel.source.includes('figures.style()'));"
        " content.activeCellIndex = place; cells[place].inputHidden = false; content.mode = 'edit'; }"
    )
    page.keyboard.press("Control+End")
    page.keyboard.type("\nadded = 1")
    do(page, "docmanager:save")
    lines = difflib.ndiff(before.splitlines(), (lab.folder / CHAPTER).read_text().splitlines())
    assert [line for line in lines if line[0] in "+-"] == ["+ added = 1"]
    page.close()


WRONG = """from superpos.show import claims

claims.check("wrong", "It is one.", predicted=1, measured=2, kind="guard", source="ours")"""


def test_a_downloaded_notebook_is_read_and_a_failing_claim_is_shown(lab, browser):
    page = lab.open(browser, OFFERED)
    assert not LEFT.search(said(page))
    page.locator(".jp-MarkdownCell mjx-container mjx-mlabeledtr").first.wait_for(state="attached")
    page.evaluate(
        "sources => { const { content } = window.jupyterapp.shell.currentWidget;"
        " sources.forEach((source, k) => content.model.sharedModel.insertCell(2 + k, { cell_type: 'code', source }));"
        " content.activeCellIndex = 4; }",
        [WRONG, "'the notebook' + ' goes on'"],
    )
    page.evaluate("() => void window.jupyterapp.commands.execute('notebook:run-all-above')")
    said_on = page.locator(".jp-OutputArea-output", has_text="the notebook goes on").first
    said_on.wait_for(state="attached", timeout=90_000)
    failed = page.locator("#claim-wrong")
    assert "This claim does not hold. It is one." in failed.inner_text()
    assert "measured\n2" in failed.inner_text()
    [warned] = errors(page)
    assert "claim 'wrong' does not hold: It is one." in warned
    page.close()
