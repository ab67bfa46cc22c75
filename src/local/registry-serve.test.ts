import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Log, silentLog } from "#base";
import type { ServedRegistry } from "#cli";
import { outcome, rejection } from "../base/testing.ts";
import { registryPassword } from "./registry-password.ts";
import { openServedRegistry, registryCollect, type ServingContext } from "./registry-serve.ts";

const directory = mkdtempSync(join(tmpdir(), "thimble-serve-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let count = 0;
const fresh = () => join(directory, String(count++));
const context: ServingContext = {
  version: "1",
  env: {},
  configRoot: join(directory, "etc"),
  credentials: async () => undefined,
};
const open = (change: Partial<ServedRegistry> = {}, log: Log = silentLog) =>
  openServedRegistry({ addr: "127.0.0.1:0", root: fresh(), ...change }, context, log);

function memory() {
  const written: string[] = [];
  return { written, out: { write: async (text: string) => void written.push(text) } };
}

describe("serving a registry", () => {
  test("its parts answer at one address until it is closed", async () => {
    const service = await open({
      metrics: "shared",
      "tls-own": true,
      "tls-name": ["registry.example"],
    });
    const ca = readFileSync(service.authorityFile ?? "", "utf8");
    const get = (path: string) => fetch(`${service.url}${path}`, { tls: { ca } });
    expect(service.url).toStartWith("https://127.0.0.1:");
    expect((await get("/v2/")).status).toBe(200);
    expect(await (await get("/")).text()).toContain("Repositories");
    expect(await (await get("/metrics")).text()).toContain("thimble_registry_requests_total");
    await service.close();
    expect(await outcome(get("/v2/"))).toThrow();
  });

  test("pages and metrics can be left out", async () => {
    await using service = await open({ web: false });
    for (const path of ["/", "/metrics"])
      expect((await fetch(`${service.url}${path}`)).status).toBe(404);
  });

  test("one root has one server, and is not collected while it is served", async () => {
    const root = fresh();
    await using _first = await open({ root });
    expect(await outcome(open({ root }))).toThrow(`another registry serves ${root}`);
    const { out } = memory();
    const request = {
      root,
      "dry-run": true,
      "delete-untagged": false,
      "gc-grace": 0,
      s3: undefined,
      "s3-endpoint": undefined,
      "s3-region": undefined,
      json: false,
    };
    expect(await rejection(registryCollect(request, { env: {}, out }))).toMatchObject({
      code: "conflict",
    });
  });

  test("one that could not be opened leaves nothing behind", async () => {
    const root = fresh();
    expect(await outcome(open({ root, htpasswd: join(directory, "none") }))).toThrow(
      "no such file",
    );
    await using _service = await open({ root });
  });

  test("one that everybody may write to is warned of, unless it is for this machine alone", async () => {
    const warnings: string[] = [];
    const log: Log = { ...silentLog, warn: (message) => warnings.push(message) };
    await using _everywhere = await open({ addr: "0.0.0.0:0" }, log);
    await using _here = await open({ addr: "127.0.0.1:0" }, log);
    expect(warnings).toEqual([
      "every client that reaches this registry can push and delete; --htpasswd limits that to users",
    ]);
  });

  test.each<[string, Partial<ServedRegistry>, string]>([
    ["no port", { addr: "localhost" }, "write HOST:PORT"],
    ["a port too large", { addr: "127.0.0.1:70000" }, "write HOST:PORT"],
    ["a certificate alone", { "tls-cert": "x" }, "give both"],
    [
      "both kinds of certificates",
      { "tls-cert": "x", "tls-key": "y", "tls-own": true },
      "not both",
    ],
    ["a name for no certificate", { "tls-name": ["x"] }, "--tls-own"],
    ["tokens without users", { token: true }, "--htpasswd"],
    ["half an issuer", { "token-issuer": "x" }, "--token-realm"],
    ["an upstream that is none", { proxy: ["file:///etc"] }, "is not a registry to cache"],
    ["a bucket without keys", { s3: "bucket" }, "AWS_ACCESS_KEY_ID"],
    ["an endpoint without bucket", { "s3-endpoint": "http://x" }, "--s3"],
  ])("%s is refused", async (_what, change, message) => {
    expect(await outcome(open(change))).toThrow(message);
  });
});

describe("a password file", () => {
  test("users are added, changed and taken out; the others stay", async () => {
    const file = fresh();
    const { written, out } = memory();
    const set = (user: string, password?: string) =>
      registryPassword({ file, user, password }, { out });
    await set("alice", "1");
    expect(statSync(file).mode & 0o777).toBe(0o600);
    writeFileSync(file, `# mine\nbob:$2y$10$x\n${readFileSync(file, "utf8")}`);
    await set("alice", "3");
    await set("bob");
    const lines = readFileSync(file, "utf8").trimEnd().split("\n");
    expect(lines.map((line) => line.split(":")[0])).toEqual(["# mine", "alice"]);
    expect(await Bun.password.verify("3", lines[1]?.split(":")[1] ?? "")).toBe(true);
    expect(written.map((line) => line.split(" ")[0])).toEqual(["added", "changed", "removed"]);
    expect(await outcome(set("bob"))).toThrow("there is no user bob");
    expect(await outcome(set("a b", "1"))).toThrow("not a name for a user");
  });
});
