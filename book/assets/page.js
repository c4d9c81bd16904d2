/* What buttons of the page's head do. They stand here, not in attributes, because the site's policy allows no inline scripts. */

const ACTIONS = {
  print: () => window.print(),
  fullscreen: () => (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen()),
};

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-click]");
  if (button) ACTIONS[button.dataset.click]?.();
});
