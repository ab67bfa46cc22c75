import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readCliSettings } from "./cli-settings.ts";

function settings(text: string | undefined) {
  const directory = mkdtempSync(join(tmpdir(), "thimble-settings-"));
  try {
    if (text !== undefined) writeFileSync(join(directory, "config.json"), text);
    return readCliSettings({ DOCKER_CONFIG: directory });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test("formats, keys, headers and aliases are read, and what is no text is left out", () => {
  const read = settings(
    JSON.stringify({
      psFormat: "{{.ID}}",
      imagesFormat: 7,
      statsFormat: "",
      detachKeys: "ctrl-x",
      HttpHeaders: { "X-Meta": "a", Bad: 1 },
      aliases: { pa: "ps -a" },
      currentContext: "near",
    }),
  );
  expect(read).toMatchObject({
    formats: { ps: "{{.ID}}" },
    detachKeys: "ctrl-x",
    headers: { "X-Meta": "a" },
    aliases: { pa: "ps -a" },
    currentContext: "near",
  });
  expect(Object.keys(read.formats)).toEqual(["ps"]);
});

test("proxies are those of the engine's address, else the default ones, in both cases of letters", () => {
  const proxies = {
    default: { httpProxy: "http://a", noProxy: "localhost" },
    "tcp://far:1": { allProxy: "socks://b" },
  };
  const read = settings(JSON.stringify({ proxies }));
  expect(read.proxies("unix:///s")).toEqual({
    ...{ HTTP_PROXY: "http://a", http_proxy: "http://a" },
    ...{ NO_PROXY: "localhost", no_proxy: "localhost" },
  });
  expect(read.proxies("tcp://far:1")).toEqual({ ALL_PROXY: "socks://b", all_proxy: "socks://b" });
});

test("a file that is missing or malformed says nothing", () => {
  for (const text of [undefined, "", "{", "[]", "null"]) {
    const read = settings(text);
    expect(read).toMatchObject({ formats: {}, headers: {}, aliases: {}, detachKeys: undefined });
    expect(read.proxies("x")).toEqual({});
  }
});
