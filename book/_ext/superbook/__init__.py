"""What the book adds to Sphinx: one extension, and all that it does as one list of steps in the order they are taken.

A module of this package is one subject (executing, citing, sliders …) and connects nothing itself. `places` is the
floor under all of them; above it `address`, `moved`, `pictures` and `plaintext`,
then what makes pages of them. What does without Sphinx, since JupyterLab needs it too, is the package `chapters`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from sphinx.application import Sphinx

from . import (
    address,
    cards,
    citing,
    claims_page,
    colophon,
    embedding,
    execution,
    explore,
    folds,
    listings,
    lost,
    markdown,
    mathematics,
    moved,
    notebooks,
    pages,
    planner,
    policy,
    reading,
    reference,
    schemes,
    searching,
    tables,
    terms,
    weight,
)

AT_ONCE = "setup"  # no event of Sphinx's: the step is taken when the extension is loaded


@dataclass(frozen=True)
class Step:
    """One thing that is done to the book.

    Attributes:
        event: of Sphinx, at which it is done; `AT_ONCE` before them all.
        do: the function; it is given what Sphinx gives to the event.
        why: what it is for, and why it stands where it does.
        priority: Sphinx takes the steps of an event in this order, among those of the theme and of other extensions.
    """

    event: str
    do: Callable[..., Any]
    why: str
    priority: int = 500

    @property
    def part(self) -> str:
        """The module of this package that it belongs to."""
        return self.do.__module__.rpartition(".")[2]


STEPS = (
    Step(AT_ONCE, execution.keep_outputs, "the offered notebooks are the same in every build"),
    Step(AT_ONCE, pages.without_thebe, "the theme's kernel service is disconnected before it has done anything"),
    Step(AT_ONCE, pages.register, "folded solutions"),
    Step(AT_ONCE, claims_page.register, "the table of claims"),
    Step(AT_ONCE, explore.register, "figures with sliders"),
    Step(AT_ONCE, citing.register, "entries for a bibliography"),
    Step(AT_ONCE, embedding.register, "the list of key figures"),
    Step(AT_ONCE, planner.register, "the planner"),
    Step(AT_ONCE, mathematics.register, "KaTeX sets the formulas"),
    Step(AT_ONCE, reading.register, "previews and scrolling"),
    Step(AT_ONCE, reference.register, "what the package offers, from its docstrings"),
    Step(AT_ONCE, terms.register, "lists of the terms of an equation"),
    Step(AT_ONCE, weight.register, "the icons that are in use"),
    #
    Step("config-inited", execution.prepare, "name the execution cache, set the kernels' environment"),
    Step("config-inited", mathematics.choose, "KaTeX in place of the theme's MathJax"),
    Step("config-inited", address.settle, "after the cards' extension has its defaults", 900),
    #
    Step("builder-inited", searching.without_sphinx, "before Sphinx begins an index of its own"),
    Step("builder-inited", listings.choose, "every line of code is an element: it can go on below"),
    #
    Step("env-before-read-docs", execution.execute_ahead, "all chapters are executed before any is read"),
    Step("env-before-read-docs", claims_page.read_last, "the claims' page is made from the executed chapters"),
    Step("doctree-read", explore.put_in, "what a cell drew becomes one figure, before its images are gathered", 400),
    Step("doctree-read", planner.put_in, "what a cell answered becomes the planner"),
    Step("env-check-consistency", terms.check, "the labels of all equations are known"),
    #
    Step("doctree-resolved", citing.fill, "titles and numbers are known"),
    Step("doctree-resolved", embedding.fill_list, "numbers of figures are known"),
    Step("doctree-resolved", pages.mend_doctree, "after the exercises have made their nodes", 900),
    Step("doctree-resolved", folds.mend, "numbers of figures are known, and the code is folded", 940),
    Step("doctree-resolved", terms.put_in, "each equation stands where it stays, and is not yet set", 945),
    Step("doctree-resolved", mathematics.set_outputs, "formulas in what the cells show", 950),
    Step("doctree-resolved", searching.keep, "solutions and code are folded, the formulas of outputs are set", 955),
    Step("doctree-resolved", claims_page.cite, "sources are known, and who reads a claim's box has read it", 958),
    Step("doctree-resolved", mathematics.hold, "last: nothing puts text between a formula and its comma", 960),
    Step("doctree-resolved", tables.mend, "after all that puts text into a table", 970),
    #
    Step("html-page-context", mathematics.mend_page, "before the theme takes the title", 300),
    Step("html-page-context", terms.mend_page, "before anything is cut out of the page", 310),
    Step("html-page-context", notebooks.offer, "before the theme makes its buttons, at 501", 400),
    Step("html-page-context", explore.load_script, "on pages that have such a figure", 450),
    Step("html-page-context", searching.mend_page, "the page that searches has styles and scripts of its own", 460),
    Step("html-page-context", planner.load_script, "the page that has a planner"),
    Step("html-page-context", colophon.add, "the chapters' numbers are known"),
    Step("html-page-context", address.add_buttons, "the theme has made the list of buttons", 502),
    Step("html-page-context", pages.mend_page, "the cards' extension has described the page", 900),
    Step("html-page-context", reference.mend_page, "sound markup of long signatures", 900),
    Step("html-page-context", embedding.add_controls, "the body is as it stays, but nothing is dropped yet", 940),
    Step("html-page-context", cards.add_card, "the page's figures have been found", 945),
    Step("html-page-context", reading.mend_page, "markup and reading time of the finished body", 950),
    Step("html-page-context", weight.drop_assets, "it is known what the page uses", 950),
    Step("html-page-context", markdown.add_page, "last: the body is as it stays", 955),
    #
    Step("html-collect-pages", searching.write, "every page has said what it says"),
    #
    Step("build-finished", address.write_files, "the list of pages"),
    Step("build-finished", notebooks.write_files, "all numbers are known"),
    Step("build-finished", colophon.write_licence, "the foot of every page links to it"),
    Step("build-finished", lost.write_page, "before what is done to every page of the site"),
    Step("build-finished", markdown.write_list, "titles and descriptions are known"),
    Step("build-finished", moved.write_files, "before what is done to every page of the site"),
    Step("build-finished", embedding.write_figures, "the pages to embed are made from the finished pages", 900),
    Step("build-finished", weight.finish, "also of the pages to embed", 900),
    Step(
        "build-finished", schemes.finish, "every page and every style sheet is there; before its scripts are named", 940
    ),
    Step("build-finished", policy.finish, "the policy names the scripts that a page has in the end", 950),
    Step("build-finished", reading.write_previews, "last: they are cut out of the pages as they stay", 990),
)


def attach(app: Sphinx, steps: Iterable[Step] = STEPS) -> None:
    """Let Sphinx take these steps."""
    for step in steps:
        if step.event == AT_ONCE:
            step.do(app)
        else:
            app.connect(step.event, step.do, step.priority)


def setup(app: Sphinx) -> dict[str, bool]:
    attach(app)
    return {"parallel_read_safe": False, "parallel_write_safe": False}
