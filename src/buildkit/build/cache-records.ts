import { Fault } from "#base";
import type { CacheRecord, PruneOptions } from "#engine";
import type { Control } from "../protobuf/control-messages.ts";
import type { Input, Value } from "../protobuf/message.ts";
import type { Solver } from "./solver.ts";

type UsageRecord = Input<(typeof Control)["prune"]["response"]>;
type PruneRequest = Value<(typeof Control)["prune"]["request"]>;

/** What builds keep, those of it that the filters ask for. */
export async function usageRecords(
  solver: Solver,
  filters: readonly string[],
): Promise<UsageRecord[]> {
  const accepts = filters.filter(Boolean).map(readFilter);
  const records = await solver.usage();
  return records.filter((each) => accepts.every((accept) => accept(each))).map(usageRecord);
}

/** Removes what the client asks to; gives what went. */
export async function pruneRecords(
  solver: Solver,
  { filter, all, keepDuration, reservedSpace, maxUsedSpace, minFreeSpace }: PruneRequest,
): Promise<UsageRecord[]> {
  const accepts = filter.filter(Boolean).map(readFilter);
  const before = await solver.usage();
  const chosen = before.filter((each) => accepts.every((accept) => accept(each)));
  const options: PruneOptions = {
    all,
    until: keepDuration > 0n ? Date.now() - Number(keepDuration / 1_000_000n) : undefined,
    reserved: positive(reservedSpace),
    maxUsed: positive(maxUsedSpace),
    minFree: positive(minFreeSpace),
    ids: accepts.length > 0 ? chosen.map(({ id }) => id) : undefined,
  };
  if (options.ids?.length === 0) return [];
  const gone = new Set((await solver.prune(options)).ids);
  return before.filter(({ id }) => gone.has(id)).map(usageRecord);
}

const positive = (bytes: bigint) => (bytes > 0n ? Number(bytes) : undefined);

function usageRecord(record: CacheRecord): UsageRecord {
  const { id, inUse, size, description, type, shared, uses } = record;
  return {
    ...{ id, inUse, description, shared, recordType: type, mutable: type === "exec.cachemount" },
    ...{ size: BigInt(size), usageCount: BigInt(uses) },
    createdAt: timeOf(record.created),
    lastUsedAt: timeOf(record.used),
  };
}

function timeOf(milliseconds: number) {
  const seconds = Math.floor(milliseconds / 1000);
  return { seconds: BigInt(seconds), nanos: Math.round((milliseconds - seconds * 1000) * 1e6) };
}

/** A filter in containerd's language: a field, how it compares, and a value. */
function readFilter(text: string): (record: CacheRecord) => boolean {
  const [, field = "", operator, quoted = ""] = /^(\w+)(==|~=|!=)(.*)$/.exec(text) ?? [];
  const value = quoted.replace(/^"(.*)"$/, "$1");
  const read = fields[field];
  if (!read) throw new Fault("invalid", `invalid filter ${JSON.stringify(text)}`, { about: text });
  if (operator === "~=") return (record) => read(record).includes(value);
  return (record) => (read(record) === value) === (operator === "==");
}

const fields: Readonly<Record<string, (record: CacheRecord) => string>> = {
  id: ({ id }) => id,
  type: ({ type }) => type,
  description: ({ description }) => description,
  inuse: ({ inUse }) => String(inUse),
  shared: ({ shared }) => String(shared),
};
