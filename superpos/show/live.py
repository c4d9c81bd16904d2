"""The live form of a figure with sliders: widgets of a notebook that compute the frame for any value.

Made by `superpos.show.explore.explore`; this file alone imports ipywidgets.
"""

import html
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import ipywidgets as widgets
from matplotlib.figure import Figure

from superpos.show.data import svg
from superpos.show.frames import Slider, Value, frame, inline


class Live(widgets.VBox):
    """Sliders and buttons, a progress bar while a frame takes long, the figure, and its alt text below.

    A slider reaches every value between the book's ends, not only those that the book has drawn: all whole numbers, or
    a thousandth of the way. A choice that is a kind has a button for each, with its name. What cannot be drawn is said
    in the figure's place, by the package's own error; `show` raises it.

        figure = explore(draw, name="fig-errors", alt=alt, T=Slider("circuits T", [64, 256, 1024]))
        figure.show(T=300)  # as a slider would, and for values that none reaches

    Attributes:
        values: those of the frame that is shown.
        controls: the slider, or the buttons, of each value, by its name.
        image, words: the figure, or the error in its place; its alt text.
        progress: the bar; it fills as the time of the frame before passes.
    """

    def __init__(
        self,
        draw: Callable[..., Figure],
        name: str,
        alt: Callable[..., str],
        sliders: Mapping[str, Slider],
        start: Mapping[str, Value],
    ) -> None:
        self._draw, self._alt, self._seconds = draw, alt, 1.0
        self.values = dict(start)
        self.controls = {key: _control(slider, start[key]) for key, slider in sliders.items()}
        self.progress = widgets.FloatProgress(0.0, min=0.0, max=1.0, description="computing", layout={"width": "100%"})
        self.progress.layout.visibility = "hidden"
        self.image, self.words = widgets.HTML(), widgets.HTML()
        super().__init__([*self.controls.values(), self.progress, self.image, self.words])
        self.add_class(f"superpos-{name}")
        for control in self.controls.values():
            control.observe(self._moved, "value")
        self._moved()

    def show(self, **values: Value) -> None:
        """Compute and show the frame for these values; those not named stay as they are."""
        if unknown := set(values) - set(self.controls):
            raise TypeError(f"no slider is named {', '.join(sorted(unknown))}; there are {', '.join(self.controls)}")
        chosen = self.values | values
        with self._computing():
            figure, text = frame(self._draw, self._alt, chosen)
            self.image.value = inline(svg(figure), text)
        self.words.value, self.values = f"<p>{html.escape(text)}</p>", chosen

    def _moved(self, change: object = None) -> None:
        """A slider has moved: an error is shown in the figure's place, as its message says it."""
        try:
            self.show(**{key: control.value for key, control in self.controls.items()})
        except Exception as error:
            self.image.value = f'<pre role="alert">{html.escape(f"{type(error).__name__}: {error}")}</pre>'
            self.words.value = ""

    @contextmanager
    def _computing(self) -> Iterator[None]:
        """Show the bar and let it fill as the last frame's time passes; a frame's own progress is not known."""
        done, start = threading.Event(), time.monotonic()

        def fill() -> None:
            while not done.wait(0.1):
                self.progress.layout.visibility = "visible"
                self.progress.value = min(0.95, (time.monotonic() - start) / self._seconds)

        bar = threading.Thread(target=fill, daemon=True)
        bar.start()
        try:
            yield
            self._seconds = max(time.monotonic() - start, 0.1)
        finally:
            done.set()
            bar.join()
            self.progress.layout.visibility, self.progress.value = "hidden", 0.0


def _control(slider: Slider, value: Value) -> Any:
    """The widget of a slider: any number between the ends where the values are numbers, else a button for each."""
    look = {
        "description": slider.label,
        "style": {"description_width": "initial"},
        "layout": {"width": "100%", "max_width": "40rem"},
    }
    low, high = slider.values[0], slider.values[-1]
    if slider.kind == "choice":
        options = [(slider.text(v), v) for v in slider.values]
        return widgets.RadioButtons(options=options, value=value, **look)
    look["continuous_update"] = False
    if slider.kind == "integer":
        return widgets.IntSlider(value, min=low, max=high, **look)
    assert isinstance(low, int | float)
    assert isinstance(high, int | float)
    return widgets.FloatSlider(value, min=low, max=high, step=(high - low) / 1000, readout_format=".4g", **look)
