"""Settings for all tests."""

from collections.abc import Iterator

import jaxtyping
import pytest
from hypothesis import settings

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
