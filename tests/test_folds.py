"""Folded code, on the built pages: one fold for a figure, named after it."""

import re

import pytest
from bs4 import Tag
from built_book import NUMBERED, article

NAMES = re.compile(r"Imports|Code|Code of (this check|this table|what is shown here|Fig\. \d+\.\d+)")


def folds(page: str) -> list[tuple[Tag, str, Tag]]:
    """Each fold of a page, what it is called, and the cell in which it stands."""
    found = []
    for fold in article(page).select("details.code-fold"):
        cell = fold.find_parent(class_="cell")
        assert fold.summary is not None
        assert isinstance(cell, Tag)
        found.append((fold, fold.summary.get_text(strip=True), cell))
    return found


@pytest.mark.parametrize("page", NUMBERED)
def test_every_fold_says_what_it_holds(page):
    said = [name for _, name, _ in folds(page)]
    assert said
    assert not [name for name in said if not NAMES.fullmatch(name)]
    of_figures = [name for name in said if "Fig." in name]
    assert len(of_figures) == len(set(of_figures))


@pytest.mark.parametrize("page", NUMBERED)
def test_fold_of_a_figure_stands_in_its_cell_and_has_its_number(page):
    for fold, name, cell in folds(page):
        figure = cell.select_one("figure")
        assert fold.find_next_sibling() is None, "a fold stands below what its code made"
        assert ("Fig." in name) == (figure is not None), name
        if figure is not None:
            number = "".join(tag.get_text(strip=True) for tag in figure.select(".caption-number"))
            assert name.split()[-1] == number.split()[-1].rstrip("."), (name, number)


@pytest.mark.parametrize("page", NUMBERED)
def test_no_fold_waits_for_the_next(page):
    """A folded cell that shows nothing has become a part of the folded cell directly behind it."""
    for fold, name, cell in folds(page):
        after = cell.find_next_sibling()
        alone = cell.select_one(".cell_output") is None and name != "Imports"
        assert not (alone and isinstance(after, Tag) and after.select_one(":scope > details.code-fold")), str(fold)[
            :300
        ]
