import { readFileSync } from "node:fs";
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

const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../../spec/vectors/${name}.json`, import.meta.url), "utf8"));

describe("bucketing vectors", () => {
  const { cases } = read("bucketing") as {
    cases: { name: string; salt: string; unit: string; hash: number; bucket: number }[];
  };
  it("pass", () => {
    expect(cases.length).toBeGreaterThan(50);
    for (const each of cases) {
      expect(murmur3(`${each.salt}:${each.unit}`), each.name).toBe(each.hash);
      expect(bucket(each.salt, each.unit), each.name).toBe(each.bucket);
    }
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
  const { suites } = read("evaluation") as {
    suites: { name: string; browser?: boolean; snapshot: Snapshot; cases: Case[] }[];
  };
  for (const suite of suites) {
    if (suite.browser === false) continue;
    const evaluator = new Evaluator(suite.snapshot);
    it(suite.name, () => {
      for (const each of suite.cases.filter(({ browser }) => browser !== false)) {
        const { flag, error_message, ...fields } = evaluator.evaluate(
          each.flag,
          each.unit,
          each.context ?? {},
          each.kind,
          each.default,
        );
        expect(flag).toBe(each.flag);
        expect(fields, each.name).toEqual(each.expect);
        expect(error_message === null, each.name).toBe(fields.error_code === null);
      }
    });
  }
});
