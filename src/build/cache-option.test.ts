import { expect, test } from "bun:test";
import { parseCacheExport, parseCacheImport } from "./cache-option.ts";

const option = (text: string) => {
  const [type = "", ...rest] = text.split(",");
  const attributes = rest.map((each): [string, string] => {
    const equals = each.indexOf("=");
    return [each.slice(0, equals), each.slice(equals + 1)];
  });
  return { type, attributes: new Map(attributes) };
};

test("a registry's cache is written as BuildKit's is unless its options say otherwise", () => {
  expect(parseCacheExport(option("registry,ref=host.example/app"))).toEqual({
    ...{ kind: "registry", name: "host.example/app" },
    ...{ reference: { domain: "host.example", path: "app", tag: "latest" } },
    ...{ mode: "min", isOci: true, isImageManifest: true, compression: undefined },
    ...{ isForced: false, ignoresErrors: false },
  });
  const other = "mode=max,oci-mediatypes=false,compression=gzip,compression-level=9,ignore-error=1";
  expect(parseCacheExport(option(`local,dest=/d,tag=t,${other}`))).toMatchObject({
    ...{ kind: "local", destination: "/d", tag: "t", mode: "max", ignoresErrors: true },
    ...{ isOci: false, isImageManifest: false, compression: { format: "gzip", level: 9 } },
  });
  expect(parseCacheExport(option("inline,mode=min"))).toEqual({ kind: "inline" });
});

test("a local cache is read by its digest or by a tag", () => {
  expect(parseCacheImport(option("local,src=/d"))).toMatchObject({ wanted: "latest" });
  const digest = `sha256:${"a".repeat(64)}`;
  expect(parseCacheImport(option(`local,src=/d,tag=x,digest=${digest}`))).toEqual({
    ...{ kind: "local", source: "/d", wanted: digest },
  });
});

test.each(["gha", "s3", "azblob"])("the type %s is refused by name", (type) => {
  const message = `of the type ${type} is not supported: use registry, local or inline`;
  expect(() => parseCacheExport(option(`${type},bucket=b`))).toThrow(`--cache-to ${message}`);
  expect(() => parseCacheImport(option(`${type},bucket=b`))).toThrow(`--cache-from ${message}`);
});

test.each([
  ["odd", 'unknown cache exporter: "odd"'],
  ["registry", "missing ref"],
  ["local", "local cache exporter requires dest"],
  ["registry,ref=a,mode=all", 'invalid cache export mode "all"'],
  ["registry,ref=a,modes=max", "has no option modes"],
  ["registry,ref=a,image-manifest=maybe", "failed to parse image-manifest"],
  ["registry,ref=a,image-manifest=true,oci-mediatypes=false", "has OCI's media types"],
  ["registry,ref=a,compression=estargz", "are not written as estargz"],
  ["registry,ref=a,compression=gzip,compression-level=99", "is not a compression"],
  ["registry,ref=a,compression-level=3", "compression-level needs"],
  ["registry,ref=A", "must be lowercase"],
])("%s is refused with the reason", (text, message) => {
  expect(() => parseCacheExport(option(text))).toThrow(message);
});
