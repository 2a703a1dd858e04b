const rotate = (word: number, by: number): number => (word << by) | (word >>> (32 - by));
const scramble = (word: number): number => Math.imul(rotate(Math.imul(word, 0xcc9e2d51), 15), 0x1b873593);

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** MurmurHash3 x86 32 (Austin Appleby, 2011) of the text's UTF-8 bytes, seed 0, as an unsigned integer. */
export function murmur3(text: string): number {
  const bytes = utf8(text);
  const size = bytes.length;
  const whole = size & ~3;
  let hash = 0;
  for (let at = 0; at < whole; at += 4) {
    const word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    hash = (Math.imul(rotate(hash ^ scramble(word), 13), 5) + 0xe6546b64) | 0;
  }
  let tail = 0;
  for (let at = size - 1; at >= whole; at--) tail = (tail << 8) | bytes[at]!;
  hash ^= scramble(tail) ^ size;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** The bucket of a unit under a salt, 0 to 9999. */
export function bucket(salt: string, unit: string): number {
  return Math.floor((murmur3(salt + ":" + unit) * 10000) / 4294967296);
}

/** The unit as hashed: a non-empty string as it is, a safe integer in base 10, anything else no unit. */
export function unitText(unit: unknown): string | null {
  if (typeof unit === "string") return unit || null;
  return Number.isSafeInteger(unit) ? String(unit) : null;
}
