// OpenFeature's flagd provider, following the sync stream in process: prints what units get, and again after a change.
import { createInterface } from "node:readline";
import { FlagdProvider } from "@openfeature/flagd-provider";
import { OpenFeature, ProviderEvents } from "@openfeature/server-sdk";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const { port, key, units } = JSON.parse((await lines.next()).value);
const changes = [];
const provider = new FlagdProvider({ resolverType: "in-process", host: "127.0.0.1", port, selector: key, deadlineMs: 10000 });
await OpenFeature.setProviderAndWait(provider);
const client = OpenFeature.getClient();
client.addHandler(ProviderEvents.ConfigurationChanged, (event) => changes.push(event.flagsChanged));
const asked = async () => {
  const found = [];
  for (const unit of units) {
    const details = await client.getStringDetails("checkout", "none", { targetingKey: unit, country: "DE" });
    found.push([details.variant, details.reason]);
  }
  return found;
};
console.log(JSON.stringify(await asked()));
await lines.next();
while (changes.length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
console.log(JSON.stringify(await asked()));
await OpenFeature.close();
process.exit(0);
