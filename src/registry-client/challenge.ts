/** One way in that a registry offers in WWW-Authenticate (RFC 9110 section 11.6.1); the scheme and names in lower case. */
export interface Challenge {
  readonly scheme: string;
  readonly parameters: ReadonlyMap<string, string>;
}

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const maxLength = 16 << 10;

/**
 * The challenges of all fields together. A malformed part ends the reading; the challenges before
 * it count.
 */
export function parseChallenges(fields: readonly string[]): Challenge[] {
  const text = fields.join(", ").slice(0, maxLength);
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  const part = new RegExp(
    `[\\s,]*(?:(${token})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|([^\\s,"]+))|(${token})(?=\\s|,|$))`,
    "y",
  );
  for (let match = part.exec(text); match; match = part.exec(text)) {
    const [, name, quoted, plain, scheme] = match;
    if (scheme !== undefined) {
      challenges.push({ scheme: scheme.toLowerCase(), parameters: new Map() });
    } else if (name !== undefined) {
      const value = quoted?.replaceAll(/\\(.)/g, "$1") ?? plain ?? "";
      challenges.at(-1)?.parameters.set(name.toLowerCase(), value);
    }
  }
  return challenges;
}
