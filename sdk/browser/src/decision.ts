import type { Value } from "./definitions.js";

export type Reason =
  | "SPLIT"
  | "TARGETING_MATCH"
  | "DEFAULT"
  | "STICKY"
  | "OVERRIDE"
  | "PREREQUISITE"
  | "HOLDOUT"
  | "DISABLED"
  | "KILLED"
  | "BREAKER"
  | "INVALID_UNIT"
  | "ERROR";

export type ErrorCode =
  "FLAG_NOT_FOUND" | "PARSE_ERROR" | "TYPE_MISMATCH" | "PROVIDER_NOT_READY" | "INVALID_CONTEXT" | "GENERAL";

/** What a unit gets and why. The names are those of the wire, so that an exposure carries them unchanged. */
export interface Decision {
  flag: string;
  value: Value | undefined;
  variant: string | null;
  assigned: string | null;
  served: string | null;
  reason: Reason;
  error_code: ErrorCode | null;
  error_message: string | null;
  revision: number | null;
  epoch: number | null;
  traffic_bp: number | null;
  split_bp: number | null;
  probability: number | null;
  rule: string | null;
  unit: string | null;
  unit_type: string | null;
  attributes: Record<string, unknown>;
}

/** A decision with every field that is not given empty. */
export function decision(flag: string, reason: Reason, fields: Partial<Decision>): Decision {
  return {
    flag,
    value: undefined,
    variant: null,
    assigned: null,
    served: null,
    reason,
    error_code: null,
    error_message: null,
    revision: null,
    epoch: null,
    traffic_bp: null,
    split_bp: null,
    probability: null,
    rule: null,
    unit: null,
    unit_type: null,
    attributes: {},
    ...fields,
  };
}

/** The decision when something is wrong: no variant, and the caller's default serves as the value. */
export function failure(flag: string, code: ErrorCode, message: string, unit: string | null): Decision {
  return decision(flag, "ERROR", { error_code: code, error_message: message, unit });
}

/** The decision when its value is not of the type asked for. */
export function mismatch({ flag, unit, unit_type, revision }: Decision, asked: string): Decision {
  return { ...failure(flag, "TYPE_MISMATCH", `flag ${flag} is not of type ${asked}`, unit), unit_type, revision };
}
