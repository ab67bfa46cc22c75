import { expect, test } from "bun:test";
import { candidates } from "./completion.ts";

const names = {
  containers: async (all: boolean) => (all ? ["web", "old"] : ["web"]),
  contexts: async () => ["default", "far"],
  images: async () => ["debian:latest", "web:1"],
  networks: async () => ["bridge", "front"],
  volumes: async () => ["data"],
};

const cases: [line: string, want: string[]][] = [
  ["ru", ["run"]],
  ["container r", ["rename", "restart", "rm", "run"]],
  ["run --na", ["--name"]],
  ["run --pull ", ["always", "missing", "never"]],
  ["run deb", ["debian:latest"]],
  ["run -it --name x ", ["debian:latest", "web:1"]],
  ["run --env-file ", [":file"]],
  ["exec -it ", ["web"]],
  ["network rm fr", ["front"]],
  ["run --network ", ["bridge", "front"]],
  ["rm ", ["old", "web"]],
  ["-H unix:///x.sock rm o", ["old"]],
  ["port ", ["add", "rm", "web"]],
  ["port add ", ["old", "web"]],
  ["port rm o", ["old"]],
  ["volume rm ", ["data"]],
  ["completion ", ["bash", "fish", "zsh"]],
  ["--ho", ["--host"]],
  ["--context f", ["far"]],
  ["--context far rm o", ["old"]],
  ["nonsense x", []],
];

test.each(cases)("%s", async (line, want) => {
  expect(await candidates(line.split(" "), names)).toEqual(want);
});

test("commands that are not for people are not offered", async () => {
  const all = await candidates([""], names);
  expect(all).toContain("ps");
  expect(all).not.toContain("__complete");
});
