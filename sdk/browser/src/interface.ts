import type { Decision } from "./decision.js";
import type { Context, Snapshot, Value } from "./definitions.js";
import type { Stats } from "./delivery.js";
import type { Consent } from "./options.js";

/** What an application does with flags and events. Nothing here throws. */
export interface Client {
  /** Name of the unit's variant, with an exposure; null when there is none. */
  variant(flag: string, unit?: string | number, context?: Context): string | null;
  /** The variant's value, with an exposure; `fallback` when there is none of its type. */
  value<T extends Value>(flag: string, fallback: T, unit?: string | number, context?: Context): Widened<T>;
  /** Name of the unit's variant, without an exposure. */
  peek(flag: string, unit?: string | number, context?: Context): string | null;
  /** The whole decision, without an exposure. */
  decide(flag: string, unit?: string | number, context?: Context): Decision;
  /** Records that the unit met what was decided. */
  expose(decision: Decision): void;
  track(
    name: string,
    properties?: Record<string, unknown>,
    about?: { unit?: string | number; time?: Date | number },
  ): void;
  /** The visitor is this user from now on; resolves when the decisions are theirs. */
  identify(unit: string | number, context?: Context): Promise<void>;
  /** The visitor is no longer known, and has a new anonymous id. */
  reset(): Promise<void>;
  setConsent(consent: Consent): void;
  setDefinitions(definitions: Snapshot): void;
  captureError(error: unknown, details?: Record<string, unknown>): void;
  /** Calls back with the flags whose decisions may have changed; returns how to stop. */
  onChange(listener: (flags: string[]) => void): () => void;
  /** Resolves when decisions have arrived, or could not. */
  readonly ready: Promise<void>;
  readonly anonymousId: string | null;
  /** Variants that were exposed on this page, by flag. */
  readonly variants: Readonly<Record<string, string>>;
  readonly stats: Readonly<Stats>;
  /** Sends what waits; true when nothing is left. */
  flush(): Promise<boolean>;
  close(): Promise<void>;
}

export type Widened<T> = T extends boolean ? boolean : T extends number ? number : T extends string ? string : T;
