/* A link to an equation, a figure, a theorem, an exercise, a claim or a reference shows it, under the pointer or the
   focus, in the box of tips.js. What stands on another page comes from that page's file in previews/, made by
   _ext/superbook/reading.py. */
(() => {
  "use strict";
  const article = document.querySelector(".bd-article"), tips = window.tips;
  if (!tips || !matchMedia("(any-hover: hover)").matches) return;

  const PREVIEWED = "div.math, figure, div.citation, .proof, .exercise, .claim"; // as in _ext/superbook/reading.py
  const NOT_PREVIEWED = ".for-narrow, script, noscript, button, details, .headerlink, .explore-sliders, .explore-fault, .explore-said";
  const FORGOTTEN = ["id", "tabindex", "href", "name", "role", "aria-label", "aria-busy", "data-folder", "data-frames"];
  const root = new URL(document.documentElement.dataset.content_root, location.href);
  const loaded = {}; // the scripts of other pages

  function copied(target) {
    const copy = target.cloneNode(true);
    copy.querySelectorAll(NOT_PREVIEWED).forEach(tag => tag.remove());
    for (const tag of [copy, ...copy.querySelectorAll("*")]) {
      for (const name of FORGOTTEN) tag.removeAttribute(name);
    }
    return copy;
  }

  function load(page) {
    return loaded[page] ??= new Promise(done => {
      const script = document.createElement("script");
      script.src = new URL(`_static/previews/${page.replace(/html$/, "js")}`, root);
      script.onload = script.onerror = done; // a page without one has nothing to preview
      document.head.append(script);
    });
  }

  async function stored(page, name) {
    await load(page);
    const markup = window.previews?.[page]?.[name];
    if (!markup) return null;
    const holder = document.createElement("template"); // nothing in it loads before its address is set
    holder.innerHTML = markup;
    for (const name of ["src", "srcset"]) {
      holder.content.querySelectorAll(`[${name}]`).forEach(tag => { tag[name] = new URL(tag.getAttribute(name), root); });
    }
    return holder.content;
  }

  async function preview(link) {
    const to = new URL(link.href), name = decodeURIComponent(to.hash.slice(1));
    if (to.pathname !== location.pathname) return stored(decodeURIComponent(to.pathname.slice(root.pathname.length)), name);
    const target = document.getElementById(name);
    return target?.matches(PREVIEWED) ? copied(target) : null;
  }

  function show(link) {
    if (tips.at() !== link) tips.show(link, preview(link));
  }

  for (const link of article.querySelectorAll('a.internal[href*="#"]')) {
    tips.under(link, () => show(link));
    link.addEventListener("focus", () => link.matches(":focus-visible") && show(link));
    link.addEventListener("blur", tips.hide);
  }
})();
