import { utf8 } from "./bucket.js";
import { after, post, timestamp } from "./request.js";
import type { Storage } from "./storage.js";

/** Counts of what became of events; nothing is lost without showing here. */
export interface Stats {
  /** Acknowledged by the server. */
  sent: number;
  /** Of those, set aside by the server because they break the tracking plan. */
  quarantined: number;
  /** Refused by the server for good. */
  rejected: number;
  /** Given up here because the queue was full. */
  dropped: number;
  /** Not recorded because the visitor denied consent. */
  withheld: number;
  /** Exposures not repeated. */
  deduplicated: number;
  /** Waiting now. */
  queued: number;
}

export interface Delivery {
  /** Takes an event's JSON; `kept` false keeps it out of the backup (large recordings). */
  add: (json: string, kept?: boolean) => void;
  /** Sends all that waits, unless the server asked for a pause; true when the queue is empty afterwards. */
  flush: () => Promise<boolean>;
  /** Ends a back-off early: the network is there again. */
  wake: () => void;
  /** Hands what waits to the browser as the page goes away. */
  unload: () => void;
  /** Writes the backup and takes over what pages that ended left behind. */
  adopt: () => void;
  /** Forgets all that waits; how many that were. */
  discard: () => number;
  waiting: () => number;
  close: () => void;
}

interface Waiting {
  json: string;
  kept: boolean;
  /** Given to the browser as the page went away; whether it arrived is not known. */
  handed: boolean;
}

interface Settings {
  endpoint: string;
  key: string | undefined;
  storage: Storage;
  stats: Stats;
  flushSeconds: number;
  queueLimit: number;
  allowed: () => boolean;
  now: () => number;
}

const BATCH = 100;
/** Browsers allow 64 kB in all keepalive requests and beacons under way together. */
const KEEPALIVE_BYTES = 60_000;
const BACKUP_CHARACTERS = 1_000_000;
/** A backup that its page has not touched for this long belongs to a page that is gone. */
const ABANDONED_MS = 20_000;
const HEARTBEAT_MS = 5_000;

const size = (text: string): number => utf8(text).length;

