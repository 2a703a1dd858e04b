import Mixpanel from "mixpanel";
import { key, orders, settled, url } from "./orders.mjs";

const how = process.argv[2];
const client = Mixpanel.init(key, { host: new URL(url).hostname, port: new URL(url).port, protocol: "http" });
const given = (order) => ({
  ...order.properties,
  distinct_id: order.user,
  $device_id: order.anonymous,
  $insert_id: order.id,
  time: order.time / 1000,
});
if (how === "batch") {
  await settled((done) =>
    client.track_batch(
      orders.map((order) => ({ event: order.name, properties: given(order) })),
      { max_batch_size: 50 },
      (errors) => done(errors?.[0]),
    ),
  );
} else {
  for (const order of orders) await settled((done) => client.track(order.name, given(order), done));
  const time = { $time: orders[0].time };
  await settled((done) => client.people.set("user-0", { plan: "pro" }, time, done));
  await settled((done) => client.groups.set("company", "acme", { seats: 7 }, time, done));
  await settled((done) => client.alias("device-0", "user-0", done));
}
