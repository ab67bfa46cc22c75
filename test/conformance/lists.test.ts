import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  type DockerTarget,
  dockerPath,
  image,
  isRoot,
  openDockerTarget,
} from "../support/docker-cli.ts";

const runs = dockerPath !== null && isRoot;
let target: DockerTarget;

/** Containers of every state that does not change by itself, by their part in the tests. */
const made = { created: "", running: "", exited: "", paused: "" };
let network = "";
let volume = "";

beforeAll(async () => {
  if (!runs) return;
  target = await openDockerTarget();
  const { ok } = target;
  for (const part of ["created", "running", "exited", "paused"] as const)
    made[part] = target.name();
  network = `${made.created}-net`;
  volume = `${made.created}-vol`;
  await ok(["network", "create", "--label", "of=lists", network]);
  await ok(["volume", "create", "--label", "of=lists", volume]);
  await ok(["create", "--name", made.created, "--label", "of=lists", image, "true"]);
  await target.docker([
    "run",
    "--name",
    made.exited,
    "-l",
    "of=lists",
    image,
    "sh",
    "-c",
    "exit 3",
  ]);
  const long = ["-d", "--label", "of=lists", "--stop-timeout", "0"];
  await ok([
    ...["run", "--name", made.running, ...long, "--network", network, "-v", `${volume}:/data`],
    ...[
      "-p",
      "127.0.0.1::80",
      "--expose",
      "81/udp",
      "--health-cmd",
      "true",
      image,
      "sleep",
      "1000",
    ],
  ]);
  await ok(["run", "--name", made.paused, ...long, image, "sleep", "1000"]);
  await ok(["pause", made.paused]);
}, 600_000);

afterAll(async () => {
  if (!runs) return;
  await target.docker(["rm", "-f", ...Object.values(made)]);
  await target.docker(["network", "rm", network]);
  await target.docker(["volume", "rm", volume]);
  await target[Symbol.asyncDispose]();
}, 600_000);

async function get(path: string, filters?: unknown): Promise<{ status: number; json: unknown }> {
  const query =
    filters === undefined ? "" : `filters=${encodeURIComponent(JSON.stringify(filters))}`;
  const separator = path.includes("?") ? "&" : "?";
  const response = await fetch(`http://d${path}${separator}${query}`, { unix: target.socket });
  return { status: response.status, json: await response.json() };
}

/** The parts of the containers that a filter chooses, of those of this test. */
async function chosen(filters: Record<string, string[]>, all = true): Promise<string[]> {
  const label = [...(filters.label ?? []), "of=lists"];
  const { json } = await get(`/containers/json?all=${all ? 1 : 0}`, { ...filters, label });
  const names = (json as { Names: string[] }[]).map(({ Names }) => Names[0]?.slice(1));
  return Object.entries(made)
    .filter(([, name]) => names.includes(name))
    .map(([part]) => part);
}

test.skipIf(!runs)(
  "[needs docker CLI] containers by their state, network, volume and ports",
  async () => {
    const id = await target.ok(["inspect", "-f", "{{.Id}}", made.exited]);
    const publicPort = (await target.ok(["port", made.running, "80"])).split(":").at(-1) ?? "";
    const cases: [Record<string, string[]>, string[]][] = [
      [{ status: ["created", "exited"] }, ["created", "exited"]],
      [{ exited: ["3"] }, ["exited"]],
      [{ exited: ["0"] }, []],
      [{ health: ["none"] }, ["created", "exited", "paused"]],
      [{ "is-task": ["false"] }, ["created", "running", "exited", "paused"]],
      [{ "is-task": ["1"] }, []],
      [{ isolation: ["x"] }, ["created", "running", "exited", "paused"]],
      [{ network: [network] }, ["running"]],
      [{ volume: [volume] }, ["running"]],
      [{ volume: ["/data"] }, ["running"]],
      [{ publish: [publicPort] }, ["running"]],
      [{ publish: ["80"] }, []],
      [{ expose: ["80-81/udp"] }, ["running"]],
      [{ expose: ["9"], publish: [`${publicPort}/tcp`] }, ["running"]],
      [{ before: [made.running] }, ["created", "exited"]],
      [{ since: [made.running] }, ["paused"]],
      [{ name: [`^/${made.created}$`] }, ["created"]],
      [{ name: ["("] }, []],
      [{ id: [id.slice(0, 20)] }, ["exited"]],
      [{ ancestor: [image] }, ["created", "running", "exited", "paused"]],
      [{ ancestor: ["no-such-image"] }, []],
    ];
    const seen = await Promise.all(cases.map(async ([filter]) => [filter, await chosen(filter)]));
    expect(seen).toEqual(cases);
    expect(await chosen({ exited: ["3"] }, false)).toEqual([]);
    expect(await chosen({ status: ["exited"] }, false)).toEqual(["exited"]);
  },
);

