"""The numbers of a figure as files: what each column is, where it is from, and what may be done with it."""

import csv
import io
import json
from xml.etree import ElementTree

import pytest
import torch
from built_book import ROOT, SITE
from jsonschema import Draft202012Validator
from matplotlib.figure import Figure
from superbook import numbers, pictures
from superbook.address import published
from superbook.citing import citation

from superpos.show import data, figures, sharing
from superpos.show.frames import panels

SCHEMA = json.loads((ROOT / "book/_ext/superbook/schema.json").read_text())
FIGURES = [(page, name) for page, names in pictures.key_figures().items() for name in names]
FILES = sorted([*SITE.glob("figures/fig-*.json"), *SITE.glob("_images/explore/*/data.json")])


def columns(series: dict) -> dict[str, list]:
    return {column["name"]: column["values"] for column in series["columns"]}


def read(text: str) -> tuple[list[str], list[dict[str, str]]]:
    """The comments of a table and its rows, as `pandas.read_csv(comment="#")` takes them."""
    lines = text.splitlines()
    return [line for line in lines if line[0] == "#"], list(
        csv.DictReader(io.StringIO("\n".join(line.partition("#")[0] for line in lines if line[0] != "#")))
    )


def test_the_schema_is_one_and_is_offered():
    Draft202012Validator.check_schema(SCHEMA)
    assert json.loads((SITE / "figures/schema.json").read_text()) == SCHEMA


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_all_documents_are_as_the_schema_says(file):
    told = json.loads(file.read_text())
    Draft202012Validator(SCHEMA).validate(told)
    for frame in told["frames"]:
        assert set(frame["values"]) == {parameter["name"] for parameter in told["parameters"]}
        for series in (one for panel in frame["panels"] for one in panel["series"]):
            assert len(columns(series)) == len(series["columns"]), "two columns of one name"
            assert len({len(values) for values in columns(series).values()}) == 1
    assert (told["version"], told["date"]) == (citation()["version"], citation()["date-released"])
    assert (SITE / told["source"].partition("#")[0].removeprefix(published().site)).is_file()


@pytest.mark.parametrize(("page", "name"), FIGURES)
def test_table_says_what_the_document_says(page, name):
    at = SITE / f"figures/{name}"
    told = json.loads(at.with_suffix(".json").read_text())
    comments, rows = read(at.with_suffix(".csv").read_text())
    assert comments == [f"# {line}" for line in numbers.comments(told)]
    assert any("CC-BY-4.0" in line for line in comments)
    assert any(f"{page}.html#{name}" in line for line in comments)
    series = [one for frame in told["frames"] for panel in frame["panels"] for one in panel["series"]]
    assert len(rows) == sum(len(one["columns"][0]["values"]) for one in series)
    assert {row["kind"] for row in rows} == {one["kind"] for one in series}
    assert {None} != set(rows[0])
    first, label = columns(series[0]), series[0]["label"]
    assert all(rows[0][column] == ("" if values[0] is None else str(values[0])) for column, values in first.items())
    assert rows[0]["series"] == label
    assert not {"x", "y", "value", "error", ""} & set(rows[0])
    assert at.with_suffix(".csv").stat().st_size < 500_000


@pytest.mark.parametrize(("page", "name"), FIGURES)
def test_picture_says_what_it_is_and_its_text_can_be_selected(page, name):
    root = ElementTree.parse(SITE / f"figures/{name}.svg").getroot()
    space = "{http://www.w3.org/2000/svg}"
    title, words = (root.findtext(f"{space}{tag}") for tag in ("title", "desc"))
    assert title
    assert words
    assert len(words) > 60
    assert title not in ("", name)
    shown = " ".join("".join(text.itertext()) for text in root.iter(f"{space}text"))
    assert set(title.split()[:3]) <= set(shown.split())
    assert len(root.findall(f".//{space}text")) > 8


def test_theory_and_measurement_are_apart():
    """By hand: what is noted of lines and points, named by the axes, and what a table makes of it."""
    x = [1.0, 2.5]
    figure = figures.curves(
        [
            figures.points("runs", x, [3.0, float("nan")], error=[0.5, 0.25]),
            figures.line("law", x, [1 / 3, 4.0]),
            figures.line("joins the points", x, x, predicted=False),
        ],
        "circuits T",
        "error, $|a|^2$",
    )
    record = figure.record() | {"name": "fig-hand"}  # pyright: ignore[reportAttributeAccessIssue]
    [panel] = record["panels"]
    assert [(one["label"], one["kind"]) for one in panel["series"]] == [
        ("runs", "measured"), ("law", "predicted"), ("joins the points", "measured"),
    ]  # fmt: skip
    assert columns(panel["series"][0]) == {
        "circuits T": [1, 2.5], "error, |a|²": [3, None], "error, |a|²: error bar": [0.5, 0.25],
    }  # fmt: skip
    told = numbers.document(record, "book/01-storing")
    Draft202012Validator(SCHEMA).validate(told)
    _, rows = read(numbers.table(told))
    assert [row["kind"] for row in rows] == ["measured"] * 2 + ["predicted"] * 2 + ["measured"] * 2
    assert (rows[2]["circuits T"], rows[2]["error, |a|²"], rows[1]["error, |a|²"]) == ("1", "0.333333", "")
    assert "panel" not in rows[0]


def test_values_of_sliders_come_first():
    panel = {"title": "one", "series": [{"label": "a, b", "kind": "predicted", "columns": [
        {"name": "width D", "values": [1, 2]}, {"name": "circuits T", "values": [3, None]}]}]}  # fmt: skip
    frames = [{"values": {"how": "b", "z": z}, "finding": "", "panels": [panel]} for z in (1, 2)]
    sliders = [{"name": "z", "label": "active circuits z", "values": [1, 2]}]
    sliders += [{"name": "how", "label": "what runs", "values": ["a", "b"]}]
    told = numbers.document({"name": "fig-a", "parameters": sliders, "frames": frames}, "index")
    assert [line for line in numbers.table(told).splitlines() if line[0] != "#"] == [
        "active circuits z,what runs,panel,series,kind,width D,circuits T",
        '1,b,one,"a, b",predicted,1,3',
        '1,b,one,"a, b",predicted,2,',
        '2,b,one,"a, b",predicted,1,3',
        '2,b,one,"a, b",predicted,2,',
    ]


def test_drawings_have_named_columns():
    """A panel without axes as well: what is drawn there has names of its own."""
    points = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    figure = sharing.circle({"": (points, points, torch.ones(2))})
    noted = [one for panel in panels(figure) for one in panel["series"]]
    assert columns(noted[0]) == {"layer": [0], "first coordinate": [1], "second coordinate": [0]}
    assert [one["kind"] for one in noted[:2]] == ["predicted", "measured"]  # true, and read
    square = figures.matrix(torch.eye(2), "feature", "feature", unit="overlap")
    [one] = panels(square)[0]["series"]
    assert columns(one) == {
        "feature (column)": [0, 1, 0, 1], "feature (row)": [0, 0, 1, 1], "overlap": [1, 0, 0, 1],
    }  # fmt: skip


def test_a_figure_without_numbers_has_no_panels():
    drawn = data.Drawn()
    data.note(drawn.subplots(), "line", "a", {"place": [1.0, 2.5], "height": [float("nan"), 1 / 3]})
    assert [columns(one) for one in panels(drawn)[0]["series"]] == [{"place": [1, 2.5], "height": [None, 0.333333]}]
    assert panels(Figure()) == []
