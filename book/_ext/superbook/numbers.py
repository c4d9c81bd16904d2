"""The numbers of a figure as files: JSON and CSV that say what each column is, of which version, under which licence.

What the cells recorded (`superpos.show.data`) becomes one document for every figure, whether it has sliders or not;
`schema.json` beside this file describes it, and is offered beside the files.
"""

import csv
import io
import json
from typing import Any

from .address import published
from .citing import citation

SCHEMA = "schema.json"
LICENCE = "CC-BY-4.0"
TERMS = "https://creativecommons.org/licenses/by/4.0/"
UNITS = "pure numbers; a column named a / b holds a in units of b, an error bar is in the units of its quantity"


def document(record: dict[str, Any], page: str) -> dict[str, Any]:
    """The numbers of a figure, with where they are from; `record` is what its cell left, `page` where it stands."""
    book, where = citation(), published()
    frames = record.get("frames") or [{"values": {}, "finding": record["finding"], "panels": record["panels"]}]
    return {
        "$schema": where.of(f"figures/{SCHEMA}"),
        "figure": record["name"],
        "source": where.of(f"{page}.html#{record['name']}"),
        "book": book["title"],
        "version": str(book["version"]),
        "date": str(book["date-released"]),
        "licence": LICENCE,
        "units": UNITS,
        "parameters": [{key: p[key] for key in ("name", "label", "values")} for p in record.get("parameters", ())],
        "frames": [{key: one[key] for key in FRAME if key in one} for one in frames],
    }


FRAME = ("file", "start", "values", "alt", "finding", "panels")  # of a frame; files and words have those with sliders


def written(told: dict[str, Any]) -> str:
    """The document as it is written: one line, so that files stay small."""
    return json.dumps(told, ensure_ascii=False) + "\n"


def table(told: dict[str, Any]) -> str:
    """The same numbers as CSV: comments, then one line for each point, with its panel, its series and what that is.

    The comments begin with `#`. Those of a figure with sliders begin with the sliders' values; what a series has no
    column for is empty.
    """
    rows = [
        (frame["values"], panel["title"], one)
        for frame in told["frames"]
        for panel in frame["panels"]
        for one in panel["series"]
    ]
    sliders = [parameter["label"] for parameter in told["parameters"]]
    keys = [parameter["name"] for parameter in told["parameters"]]
    names = list(dict.fromkeys(column["name"] for *_, one in rows for column in one["columns"]))
    titled = any(title for _, title, _ in rows)
    out = io.StringIO()
    for line in comments(told):
        out.write(f"# {line}\n")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*sliders, *(["panel"] if titled else []), "series", "kind", *names])
    for chosen, title, one in rows:
        columns = {column["name"]: column["values"] for column in one["columns"]}
        length = len(next(iter(columns.values())))
        begin = [*map(chosen.get, keys), *([title] if titled else []), one["label"], one["kind"]]
        values = [columns.get(name, [None] * length) for name in names]
        writer.writerows([*begin, *line] for line in zip(*values, strict=True))
    return out.getvalue()


def comments(told: dict[str, Any]) -> list[str]:
    """What stands above the table."""
    return [
        f"{told['figure']} of {told['book']}, version {told['version']} of {told['date']}",
        f"source: {told['source']}",
        f"licence: {told['licence']}, {TERMS}",
        f"units: {told['units']}",
        "kind: measured (a network ran, or was counted), predicted (by a formula), constructed (weights and places)",
    ]