const atoi = (text: string) => `strconv.Atoi: parsing "${text}": invalid syntax`;

/** Recorded from dockerd 28.5. */
const refusals: readonly (readonly [string, unknown, number, string])[] = [
  ["/containers/json", { foo: ["a"] }, 400, "invalid filter 'foo'"],
  ["/containers/json", { exited: ["x"] }, 400, `invalid filter 'exited=x': ${atoi("x")}`],
  [
    "/containers/json",
    { health: ["x"] },
    400,
    "invalid filter 'health=x': invalid value for health (x): must be one of none, starting, healthy, unhealthy",
  ],
  ["/containers/json", { "is-task": ["x"] }, 400, "invalid filter 'is-task=[x]'"],
  ["/containers/json", { before: ["nope"] }, 404, "No such container: nope"],
  [
    "/containers/json",
    { publish: ["90-80"] },
    500,
    "error while looking up for publish 90-80: Invalid range specified for the Port: 90-80",
  ],
  [
    "/containers/json",
    { expose: ["70000"] },
    500,
    'error while looking up for expose 70000: strconv.ParseUint: parsing "70000": value out of range',
  ],
  ["/containers/json?limit=x", undefined, 500, atoi("x")],
  ["/images/json", { dangling: ["true", "false"] }, 400, "invalid filter 'dangling=[true false]'"],
  ["/images/json", { reference: ["["] }, 500, "syntax error in pattern"],
  ["/images/json", { before: ["nope"] }, 404, "No such image: nope:latest"],
  [
    "/networks",
    { dangling: ["x"] },
    400,
    'invalid value for filter \'dangling\', must be "true" (or "1"), or "false" (or "0")',
  ],
  ["/volumes", { dangling: ["t"] }, 400, "invalid filter 'dangling=[t]'"],
  ["/volumes", { "label!": ["t"] }, 400, "invalid filter 'label!'"],
  ["/system/df?type=x", undefined, 400, "unknown object type: x"],
];

test.skipIf(!runs)("[needs docker CLI] wrong filters are refused in Docker's words", async () => {
  const seen = await Promise.all(
    refusals.map(async ([path, filters]) => {
      const { status, json } = await get(path, filters);
      return [path, filters, status, (json as { message?: string }).message];
    }),
  );
  expect(seen).toEqual(refusals.map(([...each]) => each));
});

test.skipIf(!runs)("[needs docker CLI] networks and volumes by name, label and use", async () => {
  const names = async (path: string, filters: unknown) => {
    const { json } = await get(path, filters);
    const all = path === "/volumes" ? (json as { Volumes: unknown }).Volumes : json;
    return (all as { Name: string }[]).map(({ Name }) => Name);
  };
  expect(await names("/networks", { label: ["of=lists"] })).toEqual([network]);
  // dockerd 28 takes every network of a user for one that no container uses.
  if (target.ours)
    expect(await names("/networks", { name: [network], dangling: ["true"] })).toEqual([]);
  expect(await names("/networks", { name: ["("] })).toEqual([]);
  expect(await names("/volumes", { label: ["of=lists"], dangling: ["false"] })).toEqual([volume]);
  expect(await names("/volumes", { name: [volume], dangling: ["1"] })).toEqual([]);
});

