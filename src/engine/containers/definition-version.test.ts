import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { containerSpec, inspectConfig, inspectHostConfig } from "#container";
import { openState } from "#state";
import type { ContainerRecord } from "./container-record.ts";
import { ContainerStore } from "./container-store.ts";
import { currentVersion, upgradeDefinition } from "./definition-version.ts";

const directory = join(import.meta.dir, "testdata/row");

/** Puts a row as an earlier program wrote it into a new database and opens that. */
function openRow(version: string): ContainerRecord {
  const { id, name, created_at, definition, course } = JSON.parse(
    readFileSync(join(directory, `${version}.json`), "utf8"),
  );
  using state = openState(":memory:");
  void new ContainerStore(state);
  state.run(
    "INSERT INTO container (id, name, created_at, definition, course) VALUES (?, ?, ?, ?, ?)",
    ...[id, name, created_at, JSON.stringify(definition), JSON.stringify(course)],
  );
  return new ContainerStore(state).find(name);
}

const versions = readdirSync(directory).map((file) => file.replace(".json", ""));

test("there is a row of every version", () => {
  const all = Array.from({ length: currentVersion }, (_, n) => `${n + 1}`);
  expect(versions.toSorted()).toEqual(all);
});

const machine = { capabilities: (1n << 41n) - 1n, lowerdirPlus: true, cgroupVersion: 2 } as const;

test.each(versions)(
  "a row of version %s opens, compiles and is inspected as the newest one",
  (each) => {
    const record = openRow(each);
    const newest = openRow(`${currentVersion}`);
    const run = {
      user: { uid: 7, gid: 7, additionalGids: [], home: "/" },
      joined: { network: "/n/net", pid: "/n/pid", ipc: "/n/ipc" },
      hostname: "box",
      machine,
    };
    expect(record.argv).toEqual(["sh", "-c", "true"]);
    expect(record.state).toEqual(newest.state);
    expect(record.config).toEqual(newest.config);
    expect(containerSpec({ ...record, ...run })).toEqual(containerSpec({ ...newest, ...run }));
    const { config, host, sent } = record;
    expect(inspectConfig(config, sent)).toEqual(inspectConfig(newest.config, newest.sent));
    expect(inspectHostConfig(host, sent)).toMatchObject({
      Binds: ["/srv/a:/a:ro,rslave"],
      Memory: 8 << 20,
      CapAdd: ["CAP_NET_ADMIN"],
      LogConfig: { Type: "json-file", Config: { "max-size": "10m" } },
    });
  },
);

test("a row of a later version is refused by its number", () => {
  expect(() => upgradeDefinition({ version: currentVersion + 1 })).toThrow(
    `container of version ${currentVersion + 1}`,
  );
});
