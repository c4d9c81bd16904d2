"""Settings for all tests."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import jaxtyping
import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

settings.register_profile("superpos", derandomize=True, deadline=None, max_examples=25, database=None)
settings.load_profile("superpos")


@pytest.fixture
def unhooked() -> Iterator[None]:
    """As a user runs the package: without the checks of annotations.

    The import hook of the tests (see pyproject.toml) refuses wrong shapes and types before our own refusals do.
    """
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """Chromium."""
    from browser import chromium

    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The built site, served on the loopback."""
    from browser import served

    with served() as found:
        yield found
