import { AnalyticsBrowser } from "@segment/analytics-next";

window.start = async ({ url, key, orders, delivery }) => {
  const endpoint = { apiKey: key, apiHost: `${new URL(url).host}/v1`, protocol: "http", deliveryStrategy: delivery };
  const analytics = AnalyticsBrowser.load({ writeKey: key, cdnSettings: { integrations: { "Segment.io": endpoint } } });
  const contexts = [
    await analytics.identify("user-0", { plan: "pro", age: 41 }),
    await analytics.page("Shop", "Cart", { wide: true }),
    await analytics.group("acme", { seats: 7 }),
  ];
  for (const order of orders) {
    contexts.push(await analytics.track(order.name, order.properties, { timestamp: new Date(order.time) }));
  }
  const user = await analytics.user();
  return { ids: contexts.map(({ event }) => event.messageId), anonymous: user.anonymousId() };
};
