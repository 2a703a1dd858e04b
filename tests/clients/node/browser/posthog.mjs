import posthog from "posthog-js/dist/module.no-external.js";

window.start = async ({ url, key, orders }) => {
  const quiet = { autocapture: false, disable_session_recording: true, disable_surveys: true, capture_pageleave: false };
  posthog.init(key, { api_host: url, opt_out_useragent_filter: true, ...quiet });
  const anonymous = posthog.get_distinct_id();
  posthog.identify("user-0", { plan: "pro" });
  const ids = orders.map(
    (order) => posthog.capture(order.name, order.properties, { timestamp: new Date(order.time) }).uuid,
  );
  return { ids, anonymous, session: posthog.get_session_id() };
};
