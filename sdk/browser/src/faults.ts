export interface Fault {
  kind: "error" | "unhandledrejection" | "boundary" | "captured";
  type: string;
  message: string;
  stack?: string;
  source?: string;
  line?: number;
  column?: number;
  /** How often the same fault came again since it was reported. */
  repeated?: number;
  [detail: string]: unknown;
}

export interface Faults {
  capture: (error: unknown, kind?: Fault["kind"], details?: Record<string, unknown>) => void;
  /** Reports the repetitions counted since the last report. */
  settle: () => void;
  watch: (target: Window) => () => void;
}

const PER_MINUTE = 10;
const REMEMBERED = 50;

/**
 * Errors of a page, each once: the same error again only raises a count that is reported when the page is left, and
 * more than ten different ones a minute are counted as one fault of type `Suppressed`.
 */
export function openFaults(report: (fault: Fault) => void, now: () => number): Faults {
  const seen = new Map<string, { fault: Fault; repeats: number }>();
  let windowStart = 0;
  let inWindow = 0;
  let suppressed = 0;

  const capture: Faults["capture"] = (error, kind = "captured", details = {}) => {
    const given = error as { name?: unknown; message?: unknown; stack?: unknown } | null | undefined;
    const isError = typeof given === "object" && given !== null && "message" in given;
    const fault: Fault = {
      kind,
      type: String((isError && given.name) || typeof error),
      message: limit(isError ? given.message : error, 500),
      ...(isError && given.stack ? { stack: limit(given.stack, 4000) } : {}),
      ...details,
    };
    const identity = `${fault.type}\n${fault.message}\n${(fault.stack ?? "").split("\n").slice(0, 3).join()}`;
    const known = seen.get(identity);
    if (known) {
      known.repeats++;
      return;
    }
    if (now() - windowStart > 60_000) {
      windowStart = now();
      inWindow = 0;
    }
    if (++inWindow > PER_MINUTE || seen.size >= REMEMBERED) {
      suppressed++;
      return;
    }
    seen.set(identity, { fault, repeats: 0 });
    report(fault);
  };

  return {
    capture,
    settle: () => {
      for (const known of seen.values()) {
        if (known.repeats) report({ ...known.fault, repeated: known.repeats });
        known.repeats = 0;
      }
      if (suppressed)
        report({ kind: "captured", type: "Suppressed", message: "too many errors", repeated: suppressed });
      suppressed = 0;
    },
    watch: (target) => {
      const onError = (event: ErrorEvent): void =>
        capture(event.error ?? event.message, "error", {
          source: withoutQuery(event.filename),
          line: event.lineno,
          column: event.colno,
        });
      const onRejection = (event: PromiseRejectionEvent): void => capture(event.reason, "unhandledrejection");
      target.addEventListener("error", onError);
      target.addEventListener("unhandledrejection", onRejection);
      return () => {
        target.removeEventListener("error", onError);
        target.removeEventListener("unhandledrejection", onRejection);
      };
    },
  };
}

function limit(value: unknown, characters: number): string {
  try {
    return String(value).slice(0, characters);
  } catch {
    return "unprintable";
  }
}

const withoutQuery = (address: string): string => address.replace(/[?#].*$/, "");
