// Read the reply aloud to those who listen to the page: whole sentences of output channels only, as
// they end. Thoughts stay silent here; the text of every voice can be read where it stands.

import { byId, element } from "./dom.js";
import { isSpeaking } from "./state.js";

const SENTENCE = /^[\s\S]*?[.!?…](?=\s|$)|^[\s\S]*\n/;
const MOST_LINES = 20;

export class Announcer {
  constructor() {
    this.root = byId("spoken");
    this.clear();
  }

  clear() {
    this.root.replaceChildren();
    this.numHeard = null; // rows that were there at the beginning are not read aloud
    this.begun = new Map();
  }

  render(state, isCaughtUp) {
    if (!isCaughtUp) return;
    if (this.numHeard === null || this.numHeard > state.rows.length) this.numHeard = state.rows.length;
    const channels = state.session.channels;
    for (const row of state.rows.slice(this.numHeard)) {
      for (const [channel, { role }] of channels.entries()) {
        if (role === "output" && !row.given[channel]) this.hear(channel, row.text[channel]);
      }
    }
    this.numHeard = state.rows.length;
    if (!isSpeaking(state)) for (const channel of this.begun.keys()) this.say(channel, this.begun.get(channel));
  }

  hear(channel, text) {
    this.begun.set(channel, (this.begun.get(channel) ?? "") + text);
    const whole = SENTENCE.exec(this.begun.get(channel));
    if (whole && whole[0].length < this.begun.get(channel).length) this.say(channel, whole[0]);
  }

  say(channel, text) {
    this.begun.set(channel, (this.begun.get(channel) ?? "").slice(text.length));
    if (!text.trim()) return;
    this.root.append(element("p", {}, text.trim()));
    while (this.root.childElementCount > MOST_LINES) this.root.firstElementChild.remove();
  }
}
