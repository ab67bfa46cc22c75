import { afterAll, beforeAll, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { outcome } from "../base/testing.ts";
import { issueEngineCertificates } from "./engine-certificates.ts";

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "thimble-certificates-"));
});
afterAll(() => rmSync(directory, { recursive: true }));

const read = (...path: string[]) => new X509Certificate(readFileSync(join(directory, ...path)));
const make = (change = {}) =>
  issueEngineCertificates({
    ...{ directory, hosts: ["engine.example", "192.0.2.7"], client: "client", days: 30 },
    ...change,
  });

test("the engine's certificate is for its names, the client's for a client, by one authority", async () => {
  const { names, clientDirectory } = await make();
  expect([names[0], clientDirectory]).toEqual(["engine.example", join(directory, "client")]);
  const [ca, server, client] = [read("ca.pem"), read("server-cert.pem"), read("client/cert.pem")];
  for (const each of [server, client]) expect(each.verify(ca.publicKey)).toBe(true);
  expect(server.checkHost("engine.example")).toBe("engine.example");
  expect(server.checkIP("192.0.2.7")).toBe("192.0.2.7");
  expect([server.keyUsage, client.keyUsage]).toEqual([
    ["1.3.6.1.5.5.7.3.1"],
    ["1.3.6.1.5.5.7.3.2"],
  ]);
  for (const key of ["ca-key.pem", "server-key.pem", "client/key.pem"])
    expect(statSync(join(directory, key)).mode & 0o777).toBe(0o600);
});

test("another client, and a renewal, keep the authority", async () => {
  const before = read("ca.pem").fingerprint;
  const first = read("client/cert.pem");
  await make({ client: "alice" });
  expect(read("ca.pem").fingerprint).toBe(before);
  expect(read("alice/cert.pem").subject).toBe("CN=alice");
  expect(first.verify(read("alice/ca.pem").publicKey)).toBe(true);
});

test.each([
  [{ client: "../x" }, '"../x" is not a name for a client'],
  [{ hosts: ["tcp://engine.example:2376"] }, "give it without a scheme and a port"],
  [{ days: 3660 }, "too soon to sign with"],
])("%j is refused", async (change, why) => {
  expect(await outcome(make(change))).toThrow(why);
});
