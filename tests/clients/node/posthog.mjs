import { PostHog } from "posthog-node";
import { key, orders, url } from "./orders.mjs";

const client = new PostHog(key, { host: url, flushAt: 50, disableCompression: process.argv[2] === "plain" });
const problems = [];
client.on("error", (error) => problems.push(String(error)));
const timestamp = new Date(orders[0].time);
client.groupIdentify({ groupType: "company", groupKey: "acme", properties: { seats: 7 }, distinctId: "user-0" });
client.alias({ distinctId: "user-0", alias: "device-0" });
for (const order of orders) {
  client.capture({
    event: order.name,
    distinctId: order.user,
    properties: { ...order.properties, $device_id: order.anonymous, $session_id: "s-1" },
    timestamp: new Date(order.time),
    uuid: order.id,
  });
}
await client.getFeatureFlag("checkout", "user-1");
client.capture({
  event: "$feature_flag_called",
  distinctId: "user-2",
  properties: { $feature_flag: "checkout", $feature_flag_response: "treatment", $feature_flag_version: 4 },
  timestamp,
});
await client.shutdown();
if (problems.length) throw new Error(problems.join("; "));
