// Keys that work everywhere on the page, and the list of them. They are looked up by the key's place
// on the keyboard, since with Alt some systems type other characters.

import { byId, element } from "./dom.js";

/** actions: [{key: "Alt+P" | "Escape", shown?, help, run()}] */
export function setUpKeys(actions) {
  const byCombination = new Map(actions.map((action) => [action.key, action]));
  document.addEventListener("keydown", (event) => {
    const isPlain = !event.ctrlKey && !event.metaKey && !event.shiftKey;
    if (!isPlain || document.querySelector("dialog[open]")) return;
    const place = event.code.replace(/^Key/, "");
    const action = event.altKey ? byCombination.get(`Alt+${place}`) : event.key === "Escape" ? byCombination.get("Escape") : null;
    if (!action) return;
    event.preventDefault();
    action.run();
  });
  const fixed = [["Enter", "send, also while it speaks"], ["Shift+Enter", "a new line"], ["Ctrl+Enter", "interrupt with these words"]];
  const rows = [...fixed, ...actions.map((action) => [action.shown ?? action.key, action.help]),
    ["← → Home End", "in the score: choose a row, hear what stands in it"]];
  byId("keys").append(...rows.flatMap(([key, help]) => [element("dt", {}, element("kbd", {}, key)), element("dd", {}, help)]));
}

/** Buttons with `data-close`, and a press beside it, close a dialog. */
export function setUpDialogs() {
  for (const dialog of document.querySelectorAll("dialog")) {
    dialog.addEventListener("click", (event) => {
      if (event.target.closest("[data-close]") || (event.target === dialog && dialog.id !== "key")) dialog.close();
    });
  }
}
