// Where words are typed. Enter sends them to the model, also while it speaks; with Ctrl (or Cmd) they
// interrupt it. Aimed at a thought channel they become its next words.

import { byId, element, setText } from "./dom.js";

export class Composer {
  /** send(event): give the event to the conversation; true if it was taken. */
  constructor(send) {
    this.give = send;
    this.text = byId("composer-text");
    this.aim = byId("aim");
    this.text.addEventListener("input", () => this.fit());
    this.text.addEventListener("keydown", (event) => this.pressed(event));
    this.aim.addEventListener("change", () => this.text.focus());
    byId("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit(false);
    });
  }

  pressed(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.submit(event.ctrlKey || event.metaKey);
  }

  submit(interrupts) {
    const text = this.text.value;
    if (!text.trim()) return;
    const channel = this.aim.value;
    const event = channel
      ? { type: "inject", channel, text }
      : { type: interrupts ? "interrupt" : "input.append", text };
    if (!this.give(event)) return;
    this.text.value = "";
    this.fit();
  }

  /** Put words back that the server refused, or a suggestion, unless others stand there. */
  offer(text) {
    if (this.text.value.trim()) return;
    this.text.value = text;
    this.fit();
    this.text.focus();
  }

  fit() {
    this.text.style.height = "auto";
    this.text.style.height = `${this.text.scrollHeight}px`;
  }

  /** The voices that can be spoken to: the model itself, and its thoughts if it lets them be set. */
  cast(session) {
    const listener = session.channels.find(({ role }) => role === "input");
    const thoughts = session.capabilities.has("inject")
      ? session.channels.filter(({ role }) => role === "thought")
      : [];
    this.aim.replaceChildren(
      element("option", { value: "" }, listener?.name ?? "the model"),
      ...thoughts.map(({ name }) => element("option", { value: name }, name)),
    );
    byId("aim-label").hidden = thoughts.length === 0;
  }

  aimAtNext() {
    if (this.aim.options.length === 0) return;
    this.aim.selectedIndex = (this.aim.selectedIndex + 1) % this.aim.options.length;
    this.text.focus();
  }

  render(limits) {
    const bytes = new TextEncoder().encode(this.text.value).length;
    const isTooLong = limits !== undefined && bytes > limits.max_text_bytes;
    byId("send").disabled = isTooLong;
    setText(
      byId("hint"),
      isTooLong ? `too long: ${bytes} of ${limits.max_text_bytes} bytes` : "Enter sends, also while it speaks · Ctrl+Enter interrupts · Esc stops",
    );
  }
}
