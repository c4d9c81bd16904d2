/* Adds a button to every text that is meant to be copied, and completes the address in a frame's line from where the
   page was read. Without this script the texts are still there. */

"use strict";

/** Copies by the browser's clipboard, or, where there is none (a page that is read as a file), by a selection. */
async function copyText(text, from) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    getSelection().selectAllChildren(from);
    if (!document.execCommand("copy")) throw new Error("not copied");
    getSelection().removeAllRanges();
  }
}

/** `src="embed/…"` becomes a full address, if the page came from a server. */
function completeAddress(text) {
  if (!location.protocol.startsWith("http") || !text.textContent.includes('src="embed/')) return;
  const address = new URL(text.dataset.embed, location.href).href;
  text.textContent = text.textContent.replace(/src="embed\/[^"]*"/, () => `src="${address}"`);
  text.closest("details").querySelector(".embed-hint")?.remove();
}

for (const text of document.querySelectorAll("pre.copied")) {
  if (text.dataset.embed) completeAddress(text);
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = text.dataset.button ?? "Copy";
  button.setAttribute("aria-label", text.dataset.button ?? `Copy: ${text.getAttribute("aria-label")}`);
  const said = document.createElement("span");
  said.setAttribute("role", "status");
  button.addEventListener("click", async () => {
    try {
      await copyText(text.textContent, text);
      said.textContent = " Copied.";
    } catch {
      said.textContent = " Not copied: select the text and copy it.";
    }
  });
  text.after(button, said);
}
