import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { issueEngineCertificates } from "#local";
import { outcome } from "../base/testing.ts";
import { type ListenChoice, listenAddresses } from "./listen-addresses.ts";

let configRoot: string;
beforeAll(async () => {
  configRoot = mkdtempSync(join(tmpdir(), "thimble-listen-"));
  const directory = join(configRoot, "tls");
  await issueEngineCertificates({ directory, hosts: ["a.example"], client: "client", days: 1 });
});
afterAll(() => rmSync(configRoot, { recursive: true }));

const addresses = (hosts: readonly string[], rest: Partial<ListenChoice> = {}) =>
  listenAddresses({ hosts, configRoot, env: {}, ...rest });

test("sockets and loopback need nothing more, and each is listened at once", async () => {
  expect(await addresses(["unix:///a", "/b", "tcp://127.0.0.1:1", "tcp://[::1]", "/b"])).toEqual([
    { kind: "unix", path: "/a", mode: 0o660, gid: undefined },
    { kind: "unix", path: "/b", mode: 0o660, gid: undefined },
    { kind: "tcp", host: "127.0.0.1", port: 1, tls: undefined },
    { kind: "tcp", host: "::1", port: 2375, tls: undefined },
  ]);
});

test.each([
  ["tcp://0.0.0.0:2375", "without TLS: whoever reaches it would have root's rights"],
  ["tcp://[::]:2375", "add --tlsverify, or listen on 127.0.0.1"],
  ["tcp://127.0.0.1:99999", "at most 65535"],
  ["tcp://a/b", "use tcp://HOST:PORT"],
  ["unix://a", "must be absolute"],
  ["npipe:////./pipe/docker", "use unix:///PATH, tcp://HOST:PORT or fd://"],
  ["fd://", "started with no socket"],
])("%s is refused", async (host, why) => {
  expect(await outcome(addresses([host]))).toThrow(why);
});

test("a group is found by its name or number, or refused", async () => {
  expect(await addresses(["/a"], { group: "root" })).toMatchObject([{ gid: 0 }]);
  expect(await addresses(["/a"], { group: "77" })).toMatchObject([{ gid: 77 }]);
  expect(await outcome(addresses(["/a"], { group: "no-such-group" }))).toThrow("groupadd");
});

describe("TLS", () => {
  const all = ["tcp://0.0.0.0"];
  test("with client certificates takes the files of `system cert`, and Docker's port", async () => {
    const [address] = await addresses(all, { tlsverify: true });
    expect(address).toMatchObject({ port: 2376, tls: { clientAuthority: expect.any(String) } });
    const [open] = await addresses(all, { tls: true });
    expect(open).toMatchObject({ port: 2376 });
    expect(open).not.toHaveProperty("tls.clientAuthority");
  });

  test("needs its files, and its files need it", async () => {
    const missing = { tlsverify: true, tlscacert: "/no/ca.pem" };
    expect(await outcome(addresses(all, missing))).toThrow("cannot read /no/ca.pem");
    expect(await outcome(addresses(all, { tlscert: "/x" }))).toThrow("--tlscert has no effect");
    const other = { tlsverify: true, tlskey: join(configRoot, "tls/client/key.pem") };
    expect(await outcome(addresses(all, other))).toThrow("is not the certificate of the key");
  });
});

test("inherited sockets are chosen by number or name, and only when they are this process's", async () => {
  const env = { LISTEN_PID: `${process.pid}`, LISTEN_FDS: "2", LISTEN_FDNAMES: "api:tcp" };
  const fds = async (host: string, change = {}) =>
    (await addresses([host], { env: { ...env, ...change } })).map(
      (each) => "fd" in each && each.fd,
    );
  expect(await fds("fd://")).toEqual([3, 4]);
  expect(await fds("fd://*")).toEqual([3, 4]);
  expect(await fds("fd://4")).toEqual([4]);
  expect(await fds("fd://api")).toEqual([3]);
  expect(await outcome(fds("fd://5"))).toThrow("none is 5");
  expect(await outcome(fds("fd://", { LISTEN_PID: "1" }))).toThrow("no socket");
});
