/* What buttons of the page's head do. They stand here, not in attributes, because the site's policy allows no inline scripts. */

const ACTIONS = {
  print: () => window.print(),
  fullscreen: () => (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen()),
};

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-click]");
  if (button) ACTIONS[button.dataset.click]?.();
});

/* The theme takes the focus from a button of the head that is clicked, so that closing what it opened leaves it nowhere.
   It belongs to the button: at once if nothing was opened by a key, else when the dialog closes. */

let opener = null;

document.addEventListener("click", (event) => {
  opener = event.target.closest(".sidebar-toggle, .search-button__button, .theme-switch-button");
  const byKey = event.detail === 0;
  if (opener && byKey) setTimeout(() => document.querySelector("dialog[open]") ?? opener?.focus());
}, true);

document.addEventListener("close", () => opener?.focus(), true);
