// A socket that comes back by itself. It knows frames and time, nothing of sessions: whoever made
// it says what the first frame is each time it opens (create, or resume after the last seq).

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 8000;
const STEADY_MS = 5000; // a connection that has lasted so long has recovered
const REPLACED = 4000; // the session went on in another window

/**
 * first(): the opening event. onEvent(event), onStatus({name, retryAt?, everOpened?}) with name
 * connecting, open, lost or closed. protocols(): subprotocols to offer.
 */
export class Connection {
  constructor({ path, protocols, first, onEvent, onStatus }) {
    this.url = new URL(path, location.href.replace(/^http/, "ws"));
    Object.assign(this, { protocols, first, onEvent, onStatus });
    this.attempts = 0;
    this.silenceMs = 60_000;
    this.onOnline = () => this.retryNow();
    addEventListener("online", this.onOnline);
    this.open();
  }

  get isOpen() {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  open() {
    clearTimeout(this.timer);
    this.onStatus({ name: "connecting" });
    const socket = new WebSocket(this.url, this.protocols());
    this.socket = socket;
    let everOpened = false;
    socket.onopen = () => {
      everOpened = true;
      this.send(this.first());
      this.expectLife();
    };
    socket.onmessage = (message) => {
      if (socket !== this.socket) return;
      this.expectLife();
      const event = JSON.parse(message.data);
      if (event.type === "session.created") {
        this.steady = setTimeout(() => { this.attempts = 0; }, STEADY_MS);
        this.silenceMs = event.limits.heartbeat_s * 2500;
        this.onStatus({ name: "open" });
      }
      this.onEvent(event);
    };
    socket.onclose = (close) => {
      if (socket === this.socket) this.lost(everOpened, close.code);
    };
  }

  /** True if the event went out; a closed socket takes nothing. */
  send(event) {
    if (this.isOpen) this.socket.send(JSON.stringify(event));
    return this.isOpen;
  }

  lost(everOpened, code) {
    clearTimeout(this.pulse);
    clearTimeout(this.steady);
    this.socket = null;
    if (code === REPLACED) {
      this.onStatus({ name: "closed" });
      return;
    }
    const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.attempts);
    const wait = longest * (0.5 + Math.random() / 2);
    this.attempts += 1;
    this.timer = setTimeout(() => this.open(), wait);
    this.onStatus({ name: "lost", retryAt: Date.now() + wait, everOpened });
  }

  retryNow() {
    if (this.socket === null && !this.isEnded) this.open();
  }

  /** A server that has not even sent a heartbeat for two and a half of them is gone. */
  expectLife() {
    clearTimeout(this.pulse);
    this.pulse = setTimeout(() => {
      const socket = this.socket;
      this.lost(true, 1006);
      socket?.close();
    }, this.silenceMs);
  }

  end() {
    this.isEnded = true;
    removeEventListener("online", this.onOnline);
    for (const timer of [this.timer, this.pulse, this.steady]) clearTimeout(timer);
    const socket = this.socket;
    this.socket = null;
    socket?.close(1000);
    this.onStatus({ name: "closed" });
  }
}
