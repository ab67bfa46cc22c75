import { expect, test } from "bun:test";
import { createRequest } from "../../../test/support/create-request.ts";
import type { ContainerConfig } from "../contract.ts";
import { resolveEnv, withImageDefaults } from "./image-default.ts";

const image = { Entrypoint: ["/entry"], Cmd: ["default"], Env: ["A=image", "B=image"] };

function argvOf(own: Partial<ContainerConfig>, defaults: object = image) {
  const { config } = createRequest("i", [], { config: own });
  return withImageDefaults(config, defaults).argv;
}

test.each([
  [{}, ["/entry", "default"]],
  [{ cmd: ["own"] }, ["/entry", "own"]],
  [{ entrypoint: ["/own"] }, ["/own"]],
  [{ entrypoint: ["/own"], cmd: ["x"] }, ["/own", "x"]],
  [{ entrypoint: [""], cmd: ["x"] }, ["x"]],
  [{ entrypoint: [] }, ["default"]],
] as [Partial<ContainerConfig>, string[]][])("%j runs %j", (own, argv) => {
  expect(argvOf(own)).toEqual(argv);
});

test("no command at all is refused", () => {
  expect(() => argvOf({}, {})).toThrow("no command specified");
  expect(() => argvOf({ entrypoint: [""] })).toThrow("no command specified");
});

test("the user's settings win, the image's fill in", () => {
  const { config } = createRequest("i", ["x"], {
    config: { env: ["B=own", "C"], labels: { a: "own" }, user: "me" },
  });
  const merged = withImageDefaults(config, {
    ...image,
    Labels: { a: "image", b: "image" },
    User: "root",
    WorkingDir: "/work",
    StopSignal: "SIGUSR1",
    ExposedPorts: { "80/tcp": {} },
  }).config;
  expect(merged.env).toEqual(["B=own", "C", "A=image"]);
  expect(merged.labels).toEqual({ a: "own", b: "image" });
  expect([merged.user, merged.workingDir, merged.stopSignal]).toEqual(["me", "/work", "SIGUSR1"]);
  expect(merged.exposedPorts).toEqual(["80/tcp"]);
});

test("a later variable replaces, a bare name takes away", () => {
  expect(resolveEnv(["A=1", "B=2", "A=3", "B", "C=a=b"])).toEqual(["A=3", "C=a=b"]);
});
