import { describe, expect, it } from "vitest";
import { withBreaker, type BreakerOptions, type GuardedClient } from "../src/breaker.js";
import { createClient } from "../src/client.js";
import type { Snapshot, Value } from "../src/definitions.js";

/** Everyone is in the treatment of `checkout`; `plain` has one variant for all. */
const definitions: Snapshot = {
  format: 1,
  project: "default",
  environment: "dev",
  revision: 7,
  flags: {
    checkout: {
      type: "json",
      revision: 3,
      default_variant: "old",
      variants: [
        { name: "old", value: { color: "gray" } },
        { name: "treatment", value: { color: "red" } },
      ],
      rules: [
        {
          id: "r",
          rollout: {
            traffic_salt: "t",
            traffic_bp: 10000,
            split_salt: "s",
            epoch: 1,
            split: [{ variant: "treatment", weight_bp: 10000 }],
          },
        },
      ],
    },
    plain: { type: "boolean", default_variant: "on", variants: [{ name: "on", value: true }] },
  },
} as unknown as Snapshot;

interface Sent {
  name: string;
  properties: { [name: string]: unknown };
}

function guarded(options: BreakerOptions = { definitions }): {
  client: GuardedClient;
  sent: Sent[];
  clock: { seconds: number };
} {
  const clock = { seconds: 1_800_000_000 };
  const sent: Sent[] = [];
  const base = createClient({ definitions, unit: "u1", url: "http://127.0.0.1:9" });
  const { track, expose } = base;
  base.track = (name, properties = {}) => {
    sent.push({ name, properties });
    track(name, properties);
  };
  base.expose = (decision) => {
    sent.push({ name: "$exposure", properties: { ...decision } });
    expose(decision);
  };
  return { client: withBreaker(base, { now: () => clock.seconds * 1000, ...options }), sent, clock };
}

function failUntilTripped(client: GuardedClient): void {
  for (let call = 0; call < 20; call++) client.report("checkout", "treatment", true);
}

