/* Light or dark, before anything is painted: this script stands in the head and is not deferred. The theme's own, which
   runs when the page is there, comes to the same; until then it would be that of the last visit, or none. */
(() => {
  const root = document.documentElement;
  let mode = null;
  try {
    mode = localStorage.getItem("mode");
  } catch { /* a reader may forbid a page to store anything */ }
  root.dataset.mode = ["light", "dark"].includes(mode) ? mode : "auto";
  root.dataset.theme = root.dataset.mode !== "auto" ? mode : matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
})();
