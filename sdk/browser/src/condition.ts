import { need, own, type Condition, type Context, type Snapshot } from "./definitions.js";
import { parseInstant } from "./instant.js";
import { compareVersions, parseVersion } from "./semver.js";

/** A truth value of Kleene's three-valued logic; null is unknown. */
export type Truth = boolean | null;
type Test = (attribute: unknown) => Truth;

/** A condition ready to be asked, with the attributes it names. */
export interface CompiledCondition {
  holds: (context: Context) => Truth;
  names: string[];
}

type Scalar = string | number | boolean;
const isScalar = (value: unknown): value is Scalar =>
  typeof value === "string" || typeof value === "boolean" || isNumber(value);
const isNumber = (value: unknown): value is number => Number.isFinite(value);
export const isText = (value: unknown): value is string => typeof value === "string";
const isScalars = (value: unknown): value is Scalar[] => Array.isArray(value) && value.every(isScalar);
const isTexts = (value: unknown): value is string[] => Array.isArray(value) && value.every(isText);

const FORMS = ["all", "any", "not", "audience", "attribute"];

/** The definition's value, when the operator can use it. */
function usable<T>(value: unknown, is: (value: unknown) => value is T): T {
  need(is(value), "value");
  return value as T;
}

const opposite = (truth: Truth): Truth => (truth === null ? null : !truth);

const among = (value: unknown): Test => {
  const list = usable(value, isScalars);
  return (attribute) => {
    if (!isScalar(attribute)) return null;
    if (list.includes(attribute)) return true;
    return list.some((item) => typeof item === typeof attribute) || !list.length ? false : null;
  };
};

const ordered =
  <T>(read: (value: unknown) => T | null, compare: (a: T, b: T) => number, accept: (order: number) => boolean) =>
  (value: unknown): Test => {
    const bound = read(value);
    need(bound !== null, "value");
    return (attribute) => {
      const given = read(attribute);
      return given === null ? null : accept(compare(given, bound!));
    };
  };

const readNumber = (value: unknown): number | null => (isNumber(value) ? value : null);
const readTime = (value: unknown): number | null => (isText(value) ? parseInstant(value) : readNumber(value));
const subtract = (a: number, b: number): number => a - b;
const instant = (accept: (order: number) => boolean) => (value: unknown) =>
  ordered(readTime, subtract, accept)(usable(value, isText));

const text =
  (match: (attribute: string, part: string) => boolean, lists = false) =>
  (value: unknown): Test => {
    const parts = isText(value) ? [value] : usable(value, isTexts);
    return (attribute) => {
      if (lists && Array.isArray(attribute)) return parts.some((part) => attribute.includes(part));
      return isText(attribute) ? parts.some((part) => match(attribute, part)) : null;
    };
  };

const ORDERS: Record<string, (order: number) => boolean> = {
  equals: (order) => !order,
  less_than: (order) => order < 0,
  at_most: (order) => order <= 0,
  greater_than: (order) => order > 0,
  at_least: (order) => order >= 0,
};

const OPERATORS: Record<string, (value: unknown) => Test> = {};
for (const [name, accept] of Object.entries(ORDERS)) {
  OPERATORS[name] = ordered(readNumber, subtract, accept);
  OPERATORS["semver_" + name] = ordered(parseVersion, compareVersions, accept);
}
const negated =
  (test: Test): Test =>
  (attribute) =>
    opposite(test(attribute));
const equals = (value: unknown): Test => among([value]);
Object.assign(OPERATORS, {
  equals,
  not_equals: (value) => negated(equals(value)),
  in: among,
  not_in: (value) => negated(among(value)),
  before: instant(ORDERS.less_than!),
  after: instant(ORDERS.greater_than!),
  starts_with: text((attribute, part) => attribute.startsWith(part)),
  ends_with: text((attribute, part) => attribute.endsWith(part)),
  contains: text((attribute, part) => attribute.includes(part), true),
  exists: (value) => {
    const wanted = usable(value, (given): given is boolean => typeof given === "boolean");
    return (attribute) => (attribute !== null) === wanted;
  },
} satisfies typeof OPERATORS);

/** Compiles conditions of one snapshot; throws `Problem` for one that cannot be evaluated. */
export function conditionCompiler(snapshot: Snapshot): (condition: Condition) => CompiledCondition {
  const audiences = new Map<string, CompiledCondition | null>();

  function many(parts: Condition[], decisive: boolean): CompiledCondition {
    const compiled = parts.map(compile);
    return {
      names: compiled.flatMap((part) => part.names),
      holds: (context) => {
        let result: Truth = !decisive;
        for (const part of compiled) {
          const truth = part.holds(context);
          if (truth === decisive) return decisive;
          if (truth === null) result = null;
        }
        return result;
      },
    };
  }

  function audience(key: string): CompiledCondition {
    const known = audiences.get(key);
    if (known) return known;
    // Null while it is being compiled, and for good when it cannot be.
    need(known === undefined, `audience ${key}`);
    audiences.set(key, null);
    const compiled = compile(need(own(snapshot.audiences, key), `audience ${key}`));
    audiences.set(key, compiled);
    return compiled;
  }

  function compile(condition: Condition): CompiledCondition {
    need(FORMS.filter((form) => form in condition).length === 1, "condition");
    if ("all" in condition) return many(condition.all, false);
    if ("any" in condition) return many(condition.any, true);
    if ("audience" in condition) return audience(condition.audience);
    if ("not" in condition) {
      const inner = compile(condition.not);
      return {
        names: inner.names,
        holds: (context) => opposite(inner.holds(context)),
      };
    }
    const { attribute: name, op } = condition;
    // `matches` is RE2, which browsers lack: such flags come precomputed.
    const operator = need(own(OPERATORS, op), `operator ${op} (browser)`);
    const test = operator(condition.value);
    usable(name, isText);
    return {
      names: [name],
      holds: (context) => {
        const given = own(context, name) ?? null;
        return given === null && op !== "exists" ? null : test(given);
      },
    };
  }

  return compile;
}
