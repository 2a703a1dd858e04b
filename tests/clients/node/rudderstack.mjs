import Analytics from "@rudderstack/rudder-sdk-node";
import { key, orders, url } from "./orders.mjs";

const client = new Analytics(key, { dataPlaneUrl: url, flushAt: 50, logLevel: "error", retryCount: 0 });
const first = { timestamp: new Date(orders[0].time), userId: "user-0", anonymousId: "device-0" };
client.identify({ ...first, messageId: "m-identify", traits: { plan: "pro", age: 41 } });
client.page({ ...first, messageId: "m-page", name: "Cart", properties: { path: "/cart", category: "Shop" } });
client.screen({ ...first, messageId: "m-screen", name: "Cart", properties: { wide: true, category: "Shop" } });
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
await client.flush();
