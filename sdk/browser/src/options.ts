import type { Context, Snapshot } from "./definitions.js";
import type { RecordingOptions } from "./recording.js";

/** `pending` holds events back in memory; `denied` sends nothing and stores nothing. */
export type Consent = "granted" | "pending" | "denied";

export interface Options {
  /** Address of the server, without a trailing slash; empty for the page's own. */
  url?: string;
  /** A key of client scope. It is public. */
  key?: string;
  /** Full definitions to evaluate here. Without them the server decides, and sends its decisions only. */
  definitions?: Snapshot;
  /** The user, when known from the start; otherwise the unit is the browser's anonymous id. */
  unit?: string | number;
  unitType?: string;
  context?: Context;
  environment?: string;
  /** Which id flags are decided by after `identify`: the user's, or still the anonymous one. */
  assignBy?: "user" | "anonymous";
  consent?: Consent;
  /** Ask the server for decisions before consent is given; the unit's id and context then travel to it. */
  decideBeforeConsent?: boolean;
  vitals?: boolean;
  errors?: boolean;
  pageViews?: boolean;
  recording?: boolean | RecordingOptions;
  /** How long events are gathered before they are sent. */
  flushSeconds?: number;
  /** Events held at most; beyond that the oldest is dropped and counted. */
  queueLimit?: number;
  /** Ask for decisions again this often, where a stream cannot tell; 0 never. */
  pollSeconds?: number;
  /** Milliseconds since 1970. */
  now?: () => number;
}
