import { describe, expect, test } from "bun:test";
import {
  attestationManifest,
  findPackages,
  imageUrl,
  type PackageTree,
  predicateTypes,
  slsaProvenance,
  spdxDocument,
  statement,
} from "./index.ts";

/** A tree of these files. */
function treeOf(files: Readonly<Record<string, string>>): PackageTree {
  return {
    list: async (path) => {
      const prefix = path === "" ? "" : `${path}/`;
      const below = Object.keys(files).filter((file) => file.startsWith(prefix));
      const names = new Set(below.map((file) => file.slice(prefix.length).split("/", 1)[0] ?? ""));
      return [...names].map((name) => ({ name, isDirectory: !(prefix + name in files) }));
    },
    read: async (path, limit) => {
      const text = files[path];
      return text === undefined || text.length > limit ? undefined : Buffer.from(text);
    },
  };
}

const debian = {
  "etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 12"\nID=debian\nVERSION_ID="12"\n',
  "var/lib/dpkg/status": [
    "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.36-9+deb12u4\nDescription: GNU C Library\n more",
    "Package: gone\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 1",
  ].join("\n\n"),
  "var/lib/dpkg/status.d/tzdata": "Package: tzdata\nVersion: 2024a-0\nArchitecture: all\n",
  "var/lib/dpkg/status.d/tzdata.md5sums": "Package: no\nVersion: 1\n",
};

async function names(files: Readonly<Record<string, string>>): Promise<string[]> {
  const found = await findPackages(treeOf(files));
  return found.map(
    ({ type, name, version, license = "-" }) => `${type} ${name} ${version} ${license}`,
  );
}

describe("packages", () => {
  test("of dpkg, from its status and from status.d", async () => {
    expect(await names(debian)).toEqual(["deb libc6 2.36-9+deb12u4 -", "deb tzdata 2024a-0 -"]);
  });

  test("of apk", async () => {
    const installed =
      "C:Q1\nP:musl\nV:1.2.5-r0\nA:x86_64\nL:MIT\n\nP:busybox\nV:1.36.1-r29\nA:x86_64\nL:GPL-2.0-only\n";
    expect(await names({ "lib/apk/db/installed": installed })).toEqual([
      "apk busybox 1.36.1-r29 GPL-2.0-only",
      "apk musl 1.2.5-r0 MIT",
    ]);
  });

  test("of npm, Python and Ruby, wherever they lie", async () => {
    const found = await names({
      "app/node_modules/left-pad/package.json":
        '{"name":"left-pad","version":"1.3.0","license":"WTFPL"}',
      "app/node_modules/@a/b/package.json":
        '{"name":"@a/b","version":"2.0.0","licenses":[{"type":"MIT"},{"type":"ISC"}]}',
      "app/node_modules/broken/package.json": "{",
      "app/node_modules/a/node_modules/left-pad/package.json":
        '{"name":"left-pad","version":"1.3.0"}',
      "app/package.json": '{"name":"app","version":"1.0.0"}',
      "usr/lib/python3/site-packages/Flask_Login-0.6.dist-info/METADATA":
        "Metadata-Version: 2.1\nName: Flask-Login\nVersion: 0.6\nClassifier: License :: OSI Approved :: MIT License\n\nName: not this\n",
      "usr/lib/gems/specifications/rack-3.0.gemspec":
        'Gem::Specification.new do |s|\n  s.name = "rack".freeze\n  s.version = "3.0"\n  s.licenses = ["MIT".freeze]\nend\n',
      "proc/1/root/node_modules/x/package.json": '{"name":"x","version":"1"}',
    });
    expect(found).toEqual([
      "gem rack 3.0 MIT",
      "npm @a/b 2.0.0 MIT OR ISC",
      "npm left-pad 1.3.0 -",
      "pypi Flask-Login 0.6 MIT License",
    ]);
  });
});

