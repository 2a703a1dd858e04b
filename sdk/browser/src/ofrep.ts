import { murmur3, unitText } from "./bucket.js";
import { decision, failure, type Decision, type ErrorCode, type Reason } from "./decision.js";
import { own, type Context, type Value } from "./definitions.js";
import { after, post } from "./request.js";
import { attempt, type Storage } from "./storage.js";

/** Decisions that the server made for one unit and context, kept fresh. */
export interface Precomputed {
  decide: (flag: string) => Decision;
  /** Switches to a unit: its last good decisions at once, then the server's. */
  load: (unit: string | null, context: Context) => Promise<void>;
  /** Asks again, and listens for changes. */
  refresh: () => Promise<void>;
  environment: () => string | null;
  /** Stops listening. */
  pause: () => void;
  close: () => void;
}

interface Answer {
  key: string;
  value?: Value;
  variant?: string;
  reason?: Reason;
  errorCode?: ErrorCode;
  errorDetails?: string;
  metadata?: Partial<Decision> & {
    errorCode?: ErrorCode;
    errorDetails?: string;
    /** The attribute that is the unit, for a flag that is not decided by the targeting key. */
    unit_attribute?: string;
    /** Attributes that the deciding rules name, comma between. */
    attribute_names?: string;
  };
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
  changed: (flags: string[]) => void;
  pollSeconds: number;
}

const TIMEOUT_MS = 10_000;
const REOPEN_MS = 30_000;

/** OFREP 0.3 bulk evaluation: ETag, refetch by server-sent events, the last good answer in localStorage. */
export function openPrecomputed(settings: Settings): Precomputed {
  const { storage } = settings;
  let unit: string | null = null;
  let context: Context = {};
  let bulk: Bulk | null = null;
  let answers = new Map<string, Answer>();
  let etag: string | null = null;
  let turn = 0;
  let stream: EventSource | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let failures = 0;
  let closed = false;

  const slot = (): string => "decisions:" + murmur3(`${settings.url}\n${settings.key}\n${unit}`).toString(36);

  function apply(next: Bulk | null): void {
    const before = answers;
    bulk = next;
    answers = new Map((next?.flags ?? []).map((answer) => [answer.key, answer]));
    const keys = new Set([...before.keys(), ...answers.keys()]);
    const changed = [...keys].filter((key) => JSON.stringify(before.get(key)) !== JSON.stringify(answers.get(key)));
    if (changed.length) settings.changed(changed);
  }

  const lastGood = (): { etag?: string; bulk?: Bulk } =>
    attempt(() => JSON.parse(storage.get(slot()) ?? "{}") as { etag?: string; bulk?: Bulk }, {});

  function later(milliseconds: number): void {
    clearTimeout(timer);
    if (closed || !milliseconds) return;
    timer = after(milliseconds, () => void fetchBulk());
  }

  async function fetchBulk(query = ""): Promise<void> {
    if (closed || !settings.allowed()) return;
    const mine = ++turn;
    const controller = new AbortController();
    const limit = setTimeout(() => controller.abort(), TIMEOUT_MS);
    try {
      const asked = JSON.stringify({ context: { ...context, targetingKey: unit ?? undefined } });
      const response = await post(`${settings.url}/ofrep/v1/evaluate/flags${query}`, settings.key, asked, {
        headers: etag ? { "If-None-Match": etag } : {},
        signal: controller.signal,
      });
      const body = response.status === 200 ? ((await response.json()) as Bulk) : null;
      if (mine !== turn) return;
      if (!body && response.status !== 304) throw new Error(String(response.status));
      failures = 0;
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

  function listen(): void {
    const source = bulk?.eventStreams?.find(({ type }) => type === "sse");
    if (stream || !source || closed || typeof document === "undefined" || document.visibilityState === "hidden") return;
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
    refresh: () => fetchBulk(),
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
        etag = cached.etag ?? null;
        apply(cached.bulk ?? null);
      }
      return fetchBulk();
    },
    decide: (flag) => {
      const answer = answers.get(flag);
      if (!bulk) return failure(flag, "PROVIDER_NOT_READY", "no decisions yet", unit);
      if (!answer) return failure(flag, "FLAG_NOT_FOUND", `no flag ${flag}`, unit);
      return read(answer, unit, context);
    },
  };
}

/** The decision in an OFREP answer; our server adds the fields that OFREP lacks as metadata of the same names. */
function read(answer: Answer, unit: string | null, context: Context): Decision {
  const { key, value, variant = null, metadata = {} } = answer;
  const { errorCode, errorDetails, unit_attribute, attribute_names, ...facts } = metadata;
  const code = answer.errorCode ?? errorCode;
  const attributes: Record<string, unknown> = {};
  for (const name of attribute_names?.split(",") ?? []) {
    const given = own(context, name) ?? null;
    if (given !== null) attributes[name] = given;
  }
  return decision(key, code ? "ERROR" : (answer.reason ?? "DEFAULT"), {
    assigned: variant,
    served: variant,
    unit_type: "user",
    ...facts,
    value,
    variant,
    error_code: code ?? null,
    error_message: answer.errorDetails ?? errorDetails ?? null,
    unit: unit_attribute ? unitText(own(context, unit_attribute)) : unit,
    attributes,
  });
}
