import { expect, test } from "bun:test";
import { parseAptConf, parseDeb822Sources, parseOneLineSources } from "./apt-sources.ts";

test("deb822: entries with several URIs, disabled ones, sources", () => {
  const text = `# comment
Types: deb deb-src
URIs: http://mirror.example/debian/ https://second.example/debian
Suites: bookworm
  bookworm-updates
Components: main
# in between
Check-Valid-Until: no
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
Enabled: no
URIs: http://off.example/debian
Suites: sid
Components: main

Types: deb-src
URIs: http://sources.example/debian
Suites: sid
Components: main
`;
  const sources = parseDeb822Sources(text, "test.sources");
  expect(sources.map(({ uri }) => uri)).toEqual([
    "http://mirror.example/debian",
    "https://second.example/debian",
  ]);
  expect(sources[0]).toMatchObject({
    suites: ["bookworm", "bookworm-updates"],
    components: ["main"],
    signedBy: "/usr/share/keyrings/debian-archive-keyring.gpg",
    checkValidUntil: false,
  });
});

test("deb822: a key in the entry itself", () => {
  const text = `Types: deb
URIs: http://mirror.example/debian
Suites: sid
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mDMEXx
 -----END PGP PUBLIC KEY BLOCK-----
`;
  expect(parseDeb822Sources(text, "test.sources")[0]?.signedBy).toBe(
    "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEXx\n-----END PGP PUBLIC KEY BLOCK-----",
  );
});

test("deb822: a broken file is a Fault with its line", () => {
  expect(() => parseDeb822Sources("Types: deb\nnonsense\n", "bad.sources")).toThrow(
    "bad.sources, line 2",
  );
});

test("one-line: options, comments, sources", () => {
  const text = `
deb [arch=amd64,arm64 signed-by=/etc/key.gpg check-valid-until=no] http://mirror.example/debian/ bookworm main contrib # why
deb-src http://mirror.example/debian bookworm main
# deb http://off.example/debian bookworm main
deb cdrom:[Debian]/ bookworm main
`;
  const [source, ...others] = parseOneLineSources(text, "sources.list");
  expect(source).toMatchObject({
    uri: "http://mirror.example/debian",
    suites: ["bookworm"],
    components: ["main", "contrib"],
    signedBy: "/etc/key.gpg",
    checkValidUntil: false,
    architectures: ["amd64", "arm64"],
  });
  expect(others.map(({ uri }) => uri)).not.toContain("http://off.example/debian");
});

test("apt.conf: paths, blocks, comments", () => {
  const settings = parseAptConf(`// a comment "with quotes"
/* another { */
Acquire::Check-Valid-Until "false";
APT { Get { Assume-Yes "true"; }; Install-Recommends "0"; };
# last
Acquire::http::Proxy "http://proxy.example:3128";
`);
  expect(Object.fromEntries(settings)).toEqual({
    "acquire::check-valid-until": "false",
    "apt::get::assume-yes": "true",
    "apt::install-recommends": "0",
    "acquire::http::proxy": "http://proxy.example:3128",
  });
});
