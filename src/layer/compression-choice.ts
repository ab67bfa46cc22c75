import { Fault } from "#base";

/** How to compress: level 1 to 9 for gzip (default 6), 1 to 22 for zstd (default 1). */
export interface CompressionChoice {
  readonly format: "gzip" | "zstd";
  readonly level?: number | undefined;
}

const levels = { gzip: 9, zstd: 22 } as const;

/** "gzip", "zstd", "gzip:9" or "zstd:19", as users write it; `invalid` for anything else. */
export function parseCompression(text: string): CompressionChoice {
  const [, format, digits] = /^(gzip|zstd)(?::(\d{1,2}))?$/.exec(text) ?? [];
  const level = digits === undefined ? undefined : Number(digits);
  const isFormat = format === "gzip" || format === "zstd";
  if (isFormat && (level === undefined || (level >= 1 && level <= levels[format]))) {
    return { format, level };
  }
  throw new Fault(
    "invalid",
    `"${text}" is not a compression: write gzip or zstd, with a level as gzip:9 (1 to 9) or zstd:19 (1 to 22)`,
    { about: text },
  );
}
