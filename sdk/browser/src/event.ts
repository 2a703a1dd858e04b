/** One event as the intake takes it. */
export interface Event {
  event_id: string;
  name: string;
  time: string;
  sequence: number;
  unit_type?: string;
  unit?: string;
  user_id?: string;
  anonymous_id?: string;
  session_id?: string;
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
  let text: string;
  try {
    text = JSON.stringify(event);
  } catch {
    const properties: Record<string, unknown> = {};
    for (const name of Object.keys(event.properties)) {
      try {
        properties[name] = JSON.parse(JSON.stringify(event.properties[name])) as unknown;
      } catch {
        properties[name] = String(event.properties[name]);
      }
    }
    text = JSON.stringify({ ...event, properties });
  }
  return text.replace(/\\\\|\\u(?:0000|d[89a-f]..)/g, (found) => (found === "\\\\" ? found : "\\ufffd"));
}
