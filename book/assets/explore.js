/* Figures with sliders, buttons or steps. What a figure says (picture, alt text, values) changes in one step, when the
   chosen picture is there; until then the old ones stay, and the figure is busy. A thumb and a pressed button are where
   the reader has put them; a picture that cannot be loaded puts them back. Without this file a page shows the first
   frame, and links to the others. */
"use strict";
(() => {
  const PAUSE = 400; // ms of rest before a screen reader is told what the new frame shows
  const idle = window.requestIdleCallback?.bind(window) ?? ((task) => setTimeout(task, 50));

  /** What all controls have: how many values, which one is `chosen`, and how links and readers name them. */
  function common(tag) {
    const [values, texts] = [JSON.parse(tag.dataset.values), JSON.parse(tag.dataset.texts)];
    return { tag, name: tag.dataset.name, values, texts, chosen: Number(tag.dataset.at), read() {}, put() {}, say() {} };
  }

  function slider(tag) {
    const [input, output, it] = [tag.querySelector("input"), tag.querySelector("output"), common(tag)];
    const spoken = () => input.setAttribute("aria-valuetext", it.texts[it.chosen]);
    it.read = () => { it.chosen = Number(input.value); spoken(); };
    it.put = () => { input.value = it.chosen; spoken(); };
    it.say = (k) => { output.textContent = it.texts[k]; };
    return it;
  }

  function kinds(tag) {
    const [inputs, it] = [[...tag.querySelectorAll("input")], common(tag)];
    it.read = () => { it.chosen = inputs.findIndex((input) => input.checked); };
    it.put = () => { inputs[it.chosen].checked = true; };
    return it;
  }

  function story(tag) {
    const [at, [back, on], it] = [tag.querySelector("p"), tag.querySelectorAll("button"), common(tag)];
    const last = it.values.length - 1;
    const to = (k) => {
      if (k === it.chosen || k < 0 || k > last) return;
      it.chosen = k;
      tag.dispatchEvent(new Event("input", { bubbles: true }));
    };
    it.say = (k) => {
      at.textContent = `Step ${k + 1} of ${last + 1}: ${it.texts[k]}`;
      for (const [button, next] of [[back, k - 1], [on, k + 1]]) {
        const there = next >= 0 && next <= last;
        button.setAttribute("aria-disabled", !there); // not `disabled`, which would lose the focus at an end
        button.querySelector("span").textContent = there ? `: ${it.texts[next]}` : "";
      }
    };
    back.addEventListener("click", () => to(it.chosen - 1));
    on.addEventListener("click", () => to(it.chosen + 1));
    tag.addEventListener("keydown", (event) => {
      const way = { ArrowLeft: it.chosen - 1, ArrowRight: it.chosen + 1, Home: 0, End: last };
      if (!(event.key in way) || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      to(way[event.key]);
    });
    return it;
  }

  const KINDS = { "explore-slider": slider, "explore-kinds": kinds, "explore-story": story };

  function explore(box) {
    const figure = box.closest("figure");
    const frames = JSON.parse(box.dataset.frames); // [file, alt text], the last control changing fastest
    const parts = [...box.querySelectorAll("[data-values]")].map((tag) => KINDS[tag.className](tag));
    const [said, fault] = [box.querySelector(".explore-said"), box.querySelector(".explore-fault")];
    const link = box.querySelector(".explore-link a");
    const kept = new Map(); // pictures of other frames, by their address
    let now = chosen(); // the values of the picture that is shown
    let [moved, step] = [0, 1]; // which control moved last, and whether up or down
    let waiting = null; // the picture that was chosen and is not there yet
    let early = null; // one that is loaded before it is asked for
    let told = 0;

    function chosen() { return parts.map((part) => part.chosen); }
    const place = (at) => at.reduce((sum, k, i) => sum * parts[i].values.length + k, 0);
    const both = () => [...box.querySelectorAll("picture")]; // one for a light page, one for a dark one
    const shown = () => both().find((picture) => picture.checkVisibility()) ?? both()[0];
    const file = (address, k) => address.replace(/[^/]*?((-narrow)?(-dark)?\.svg)$/, (_, end) => frames[k][0].replace(".svg", end));

    function aim(picture, k) {
      const [source, image] = [picture.querySelector("source"), picture.querySelector("img")];
      source.srcset = file(source.srcset, k);
      image.src = file(image.getAttribute("src"), k);
      image.alt = frames[k][1];
      return image;
    }

    function drop(picture) { // a picture that nobody wants any more is not loaded to its end
      picture?.querySelector("source").remove();
      picture?.querySelector("img").removeAttribute("src");
    }

    /** Show the frame that is chosen, once it is there; nothing else is loaded meanwhile. */
    async function show() {
      const at = chosen(), k = place(at);
      drop(waiting);
      waiting = null;
      fault.textContent = "";
      if (k === place(now)) {
        box.removeAttribute("aria-busy");
        return;
      }
      const old = shown(), picture = waiting = old.cloneNode(true), image = aim(picture, k);
      if (early && early.src !== file(old.querySelector("img").currentSrc, k)) pass(early);
      box.setAttribute("aria-busy", "true");
      image.fetchPriority = "high";
      image.loading = "eager";
      const there = await image.decode().then(() => true, () => false);
      if (waiting !== picture) return;
      waiting = null;
      box.removeAttribute("aria-busy");
      if (there) change(old, picture, at, k);
      else stay(at);
    }

    function change(old, picture, at, k) {
      picture.querySelector("img").loading = "lazy"; // when it is hidden, it waits
      for (const other of both()) if (other !== old) aim(other, k);
      old.replaceWith(picture);
      parts.forEach((part, i) => part.say(at[i]));
      moved = at.findIndex((value, i) => value !== now[i]);
      step = Math.sign(at[moved] - now[moved]);
      now = at;
      point();
      link.nextElementSibling.textContent = "";
      clearTimeout(told);
      told = setTimeout(() => { said.textContent = frames[k][1]; }, PAUSE);
      idle(ahead);
    }

    function stay(at) {
      const wanted = parts.map((part, i) => [part, at[i]]).filter(([, k], i) => k !== now[i]);
      parts.forEach((part, i) => { part.chosen = now[i]; part.put(); });
      const names = wanted.map(([part, k]) => `“${part.texts[k]}”`).join(", ");
      fault.textContent = `The picture for ${names} could not be loaded, so the one before is still shown. Choose again to try once more.`;
    }

    /** Load the neighbours of what is shown, one after another, in the direction of the last move first. */
    function ahead() {
      if (waiting || early) return;
      const order = [[moved, step], [moved, 2 * step], [moved, -step]];
      parts.forEach((_, i) => { if (i !== moved) order.push([i, 1], [i, -1]); });
      const address = shown().querySelector("img").currentSrc;
      for (const [i, by] of order) {
        const k = now[i] + by;
        if (k < 0 || k >= parts[i].values.length) continue;
        const next = file(address, place(now.map((v, j) => (j === i ? k : v))));
        if (!address || kept.has(next)) continue;
        early = new Image();
        early.fetchPriority = "low";
        early.onload = early.onerror = (event) => {
          if (event.type === "error") kept.delete(next);
          if (early === event.target) early = null;
          if (event.type === "load") idle(ahead);
        };
        early.src = next;
        kept.set(next, early);
        return;
      }
    }

    function pass(image) {
      kept.delete(image.src);
      image.onload = image.onerror = null;
      image.removeAttribute("src");
      early = null;
    }

    /** The link to what is shown; in a frame on another site it leads to the book. */
    function point() {
      const [before, name] = link.getAttribute("href").split("#");
      const query = new URLSearchParams(parts.map((part, i) => [part.name, part.values[now[i]]]));
      link.setAttribute("href", `${before.split("?")[0]}?${query}#${name}`);
    }

    /** Where nothing may be copied, the link is followed: its address stands in the browser's line then. */
    async function copy(event) {
      event.preventDefault();
      try {
        await navigator.clipboard.writeText(link.href);
        link.nextElementSibling.textContent = " Copied.";
      } catch {
        open(link.href, link.target || "_self");
      }
    }

    /** What the address asks for: `?step=3#fig-loop`, or in a page that holds one figure alone `?step=3`. */
    function restore() {
      if (location.hash !== `#${figure.id}` && document.querySelectorAll("figure").length > 1) return;
      const query = new URLSearchParams(location.search);
      for (const part of parts) {
        const k = part.values.indexOf(query.get(part.name));
        if (k >= 0) { part.chosen = k; part.put(); }
      }
      show();
    }

    box.addEventListener("input", (event) => {
      parts.find((part) => part.tag.contains(event.target)).read();
      show();
    });
    for (const event of ["focusin", "pointerenter", "pointerdown"]) box.addEventListener(event, () => idle(ahead));
    link.addEventListener("click", copy);
    box.querySelector(".explore-sliders").disabled = false;
    point();
    restore();
  }

  document.querySelectorAll(".explore").forEach(explore);
})();
