import { OFREPWebProvider } from "@openfeature/ofrep-web-provider";
import { OpenFeature, ProviderEvents } from "@openfeature/web-sdk";

window.changes = [];

window.start = async ({ url, key, unit, pollInterval }) => {
  OpenFeature.addHandler(ProviderEvents.ConfigurationChanged, (event) => window.changes.push(event.flagsChanged));
  await OpenFeature.setContext({ targetingKey: unit, country: "DE" });
  const headers = [["Authorization", `Bearer ${key}`]];
  await OpenFeature.setProviderAndWait(new OFREPWebProvider({ baseUrl: url, headers, pollInterval }));
};

window.details = (flag) => OpenFeature.getClient().getStringDetails(flag, "none");
window.move = (unit) => OpenFeature.setContext({ targetingKey: unit, country: "DE" });
