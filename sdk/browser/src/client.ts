import { bucket, unitText } from "./bucket.js";
import { failure, mismatch, type Decision } from "./decision.js";
import { openDelivery, type Stats } from "./delivery.js";
import type { Context, FlagType, Value } from "./definitions.js";
import { Evaluator } from "./evaluator.js";
import { encode, uuid, type Event } from "./event.js";
import { openFaults, type Fault } from "./faults.js";
import { recall, remember } from "./exposures.js";
import { openIdentity } from "./identity.js";
import { openPrecomputed } from "./ofrep.js";
import type { Client, Widened } from "./interface.js";
import type { Consent, Options } from "./options.js";
import { watchPages } from "./pages.js";
import { loadRecorder } from "./recorder.js";
import type { Recorder, RecordingPart } from "./recording.js";
import { after, timestamp } from "./request.js";
import { attempt, eraseStorage, openStorage } from "./storage.js";
import { watchVitals, type Vital } from "./vitals.js";

const SDK = "paribus-sdk-browser/0.1.0";
const VITALS_WAIT_MS = 5000;

/** Opens a client of a Paribus server; in Node it decides and sends, and leaves out all that needs a page. */
export function createClient(options: Options = {}): Client {
  const browser = typeof document !== "undefined";
  const now = options.now ?? Date.now;
  const url = (options.url ?? "").replace(/\/$/, "");
  const stats: Stats = { sent: 0, quarantined: 0, rejected: 0, dropped: 0, withheld: 0, deduplicated: 0, queued: 0 };
  let consent: Consent = options.consent ?? "granted";
  const granted = (): boolean => consent === "granted";
  const storable = (): boolean => browser && granted();
  const storage = openStorage(() => localStorage, storable);
  const session = openStorage(() => sessionStorage, storable);
  const seen = new Set<string>();
  const variants: Record<string, string> = {};
  if (consent === "denied") eraseStorage();
  const identity = openIdentity(storage, granted, browser, now);
  const delivery = openDelivery(
    {
      endpoint: url + "/api/v1/events",
      key: options.key,
      storage,
      stats,
      flushSeconds: options.flushSeconds ?? 1,
      queueLimit: options.queueLimit ?? 1000,
      allowed: granted,
      now,
    },
    uuid(),
  );
  const pageId = uuid();
  const listeners = new Set<(flags: string[]) => void>();
  const undo: (() => void)[] = [];
  let user = unitText(options.unit);
  let context = options.context ?? {};
  let sequence = 0;
  let held: Event[] = [];
  let vitals: Vital[] = [];
  let recorder: Recorder | null = null;
  let isRecording = false;
  let reportedDrops = 0;
  let leaving = false;
  let closed = false;

  const unit = (): string | null =>
    user !== null && options.assignBy !== "anonymous" ? user : (identity.anonymousId() ?? user);

  const changed = (flags: string[]): void => {
    for (const listener of listeners) {
      try {
        listener(flags);
      } catch (error) {
        faults.capture(error);
      }
    }
  };
  let evaluator = options.definitions ? new Evaluator(options.definitions) : null;
  const precomputed = evaluator
    ? null
    : openPrecomputed({
        url,
        key: options.key,
        storage,
        allowed: () => granted() || (consent === "pending" && options.decideBeforeConsent === true),
        changed,
        pollSeconds: options.pollSeconds ?? 0,
      });

  function decide(flag: string, given?: unknown, extra?: Context, fallback?: Value): Decision {
    const target = given === undefined ? unit() : given;
    if (evaluator) {
      return evaluator.evaluate(flag, target, extra ? { ...context, ...extra } : context, kindOf(fallback), fallback);
    }
    if (unitText(target) !== unit()) {
      return failure(flag, "INVALID_CONTEXT", "decided for another unit: call identify", unitText(target));
    }
    const found = precomputed!.decide(flag);
    const matches = fallback === undefined || fallback === null || typeof found.value === typeof fallback;
    return found.variant === null || matches ? found : mismatch(found, typeof fallback);
  }

  function expose(decision: Decision): void {
    const { flag, unit: exposed, assigned, served } = decision;
    if (!exposed || !assigned || closed) return;
    variants[flag] = served!;
    if (!remember(seen, session, decision)) {
      stats.deduplicated++;
      return;
    }
    const environment = options.environment ?? evaluator?.snapshot.environment ?? precomputed?.environment() ?? null;
    const {
      value: _value,
      variant: _variant,
      error_code: _code,
      error_message: _message,
      rule: _rule,
      ...facts
    } = decision;
    record(
      "$exposure",
      { ...facts, environment, sdk: SDK, sequence },
      {
        unit: exposed,
        unit_type: decision.unit_type ?? "user",
      },
    );
  }

  function record(name: string, properties: Record<string, unknown>, about: Partial<Event> = {}, kept = true): void {
    if (consent === "denied") {
      stats.withheld++;
      return;
    }
    const event: Event = {
      event_id: uuid(),
      name,
      time: timestamp(now()),
      sequence: sequence++,
      ...whose(),
      ...about,
      properties,
      context: { sdk: SDK, page: browser ? location.pathname : undefined },
    };
    if (granted()) return delivery.add(encode(event), kept);
    held.push(event);
    if (held.length > (options.queueLimit ?? 1000)) {
      held.shift();
      stats.dropped++;
    }
  }

  // JSON leaves out what is undefined.
  function whose(): Partial<Event> {
    const current = unit() ?? undefined;
    return {
      unit_type: current && (options.unitType ?? "user"),
      unit: current,
      user_id: user ?? undefined,
      anonymous_id: identity.anonymousId() ?? undefined,
      session_id: identity.sessionId() ?? undefined,
    };
  }

  const faults = openFaults((fault: Fault) => record("$error", { ...fault, variants: { ...variants } }), now);

  function reportVitals(): void {
    const settled = vitals;
    vitals = [];
    for (const vital of settled) record("$web_vital", { ...vital, variants: { ...variants } });
  }

  /** The page may be gone after this returns. */
  function hide(): void {
    faults.settle();
    reportVitals();
    recorder?.leave();
    if (stats.dropped > reportedDrops) {
      record("$dropped", { count: stats.dropped - reportedDrops });
      reportedDrops = stats.dropped;
    }
    if (leaving) delivery.unload();
    else void delivery.flush();
  }

  function on(type: string, listener: () => void): void {
    addEventListener(type, listener);
    undo.push(() => removeEventListener(type, listener));
  }

  async function startRecorder(): Promise<void> {
    const { recording } = options;
    if (!browser || !recording || !granted() || isRecording) return;
    const settings = recording === true ? {} : recording;
    if (bucket("recording", identity.sessionId()!) >= (settings.sample ?? 1) * 10000) return;
    isRecording = true;
    try {
      const { startRecording } = await loadRecorder(settings.scriptUrl);
      isRecording = granted() && !closed;
      const report = (part: RecordingPart): void => record("$recording", { ...part }, {}, false);
      if (isRecording) recorder = startRecording(pageId, settings, report, (lost) => (stats.dropped += lost));
    } catch (error) {
      faults.capture(error);
    }
  }

  function stopRecorder(): void {
    recorder?.stop();
    recorder = null;
    isRecording = false;
  }

  /** Decides for whoever is here now. */
  async function load(): Promise<void> {
    if (evaluator) changed(evaluator.flags);
    else await precomputed!.load(unit(), context);
  }

  function setConsent(next: Consent): void {
    if (next === consent || closed) return;
    consent = next;
    if (next === "granted") {
      const before = identity.anonymousId();
      identity.settle(seen.size > 0);
      const after = identity.anonymousId();
      const waiting = held;
      held = [];
      for (const event of waiting) {
        if (event.anonymous_id) event.anonymous_id = after!;
        if (event.unit && event.unit === before) event.unit = after!;
        delivery.add(encode(event));
      }
      recall(seen, session);
      delivery.adopt();
      void load();
      void startRecorder();
      return;
    }
    stopRecorder();
    if (next === "denied") {
      stats.withheld += held.length + delivery.discard();
      held = [];
      vitals = [];
      seen.clear();
      precomputed?.pause();
      eraseStorage();
    }
  }

  if (browser) {
    recall(seen, session);
    delivery.adopt();
    on("pagehide", () => {
      leaving = true;
      hide();
    });
    on("pageshow", () => (leaving = false));
    // On the window, so that it comes after the listeners of web-vitals on the document.
    on("visibilitychange", () => {
      if (document.visibilityState === "hidden") {
        // Browsers allow six connections to a server over HTTP/1.1: tabs in the background must not hold them.
        precomputed?.pause();
        return hide();
      }
      leaving = false;
      void precomputed?.refresh();
    });
    on("online", () => {
      delivery.wake();
      void precomputed?.refresh();
    });
    if (options.errors !== false) undo.push(faults.watch(window));
    if (options.pageViews) {
      undo.push(
        watchPages((trigger) =>
          record("$page_view", {
            path: location.pathname,
            title: document.title,
            referrer: document.referrer.replace(/[?#].*$/, ""),
            trigger,
          }),
        ),
      );
    }
    if (options.vitals !== false) {
      watchVitals((vital) => {
        if (closed) return;
        vitals.push(vital);
        if (document.visibilityState === "hidden") hide();
        else after(VITALS_WAIT_MS, reportVitals);
      });
    }
    void startRecorder();
  }
  const ready = load();

  return {
    ready,
    get anonymousId() {
      return identity.anonymousId();
    },
    variants,
    get stats() {
      return { ...stats, queued: delivery.waiting() + held.length };
    },
    variant(flag, given, extra) {
      const decision = decide(flag, given, extra);
      expose(decision);
      return decision.variant;
    },
    value<T extends Value>(flag: string, fallback: T, given?: string | number, extra?: Context): Widened<T> {
      const decision = decide(flag, given, extra, fallback);
      expose(decision);
      return (decision.variant === null ? fallback : decision.value) as Widened<T>;
    },
    peek: (flag, given, extra) => decide(flag, given, extra).variant,
    decide,
    expose,
    track(name, properties = {}, about = {}) {
      const fields: Partial<Event> = {};
      const { unit: other, time } = about;
      if (other !== undefined) fields.unit = unitText(other) ?? undefined;
      if (time !== undefined) fields.time = attempt(() => timestamp(Number(time)), String(time));
      record(name, { ...properties }, fields);
    },
    identify(given, extra) {
      const next = unitText(given);
      if (extra) context = extra;
      if (next !== null && next !== user) {
        user = next;
        record("$identify", {});
      }
      return load();
    },
    reset() {
      user = null;
      identity.renew();
      for (const flag of Object.keys(variants)) delete variants[flag];
      return load();
    },
    setConsent,
    setDefinitions(definitions) {
      if (!evaluator) return;
      evaluator = new Evaluator(definitions);
      void load();
    },
    captureError: (error, details) => faults.capture(error, "captured", details),
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    flush: () => delivery.flush(),
    async close() {
      if (closed) return;
      faults.settle();
      reportVitals();
      stopRecorder();
      closed = true;
      undo.forEach((step) => step());
      precomputed?.close();
      await delivery.flush();
      delivery.close();
    },
  };
}

function kindOf(fallback: Value | undefined): FlagType | null {
  if (fallback === undefined || fallback === null) return null;
  const type = typeof fallback;
  return type === "boolean" || type === "string" ? type : type === "number" ? "float" : "json";
}
