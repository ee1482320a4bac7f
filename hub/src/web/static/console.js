// Looks again when the hub says that something changed. Without it the pages only stand still.
"use strict";
(() => {
  const AT_LEAST_MS = 900;
  const main = () => document.querySelector("main");
  let waiting = false;
  let last = 0;
  // Whoever is filling in a form, has filled in one or has opened something must not lose it.
  const filled = (field) => {
    if (field.matches("select")) {
      const preset = [...field.options].findIndex((it) => it.defaultSelected);
      return field.selectedIndex !== Math.max(preset, 0);
    }
    return field.value !== field.defaultValue || field.checked !== field.defaultChecked;
  };
  const busy = () => {
    const active = document.activeElement;
    return Boolean(main().querySelector("details[open], dialog[open]")) ||
      Boolean(active && main().contains(active) && active.matches("input, select, textarea, button")) ||
      [...main().querySelectorAll("input, select, textarea")].some(filled);
  };
  const look = async () => {
    waiting = false;
    if (document.hidden || busy()) return;
    last = Date.now();
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      if (!answer.ok || answer.redirected) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const found = page.querySelector("main");
      if (!found || busy()) return;
      const focused = main().contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
      main().replaceChildren(...found.childNodes);
      const side = page.querySelector(".side ul");
      if (side) document.querySelector(".side ul").replaceChildren(...side.childNodes);
      if (focused) main().querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
    } catch {
      // The hub is restarting; the line comes back by itself and then we look again.
    }
  };
  const soon = () => {
    if (waiting) return;
    waiting = true;
    setTimeout(look, Math.max(0, AT_LEAST_MS - (Date.now() - last)));
  };
  // What is still being made says after how many seconds it is worth another look.
  const made = main().querySelector("[data-again]");
  if (made) setTimeout(() => location.reload(), Number(made.dataset.again) * 1000);
  const path = main().dataset.live;
  if (path) {
    const line = new EventSource(path);
    line.addEventListener("look", soon);
    addEventListener("pagehide", () => line.close());
    document.addEventListener("visibilitychange", () => { if (!document.hidden) soon(); });
  }
})();
