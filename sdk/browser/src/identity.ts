import { uuid } from "./event.js";
import { readCookie, writeCookie, type Storage } from "./storage.js";

/** Who is here: an anonymous id for the browser, a session of visits, and the user once known. */
export interface Identity {
  anonymousId: () => string | null;
  sessionId: () => string | null;
  /** Storage may be used from now on: takes the id stored earlier, unless `stay`, and stores what is in use. */
  settle: (stay: boolean) => void;
  /** Forgets all; the next visitor of this browser is someone else. */
  renew: () => void;
}

/** A pause that is longer ends a session: spec/vectors/sessions.json. */
const SESSION_MS = 30 * 60_000;

export function openIdentity(storage: Storage, allowed: () => boolean, browser: boolean, now: () => number): Identity {
  let anonymous: string | null = null;
  let session: { id: string; at: number } | null = null;

  function keep(): void {
    if (!anonymous || !allowed()) return;
    storage.set("id", anonymous);
    writeCookie(anonymous);
  }

  function settle(stay: boolean): void {
    if (!browser || !allowed()) return;
    const stored = storage.get("id") || readCookie();
    if (stored && stay && anonymous) return;
    anonymous = stored ?? anonymous ?? uuid();
    keep();
  }

  settle(false);
  return {
    settle,
    anonymousId: () => (browser ? (anonymous ??= uuid()) : null),
    sessionId: () => {
      if (!browser) return null;
      const [id, at] = (storage.get("session") ?? "").split(" "); // another tab's events count, too
      if (id && Number(at) > (session?.at ?? 0)) session = { id, at: Number(at) };
      if (!session || now() - session.at > SESSION_MS) session = { id: uuid(), at: now() };
      session.at = Math.max(session.at, now());
      storage.set("session", `${session.id} ${session.at}`);
      return session.id;
    },
    renew: () => {
      anonymous = browser ? uuid() : null;
      session = null;
      storage.remove("session");
      keep();
    },
  };
}
