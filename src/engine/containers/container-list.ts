import { Fault, isFault } from "#base";
import { bindsOf, exposedPorts, parseContainerPort } from "#container";
import type { Digest } from "#image";
import type { Containers, Filters } from "../contract.ts";
import { checkFilterKeys, matchesLabels } from "../filters.ts";
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
  any("id", (value) => (record) => record.id.startsWith(value));
  any("name", (value) => nameTest(value));
  any("status", (value) => (record) => record.state.status === value);
  any("exited", (value) => exitedTest(value));
  any("ancestor", (value) => ancestorTest(parts, value));
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
      value !== "" &&
      networksOf(parts, record).some(
        ({ network, networkId }) => network === value || networkId === value,
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
  any("is-task", (value) => () => value === "false" || value === "0");
  const hostPorts = (record: ContainerRecord) =>
    parts.ports.of(record.id).map(({ protocol, hostPort: port }) => ({ protocol, port }));
  const ownPorts = ({ config }: ContainerRecord) =>
    exposedPorts(config).map(({ protocol, containerPort: port }) => ({ protocol, port }));
  any("publish", (value) => portTest(`publish ${value}`, hostPorts));
  any("expose", (value) => portTest(`expose ${value}`, ownPorts));
  const labels = filters.label ?? [];
  tests.push((record) => matchesLabels(record.config.Labels, labels));
  return tests;
}

/** Docker takes a regular expression that may match anywhere, with or without the leading slash. */
function nameTest(value: string): Test {
  let pattern: RegExp;
  try {
    pattern = new RegExp(value.slice(0, 256));
  } catch (cause) {
    throw new Fault("invalid", `invalid filter 'name=${value}': it is not a regular expression`, {
      about: value,
      cause,
    });
  }
  return ({ name }) => pattern.test(name) || pattern.test(`/${name}`);
}

/** "publish 80", "expose 80/udp", or a range: by the host's ports or by the container's own. */
function portTest(
  filter: string,
  portsOf: (record: ContainerRecord) => readonly { protocol: string; port: number }[],
): Test {
  const [, value = ""] = filter.split(" ");
  const [range = "", protocol = "tcp"] = value.split("/");
  const [first, last = first] = range.split("-").map((each) => {
    if (parseContainerPort(`${each}/${protocol}`)) return Number(each);
    const why = `strconv.ParseUint: parsing "${each}": invalid syntax`;
    throw new Fault("invalid", `error while looking up for ${filter}: ${why}`, { about: value });
  });
  return (record) =>
    portsOf(record).some(
      (each) => each.protocol === protocol && each.port >= (first ?? 0) && each.port <= (last ?? 0),
    );
}

function exitedTest(value: string): Test {
  if (!/^\d{1,3}$/.test(value)) {
    throw new Fault("invalid", `invalid filter 'exited=${value}': it takes an exit code`);
  }
  return ({ state }) =>
    state.exitCode === Number(value) && !goesOn(state) && state.startedAt !== 0n;
}

function ancestorTest(parts: Parts<"content">, value: string): Test {
  let id: Digest;
  try {
    id = parts.content.resolve(value).id;
  } catch (error) {
    // As Docker: an image that does not exist has no containers.
    if (isFault(error)) return () => false;
    throw error;
  }
  return (record) => record.imageId === id;
}
