import { bucket, unitText } from "./bucket.js";
import { conditionCompiler, isText, type CompiledCondition } from "./condition.js";
import { decision, failure, mismatch, type Decision, type Reason } from "./decision.js";
import {
  Problem,
  need,
  own,
  type Context,
  type Flag,
  type FlagType,
  type Rollout,
  type Snapshot,
  type Value,
} from "./definitions.js";

interface CompiledRule {
  id: string;
  when: CompiledCondition | null;
  names: string[];
  variant: string | undefined;
  rollout: Rollout | undefined;
  layerSalt: string | undefined;
}

interface CompiledFlag {
  flag: Flag;
  problem: string | null;
  rules: CompiledRule[];
  values: Map<string, Value>;
  standard: string | null;
}

const TYPES: Record<FlagType, (value: Value) => boolean> = {
  boolean: (value) => typeof value === "boolean",
  string: (value) => typeof value === "string",
  integer: Number.isInteger,
  float: Number.isFinite,
  json: () => true,
};

const DEFAULTS = {
  enabled: true,
  killed: false,
  revision: null,
  unit_type: "user",
  unit_attribute: null,
  prerequisites: [],
  holdouts: [],
  overrides: {},
  sticky: {},
  rules: [],
};

const isBoolean = (value: unknown): boolean => typeof value === "boolean";
const isObject = (value: unknown): boolean => typeof value === "object" && value !== null && !Array.isArray(value);
const isShare = (value: unknown): boolean =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 10000;

/** Throws a `Problem` that names the first field that is not as it should be. */
function check<T extends object>(object: T, is: (value: unknown) => boolean, ...names: (keyof T & string)[]): void {
  for (const name of names) need(is(object[name]), name);
}

/** Decides flags for units from one snapshot of the definitions. Never throws. */
export class Evaluator {
  readonly #compiled = new Map<string, CompiledFlag>();
  readonly #compileCondition: ReturnType<typeof conditionCompiler>;

  constructor(readonly snapshot: Snapshot) {
    this.#compileCondition = conditionCompiler(snapshot);
  }

  get flags(): string[] {
    return Object.keys(this.snapshot.flags);
  }

  /** What the flag decides for a unit; `kind` is the type asked for, `fallback` the caller's default. */
  evaluate(key: string, unit: unknown, context: Context = {}, kind?: FlagType | null, fallback?: Value): Decision {
    const target = unitText(unit);
    const compiled = this.#find(key);
    if (!compiled) return { ...failure(key, "FLAG_NOT_FOUND", `no flag ${key}`, target), value: fallback };
    const { type } = compiled.flag;
    const result = this.#decide(key, compiled, { ...context, targetingKey: target });
    if (kind && kind !== type && own(TYPES, type) && !(kind === "float" && type === "integer")) {
      return { ...mismatch(result, kind), value: fallback };
    }
    return result.variant === null ? { ...result, value: fallback } : result;
  }

