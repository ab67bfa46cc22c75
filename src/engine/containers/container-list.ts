import { Fault } from "#base";
import { bindsOf, exposedPorts } from "#container";
import type { Containers, Filters } from "../contract.ts";
import { booleanFilter, checkFilterKeys, matchesLabels, textTest } from "../filters.ts";
import type { Parts } from "../parts.ts";
import { type ContainerRecord, goesOn } from "./container-record.ts";
import { networksOf } from "./sandbox.ts";

const known = [
  "id",
  "name",
  "label",
  "status",
  "exited",
  "ancestor",
  "before",
  "since",
  "network",
  "volume",
  "health",
  "is-task",
  "publish",
  "expose",
  "isolation",
];

type Test = (record: ContainerRecord) => boolean;

/** Containers as `docker ps` chooses them, the newest first. */
export function listContainers(
  parts: Parts<"content" | "store" | "sandboxes" | "ports" | "health">,
  options: Parameters<Containers["list"]>[0],
): readonly ContainerRecord[] {
  checkFilterKeys(options.filters, known);
  const tests = compileFilters(parts, options.filters);
  const found = [...parts.store.all()]
    .filter((record) => options.all || goesOn(record.state))
    .filter((record) => tests.every((test) => test(record)))
    .sort((a, b) => (a.createdAt > b.createdAt ? -1 : a.createdAt < b.createdAt ? 1 : 0));
  return options.limit === undefined ? found : found.slice(0, options.limit);
}

/** One test for each filter: any of its values must match (of `label`, all). */
function compileFilters(
  parts: Parts<"content" | "store" | "sandboxes" | "ports" | "health">,
  filters: Filters,
): readonly Test[] {
  const tests: Test[] = [];
  const any = (key: string, compile: (value: string) => Test) => {
    const values = filters[key];
    if (!values || values.length === 0) return;
    const each = values.map(compile);
    tests.push((record) => each.some((test) => test(record)));
  };
  any("id", (value) => {
    const matches = textTest(value);
    return ({ id }) => matches(id);
  });
  any("name", (value) => {
    const matches = textTest(value);
    return ({ name }) => matches(name) || matches(`/${name}`);
  });
  any("status", (value) => (record) => record.state.status === value);
  any("exited", (value) => exitedTest(value));
  const ancestors = filters.ancestor ?? [];
  if (ancestors.length > 0) tests.push(ancestorTest(parts, ancestors));
  any("before", (value) => {
    const { createdAt } = parts.store.find(value);
    return (record) => record.createdAt < createdAt;
  });
  any("since", (value) => {
    const { createdAt } = parts.store.find(value);
    return (record) => record.createdAt > createdAt;
  });
  any(
    "network",
    (value) => (record) =>
      networksOf(parts, record).some(
        ({ network, networkId }) => network === value || networkId.startsWith(value),
      ),
  );
  any(
    "volume",
    (value) => (record) =>
      bindsOf(record.host).some((bind) => bind.source === value || bind.target === value) ||
      record.placed.some((mount) => mount.volume === value || mount.target === value),
  );
  any(
    "health",
    (value) =>
      ({ id }) =>
        (parts.health.of(id)?.status ?? "none") === value,
  );
  // No container is one of a swarm's task.
  if (booleanFilter(filters, "is-task") === true) tests.push(() => false);
  const portTests = [
    ...(filters.publish ?? []).map((value) => publishTest(parts, value)),
    ...(filters.expose ?? []).map((value) => exposeTest(value)),
  ];
  if (portTests.length > 0) tests.push((record) => portTests.some((test) => test(record)));
  const labels = filters.label ?? [];
  if (labels.length > 0) tests.push((record) => matchesLabels(record.config.Labels, labels));
  return tests;
}

/** By the ports of the host that a running container has. */
function publishTest(parts: Parts<"ports">, value: string): Test {
  const isMeant = portRange("publish", value);
  return ({ id, state }) =>
    goesOn(state) &&
    parts.ports.of(id).some(({ protocol, hostPort }) => isMeant(protocol, hostPort));
}

/** By the ports of its own that a running container has. */
function exposeTest(value: string): Test {
  const isMeant = portRange("expose", value);
  return ({ config, state }) =>
    goesOn(state) &&
    exposedPorts(config).some(({ protocol, containerPort }) => isMeant(protocol, containerPort));
}

/** "80", "80/udp" or "80-90/tcp"; dockerd gives mistakes in it no kind, so they are `internal`. */
function portRange(
  filter: "publish" | "expose",
  value: string,
): (protocol: string, port: number) => boolean {
  const refuse = (why: string) =>
    new Fault("internal", `error while looking up for ${filter} ${value}: ${why}`, {
      about: value,
    });
  if (value.includes(":"))
    throw new Fault("internal", `filter for '${filter}' should not contain ':': ${value}`, {
      about: value,
    });
  const [range = "", protocol = ""] = value.split("/");
  if (range === "") throw refuse("Empty string specified for ports.");
  const [first = 0, last = first] = range.split(/-(.*)/s, 2).map((text) => {
    const why = /^\d+$/.test(text) ? "value out of range" : "invalid syntax";
    if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
    throw refuse(`strconv.ParseUint: parsing ${JSON.stringify(text)}: ${why}`);
  });
  if (last < first) throw refuse(`Invalid range specified for the Port: ${range}`);
  return (kind, port) => kind === (protocol || "tcp") && port >= first && port <= last;
}

function exitedTest(value: string): Test {
  if (!/^[+-]?\d{1,15}$/.test(value)) {
    const why = `strconv.Atoi: parsing ${JSON.stringify(value)}: invalid syntax`;
    throw new Fault("invalid", `invalid filter 'exited=${value}': ${why}`, { about: value });
  }
  return ({ state }) =>
    state.exitCode === Number(value) && !goesOn(state) && state.startedAt !== 0n;
}

/** Of these images and of all that were committed from containers of them; a name without an image has none. */
function ancestorTest({ content }: Parts<"content">, values: readonly string[]): Test {
  const meant = new Set(values.flatMap((value) => content.images.idOf(value) ?? []));
  const children = content.images.list().filter(({ parent }) => parent !== undefined);
  for (let before = -1; before !== meant.size; ) {
    before = meant.size;
    for (const { id, parent } of children) if (parent && meant.has(parent)) meant.add(id);
  }
  return ({ imageId }) => meant.has(imageId);
}
