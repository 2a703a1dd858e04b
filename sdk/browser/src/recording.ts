import { record } from "rrweb";
import { mask } from "./masking.js";

/** What a recording may show; unless told otherwise, all text and all input is masked. */
export interface RecordingOptions {
  /** Share of sessions recorded, 0 to 1. */
  sample?: number;
  /** Record texts as they are; inputs stay masked. */
  showText?: boolean;
  /** Elements that are recorded as empty boxes. */
  blockSelector?: string;
  maximumMinutes?: number;
  /** Where `recording.js` is served, when not beside the SDK's own file. */
  scriptUrl?: string;
}

/** A part of a chunk of recorded events, as the event `$recording` carries it. */
export interface RecordingPart {
  recording: string;
  chunk: number;
  part: number;
  parts: number;
  encoding: "gzip+base64" | "json";
  data: string;
  from: number;
  to: number;
  count: number;
}

export interface Recorder {
  /** Reports what was gathered at once, uncompressed: the page is going away. */
  leave: () => void;
  stop: () => void;
}

const CHUNK_MS = 5_000;
const PART_CHARACTERS = 24_000;
const LEAVING_CHARACTERS = 40_000;

interface Recorded {
  type: number;
  data: unknown;
  timestamp: number;
}

interface Chunk {
  events: Recorded[];
  number: number;
  text: string;
}

/** Records the page in chunks; `lost` counts recorded events that could not be reported. */
export function startRecording(
  recording: string,
  options: RecordingOptions,
  report: (part: RecordingPart) => void,
  lost: (count: number) => void,
): Recorder {
  let gathered: Recorded[] = [];
  const packing = new Set<Chunk>();
  let chunk = 0;
  const deadline = Date.now() + (options.maximumMinutes ?? 30) * 60_000;

  function send({ events, number }: Chunk, encoding: RecordingPart["encoding"], text: string): void {
    const parts = Math.ceil(text.length / PART_CHARACTERS);
    for (let part = 0; part < parts; part++) {
      const data = text.slice(part * PART_CHARACTERS, (part + 1) * PART_CHARACTERS);
      const span = { from: events[0]!.timestamp, to: events[events.length - 1]!.timestamp, count: events.length };
      report({ recording, chunk: number, part, parts, encoding, data, ...span });
    }
  }

  function take(): Chunk | null {
    const events = gathered;
    gathered = [];
    return events.length ? { events, number: chunk++, text: JSON.stringify(events) } : null;
  }

  async function flush(): Promise<void> {
    const taken = take();
    if (!taken) return;
    packing.add(taken);
    const packed = typeof CompressionStream === "undefined" ? null : await gzip(taken.text).catch(() => null);
    if (packing.delete(taken)) send(taken, packed ? "gzip+base64" : "json", packed ?? taken.text);
  }

  const stopRecord = record({
    emit: (event) => {
      const { type, data, timestamp } = event as Recorded;
      mask(data, options.showText === true);
      gathered.push({ type, data, timestamp });
      if (timestamp > deadline) stop();
    },
    maskAllInputs: true,
    ...(options.showText ? {} : { maskTextSelector: "*" }),
    blockSelector: options.blockSelector ?? "[data-paribus-block]",
    inlineStylesheet: true,
    slimDOMOptions: "all",
    sampling: { mousemove: 100, scroll: 200 },
  });
  const timer = setInterval(() => void flush(), CHUNK_MS);

  function leave(): void {
    const last = take();
    if (last) packing.add(last);
    let room = LEAVING_CHARACTERS;
    for (const taken of packing) {
      room -= taken.text.length;
      if (room < 0) lost(taken.events.length);
      else send(taken, "json", taken.text);
    }
    packing.clear();
  }

  function stop(): void {
    clearInterval(timer);
    stopRecord?.();
    void flush();
  }

  void Promise.resolve().then(flush);
  return { leave, stop };
}

async function gzip(text: string): Promise<string> {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  let binary = "";
  for (let at = 0; at < bytes.length; at += 8192) binary += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(binary);
}
