// Words that were sent but not yet acknowledged. A connection can break between the two; after the
// session has caught up, what the server did not take is sent again, once and in order.

const CARRIES_WORDS = new Set(["input.append", "interrupt", "inject"]);

export class Outbox {
  constructor() {
    this.events = [];
  }

  /** Keep `event` until it is acknowledged, if it carries words. */
  keep(event) {
    if (CARRIES_WORDS.has(event.type) && event.text) this.events.push(event);
  }

  /** Does `event` carry words, so that it may wait for a connection? */
  static carriesWords(event) {
    return CARRIES_WORDS.has(event.type) && Boolean(event.text);
  }

  /** Take notice of a server event; returns the kept event that it refuses, if it is one. */
  hear(event) {
    if (event.type === "input.queued") {
      const place = this.events.findIndex((kept) => kept.text === event.text);
      if (place >= 0) this.events.splice(place, 1);
    } else if (event.type === "error" && event.event_id) {
      const place = this.events.findIndex((kept) => kept.event_id === event.event_id);
      if (place >= 0) return this.events.splice(place, 1)[0];
    }
    return null;
  }
}
