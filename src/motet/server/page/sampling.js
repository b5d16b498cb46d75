// The panel of knobs. A move is sent at once and shows what the server says is in force.

import { byId, element } from "./dom.js";
import { changeOf, KNOBS, valueOf } from "./knobs.js";

const WAIT_MS = 60; // at most so many changes a second, while a slider moves

export class Sampling {
  constructor(send) {
    this.send = send;
    this.voice = "";
    this.panel = byId("sampling");
    this.toggle = byId("toggle-sampling");
    this.toggle.addEventListener("click", () => this.show(this.panel.hidden));
    byId("close-sampling").addEventListener("click", () => this.show(false));
    this.panel.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.show(false);
    });
    byId("knobs").addEventListener("submit", (event) => event.preventDefault());
    this.fields = [];
  }

  show(isOpen) {
    this.panel.hidden = !isOpen;
    this.toggle.setAttribute("aria-expanded", isOpen);
    if (isOpen) this.panel.querySelector("select, input").focus();
    else this.toggle.focus();
  }

  /** Build the panel for the voices of a session. */
  cast(session) {
    const sampled = session.channels.filter(({ role }) => role !== "input").map(({ name }) => name);
    this.voice = "";
    const voices = element("select", { onchange: () => this.aimAt(voices.value) },
      element("option", { value: "" }, "all voices"), ...sampled.map((name) => element("option", { value: name }, name)));
    this.fields = KNOBS.map((knob) => this.field(knob));
    this.feed = element("select", { onchange: () => this.change({ feed: this.feed.value }) },
      element("option", { value: "live" }, "a token in every row"), element("option", { value: "prefill" }, "all at once"));
    this.silenced = sampled.map((name) => {
      const box = element("input", { type: "checkbox", value: name, onchange: () => this.ablate() });
      return { box, label: element("label", {}, box, ` ${name}`) };
    });
    const isSampler = ({ knob }) => knob.place === "sampling";
    byId("knobs").replaceChildren(
      element("fieldset", {}, element("legend", {}, "Words"),
        element("label", { class: "choice", ...(sampled.length < 2 && { hidden: true }) }, "For ", voices),
        ...this.fields.filter(isSampler).map(({ node }) => node)),
      element("fieldset", {}, element("legend", {}, "Time"),
        element("label", { class: "choice" }, "What I say is read ", this.feed),
        ...this.fields.filter((field) => !isSampler(field)).map(({ node }) => node)),
      element("fieldset", {}, element("legend", {}, "Keep silent"), ...this.silenced.map(({ label }) => label)),
    );
  }

  field(knob) {
    const id = `knob-${knob.name}`;
    const range = { min: knob.low, max: knob.high, step: knob.step };
    const help = element("small", { id: `${id}-help` }, knob.help);
    const slider = element("input", { type: "range", id, ...range, "aria-describedby": help.id });
    const number = element("input", { type: "number", step: "any", "aria-label": `${knob.label}, exactly` });
    const field = { knob, slider, number, isMoving: false };
    slider.addEventListener("input", () => this.moved(field, slider));
    number.addEventListener("change", () => this.moved(field, number));
    field.node = element("div", { class: "knob" }, element("label", { for: id }, knob.label), number, slider, help);
    return field;
  }

  moved(field, source) {
    const value = Number(source.value);
    if (source.value === "" || !Number.isFinite(value)) return;
    field.isMoving = true;
    for (const input of [field.slider, field.number]) if (input !== source) input.value = value;
    clearTimeout(field.timer);
    const { voice } = this;
    byId("knobs").setAttribute("aria-busy", true);
    field.timer = setTimeout(() => {
      field.isMoving = false;
      this.change(changeOf(field.knob, value, voice));
    }, WAIT_MS);
  }

  change(settings) {
    byId("knobs").setAttribute("aria-busy", true); // until the server says what is in force
    this.send({ type: "session.update", settings });
  }

  ablate() {
    this.change({ ablate: this.silenced.filter(({ box }) => box.checked).map(({ box }) => box.value) });
  }

  aimAt(voice) {
    this.voice = voice;
    this.showAgain();
  }

  /** Show what is in force once more: another voice, or a value that was refused. */
  showAgain() {
    this.shown = null;
    if (this.settings) this.render(this.settings, this.isReady, this.hasInput);
  }

  /** Show what is in force, except in a knob that is just being moved. */
  render(settings, isReady, hasInput) {
    Object.assign(this, { isReady, hasInput });
    byId("knobs").inert = !isReady;
    if (settings === null || settings === this.shown || !this.feed) return;
    this.settings = settings;
    this.shown = settings;
    byId("knobs").removeAttribute("aria-busy");
    for (const { knob, slider, number, isMoving } of this.fields) {
      const value = valueOf(knob, settings, this.voice);
      if (isMoving) continue;
      for (const input of [slider, number]) input.value = value;
    }
    this.feed.value = settings.feed ?? (hasInput ? "live" : "prefill");
    for (const { box } of this.silenced) box.checked = settings.ablate.includes(box.value);
  }
}
