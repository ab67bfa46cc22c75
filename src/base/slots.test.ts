import { expect, test } from "bun:test";
import { Slots } from "./slots.ts";
import { outcome } from "./testing.ts";

test("places go first come, first served; a caller who gives up takes none", async () => {
  const slots = new Slots(1);
  const never = new AbortController().signal;
  const first = await slots.take(never);
  const order: string[] = [];
  const stop = new AbortController();
  const given = slots.take(stop.signal).catch((error) => order.push(error.code));
  const second = slots.take(never).then((slot) => {
    order.push("second");
    return slot;
  });
  const third = slots.take(never).then(() => order.push("third"));
  stop.abort();
  await given;
  first[Symbol.dispose]();
  (await second)[Symbol.dispose]();
  await third;
  expect(order).toEqual(["canceled", "second", "third"]);
});

test("a place that was given before the signal fired is not given twice", async () => {
  const slots = new Slots(1);
  const never = new AbortController().signal;
  const stop = new AbortController();
  const first = await slots.take(never);
  const second = slots.take(stop.signal);
  const third = slots.take(never);
  first[Symbol.dispose]();
  stop.abort();
  (await second)[Symbol.dispose]();
  await third;
  expect(await outcome(slots.take(stop.signal))).toThrow("canceled");
});

test("a caller is refused when the queue is full", async () => {
  const refusal = () => new Error("too many");
  const slots = new Slots(1, { length: 1, refusal });
  const first = await slots.take();
  const second = slots.take();
  expect(await outcome(slots.take())).toThrow("too many");
  first[Symbol.dispose]();
  (await second)[Symbol.dispose]();
  using _third = await slots.take();
});

test("places that are added go to those who wait, and those taken away are not given again", async () => {
  const slots = new Slots(1);
  const first = await slots.take();
  const second = slots.take();
  slots.resize(2);
  const held = [first, await second];
  slots.resize(1);
  const stop = new AbortController();
  const third = slots.take(stop.signal);
  held[0]?.[Symbol.dispose]();
  stop.abort();
  expect(await outcome(third)).toThrow("canceled");
  held[1]?.[Symbol.dispose]();
  (await slots.take())[Symbol.dispose]();
});
