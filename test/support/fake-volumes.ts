import { Fault, newId } from "../../src/base/index.ts";
import type { EngineVolumes, Volume } from "../../src/engine/volumes/volume-contract.ts";

/** Volumes in memory; "busy" is in use by a container. */
export function fakeVolumes(calls: string[]): EngineVolumes {
  const volumes = new Map<string, Volume>();
  const get = (name: string) => {
    const volume = volumes.get(name);
    if (!volume) throw new Fault("not_found", `get ${name}: no such volume`, { about: name });
    return volume;
  };
  return {
    async create(request) {
      calls.push(`volume create ${JSON.stringify(request)}`);
      const name = request.name || newId();
      const volume: Volume = volumes.get(name) ?? {
        name,
        driver: "local",
        options: request.options,
        labels: request.labels,
        createdAt: 1_700_000_000_123_456_789n,
        anonymous: !request.name,
        owner: request.owner,
        lastUsed: 0n,
        path: `/v/${name}/_data`,
      };
      volumes.set(name, volume);
      return volume;
    },
    inspect: async (name) => get(name),
    async lend(name, borrower) {
      calls.push(`volume lend ${name} ${borrower}`);
      return get(name);
    },
    async takeBack(name, borrower) {
      calls.push(`volume take back ${name} ${borrower}`);
    },
    get,
    quota: () => ({ limit: 2 ** 30, used: 4096 }),
    async list(filters) {
      calls.push(`volume list ${JSON.stringify(filters)}`);
      return { volumes: [...volumes.values()], warnings: [] };
    },
    async clone(name, { to, onCopied }) {
      const volume = { ...get(name), name: to };
      onCopied?.(1024);
      volumes.set(to, volume);
      return { volume, copied: 4096, warnings: ["torn"] };
    },
    async snapshot(name, request) {
      const { tag = "now", pause } = request;
      calls.push(`volume snapshot ${name} ${tag} ${pause}`);
      get(name);
      const snapshot = { volume: name, tag, createdAt: 1_700_000_000_000_000_000n, path: "/s" };
      return {
        ...{ snapshot, copied: 4096, warnings: ["torn"] },
        paused: { containers: ["web"], milliseconds: 12.5 },
      };
    },
    snapshots: (name) => [{ volume: get(name).name, tag: "now", createdAt: 0n, path: "/s" }],
    removeSnapshot(name, tag) {
      calls.push(`snapshot remove ${name} ${tag}`);
    },
    async rollback(name, tag) {
      calls.push(`volume rollback ${name} ${tag}`);
      return { copied: 0 };
    },
    async *export(name) {
      get(name);
      yield Buffer.from(`archive of ${name}`);
    },
    async import({ name, owner, archive, replaces }) {
      const bytes = (await Array.fromAsync(archive)).reduce((sum, each) => sum + each.length, 0);
      calls.push(`volume import ${name} ${bytes} ${replaces}`);
      return { volume: await this.create({ name, owner }), entries: 1, bytes };
    },
    async rename(name, to) {
      const volume = { ...get(name), name: to };
      volumes.delete(name);
      volumes.set(to, volume);
      return volume;
    },
    async remove(name, { force }) {
      if (force && !volumes.has(name)) return;
      get(name);
      if (name === "busy") throw new Fault("conflict", `remove ${name}: volume is in use - [id]`);
      volumes.delete(name);
    },
    async prune(filters) {
      calls.push(`volume prune ${JSON.stringify(filters)}`);
      const removed = [...volumes.keys()];
      volumes.clear();
      return { removed, bytes: 4096 };
    },
    usage: async () =>
      [...volumes.values()].map((volume) => ({ volume, bytes: 8192, containers: 1 })),
  };
}