/** Delivers events at least once, in order, by their ids exactly once: in batches, with retry, surviving the page. */
export function openDelivery(settings: Settings, name: string): Delivery {
  const { endpoint, key, storage, stats, now } = settings;
  const backup = "queue:" + name;
  let queue: Waiting[] = [];
  let flying = 0;
  let characters = 0;
  let failures = 0;
  let resumeAt = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let saver: ReturnType<typeof setTimeout> | undefined;
  let adopter: ReturnType<typeof setTimeout> | undefined;
  let running: Promise<boolean> | null = null;
  let closed = false;

  function save(released = false): void {
    clearTimeout(saver);
    saver = undefined;
    let room = BACKUP_CHARACTERS;
    const parts = queue.filter(({ json, kept }) => kept && (room -= json.length) > 0).map(({ json }) => json);
    if (!parts.length) return storage.remove(backup);
    storage.set(backup, `{"time":${released ? 0 : now()},"events":[${parts.join(",")}]}`);
    // The time says that this page is alive; a frozen or ended page stops saying so.
    if (!released && !closed) saver = after(HEARTBEAT_MS, () => save());
  }

  function saveSoon(): void {
    if (queue.length < 64) return save();
    saver ??= after(200, () => save());
  }

  function schedule(milliseconds: number): void {
    if (closed || timer !== undefined || !queue.length) return;
    timer = after(milliseconds, () => void flush());
  }

  /** The first of these events that fit one request, one at least. */
  function batch(waiting: Waiting[], count = BATCH): { events: Waiting[]; body: string } {
    const events: Waiting[] = [];
    let bytes = 60;
    for (const event of waiting.slice(0, count)) {
      bytes += size(event.json) + 1;
      if (events.length && bytes > KEEPALIVE_BYTES) break;
      events.push(event);
    }
    return { events, body: `{"sent_at":"${timestamp(now())}","batch":[${events.map(({ json }) => json).join(",")}]}` };
  }

  function remove(events: Waiting[]): void {
    queue = queue.filter((event) => !events.includes(event) || ((characters -= event.json.length), false));
  }

  async function drain(): Promise<boolean> {
    let largest = BATCH;
    while (queue.length && settings.allowed()) {
      if (now() < resumeAt) break;
      const { events, body } = batch(queue, largest);
      flying = events.length;
      const answer = await post(endpoint, key, body, { keepalive: size(body) < KEEPALIVE_BYTES }).catch(() => null);
      flying = 0;
      const status = answer ? answer.status : 0;
      if (status >= 200 && status < 300) {
        failures = 0;
        const result = (await answer!.json().catch(() => ({}))) as { quarantined?: number; rejected?: unknown[] };
        const rejected = Array.isArray(result.rejected) ? result.rejected.length : 0;
        stats.sent += events.length - rejected;
        stats.rejected += rejected;
        stats.quarantined += result.quarantined ?? 0;
      } else if (status === 413 && events.length > 1) {
        largest = Math.ceil(events.length / 2);
        continue;
      } else if (status >= 400 && status < 500 && status !== 408 && status !== 429) {
        stats.rejected += events.length;
      } else {
        const pause = Math.min(60_000, 1000 * 2 ** failures++) * (0.5 + Math.random() / 2);
        const asked = Number(answer?.headers.get("Retry-After")) * 1000;
        resumeAt = now() + Math.max(pause, asked || 0);
        break;
      }
      remove(events);
      save();
    }
    if (queue.length) schedule(Math.max(resumeAt - now(), settings.flushSeconds * 1000));
    return !queue.length;
  }

  function flush(): Promise<boolean> {
    clearTimeout(timer);
    timer = undefined;
    return (running ??= drain().finally(() => (running = null)));
  }

  function unload(): void {
    // What is in flight or handed over stays in the backup: only an answer proves delivery, and ids make a second
    // delivery harmless.
    if (settings.allowed() && navigator.onLine !== false) {
      for (;;) {
        const waiting = queue.slice(flying).filter(({ handed }) => !handed);
        const { events, body } = batch(waiting.sort((a, b) => Number(b.kept) - Number(a.kept)));
        if (!events.length) break;
        if (!navigator.sendBeacon(endpoint + (key ? "?key=" + encodeURIComponent(key) : ""), body)) break;
        for (const event of events) event.handed = true;
      }
    }
    save(true);
  }

  function adopt(): void {
    if (closed) return;
    for (const other of storage.names()) {
      if (!other.startsWith("queue:") || other === backup) continue;
      try {
        const { time, events } = JSON.parse(storage.get(other)!) as { time: number; events: unknown[] };
        if (now() - time < ABANDONED_MS && now() >= time) {
          // Another tab, or one that crashed just now: time will tell.
          clearTimeout(adopter);
          adopter = after(ABANDONED_MS, adopt);
          continue;
        }
        storage.remove(other);
        for (const event of events) add(JSON.stringify(event));
      } catch {
        stats.dropped++;
        storage.remove(other);
      }
    }
    save();
  }

  function add(json: string, kept = true): void {
    if (closed) {
      stats.dropped++;
      return;
    }
    queue.push({ json, kept, handed: false });
    characters += json.length;
    while (
      queue.length - flying > settings.queueLimit ||
      (characters > 4 * BACKUP_CHARACTERS && queue.length > flying + 1)
    ) {
      characters -= queue.splice(flying, 1)[0]!.json.length;
      stats.dropped++;
    }
    if (kept) saveSoon();
    if (settings.allowed()) {
      if (queue.length >= BATCH && now() >= resumeAt) void flush();
      else schedule(Math.max(resumeAt - now(), settings.flushSeconds * 1000));
    }
  }

  return {
    add,
    flush,
    wake: () => {
      resumeAt = 0;
      void flush();
    },
    unload,
    adopt,
    waiting: () => queue.length,
    discard: () => {
      const count = queue.length;
      queue = [];
      characters = 0;
      clearTimeout(saver);
      return count;
    },
    close: () => {
      closed = true;
      clearTimeout(timer);
      save(true);
    },
  };
}
