/** The browser SDK of Paribus. */
export { createClient } from "./client.js";
export { Evaluator } from "./evaluator.js";
export { bucket } from "./bucket.js";
export type { Decision, ErrorCode, Reason } from "./decision.js";
export type { Condition, Context, Flag, FlagType, Rollout, Rule, Snapshot, Value } from "./definitions.js";
export type { Client, Widened } from "./interface.js";
export type { Stats } from "./delivery.js";
export type { Consent, Options } from "./options.js";
export type { RecordingOptions } from "./recording.js";
