import { attempt } from "./storage.js";

/** One event as the intake takes it. */
export interface Event {
  event_id: string;
  name: string;
  time: string;
  sequence: number;
  unit_type?: string | undefined;
  unit?: string | undefined;
  user_id?: string | undefined;
  anonymous_id?: string | undefined;
  session_id?: string | undefined;
  properties: Record<string, unknown>;
  context: Record<string, unknown>;
}

/** A random UUID, version 4; `crypto.randomUUID` is missing on pages without HTTPS. */
export function uuid(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6]! & 15) | 64;
  bytes[8] = (bytes[8]! & 63) | 128;
  const hex = Array.from(bytes, (byte) => (byte + 256).toString(16).slice(1)).join("");
  return hex.replace(/(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/**
 * The event as JSON. Values that JSON does not know become text; NUL characters and lone surrogates, which no intake
 * takes, become U+FFFD.
 */
export function encode(event: Event): string {
  const text =
    attempt(() => JSON.stringify(event), "") || JSON.stringify({ ...event, properties: plain(event.properties) });
  return text.replace(/\\\\|\\u(?:0000|d[89a-f]..)/g, (found) => (found === "\\\\" ? found : "\\ufffd"));
}

function plain(properties: Record<string, unknown>): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(properties)) {
    result[name] = attempt<unknown>(
      () => JSON.parse(JSON.stringify(value)),
      attempt(() => String(value), null),
    );
  }
  return result;
}
