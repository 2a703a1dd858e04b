/** The definitions snapshot, format 1: what the server publishes and every SDK evaluates. */

export type Value = boolean | string | number | null | Value[] | { [name: string]: Value };

/** What is known of the unit: attribute names are exact keys, never paths. */
export type Context = Record<string, unknown>;

export type FlagType = "boolean" | "string" | "integer" | "float" | "json";

export type Condition =
  | { all: Condition[] }
  | { any: Condition[] }
  | { not: Condition }
  | { audience: string }
  | { attribute: string; op: string; value?: unknown };

export interface Band {
  below_bp: number;
  epoch: number;
  split: { variant: string; weight_bp: number }[];
}

export interface Rollout extends Omit<Band, "below_bp"> {
  traffic_salt: string;
  traffic_bp: number;
  split_salt: string;
  /** Who was in traffic under an earlier split keeps it: in order, up to the traffic bucket `below_bp`. */
  bands?: Band[] | null;
  layer?: { key: string; from_bp: number; to_bp: number } | null;
}

export interface Rule {
  id: string;
  when?: Condition | null;
  variant?: string;
  rollout?: Rollout;
}

export interface Flag {
  type: FlagType;
  revision: number | null;
  enabled: boolean;
  killed: boolean;
  unit_type: string;
  unit_attribute: string | null;
  variants: { name: string; value: Value }[];
  default_variant: string;
  client?: boolean;
  prerequisites: { flag: string; variants: string[] }[];
  holdouts: string[];
  overrides: Record<string, string>;
  sticky: Record<string, string>;
  rules: Rule[];
}

export interface Snapshot {
  format: 1;
  project: string;
  environment: string;
  revision: number;
  /** A flag may leave out what has a default. */
  flags: Record<string, Partial<Flag> & Pick<Flag, "type" | "variants" | "default_variant">>;
  audiences?: Record<string, Condition>;
  layers?: Record<string, { salt: string }>;
  holdouts?: Record<string, { salt: string; share_bp: number }>;
}

/** Why a definition cannot be evaluated, in one sentence. */
export class Problem extends Error {}

/** The object's own entry, so that a flag called `constructor` is a flag like any other. */
export function own<T>(object: Record<string, T> | null | undefined, name: string): T | undefined {
  return object && Object.hasOwn(object, name) ? object[name] : undefined;
}

/** What was found; a `Problem` with the name of what was not. */
export function need<T>(found: T | undefined | null | false | "" | 0, what: string): T {
  if (!found) throw new Problem("bad or missing " + what);
  return found;
}
