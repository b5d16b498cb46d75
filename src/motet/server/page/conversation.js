// One session as the page holds it: the connection, what is known (state), what is on its way.

import { Connection } from "./connection.js";
import { Outbox } from "./outbox.js";
import { emptyState, fold, isCaughtUp } from "./state.js";

let nextEventId = 1;

/**
 * token: of a session to go on with, or null for a new one. onceReady: an event to send as soon as
 * the session has caught up. onChange(): state or status changed. onEvent(event, refused): each
 * server event; refused: the words that an error gives back. onLost(everOpened).
 */
export class Conversation {
  constructor({ token, onceReady, protocols, onChange, onEvent, onLost }) {
    Object.assign(this, { token, onceReady, onChange, onEvent });
    this.state = emptyState();
    this.status = { name: "connecting" };
    this.outbox = new Outbox();
    this.sentThisTime = new Set();
    this.connection = new Connection({
      path: "/v1/live",
      protocols,
      first: () => this.first(),
      onEvent: (event) => this.hear(event),
      onStatus: (status) => {
        this.status = status;
        if (status.name === "lost") {
          this.sentThisTime.clear();
          onLost(status.everOpened);
        }
        this.onChange();
      },
    });
  }

  get isReady() {
    return this.status.name === "open" && isCaughtUp(this.state);
  }

  first() {
    return this.token === null
      ? { type: "session.create" }
      : { type: "session.resume", token: this.token, after_seq: this.state.seq };
  }

  /** Send an event now. Words wait for the connection if they must; anything else is dropped. */
  send(event) {
    const named = { event_id: `page-${nextEventId++}`, ...event };
    this.outbox.keep(named);
    if (this.isReady) {
      this.sentThisTime.add(named.event_id);
      this.connection.send(named);
    }
    this.onChange();
    return this.isReady || Outbox.carriesWords(named);
  }

  hear(event) {
    this.state = fold(this.state, event);
    if (event.type === "session.created") this.token = event.resume_token;
    const refused = this.outbox.hear(event);
    this.onEvent(event, refused);
    if (this.isReady) this.catchUp();
    this.onChange();
  }

  /** What could not be said before: words that were not acknowledged, and `onceReady`. */
  catchUp() {
    this.sendAgain();
    const event = this.onceReady;
    this.onceReady = null;
    if (event) this.send(event);
  }

  sendAgain() {
    for (const event of this.outbox.events) {
      if (this.sentThisTime.has(event.event_id)) continue;
      this.sentThisTime.add(event.event_id);
      this.connection.send(event);
    }
  }

  end() {
    this.connection.end();
  }
}
