// Calm lines above the conversation: what went wrong or is worth knowing, and what can be done. One
// line for a kind of thing; a newer one takes its place.

import { byId, element } from "./dom.js";

const shown = new Map();

/** options: {action: [label, function], lasting: until it is withdrawn} */
export function notice(kind, text, { action, lasting = false } = {}) {
  const before = shown.get(kind);
  if (before?.text === text) return;
  withdraw(kind);
  const line = element("p", { class: "notice", "data-kind": kind }, element("span", {}, text));
  if (action) {
    line.append(element("button", { type: "button", onclick: () => { withdraw(kind); action[1](); } }, action[0]));
  }
  if (!lasting) line.append(element("button", { type: "button", class: "close", "aria-label": "Dismiss", onclick: () => withdraw(kind) }, "×"));
  byId("notices").append(line);
  shown.set(kind, { line, text });
}

export function withdraw(kind) {
  shown.get(kind)?.line.remove();
  shown.delete(kind);
}
