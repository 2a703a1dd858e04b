import { createElement, type ReactElement } from "react";
import { renderToString } from "react-dom/server";
import { describe, expect, it } from "vitest";
import { createClient } from "../src/client.js";
import { ErrorBoundary, useVariant } from "../src/react.js";

const definitions = {
  format: 1 as const,
  project: "default",
  environment: "dev",
  revision: 1,
  flags: { f: { type: "boolean" as const, default_variant: "on", variants: [{ name: "on", value: true }] } },
};

describe("React on the server", () => {
  it("renders children and variants without a page and without an exposure", async () => {
    const client = createClient({ definitions, unit: "u1" });
    const Shown = (): ReactElement => createElement("b", null, useVariant(client, "f"));
    const html = renderToString(createElement(ErrorBoundary, { client }, createElement(Shown)));
    expect(html).toBe("<b>on</b>");
    expect(client.stats.queued).toBe(0);
    await client.close();
  });
});
