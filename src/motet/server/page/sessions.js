// The list of sessions: those the server keeps, and which of them this browser has the token of.

import { deleteSession, exportSession, listSessions } from "./api.js";
import { byId, element } from "./dom.js";
import { forgetSession, knownSessions } from "./storage.js";

const FORMATS = { text: "txt", json: "json", grid: "npz" };

export class Sessions {
  /** open(known | null): go to a session or a new one; left(id): it was deleted; report(text). */
  constructor({ open, left, report }) {
    Object.assign(this, { open, left, report });
    this.dialog = byId("sessions");
    this.list = byId("session-list");
    byId("open-sessions").addEventListener("click", () => this.show());
    byId("new-session").addEventListener("click", () => this.go(null));
  }

  async show() {
    this.dialog.showModal();
    await this.refresh();
  }

  go(known) {
    this.dialog.close();
    this.open(known);
  }

  async refresh() {
    const known = new Map(knownSessions().map((session) => [session.id, session]));
    let listed = [];
    try {
      listed = await listSessions();
      byId("session-note").textContent = "A conversation can be opened in the browser that began it.";
    } catch (error) {
      byId("session-note").textContent = `The list can't be had: ${error.message}`;
      listed = [...known.values()];
    }
    this.list.replaceChildren(...listed.map((session) => this.item(session, known.get(session.id))));
    if (listed.length === 0) this.list.append(element("li", { class: "aside" }, "none yet"));
  }

  item(session, known) {
    const title = session.title || known?.title || "untitled";
    const name = known
      ? element("button", { type: "button", class: "title", onclick: () => this.go(known) }, title)
      : element("span", { class: "title" }, title);
    const exports = Object.keys(FORMATS).map((format) =>
      element("button", { type: "button", "aria-label": `Export ${title} as ${format}`, onclick: () => this.export(session.id, format) }, format));
    const remove = element("button", {
      type: "button", class: "remove", "aria-label": `Delete ${title}`,
      onclick: () => this.askToDelete(session.id, remove),
    }, "delete");
    return element("li", {}, name, element("span", { class: "facts" }, factsOf(session)),
      element("span", { class: "actions" }, "export ", ...exports, remove));
  }

  async export(id, format) {
    try {
      const blob = await exportSession(id, format);
      const link = element("a", { href: URL.createObjectURL(blob), download: `motet-${id.slice(0, 8)}.${FORMATS[format]}` });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    } catch (error) {
      this.report(`Not exported: ${error.message}`);
    }
  }

  /** The first press asks, the second one deletes. */
  async askToDelete(id, button) {
    if (button.dataset.sure === undefined) {
      button.dataset.sure = "";
      button.textContent = "really delete";
      button.addEventListener("blur", () => {
        delete button.dataset.sure;
        button.textContent = "delete";
      }, { once: true });
      return;
    }
    try {
      await deleteSession(id);
      forgetSession(id);
      this.left(id);
      await this.refresh();
      byId("new-session").focus();
    } catch (error) {
      this.report(`Not deleted: ${error.message}`);
    }
  }
}

function factsOf(session) {
  const begun = session.created_s ? new Date(session.created_s * 1000) : null;
  const day = begun?.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
  const rows = session.rows === undefined ? null : `${session.rows} rows`;
  return [session.model, day, rows].filter(Boolean).join(" · ");
}
