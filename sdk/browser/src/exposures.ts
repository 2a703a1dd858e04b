import type { Decision } from "./decision.js";
import { attempt, type Storage } from "./storage.js";

const REMEMBERED = 500;

/**
 * Whether the exposure is new to `seen`, which then holds it: one in a session for each flag, unit, variant assigned,
 * variant served and revision.
 */
export function remember(seen: Set<string>, session: Storage, decision: Decision): boolean {
  const { flag, unit, assigned, served, revision } = decision;
  const identity = [flag, unit, assigned, served, revision].join("\n");
  if (seen.has(identity)) return false;
  if (seen.size >= REMEMBERED) seen.delete(seen.values().next().value!);
  seen.add(identity);
  session.set("exposed", JSON.stringify([...seen]));
  return true;
}

/** Adds to `seen` what earlier pages of the session recorded. */
export function recall(seen: Set<string>, session: Storage): void {
  const exposed = attempt(() => JSON.parse(session.get("exposed") ?? "[]") as string[], []);
  exposed.forEach((each) => seen.add(each));
}
