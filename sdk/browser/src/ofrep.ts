import { murmur3, unitText } from "./bucket.js";
import { decision, failure, type Decision, type ErrorCode, type Reason } from "./decision.js";
import { own, type Context, type Value } from "./definitions.js";
import type { Storage } from "./storage.js";

/** Decisions that the server made for one unit and context, kept fresh. */
export interface Precomputed {
  decide: (flag: string) => Decision;
  /** Switches to a unit: its last good decisions at once, then the server's. */
  load: (unit: string | null, context: Context) => Promise<void>;
  /** Asks again; `minimumAge` leaves alone what is younger (milliseconds). */
  refresh: (minimumAge?: number) => Promise<void>;
  environment: () => string | null;
  pause: () => void;
  close: () => void;
}

interface Answer {
  key: string;
  value?: Value;
  variant?: string;
  reason?: string;
  errorCode?: string;
  errorDetails?: string;
  metadata?: Record<string, string | number | boolean>;
}

interface Bulk {
  flags: Answer[];
  metadata?: { environment?: string };
  eventStreams?: { type: string; url?: string; endpoint?: { origin?: string; requestUri: string } }[];
}

interface Settings {
  url: string;
  key: string | undefined;
  storage: Storage;
  allowed: () => boolean;
  now: () => number;
  changed: (flags: string[]) => void;
  pollSeconds: number;
}

const TIMEOUT_MS = 10_000;
const REOPEN_MS = 30_000;

/** OFREP 0.3 bulk evaluation: ETag, refetch by server-sent events, the last good answer in localStorage. */
export function openPrecomputed(settings: Settings): Precomputed {
  const { storage, now } = settings;
  let unit: string | null = null;
  let context: Context = {};
  let bulk: Bulk | null = null;
  let answers: Record<string, Answer> = {};
  let etag: string | null = null;
  let fetchedAt = 0;
  let turn = 0;
  let stream: EventSource | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let failures = 0;
  let closed = false;

  const slot = (): string => "decisions:" + murmur3(`${settings.url}\n${settings.key}\n${unit}`).toString(36);

  function apply(next: Bulk | null): void {
    const before = answers;
    bulk = next;
    answers = {};
    for (const answer of next?.flags ?? []) Object.defineProperty(answers, answer.key, { value: answer, enumerable: true });
    const keys = new Set([...Object.keys(before), ...Object.keys(answers)]);
    const changed = [...keys].filter((key) => JSON.stringify(own(before, key)) !== JSON.stringify(own(answers, key)));
    if (changed.length) settings.changed(changed);
  }

  function lastGood(): { etag: string | null; bulk: Bulk | null } {
    try {
      const found = JSON.parse(storage.get(slot()) ?? "{}") as { etag?: string; bulk?: Bulk };
      return { etag: found.etag ?? null, bulk: Array.isArray(found.bulk?.flags) ? found.bulk : null };
    } catch {
      return { etag: null, bulk: null };
    }
  }

  function later(milliseconds: number): void {
    clearTimeout(timer);
    if (closed || !milliseconds) return;
    timer = setTimeout(() => void refresh(), milliseconds);
    (timer as { unref?: () => void }).unref?.();
  }

  async function fetchBulk(query = ""): Promise<void> {
    if (closed || !settings.allowed()) return;
    const mine = ++turn;
    const headers: Record<string, string> = { "Content-Type": "application/json" };
    if (settings.key) headers.Authorization = "Bearer " + settings.key;
    if (etag) headers["If-None-Match"] = etag;
    const controller = new AbortController();
    const limit = setTimeout(() => controller.abort(), TIMEOUT_MS);
    try {
      const response = await fetch(`${settings.url}/ofrep/v1/evaluate/flags${query}`, {
        method: "POST",
        headers,
        body: JSON.stringify({ context: { ...context, ...(unit === null ? {} : { targetingKey: unit }) } }),
        signal: controller.signal,
        credentials: "omit",
      });
      const body = response.status === 200 ? ((await response.json()) as Bulk) : null;
      if (mine !== turn) return;
      if (!body && response.status !== 304) throw new Error(String(response.status));
      failures = 0;
      fetchedAt = now();
      if (body) {
        etag = response.headers.get("ETag");
        apply(body);
        for (const name of storage.names()) if (name.startsWith("decisions:") && name !== slot()) storage.remove(name);
        storage.set(slot(), JSON.stringify({ etag, bulk: body }));
      }
      listen();
      later(settings.pollSeconds * 1000);
    } catch {
      if (mine === turn) later(Math.min(60_000, 2000 * 2 ** failures++));
    } finally {
      clearTimeout(limit);
    }
  }

  const refresh = (minimumAge = 0): Promise<void> =>
    now() - fetchedAt < minimumAge ? (listen(), Promise.resolve()) : fetchBulk();

  function listen(): void {
    const source = bulk?.eventStreams?.find(({ type }) => type === "sse");
    if (stream || !source || closed || typeof EventSource === "undefined") return;
    const { endpoint } = source;
    const opened = new EventSource(source.url ?? (endpoint!.origin ?? settings.url) + endpoint!.requestUri);
    stream = opened;
    opened.onmessage = (event: MessageEvent<string>) => {
      try {
        const data = JSON.parse(event.data) as { type: string; etag?: string; lastModified?: string | number };
        if (data.type !== "refetchEvaluation") return;
        const query = [
          data.etag && "flagConfigEtag=" + encodeURIComponent(data.etag),
          data.lastModified && "flagConfigLastModified=" + encodeURIComponent(data.lastModified),
        ];
        void fetchBulk("?" + query.filter(Boolean).join("&"));
      } catch {
        // A message of another kind.
      }
    };
    opened.onerror = () => {
      // The browser reconnects by itself, unless the server refused the stream; either way a change may be missed.
      if (opened.readyState === EventSource.CLOSED) {
        pause();
        later(REOPEN_MS);
      }
    };
  }

  function pause(): void {
    stream?.close();
    stream = null;
  }

  return {
    refresh,
    pause,
    environment: () => bulk?.metadata?.environment ?? null,
    close: () => {
      closed = true;
      clearTimeout(timer);
      pause();
    },
    load: (nextUnit, nextContext) => {
      const same = bulk !== null && nextUnit === unit;
      unit = nextUnit;
      context = nextContext;
      if (!same) {
        etag = null;
        const cached = lastGood();
        etag = cached.etag;
        apply(cached.bulk);
      }
      return fetchBulk();
    },
    decide: (flag) => {
      const answer = own(answers, flag);
      if (!bulk) return failure(flag, "PROVIDER_NOT_READY", "the decisions have not arrived", unit);
      if (!answer) return failure(flag, "FLAG_NOT_FOUND", `there is no flag ${flag} for this key`, unit);
      return read(answer, unit, context);
    },
  };
}

