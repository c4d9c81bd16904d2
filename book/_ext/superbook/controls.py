"""What changes a figure on a page: sliders for quantities, buttons for kinds, previous and next for a story.

All of a figure's controls stand in one <fieldset> that is disabled until `explore.js` runs, so that they have their
room from the start. Each says in `data-values` how a link names its values: `?T=512&z=2#fig-x`, `?step=3#fig-loop`.
"""

import html
import json
from collections.abc import Mapping
from typing import Any

LINK = {True: "Copy a link to this step", False: "Copy a link to this setting"}


def escape(value: object) -> str:
    return html.escape(str(value))


def told(values: list[Any]) -> str:
    return escape(json.dumps(values, ensure_ascii=False))


def names(parameter: Mapping[str, Any]) -> list[str]:
    """How a link names the values: a step by its number, from 1; any other as it is."""
    values = range(1, 1 + len(parameter["values"])) if parameter["kind"] == "story" else parameter["values"]
    return [str(value) for value in values]


def stories(record: Mapping[str, Any]) -> bool:
    return any(parameter["kind"] == "story" for parameter in record["parameters"])


def controls(record: Mapping[str, Any]) -> str:
    """All controls of a figure, and a link to what it shows."""
    parts = []
    for parameter in record["parameters"]:
        make = {"story": story, "choice": buttons}.get(parameter["kind"], slider)
        at = parameter["values"].index(record["start"][parameter["name"]])
        parts.append(make(f"{record['name']}-{parameter['name']}", parameter, at))
    return (
        f'<fieldset class="explore-sliders" disabled aria-label="Change the figure">\n{"".join(parts)}'
        f'<p class="explore-link"><a href="?#{escape(record["name"])}">{LINK[stories(record)]}</a>'
        f'<span role="status"></span></p>\n</fieldset>\n'
    )


def kept(parameter: Mapping[str, Any], at: int) -> str:
    """What the script knows of a parameter: its name, its value, and how links and readers name the values."""
    return (
        f'data-name="{escape(parameter["name"])}" data-at="{at}" data-values="{told(names(parameter))}" '
        f'data-texts="{told(parameter["texts"])}"'
    )


def slider(name: str, parameter: Mapping[str, Any], at: int) -> str:
    """A slider that counts through its values, and what the figure is at."""
    text = escape(parameter["texts"][at])
    return (
        f'<div class="explore-slider" {kept(parameter, at)}><label for="{name}">{escape(parameter["label"])}</label>\n'
        f'<output for="{name}">{text}</output>\n'
        f'<input type="range" id="{name}" min="0" max="{len(parameter["texts"]) - 1}" step="1" value="{at}" '
        f'autocomplete="off" aria-valuetext="{text}"></div>\n'
    )


def buttons(name: str, parameter: Mapping[str, Any], at: int) -> str:
    """A group of radio buttons that look like buttons."""
    each = "".join(
        f'<label><input type="radio" name="{name}" value="{k}" autocomplete="off"{" checked" * (k == at)}>'
        f"<span>{escape(text)}</span></label>\n"
        for k, text in enumerate(parameter["texts"])
    )
    return (
        f'<fieldset class="explore-kinds" id="{name}" {kept(parameter, at)}>'
        f"<legend>{escape(parameter['label'])}</legend>\n"
        f"<div>{each}</div></fieldset>\n"
    )


def story(name: str, parameter: Mapping[str, Any], at: int) -> str:
    """Previous and next, with the names of these steps, and between them where the story is."""
    texts, last = parameter["texts"], len(parameter["texts"]) - 1
    ways, end = [("Previous", at - 1 if at else None), ("Next", at + 1 if at < last else None)], ' aria-disabled="true"'
    both = "".join(
        f'<button type="button"{end * (to is None)}>{way}'
        f"<span>{'' if to is None else f': {escape(texts[to])}'}</span></button>\n"
        for way, to in ways
    )
    return (
        f'<div class="explore-story" role="group" aria-labelledby="{name}" {kept(parameter, at)}>\n'
        f'<p id="{name}">{escape(step(texts, at))}</p>\n<div>{both}</div></div>\n'
    )


def step(texts: list[str], at: int) -> str:
    """Step 3 of 10: reads."""
    return f"Step {at + 1} of {len(texts)}: {texts[at]}"


def others(record: Mapping[str, Any], folder: str) -> str:
    """All pictures as links, and what they show as numbers, where no script can change the figure."""
    items = []
    for frame in record["frames"]:
        values = ", ".join(said(parameter, frame["values"][parameter["name"]]) for parameter in record["parameters"])
        sentence = f". {escape(frame['finding'])}" if stories(record) else ""
        items.append(f'<li><a href="{escape(folder)}/{frame["file"]}">{escape(values)}</a>{sentence}</li>\n')
    return (
        f"<noscript><details><summary>All {len(items)} pictures of this figure</summary>\n<ul>\n{''.join(items)}</ul>\n"
        f"</details>\n<p>Without JavaScript they do not change here. What they show is also in "
        f'<a href="{escape(folder)}/data.json">the data of this figure</a>.</p></noscript>\n'
    )


def said(parameter: Mapping[str, Any], value: Any) -> str:
    """Step 3 of 10: reads; circuits T: 1,024."""
    at = parameter["values"].index(value)
    if parameter["kind"] == "story":
        return step(parameter["texts"], at)
    return f"{parameter['label']}: {parameter['texts'][at]}"
