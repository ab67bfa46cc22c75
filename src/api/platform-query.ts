import { Fault, faultOf } from "#base";
import type { ImageDetail } from "#engine";
import { formatPlatform, parsePlatform, platformDistance } from "#image";
import type { Exchange } from "./exchange.ts";
import { jsonSyntaxError } from "./json-syntax.ts";

/** The platform of a pull, an import or a create, which is written as "linux/arm64". */
export function platformOf({ query }: Exchange): string | undefined {
  const text = query.text("platform");
  return text === undefined ? undefined : checked(text, text);
}

/** The platform of every other request, which is JSON ({"os": "linux", ...}), in our words for one. */
export function jsonPlatformOf({ query }: Exchange): string | undefined {
  const text = query.text("platform");
  return text === undefined ? undefined : platformOfJson(text);
}

/** The one platform whose image is to be removed; Docker removes no several at once. */
export function removedPlatformOf({ query }: Exchange): string | undefined {
  const texts = query.all("platforms");
  if (texts.length > 1) throw new Fault("invalid", "multiple platforms are not supported");
  return texts.map(platformOfJson)[0];
}

function checked(written: string, text: string): string {
  try {
    parsePlatform(written);
  } catch (cause) {
    throw new Fault(
      "invalid",
      `"${text}": cannot parse platform specifier: ${faultOf(cause).message}`,
      { about: text, cause },
    );
  }
  return written;
}

/** In the words of Docker's decoder, which takes keys whatever their case. */
function platformOfJson(text: string): string {
  const refuse = (why: string) => new Fault("invalid", `failed to parse platform: ${why}`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw refuse(text === "" ? "unexpected end of JSON input" : jsonSyntaxError(text));
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw refuse(`json: cannot unmarshal ${kindOf(value)} into Go value of type v1.Platform`);
  const fields = new Map(Object.entries(value).map(([key, each]) => [key.toLowerCase(), each]));
  const parts = ["os", "architecture", "variant"].map((name): string => {
    const part: unknown = fields.get(name) ?? "";
    if (typeof part === "string") return part;
    const field = `Go struct field Platform.${name} of type string`;
    throw refuse(`json: cannot unmarshal ${kindOf(part)} into ${field}`);
  });
  const [os, architecture] = parts;
  if (!os || !architecture) throw new Fault("invalid", "both OS and Architecture must be provided");
  return checked(parts.filter((part) => part !== "").join("/"), text);
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "array";
  return typeof value === "boolean" ? "bool" : typeof value;
}

/**
 * For a question about an image for one platform: an image for another platform is not found, in
 * Docker's words.
 */
export function requirePlatform(
  wanted: string | undefined,
  ref: string,
  { config }: ImageDetail,
): void {
  if (wanted === undefined) return;
  const platform = parsePlatform(wanted);
  if (platformDistance(platform, config) !== undefined) return;
  throw new Fault(
    "not_found",
    `image with reference ${ref} was found but its platform (${formatPlatform(config)}) does not match the specified platform (${formatPlatform(platform)})`,
    { about: ref },
  );
}
