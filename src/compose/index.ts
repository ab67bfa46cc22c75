/**
 * compose: pure functions from compose files and variables to a project. It reads files through the
 * port `Files` alone, and never talks to an engine.
 *
 * On its way a file is a YAML node (yaml/), a value (value.ts), and, when variables are replaced, files
 * merged and short forms made long, a model; what has its types (project/) is a project. A project is
 * printed as docker compose prints it, byte for byte, which its config hash needs too.
 */

export {
  environmentLines,
  imageNames,
  modelVariables,
  networkNames,
  printConfig,
  printVariables,
  profileNames,
  serviceHashes,
  serviceNames,
  volumeNames,
} from "./config.ts";
export { type FileProblem, type Files, maxFileBytes } from "./files.ts";
export type { ProjectRequest } from "./find-sources.ts";
export type { ModelOptions } from "./open-project.ts";
export type { Variable } from "./template.ts";
