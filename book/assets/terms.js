/* The notes on the terms of an equation (made by _ext/superbook/terms.py), from the folded list below it: each term
   shows its note under the pointer and on a tap, in the box of tips.js. With the keyboard the list is the one stop of an
   equation: on it the arrow keys go from term to term, and Enter opens all. */
(() => {
  "use strict";
  const tips = window.tips;
  if (!tips) return;
  const FINGER = 24; // pixels from a term to the finger that means it
  const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

  function prepare(list) {
    const equation = document.getElementById(list.dataset.of), summary = list.querySelector("summary");
    const notes = [...list.querySelectorAll("li")];
    const terms = [...equation.querySelectorAll("[data-term]")];
    let current = -1;
    // A formula may be set twice, for wide windows and for narrow ones.
    const seen = () => terms.filter(term => term.getClientRects().length);
    const name = which => terms.forEach(term => term.classList.toggle("is-named", Number(term.dataset.term) === which));

    function show(term) {
      if (tips.at() === term) return;
      const which = Number(term.dataset.term), note = document.createElement("p");
      note.className = "term-note";
      note.append(...notes[which].cloneNode(true).childNodes);
      tips.show(summary, note, { at: term, over: true, gone: () => name(-1) });
      current = which;
      name(which);
    }

    function step(by) {
      const shown = seen();
      for (let tried = 0; tried < notes.length; tried++) {
        current = (current + by + notes.length) % notes.length;
        const term = shown.find(term => Number(term.dataset.term) === current);
        if (term) return show(term);
      }
    }

    function nearest(x, y) {
      const away = term => {
        const box = term.getBoundingClientRect();
        return Math.hypot(Math.max(box.left - x, 0, x - box.right), Math.max(box.top - y, 0, y - box.bottom));
      };
      const found = seen().map(term => [away(term), term]).sort((a, b) => a[0] - b[0])[0];
      return found?.[0] <= FINGER ? found[1] : null;
    }

    equation.classList.add("has-terms");
    for (const term of terms) tips.under(term, () => show(term));
    equation.addEventListener("click", event => {
      if (event.target.closest("a")) return;
      const term = nearest(event.clientX, event.clientY);
      if (term) show(term);
    });
    summary.addEventListener("focus", () => {
      current = -1;
      if (summary.matches(":focus-visible") && !list.open) step(1);
    });
    summary.addEventListener("blur", tips.hide);
    summary.addEventListener("keydown", event => {
      if (!(event.key in STEPS) || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      step(current < 0 && STEPS[event.key] < 0 ? 0 : STEPS[event.key]);
    });
    list.addEventListener("toggle", tips.hide); // they stand below now
  }

  document.querySelectorAll(".bd-article details.terms").forEach(prepare);
  document.addEventListener("pointerdown", event => {
    if (!event.target.closest(`#${tips.box.id}, .has-terms`)) tips.hide();
  });
})();
