import { join } from "node:path";
import { faultOf, isFault, Scope } from "#base";
import { bindsOf, cleanTarget } from "#container";
import { type Fd, O_PATH, openat2, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS } from "#kernel";
import { checkProgram, ProgramTree } from "#rootfs";
import type { ContainerDiagnosis } from "../contract.ts";
import { mountLayers } from "../images/image-mount.ts";
import type { Parts } from "../parts.ts";
import type { ContainerRecord } from "./container-record.ts";
import { placedVolumes } from "./container-volumes.ts";
import { lookupUser } from "./user-lookup.ts";

type DiagnoseParts = Parts<"paths" | "snapshots" | "content" | "store" | "volumes">;

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * Facts about a container that its state does not tell, among them whether its program could be
 * run. Nothing is changed and nothing is run; files are looked at where its own mounts put them.
 */
export async function diagnoseContainer(
  parts: DiagnoseParts,
  ref: string,
): Promise<ContainerDiagnosis> {
  const record = parts.store.find(ref);
  return {
    imageExists: parts.content.findById(record.imageId) !== undefined,
    stoppedByUser: record.stoppedByUser,
    program: await programOf(parts, record),
  };
}

async function programOf(
  parts: DiagnoseParts,
  record: ContainerRecord,
): Promise<ContainerDiagnosis["program"]> {
  const [program = ""] = record.argv;
  await using scope = new Scope();
  const layers = parts.snapshots.layers(record.id);
  const { root } = scope.use(await mountLayers(parts, layers));
  const { found, missing } = openMounts(parts, record, scope);
  const environment = (name: string) => {
    const line = record.config.Env.findLast((each) => each.startsWith(`${name}=`));
    return line?.slice(name.length + 1);
  };
  const user = await userOf(parts, record);
  const { path, problems } = await checkProgram(new ProgramTree(root, found), {
    program,
    path: environment("PATH") ?? defaultPath,
    workingDir: record.config.WorkingDir || "/",
    libraryPath: environment("LD_LIBRARY_PATH") ?? "",
    uid: user.uid,
    gids: user.gids,
  });
  return {
    name: program,
    path: path ?? "",
    problems: [...user.problems, ...missing, ...problems],
  };
}

type Problems = ContainerDiagnosis["program"]["problems"];

/** The sources of its binds and volumes, by their targets, and those that are not there. */
function openMounts(
  parts: Parts<"volumes">,
  record: ContainerRecord,
  scope: Scope,
): { readonly found: ReadonlyMap<string, Fd>; readonly missing: Problems } {
  const found = new Map<string, Fd>();
  const missing: Problems[number][] = [];
  const open = (target: string, source: string, subpath: string) => {
    try {
      const whole = scope.use(openat2(undefined, source, { flags: O_PATH }));
      const resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
      const part = subpath && scope.use(openat2(whole, subpath, { flags: O_PATH, resolve }));
      found.set(cleanTarget(target), part || whole);
    } catch (error) {
      if (!isFault(error)) throw error;
      missing.push({
        kind: "missing-mount",
        message: `${join(source, subpath)}, which is to be mounted at ${target}, cannot be opened: ${error.message}`,
        advice: "make it, or remove the container and create it with another source",
      });
    }
  };
  for (const { target, source } of bindsOf(record.host)) open(target, source, "");
  for (const { target, volume, subpath } of placedVolumes(record))
    open(target, parts.volumes.pathOf(volume), subpath);
  return { found, missing };
}

/** Where its user is unknown, root stands for it. */
async function userOf(parts: Parts<"snapshots">, { id, config, host }: ContainerRecord) {
  const problems: Problems[number][] = [];
  try {
    const wanted = { user: config.User, groupAdd: host.GroupAdd };
    const { uid, gid, additionalGids } = await lookupUser(parts.snapshots, id, wanted);
    return { uid, gids: [gid, ...additionalGids], problems };
  } catch (error) {
    problems.push({
      kind: "unknown-user",
      message: faultOf(error).message,
      advice: "name a user of the image's /etc/passwd with --user, or a number",
    });
    return { uid: 0, gids: [0], problems };
  }
}
