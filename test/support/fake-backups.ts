import { Fault } from "../../src/base/index.ts";
import type { EngineBackups } from "../../src/engine/backups/backup-contract.ts";
import type { Digest } from "../../src/image/index.ts";

/** Backups that are said to be made; the place "/full" has no room. */
export function fakeBackups(calls: string[]): EngineBackups {
  return {
    async create(request, report) {
      calls.push(`backup create ${JSON.stringify(request)}`);
      report({ step: "reading", current: 500 });
      report({ step: "sending", current: 100 });
      if (request.place.text === "/full")
        throw new Fault("exhausted", "cannot back up data to /full: the disk is full");
      return {
        tag: request.tag ?? "data-20260102T030405Z",
        digest: `sha256:${"12".repeat(32)}` as Digest,
        size: 1000,
        chunks: 10,
        sent: 100,
        removed: ["data-20250102T030405Z"],
        warnings: ["torn"],
      };
    },
    async restore({ volume: name, owner, ...request }, report) {
      calls.push(`backup restore ${name} ${JSON.stringify(request)}`);
      report({ step: "fetching", current: 50, total: 100 });
      report({ step: "unpacking", current: 500, total: 1000 });
      const volume = {
        ...{ name, owner, driver: "local" as const, options: undefined, labels: undefined },
        ...{ createdAt: 0n, anonymous: false, lastUsed: 0n, path: `/v/${name}/_data` },
      } as const;
      return { volume, tag: request.tag ?? "data-20260102T030405Z", received: 100, entries: 7 };
    },
    async list(place) {
      calls.push(`backup list ${JSON.stringify(place)}`);
      const time = new Date("2026-01-02T03:04:05Z");
      return [{ tag: "data-20260102T030405Z", volume: "data", time }];
    },
    async prune(request) {
      calls.push(`backup prune ${JSON.stringify(request)}`);
      return { removed: ["data-20250102T030405Z"], freed: 4096 };
    },
    async unschedule(volume, destination) {
      calls.push(`backup unschedule ${volume} ${destination}`);
    },
    schedules: () => [
      {
        ...{ volume: "kept", destination: "/b", every: 3600, retention: { last: 3 } },
        ...{
          encrypted: false,
          fromSnapshot: false,
          last: 1_700_000_000_000,
          tag: "data-20231114T221320Z",
        },
        ...{ error: "no route", next: 1_700_003_600_000 },
      },
    ],
  };
}
