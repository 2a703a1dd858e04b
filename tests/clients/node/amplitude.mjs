import { createInstance, Identify } from "@amplitude/analytics-node";
import { key, orders, url } from "./orders.mjs";

const path = process.argv[2];
const client = createInstance();
await client.init(key, { serverUrl: url + path, flushQueueSize: 50, useBatch: path === "/batch" }).promise;
const who = { user_id: "user-0", device_id: "device-0", time: orders[0].time, insert_id: "i-1" };
const sent = [client.identify(new Identify().set("plan", "pro").add("visits", 2), who)];
orders.forEach((order, index) => {
  sent.push(
    client.track(order.name, order.properties, {
      user_id: order.user,
      device_id: order.anonymous,
      time: order.time,
      insert_id: order.id,
      session_id: order.time,
      event_id: index,
      country: "Germany",
    }),
  );
});
sent.push(
  client.track("$exposure", { flag_key: "checkout", variant: "on" }, { user_id: "user-0", insert_id: "x-1" }),
);
await client.flush().promise;
const results = await Promise.all(sent.map(({ promise }) => promise));
const failed = results.filter(({ code }) => code !== 200);
if (failed.length) throw new Error(JSON.stringify(failed[0]));
