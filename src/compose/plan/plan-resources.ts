import { Fault } from "#base";
import type { Mapping } from "#yaml";
import { composeLabel } from "../body/labels.ts";
import { networkHash, volumeHash } from "../body/resource-bodies.ts";
import { textAt } from "../project/fields.ts";
import type { Project } from "../project/project.ts";
import { byBytes } from "../value.ts";
import type { ObservedProject } from "./observed.ts";
import type { ResourcePlan } from "./plan.ts";

interface ResourcePlans {
  readonly resources: readonly ResourcePlan[];
  readonly warnings: string[];
}

const byKey = <T>(parts: ReadonlyMap<string, T>) => [...parts].sort(([a], [b]) => byBytes(a, b));

/**
 * What happens to the networks and volumes of a project. A volume that is other than its files say is
 * made anew, and loses its files, only where `replaces` allows it.
 * @throws Fault where an external one is missing, or another has the name of a network
 */
export function planResources(
  project: Project,
  observed: ObservedProject,
  replaces: (volume: string) => boolean,
): ResourcePlans {
  const warnings: string[] = [];
  const warn = (message: string) => warnings.push(message);
  const networks = byKey(project.networks).map(([key, part]) =>
    planNetwork(key, part, { project, observed, warn }),
  );
  const volumes = byKey(project.volumes).map(([key, part]) =>
    planVolume(key, part, { project, observed, warn, replaces }),
  );
  return { resources: [...networks, ...volumes], warnings };
}

interface Around {
  readonly project: Project;
  readonly observed: ObservedProject;
  readonly warn: (message: string) => void;
}

const reasons = {
  missing: "it is not there",
  changed: "its configuration has changed",
};

function planNetwork(
  key: string,
  part: Mapping,
  { project, observed, warn }: Around,
): ResourcePlan {
  const name = textAt(part, "name");
  const found = observed.networks.find((network) => network.Name === name || network.Id === name);
  const plan = { kind: "network", key, name, part } as const;
  if (part.get("external") === true) {
    if (found !== undefined) return { ...plan, fate: "keep", reason: "" };
    throw new Fault("not_found", `network ${name} declared as external, but could not be found`);
  }
  if (found === undefined) return { ...plan, fate: "create", reason: reasons.missing };
  const labels = found.Labels ?? {};
  const owner = labels[composeLabel("project")];
  if (owner !== project.name) {
    const whose =
      owner === undefined ? "by compose" : `for project ${JSON.stringify(project.name)}`;
    warn(
      `a network with name ${name} exists but was not created ${whose}.\nSet \`external: true\` to use an existing network`,
    );
  }
  const foundKey = labels[composeLabel("network")] ?? "";
  if (foundKey !== key) {
    throw new Fault(
      "conflict",
      `network ${name} was found but has incorrect label ${composeLabel("network")} set to ${JSON.stringify(foundKey)} (expected: ${JSON.stringify(key)})`,
    );
  }
  const hash = labels[composeLabel("config-hash")] ?? "";
  if (hash === "" || hash === networkHash(part)) return { ...plan, fate: "keep", reason: "" };
  return { ...plan, fate: "recreate", reason: reasons.changed };
}

function planVolume(
  key: string,
  part: Mapping,
  { project, observed, warn, replaces }: Around & { replaces: (volume: string) => boolean },
): ResourcePlan {
  const name = textAt(part, "name");
  const found = observed.volumes.find((volume) => volume.Name === name);
  const plan = { kind: "volume", key, name, part } as const;
  const keep = { ...plan, fate: "keep", reason: "" } as const;
  if (part.get("external") === true) {
    if (found !== undefined) return keep;
    throw new Fault("not_found", `external volume ${JSON.stringify(name)} not found`);
  }
  if (found === undefined) return { ...plan, fate: "create", reason: reasons.missing };
  const labels = found.Labels ?? {};
  const owner = labels[composeLabel("project")];
  if (owner !== project.name) {
    const whose =
      owner === undefined
        ? "was not created by Docker Compose"
        : `was created for project ${JSON.stringify(owner)} (expected ${JSON.stringify(project.name)})`;
    warn(
      `volume ${JSON.stringify(name)} already exists but ${whose}. Use \`external: true\` to use an existing volume`,
    );
  }
  const hash = labels[composeLabel("config-hash")];
  if (hash === undefined || hash === volumeHash(part) || !replaces(name)) return keep;
  return { ...plan, fate: "recreate", reason: reasons.changed };
}