describe("a bill of materials", () => {
  const subject = { name: "web:1", tool: "thimble-0.1.0" };

  test("names packages by their URLs, with licences where they are told", async () => {
    const document = await spdxDocument(
      treeOf({
        ...debian,
        "app/node_modules/@a/b/package.json":
          '{"name":"@a/b","version":"2.0.0","license":"(MIT OR Apache-2.0)"}',
        "app/node_modules/own/package.json":
          '{"name":"own","version":"1.0.0","license":"Our terms"}',
      }),
      subject,
    );
    const shown = document.packages
      .slice(1)
      .map(({ externalRefs, licenseDeclared }) => [
        externalRefs?.[0]?.referenceLocator,
        licenseDeclared,
      ]);
    expect(shown).toEqual([
      ["pkg:deb/debian/libc6@2.36-9%2Bdeb12u4?arch=amd64&distro=debian-12", "NOASSERTION"],
      ["pkg:deb/debian/tzdata@2024a-0?arch=all&distro=debian-12", "NOASSERTION"],
      ["pkg:npm/%40a/b@2.0.0", "(MIT OR Apache-2.0)"],
      ["pkg:npm/own@1.0.0", "LicenseRef-Our-terms"],
    ]);
    expect(document.hasExtractedLicensingInfos).toEqual([
      { licenseId: "LicenseRef-Our-terms", extractedText: "Our terms" },
    ]);
    const related = document.relationships.map((each) => each.relatedSpdxElement);
    expect(related).toEqual(document.packages.map(({ SPDXID }) => SPDXID));
    expect(new Set(related).size).toBe(5);
  });

  test("is the same each time, without a time unless one is given", async () => {
    const [first, second] = [
      await spdxDocument(treeOf(debian), subject),
      await spdxDocument(treeOf(debian), subject),
    ];
    expect(first).toEqual(second);
    expect(first.creationInfo.created).toBe("1970-01-01T00:00:00Z");
    const created = new Date("2024-01-02T03:04:05.678Z");
    const dated = await spdxDocument(treeOf(debian), { ...subject, created });
    expect(dated.creationInfo.created).toBe("2024-01-02T03:04:05Z");
    expect(dated.documentNamespace).toBe(first.documentNamespace);
  });
});

describe("provenance", () => {
  const input = {
    platform: "linux/amd64",
    args: { target: "final", "build-arg:TOKEN": "hidden", "label:a": "b" },
    locals: ["dockerfile", "context"],
    secrets: [{ id: "npm" }],
    materials: [
      { uri: "https://example.com/b.tar", digest: "sha256:bb" },
      { uri: imageUrl("alpine", { tag: "3.20", platform: "linux/amd64" }), digest: "sha256:aa" },
    ],
    isComplete: true,
    isHermetic: false,
    steps: [{ id: "step0" }],
  };

  test("of the mode min leaves out arguments, secrets and steps", () => {
    const text = JSON.stringify(slsaProvenance({ ...input, mode: "min" }));
    expect(text).not.toMatch(/hidden|label:a|npm|step0/);
    expect(JSON.parse(text)).toEqual({
      buildDefinition: {
        buildType:
          "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md",
        externalParameters: {
          configSource: { path: "Dockerfile" },
          request: {
            frontend: "dockerfile.v0",
            args: { target: "final" },
            locals: [{ name: "context" }, { name: "dockerfile" }],
          },
        },
        internalParameters: { builderPlatform: "linux/amd64" },
        resolvedDependencies: [
          { uri: "https://example.com/b.tar", digest: { sha256: "bb" } },
          { uri: "pkg:docker/alpine@3.20?platform=linux%2Famd64", digest: { sha256: "aa" } },
        ],
      },
      runDetails: {
        builder: { id: "" },
        metadata: {
          buildkit_hermetic: false,
          buildkit_completeness: { request: false, resolvedDependencies: true },
          buildkit_reproducible: false,
        },
      },
    });
  });

  test("of the mode max tells of them", () => {
    expect(slsaProvenance({ ...input, mode: "max" })).toMatchObject({
      buildDefinition: {
        externalParameters: {
          request: { args: { "build-arg:TOKEN": "hidden" }, secrets: [{ id: "npm" }] },
        },
        internalParameters: { buildConfig: { llbDefinition: [{ id: "step0" }] } },
      },
      runDetails: { metadata: { buildkit_completeness: { request: true } } },
    });
  });
});

test("a manifest holds statements about an image, for no platform", () => {
  const digest = `sha256:${"1".repeat(64)}`;
  const about = statement(
    predicateTypes.spdx,
    { SPDXID: "x" },
    { urls: ["pkg:docker/web@1"], digest },
  );
  expect(about.subject).toEqual([{ name: "pkg:docker/web@1", digest: { sha256: "1".repeat(64) } }]);
  const { manifest, blobs } = attestationManifest([about], digest);
  expect(manifest.descriptor).toMatchObject({
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    annotations: {
      "vnd.docker.reference.digest": digest,
      "vnd.docker.reference.type": "attestation-manifest",
    },
    platform: { architecture: "unknown", os: "unknown" },
  });
  const read = JSON.parse(Buffer.from(manifest.bytes).toString());
  expect(read.layers).toEqual([
    {
      mediaType: "application/vnd.in-toto+json",
      digest: blobs[1]?.descriptor.digest,
      size: blobs[1]?.bytes.length,
      annotations: { "in-toto.io/predicate-type": "https://spdx.dev/Document" },
    },
  ]);
  expect(JSON.parse(Buffer.from(blobs[0]?.bytes ?? []).toString())).toEqual({
    architecture: "unknown",
    os: "unknown",
    config: {},
    rootfs: { type: "layers", diff_ids: [blobs[1]?.descriptor.digest] },
  });
});
