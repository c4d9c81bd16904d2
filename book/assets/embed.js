/* `?theme=light` or `?theme=dark` decides what a figure in a frame looks like; otherwise it is as its page is. Run ahead
   of the first picture. */
{
  const theme = new URLSearchParams(location.search).get("theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
}
