/* What is wider than its box scrolls inside it; such a box takes the focus, so that the arrow keys scroll it too. */
(() => {
  "use strict";
  const BOXES = {
    "div.math, .katex-display": "Equation",
    ".pst-scrollable-table-container, .output.text_html": "Table",
    ".highlight pre, .output pre": "Code",
  };

  function mark() {
    for (const [selector, what] of Object.entries(BOXES)) {
      for (const box of document.querySelectorAll(`.bd-article :is(${selector})`)) {
        const scrolls = box.scrollWidth > box.clientWidth + 1 && getComputedStyle(box).overflowX !== "visible";
        if (scrolls) {
          box.tabIndex = 0;
          box.setAttribute("role", "group");
          box.setAttribute("aria-label", `${what}, scrolls sideways`);
        } else if (box.getAttribute("role") === "group") {
          for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
        }
      }
    }
  }

  let timer = 0;
  const later = () => { clearTimeout(timer); timer = setTimeout(mark, 350); }; // after the theme, which does it without names
  addEventListener("resize", later);
  addEventListener("load", mark);
  document.addEventListener("toggle", later, true); // a fold that opens
  document.fonts?.ready.then(later);
})();
