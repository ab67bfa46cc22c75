import { describe, expect, test } from "bun:test";
import { checkDefaults, withDefaults } from "./settings.ts";

const log = { Type: "none", Config: {} };
function created(host: object, containers: object) {
  const sent = { Config: { Image: "x" }, HostConfig: host };
  const { LogConfig, ...rest } = withDefaults(sent, { containers, log }).HostConfig;
  expect(LogConfig).toEqual(log);
  return rest;
}

describe("the engine's defaults", () => {
  test("fill what a request leaves out, and nothing else", () => {
    const defaults = { ShmSize: 1 << 20, Init: true, Dns: ["10.0.0.1"] };
    expect(created({}, defaults)).toEqual(defaults);
    expect(created({ ShmSize: 0, Dns: [] }, defaults)).toEqual(defaults);
    const asked = { ShmSize: 5, Init: false, Dns: ["10.0.0.2"] };
    expect(created(asked, defaults)).toEqual(asked);
    expect(created({}, {})).toEqual({});
  });

  test("add limits by their names", () => {
    const limit = (Name: string, Soft: number) => ({ Name, Soft, Hard: 9 });
    const defaults = { Ulimits: [limit("nofile", 1), limit("core", 2)] };
    expect(created({ Ulimits: [limit("core", 5)] }, defaults).Ulimits).toEqual([
      limit("core", 5),
      limit("nofile", 1),
    ]);
  });

  test("leave names to the host where its network is used", () => {
    expect(created({ NetworkMode: "host" }, { Dns: ["10.0.0.1"] })).toEqual({
      NetworkMode: "host",
    });
  });

  test("are judged as those of a container", () => {
    const check =
      (containers: object, other: object = log) =>
      () =>
        checkDefaults({ containers, log: { ...log, ...other } }, { cpus: 4 });
    expect(check({}, { Type: "json-file", Config: { bad: "1" } })).toThrow("bad");
    expect(check({ Ulimits: [{ Name: "nope", Soft: 1, Hard: 1 }] })).toThrow("nope");
    expect(check({ Dns: ["1.1.1.1"] })).not.toThrow();
  });
});
