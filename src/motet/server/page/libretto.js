// The conversation as text: a system for every turn, in it a part for every voice. Input and output
// stand in the main column, thoughts beside them in the margin.

import { byId, element, setText } from "./dom.js";
import { inkOf } from "./inks.js";
import { isSpeaking } from "./state.js";
import { REASONS, systemsOf, unreadOf, wordsOf } from "./systems.js";

export class Libretto {
  constructor(onClear) {
    this.root = byId("libretto");
    this.scroller = byId("conversation");
    this.toEnd = byId("to-end");
    this.onClear = onClear;
    this.shown = new Map(); // key -> {node, parts, memory}
    this.follows = true;
    this.top = 0;
    new ResizeObserver(() => this.follows && this.scrollDown()).observe(this.scroller);
    this.scroller.addEventListener("scroll", () => this.watchScroll(), { passive: true });
    this.toEnd.addEventListener("click", () => {
      this.follows = true;
      this.scrollDown();
    });
  }

  clear() {
    this.root.replaceChildren();
    this.shown.clear();
    this.follows = true;
  }

  render(state, pending) {
    const { session } = state;
    byId("overture").hidden = session === null || state.rows.length > 1 || pending.length > 0
      || state.inputs.length > 0;
    if (session === null) return;
    const systems = systemsOf(state);
    const keys = new Set(systems.map((system) => `turn-${system.turn}`));
    for (const system of systems) this.renderSystem(state, system);
    this.renderWaiting(state, pending, keys);
    for (const [key, { node }] of this.shown) {
      if (!keys.has(key)) {
        node.remove();
        this.shown.delete(key);
      }
    }
    if (this.follows) this.scrollDown();
  }

  renderSystem(state, system) {
    const key = `turn-${system.turn}`;
    const unread = system.isLast ? state.inputs.filter((input) => input.status === "queued") : [];
    const isRunning = system.isLast && isSpeaking(state) && !state.isPaused;
    const memory = [system.rows.length, system.rows.at(-1), system.ended, isRunning, ...unread];
    const before = this.shown.get(key);
    if (before && sameItems(before.memory, memory)) return;
    const shown = before ?? this.addSystem(key, state.session.channels, system.turn);
    shown.memory = memory;
    setText(shown.measure, measureOf(system));
    setText(shown.ending, system.ended ? endingOf(system.ended) : "");
    for (const [channel, part] of shown.parts.entries()) {
      const last = system.rows.at(-1);
      const isSounding = isRunning && last !== undefined && !last.silent[channel];
      part.node.dataset.now = isRunning ? (isSounding ? "sounding" : "resting") : "over";
      const words = wordsOf(system.rows, channel).map((stretch) => ({
        text: stretch.text,
        look: stretch.isGiven && part.role !== "input" ? "given" : "read",
      }));
      for (const { rest, chars } of unread.length ? unreadOf(state, part.name) : []) {
        if (chars > 0 || part.role !== "input") words.push({ text: rest, look: "queued" });
      }
      showWords(part.words, words);
      part.node.classList.toggle("empty", words.length === 0);
    }
  }

  /** Words that no row has begun to read: queued at the server, or still on their way. */
  renderWaiting(state, pending, keys) {
    const inputs = new Set(state.session.channels.filter((c) => c.role !== "thought").map((c) => c.name));
    const queued = state.inputs.filter(
      (input) => input.status === "queued" && input.chars === 0 && inputs.has(input.channel),
    );
    const isQueued = queued.length > 0;
    if (!isQueued && pending.length === 0) return;
    keys.add("waiting");
    const shown = this.shown.get("waiting") ?? this.addWaiting();
    this.root.append(shown.node);
    shown.node.dataset.where = isQueued ? "queued" : "leaving";
    setText(shown.label, isQueued ? "queued" : "sending");
    showWords(shown.words, [
      ...queued.map((input) => ({ text: `${input.text}\n`, look: "queued" })),
      ...pending.map((event) => ({ text: `${event.text}\n`, look: "leaving" })),
    ]);
    shown.drop.hidden = !isQueued || !state.session.capabilities.has("input.clear");
  }

  addWaiting() {
    const label = element("h3", { class: "name" });
    const words = element("p", { class: "words" });
    const drop = element("button", { type: "button", class: "drop", onclick: this.onClear }, "Take back");
    const node = element("section", { class: "system waiting", "aria-label": "Waiting to be read" }, label, words, drop);
    this.root.append(node);
    const shown = { node, label, words, drop };
    this.shown.set("waiting", shown);
    return shown;
  }

  addSystem(key, channels, turn) {
    const measure = element("span", { class: "measure" });
    const ending = element("p", { class: "ending" });
    const song = element("div", { class: "song" });
    const thoughts = element("div", { class: "thoughts" });
    const parts = channels.map(({ name, role }, channel) => {
      const words = element("p", { class: "words" });
      const title = element("h4", { class: "name" }, element("i", { class: "note", "aria-hidden": "true" }), name);
      const node = element(
        "div",
        { class: "part", "data-role": role, "data-ink": inkOf(channels, channel), role: "group", "aria-label": name },
        title, words,
      );
      (role === "thought" ? thoughts : song).append(node);
      return { node, words, role, name };
    });
    const heading = element("h3", { id: key }, turn ? `Turn ${turn}` : "Before", " ", measure);
    const body = element("div", { class: "parts" }, song);
    if (thoughts.childElementCount) body.append(thoughts);
    const node = element("section", { class: "system", "aria-labelledby": key }, heading, body, ending);
    this.root.append(node);
    const shown = { node, measure, ending, parts };
    this.shown.set(key, shown);
    return shown;
  }

  /** Follow until somebody scrolls up, and again from the end on; growing is no scrolling. */
  watchScroll() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    if (scrollHeight - scrollTop - clientHeight < 48) this.follows = true;
    else if (scrollTop < this.top) this.follows = false;
    this.top = scrollTop;
    this.toEnd.hidden = this.follows;
  }

  scrollDown() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
  }
}

function showWords(node, words) {
  while (node.childElementCount > words.length) node.lastElementChild.remove();
  for (const [place, { text, look }] of words.entries()) {
    const stretch = node.children[place] ?? node.appendChild(element("span"));
    setText(stretch, text);
    if (stretch.className !== look) stretch.className = look;
  }
}

const sameItems = (a, b) => a.length === b.length && a.every((item, place) => item === b[place]);

const measureOf = (system) => (Number.isFinite(system.fromRow) ? `row ${system.fromRow}` : "");

function endingOf({ reason, rows, ttftRows, seconds }) {
  const parts = [REASONS[reason] ?? reason, `${rows} rows in ${seconds.toFixed(2)} s`];
  if (ttftRows !== null) parts.push(`first word after ${ttftRows} rows`);
  return parts.filter(Boolean).join(" · ");
}

