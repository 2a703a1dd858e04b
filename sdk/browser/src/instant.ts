const PATTERN = /^(\d{4}-\d\d-\d\d)T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/i;

/** Epoch milliseconds of an RFC 3339 text, digits beyond them dropped; null when it is none or has no offset. */
export function parseInstant(text: string): number | null {
  const date = PATTERN.exec(text)?.[1];
  // Browsers disagree about a day that its month lacks, unless the date stands alone.
  return date && new Date(date).toJSON()?.startsWith(date) ? Date.parse(text.toUpperCase()) : null;
}
