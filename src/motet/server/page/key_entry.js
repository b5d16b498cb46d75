// Ask for the API key of a server that needs one. It is kept for this tab and sent with every request.

import { byId } from "./dom.js";
import { apiKey, keepApiKey } from "./storage.js";

/** Resolves when a key has been entered; asks once, however often it is called meanwhile. */
export function askForKey() {
  const dialog = byId("key");
  if (!dialog.open) {
    byId("key-note").textContent = apiKey() ? "The server does not know this key." : "It is kept for this tab only.";
    dialog.showModal();
    dialog.oncancel = (event) => event.preventDefault();
  }
  return new Promise((resolve) => {
    byId("key-form").addEventListener("submit", () => {
      keepApiKey(byId("key-text").value.trim());
      byId("key-text").value = "";
      resolve();
    }, { once: true });
  });
}
