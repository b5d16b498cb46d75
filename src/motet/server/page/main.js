// The page: one conversation, and the parts that show it and act on it.
//
//     server event -> conversation.state (state.js) -> draw, once a frame
//     somebody acts -> conversation.send            -> server

import { Announcer } from "./announcer.js";
import { door, socketProtocols } from "./api.js";
import { Composer } from "./composer.js";
import { canUse, CONTROLS, Controls } from "./controls.js";
import { Conversation } from "./conversation.js";
import { byId, element, setText } from "./dom.js";
import { Happenings } from "./happenings.js";
import { inkOf } from "./inks.js";
import { askForKey } from "./key_entry.js";
import { setUpDialogs, setUpKeys } from "./keys.js";
import { Libretto } from "./libretto.js";
import { notice, withdraw } from "./notices.js";
import { Sampling } from "./sampling.js";
import { Score } from "./score.js";
import { Sessions } from "./sessions.js";
import { isCaughtUp } from "./state.js";
import { connectionText, figuresOf } from "./status.js";
import { knownSessions } from "./storage.js";
import { setUpThemes } from "./themes.js";

const SUGGESTIONS = ["What is 47 + 38?", "Spell cat backwards.", "Who are you?"];
const ROLES = { input: "is what you say", output: "is the reply", thought: "is a thought" };

let conversation = null;
let isDrawing = false;

const send = (event) => conversation.send(event);
const happenings = new Happenings({
  conversation: () => conversation,
  open,
  cast,
  offer: (text) => composer.offer(text),
  showSettings: () => sampling.showAgain(),
});
const libretto = new Libretto(() => send({ type: "input.clear" }));
const score = new Score((row) => {
  for (const id of ["rewind", "fork-here"]) byId(id).disabled = row === null;
});
const composer = new Composer(send);
const controls = new Controls(use);
const sampling = new Sampling(send);
const announcer = new Announcer();
const sessions = new Sessions({
  open: (known) => open(known),
  left: (id) => id === conversation.state.session?.id && open(null),
  report: (text) => notice("sessions", text),
});

function open(known, onceReady = null) {
  conversation?.end();
  for (const view of [libretto, score, announcer]) view.clear();
  for (const kind of ["closed", "away", "context", "error"]) withdraw(kind);
  conversation = new Conversation({
    token: known?.token ?? null,
    onceReady,
    protocols: socketProtocols,
    onChange: draw,
    onEvent: (event, refused) => happenings.hear(event, refused),
    onLost: lost,
  });
}

/** The server may have refused the socket for want of a key; a socket can't say so itself. */
async function lost(everOpened) {
  if (everOpened || (await door()) !== "key") return;
  await askForKey();
  conversation.connection.retryNow();
}

/** Make the page ready for the voices of a session. */
function cast(session) {
  setText(byId("model"), session.model);
  composer.cast(session);
  sampling.cast(session);
  score.refresh();
  byId("cast").replaceChildren(...session.channels.map(({ name, role }, channel) =>
    element("li", { "data-ink": inkOf(session.channels, channel) }, name, element("small", {}, ` ${ROLES[role]}`))));
}

function use(control) {
  if (!conversation.isReady || !canUse(control, conversation.state)) return;
  if (control.name === "fork") happenings.fork = { onceReady: null };
  send(control.event(conversation.state));
}

function rewind() {
  if (score.cursor === null || !conversation.isReady) return;
  send({ type: "rewind", row: score.cursor });
  score.choose(null);
}

function forkHere() {
  if (score.cursor === null || !conversation.isReady) return;
  happenings.fork = { onceReady: { type: "rewind", row: score.cursor } };
  send({ type: "fork" });
}

function draw() {
  if (isDrawing) return;
  isDrawing = true;
  requestAnimationFrame(() => {
    isDrawing = false;
    const { state, status, isReady, outbox } = conversation;
    byId("connection").dataset.status = status.name;
    setText(byId("connection"), connectionText(status, state));
    setText(byId("figures"), figuresOf(state));
    libretto.render(state, isReady ? [] : outbox.events);
    score.render(state);
    controls.render(state, isReady);
    composer.render(state.session?.limits);
    sampling.render(state.settings, isReady, state.session?.channels.some(({ role }) => role === "input"));
    announcer.render(state, isCaughtUp(state));
  });
}

async function start() {
  setUpDialogs();
  setUpKeys([
    ...CONTROLS.map((control) => ({ ...control, run: () => use(control) })),
    { key: "Alt+I", help: "aim at the next voice: put words into a thought", run: () => composer.aimAtNext() },
    { key: "Alt+R", help: "rewind to the chosen row of the score", run: rewind },
    { key: "Alt+O", help: "sampling", run: () => byId("toggle-sampling").click() },
    { key: "Alt+L", help: "sessions", run: () => sessions.show() },
    { key: "Alt+N", help: "new conversation", run: () => open(null) },
    { key: "Alt+T", help: "theme", run: () => byId("theme").click() },
    { key: "Alt+Slash", shown: "Alt+/", help: "this list", run: () => byId("help").showModal() },
  ]);
  byId("open-help").addEventListener("click", () => byId("help").showModal());
  byId("rewind").addEventListener("click", rewind);
  byId("fork-here").addEventListener("click", forkHere);
  byId("composer-text").addEventListener("input", draw);
  byId("suggestions").append(...SUGGESTIONS.map((text) =>
    element("button", { type: "button", onclick: () => send({ type: "input.append", text }) }, text)));
  while ((await door()) === "key") await askForKey();
  const asked = location.hash.slice(1);
  open(knownSessions().find(({ id }) => id === asked) ?? null);
  setUpThemes(() => {
    score.refresh();
    draw();
  });
}

void start();
