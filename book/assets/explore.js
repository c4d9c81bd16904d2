/* Figures with sliders: the chosen frame, its alt text and its values. Without this file a page shows the first frame. */
"use strict";
(() => {
  const PAUSE = 400; // ms of rest before a screen reader is told what the new frame shows

  function explore(box) {
    const pictures = [...box.querySelectorAll("picture")]; // one for a light page, one for a dark one
    const inputs = [...box.querySelectorAll("input")];
    const said = box.querySelector(".explore-said");
    const frames = JSON.parse(box.dataset.frames); // [file, alt text], the last slider changing fastest
    const counts = inputs.map((input) => Number(input.max) + 1);
    const kept = new Map(); // pictures that are loaded, or on their way
    let told;

    const place = (at) => at.reduce((sum, value, i) => sum * counts[i] + value, 0);
    const shown = () => pictures.find((picture) => picture.checkVisibility()) ?? pictures[0];
    const rename = (name, k) => name.replace(/[^/]*?((-narrow)?(-dark)?\.svg)$/, (_, end) => `${frames[k][0].replace(".svg", "")}${end}`);
    const address = (k) => rename(shown().querySelector("img").currentSrc, k);
    const values = () => inputs.map((input) => Number(input.value));

    function load(k) {
      if (kept.has(k)) return;
      const picture = new Image();
      picture.src = address(k);
      kept.set(k, picture);
    }

    function loadNeighbours() {
      const at = values();
      for (let i = 0; i < at.length; i += 1) {
        for (const step of [1, -1, 2, -2]) {
          const value = at[i] + step;
          if (value >= 0 && value < counts[i]) load(place(at.map((v, j) => (j === i ? value : v))));
        }
      }
    }

    function show() {
      const k = place(values());
      load(k);
      for (const picture of pictures) {
        const [source, image] = [picture.querySelector("source"), picture.querySelector("img")];
        source.srcset = rename(source.srcset, k);
        image.src = rename(image.getAttribute("src"), k);
        image.alt = frames[k][1];
      }
      for (const input of inputs) {
        const text = JSON.parse(input.dataset.texts)[Number(input.value)];
        input.setAttribute("aria-valuetext", text);
        box.querySelector(`output[for="${input.id}"]`).textContent = text;
      }
      clearTimeout(told);
      told = setTimeout(() => { said.textContent = frames[k][1]; }, PAUSE);
      loadNeighbours();
    }

    for (const input of inputs) {
      input.addEventListener("input", show);
      for (const event of ["focus", "pointerenter", "pointerdown"]) input.addEventListener(event, loadNeighbours);
    }
    box.querySelector(".explore-sliders").hidden = false;
  }

  document.querySelectorAll(".explore").forEach(explore);
})();
