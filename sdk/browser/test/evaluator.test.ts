import { describe, expect, it } from "vitest";
import { conditionCompiler } from "../src/condition.js";
import type { Condition, Snapshot } from "../src/definitions.js";
import { Evaluator } from "../src/evaluator.js";

const nothing: Snapshot = { format: 1, project: "default", environment: "dev", revision: 1, flags: {} };
const truth = (condition: Condition, context: Record<string, unknown>): boolean | null =>
  conditionCompiler(nothing)(condition).holds(context);
const test = (op: string, value: unknown, given?: unknown): boolean | null =>
  truth({ attribute: "a", op, value }, given === undefined ? {} : { a: given });

describe("conditions", () => {
  it.each<[string, unknown, unknown, boolean | null]>([
    ["equals", "x", "x", true],
    ["equals", 1, 1.0, true],
    ["equals", 1, true, null],
    ["equals", 1, "1", null],
    ["not_equals", "x", "y", true],
    ["not_equals", "x", undefined, null],
    ["in", ["x", 1], 2, false],
    ["in", ["x"], 2, null],
    ["in", [], "x", false],
    ["less_than", 5, 4, true],
    ["at_most", 5, 5, true],
    ["greater_than", 5, NaN, null],
    ["at_least", 5, "6", null],
    ["semver_less_than", "1.0.0", "v1.0.0-rc.1", true],
    ["semver_greater_than", "1.0.0-alpha.1", "1.0.0-alpha.beta", true],
    ["semver_greater_than", "1.0.0-alpha", "1.0.0-alpha.1", true],
    ["semver_equals", "1.2.3", "1.2.3+build", true],
    ["semver_at_least", "1.9.0", "1.10.0", true],
    ["semver_at_least", "1.9.0", "1.10", null],
    ["semver_less_than", "1.0.99999999999999999999", "1.0.99999999999999999998", true],
    ["before", "2026-01-01T00:00:00Z", "2026-01-01T00:59:59+01:00", true],
    ["after", "2026-01-01T00:00:00Z", 1767225600001, true],
    ["after", "2026-01-01T00:00:00Z", "2026-01-02", null],
    ["after", "2026-01-01T00:00:00Z", "2026-02-30T00:00:00Z", null],
    ["starts_with", ["a", "b"], "bc", true],
    ["ends_with", "c", "bc", true],
    ["contains", "c", ["a", "c"], true],
    ["contains", "c", "abcd", true],
    ["contains", "c", 7, null],
    ["exists", true, undefined, false],
    ["exists", false, null, true],
  ])("%s %j of %j is %j", (op, value, given, expected) => expect(test(op, value, given)).toBe(expected));

  it("follows Kleene's tables", () => {
    const yes: Condition = { attribute: "t", op: "exists", value: true };
    const no: Condition = { not: yes };
    const unknown: Condition = { attribute: "missing", op: "equals", value: 1 };
    const context = { t: 1 };
    expect(truth({ all: [] }, context)).toBe(true);
    expect(truth({ any: [] }, context)).toBe(false);
    expect(truth({ all: [unknown, no] }, context)).toBe(false);
    expect(truth({ all: [unknown, yes] }, context)).toBe(null);
    expect(truth({ any: [unknown, yes] }, context)).toBe(true);
    expect(truth({ any: [unknown, no] }, context)).toBe(null);
    expect(truth({ not: unknown }, context)).toBe(null);
  });
});

describe("hostile definitions", () => {
  it("never throw", () => {
    for (const flag of [
      null,
      1,
      "x",
      {},
      { variants: 1 },
      { type: "boolean", variants: [null] },
      { type: "boolean", variants: [{ name: "a", value: true }], default_variant: "a", rules: [null] },
    ]) {
      const evaluator = new Evaluator({ ...nothing, flags: { f: flag } } as never);
      expect(evaluator.evaluate("f", "u", {}, null, 7).reason).toBe("ERROR");
    }
    expect(new Evaluator(null as never).evaluate("f", "u").error_code).toBe("FLAG_NOT_FOUND");
    expect(new Evaluator(nothing).evaluate("constructor", "u").error_code).toBe("FLAG_NOT_FOUND");
  });
});
