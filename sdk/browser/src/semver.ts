const PATTERN =
  /^v?(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][\da-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][\da-zA-Z-]*))*))?(?:\+[\da-zA-Z-]+(?:\.[\da-zA-Z-]+)*)?$/;

/** A version of Semantic Versioning 2.0 (build metadata left out, a leading v allowed), or null. */
export type Version = { numbers: string[]; labels: string[] };

export function parseVersion(text: unknown): Version | null {
  const parts = typeof text === "string" && text.length <= 256 ? PATTERN.exec(text) : null;
  return parts && { numbers: parts.slice(1, 4) as string[], labels: parts[4] ? parts[4].split(".") : [] };
}

const order = <T>(a: T, b: T): number => (a < b ? -1 : a > b ? 1 : 0);
const compareNumbers = (a: string, b: string): number => order(a.length, b.length) || order(a, b);
const isNumeric = (label: string): boolean => /^\d+$/.test(label);

/** Precedence by section 11 of the specification: negative, zero or positive. Numbers may be of any length. */
export function compareVersions(a: Version, b: Version): number {
  for (let i = 0; i < 3; i++) {
    const result = compareNumbers(a.numbers[i]!, b.numbers[i]!);
    if (result) return result;
  }
  if (!a.labels.length || !b.labels.length) return b.labels.length - a.labels.length;
  for (let i = 0; i < a.labels.length && i < b.labels.length; i++) {
    const x = a.labels[i]!;
    const y = b.labels[i]!;
    const result =
      isNumeric(x) && isNumeric(y) ? compareNumbers(x, y) : order(isNumeric(y), isNumeric(x)) || order(x, y);
    if (result) return result;
  }
  return a.labels.length - b.labels.length;
}
