import type { Mapping } from "#yaml";
import { serviceHash } from "../hash.ts";
import { mappingAt, pairsAt, textAt } from "../project/fields.ts";
import type { Project } from "../project/project.ts";

/** The name of a label of docker compose: "com.docker.compose.service". */
export const composeLabel = (name: string) => `com.docker.compose.${name}`;

/** The version of docker compose whose projects these are, so that it takes them over as its own. */
export const composeVersion = "2.40.3";

/** Whence a project came, which its containers are labelled with. */
export interface ProjectOrigin {
  readonly directory: string;
  /** Absolute paths of its compose files; "-" is the standard input. */
  readonly files: readonly string[];
  /** The files of variables that were asked for. */
  readonly envFiles: readonly string[];
}

/** The labels of a network or a volume: its own, and those by which it is found. */
export function resourceLabels(
  kind: "network" | "volume",
  key: string,
  { project, part, hash }: { project: Project; part: Mapping; hash: string },
): Readonly<Record<string, string>> {
  return {
    ...pairsAt(part, "labels"),
    [composeLabel(kind)]: key,
    [composeLabel("project")]: project.name,
    [composeLabel("version")]: composeVersion,
    [composeLabel("config-hash")]: hash,
  };
}

/** What of a container is in its labels beside the service itself. */
export interface ContainerLabels {
  readonly project: Project;
  readonly origin: ProjectOrigin;
  readonly name: string;
  readonly number: number;
  readonly imageId: string;
  readonly isOneOff: boolean;
  /** The id of the container in whose place it comes. */
  readonly replaces: string | undefined;
}

/** The labels of a service's container. */
export function containerLabels(service: Mapping, container: ContainerLabels) {
  const { project, origin, name, number, imageId, isOneOff, replaces } = container;
  const dependencies = [...mappingAt(service, "depends_on")].map(([other, dependency]) => {
    const parts = dependency as Mapping;
    return `${other}:${textAt(parts, "condition")}:${parts.get("restart") === true}`;
  });
  return {
    ...pairsAt(service, "labels"),
    [composeLabel("project")]: project.name,
    [composeLabel("service")]: name,
    [composeLabel("version")]: composeVersion,
    [composeLabel("project.working_dir")]: origin.directory,
    [composeLabel("project.config_files")]: origin.files.join(","),
    ...(origin.envFiles.length > 0 && {
      [composeLabel("project.environment_file")]: origin.envFiles.join(","),
    }),
    [composeLabel("oneoff")]: isOneOff ? "True" : "False",
    ...(imageId !== "" && { [composeLabel("image")]: imageId }),
    ...(replaces !== undefined && { [composeLabel("replace")]: replaces }),
    ...(number > 0 && { [composeLabel("container-number")]: String(number) }),
    [composeLabel("config-hash")]: serviceHash(service),
    [composeLabel("depends_on")]: dependencies.sort().join(","),
  };
}
