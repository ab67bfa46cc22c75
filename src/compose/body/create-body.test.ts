import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { containerName, copiedFiles, createBody, openProjectToRun, resolveService } from "#compose";
import { memoryFiles, recordedRoot } from "../testing.ts";
import { networkBody, volumeBody } from "./resource-bodies.ts";

const testdata = join(import.meta.dir, "testdata");
/** What docker compose 2.40.3 sent for testdata/compose.yaml, without what is empty. */
const recorded = JSON.parse(readFileSync(join(testdata, "requests.json"), "utf8")) as {
  path: string;
  body: Record<string, unknown>;
}[];

function open(text: string, env: Record<string, string> = {}) {
  const files = new Map([
    ["compose.yaml", text],
    ["web.env", "A=1\nB=two words\n"],
    ["labels.env", "lab.file=yes\n"],
  ]);
  return openProjectToRun({
    ...{ files: memoryFiles(files), cwd: recordedRoot, env, paths: [], envFiles: [], profiles: [] },
    ...{ stdin: () => "", warn: () => undefined },
  });
}

/** Lists whose order docker compose leaves to chance. */
const unordered = new Set(["Links", "Env", "Mounts", "Ulimits", "ExtraHosts"]);

/** A body without what is empty, as it was recorded. */
function compact(value: unknown, key = ""): unknown {
  if (Array.isArray(value)) {
    const items = value.map((one) => compact(one));
    const text = (item: unknown) => JSON.stringify(item);
    return unordered.has(key) ? items.sort((a, b) => (text(a) < text(b) ? -1 : 1)) : items;
  }
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([name, part]) => [name, compact(part, name)] as const);
  const isFull = ([name, part]: readonly [string, unknown]) =>
    part !== undefined &&
    part !== null &&
    !["", false, 0].includes(part as string) &&
    (typeof part !== "object" || Object.keys(part as object).length > 0 || /^\d/.test(name));
  return Object.fromEntries(entries.filter(isFull));
}

const imageId = "sha256:bc3fe2335a1cbe6c51c5571de2741e4b2fc387896488e6d49726255b2db3e75f";
const ids: Readonly<Record<string, string>> = {
  db: "a058a13f958b023bec9520a07e7c8e58d59082ed6910174a6661f6b46230e511",
  web: "298fc3cd563a4fb68ae18e9e963bbdab1c837108915d5d5e6c1ed2e0a019dbfb",
};

test("containers, networks and volumes are asked for as docker compose does", () => {
  const { project, origin } = open(readFileSync(join(testdata, "compose.yaml"), "utf8"));
  const containers = [...project.services].map(([name, service]) => {
    const platform = service.get("platform");
    const query = platform === undefined ? "" : `&platform=${encodeURIComponent(String(platform))}`;
    const body = createBody({
      ...{ project, origin, name, number: 1, imageId },
      service: resolveService(service, (other) => ids[other]),
      containerNames: (other) => [containerName(project, other, 1)],
    });
    return {
      path: `/containers/create?name=${containerName(project, name, 1)}${query}`,
      body,
    };
  });
  const networks = [...project.networks].map(([key, network]) => ({
    path: "/networks/create",
    body: networkBody(project, key, network),
  }));
  const volumes = [...project.volumes].map(([key, volume]) => ({
    path: "/volumes/create",
    body: volumeBody(project, key, volume),
  }));
  const order = (requests: readonly { path: string; body: object }[]) =>
    Object.fromEntries(
      requests.map(({ path, body }) => [
        "Name" in body ? `${path} ${String(body.Name)}` : path,
        compact(body),
      ]),
    );
  expect(order([...containers, ...networks, ...volumes])).toEqual(order(recorded));
});

test("a secret with an owner, and one from a variable, are copied and not mounted", () => {
  const { project, environment } = open(
    `services:
  web:
    image: i
    secrets: [{source: a, uid: "5", gid: "6", mode: 0o440}, b, c]
    configs: [{source: d, target: /etc/d}]
secrets: {a: {file: ./a}, b: {environment: SECRET}, c: {file: ./c}}
configs: {d: {content: "x$$y"}}
`,
    { SECRET: "s" },
  );
  const service = project.services.get("web") ?? new Map();
  const file = (target: string, rest: object) => ({
    ...{ kind: "secret", target, uid: 0, gid: 0, mode: 0o444 },
    ...rest,
  });
  expect(copiedFiles(project, service, { name: "web", environment })).toEqual([
    file("/run/secrets/a", { uid: 5, gid: 6, mode: 0o440, from: { file: `${recordedRoot}/a` } }),
    file("/run/secrets/b", { from: { content: "s" } }),
    file("/etc/d", { kind: "config", from: { content: "x$y" } }),
  ] as never);
  expect(() => copiedFiles(project, service, { name: "web", environment: new Map() })).toThrow(
    'environment variable "SECRET" required by secret "app_b" is not set',
  );
  const readOnly = new Map([...service, ["read_only", true]]) as typeof service;
  expect(() => copiedFiles(project, readOnly, { name: "web", environment })).toThrow(
    'cannot create secret "app_a" in read-only service web: `file` is the sole supported option',
  );
});

test("what only a cluster or Windows has is refused by its key", () => {
  const refused = (service: string, rest = "") => {
    const { project, origin } = open(`services: {web: {image: i, ${service}}}\n${rest}`);
    const [name, one] = [...project.services][0] ?? ["", new Map()];
    const containerNames = () => [];
    return () =>
      createBody({ project, origin, name, service: one, number: 1, imageId: "", containerNames });
  };
  expect(refused("use_api_socket: true")).toThrow(
    'service "web" uses "use_api_socket", which thimble does not have',
  );
  expect(refused("configs: [c]", "configs: {c: {external: true}}")).toThrow(
    "unsupported external config c",
  );
});
