/* Adds a button to every text that is meant to be copied, and completes the addresses in it from where the page was
   read. Without this script the texts are still there, and say what is missing. */

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

/** What an entry for a bibliography has instead of the site's address, as citing.py writes it. */
function completeEntries() {
  if (!location.protocol.startsWith("http")) return;
  const root = new URL(document.documentElement.dataset.content_root, location.href).href;
  const texts = document.createTreeWalker(document.querySelector("article"), NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    texts.currentNode.data = texts.currentNode.data.replace("ADDRESS-OF-THIS-SITE/", () => root);
  }
}

completeEntries();
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
