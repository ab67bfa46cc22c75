import { posix } from "node:path";
import { Fault } from "#base";
import { ignoreFileFor, maxDockerfileBytes } from "#dockerfile";
import { readText } from "../files/read-text.ts";
import type { FrontendRequest } from "./frontend-request.ts";
import { internalStep, type Report } from "./internal-step.ts";
import type { BuildClient, BuildRequest } from "./solver.ts";

/** The texts with which a build begins; no Dockerfile where it is in a context that is not the client's. */
export type BuildDefinition = Pick<BuildRequest, "dockerfile" | "ignore" | "dockerfileName">;

const maxIgnoreBytes = 1 << 20;
const usualIgnoreFile = ".dockerignore";

/**
 * Has the client send the Dockerfile and the file of what is left out of the context: that of the
 * Dockerfile, else the context's.
 */
export async function loadDefinition(
  { dockerfilePlace, dockerfileName: name, context }: FrontendRequest,
  client: BuildClient,
  report: Report,
): Promise<BuildDefinition> {
  if (dockerfilePlace.kind !== "client")
    return { dockerfile: undefined, dockerfileName: name, ignore: undefined };
  const ignoreName = ignoreFileFor(name);
  // Docker has always taken this one as well.
  const lower = posix.join(posix.dirname(name), "dockerfile");
  const names = posix.basename(name) === "Dockerfile" ? [name, lower] : [name];
  const loaded = await internalStep(report, `load build definition from ${name}`, async (step) => {
    const follow = [...names, ignoreName];
    await using lease = await client.directory(dockerfilePlace.name, { follow }, (bytes) =>
      step.transferred("transferring dockerfile:", bytes),
    );
    const { directory: path } = lease;
    const found = names.find((each) => readText(path, each, maxDockerfileBytes) !== undefined);
    const dockerfile = found && readText(path, found, maxDockerfileBytes);
    if (dockerfile === undefined)
      throw new Fault(
        "not_found",
        `failed to read dockerfile: open ${name}: no such file or directory`,
      );
    return { dockerfile, ignore: readText(path, ignoreName, maxIgnoreBytes) };
  });
  const { dockerfile } = loaded;
  const ignore = loaded.ignore ?? (await loadIgnoreFile(context, client, report));
  return { dockerfile, dockerfileName: name, ignore };
}

async function loadIgnoreFile(
  context: FrontendRequest["context"],
  client: BuildClient,
  report: Report,
): Promise<string | undefined> {
  if (context.kind !== "client") return undefined;
  return await internalStep(report, `load ${usualIgnoreFile}`, async (step) => {
    const wanted = { follow: [usualIgnoreFile], purpose: usualIgnoreFile };
    await using lease = await client.directory(context.name, wanted, (bytes) =>
      step.transferred("transferring context:", bytes),
    );
    return readText(lease.directory, usualIgnoreFile, maxIgnoreBytes);
  });
}
