/** How a circuit breaker's variant stands: served, refused, let through now and then, or refused until told otherwise. */
export type CircuitState = "closed" | "open" | "half_open" | "held";

/** When a variant trips, and for how long; the Python SDK's `BreakerPolicy` explains each number. */
export interface BreakerPolicy {
  /** Calls within their limits between two false trips, on average, at least. */
  runLength: number;
  errorFloor: number;
  slowFloor: number;
  ratio: number;
  slowRatio: number;
  slowSeconds: number;
  controlCalls: number;
  coolDownSeconds: number;
  trips: number;
  trialCalls: number;
  trialsPerSecond: number;
}

/** A change of state, as the event `$breaker` carries it. */
export interface News {
  state: CircuitState;
  cause: "errors" | "latency" | null;
  trips: number;
  cool_down_seconds: number | null;
  limit: number;
  evidence: number;
  calls: number;
  failures: number;
  control_calls: number;
  control_failures: number;
  control_p95_seconds: number | null;
}

/** A share of calls: over all of them, and over about the last ten. */
interface Rate {
  calls: number;
  failures: number;
  recent: number;
}

interface Circuit {
  flag: string;
  variant: string;
  state: CircuitState;
  trips: number;
  until: number;
  trials: number;
  tokens: number;
  refilled: number;
  calls: Rate;
  errors: number[];
  slow: number[];
}

interface ControlRecord {
  errors: Rate;
  slow: Rate;
  latencies: number;
  quantile: number;
}

/** All that a breaker knows: plain data, so that it can be kept from page to page. */
export interface Record {
  circuits: Circuit[];
  controls: { [flag: string]: ControlRecord };
}

export interface Breaker {
  /** Whether this decision is to be served as control; with `retry`, some are let through when it is time. */
  refuses: (flag: string, variant: string, retry: boolean) => boolean;
  /** How a call with the variant in force went; seconds where they are known. */
  report: (flag: string, variant: string, control: string, failed: boolean, seconds?: number) => void;
  /** Closes the circuits of a flag, or of one variant, and forgets their trips. */
  reset: (flag: string, variant?: string) => void;
  readonly record: Record;
}

const POLICY: BreakerPolicy = {
  runLength: 1e6,
  errorFloor: 0.004,
  slowFloor: 0.1,
  ratio: 2,
  slowRatio: 2,
  slowSeconds: 0.05,
  controlCalls: 50,
  coolDownSeconds: 60,
  trips: 3,
  trialCalls: 50,
  trialsPerSecond: 20,
};
const ALTERNATIVES = [0.03, 0.15, 0.5];
const HIGHEST_LIMIT = 0.95;
const MEMORY = 10;

const rate = (): Rate => ({ calls: 0, failures: 0, recent: 0 });

function count(of: Rate, failed: boolean): void {
  of.calls++;
  of.failures += Number(failed);
  of.recent += (Number(failed) - of.recent) / MEMORY;
}

function limitOf({ calls, failures, recent }: Rate, floor: number, ratio: number): number {
  return Math.min(Math.max(floor, (ratio * failures) / (calls + MEMORY), ratio * recent), HIGHEST_LIMIT);
}

/**
 * The evidence after a call whose limit was fixed before it: the mean of CUSUMs of likelihood ratios against three
 * higher rates, an e-detector whose average run length to a false alarm is at least its threshold (Shin, Ramdas and
 * Rinaldo 2024, arXiv 2203.03532).
 */
function weigh(sums: number[], failed: boolean, limit: number): number {
  let total = 0;
  ALTERNATIVES.forEach((step, index) => {
    const above = limit + (1 - limit) * step;
    total += sums[index] = Math.max(sums[index] ?? 0, 1) * (failed ? above / limit : (1 - above) / (1 - limit));
  });
  return total / ALTERNATIVES.length;
}

/** Control's 95th percentile of latency, tracked in steps (Robbins and Monro 1951). */
function track(control: ControlRecord, seconds: number): void {
  if (++control.latencies === 1) {
    control.quantile = seconds;
    return;
  }
  const step = Math.max(control.quantile, 1e-4) * Math.max(1 / control.latencies ** 0.6, 0.02);
  control.quantile = Math.max(control.quantile + step * (seconds > control.quantile ? 0.95 : -0.05), 0);
}

/**
 * Circuits of the variants that were reported on; `say` hears each change of state.
 *
 * @param clock seconds
 * @param known what an earlier page left
 */