describe("the circuit breaker", () => {
  it("serves a failing variant as control, keeps the assignment, and says so", async () => {
    const { client, sent } = guarded();
    const told: string[][] = [];
    client.onChange((flags) => told.push(flags));
    expect(client.variant("checkout")).toBe("treatment");
    for (let call = 0; call < 20; call++) {
      client.report("checkout", "old", false);
      client.report("checkout", "treatment", call % 2 === 0);
    }
    const decision = client.decide("checkout");
    expect([decision.variant, decision.value, decision.reason]).toEqual(["old", { color: "gray" }, "BREAKER"]);
    expect([decision.assigned, decision.served]).toEqual(["treatment", "old"]);
    expect(client.variant("checkout")).toBe("old");
    expect(client.peek("checkout")).toBe("old");
    expect(client.value("checkout", { color: "none" })).toEqual({ color: "gray" });
    expect(client.variants).toEqual({ checkout: "old" });
    const exposed = sent.filter(({ name }) => name === "$exposure").map(({ properties }) => properties);
    expect(exposed.at(-1)).toMatchObject({ assigned: "treatment", served: "old", reason: "BREAKER", split_bp: 10000 });
    const [news] = sent.filter(({ name }) => name === "$breaker").map(({ properties }) => properties);
    expect(news).toMatchObject({ flag: "checkout", variant: "treatment", revision: 3, state: "open", cause: "errors" });
    expect(news!["calls"]).toBeLessThanOrEqual(20);
    expect(told.at(-1)).toEqual(["checkout"]);
    client.resetBreaker("checkout");
    expect(client.variant("checkout")).toBe("treatment");
    await client.close();
  });

  it("waits twice as long after each trip, and holds after the third until told otherwise", async () => {
    const { client, clock } = guarded();
    failUntilTripped(client);
    for (const seconds of [60, 120]) {
      clock.seconds += seconds - 1;
      expect(client.variant("checkout")).toBe("old");
      clock.seconds += 1;
      expect(client.peek("checkout")).toBe("old");
      expect(client.variant("checkout")).toBe("treatment");
      failUntilTripped(client);
    }
    clock.seconds += 1e6;
    expect(client.variant("checkout")).toBe("old");
    client.resetBreaker("checkout", "old");
    expect(client.variant("checkout")).toBe("old");
    client.resetBreaker("checkout", "treatment");
    expect(client.variant("checkout")).toBe("treatment");
    await client.close();
  });

  it("serves a variant that recovered, after fifty good calls of twenty a second", async () => {
    const { client, clock, sent } = guarded();
    failUntilTripped(client);
    clock.seconds += 60;
    const served = Array.from({ length: 100 }, () => client.variant("checkout"));
    expect(served.filter((each) => each === "treatment").length).toBe(20);
    for (let call = 0; call < 50; call++) client.report("checkout", "treatment", false);
    expect(Array.from({ length: 100 }, () => client.variant("checkout"))).not.toContain("old");
    expect(sent.filter(({ name }) => name === "$breaker").map(({ properties }) => properties["state"])).toEqual([
      "open",
      "half_open",
      "closed",
    ]);
    await client.close();
  });

  it("times what it attempts, reports and captures its errors, and throws them on", async () => {
    const { client } = guarded();
    const failures: unknown[] = [];
    for (let call = 0; call < 10; call++) {
      try {
        client.attempt("checkout", (variant) => {
          if (variant === "treatment") throw new TypeError("no cart");
          return variant;
        });
      } catch (error) {
        failures.push(error);
      }
    }
    expect(failures.length).toBeLessThan(10);
    expect(client.attempt("checkout", (variant) => variant)).toBe("old");
    expect(client.attempt("plain", (variant) => variant)).toBe("on");
    expect(client.attempt("absent", (variant) => variant)).toBeNull();
    client.resetBreaker("checkout");
    const rejected = (): Promise<string> =>
      client.attempt("checkout", (variant) =>
        variant === "treatment" ? Promise.reject(new Error("late")) : Promise.resolve("fine"),
      );
    const outcomes = [];
    for (let call = 0; call < 10; call++) outcomes.push(await rejected().catch((error: Error) => error.message));
    expect(outcomes[0]).toBe("late");
    expect(outcomes.at(-1)).toBe("fine");
    await client.close();
  });

  it("counts captured errors that name a flag against the variant in force", async () => {
    const { client } = guarded();
    client.variant("checkout");
    for (let call = 0; call < 10; call++) client.captureError(new Error(`no ${call}`), { flag: "checkout" });
    client.captureError(new Error("of something else"));
    expect(client.variant("checkout")).toBe("old");
    await client.close();
  });

  it("takes control from what is said where the server decides, and the caller's value without it", async () => {
    const value: Value = { color: "blue" };
    for (const [controls, expected] of [
      [{ checkout: { variant: "base", value } }, ["base", value]],
      [undefined, ["control", { color: "none" }]],
    ] as const) {
      const { client } = guarded({ controls });
      failUntilTripped(client);
      expect([client.variant("checkout"), client.value("checkout", { color: "none" })]).toEqual(expected);
      await client.close();
    }
  });

  it("leaves alone what is not randomized, unknown flags, and times that are none", async () => {
    const { client, sent } = guarded();
    for (let call = 0; call < 100; call++) {
      client.report("absent", "treatment", true);
      client.report("plain", "on", true);
      for (const seconds of [NaN, Infinity, -1]) {
        client.report("checkout", "old", false, seconds);
        client.report("checkout", "treatment", false, 10);
      }
    }
    expect(sent).toEqual([]);
    expect(client.variant("plain")).toBe("on");
    expect(client.anonymousId).toBeNull();
    expect(client.stats.queued).toBeGreaterThan(0);
    await client.close();
  });
});
