import { Problem, own, type Condition, type Context, type Snapshot } from "./definitions.js";
import { parseInstant } from "./instant.js";
import { compareVersions, parseVersion } from "./semver.js";

/** A truth value of Kleene's three-valued logic; null is unknown. */
export type Truth = boolean | null;
type Test = (attribute: unknown) => Truth;

/** A condition ready to be asked, with the attributes it names. */
export interface CompiledCondition {
  holds: (context: Context, unit: string | null) => Truth;
  names: string[];
}

type Scalar = string | number | boolean;
const isScalar = (value: unknown): value is Scalar =>
  typeof value === "string" || typeof value === "boolean" || isNumber(value);
const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);
const isText = (value: unknown): value is string => typeof value === "string";

function demand<T>(value: unknown, is: (value: unknown) => value is T, what: string): T {
  if (!is(value)) throw new Problem(`the value must be ${what}`);
  return value;
}

const negated =
  (test: Test): Test =>
  (attribute) => {
    const truth = test(attribute);
    return truth === null ? null : !truth;
  };

const among = (value: unknown): Test => {
  const list = demand(value, (v): v is Scalar[] => Array.isArray(v) && v.every(isScalar), "a list of scalars");
  return (attribute) => {
    if (!isScalar(attribute)) return null;
    if (list.includes(attribute)) return true;
    return list.some((item) => typeof item === typeof attribute) || !list.length ? false : null;
  };
};

const ordered =
  <T>(read: (value: unknown) => T | null, compare: (a: T, b: T) => number, accept: (order: number) => boolean, what: string) =>
  (value: unknown): Test => {
    const bound = read(value);
    if (bound === null) throw new Problem(`the value must be ${what}`);
    return (attribute) => {
      const given = read(attribute);
      return given === null ? null : accept(compare(given, bound));
    };
  };

const readNumber = (value: unknown): number | null => (isNumber(value) ? value : null);
const readTime = (value: unknown): number | null => (isText(value) ? parseInstant(value) : readNumber(value));
const subtract = (a: number, b: number): number => a - b;
const less = (order: number): boolean => order < 0;
const most = (order: number): boolean => order <= 0;
const greater = (order: number): boolean => order > 0;
const least = (order: number): boolean => order >= 0;
const number = (accept: (order: number) => boolean) => ordered(readNumber, subtract, accept, "a number");
const version = (accept: (order: number) => boolean) => ordered(parseVersion, compareVersions, accept, "a semantic version");
const instant = (accept: (order: number) => boolean) => (value: unknown) =>
  ordered(readTime, subtract, accept, "an RFC 3339 time with its offset")(demand(value, isText, "an RFC 3339 time"));

const text =
  (match: (attribute: string, part: string) => boolean, lists = false) =>
  (value: unknown): Test => {
    const parts = isText(value)
      ? [value]
      : demand(value, (v): v is string[] => Array.isArray(v) && v.every(isText), "text or a list of texts");
    return (attribute) => {
      if (lists && Array.isArray(attribute)) return parts.some((part) => attribute.includes(part));
      return isText(attribute) ? parts.some((part) => match(attribute, part)) : null;
    };
  };

const OPERATORS: Record<string, (value: unknown) => Test> = {
  equals: (value) => among([demand(value, isScalar, "a scalar")]),
  not_equals: (value) => negated(among([demand(value, isScalar, "a scalar")])),
  in: among,
  not_in: (value) => negated(among(value)),
  less_than: number(less),
  at_most: number(most),
  greater_than: number(greater),
  at_least: number(least),
  semver_equals: version((order) => !order),
  semver_less_than: version(less),
  semver_at_most: version(most),
  semver_greater_than: version(greater),
  semver_at_least: version(least),
  before: instant(less),
  after: instant(greater),
  starts_with: text((attribute, part) => attribute.startsWith(part)),
  ends_with: text((attribute, part) => attribute.endsWith(part)),
  contains: text((attribute, part) => attribute.includes(part), true),
  matches: () => {
    throw new Problem("regular expressions (RE2) are decided on the server: use precomputed decisions");
  },
  exists: (value) => {
    const wanted = demand(value, (v): v is boolean => typeof v === "boolean", "true or false");
    return (attribute) => (attribute !== undefined) === wanted;
  },
};

/** Compiles conditions of one snapshot; throws `Problem` for one that cannot be evaluated. */
export function conditionCompiler(snapshot: Snapshot): (condition: Condition) => CompiledCondition {
  const audiences: Record<string, CompiledCondition | null> = Object.create(null) as Record<string, null>;

  function many(parts: Condition[], decisive: boolean): CompiledCondition {
    if (!Array.isArray(parts)) throw new Problem("all and any take a list");
    const compiled = parts.map(compile);
    return {
      names: compiled.flatMap((part) => part.names),
      holds: (context, unit) => {
        let result: Truth = !decisive;
        for (const part of compiled) {
          const truth = part.holds(context, unit);
          if (truth === decisive) return decisive;
          if (truth === null) result = null;
        }
        return result;
      },
    };
  }

  function audience(key: string): CompiledCondition {
    const known = audiences[key];
    if (known === null) throw new Problem(`audience ${key} refers to itself`);
    if (known) return known;
    const condition = own(snapshot.audiences, key);
    if (!condition) throw new Problem(`there is no audience ${key}`);
    audiences[key] = null;
    try {
      return (audiences[key] = compile(condition));
    } finally {
      if (!audiences[key]) delete audiences[key];
    }
  }

  function compile(condition: Condition): CompiledCondition {
    if (!condition || typeof condition !== "object") throw new Problem("a condition must be an object");
    if ("all" in condition) return many(condition.all, false);
    if ("any" in condition) return many(condition.any, true);
    if ("audience" in condition) return audience(condition.audience);
    if ("not" in condition) {
      const inner = compile(condition.not);
      return {
        names: inner.names,
        holds: (context, unit) => {
          const truth = inner.holds(context, unit);
          return truth === null ? null : !truth;
        },
      };
    }
    const { attribute: name, op } = condition;
    if (!isText(name)) throw new Problem("a condition must name an attribute");
    const operator = own(OPERATORS, op);
    if (!operator) throw new Problem(`there is no operator ${op}`);
    const test = operator(condition.value);
    const isUnit = name === "targetingKey";
    return {
      names: [name],
      holds: (context, unit) => {
        const given = isUnit ? unit : own(context, name);
        return given === undefined || given === null ? (op === "exists" ? test(undefined) : null) : test(given);
      },
    };
  }

  return compile;
}
