import { expect } from "bun:test";
import { mkdirSync } from "node:fs";
import { Scope } from "#base";
import { openCgroups } from "#runtime";
import { openNativeTasks } from "#task";
import { type TaskBench, taskContract } from "../../src/task/contract.ts";
import { LaunchBench } from "../support/launch-bench.ts";
import { openRecordingHelper } from "../support/recording-helper.ts";

async function openNative(): Promise<TaskBench> {
  expect(process.getuid?.()).toBe(0);
  const scope = new Scope();
  const bench = scope.use(new LaunchBench());
  const cgroups = openCgroups({ instanceId: `task${process.pid}` });
  scope.defer(() => {
    expect(cgroups.list()).toEqual([]);
    cgroups.close();
  });
  const { helper, take } = scope.use(openRecordingHelper());
  mkdirSync(bench.path("shared"));
  const open = () => openNativeTasks({ helper, cgroups, runRoot: bench.path("run") });
  return {
    tasks: open(),
    reopen: open,
    root: { type: "bind", source: bench.root, options: ["bind"] },
    path: (name) => bench.path(name),
    sent: take,
    [Symbol.asyncDispose]: () => scope[Symbol.asyncDispose](),
  };
}

taskContract("tasks over our own launcher", openNative);
