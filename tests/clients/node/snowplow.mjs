import { buildPageView, buildSelfDescribingEvent, buildStructEvent, newTracker } from "@snowplow/node-tracker";
import { key, orders, url } from "./orders.mjs";

const failures = [];
const tracker = newTracker(
  { namespace: "shop", appId: key },
  {
    endpoint: url,
    eventMethod: process.argv[2],
    bufferSize: process.argv[2] === "get" ? 1 : 50,
    onRequestFailure: (failure) => failures.push(failure.message ?? String(failure.status)),
  },
);
const cart = [{ schema: "iglu:com.example/cart/jsonschema/1-0-0", data: { id: 7 } }];
const ids = [];
const note = (payload) => ids.push(payload.eid);
for (const order of orders) {
  tracker.setUserId(order.user);
  tracker.setDomainUserId(order.anonymous);
  tracker.setSessionId("s-1");
  const schema = `iglu:com.example/${order.name.replaceAll(" ", "_").toLowerCase()}/jsonschema/1-0-0`;
  const event = buildSelfDescribingEvent({ event: { schema, data: order.properties } });
  note(tracker.track(event, cart, { type: "ttm", value: order.time }));
}
const page = { pageUrl: "http://shop.test/cart", pageTitle: "Cart", referrer: "http://shop.test/" };
note(tracker.track(buildStructEvent({ category: "shop", action: "add", label: "ä label", property: "size", value: 9.9 })));
note(tracker.track(buildPageView(page)));
await tracker.flush();
if (failures.length) throw new Error(failures.join("; "));
console.log(JSON.stringify(ids));
