import { Fault } from "#base";
import { isMapping, type Mapping } from "#yaml";
import type { ProjectOrigin } from "./body/labels.ts";
import { checkConsistency } from "./consistency.ts";
import { type FoundSources, findSources, type ProjectRequest } from "./find-sources.ts";
import { type LoadOptions, loadModel } from "./load.ts";
import { normalize } from "./normalize.ts";
import { decodeProject, type Project } from "./project/project.ts";
import { projectName } from "./project-name.ts";
import { selectServices, withoutUnused, withProfiles, withServices } from "./select.ts";
import { labelFiles, withEnvFiles, withLabelFiles } from "./service-files.ts";

/** What is done to a model on its way to a project; all of it unless said otherwise. */
export interface ModelOptions {
  readonly isInterpolated?: boolean;
  readonly isNormalized?: boolean;
  readonly isConsistent?: boolean;
  readonly resolvesPaths?: boolean;
  readonly resolvesEnvironment?: boolean;
  /** Keeps the names of label files beside their labels, as docker compose does in what it runs and hashes. */
  readonly keepsLabelFiles?: boolean;
  /** Keeps networks, volumes, secrets and configs that no service uses. */
  readonly keepsUnused?: boolean;
}

/** A model as its files give it, not yet a project. */
export interface LoadedModel {
  readonly name: string;
  readonly model: Mapping;
  readonly environment: ReadonlyMap<string, string>;
}

/** A project with what its files do not say. */
interface OpenedProject {
  /** The services that were chosen, and what they use. */
  readonly project: Project;
  /** With the services that were not chosen. */
  readonly all: Project;
  /** The variables that its files may use. */
  readonly environment: ReadonlyMap<string, string>;
  readonly origin: ProjectOrigin;
}

interface Loaded extends LoadedModel {
  readonly options: LoadOptions;
  readonly found: FoundSources;
}

/** Reads and merges the files of a project, without giving its parts their types. */
export function openModel(request: ProjectRequest, options: ModelOptions = {}): LoadedModel {
  return load(request, options);
}

/**
 * Reads a project: the services that profiles or `services` choose, and what they use.
 * @throws Fault whose first line is docker compose's
 */
export function openProject(
  request: ProjectRequest,
  options: ModelOptions = {},
  services: readonly string[] = [],
): OpenedProject {
  const loaded = load(request, options);
  const { name, model, found } = loaded;
  let project = withProfiles(decodeProject(model, name), found.profiles);
  if (options.isConsistent !== false) checkConsistency(project);
  const change = (step: (service: Mapping, options: LoadOptions) => Mapping) => {
    const changed = [...project.services].map(
      ([key, service]) => [key, step(service, loaded.options)] as const,
    );
    project = { ...project, services: new Map(changed) };
  };
  if (options.resolvesEnvironment !== false) change(withEnvFiles);
  change((service, from) => {
    const labelled = withLabelFiles(service, from);
    const files = options.keepsLabelFiles === true ? labelFiles(service, from) : undefined;
    return files === undefined ? labelled : new Map([...labelled, ["label_file", files]]);
  });
  project = withServices(project, found.profiles, services);
  if (services.length > 0) change(withEnvFiles);
  const all = project;
  project = selectServices(project, services);
  if (options.keepsUnused !== true) project = withoutUnused(project);
  const files = found.sources.map(({ path }) => path);
  const origin = { directory: found.directory, files, envFiles: request.envFiles };
  return { project, all, environment: loaded.environment, origin };
}

/** Reads a project to run it: the named services, and what they depend on and use. */
export function openProjectToRun(
  request: ProjectRequest,
  services: readonly string[] = [],
): OpenedProject {
  return openProject(request, { keepsLabelFiles: true }, services);
}

function load(request: ProjectRequest, options: ModelOptions): Loaded {
  const found = findSources(request);
  const { directory, sources, environment } = found;
  const isInterpolated = options.isInterpolated !== false;
  const name = projectName(sources, {
    given: request.name,
    environment,
    directory,
    isInterpolated,
    warn: request.warn,
  });
  environment.set("COMPOSE_PROJECT_NAME", name);
  const loadOptions: LoadOptions = {
    files: request.files,
    cwd: request.cwd,
    environment: isInterpolated ? environment : new Map(),
    home: request.env.HOME ?? "",
    warn: request.warn,
    isInterpolated,
    resolvesPaths: options.resolvesPaths !== false,
  };
  const model = loadModel({ directory, root: directory, files: sources, trail: [] }, loadOptions);
  refuseModels(model);
  if (model.size === 0) throw new Fault("invalid", "empty compose file");
  if (name === "") throw new Fault("invalid", "project name must not be empty");
  if (options.isNormalized !== false) {
    normalize(model, name, (key) => loadOptions.environment.get(key));
    model.set("name", name);
  }
  return { name, model, environment, options: loadOptions, found };
}

function refuseModels(model: Mapping): void {
  const services = model.get("services");
  const user = isMapping(services)
    ? [...services].find(([, service]) => isMapping(service) && service.has("models"))?.[0]
    : undefined;
  if (user === undefined && !model.has("models")) return;
  const who = user === undefined ? "the project" : `service "${user}"`;
  throw new Fault(
    "unsupported",
    `${who} uses "models", which thimble does not run; remove the key, or run the model as a service`,
  );
}
