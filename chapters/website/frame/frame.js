// A figure in a frame: it takes on the colours of what is around it, and the frame its height.
"use strict";

(() => {
  const root = document.documentElement;
  const frame = (() => {
    try {
      return window.frameElement; // null where the page stands alone, or may not see its frame
    } catch {
      return null;
    }
  })();
  const dark = matchMedia("(prefers-color-scheme: dark)");

  function onDark() {
    // Letters that are light stand on something dark; a notebook's theme is not always the system's.
    if (!frame) return dark.matches;
    const ink = getComputedStyle(frame.parentElement).color.match(/[\d.]+/g).slice(0, 3).map(Number);
    return Math.max(...ink) > 140;
  }

  function dress() {
    root.dataset.theme = onDark() ? "dark" : "light";
    root.style.colorScheme = root.dataset.theme; // of another scheme, a frame is not transparent
    if (!frame) root.style.background = onDark() ? "#14181e" : "#fff";
  }

  dress();
  dark.addEventListener("change", dress);
  if (!frame) return;
  new MutationObserver(dress).observe(frame.ownerDocument.body, { attributes: true });
  document.addEventListener("DOMContentLoaded", () => {
    const fit = () => { frame.style.height = `${Math.ceil(document.body.offsetHeight) + 8}px`; };
    new ResizeObserver(fit).observe(document.body);
  });
})();
