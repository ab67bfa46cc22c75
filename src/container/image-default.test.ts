import { expect, test } from "bun:test";
import type { ConfigBody } from "./config-options.ts";
import { readSent } from "./description.ts";
import { resolveEnv, withImageDefaults } from "./image-default.ts";

const image = { Entrypoint: ["/entry"], Cmd: ["default"], Env: ["A=image", "B=image"] };

function configOf(own: ConfigBody) {
  return readSent({ Config: { Image: "i", ...own }, HostConfig: {} }).config;
}

function argvOf(own: ConfigBody, defaults: object = image) {
  return withImageDefaults(configOf(own), defaults).argv;
}

test.each([
  [{}, ["/entry", "default"]],
  [{ Cmd: ["own"] }, ["/entry", "own"]],
  [{ Entrypoint: ["/own"] }, ["/own"]],
  [{ Entrypoint: ["/own"], Cmd: ["x"] }, ["/own", "x"]],
  [{ Entrypoint: [""], Cmd: ["x"] }, ["x"]],
  [{ Entrypoint: [] }, ["default"]],
] as [ConfigBody, string[]][])("%j runs %j", (own, argv) => {
  expect(argvOf(own)).toEqual(argv);
});

test("no command at all is refused", () => {
  expect(() => argvOf({}, {})).toThrow("no command specified");
  expect(() => argvOf({ Entrypoint: [""] })).toThrow("no command specified");
});

test("the user's settings win, the image's fill in", () => {
  const config = configOf({
    ...{ Cmd: ["x"], Env: ["B=own", "C"], Labels: { a: "own" }, User: "me" },
  });
  const merged = withImageDefaults(config, {
    ...image,
    Labels: { a: "image", b: "image" },
    User: "root",
    WorkingDir: "/work",
    StopSignal: "SIGUSR1",
    ExposedPorts: { "80/tcp": {} },
  }).config;
  expect(merged.Env).toEqual(["B=own", "C", "A=image"]);
  expect(merged.Labels).toEqual({ a: "own", b: "image" });
  expect([merged.User, merged.WorkingDir, merged.StopSignal]).toEqual(["me", "/work", "SIGUSR1"]);
  expect(merged.ExposedPorts).toEqual({ "80/tcp": {} });
});

test("a later variable replaces, a bare name takes away", () => {
  expect(resolveEnv(["A=1", "B=2", "A=3", "B", "C=a=b"])).toEqual(["A=3", "C=a=b"]);
});
