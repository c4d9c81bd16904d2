/* One box for what is said beside a thing: the preview of a link (previews.js), the note on a term (terms.js).
   `window.tips.show(owner, content, {at, over, gone})`: the owner is what takes the focus, and is described by the box; the
   content may be a promise; the box stands under `at`, or over it, where there is room; `gone` is called when it goes.
   Escape closes it, the pointer may move onto it. */
(() => {
  "use strict";
  const main = document.getElementById("main-content");
  if (!main || !document.querySelector(".bd-article")) return;
  const DELAY = 180; // ms, so that a pointer on its way elsewhere opens nothing
  const box = document.createElement("div");
  box.id = "link-preview";
  box.hidden = true;
  box.setAttribute("role", "tooltip");
  main.append(box);
  let shown = null, timer = 0;

  function place({ at, over }) {
    const line = at.getClientRects()[0], frame = box.offsetParent.getBoundingClientRect(), gap = 6;
    const wide = document.documentElement.clientWidth, high = document.documentElement.clientHeight;
    const left = Math.max(8, Math.min(line.left, wide - box.offsetWidth - 8));
    const below = line.bottom + gap, above = line.top - gap - box.offsetHeight;
    const top = above > 0 && (over || below + box.offsetHeight > high) ? above : below;
    box.style.left = `${left - frame.left - box.offsetParent.clientLeft + box.offsetParent.scrollLeft}px`;
    box.style.top = `${top - frame.top - box.offsetParent.clientTop + box.offsetParent.scrollTop}px`;
  }

  async function show(owner, content, { at = owner, over = false, gone = () => {} } = {}) {
    hide();
    const mine = shown = { owner, at, over, gone };
    const made = await content;
    if (!made || shown !== mine) return;
    box.replaceChildren(made);
    box.hidden = false;
    place(mine);
    for (const image of box.querySelectorAll("img")) image.decode().then(() => shown === mine && place(mine), () => {});
    owner.setAttribute("aria-describedby", box.id);
  }

  function hide() {
    clearTimeout(timer);
    shown?.owner.removeAttribute("aria-describedby");
    shown?.gone();
    shown = null;
    box.hidden = true;
    box.replaceChildren();
  }

  function later(action) {
    clearTimeout(timer);
    timer = setTimeout(action, DELAY);
  }

  /* What the pointer shows: it waits for a pointer to rest, and a finger is no pointer. */
  function under(tag, open) {
    tag.addEventListener("pointerenter", event => event.pointerType !== "touch" && later(() => shown?.at !== tag && open()));
    tag.addEventListener("pointerleave", event => event.pointerType !== "touch" && later(hide));
  }

  under(box, () => {}); // it stays while the pointer is on it
  document.addEventListener("keydown", event => event.key === "Escape" && hide());
  window.tips = { show, hide, under, at: () => shown?.at, box };
})();
