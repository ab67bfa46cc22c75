import { Fault, faultOf } from "#base";
import type { ImageDetail } from "#engine";
import { formatPlatform, parsePlatform, platformDistance } from "#image";
import type { Exchange } from "./exchange.ts";

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
export function requirePlatform(exchange: Exchange, ref: string, { config }: ImageDetail): void {
  const wanted = platformOf(exchange);
  if (wanted === undefined) return;
  const platform = parsePlatform(wanted);
  if (platformDistance(platform, config) !== undefined) return;
  throw new Fault(
    "not_found",
    `image with reference ${ref} was found but its platform (${formatPlatform(config)}) does not match the specified platform (${formatPlatform(platform)})`,
    { about: ref },
  );
}
