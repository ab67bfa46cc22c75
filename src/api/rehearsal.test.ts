import { expect, test } from "bun:test";
import { silentLog } from "#base";
import type { CreateRequest } from "#engine";
import { rehearseCreate } from "./rehearsal.ts";

test("a rehearsal goes on by itself until it is ended", async () => {
  const third = Promise.withResolvers<CreateRequest>();
  let count = 0;
  const end = rehearseCreate(
    {
      containers: {
        rehearse(request) {
          if (++count < 3) return;
          end();
          third.resolve(request);
        },
      },
    },
    silentLog,
  );
  const { sent } = await third.promise;
  expect(sent.HostConfig).toEqual({ AutoRemove: true, NetworkMode: "default" });
});

test("one that fails says so and is not tried again", async () => {
  const said = Promise.withResolvers<unknown>();
  let count = 0;
  rehearseCreate(
    {
      containers: {
        rehearse() {
          count++;
          throw new Error("no such network");
        },
      },
    },
    { ...silentLog, warn: (_, fields) => said.resolve(fields) },
  );
  expect(await said.promise).toEqual({ error: "no such network" });
  expect(count).toBe(1);
});
