import { expect, test } from "bun:test";
import {
  createBody,
  type ObservedProject,
  openProjectToRun,
  planDown,
  planObserved,
  planUp,
  resolveService,
} from "#compose";
import { networkBody, volumeBody } from "../body/resource-bodies.ts";
import { memoryFiles, recordedRoot } from "../testing.ts";
import type { Plan } from "./plan.ts";

const open = (text: string, services: readonly string[] = []) =>
  openProjectToRun(
    {
      ...{ files: memoryFiles(new Map([["compose.yaml", text]])), cwd: recordedRoot, env: {} },
      ...{ paths: [], envFiles: [], profiles: [], name: "p" },
      ...{ stdin: () => "", warn: () => undefined },
    },
    services,
  );

const nothing: ObservedProject = { containers: [], networks: [], volumes: [] };

function plan(
  text: string,
  observed: ObservedProject = nothing,
  options: Partial<Parameters<typeof planUp>[0]> = {},
): Plan {
  const { project, all, origin } = open(text);
  return planUp(
    {
      ...{ project, all, origin, named: [], orphans: "warn" },
      ...{ recreation: "diverged", recreationOfDependencies: "diverged" },
      ...{ imageId: () => "sha256:1", replacesVolume: () => false },
      ...options,
    },
    observed,
  );
}

/** What there is when a plan has been carried out. */
function carriedOut(done: Plan, state = "running"): ObservedProject {
  const { project, origin } = done;
  const networks = done.resources
    .filter(({ kind }) => kind === "network")
    .map(({ key, name, part }) => {
      const { Labels } = networkBody(project, key, part);
      return { Name: name, Id: `id-${name}`, Labels };
    });
  const volumes = done.resources
    .filter(({ kind }) => kind === "volume")
    .map(({ key, name, part }) => ({ Name: name, Labels: volumeBody(project, key, part).Labels }));
  const containers = done.services.flatMap(({ name: service, service: own, containers: steps }) =>
    steps
      .filter(({ fate }) => fate !== "remove")
      .map(({ number, name }) => {
        const body = createBody({
          ...{ project, origin, name: service, number, imageId: "sha256:1" },
          service: resolveService(own, (other) => `id-p-${other}-1`),
          containerNames: () => [],
        });
        const endpoints = Object.keys(body.NetworkingConfig?.EndpointsConfig ?? {});
        const summary = {
          Labels: body.Labels,
          Status: "",
          Mounts: (body.HostConfig?.Binds ?? []).map((bind) => ({
            ...{ Type: "volume", Name: bind.split(":")[0] },
          })),
          NetworkSettings: {
            Networks: Object.fromEntries(endpoints.map((one) => [one, { NetworkID: `id-${one}` }])),
          },
        };
        return { id: `id-${name}`, name, service, number, isOneOff: false, state, summary };
      }),
  );
  return { containers, networks, volumes } as unknown as ObservedProject;
}

const shown = ({ services }: Plan) =>
  services.flatMap(({ containers }) =>
    containers.map(({ name, fate, reason }) => `${name} ${fate} ${reason}`.trim()),
  );

const text = `services:
  web: {image: i, depends_on: {db: {condition: service_started, restart: true}}, networks: [front]}
  db: {image: i, volumes: ["data:/d"], networks: [back]}
networks: {front: {}, back: {}}
volumes: {data: {}}
`;

test("a new project is made whole, what others depend on first", () => {
  const first = plan(text);
  expect(first.resources.map(({ name, fate }) => `${name} ${fate}`)).toEqual([
    "p_back create",
    "p_front create",
    "p_data create",
  ]);
  expect(shown(first)).toEqual(["p-db-1 create it is not there", "p-web-1 create it is not there"]);
});

test("nothing that has not changed is touched", () => {
  const observed = carriedOut(plan(text));
  const again = plan(text, observed);
  expect(again.resources.every(({ fate }) => fate === "keep")).toBe(true);
  expect(shown(again)).toEqual(["p-db-1 keep", "p-web-1 keep"]);
});

test("a container says why it is made anew, and who asked for it is restarted", () => {
  const observed = carriedOut(plan(text));
  const changed = text.replace("db: {image: i,", "db: {image: i, init: true,");
  expect(shown(plan(changed, observed))).toEqual([
    "p-db-1 recreate its configuration has changed",
    "p-web-1 restart db is made anew",
  ]);
  const imageId = (name: string) => (name === "web" ? "sha256:2" : "sha256:1");
  expect(shown(plan(text, observed, { imageId }))[1]).toBe(
    "p-web-1 recreate its image has changed",
  );
  expect(shown(plan(text, observed, { recreation: "force" }))[1]).toBe(
    "p-web-1 recreate that is asked for",
  );
  expect(shown(plan(changed, observed, { recreation: "never" }))[0]).toBe("p-db-1 keep");
  const network = text.replace("back: {}", "back: {internal: true}");
  expect(shown(plan(network, observed))[0]).toBe("p-db-1 recreate network p_back is made anew");
  const volume = text.replace("data: {}", "data: {driver_opts: {type: tmpfs}}");
  expect(shown(plan(volume, observed))[0]).toBe("p-db-1 keep");
  expect(shown(plan(volume, observed, { replacesVolume: () => true }))[0]).toBe(
    "p-db-1 recreate volume p_data is made anew",
  );
});

