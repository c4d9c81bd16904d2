/* A link to an equation, a figure, a theorem, an exercise, a claim or a reference shows it, under the pointer or the
   focus. Escape closes it, the pointer may move onto it. What stands on another page comes from that page's file in
   previews/, made by _ext/superbook/reading.py. */
(() => {
  "use strict";
  const article = document.querySelector(".bd-article");
  if (!article || !matchMedia("(any-hover: hover)").matches) return;

  const PREVIEWED = "div.math, figure, div.citation, .proof, .exercise, .claim"; // as in _ext/superbook/reading.py
  const NOT_PREVIEWED = "script, noscript, button, details, .headerlink, .explore-sliders, .explore-said";
  const FORGOTTEN = ["id", "tabindex", "href", "name", "role", "aria-label", "data-folder", "data-frames"];
  const DELAY = 180; // ms, so that a pointer on its way elsewhere opens nothing
  const root = new URL(document.documentElement.dataset.content_root, location.href);
  const box = document.createElement("div");
  box.id = "link-preview";
  box.hidden = true;
  box.setAttribute("role", "tooltip");
  document.getElementById("main-content").append(box);
  const loaded = {}; // the scripts of other pages
  let shown = null, timer = 0;

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

  function place(link) {
    const line = link.getClientRects()[0], frame = box.offsetParent.getBoundingClientRect(), gap = 6;
    const wide = document.documentElement.clientWidth, high = document.documentElement.clientHeight;
    const left = Math.max(8, Math.min(line.left, wide - box.offsetWidth - 8));
    const below = line.bottom + gap, above = line.top - gap - box.offsetHeight;
    const top = below + box.offsetHeight > high && above > 0 ? above : below;
    box.style.left = `${left - frame.left - box.offsetParent.clientLeft + box.offsetParent.scrollLeft}px`;
    box.style.top = `${top - frame.top - box.offsetParent.clientTop + box.offsetParent.scrollTop}px`;
  }

  async function show(link) {
    if (link === shown) return;
    hide();
    shown = link;
    const content = await preview(link);
    if (!content || shown !== link) return;
    box.replaceChildren(content);
    box.hidden = false;
    place(link);
    for (const image of box.querySelectorAll("img")) image.decode().then(() => shown === link && place(link), () => {});
    link.setAttribute("aria-describedby", box.id);
  }

  function hide() {
    clearTimeout(timer);
    shown?.removeAttribute("aria-describedby");
    shown = null;
    box.hidden = true;
    box.replaceChildren();
  }

  function later(action) {
    clearTimeout(timer);
    timer = setTimeout(action, DELAY);
  }

  for (const link of article.querySelectorAll('a.internal[href*="#"]')) {
    link.addEventListener("pointerenter", event => event.pointerType !== "touch" && later(() => show(link)));
    link.addEventListener("pointerleave", () => later(hide));
    link.addEventListener("focus", () => link.matches(":focus-visible") && show(link));
    link.addEventListener("blur", hide);
  }
  box.addEventListener("pointerenter", () => clearTimeout(timer));
  box.addEventListener("pointerleave", () => later(hide));
  document.addEventListener("keydown", event => event.key === "Escape" && hide());
})();
