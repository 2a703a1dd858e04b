import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { openIdentity } from "../src/identity.js";
import type { Storage } from "../src/storage.js";

const { cases, timeout_minutes } = JSON.parse(
  readFileSync(new URL("../../../spec/vectors/sessions.json", import.meta.url), "utf8"),
) as {
  timeout_minutes: number;
  cases: { name: string; events: { at: string; campaign: string | null }[]; sessions: number[] }[];
};

/** What a browser keeps of one visitor, for all tabs. */
function kept(): Storage {
  const values = new Map<string, string>();
  return {
    get: (name) => values.get(name) ?? null,
    set: (name, value) => void values.set(name, value),
    remove: (name) => void values.delete(name),
    names: () => [...values.keys()],
  };
}

/** The number of each id, in the order in which they appear. */
const numbered = (ids: (string | null)[]): number[] => ids.map((id) => [...new Set(ids)].indexOf(id));

describe("session vectors", () => {
  it("has the time-out", () => expect(timeout_minutes).toBe(30));
  for (const each of cases) {
    it(each.name, () => {
      let now = 0;
      const identity = openIdentity(kept(), () => true, true, () => now);
      const ids = each.events.map((event) => {
        now = Date.parse(event.at);
        return identity.sessionId();
      });
      expect(numbered(ids)).toEqual(each.sessions);
    });
    it(`${each.name}, each event on a page or tab of its own`, () => {
      let now = 0;
      const storage = kept();
      const tabs = [0, 1].map(() => openIdentity(storage, () => true, true, () => now));
      const ids = each.events.map((event, place) => {
        now = Date.parse(event.at);
        return tabs[place % 2]!.sessionId();
      });
      expect(numbered(ids)).toEqual(each.sessions);
    });
  }
});