test.skipIf(!runs)(
  "[needs docker CLI] images by time to the nanosecond, and by several limits",
  async () => {
    const [first, second] = [`${made.created}-a`, `${made.created}-b`];
    const { ok } = target;
    await ok(["commit", made.created, `lists/${first}`]);
    await ok(["commit", made.created, `lists/${second}`]);
    const list = async (filters: Record<string, string[]>) => {
      const reference = [`lists/${made.created}-*`];
      const { json } = await get("/images/json", { ...filters, reference });
      return (json as { RepoTags: string[] }[]).flatMap(({ RepoTags }) => RepoTags).toSorted();
    };
    const tags = [`lists/${first}:latest`, `lists/${second}:latest`];
    expect(await list({})).toEqual(tags);
    expect(await list({ before: [`lists/${second}`] })).toEqual([tags[0] ?? ""]);
    expect(await list({ since: [`lists/${first}`] })).toEqual([tags[1] ?? ""]);
    expect(await list({ until: ["-1h"] })).toEqual(tags);
    expect(await list({ until: ["-1h", "1h"] })).toEqual([]);
    const ofCreated = await ok(["inspect", "-f", "{{.Image}}", made.created]);
    expect(await ok(["inspect", "-f", "{{.Parent}}", `lists/${first}`])).toBe(ofCreated);
    await ok(["rmi", `lists/${first}`, `lists/${second}`]);
  },
);

test.skipIf(!runs)(
  "[needs docker CLI] a container's image is shown by its id once its name is another's",
  async () => {
    const { ok } = target;
    const [name, tag] = [target.name(), `lists/${made.created}:moved`];
    const column = () =>
      ok(["ps", "-a", "--no-trunc", "--filter", `name=${name}`, "--format", "{{.Image}}"]);
    await ok(["tag", image, tag]);
    await ok(["create", "--name", name, tag, "true"]);
    expect(await column()).toBe(tag);
    const other = await ok(["commit", made.created]);
    await ok(["tag", other, tag]);
    expect(await column()).toBe(await ok(["inspect", "-f", "{{.Image}}", name]));
    await ok(["rm", name]);
    await ok(["rmi", tag]);
  },
);

test.skipIf(!runs)(
  "[needs docker CLI] a repository is saved with all its tags, and a load of the same keeps the time",
  async () => {
    const { ok } = target;
    const repository = `lists/${made.created}-saved`;
    for (const tag of ["1", "2"]) await ok(["tag", image, `${repository}:${tag}`]);
    const archive = `${target.directory}/saved.tar`;
    await ok(["save", "-o", archive, repository]);
    const tagged = () => ok(["inspect", "-f", "{{.Metadata.LastTagTime}}", `${repository}:1`]);
    const before = await tagged();
    const loaded = await ok(["load", "-i", archive]);
    for (const tag of ["1", "2"]) expect(loaded).toContain(`Loaded image: ${repository}:${tag}`);
    expect(await tagged()).toBe(before);
    await ok(["tag", image, `${repository}:1`]);
    expect(await tagged()).not.toBe(before);
    await ok(["rmi", `${repository}:1`, `${repository}:2`]);
  },
);

test.skipIf(!runs)(
  "[needs docker CLI] images get no name that would be taken for another",
  async () => {
    const failure = async (...args: string[]) => (await target.docker(args)).stderr.trim();
    expect(await failure("tag", image, "sha256:abc")).toBe(
      "Error response from daemon: refusing to create an ambiguous tag using digest algorithm as name",
    );
    expect(await failure("rmi", " ")).toBe(
      "Error response from daemon: image name cannot be blank",
    );
    const load = await target.docker(["load"], { input: "not an archive" });
    expect(load.status).toBe(1);
  },
);
