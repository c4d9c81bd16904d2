"""Settings for all tests: what runs first and what runs alone, and one browser for those that need it."""

from collections.abc import Iterator
from fcntl import LOCK_EX, LOCK_SH, LOCK_UN, flock
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jaxtyping
import pytest
import torch
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

if TYPE_CHECKING:
    from playwright.sync_api import Browser

HERE = Path(__file__).parent

settings.register_profile("superpos", derandomize=True, deadline=None, max_examples=25, database=None)
settings.load_profile("superpos")

torch.manual_seed(0)  # layers of torch that a test makes while it is imported are alike in every process

# Begun first, so that none of them is left over for one worker at the end.
LONG = ("test_pages", "test_pdf", "test_devices", "test_explore_site", "test_reading", "test_spoiled", "test_titles")
LONG += ("test_theory", "test_schemes", "test_steps", "test_small_book", "test_seizure", "test_tools", "test_searching")
LONG += ("test_exact", "test_compression", "test_capacity")


class ByFile(LoadFileScheduling):
    """The tests of a file run in one worker; those of test_pages.py, the longest, in one for each theme."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return f"{file} in the dark" if file.endswith("test_pages.py") and "dark" in nodeid else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile | None:
    return ByFile(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG))


@pytest.hookimpl(wrapper=True, tryfirst=True)  # outermost: to wait for the others is no part of a test's time
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """A test that is marked `alone` waits until no other worker runs a test, and lets none begin until it is done.

    Every test goes through the door into the room. What is locked are two files that are there anyway.
    """
    with open(__file__) as door, open(HERE / "browser.py") as room:
        flock(door, LOCK_EX)
        flock(room, LOCK_EX if item.get_closest_marker("alone") else LOCK_SH)
        flock(door, LOCK_UN)
        return (yield)


@pytest.fixture
def unhooked() -> Iterator[None]:
    """As a user runs the package: without the checks of annotations.

    The import hook of the tests (see pyproject.toml) refuses wrong shapes and types before our own refusals do.
    """
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    """Chromium. From its start on an event loop runs in this thread: see `aside` in browser.py."""
    from browser import chromium

    with chromium() as found:
        yield found


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """The built site, served on the loopback."""
    from browser import served

    with served() as found:
        yield found
