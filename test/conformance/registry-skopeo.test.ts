/**
 * Our registry before a client of others: skopeo pushes, pulls, inspects, lists and
 * deletes, over plain http, TLS by our own authority, with passwords and with tokens.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Digester, encodeDocument, mediaTypes, parseReference, sha256 } from "#image";
import { fileTar } from "../support/interop-layout.ts";
import { quickClient, sourceOf } from "../support/registry-client.ts";
import { sampleLayout } from "../support/registry-image.ts";
import {
  type RunningRegistry,
  runProgram,
  startRegistry,
  temporaryDirectory,
  thimble,
} from "../support/registry-process.ts";

const can = Bun.which("skopeo") !== null;
const directory = temporaryDirectory();
const users = join(directory, "users");
const access = join(directory, "access");
const sample = can ? sampleLayout(join(directory, "sample")) : undefined;

beforeAll(async () => {
  expect(
    (await thimble(["registry", "htpasswd", users, "alice", "--password-stdin"], "alice's")).status,
  ).toBe(0);
  writeFileSync(access, "* public/* pull\nalice team/*,public/* push,delete\n");
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const rights = ["--htpasswd", users, "--access", access];

interface Way {
  readonly name: string;
  readonly flags: readonly string[];
  readonly isSecure: boolean;
  readonly hasUsers: boolean;
}
const ways: readonly Way[] = [
  { name: "http", flags: [], isSecure: false, hasUsers: false },
  { name: "TLS", flags: ["--tls-own"], isSecure: true, hasUsers: false },
  { name: "TLS and passwords", flags: ["--tls-own", ...rights], isSecure: true, hasUsers: true },
  { name: "http and tokens", flags: ["--token", ...rights], isSecure: false, hasUsers: true },
  {
    name: "TLS and tokens",
    flags: ["--tls-own", "--token", ...rights],
    isSecure: true,
    hasUsers: true,
  },
];

describe.each(ways)("skopeo over $name", ({ flags, isSecure, hasUsers }) => {
  let registry: RunningRegistry;
  let certificates: string;
  beforeAll(async () => {
    if (!can) return;
    registry = await startRegistry(flags);
    certificates = join(registry.root, "client");
    mkdirSync(certificates);
    if (isSecure) {
      const ca = Bun.file(join(registry.root, "thimble/tls/ca.crt"));
      await Bun.write(join(certificates, "ca.crt"), ca);
    }
  });
  afterAll(async () => {
    await registry?.[Symbol.asyncDispose]();
  });

  type Side = "" | "src-" | "dest-";
  const trust = (side: Side) => [
    ...(isSecure ? [`--${side}cert-dir`, certificates] : [`--${side}tls-verify=false`]),
  ];
  const as = (side: Side, password = "alice's") =>
    hasUsers ? [`--${side}creds`, `alice:${password}`] : [];
  const skopeo = (verb: string, ...args: string[]) =>
    runProgram(["skopeo", "--insecure-policy", verb, ...args], {
      env: { XDG_RUNTIME_DIR: directory },
    });
  const ok = async (verb: string, ...args: string[]) => {
    const { status, stdout, stderr } = await skopeo(verb, ...args);
    if (status !== 0) throw new Error(`skopeo ${verb} ${args.join(" ")}: ${stderr}`);
    return stdout;
  };
  const at = (name: string) => `docker://${registry.host}/${name}`;
  const from = (tag: string) => `oci:${sample?.directory}:${tag}`;
  const digestOf = async (name: string, ...more: string[]) =>
    (
      await ok("inspect", "--no-tags", "--format", "{{.Digest}}", ...trust(""), ...more, at(name))
    ).trim();

  test.skipIf(!can)("what is pushed is pulled with the same digests [needs skopeo]", async () => {
    await ok(
      "copy",
      "--preserve-digests",
      ...trust("dest-"),
      ...as("dest-"),
      from("one"),
      at("team/app:1"),
    );
    expect(await digestOf("team/app:1", ...as(""))).toBe(sample?.one ?? "");
    const layout = `oci:${join(registry.root, "pulled")}:one`;
    await ok(
      "copy",
      "--preserve-digests",
      ...trust("src-"),
      ...as("src-"),
      at("team/app:1"),
      layout,
    );
    const raw = await ok("inspect", "--raw", layout);
    expect(`sha256:${new Bun.CryptoHasher("sha256").update(raw).digest("hex")}`).toBe(
      sample?.one ?? "",
    );
  });

  test.skipIf(!can)("an index with all its images [needs skopeo]", async () => {
    await ok(
      "copy",
      "--all",
      "--preserve-digests",
      ...trust("dest-"),
      ...as("dest-"),
      from("all"),
      at("team/all:1"),
    );
    const raw = await ok("inspect", "--raw", ...trust(""), ...as(""), at("team/all:1"));
    expect(`sha256:${new Bun.CryptoHasher("sha256").update(raw).digest("hex")}`).toBe(
      sample?.all ?? "",
    );
    const layout = `oci:${join(registry.root, "pulled-all")}:all`;
    await ok(
      "copy",
      "--all",
      "--preserve-digests",
      ...trust("src-"),
      ...as("src-"),
      at(`team/all@${sample?.all}`),
      layout,
    );
  });

  test.skipIf(!can)(
    "from one repository to another, with what is there already [needs skopeo]",
    async () => {
      const both = [...trust("src-"), ...trust("dest-"), ...as("src-"), ...as("dest-")];
      await ok("copy", "--preserve-digests", ...both, at("team/app:1"), at("public/app:1"));
      expect(await digestOf("public/app:1")).toBe(sample?.one ?? "");
    },
  );

  test.skipIf(!can)("tags are listed, and deleted with their manifest [needs skopeo]", async () => {
    await ok("copy", ...trust("dest-"), ...as("dest-"), from("one"), at("team/gone:1"));
    const tags = async () =>
      JSON.parse(await ok("list-tags", ...trust(""), ...as(""), at("team/gone"))).Tags;
    expect(await tags()).toEqual(["1"]);
    await ok("delete", ...trust(""), ...as(""), at("team/gone:1"));
    expect(await tags()).toEqual([]);
    const { status } = await skopeo("inspect", ...trust(""), ...as(""), at("team/gone:1"));
    expect(status).not.toBe(0);
  });

  if (isSecure) {
    test.skipIf(!can)(
      "who does not trust the authority does not connect [needs skopeo]",
      async () => {
        const { status, stderr } = await skopeo("inspect", ...as(""), at("team/app:1"));
        expect(status).not.toBe(0);
        expect(stderr).toContain("certificate signed by unknown authority");
      },
    );
  }

  if (hasUsers) {
    test.skipIf(!can)(
      "who lacks a right, or has a wrong password, is refused [needs skopeo]",
      async () => {
        const pushTo = (name: string, credentials: readonly string[]) =>
          skopeo("copy", ...trust("dest-"), ...credentials, from("one"), at(name));
        for (const [name, credentials] of [
          ["team/app:2", []],
          ["team/app:2", as("dest-", "wrong")],
          ["other/app:1", as("dest-")],
          ["public/app:2", []],
        ] as const) {
          const { status, stderr } = await pushTo(name, credentials);
          expect(status).not.toBe(0);
          expect(stderr).toMatch(
            /denied|authentication required|unauthorized|403|invalid username/,
          );
        }
        const { status } = await skopeo("inspect", ...trust(""), at("team/app:1"));
        expect(status).not.toBe(0);
      },
    );
  }
});

/** Debian's 1.9.3 hashes by sha256 whatever a digest says; later ones need not. */
test.skipIf(!can)(
  "an image by sha512 is copied whole, or refused with its digest [needs skopeo]",
  async () => {
    await using registry = await startRegistry([]);
    const repository = quickClient().repository(parseReference(`${registry.host}/app`));
    const blob = (bytes: Buffer) => ({
      digest: new Digester("sha512").update(bytes).digest(),
      size: bytes.length,
    });
    const tar = fileTar("etc/hello", "hello");
    const rootfs = { type: "layers", diff_ids: [sha256(tar)] };
    const config = Buffer.from(JSON.stringify({ architecture: "amd64", os: "linux", rootfs }));
    for (const bytes of [config, tar]) await repository.putBlob(blob(bytes), sourceOf(bytes));
    const manifest = encodeDocument({
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config: { mediaType: mediaTypes.config, ...blob(config) },
      layers: [{ mediaType: mediaTypes.layer, ...blob(tar) }],
    });
    await repository.putManifest("1", manifest, mediaTypes.manifest);
    const target = join(registry.root, "copied");
    const { status, stderr } = await runProgram([
      ...["skopeo", "--insecure-policy", "copy", "--preserve-digests", "--src-tls-verify=false"],
      ...[`docker://${registry.host}/app:1`, `dir:${target}`],
    ]);
    if (status === 0)
      expect(manifest.equals(readFileSync(join(target, "manifest.json")))).toBe(true);
    else expect(stderr).toContain(`blob with digest ${blob(tar).digest} saved with digest sha256:`);
  },
);
