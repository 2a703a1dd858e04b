import { createServer, type Server, type ServerResponse } from "node:http";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createClient } from "../src/client.js";
import type { Snapshot } from "../src/definitions.js";
import { followDefinitions } from "../src/following.js";

let server: Server;
let url: string;
let open: ServerResponse[];
let asked: (string | undefined)[];

beforeEach(async () => {
  open = [];
  asked = [];
  server = createServer((request, response) => {
    asked.push(request.headers.authorization);
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    open.push(response);
    response.write("retry: 2000\n\n: still here\n\n");
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
});

afterEach(() => new Promise<void>((done) => (server.closeAllConnections(), server.close(() => done()))));

const serving = (revision: number, variant: string): Snapshot =>
  ({
    format: 1,
    project: "p",
    environment: "e",
    revision,
    flags: {
      checkout: {
        type: "string",
        revision,
        enabled: true,
        killed: false,
        unit_type: "user",
        unit_attribute: null,
        variants: [
          { name: "control", value: "ä" },
          { name: "treatment", value: "b" },
        ],
        default_variant: variant,
        client: true,
        prerequisites: [],
        holdouts: [],
        overrides: {},
        sticky: {},
        rules: [],
      },
    },
    audiences: {},
    layers: {},
    holdouts: {},
  }) as unknown as Snapshot;

const until = async (test: () => boolean): Promise<void> => {
  while (!test()) await new Promise((done) => setTimeout(done, 5));
};

it("takes over each state, in pieces too, comes back after an end, and stops", async () => {
  const client = createClient({ url, unit: "u1", definitions: serving(1, "control") });
  const stop = followDefinitions(client, { url, key: "secret", retrySeconds: 0.05 });
  await until(() => open.length === 1);
  const written = Buffer.from(`event: definitions\nid: 2\ndata: ${JSON.stringify(serving(2, "treatment"))}\n\n`);
  const middle = written.indexOf(Buffer.from("ä")) + 1; // within a letter
  open[0]!.write(written.subarray(0, middle));
  await new Promise((done) => setTimeout(done, 20));
  expect(client.peek("checkout")).toBe("control");
  open[0]!.write(written.subarray(middle));
  await until(() => client.peek("checkout") === "treatment");
  open[0]!.end();
  await until(() => open.length === 2);
  open[1]!.write(`event: definitions\nid: 3\ndata: ${JSON.stringify(serving(3, "control"))}\n\n`);
  await until(() => client.peek("checkout") === "control");
  expect(asked).toEqual(["Bearer secret", "Bearer secret"]);
  stop();
  await new Promise((done) => setTimeout(done, 150));
  expect(open.length).toBe(2);
  await client.close();
});
