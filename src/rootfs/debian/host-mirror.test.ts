import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { outcome } from "../../base/testing.ts";
import { hostMirror } from "./host-mirror.ts";

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "thimble-apt-"));
});

afterEach(() => rmSync(root, { recursive: true }));

function write(path: string, text: string): void {
  mkdirSync(dirname(join(root, "etc/apt", path)), { recursive: true });
  writeFileSync(join(root, "etc/apt", path), text);
}

test("the main archive is found among others, with the security one", async () => {
  write("sources.list.d/a-vendor.list", "deb https://vendor.example/apt vendor-bookworm main\n");
  write("sources.list.d/b-vendor.list", "deb https://vendor.example/other bookworm contrib\n");
  write(
    "sources.list.d/debian.sources",
    "Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\nTypes: deb\nURIs: http://mirror.example/debian-security\nSuites: bookworm-security\nComponents: main\n",
  );
  expect(await hostMirror({ root })).toEqual({
    mirror: "http://mirror.example/debian",
    security: "http://mirror.example/debian-security",
    signedBy: "/usr/share/keyrings/debian-archive-keyring.gpg",
    checkValidUntil: true,
  });
});

test("a one-line entry and apt's own settings", async () => {
  write("sources.list", "deb http://mirror.example/debian/ sid main\n");
  write("apt.conf.d/99local", 'Acquire { Check-Valid-Until "false"; };\n');
  expect(await hostMirror({ root })).toEqual({
    mirror: "http://mirror.example/debian",
    checkValidUntil: false,
  });
});

test("a fingerprint in Signed-By leaves Debian's keyring", async () => {
  write("sources.list", "deb [signed-by=ABCD1234] http://mirror.example/debian sid main\n");
  expect(await hostMirror({ root })).not.toHaveProperty("signedBy");
});

test("no entry: how to name one", async () => {
  expect(await outcome(hostMirror({ root }))).toThrow("--mirror=URL");
  write(
    "sources.list",
    "deb http://archive.example/ubuntu jammy main\ndeb file:/srv/debian sid main\n",
  );
  expect(await outcome(hostMirror({ root }))).toThrow("not name Debian's main archive");
});
