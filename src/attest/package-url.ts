import type { Distribution, InstalledPackage } from "./installed-package.ts";

/** Percent-encoding as package URLs have it: a colon stays. */
function encode(text: string): string {
  return encodeURIComponent(text).replaceAll("%3A", ":");
}

function qualifiers(given: Readonly<Record<string, string | undefined>>): string {
  const known = Object.entries(given)
    .flatMap(([key, value]) => (value ? [`${key}=${encode(value)}`] : []))
    .sort();
  return known.length === 0 ? "" : `?${known.join("&")}`;
}

/** A package's URL (github.com/package-url/purl-spec): "pkg:deb/debian/libc6@2.36?arch=amd64&distro=debian-12". */
export function packageUrl(
  { type, name, version, architecture }: InstalledPackage,
  distribution: Distribution | undefined,
): string {
  const at = `@${encode(version)}`;
  if (type === "deb" || type === "apk") {
    const { id = type === "deb" ? "debian" : "alpine", version: release = "" } = distribution ?? {};
    const distro = release === "" ? undefined : `${id}-${release}`;
    return `pkg:${type}/${encode(id)}/${encode(name.toLowerCase())}${at}${qualifiers({ arch: architecture, distro })}`;
  }
  if (type === "npm") return `pkg:npm/${name.split("/").map(encode).join("/")}${at}`;
  const shown = type === "pypi" ? name.toLowerCase().replace(/[-_.]+/g, "-") : name;
  return `pkg:${type}/${encode(shown)}${at}`;
}

/** The URL of an image: "pkg:docker/library/alpine@3.20?platform=linux%2Famd64". */
export function imageUrl(
  name: string,
  {
    tag,
    digest,
    platform,
  }: { readonly tag?: string; readonly digest?: string; readonly platform?: string },
): string {
  const at = tag === undefined ? "" : `@${encode(tag)}`;
  return `pkg:docker/${name.split("/").map(encode).join("/")}${at}${qualifiers({ digest, platform })}`;
}
