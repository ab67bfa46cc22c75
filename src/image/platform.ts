import { arch } from "node:process";
import { defined, Fault } from "#base";

/** An operating system, an architecture and a variant in the words of Go: linux, arm, v7. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

const architectures = new Map<string, readonly [architecture: string, variant?: string]>([
  ["x86_64", ["amd64"]],
  ["x86-64", ["amd64"]],
  ["x64", ["amd64"]],
  ["amd64", ["amd64"]],
  ["i386", ["386"]],
  ["ia32", ["386"]],
  ["aarch64", ["arm64"]],
  ["arm64", ["arm64"]],
  ["armhf", ["arm", "v7"]],
  ["armel", ["arm", "v6"]],
  ["arm", ["arm", "v7"]],
  ["ppc64el", ["ppc64le"]],
]);

const known = new Set("386 amd64 arm arm64 loong64 mips64le ppc64le riscv64 s390x wasm".split(" "));

/** Variants that are the plain architecture by another name. */
function normalize(os: string, architecture: string, variant: string | undefined): Platform {
  const written = architecture.toLowerCase();
  const [name, implied] = architectures.get(written) ?? [written];
  let exact = variant?.toLowerCase() ?? implied;
  if (name === "arm64" && (exact === "v8" || exact === "8")) exact = undefined;
  if (name === "amd64" && exact === "v1") exact = undefined;
  if (name === "arm" && exact !== undefined && /^\d$/.test(exact)) exact = `v${exact}`;
  return { os, architecture: name, ...defined({ variant: exact }) };
}

/**
 * "os/architecture[/variant]", "os" or "architecture", as `--platform` takes them; the parts that
 * are left out are the host's. Other spellings of an architecture (x86_64, aarch64) are understood.
 * `invalid` for anything else.
 */
export function parsePlatform(text: string): Platform {
  const refuse = (why: string): never => {
    throw new Fault(
      "invalid",
      `"${text}" is not a platform: ${why}; write it as "linux/amd64" or "linux/arm/v7"`,
      { about: text },
    );
  };
  const parts = text.split("/");
  if (parts.length > 3) refuse("it has more than three parts");
  for (const part of parts) {
    if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$/.test(part)) refuse(`"${part}" is not a name`);
  }
  const [first = "", second, third] = parts;
  if (second !== undefined) return normalize(first.toLowerCase(), second, third);
  const alone = normalize("linux", first, undefined);
  if (known.has(alone.architecture)) return alone;
  if (/^(linux|windows|darwin|freebsd)$/i.test(first)) {
    return { ...hostPlatform(), os: first.toLowerCase() };
  }
  return refuse("it is neither an operating system nor an architecture that is known");
}

/** "linux/arm64/v8": operating system, architecture, and the variant where there is one. */
export function formatPlatform(platform: Platform): string {
  const { os, architecture, variant } = platform;
  return variant === undefined ? `${os}/${architecture}` : `${os}/${architecture}/${variant}`;
}

/** The platform of this process, in the words of image specifications (amd64, not x64). */
export function hostPlatform(): Platform {
  return normalize("linux", arch, undefined);
}

/**
 * How well an image for `offered` runs where `wanted` was asked for: 0 is exact, more is worse (an
 * older ARM variant), undefined means that it does not run.
 */
export function platformDistance(wanted: Platform, offered: Platform): number | undefined {
  const want = normalize(wanted.os, wanted.architecture, wanted.variant);
  const offer = normalize(offered.os, offered.architecture, offered.variant);
  if (want.os !== offer.os || want.architecture !== offer.architecture) return undefined;
  if (want.variant === offer.variant) return 0;
  const level = (platform: Platform) => Number(/^v(\d+)$/.exec(platform.variant ?? "v1")?.[1]);
  const distance = level(want) - level(offer);
  return distance > 0 ? distance : undefined;
}
