import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { cp, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock } from "#base";
import { namesFor, readCertificate } from "#certificate";
import { outcome } from "../../base/testing.ts";
import { openOwnCertificate } from "./own-certificate.ts";

let root: string;
let count = 0;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "registry-tls-"));
  await openOwnCertificate({ directory: join(root, "made"), names });
});
afterAll(() => rm(root, { recursive: true, force: true }));

const fresh = () => join(root, String(count++));
/** A directory of its own with what `openOwnCertificate` made for `names`. */
async function made(): Promise<string> {
  const directory = fresh();
  await cp(join(root, "made"), directory, { recursive: true });
  return directory;
}
const names = ["registry.example", "192.0.2.7", "2001:db8::1"];
const inDays = (days: number): Clock => ({
  now: () => BigInt(Date.now() + days * 86_400_000) * 1_000_000n,
});

describe("a certificate by an authority of our own", () => {
  test("is for its names, signed by the authority, with keys for the owner only", async () => {
    const directory = fresh();
    const own = await openOwnCertificate({ directory, names });
    const certificate = new X509Certificate(own.cert);
    const authority = new X509Certificate(await readFile(own.authorityFile));
    expect(certificate.verify(authority.publicKey)).toBe(true);
    expect([authority.ca, certificate.ca]).toEqual([true, false]);
    expect(certificate.checkHost("registry.example")).toBe("registry.example");
    expect(certificate.checkIP("192.0.2.7")).toBe("192.0.2.7");
    expect(certificate.checkHost("other.example")).toBeUndefined();
    for (const key of ["ca.key", "server.key"]) {
      expect((await stat(join(directory, key))).mode & 0o777).toBe(0o600);
    }
  });

  test("a client that trusts the authority connects, another one does not", async () => {
    const own = await openOwnCertificate({ directory: fresh(), names: namesFor("127.0.0.1") });
    await using server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      tls: { cert: own.cert, key: own.key },
      fetch: () => new Response("hello"),
    });
    const ca = await readFile(own.authorityFile, "utf8");
    const answer = await fetch(`https://127.0.0.1:${server.port}/`, { tls: { ca } });
    expect(await answer.text()).toBe("hello");
    expect(await outcome(fetch(`https://127.0.0.1:${server.port}/`))).toThrow();
  });

  test("stays the same from start to start", async () => {
    const directory = await made();
    const first = await openOwnCertificate({ directory, names });
    expect((await openOwnCertificate({ directory, names, clock: inDays(300) })).cert).toBe(
      first.cert,
    );
  });

  test.each([
    ["another name", { names: [...names, "new.example"] }],
    ["half of its time is over", { names, clock: inDays(400) }],
  ])("is made anew by the same authority: %s", async (_why, change) => {
    const directory = await made();
    const first = await openOwnCertificate({ directory, names });
    const authority = await readFile(first.authorityFile, "utf8");
    const second = await openOwnCertificate({ directory, ...change });
    expect(second.cert).not.toBe(first.cert);
    expect(second.expires).toBeGreaterThanOrEqual(first.expires);
    expect(await readFile(second.authorityFile, "utf8")).toBe(authority);
  });

  test("damaged files of the server are replaced, the authority's are the user's to decide on", async () => {
    const directory = await made();
    await writeFile(join(directory, "server.key"), "x");
    const { cert, key } = await openOwnCertificate({ directory, names });
    expect(new X509Certificate(cert)).toBeDefined();
    expect(key).toContain("PRIVATE KEY");
    await writeFile(join(directory, "ca.key"), key);
    expect(await outcome(openOwnCertificate({ directory, names }))).toThrow(
      "is not the certificate of the key beside it",
    );
    await rm(join(directory, "ca.key"));
    expect(await outcome(openOwnCertificate({ directory, names }))).toThrow("put it back");
  });

  test("an authority that ends before its certificates would is told", async () => {
    const directory = await made();
    expect(
      await outcome(openOwnCertificate({ directory, names, clock: inDays(3650 - 700) })),
    ).toThrow("too soon to sign with");
  });
});

test("a server on one address is reached by that and the loopback, one on all by its names", () => {
  expect(namesFor("192.0.2.7")).toEqual(["192.0.2.7", "localhost", "127.0.0.1", "::1"]);
  expect(namesFor("0.0.0.0")).toContain("localhost");
});

test("a certificate and a key that do not belong together are refused", async () => {
  const [a, b] = [await made(), fresh()];
  await openOwnCertificate({ directory: b, names });
  expect(await outcome(readCertificate(join(a, "server.crt"), join(b, "server.key")))).toThrow(
    "is not the certificate of the key",
  );
  expect(await readCertificate(join(a, "server.crt"), join(a, "server.key"))).toHaveProperty(
    "cert",
  );
});
