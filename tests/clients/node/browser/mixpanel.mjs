import mixpanel from "mixpanel-browser";

window.start = async ({ url, key, orders, batch }) => {
  const options = { api_host: url, persistence: "localStorage", batch_requests: batch, batch_flush_interval_ms: 300 };
  mixpanel.init(key, { ...options, autocapture: false, ignore_dnt: true, track_pageview: true });
  const anonymous = mixpanel.get_property("$device_id");
  mixpanel.identify("user-0");
  mixpanel.people.set({ plan: "pro" });
  const given = (order) => ({ ...order.properties, time: order.time / 1000, $insert_id: order.id });
  for (const order of orders) mixpanel.track(order.name, given(order));
  return { anonymous };
};
