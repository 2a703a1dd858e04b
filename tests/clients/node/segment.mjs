import { Analytics } from "@segment/analytics-node";
import { key, orders, url } from "./orders.mjs";

const client = new Analytics({ writeKey: key, host: url });
const problems = [];
client.on("error", (error) => problems.push(String(error.reason ?? error.code)));
const first = { timestamp: new Date(orders[0].time), userId: "user-0", anonymousId: "device-0" };
client.identify({ ...first, messageId: "m-identify", traits: { plan: "pro", age: 41 } });
client.page({ ...first, messageId: "m-page", category: "Shop", name: "Cart", properties: { path: "/cart" } });
client.screen({ ...first, messageId: "m-screen", category: "Shop", name: "Cart", properties: { wide: true } });
client.group({ ...first, messageId: "m-group", groupId: "acme", traits: { seats: 7 } });
client.alias({ timestamp: first.timestamp, messageId: "m-alias", previousId: "device-0", userId: "user-0" });
for (const order of orders) {
  client.track({
    event: order.name,
    userId: order.user,
    anonymousId: order.anonymous,
    properties: order.properties,
    context: { ip: "203.0.113.7", sessionId: 17 },
    timestamp: new Date(order.time),
    messageId: order.id,
  });
}
await client.closeAndFlush();
if (problems.length) throw new Error(problems.join("; "));
