"""Every address that was ever published leads somewhere: a renamed heading must not break a link from elsewhere.

    python tests/test_addresses.py     # adds the built site's new addresses to addresses.txt; it never removes one

Where a heading, a figure or a claim has a new name, the old one stays as a label before it: `(old-name)=`.
"""

import functools
import re
from pathlib import Path

import yaml
from built_book import PAGES, ROOT, SITE, html

LISTED = Path(__file__).with_name("addresses.txt")
COUNTED = re.compile(r"id\d+$|.*/.*")  # ids that Sphinx and its extensions count, which change with every edit
KINDS = ("section", "figure", "div", "span", "dl", "p", "table", "details")
NAMED = ", ".join(f"article {kind}[id]" for kind in KINDS)
FILES = ("embed/*.html", "figures/*")


@functools.cache
def addresses() -> set[str]:
    """Pages, also those that have moved, what on them has a name, and the files of the key figures."""
    found = {f"{page}.html" for page in PAGES}
    for page in PAGES:
        names = {str(tag["id"]) for tag in html(page).select(NAMED)}
        found |= {f"{page}.html#{name}" for name in names if not COUNTED.match(name)}
    for old in yaml.safe_load((ROOT / "book/moved.yml").read_text()):
        names = {str(tag["id"]) for tag in html(old).select("main a[id]")}
        found |= {f"{old}.html"} | {f"{old}.html#{name}" for name in names if not COUNTED.match(name)}
    return found | {path.relative_to(SITE).as_posix() for pattern in FILES for path in SITE.glob(pattern)}


def listed() -> list[str]:
    return LISTED.read_text().splitlines() if LISTED.exists() else []


def test_no_address_is_lost():
    lost = sorted(set(listed()) - addresses())
    assert not lost, f"published, but no longer there (keep the old name as a label): {lost}"


def test_every_address_is_listed():
    new = sorted(addresses() - set(listed()))
    assert not new, f"run `python {Path(__file__).relative_to(ROOT)}`, which lists what is new: {new}"


def test_list_is_sorted_and_has_all_kinds():
    lines = listed()
    assert lines == sorted(set(lines))
    kinds = ("#fig-", "#equation-eq-", "#thm-", "#claim-", "#ex-", "#the-picture", "embed/fig-", "figures/fig-")
    assert not [kind for kind in kinds if not any(kind in line for line in lines)]


if __name__ == "__main__":
    before = set(listed())
    LISTED.write_text("".join(f"{line}\n" for line in sorted(before | addresses())))
    print(f"{len(set(listed()) - before)} new, {len(set(listed()))} in all")
