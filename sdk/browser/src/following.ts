import type { Snapshot } from "./definitions.js";
import type { Client } from "./interface.js";
import { after } from "./request.js";

export interface Following {
  /** Address of the server, without a trailing slash; empty for the page's own. */
  url?: string;
  /** A key of server scope. Never in a page that strangers open: definitions tell who gets what. */
  key: string;
  /** Wait at most this long before connecting again. */
  retrySeconds?: number;
}

/**
 * Keeps a client that has full definitions (`createClient({ definitions })`) up to date by the server's stream, for
 * kiosks, desktop shells and Node; pages ask the server for decisions and are told of changes without this.
 *
 * Returns how to stop.
 */
export function followDefinitions(client: Client, options: Following): () => void {
  const controller = new AbortController();
  const { signal } = controller;
  const longest = (options.retrySeconds ?? 30) * 1000;
  let failures = 0;

  async function follow(): Promise<void> {
    try {
      const response = await fetch((options.url ?? "") + "/api/v1/definitions/stream", {
        headers: { Authorization: "Bearer " + options.key, Accept: "text/event-stream" },
        credentials: "omit",
        cache: "no-store",
        signal,
      });
      if (!response.ok || !response.body) throw new Error(String(response.status));
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        text += value;
        const events = text.split("\n\n");
        text = events.pop()!;
        for (const event of events) {
          const lines = event.split("\n");
          if (!lines.includes("event: definitions")) continue;
          failures = 0;
          const data = lines.filter((line) => line.startsWith("data: ")).map((line) => line.slice(6));
          client.setDefinitions(JSON.parse(data.join("\n")) as Snapshot);
        }
      }
    } catch {
      // The last good definitions stay in force.
    }
    if (!signal.aborted) after(Math.min(longest, 500 * 2 ** failures++), () => void follow());
  }

  void follow();
  return () => controller.abort();
}