test("a service that shares the network of another follows it", () => {
  const shared = `services:
  app: {image: i}
  side: {image: i, network_mode: "service:app"}
`;
  const observed = carriedOut(plan(shared));
  expect(shown(plan(shared, observed))).toEqual(["p-app-1 keep", "p-side-1 keep"]);
  const changed = shared.replace("app: {image: i}", "app: {image: i, init: true}");
  expect(shown(plan(changed, observed))[1]).toBe(
    "p-side-1 recreate the container of app is made anew",
  );
});

test("a service grows after its highest number, and shrinks from there", () => {
  const scaled = (count: number) => `services: {web: {image: i, scale: ${count}}}`;
  const three = carriedOut(plan(scaled(3)));
  const without1 = { ...three, containers: three.containers.filter(({ number }) => number !== 1) };
  expect(shown(plan(scaled(3), without1))).toEqual([
    "p-web-2 keep",
    "p-web-3 keep",
    "p-web-4 create the service has 3",
  ]);
  expect(shown(plan(scaled(1), three))).toEqual([
    "p-web-1 keep",
    "p-web-2 remove the service has 1",
    "p-web-3 remove the service has 1",
  ]);
  const named = "services: {web: {image: i, container_name: mine}}";
  const { project } = open(named);
  const web = new Map([...(project.services.get("web") ?? []), ["scale", 2]]);
  const services = new Map([["web", web]]) as typeof project.services;
  expect(() => plan(named, nothing, { project: { ...project, services } })).toThrow(
    'WARNING: The "web" service is using the custom container name "mine".',
  );
});

test("of two containers with one number, which a crash left, the one that is right stays", () => {
  const changed = text.replace("web: {image: i,", "web: {image: i, init: true,");
  const [before, after] = [carriedOut(plan(text)), carriedOut(plan(changed))];
  const old = before.containers.filter(({ service }) => service === "web");
  const fresh = after.containers
    .filter(({ service }) => service === "web")
    .map((one) => ({ ...one, id: "new", name: "id-p-web-1_p-web-1", state: "created" }));
  const others = before.containers.filter(({ service }) => service !== "web");
  const observed = { ...before, containers: [...others, ...old, ...fresh] };
  const steps = plan(changed, observed).services.flatMap((one) => one.containers);
  expect(steps.map(({ container, fate, name }) => `${container?.id} ${fate} ${name}`)).toEqual([
    "id-p-db-1 keep p-db-1",
    "new keep p-web-1",
    "id-p-web-1 remove p-web-1",
  ]);
});

test("orphans are told of, removed, or left alone", () => {
  const observed = carriedOut(plan(text));
  const less = "services: {db: {image: i, volumes: ['data:/d']}}\nvolumes: {data: {}}\n";
  expect(plan(less, observed).warnings[0]).toStartWith(
    "Found orphan containers ([p-web-1]) for this project. ",
  );
  const { orphans, warnings } = plan(less, observed, { orphans: "remove" });
  expect({ orphans: orphans.map(({ name }) => name), warnings }).toEqual({
    orphans: ["p-web-1"],
    warnings: [],
  });
});

test("external resources must be there, and names of others are not taken", () => {
  const external = "services: {a: {image: i, networks: [n]}}\nnetworks: {n: {external: true}}\n";
  expect(() => plan(external)).toThrow("network n declared as external, but could not be found");
  const volume =
    "services: {a: {image: i, volumes: ['vol:/v']}}\nvolumes: {vol: {external: true}}\n";
  expect(() => plan(volume)).toThrow('external volume "vol" not found');
  const taken = { ...nothing, networks: [{ Name: "p_default", Id: "x", Labels: {} }] };
  expect(() => plan("services: {a: {image: i}}", taken as unknown as ObservedProject)).toThrow(
    'network p_default was found but has incorrect label com.docker.compose.network set to "" (expected: "default")',
  );
});

test("a project is known by the labels of its containers, too", () => {
  const observed = carriedOut(plan(text));
  const services = planObserved(observed, undefined);
  expect(
    services.map(({ name, dependencies }) => [name, ...dependencies.map((one) => one.service)]),
  ).toEqual([["db"], ["web", "db"]]);
  expect(() => planObserved(observed, undefined, ["x"])).toThrow("no such service: x");
});

test("down removes what is the project's own", () => {
  const observed = carriedOut(plan(text));
  const { project } = open(text.replace("data: {}", "data: {external: true, name: p_data}"));
  const options = { named: [], volumes: true, orphans: false };
  const down = planDown(observed, project, options);
  expect(down.networks.map(({ name }) => name)).toEqual(["p_back", "p_front"]);
  expect(down.volumes).toEqual([]);
  expect(planDown(observed, undefined, options).volumes).toEqual(["p_data"]);
});