/** The decision in an OFREP answer; our server adds the fields that OFREP lacks as metadata. */
function read(answer: Answer, unit: string | null, context: Context): Decision {
  const { metadata = {}, variant = null } = answer;
  const number = (name: string): number | null => (typeof metadata[name] === "number" ? metadata[name] : null);
  const text = (name: string): string | null => (typeof metadata[name] === "string" ? metadata[name] : null);
  const unitAttribute = text("unit_attribute");
  const attributes: Record<string, unknown> = {};
  for (const name of text("attribute_names")?.split(",") ?? []) {
    const given = own(context, name) ?? null;
    if (given !== null) attributes[name] = given;
  }
  const code = answer.errorCode ?? text("errorCode");
  const split = number("split_bp");
  return decision(answer.key, (code ? "ERROR" : (text("reason") ?? answer.reason ?? "DEFAULT")) as Reason, {
    value: answer.value,
    variant,
    assigned: text("assigned") ?? variant,
    served: text("served") ?? variant,
    error_code: code as ErrorCode | null,
    error_message: answer.errorDetails ?? text("errorDetails"),
    revision: number("revision"),
    epoch: number("epoch"),
    traffic_bp: number("traffic_bp"),
    split_bp: split,
    probability: number("probability") ?? (split === null ? null : split / 10000),
    unit: unitAttribute ? unitText(own(context, unitAttribute)) : unit,
    unit_type: text("unit_type") ?? "user",
    attributes,
  });
}
