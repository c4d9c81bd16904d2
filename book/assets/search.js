/* The page that searches shows a piece of each page that it finds. A formula is there twice, as MathML and for the eye, and
   as TeX: keep the first alone. */

const textOf = Search.htmlToText;

Search.htmlToText = (page, anchor) => {
  const found = new DOMParser().parseFromString(page, "text/html");
  found.querySelectorAll(".katex-html, .katex annotation").forEach((part) => part.remove());
  return textOf(found.documentElement.outerHTML, anchor);
};
