// HTTP requests to the same server, with the tab's key; a refusal is an Error with its status.

import { apiKey } from "./storage.js";

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function request(path, method = "GET") {
  const key = apiKey();
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  const response = await fetch(path, { method, headers, cache: "no-store" });
  if (response.ok) return response;
  const body = await response.json().catch(() => null);
  throw new Refused(response.status, body?.error?.message ?? `the server answered ${response.status}`);
}

const session = (id) => `/v1/sessions/${encodeURIComponent(id)}`;

export const listSessions = async () => (await (await request("/v1/sessions")).json()).data;
export const deleteSession = (id) => request(session(id), "DELETE");
export const exportSession = async (id, format) =>
  (await request(`${session(id)}/export?format=${format}`)).blob();

/** "open", "key" (one is needed, or another) or "away": whether this tab may talk to the server. */
export async function door() {
  try {
    await request("/v1/sessions");
    return "open";
  } catch (error) {
    if (error instanceof Refused) return error.status === 401 ? "key" : "open";
    return "away";
  }
}

/** Subprotocols of the socket; a browser can send a key with no header. */
export function socketProtocols() {
  const key = apiKey();
  return key ? ["motet.v1", `motet-key.${key}`] : ["motet.v1"];
}
