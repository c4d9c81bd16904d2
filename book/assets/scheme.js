/* What must be known before anything is painted, light or dark and the fonts of formulas: this script stands in the head and is not deferred. The theme's own, which
   runs when the page is there, comes to the same; until then it would be that of the last visit, or none. */
(() => {
  const root = document.documentElement;
  let mode = null;
  try {
    mode = localStorage.getItem("mode");
  } catch { /* a reader may forbid a page to store anything */ }
  root.dataset.mode = ["light", "dark"].includes(mode) ? mode : "auto";
  root.dataset.theme = root.dataset.mode !== "auto" ? mode : matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";

  /* The fonts that are in every formula, before the styles that name them are there; a disk has no server to allow it. */
  const { fonts } = document.currentScript.dataset;
  for (const font of fonts && location.protocol !== "file:" ? ["Main-Regular", "Math-Italic"] : []) {
    const link = document.createElement("link");
    Object.assign(link, { rel: "preload", as: "font", type: "font/woff2", crossOrigin: "", href: `${fonts}KaTeX_${font}.woff2` });
    document.head.append(link);
  }
})();
