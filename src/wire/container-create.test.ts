import { expect, test } from "bun:test";
import { containerCreateSchema } from "./container-create.ts";

test("null, absence and unknown fields are of no account", () => {
  const body = { Image: "x", Env: null, HostConfig: { Binds: null, Later: [1] }, New: { a: 1 } };
  expect(containerCreateSchema.parse(body)).toEqual(body);
});

test("argv may be one string", () => {
  expect(containerCreateSchema.parse({ Cmd: "sh" }).Cmd).toBe("sh");
});

test.each([
  [{ Cmd: 3 }, "Cmd"],
  [{ Env: ["a", 1] }, "Env.1"],
  [{ HostConfig: { Memory: "1g" } }, "HostConfig.Memory"],
  [{ HostConfig: { NanoCpus: 1.5 } }, "HostConfig.NanoCpus"],
  [{ HostConfig: { Ulimits: [{ Name: 1 }] } }, "HostConfig.Ulimits.0.Name"],
  [{ Labels: { a: 1 } }, "Labels.a"],
  [{ HostConfig: { Binds: Array(1025).fill("/a:/b") } }, "HostConfig.Binds"],
])("a wrong field is named: %#", (body, path) => {
  const result = containerCreateSchema.safeParse(body);
  expect(result.error?.issues[0]?.path.join(".")).toBe(path);
});
