import { expect, test } from "bun:test";
import { outcome } from "../../base/testing.ts";
import { Control } from "../protobuf/control-messages.ts";
import { createFakeSolver } from "../testing.ts";
import { pruneRecords, usageRecords } from "./cache-records.ts";

const record = {
  ...{ description: "RUN make", inUse: false, shared: false, size: 5, uses: 2 },
  ...{ created: 1_500, used: 2_000 },
};
const kept = [
  { ...record, id: "step", type: "regular" },
  { ...record, id: "mount", type: "exec.cachemount" },
] as const;
const solver = { ...createFakeSolver(), usage: async () => kept };
const idsOf = async (filters: readonly string[]) =>
  (await usageRecords(solver, filters)).map(({ id }) => id);

test("records are told with their times and sizes", async () => {
  const [first] = await usageRecords(solver, [""]);
  expect(first).toMatchObject({
    ...{ id: "step", size: 5n, mutable: false, recordType: "regular", usageCount: 2n },
    createdAt: { seconds: 1n, nanos: 500_000_000 },
  });
});

test("filters compare fields", async () => {
  expect(await idsOf(["type==exec.cachemount"])).toEqual(["mount"]);
  expect(await idsOf(["id~=te"])).toEqual(["step"]);
  expect(await idsOf(["type!=regular", "id==step"])).toEqual([]);
  expect(await outcome(idsOf(["color==red"]))).toThrow("invalid filter");
});

test("a prune removes what is asked for, and tells what went", async () => {
  const asked: unknown[] = [];
  const pruning = {
    ...solver,
    async prune(options: unknown) {
      asked.push(options);
      return { ids: ["mount"], bytes: 5 };
    },
  };
  const { request } = Control.prune;
  const wanted = { filter: ["type==exec.cachemount"], all: true, maxUsedSpace: 7n };
  const gone = await pruneRecords(pruning, request.decode(request.encode(wanted)));
  expect(gone.map(({ id }) => id)).toEqual(["mount"]);
  expect(asked).toMatchObject([{ all: true, ids: ["mount"], maxUsed: 7 }]);
});
