import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { outcome } from "../../base/testing.ts";
import { daemonSettings } from "./daemon-settings.ts";
import { fileKeys } from "./file-keys.ts";

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "thimble-settings-"));
});
afterAll(() => rmSync(directory, { recursive: true }));

let count = 0;
function read(file: unknown, flags = {}) {
  const path = join(directory, `${count++}.json`);
  writeFileSync(path, typeof file === "string" ? file : JSON.stringify(file));
  return daemonSettings({ configFile: path, ...flags }, path);
}

test("what a file says is put where it takes effect", async () => {
  const { options, engine, network, logging } = await read({
    "data-root": "/d",
    "exec-root": "/r",
    hosts: ["unix:///s"],
    debug: true,
    "log-format": "json",
    "log-driver": "local",
    "log-opts": { "max-size": "1m" },
    labels: ["a=b"],
    "registry-mirrors": ["https://mirror.example"],
    "insecure-registries": ["r.example:5000"],
    "max-concurrent-downloads": 7,
    "default-ulimits": { nofile: { Name: "nofile", Soft: 1, Hard: 2 } },
    "default-shm-size": "128M",
    init: true,
    dns: ["10.0.0.1"],
    bip: "172.30.0.1/24",
    mtu: 1400,
    "default-address-pools": [{ base: "10.200.0.0/16", size: 24 }],
    "authorization-plugins": ["p", "q", "p"],
    "live-restore": true,
    iptables: true,
    "exec-opts": ["native.cgroupdriver=cgroupfs"],
    features: { buildkit: false },
  });
  expect(options).toMatchObject({ dataRoot: "/d", runRoot: "/r", hosts: ["unix:///s"] });
  expect(logging).toEqual({ level: "debug", format: "json" });
  expect(engine).toEqual({
    debug: true,
    labels: ["a=b"],
    insecureRegistries: ["r.example:5000"],
    registryMirrors: ["https://mirror.example"],
    authorizationPlugins: ["p", "q"],
    maxDownloads: 7,
    maxUploads: 5,
    log: { Type: "local", Config: { "max-size": "1m" } },
    containers: {
      Ulimits: [{ Name: "nofile", Soft: 1, Hard: 2 }],
      ShmSize: 128 << 20,
      Init: true,
      Dns: ["10.0.0.1"],
    },
  });
  expect(network).toMatchObject({ bip: "172.30.0.1/24", mtu: 1400, pools: [{ size: 24 }] });
});

describe("refused is", () => {
  test.each<[unknown, string]>([
    [{ "log-dirver": "local" }, "log-dirver (did you mean log-driver?)"],
    [{ xyz: 1 }, "the following directives don't match any configuration option: xyz"],
    [{ debug: "true" }, 'debug "true": give true or false'],
    [{ "log-opts": { "max-file": 3 } }, "numbers and booleans go between quotes"],
    [{ iptables: false }, "the rules of networks are always made"],
    [{ "userns-remap": "default" }, "give --userns to containers instead"],
    [{ "exec-opts": ["native.cgroupdriver=systemd"] }, "use native.cgroupdriver=cgroupfs"],
    [{ features: { "containerd-snapshotter": true } }, "the feature containerd-snapshotter"],
    [{ bip: "172.30.0.0/24" }, "invalid bip"],
    [{ "registry-mirrors": ["mirror.example"] }, "invalid mirror mirror.example"],
    [{ labels: ["a"] }, "a label is KEY=VALUE"],
    ["{", "it is not JSON"],
    ["[]", "it is not a JSON object"],
  ])("%j", async (file, why) => {
    expect(await outcome(read(file))).toThrow(why);
  });

  test("all that is wrong at once", async () => {
    expect(await outcome(read({ debug: 1, tls: 1 }))).toThrow(/debug 1: .*; tls 1: /);
  });

  test("a key that a flag gives as well, in Docker's words", async () => {
    const twice = read(
      { debug: true, hosts: ["unix:///a"] },
      { debug: false, hosts: ["unix:///b"] },
    );
    expect(await outcome(twice)).toThrow(
      "the following directives are specified both as a flag and in the configuration file: hosts: (from flag: [unix:///b], from file: [unix:///a]), debug: (from flag: false, from file: true)",
    );
  });

  test("a key that a flag gives in the form of the file", async () => {
    const settings = { "log-opts": { "max-size": "2m" }, dns: ["1.1.1.1"], mtu: 1500 };
    const twice = read(
      { "log-opts": { "max-size": "1m" }, dns: ["8.8.8.8"], mtu: 1400 },
      { settings },
    );
    expect(await outcome(twice)).toThrow(
      "log-opts: (from flag: map[max-size:2m], from file: map[max-size:1m]), dns: (from flag: [1.1.1.1], from file: [8.8.8.8]), mtu: (from flag: 1500, from file: 1400)",
    );
    const { engine, network } = await read({}, { settings });
    expect(engine.log.Config).toEqual({ "max-size": "2m" });
    expect([network.mtu, engine.containers]).toEqual([1500, { Dns: ["1.1.1.1"] }]);
    expect(await outcome(read({}, { settings: { mtu: -1 } }))).toThrow(
      "mtu -1: give a whole number",
    );
    const driver = read({}, { settings: { "storage-driver": "zfs" } });
    expect(await outcome(driver)).toThrow("use overlay2");
  });

  test("a file that is named and missing; the usual one may be", async () => {
    const path = join(directory, "none.json");
    expect(await outcome(daemonSettings({ configFile: path }, path))).toThrow("no such file");
    expect((await daemonSettings({}, path)).engine.maxDownloads).toBe(3);
  });
});

test("every key of Docker's that has no effect is refused with a reason", () => {
  const none = Object.entries(fileKeys).filter(([, check]) => check(Symbol("x")) === undefined);
  expect(none).toEqual([]);
});

test("docs/configuration.md names the keys that are not refused whatever they say", () => {
  const document = readFileSync(join(import.meta.dir, "../../../docs/configuration.md"), "utf8");
  const listed = Object.entries(fileKeys).filter(
    ([, check]) => check(Symbol("x")) !== "thimble does not have this setting",
  );
  expect(listed.filter(([key]) => !document.includes(`\`${key}\``)).map(([key]) => key)).toEqual([
    ...["pidfile", "bridge", "api-cors-header"],
  ]);
});
