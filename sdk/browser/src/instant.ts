const PATTERN =
  /^(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/i;

/** Epoch milliseconds of an RFC 3339 text, digits beyond them dropped; null when it is none or has no offset. */
export function parseInstant(text: string): number | null {
  const parts = PATTERN.exec(text);
  // Browsers disagree about a day that its month lacks.
  if (!parts || Number(parts[3]) > new Date(Date.UTC(Number(parts[1]), Number(parts[2]), 0)).getUTCDate()) return null;
  const milliseconds = Date.parse(text.toUpperCase());
  return Number.isNaN(milliseconds) ? null : milliseconds;
}
