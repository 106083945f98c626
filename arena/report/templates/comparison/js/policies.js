// The threshold policy of the page: `columnsOf` has the columns of every model under it. Its counts are unpacked on first use.

const POLICIES = data.policies.map(([name, title]) => ({ name, title }));
let policy = "own";
let policyBlock = null;

/** The title of a policy for the middle of a sentence. */
function policyTitle(name = policy) {
  const title = POLICIES.find((one) => one.name === name)?.title ?? name;
  return name === "own" ? "own thresholds" : `thresholds “${title}”`;
}

/** Whether the page has the counts of every tag under a policy. */
function hasCounts(name) {
  return name === "own" || data.chains.some((chain) => chain.includes(name));
}

/** Whether the page lacks the counts of a tag under its policy, although they exist. */
function lacksCounts(tag) {
  return policy !== "own" && hasCounts(policy) && models.every((_, model) => columnsOf[model].tp[tag] === null);
}

/** The columns that the block of the policies has. */
const COUNTED_COLUMNS = { tp: true, fp: true, threshold: true };

/** One model's columns under another policy than its own thresholds. What needs no threshold is the same under all. */
class PolicyColumns extends ModelColumns {
  constructor(model, name) {
    super(model);
    this.policy = name;
  }

  stored(name) {
    if (Object.hasOwn(COUNTED_COLUMNS, name)) return this.counted(name);
    const [, key] = /^(.*?)(?:_low|_high)?$/.exec(name);
    return Object.hasOwn(DERIVED, key) ? undefined : super.stored(name);
  }

  counted(name) {
    this.made ??= {};
    this.made[name] ??= policyColumn(this.model, this.policy, name) ?? new Array(tagCount).fill(null);
    return this.made[name];
  }

  /** Intervals follow from counts only where those of the own thresholds do: not where near duplicates widen them. */
  formula(name) {
    const widened = /_(low|high)$/.test(name) && block.column(`${this.model}.f1_low`) !== undefined;
    return widened ? undefined : super.formula(name);
  }
}

/** A column of counts: the sum of the steps from the own thresholds through the chain; null where unknown. */
function policyColumn(model, name, key) {
  const chain = data.chains[model] ?? [];
  if (!chain.includes(name)) return undefined;
  if (key === "threshold") return policyBlock.column(`${model}.${name}.threshold`);
  const now = ownColumns[model][key].map((value) => value ?? 0);
  let codes = [];
  for (const one of chain.slice(0, chain.indexOf(name) + 1)) {
    codes = policyBlock.column(`${model}.${one}.${key}`);
    for (let tag = 0; tag < tagCount; tag += 1) now[tag] += codes[tag] % 2 ? -(codes[tag] + 1) / 2 : codes[tag] / 2;
  }
  return now.map((value, tag) => (codes[tag] === null ? null : value));
}

const policyColumns = new Map([["own", ownColumns]]);

/** Set the policy of the page; resolves when the columns of all tags are those of the policy. */
async function usePolicy(name) {
  policyBlock ??= name === "own" ? null : new Block(await inflated("policy-block"));
  if (!policyColumns.has(name)) policyColumns.set(name, models.map((_, model) => new PolicyColumns(model, name)));
  policy = name;
  columnsOf.splice(0, models.length, ...policyColumns.get(name));
}

/** The headline metrics: keys in order, and titles. */
const METRICS_IN_ORDER = Object.keys(data.differences);
const METRIC_TITLES = { macro_f1: "Macro F1", micro_f1: "Micro F1", map: "mAP" };
