import { expect, test } from "bun:test";
import { outcome } from "../../base/testing.ts";
import { Control } from "../protobuf/control-messages.ts";
import { Job, Jobs } from "./jobs.ts";

const { request } = Control.solve;
const jobOf = (ref: string) => new Job(request.decode(request.encode({ ref })));
const never = new AbortController().signal;

test("a call that comes before its build waits for it", async () => {
  const jobs = new Jobs();
  const waiting = jobs.get("a");
  const job = jobOf("a");
  const running = jobs.run(job, never, async () => await job.returned());
  expect(await waiting).toBe(job);
  const returned = { result: undefined, error: undefined };
  job.return(returned);
  expect(await running).toEqual(returned);
  expect(job.signal.aborted).toBe(true);
});

test("the progress of a build that is over already is told, and ends", async () => {
  const jobs = new Jobs();
  const job = jobOf("a");
  await jobs.run(job, never, async () => {
    job.tell({ kind: "vertex", digest: "sha256:1", name: "step", inputs: [] });
  });
  const progress = await jobs.progress("a");
  const told = await Array.fromAsync(progress.follow(never));
  expect(told).toHaveLength(1);
});

test("two builds of one reference at a time are refused, and one without", async () => {
  const jobs = new Jobs();
  const first = jobOf("a");
  const running = jobs.run(first, never, async () => await first.returned());
  const again = jobs.run(jobOf("a"), never, async () => undefined);
  expect(await outcome(again)).toThrow("job ID a already exists");
  expect(await outcome(jobs.run(jobOf(""), never, async () => 1))).toThrow("needs a reference");
  first.return({ result: undefined, error: undefined });
  await running;
  expect(await jobs.run(jobOf("a"), never, async () => "again")).toBe("again");
});

test("a client that leaves ends the wait for its result", async () => {
  const gone = new AbortController();
  const job = jobOf("a");
  const running = new Jobs().run(job, gone.signal, async () => await job.returned());
  gone.abort();
  expect(await outcome(running)).toThrow("context canceled");
});