export function openBreaker(
  say: (flag: string, variant: string, news: News) => void,
  clock: () => number,
  given: Partial<BreakerPolicy> = {},
  known?: Record,
): Breaker {
  const policy = { ...POLICY, ...given };
  const record: Record = known ?? { circuits: [], controls: {} };

  const find = (flag: string, variant: string): Circuit | undefined =>
    record.circuits.find((each) => each.flag === flag && each.variant === variant);

  const controlOf = (flag: string): ControlRecord =>
    (Object.hasOwn(record.controls, flag) ? record.controls[flag] : undefined) ??
    (record.controls[flag] = { errors: rate(), slow: rate(), latencies: 0, quantile: 0 });

  const slowBeyond = ({ quantile }: ControlRecord): number => Math.max(policy.slowSeconds, policy.slowRatio * quantile);

  function tell(circuit: Circuit, cause: News["cause"], limit: number, evidence: number): void {
    const { errors, latencies, quantile } = controlOf(circuit.flag);
    say(circuit.flag, circuit.variant, {
      state: circuit.state,
      cause,
      trips: circuit.trips,
      cool_down_seconds: circuit.state === "open" ? circuit.until - clock() : null,
      limit,
      evidence,
      calls: circuit.calls.calls,
      failures: circuit.calls.failures,
      control_calls: errors.calls,
      control_failures: errors.failures,
      control_p95_seconds: latencies ? quantile : null,
    });
  }

  function trip(circuit: Circuit, cause: "errors" | "latency", limit: number, evidence: number): void {
    circuit.trips++;
    circuit.errors = [];
    circuit.slow = [];
    circuit.state = circuit.trips >= policy.trips ? "held" : "open";
    circuit.until = clock() + policy.coolDownSeconds * 2 ** (circuit.trips - 1);
    tell(circuit, cause, limit, evidence);
  }

  function reportControl(control: ControlRecord, failed: boolean, seconds: number | undefined): void {
    count(control.errors, failed);
    if (seconds === undefined) return;
    if (control.latencies >= policy.controlCalls) count(control.slow, seconds > slowBeyond(control));
    track(control, seconds);
  }

  function reportVariant(control: ControlRecord, circuit: Circuit, failed: boolean, seconds: number | undefined): void {
    count(circuit.calls, failed);
    if (circuit.state === "open" || circuit.state === "held") return;
    let limit = limitOf(control.errors, policy.errorFloor, policy.ratio);
    let evidence = weigh(circuit.errors, failed, limit);
    if (evidence >= policy.runLength) return trip(circuit, "errors", limit, evidence);
    if (seconds !== undefined && control.latencies >= policy.controlCalls) {
      limit = limitOf(control.slow, policy.slowFloor, policy.ratio);
      evidence = weigh(circuit.slow, seconds > slowBeyond(control), limit);
      if (evidence >= policy.runLength) return trip(circuit, "latency", limit, evidence);
    }
    if (circuit.state === "half_open" && ++circuit.trials >= policy.trialCalls) {
      circuit.state = "closed";
      tell(circuit, null, limit, evidence);
    }
  }

  return {
    record,
    refuses(flag, variant, retry) {
      const circuit = find(flag, variant);
      if (!circuit || circuit.state === "closed") return false;
      if (!retry) return true;
      const now = clock();
      if (circuit.state === "open" && now >= circuit.until) {
        circuit.state = "half_open";
        circuit.trials = 0;
        circuit.tokens = policy.trialsPerSecond;
        circuit.refilled = now;
        circuit.errors = [];
        circuit.slow = [];
        tell(circuit, null, 0, 0);
      }
      if (circuit.state !== "half_open") return true;
      const perSecond = policy.trialsPerSecond;
      circuit.tokens = Math.min(circuit.tokens + (now - circuit.refilled) * perSecond, perSecond);
      circuit.refilled = now;
      if (circuit.tokens < 1) return true;
      circuit.tokens--;
      return false;
    },
    report(flag, variant, control, failed, seconds) {
      const known = seconds !== undefined && seconds >= 0 && seconds < Infinity ? seconds : undefined;
      if (variant === control) return reportControl(controlOf(flag), failed, known);
      let circuit = find(flag, variant);
      if (!circuit) {
        circuit = { flag, variant, state: "closed", trips: 0, until: 0, trials: 0, tokens: 0, refilled: 0 } as Circuit;
        record.circuits.push(Object.assign(circuit, { calls: rate(), errors: [], slow: [] }));
      }
      reportVariant(controlOf(flag), circuit, failed, known);
    },
    reset(flag, variant) {
      record.circuits = record.circuits.filter(
        (each) => each.flag !== flag || (variant !== undefined && each.variant !== variant),
      );
    },
  };
}
