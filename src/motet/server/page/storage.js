// What the browser keeps: the tokens of sessions (they are the right to go on with one), the key of
// this tab, the theme. A browser that keeps nothing loses no more than that.

const SESSIONS = "motet.sessions";
const KEY = "motet.key";
const THEME = "motet.theme";

function read(store, name) {
  try {
    return store.getItem(name);
  } catch (error) {
    if (error instanceof DOMException) return null; // storage is switched off
    throw error;
  }
}

function write(store, name, value) {
  try {
    if (value === null) store.removeItem(name);
    else store.setItem(name, value);
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
  }
}

/** {id, token, model, title, opened (ms)} of every session this browser may go on with. */
export function knownSessions() {
  try {
    const list = JSON.parse(read(localStorage, SESSIONS) ?? "[]");
    return Array.isArray(list) ? list.filter((known) => known?.id && known?.token) : [];
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}

export function rememberSession(session) {
  const before = knownSessions().find((known) => known.id === session.id) ?? {};
  const others = knownSessions().filter((known) => known.id !== session.id);
  write(localStorage, SESSIONS, JSON.stringify([{ ...before, ...session }, ...others].slice(0, 500)));
}

export function forgetSession(id) {
  write(localStorage, SESSIONS, JSON.stringify(knownSessions().filter((known) => known.id !== id)));
}

export const apiKey = () => read(sessionStorage, KEY);
export const keepApiKey = (key) => write(sessionStorage, KEY, key);
export const chosenTheme = () => read(localStorage, THEME);
export const keepTheme = (theme) => write(localStorage, THEME, theme);
