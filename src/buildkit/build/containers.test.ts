import { expect, test } from "bun:test";
import type { EnteredStep } from "#engine";
import { outcome } from "../../base/testing.ts";
import { NewContainerRequest } from "../protobuf/exec-messages.ts";
import { Containers } from "./containers.ts";
import { Solutions } from "./solutions.ts";

function fakeStep(opened: string[]): EnteredStep {
  const mounts = [{ type: "tmpfs", target: "/t" }];
  return {
    ...({ name: "RUN", hasFailed: true, operation: { mounts } } as never as EnteredStep),
    open: async ({ isInitial = false } = {}) => {
      opened.push(isInitial ? "initial" : "left");
      return {
        env: [],
        start: () => Promise.reject(new Error("no programs run here")),
        [Symbol.asyncDispose]: async () => void opened.push("gone"),
      };
    },
  };
}

const requestOf = (containerId: string, dests: readonly string[], resultId: string) => {
  const mounts = dests.map((dest) => ({ dest, resultId: dest === "/" ? resultId : "" }));
  return NewContainerRequest.decode(NewContainerRequest.encode({ containerId, mounts }));
};

test("a step is entered as its command left it or as it was, and is closed with its build", async () => {
  const opened: string[] = [];
  const containers = new Containers();
  const solutions = new Solutions();
  const { left, initial } = containers.offer(fakeStep(opened));
  const create = (id: string, dests: readonly string[], ref: string) =>
    outcome(containers.create(requestOf(id, dests, ref), solutions));
  await create("a", ["/", "/t"], left);
  await create("b", ["/", "/t"], initial);
  expect(opened).toEqual(["left", "initial"]);
  expect(await create("a", ["/", "/t"], left)).toThrow("container a already exists");
  expect(await create("c", ["/"], left)).toThrow("other mounts than its own");
  expect(await create("d", ["/t"], left)).toThrow("without the files of a result");
  expect(await create("e", ["/"], "unknown")).toThrow("no such ref unknown");
  await containers.release("a");
  expect(await outcome(containers.get("a"))).toThrow("container a not found");
  await containers.close();
  expect(opened).toEqual(["left", "initial", "gone", "gone"]);
  expect(await create("f", ["/"], left)).toThrow("no such ref");
});
