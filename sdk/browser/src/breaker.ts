import { openBreaker, type BreakerPolicy, type News, type Record } from "./circuit.js";
import type { Decision } from "./decision.js";
import type { Context, Snapshot, Value } from "./definitions.js";
import type { Client, Widened } from "./interface.js";
import { attempt, openStorage } from "./storage.js";

export type { BreakerPolicy, CircuitState, News } from "./circuit.js";

export interface BreakerOptions {
  /** Full definitions, where the client has them: they say which variant is control, and its value. */
  definitions?: Snapshot;
  /** Control of flags that the server decides; the variant `control` where nothing is said, without a value. */
  controls?: { [flag: string]: { variant: string; value?: Value } };
  /** Keeps the record in sessionStorage, so that a variant that fails once on every page is found out, too. */
  remember?: boolean;
  policy?: Partial<BreakerPolicy>;
  /** Milliseconds since 1970. */
  now?: () => number;
}

/** A client whose variants are served as control while they fail on this page. */
export interface GuardedClient extends Client {
  /** How a call with the variant in force went. */
  report(flag: string, variant: string, failed: boolean, seconds?: number): void;
  /**
   * What `run` returns for the unit's variant. The time it takes and its error, thrown or rejected, are reported; the
   * error is captured, too, and thrown on.
   */
  attempt<T>(flag: string, run: (variant: string | null) => T, unit?: string | number, context?: Context): T;
  /** Serves a tripped variant (or all of the flag's) again, and forgets its trips. */
  resetBreaker(flag: string, variant?: string): void;
}

const SLOT = "breaker";

/**
 * The local circuit breaker: a variant whose errors or latency pass a limit against control on this page is served as
 * control, and stays assigned. It is tried again after 60 s, 120 s, and held after the third trip.
 */
export function withBreaker(client: Client, options: BreakerOptions = {}): GuardedClient {
  const now = options.now ?? Date.now;
  const listeners = new Set<(flags: string[]) => void>();
  const storage = openStorage(() => sessionStorage, () => isRemembering);
  let isRemembering = options.remember === true;
  let { definitions } = options;
  const kept = attempt(() => JSON.parse(storage.get(SLOT) ?? "null") as Record | null, null);
  const known = Array.isArray(kept?.circuits) && kept.controls ? kept : undefined;

  function changed(flag: string, variant: string, news: News): void {
    const { revision } = client.decide(flag);
    client.track("$breaker", { flag, variant, revision, ...news });
    for (const listener of listeners) attempt(() => listener([flag]), undefined);
  }
  const breaker = openBreaker(changed, () => now() / 1000, options.policy, known);
  const remember = (): void => storage.set(SLOT, JSON.stringify(breaker.record));

  function controlOf(flag: string): { variant: string; value?: Value } {
    const defined = definitions?.flags[flag];
    if (!defined) return options.controls?.[flag] ?? { variant: "control" };
    const variant = defined.default_variant;
    return { variant, value: defined.variants.find(({ name }) => name === variant)?.value };
  }

  function adjusted(decision: Decision, retry: boolean): Decision {
    const { flag, assigned, reason } = decision;
    if (reason !== "SPLIT" || assigned === null || !breaker.refuses(flag, assigned, retry)) return decision;
    const { variant, value } = controlOf(flag);
    return { ...decision, value, variant, served: variant, reason: "BREAKER" };
  }

  const decide: Client["decide"] = (flag, unit, context) => adjusted(client.decide(flag, unit, context), true);

  function variant(flag: string, unit?: string | number, context?: Context): string | null {
    const decision = decide(flag, unit, context);
    client.expose(decision);
    return decision.variant;
  }

  function report(flag: string, variant: string, failed: boolean, seconds?: number): void {
    if (client.decide(flag).error_code === "FLAG_NOT_FOUND") return;
    breaker.report(flag, variant, controlOf(flag).variant, failed, seconds);
    remember();
  }

  const own: Partial<GuardedClient> = {
    report,
    resetBreaker(flag, variant) {
      breaker.reset(flag, variant);
      remember();
    },
    attempt(flag, run, unit, context) {
      const served = variant(flag, unit, context);
      const began = performance.now();
      const ended = (failed: boolean, error?: unknown): void => {
        if (served !== null) report(flag, served, failed, (performance.now() - began) / 1000);
        if (failed) client.captureError(error, { flag });
      };
      try {
        const result = run(served);
        if (result instanceof Promise) result.then(() => ended(false), (error) => ended(true, error));
        else ended(false);
        return result;
      } catch (error) {
        ended(true, error);
        throw error;
      }
    },
    variant,
    value<T extends Value>(flag: string, fallback: T, unit?: string | number, context?: Context): Widened<T> {
      const decision = decide(flag, unit, context);
      if (decision.reason !== "BREAKER") return client.value(flag, fallback, unit, context);
      client.expose(decision);
      return (typeof decision.value === typeof fallback ? decision.value : fallback) as Widened<T>;
    },
    peek: (flag, unit, context) => adjusted(client.decide(flag, unit, context), false).variant,
    decide,
    captureError(error, details) {
      const flag = details?.["flag"];
      if (typeof flag === "string" && client.variants[flag]) report(flag, client.variants[flag], true);
      client.captureError(error, details);
    },
    onChange(listener) {
      const leave = client.onChange(listener);
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
        leave();
      };
    },
    setDefinitions(next) {
      if (definitions) definitions = next;
      client.setDefinitions(next);
    },
    setConsent(consent) {
      if (consent === "denied") isRemembering = false;
      client.setConsent(consent);
    },
  };
  return Object.setPrototypeOf(own, client) as GuardedClient;
}
