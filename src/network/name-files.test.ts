import { expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseExtraHost, renderHosts } from "./hosts.ts";
import { nameServers, renderResolvConf } from "./resolv-conf.ts";

/** Runs every case of testdata/<kind>: input.json is the argument, `want` the text. UPDATE=1 writes it anew. */
function golden<T>(kind: string, render: (input: T) => string): void {
  const directory = join(import.meta.dir, "testdata", kind);
  for (const name of readdirSync(directory)) {
    test(`${kind}: ${name}`, () => {
      const input = JSON.parse(readFileSync(join(directory, name, "input.json"), "utf8")) as T;
      const want = join(directory, name, "want");
      const got = render(input);
      if (process.env.UPDATE === "1") writeFileSync(want, got);
      expect(got).toBe(readFileSync(want, "utf8"));
    });
  }
}

golden("hosts", renderHosts);
golden("resolv-conf", renderResolvConf);

test("extra hosts that would break the file are refused", () => {
  for (const entry of [
    "",
    "a",
    ":1.2.3.4",
    "a:",
    "a b:1.2.3.4",
    "a\n:1.2.3.4",
    "a:1.2.3",
    "a:host",
  ])
    expect(() => parseExtraHost(entry)).toThrow("NAME:ADDRESS");
});

test("name servers of a resolv.conf, comments and zones aside", () => {
  const text =
    "# nameserver 9.9.9.9\nnameserver 1.1.1.1 # x\n nameserver fe80::1%eth0\nnameserver x\n";
  expect(nameServers(text)).toEqual(["1.1.1.1", "fe80::1%eth0"]);
});
