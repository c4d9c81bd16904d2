"""Chapters in JupyterLab: opened in plain Markdown with the numbers of the last build, saved as they were.

`.jupyter/jupyter_server_config.py` names the class; `make lab` starts JupyterLab with it.
"""

import os
from pathlib import Path
from typing import Any, cast

import nbformat
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from jupytext import build_async_jupytext_contents_manager_class
from tornado.web import HTTPError

from . import cells, names
from .plain import Plain

ROOT = Path(__file__).resolve().parents[3]
Jupytext: Any = build_async_jupytext_contents_manager_class(AsyncLargeFileManager)


def last_build() -> names.Names:
    """What the last build knew, in the folder that the Makefile names by its cache."""
    build = Path(os.environ.get("BOOK_CACHE", ROOT / "_build/cache")).parent
    return names.read(build / "jupyter_execute" / names.FILE)


def link(page: str, here: str, anchor: str) -> str:
    """The address of a place in another chapter's file, or in this one."""
    if page == here:
        return f"#{anchor}" if anchor else ""
    path = os.path.relpath(f"{page}.md", os.path.dirname(here) or ".")
    return f"{path}#{anchor}" if anchor else path


def shown(text: str, page: str, known: names.Names) -> nbformat.NotebookNode:
    """The notebook that is opened for a page's file."""
    plain = Plain(page, known, lambda target, anchor: link(target, page, anchor))
    return cells.opened(text, plain, plain.caption)


class Chapters(Jupytext):
    """The files of a Jupyter server; those in Markdown are chapters."""

    def page(self, path: str) -> str:
        """The name of a file as a page of the book."""
        full = Path(self.root_dir, path.strip("/")).resolve()
        return full.relative_to(ROOT).with_suffix("").as_posix() if full.is_relative_to(ROOT) else full.stem

    async def get(
        self, path: str, content: bool = True, type: str | None = None, format: str | None = None, **more: Any
    ) -> dict[str, Any]:
        """A file or folder; of a chapter that is asked for as a notebook, what `shown` makes of it."""
        if content and type in (None, "notebook") and path.endswith(".md") and await self.file_exists(path):
            model = await super().get(path, content=True, type="file", format="text", **more)
            if cells.ours(model["content"]):
                notebook = shown(model["content"], self.page(path), last_build())
                return model | {"type": "notebook", "format": "json", "mimetype": None, "content": notebook}
        return await super().get(path, content=content, type=type, format=format, **more)

    async def save(self, model: dict[str, Any], path: str = "") -> dict[str, Any]:
        """Write a file; of a chapter, what `cells.saved` makes of its notebook."""
        content = model.get("content") or {}
        if model.get("type") != "notebook" or not path.endswith(".md") or cells.OWN not in content.get("metadata", {}):
            return await super().save(model, path)
        try:
            text = cells.saved(cast(nbformat.NotebookNode, nbformat.from_dict(content)))
        except cells.Locked as error:
            raise HTTPError(400, f"not saved: {error}") from None
        if not await self.file_exists(path) or text != (await super().get(path, type="file", format="text"))["content"]:
            await super().save({"type": "file", "format": "text", "content": text}, path)
        return await self.get(path, content=False, type="notebook")
