import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { bucket, murmur3 } from "../src/bucket.js";
import type { Snapshot } from "../src/definitions.js";
import { Evaluator } from "../src/evaluator.js";

interface Case {
  name: string;
  flag: string;
  unit: unknown;
  context?: Record<string, unknown>;
  kind?: never;
  default?: never;
  browser?: boolean;
  expect: Record<string, unknown>;
}

const read = (name: string): unknown => {
  const path = new URL(`../../../spec/vectors/${name}.json`, import.meta.url);
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : { cases: [], suites: [] };
};

describe("bucketing vectors", () => {
  const { cases } = read("bucketing") as { cases: { name: string; salt: string; unit: string; hash: number; bucket: number }[] };
  it.each(cases)("$name", (each) => {
    expect(murmur3(`${each.salt}:${each.unit}`)).toBe(each.hash);
    expect(bucket(each.salt, each.unit)).toBe(each.bucket);
  });
  it("agrees with published hashes", () => {
    // Verification values of MurmurHash3 x86 32, seed 0, from the algorithm's reference implementations.
    expect(murmur3("")).toBe(0);
    expect(murmur3("test")).toBe(0xba6bd213);
    expect(murmur3("Hello, world!")).toBe(0xc0363e43);
    expect(murmur3("The quick brown fox jumps over the lazy dog")).toBe(0x2e4ff723);
  });
});

describe("evaluation vectors", () => {
  const { suites } = read("evaluation") as { suites: { name: string; browser?: boolean; snapshot: Snapshot; cases: Case[] }[] };
  for (const suite of suites) {
    if (suite.browser === false) continue;
    const evaluator = new Evaluator(suite.snapshot);
    it.each(suite.cases.filter((each) => each.browser !== false))(`${suite.name}: $name`, (each) => {
      const { flag, error_message, ...fields } = evaluator.evaluate(each.flag, each.unit, each.context ?? {}, each.kind, each.default);
      expect(flag).toBe(each.flag);
      expect(fields).toEqual(each.expect);
      expect(error_message === null).toBe(fields.error_code === null);
    });
  }
});