  #find(key: string): CompiledFlag | null {
    const known = this.#compiled.get(key);
    if (known) return known;
    const given = own(this.snapshot?.flags, key);
    if (given === undefined) return null;
    const flag: Flag = isObject(given) ? { ...DEFAULTS, ...given } : ({ unit_attribute: " " } as Flag);
    const compiled: CompiledFlag = { flag, problem: null, rules: [], values: new Map(), standard: null };
    try {
      this.#compile(key, compiled);
    } catch (error) {
      compiled.problem = error instanceof Problem ? error.message : "unreadable";
    }
    this.#compiled.set(key, compiled);
    return compiled;
  }

  /** Whether the flag's prerequisites lead back to it. */
  #isOnCycle(key: string): boolean {
    const reached = new Set<string>();
    const reaches = (from: string): boolean =>
      (own(this.snapshot.flags, from)?.prerequisites ?? []).some(({ flag }) => {
        if (flag === key) return true;
        if (reached.has(flag)) return false;
        reached.add(flag);
        return reaches(flag);
      });
    return reaches(key);
  }

  #compile(key: string, compiled: CompiledFlag): void {
    const { flag, values } = compiled;
    const { snapshot } = this;
    const hasType = need(own(TYPES, flag.type), "type");
    for (const { name, value } of flag.variants) {
      need(typeof name === "string" && name && !values.has(name) && hasType(value), `variant ${name}`);
      values.set(name, value);
    }
    const known = (variant: string): string => need(values.has(variant) && variant, `variant ${variant}`);
    compiled.standard = known(flag.default_variant);
    const { revision, unit_attribute } = flag;
    check(flag, isBoolean, "enabled", "killed");
    check(flag, isText, "unit_type");
    check(flag, isObject, "overrides", "sticky");
    need(revision === null || Number.isInteger(revision), "revision");
    need(unit_attribute === null || isText(unit_attribute), "unit_attribute");
    for (const name of flag.holdouts) {
      const holdout = need(own(snapshot.holdouts, name), `holdout ${name}`);
      check(holdout, isShare, "share_bp");
      check(holdout, isText, "salt");
    }
    for (const { flag: needed, variants } of flag.prerequisites) {
      const other = need(own(snapshot.flags, needed), `flag ${needed}`);
      for (const variant of variants) {
        need(
          other.variants.some(({ name }) => name === variant),
          `variant ${variant} of flag ${needed}`,
        );
      }
    }
    need(!this.#isOnCycle(key), "prerequisites: a cycle");
    const names = new Set<string>();
    for (const rule of flag.rules) {
      const when = rule.when ? this.#compileCondition(rule.when) : null;
      when?.names.forEach((name) => names.add(name));
      const { rollout } = rule;
      check(rule, (id) => id === undefined || isText(id), "id");
      need((rule.variant === undefined) !== !rollout, `rule ${rule.id}`);
      let layerSalt: string | undefined;
      if (rollout) {
        const { layer } = rollout;
        check(rollout, isText, "traffic_salt", "split_salt");
        check(rollout, isShare, "traffic_bp");
        const bands = rollout.bands ?? [];
        let below = 0;
        for (const band of bands) {
          check(band, isShare, "below_bp");
          need(band.below_bp > below, "bands");
          below = band.below_bp;
        }
        for (const { epoch, split } of [...bands, rollout]) {
          need(Number.isInteger(epoch), "epoch");
          let total = 0;
          for (const each of split) {
            known(each.variant);
            check(each, isShare, "weight_bp");
            total += each.weight_bp;
          }
          need(total === 10000 && new Set(split.map(({ variant }) => variant)).size === split.length, "split");
        }
        if (layer) {
          const found = need(own(snapshot.layers, layer.key), `layer ${layer.key}`);
          check(found, isText, "salt");
          check(layer, isShare, "from_bp", "to_bp");
          need(layer.from_bp <= layer.to_bp, "layer");
          layerSalt = found.salt;
        }
      } else known(rule.variant!);
      compiled.rules.push({ id: rule.id, when, names: [...names], variant: rule.variant, rollout, layerSalt });
    }
  }

  #decide(key: string, { flag, problem, rules, values, standard }: CompiledFlag, context: Context): Decision {
    const unit = unitText(own(context, flag.unit_attribute ?? "targetingKey"));
    const give = (name: string | null, reason: Reason, rule?: CompiledRule, extra?: Partial<Decision>): Decision => {
      const attributes: Record<string, unknown> = {};
      for (const name of rule?.names ?? []) {
        const given = own(context, name) ?? null;
        if (given !== null) attributes[name] = given;
      }
      return decision(key, reason, {
        value: name === null ? undefined : values.get(name),
        variant: name,
        assigned: name,
        served: name,
        revision: Number.isInteger(flag.revision) ? flag.revision : null,
        rule: rule?.id ?? null,
        unit,
        unit_type: flag.unit_type ?? null,
        attributes,
        ...extra,
      });
    };
    if (problem) return give(standard, "ERROR", undefined, { error_code: "PARSE_ERROR", error_message: problem });
    if (flag.killed) return give(standard, "KILLED");
    if (!flag.enabled) return give(standard, "DISABLED");
    const listed = (lists: Record<string, string> | undefined): string | undefined => {
      const variant = unit === null ? undefined : own(lists, unit);
      return variant !== undefined && values.has(variant) ? variant : undefined;
    };
    const override = listed(flag.overrides);
    if (override) return give(override, "OVERRIDE");
    for (const { flag: needed, variants } of flag.prerequisites) {
      const found = this.#decide(needed, this.#find(needed)!, context);
      if (!found.variant || !variants.includes(found.variant)) return give(standard, "PREREQUISITE");
    }
    const sticky = listed(flag.sticky);
    if (sticky) return give(sticky, "STICKY");
    if (unit !== null) {
      for (const name of flag.holdouts) {
        const { salt, share_bp } = own(this.snapshot.holdouts, name)!;
        if (bucket(salt, unit) < share_bp) return give(standard, "HOLDOUT");
      }
    }
    for (const rule of rules) {
      if (rule.when && rule.when.holds(context) !== true) continue;
      const { rollout } = rule;
      if (!rollout) return give(rule.variant!, "TARGETING_MATCH", rule);
      if (unit === null) return give(standard, "INVALID_UNIT", rule);
      if (rollout.layer) {
        const place = bucket(rule.layerSalt!, unit);
        if (place < rollout.layer.from_bp || place >= rollout.layer.to_bp) return give(standard, "DEFAULT", rule);
      }
      const traffic = bucket(rollout.traffic_salt, unit);
      if (traffic >= rollout.traffic_bp) return give(standard, "DEFAULT", rule);
      const { epoch, split } = rollout.bands?.find(({ below_bp }) => traffic < below_bp) ?? rollout;
      let place = bucket(rollout.split_salt, unit);
      for (const { variant, weight_bp } of split) {
        if (place < weight_bp) {
          return give(variant, "SPLIT", rule, {
            epoch,
            traffic_bp: rollout.traffic_bp,
            split_bp: weight_bp,
            probability: weight_bp / 10000,
          });
        }
        place -= weight_bp;
      }
    }
    return give(standard, "DEFAULT", rules[rules.length - 1], { rule: null });
  }
}
