// What server events mean for the page beyond its state: what is remembered, said, opened.

import { notice, withdraw } from "./notices.js";
import { forgetSession, knownSessions, rememberSession } from "./storage.js";

/** desk: {conversation(), open(known | null, onceReady), cast(session), offer(text),
 * showSettings()} */
export class Happenings {
  constructor(desk) {
    this.desk = desk;
    this.fork = null; // asked for: {onceReady}, what the copy is to do first
  }

  hear(event, refused) {
    const meaning = {
      "session.created": () => this.created(),
      "session.forked": () => this.fork && this.forked(event),
      "session.closed": () => this.closed(event.reason),
      "going_away": () => notice("away", "The server is stopping. The conversation is kept and goes on when it is back.", { lasting: true }),
      "context.filling": () => notice("context", fillingText(event)),
      "context.rolled": () => notice("context", `The model no longer sees rows before ${event.first_row}.`),
      "input.queued": () => event.input_id === 1 && this.named(event.text),
      "error": () => this.failed(event, refused),
    };
    meaning[event.type]?.();
  }

  created() {
    const { session } = this.desk.conversation().state;
    rememberSession({ id: session.id, token: session.token, model: session.model, opened: Date.now() });
    history.replaceState(null, "", `#${session.id}`);
    document.title = `${session.model} · Motet`;
    withdraw("away");
    this.desk.cast(session);
  }

  named(text) {
    const { session } = this.desk.conversation().state;
    rememberSession({ id: session.id, title: text.slice(0, 80) });
  }

  forked(event) {
    const { onceReady } = this.fork;
    this.fork = null;
    const { id } = this.desk.conversation().state.session;
    const title = knownSessions().find((known) => known.id === id)?.title ?? "";
    const copy = { id: event.session_id, token: event.resume_token, title: `${title} (copy)` };
    rememberSession(copy);
    this.desk.open(copy, onceReady);
    notice("fork", "This is the copy. The original is in Sessions.");
  }

  closed(reason) {
    const { token, state } = this.desk.conversation();
    if (reason === "replaced") {
      this.desk.conversation().end();
      const back = ["Take it back", () => this.desk.open({ token })];
      notice("closed", "This conversation is open in another window.", { action: back, lasting: true });
    } else if (reason === "deleted") {
      forgetSession(state.session.id);
      this.desk.open(null);
    }
  }

  failed(event, refused) {
    const { token, state } = this.desk.conversation();
    if (state.session === null && token !== null) {
      this.desk.conversation().end();
      const anew = ["New conversation", () => this.desk.open(null)];
      notice("closed", `It can't be opened: ${event.message}`, { action: anew, lasting: true });
      return;
    }
    notice("error", event.message);
    this.desk.showSettings();
    if (refused) this.desk.offer(refused.text);
  }
}

const fillingText = ({ used_rows: used, context_rows: all, policy }) =>
  `${used} of ${all} rows are used; then ${policy === "roll" ? "the oldest rows leave" : "the conversation ends"}.`;
