import { createServer, type Server } from "node:http";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createClient } from "../src/client.js";
import type { Event } from "../src/event.js";

let server: Server;
let url: string;
let batches: Event[][];
let statuses: number[];

beforeEach(async () => {
  batches = [];
  statuses = [];
  server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const status = statuses.shift() ?? 200;
      const { batch } = JSON.parse(Buffer.concat(parts).toString()) as { batch: Event[] };
      if (status === 200) batches.push(batch);
      response.writeHead(status, { "Content-Type": "application/json" });
      response.end(JSON.stringify({ accepted: batch.length, quarantined: 0, rejected: [] }));
    });
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
});

afterEach(() => new Promise<void>((done) => (server.closeAllConnections(), server.close(() => done()))));

const quiet = { definitions: { format: 1 as const, project: "p", environment: "e", revision: 1, flags: {} } };

describe("delivery from Node", () => {
  it("sends in order, in batches of at most 100 events and 60 kB", async () => {
    const client = createClient({ url, key: "k", unit: "u1", ...quiet, flushSeconds: 60 });
    for (let n = 0; n < 250; n++) client.track("e", { n, pad: "é".repeat(n < 50 ? 1000 : 1) });
    while (!(await client.flush()));
    expect(batches.flat().map((event) => event.properties.n)).toEqual(Array.from({ length: 250 }, (_, n) => n));
    for (const batch of batches) {
      expect(batch.length).toBeLessThanOrEqual(100);
      expect(Buffer.byteLength(JSON.stringify(batch))).toBeLessThan(64_000);
    }
    expect(client.stats).toMatchObject({ sent: 250, queued: 0, dropped: 0 });
    expect(batches[0]![0]).toMatchObject({ name: "e", unit: "u1", user_id: "u1", unit_type: "user", sequence: 0 });
    expect(batches[0]![0]!.anonymous_id).toBeUndefined();
    await client.close();
  });

  it("keeps what a failing server did not take", async () => {
    const client = createClient({ url, ...quiet, flushSeconds: 60 });
    statuses = [503];
    client.track("e", { n: 1 }, { unit: 7, time: 1_700_000_000_123 });
    expect(await client.flush()).toBe(false);
    expect(client.stats).toMatchObject({ sent: 0, queued: 1 });
    await new Promise((done) => setTimeout(done, 1100));
    expect(await client.flush()).toBe(true);
    expect(batches.flat()).toMatchObject([{ unit: "7", time: "2023-11-14T22:13:20.123Z" }]);
    await client.close();
  });
});
