import { Fault, faultOf } from "#base";
import type { ImageDetail } from "#engine";
import { formatPlatform, parsePlatform, platformDistance } from "#image";
import type { Exchange } from "./exchange.ts";
import { jsonSyntaxError } from "./json-syntax.ts";

/** As the query has it: "linux/arm64", or from API 1.48 on JSON ({"os": "linux", ...}). */
export function platformOf({ query }: Exchange): string | undefined {
  const text = query.text("platform");
  if (text === undefined || text === "") return undefined;
  const written = text.startsWith("{") ? platformOfJson(text) : text;
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

function platformOfJson(text: string): string {
  try {
    const value: unknown = JSON.parse(text);
    const { os, architecture, variant } = value as Record<string, unknown>;
    return [os, architecture, variant]
      .filter((part) => typeof part === "string" && part !== "")
      .join("/");
  } catch (cause) {
    throw new Fault("invalid", `invalid platform: ${text}`, { about: text, cause });
  }
}

/**
 * For a question about an image for one platform: an image for another platform is not found, in
 * Docker's words.
 */
export function requirePlatform(exchange: Exchange, ref: string, image: ImageDetail): void {
  const wanted = platformOf(exchange);
  if (wanted !== undefined) checkPlatform(ref, image, wanted);
}

/** For a removal: the one platform of an image that has no others. */
export function requirePlatforms(exchange: Exchange, ref: string, image: ImageDetail): void {
  const [text, ...more] = exchange.query.all("platforms");
  if (text === undefined || !exchange.has("removedPlatforms")) return;
  if (more.length > 0) throw new Fault("invalid", "multiple platforms are not supported");
  const { os, architecture, variant } = objectOf(text);
  if (typeof os !== "string" || typeof architecture !== "string" || !os || !architecture)
    throw new Fault("invalid", "both OS and Architecture must be provided", { about: text });
  checkPlatform(ref, image, [os, architecture, ...(variant ? [variant] : [])].join("/"));
}

function objectOf(text: string): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(text));
  } catch (cause) {
    const message = `failed to parse platform: ${jsonSyntaxError(text)}`;
    throw new Fault("invalid", message, { about: text, cause });
  }
}

function checkPlatform(ref: string, { config }: ImageDetail, wanted: string): void {
  const platform = parsePlatform(wanted);
  if (platformDistance(platform, config) !== undefined) return;
  throw new Fault(
    "not_found",
    `image with reference ${ref} was found but its platform (${formatPlatform(config)}) does not match the specified platform (${formatPlatform(platform)})`,
    { about: ref },
  );
}
