import { OFREPProvider } from "@openfeature/ofrep-provider";
import { OpenFeature } from "@openfeature/server-sdk";
import { key, options, url } from "./orders.mjs";

const provider = new OFREPProvider({ baseUrl: url, headers: [["Authorization", `Bearer ${key}`]] });
await OpenFeature.setProviderAndWait(provider);
const client = OpenFeature.getClient();
const found = [];
for (const unit of options.units) {
  const details = await client.getStringDetails("checkout", "none", { targetingKey: unit, country: "DE" });
  found.push([details.value, details.variant, details.reason, details.flagMetadata.probability]);
}
const types = {
  boolean: await client.getBooleanValue("boolean", false, { targetingKey: "u1" }),
  number: await client.getNumberValue("number", 0, { targetingKey: "u1" }),
  object: await client.getObjectValue("object", {}, { targetingKey: "u1" }),
  missing: (await client.getBooleanDetails("no-such-flag", true, { targetingKey: "u1" })).errorCode,
};
console.log(JSON.stringify({ found, types }));
await OpenFeature.close();
