"""The page of notation: within a chapter a letter means one thing, and letters with two meanings are listed."""

import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations

from built_book import NUMBERED, ROOT

PAGE = (ROOT / "book/notation.md").read_text()
SYMBOLS, TWICE = PAGE.split("## Letters with two meanings")
LETTER = re.compile(r"\\(?!langle|hat|bar|Delta|delta|mathcal)[A-Za-z]+|[A-Za-z](?![{])")
CHAPTER = re.compile(r"\{doc\}`(\d+) <([^>]+)>`(?:–(\d+))?((?:, \d+)*)")
Row = tuple[str, frozenset[int]]


def rows(text: str) -> Iterator[list[str]]:
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("| ") else []
        if cells and cells[0].startswith("$"):
            yield cells


def chapters(cell: str) -> frozenset[int]:
    """`2`–8, 13, 15 is 2 to 8, and 13, and 15."""
    found = CHAPTER.fullmatch(cell)
    assert found, cell
    first, page, last, more = found.groups()
    assert NUMBERED[int(first) - 1] == f"book/{page}", cell
    return frozenset(range(int(first), int(last or first) + 1)) | {int(one) for one in more.split(", ") if one}


def meanings(text: str) -> dict[str, list[Row]]:
    """Where each letter has the meaning of a row: the symbol as it is written there, and the chapters."""
    found = defaultdict(list)
    for cells in rows(text):
        for symbol in re.findall(r"\$([^$]+)\$", cells[0]):
            if letter := LETTER.match(symbol):
                found[letter[0]].append((re.split(r" ?(?:=|\\in) ", symbol)[0], chapters(cells[-1])))
    return found


def confused(found: dict[str, list[Row]]) -> list[str]:
    """Symbols that are written alike and have two meanings in one chapter."""
    pairs = ((one, other) for all_of in found.values() for one, other in combinations(all_of, 2))
    return [one[0] for one, other in pairs if one[0] == other[0] and one[1] & other[1]]


def twice(found: dict[str, list[Row]]) -> set[str]:
    """Letters that mean one thing in some chapters and another in others."""
    return {
        a for a, all_of in found.items() if any(not one & other for (_, one), (_, other) in combinations(all_of, 2))
    }


def test_a_symbol_has_one_meaning_in_a_chapter():
    assert len(meanings(SYMBOLS)) > 40
    assert confused(meanings(SYMBOLS)) == []


def test_letters_with_two_meanings_are_listed():
    listed = [cells[0].strip("$") for cells in rows(TWICE.split("##")[0])]
    assert len(set(listed)) == len(listed)
    assert set(listed) == twice(meanings(SYMBOLS))


def test_what_has_two_meanings_is_found():
    page = "| $a$ | one | {doc}`1 <01-storing>`–3 |\n| $a$, $b_i$ | other | {doc}`3 <03-embedding-matrix>` |\n"
    assert confused(meanings(page)) == ["a"]
    assert twice(meanings(page)) == set()
    assert twice(meanings(page + "| $b$ | third | {doc}`1 <01-storing>` |\n")) == {"b"}
