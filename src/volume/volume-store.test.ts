import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openState, type State } from "#state";
import { VolumeStore } from "./volume-store.ts";
import { openVolumes } from "./volumes.ts";

const owner = { uid: 0, gid: 0 };

const stored = (name: string) => ({
  ...{ name, id: `id-${name}`, driver: "local", options: undefined, labels: { a: "b" } },
  ...{ createdAt: 1n, anonymous: false, owner, lastUsed: 0n },
});

/** A state that counts what is asked of it. */
function countingState(): { readonly state: State; readonly asked: string[] } {
  const asked: string[] = [];
  const state = openState(":memory:");
  const counted = new Proxy(state, {
    get(target, name) {
      const value = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        if (["query", "first", "run"].includes(String(name))) asked.push(String(args[0]));
        return value.apply(target, args);
      };
    },
  });
  return { state: counted, asked };
}

function filled(count: number) {
  const { state, asked } = countingState();
  const store = new VolumeStore(state);
  for (let i = 0; i < count; i++) store.insert(stored(`v${i}`) as never, false);
  asked.length = 0;
  return { store, state, asked };
}

const names = (store: VolumeStore) => store.all().map(({ name }) => name);

test("a list asks once, and then only for what has changed", () => {
  const { store, asked } = filled(500);
  expect(store.all()).toHaveLength(500);
  const first = asked.length;
  expect(store.all()).toHaveLength(500);
  expect(asked).toHaveLength(first);
  store.used("v7", 9n);
  store.delete("v8");
  asked.length = 0;
  expect(store.all().find(({ name }) => name === "v7")?.lastUsed).toBe(9n);
  expect(store.all()).toHaveLength(499);
  expect(asked).toHaveLength(2);
});

test("a list has what was made, renamed, kept and given up since the last one", () => {
  const { store } = filled(2);
  expect(names(store)).toEqual(["v0", "v1"]);
  store.insert(stored("a") as never, true);
  expect(names(store)).toEqual(["v0", "v1"]);
  store.setPending("a", false);
  store.setPending("v0", true);
  expect(names(store)).toEqual(["a", "v1"]);
  store.rename("a", "z", undefined);
  expect(names(store)).toEqual(["v1", "z"]);
});

test("a transaction that was undone leaves the list as it was", () => {
  const { store, state } = filled(2);
  names(store);
  const undone = () =>
    state.transaction(() => {
      store.setPending("v0", true);
      store.insert(stored("new") as never, true);
      store.setPending("new", false);
      throw new Error("undone");
    });
  expect(undone).toThrow("undone");
  expect(names(store)).toEqual(["v0", "v1"]);
});

test("neither a list nor an opening nor a container's start looks at every volume", async () => {
  const directory = mkdtempSync(join(tmpdir(), "thimble-many-"));
  const questions = async (count: number) => {
    const { state, asked } = filled(count);
    const at = join(directory, String(count));
    const volumes = await openVolumes({ state, directory: at });
    await volumes.holders.settle();
    await volumes.holders.hold("v0", "container");
    await volumes.holders.release("v0", "container");
    const before = asked.length;
    // None but the first has a directory: nothing looks for the others.
    expect(volumes.known()).toHaveLength(count);
    return [before, asked.length - before];
  };
  expect(await questions(300)).toEqual(await questions(3));
  rmSync(directory, { recursive: true });
});
