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

  /* The fonts that are in every formula: text is shown once they are there, or after 0.6 s. One that came after it would
     break its lines anew. A page on a disk may not load them so. */
  const { fonts } = document.currentScript.dataset;
  if (fonts && location.protocol !== "file:") {
    const faces = [
      new FontFace("KaTeX_Main", `url(${fonts}KaTeX_Main-Regular.woff2)`),
      new FontFace("KaTeX_Math", `url(${fonts}KaTeX_Math-Italic.woff2)`, { style: "italic" }),
    ];
    const show = () => root.classList.remove("waits");
    root.classList.add("waits");
    setTimeout(show, 600);
    Promise.all(faces.map((face) => face.load())).then((loaded) => {
      loaded.forEach((face) => document.fonts.add(face));
      show();
    }, show);
  }
})();
