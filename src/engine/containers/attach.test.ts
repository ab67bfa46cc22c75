import { expect, test } from "bun:test";
import { PassThrough } from "node:stream";
import type { ContainerId } from "#base";
import type { Task } from "#task";
import type { Parts } from "../parts.ts";
import { attachContainer, PendingAttaches } from "./attach.ts";
import type { LiveContainer } from "./live-container.ts";

const id = "a".repeat(64) as ContainerId;
const request = { stream: true, logs: false, stdin: false, stdout: true, stderr: true };

/** Says the same to everyone who attaches, and ends. */
function taskThatSays(words: string): Task {
  const attach = async () => {
    const output = new PassThrough();
    output.end(words);
    return { input: new PassThrough(), output };
  };
  return { attach } as unknown as Task;
}

function partsWith(status: string) {
  const record = { id, state: { status }, config: { Tty: true, OpenStdin: false } };
  const live = new Map([[id, { task: taskThatSays("the last run") } as LiveContainer]]);
  const pendingAttaches = new PendingAttaches();
  const parts = { live, pendingAttaches, store: { find: () => record } };
  return parts as unknown as Parts<"paths" | "store" | "live" | "pendingAttaches">;
}

async function textOf(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

test("who attaches to a run that has ended, and is not let go yet, gets the next one", async () => {
  const parts = partsWith("exited");
  const { output } = await attachContainer(parts, "c", request);
  await parts.pendingAttaches.connect(id, taskThatSays("the next run"));
  expect(await textOf(output)).toBe("the next run");
});

test("who attaches to a run that goes on gets this one", async () => {
  const { output } = await attachContainer(partsWith("running"), "c", request);
  expect(await textOf(output)).toBe("the last run");
});
