// Evaluates flagd configurations by flagd's own engine: { suites: [{ configuration, cases: [{ flag, context }] }] }.
import { readFileSync } from "node:fs";
import { FlagdCore } from "@openfeature/flagd-core";

const quiet = { error() {}, warn() {}, info() {}, debug() {} };
const { suites } = JSON.parse(readFileSync(0, "utf8"));
const found = suites.map(({ configuration, types, cases }) => {
  const core = new FlagdCore(undefined, quiet);
  core.setConfigurations(JSON.stringify(configuration));
  return cases.map(({ flag, context }) => {
    try {
      const answer = core.resolve(types[flag], flag, null, context, quiet);
      return [answer.variant ?? null, answer.reason];
    } catch (error) {
      return [null, String(error)];
    }
  });
});
console.log(JSON.stringify(found));
