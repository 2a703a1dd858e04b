import { bucket, unitText } from "./bucket.js";
import { conditionCompiler, type CompiledCondition } from "./condition.js";
import { decision, failure, mismatch, type Decision, type Reason } from "./decision.js";
import { Problem, need, own, type Context, type Flag, type FlagType, type Rollout, type Snapshot, type Value } from "./definitions.js";

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
    const { flag, problem } = compiled;
    const result = this.#decide(key, compiled, target, context);
    if (!problem && kind && kind !== flag.type && !(kind === "float" && flag.type === "integer")) {
      return { ...mismatch(result, kind), value: fallback };
    }
    return result.variant === null ? { ...result, value: fallback } : result;
  }

  #find(key: string): CompiledFlag | null {
    const known = this.#compiled.get(key);
    if (known) return known;
    const flag = own(this.snapshot?.flags, key);
    if (!flag) return null;
    const compiled: CompiledFlag = { flag, problem: null, rules: [], values: new Map(), standard: null };
    try {
      this.#compile(key, compiled);
    } catch (error) {
      compiled.problem = error instanceof Problem ? error.message : "the definition cannot be read";
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
    const hasType = need(own(TYPES, flag.type), `no type ${flag.type}`);
    for (const { name, value } of flag.variants) {
      need(typeof name === "string" && name && !values.has(name) && hasType(value), `variant ${name} has no name or value of its own`);
      values.set(name, value);
    }
    const known = (variant: string): string => need(values.has(variant) && variant, `no variant ${variant}`);
    compiled.standard = known(flag.default_variant);
    for (const holdout of flag.holdouts ?? []) need(own(snapshot.holdouts, holdout), `no holdout ${holdout}`);
    for (const { flag: needed, variants } of flag.prerequisites ?? []) {
      const other = need(own(snapshot.flags, needed), `no flag ${needed}`);
      for (const variant of variants) {
        need(other.variants.some(({ name }) => name === variant), `no variant ${variant} of flag ${needed}`);
      }
    }
    need(!this.#isOnCycle(key), "its prerequisites form a cycle");
    const names = new Set<string>();
    for (const rule of flag.rules ?? []) {
      const when = rule.when ? this.#compileCondition(rule.when) : null;
      when?.names.forEach((name) => names.add(name));
      const { rollout } = rule;
      need((rule.variant === undefined) !== !rollout, `rule ${rule.id} needs a variant or a rollout`);
      let layerSalt: string | undefined;
      if (rollout) {
        let total = 0;
        for (const { variant, weight_bp } of rollout.split) {
          known(variant);
          total += need(Number.isInteger(weight_bp) && weight_bp >= 0, "a weight that is no share") && weight_bp;
        }
        need(total === 10000, `the split adds up to ${total}, not 10000`);
        if (rollout.layer) layerSalt = need(own(snapshot.layers, rollout.layer.key), `no layer ${rollout.layer.key}`).salt;
      } else known(rule.variant!);
      compiled.rules.push({ id: rule.id, when, names: [...names], variant: rule.variant, rollout, layerSalt });
    }
  }

  #decide(key: string, { flag, problem, rules, values, standard }: CompiledFlag, target: string | null, context: Context): Decision {
    const unit = flag.unit_attribute ? unitText(own(context, flag.unit_attribute)) : target;
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
        revision: flag.revision,
        rule: rule?.id ?? null,
        unit,
        unit_type: flag.unit_type,
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
    for (const { flag: needed, variants } of flag.prerequisites ?? []) {
      const found = this.#decide(needed, this.#find(needed)!, target, context);
      if (!found.variant || !variants.includes(found.variant)) return give(standard, "PREREQUISITE");
    }
    const sticky = listed(flag.sticky);
    if (sticky) return give(sticky, "STICKY");
    if (unit !== null) {
      for (const name of flag.holdouts ?? []) {
        const { salt, share_bp } = own(this.snapshot.holdouts, name)!;
        if (bucket(salt, unit) < share_bp) return give(standard, "HOLDOUT");
      }
    }
    for (const rule of rules) {
      if (rule.when && rule.when.holds(context, target) !== true) continue;
      const { rollout } = rule;
      if (!rollout) return give(rule.variant!, "TARGETING_MATCH", rule);
      if (unit === null) return give(standard, "INVALID_UNIT", rule);
      if (rollout.layer) {
        const place = bucket(rule.layerSalt!, unit);
        if (place < rollout.layer.from_bp || place >= rollout.layer.to_bp) return give(standard, "DEFAULT", rule);
      }
      if (bucket(rollout.traffic_salt, unit) >= rollout.traffic_bp) return give(standard, "DEFAULT", rule);
      let place = bucket(rollout.split_salt, unit);
      for (const { variant, weight_bp } of rollout.split) {
        if (place < weight_bp) {
          return give(variant, "SPLIT", rule, {
            epoch: rollout.epoch,
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
