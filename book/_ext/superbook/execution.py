"""How chapters are executed: two at a time, and again only if something that they depend on has changed.

The execution cache of MyST-NB knows a notebook by its code cells alone. Here its folder is named by a digest of
everything else that decides an output: the package, its data, the book's data and the pins.
"""

import hashlib
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.executors.utils import ExecutionResult, single_nb_execution
from myst_nb.core.execute.cache import NotebookClientCache
from myst_nb.core.read import create_nb_reader
from myst_nb.sphinx_ import SphinxEnvType
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ExtensionError
from sphinx.util import logging

from .places import ROOT

INPUTS = (
    "superpos/**/*.py",
    "superpos/data/**/*",
    "book/data/**/*",
    "requirements.txt",
    "book/_ext/superbook/execution.py",
    "book/_ext/matplotlibrc",
)
KERNEL_ENVIRONMENT = {
    "PYTHONPATH": str(ROOT),  # chapters import the working tree
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "2",  # a sum is rounded alike in every build
    "MKL_NUM_THREADS": "2",
    "OMP_WAIT_POLICY": "PASSIVE",  # two kernels share two cores: a thread that waits must not spin
    "SUPERPOS_STATIC": "1",  # a figure with sliders draws all of its frames: a page has no kernel
    "MATPLOTLIBRC": str(ROOT / "book/_ext"),
    "SOURCE_DATE_EPOCH": "1704067200",  # the date that matplotlib writes into a figure
}
log = logging.getLogger(__name__)


def digest() -> str:
    """One name for the state of everything that the executed code depends on, beside the chapter itself."""
    state = hashlib.sha256()
    for path in sorted({p for pattern in INPUTS for p in ROOT.glob(pattern) if p.is_file()}):
        if "__pycache__" not in path.parts:
            state.update(f"{path.relative_to(ROOT)}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return state.hexdigest()[:16]


def prepare(app: Sphinx, config: Config) -> None:
    """Choose the cache's folder, drop those of other states, and set the kernels' environment."""
    folder, name = Path(os.environ.get("BOOK_CACHE", ROOT / "_build/cache")), digest()
    for other in folder.glob("*"):
        if other.name != name:
            shutil.rmtree(other, ignore_errors=True)
    config.nb_execution_cache_path = str(folder / name)
    os.environ.update(KERNEL_ENVIRONMENT | {"BOOK_KEPT": str(folder / name / "kept")})


def execute_ahead(app: Sphinx, env: SphinxEnvType, docnames: list[str]) -> None:
    """Execute the chapters that the cache does not have, two at a time, and store those that succeed.

    One that fails stops the build, once the others are stored, with its failing cell.
    """
    cache = get_cache(app.config.nb_execution_cache_path)
    waiting = []
    for path in (Path(env.doc2path(name)) for name in reversed(docnames)):  # later chapters take longer
        text = path.read_text(encoding="utf8")
        reader = create_nb_reader(str(path), env.myst_config, env.mystnb_config, text)
        if reader is not None:
            notebook = reader.read(text)
            try:
                cache.match_cache_notebook(notebook)
            except KeyError:
                waiting.append((path, notebook))

    def execute(item: tuple) -> ExecutionResult:
        path, notebook = item
        return single_nb_execution(notebook, str(path.parent), app.config.nb_execution_timeout, allow_errors=False)

    failures = []
    with ThreadPoolExecutor(2) as pool:
        for (path, notebook), result in zip(waiting, pool.map(execute, waiting), strict=True):
            if result.err is not None:
                failures.append(f"{path.relative_to(app.srcdir)}: {result.err}")
            else:
                log.info(f"{path}: Executed notebook in {result.time:.2f} seconds")
                bundle = CacheBundleIn(notebook, str(path), data={"execution_seconds": result.time})
                cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
    if failures:
        raise ExtensionError("\n".join(failures))


def keep_outputs(app: Sphinx) -> None:
    """Let the `.ipynb` that a page offers be the same in every build.

    It keeps its outputs also when they come from the cache (MyST-NB drops them then), and its cells are counted where
    nbformat draws random ids.
    """
    start_client = NotebookClientCache.start_client

    def start(self: NotebookClientCache) -> None:
        given = self.notebook
        start_client(self)
        given.update(self.notebook)
        for i, cell in enumerate(given.cells):
            cell["id"] = f"cell-{i}"

    NotebookClientCache.start_client = start
