import { isFault } from "#base";
import type { ContainerCreateBody } from "#container";
import type { ContainerInspect } from "#wire";
import type { Verb } from "../command.ts";
import type { Context } from "../context.ts";
import { Exit } from "../failure.ts";
import { showProgress } from "../progress.ts";
import { followSize, runSession } from "../session.ts";
import type { debugFlags } from "../table/containers.ts";

/** Made once, of this machine's busybox. */
const defaultImage = "thimble-debug:latest";
const busyboxPlaces = ["/bin/busybox", "/usr/bin/busybox"];

/** Where the tools of a busybox are linked, and where the files of a container that is stopped are. */
const toolsDirectory = "/tools";
const stoppedRoot = "/container";

/** The shell of the tools begins where the container's files are. */
const begin = `[ -d ${toolsDirectory} ] && /bin/busybox --install -s ${toolsDirectory} 2>/dev/null
cd "$CONTAINER_ROOT" || exit 1
exec "$@"`;

export const debug: Verb<typeof debugFlags> = async (context, { flags, args }) => {
  const [ref = "", ...rest] = args;
  const command = rest[0] === "--" ? rest.slice(1) : rest;
  const target = await context.client.containers.inspect(ref);
  const image = flags.image || (await defaultTools(context));
  await using files = await filesOf(context, target);
  const body = debugBody(context, { image, target, files, command });
  return await runTools(context, body);
};

interface Files extends AsyncDisposable {
  /** Where the tools see the container's files. */
  readonly root: string;
  /** The image of a container that is stopped. */
  readonly image?: string;
}

/** A container that runs shows its files in /proc; of another an image is made, which goes afterwards. */
async function filesOf(context: Context, { Id, State }: ContainerInspect): Promise<Files> {
  if (State.Running) return { root: "/proc/1/root", [Symbol.asyncDispose]: async () => undefined };
  const image = await context.client.containers.commit(Id, { pause: false });
  return {
    ...{ root: stoppedRoot, image },
    [Symbol.asyncDispose]: async () => {
      await context.client.images.remove(image, { force: true });
    },
  };
}

interface DebugRequest {
  readonly image: string;
  readonly target: ContainerInspect;
  readonly files: Files;
  readonly command: readonly string[];
}

/** A container of the tools that is read-only, in the namespaces of the one to look at. */
function debugBody(
  context: Context,
  { image, target, files, command }: DebugRequest,
): ContainerCreateBody {
  const tty = context.stdin.isTerminal && context.out.isTerminal;
  const joined = `container:${target.Id}`;
  const isShareable = target.HostConfig.IpcMode === "shareable";
  const tools = image === defaultImage ? { [toolsDirectory]: "exec,size=1m" } : {};
  const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  return {
    Image: image,
    Entrypoint: [],
    Cmd: ["/bin/sh", "-c", begin, "debug", ...(command.length > 0 ? command : ["/bin/sh"])],
    Env: [`CONTAINER_ROOT=${files.root}`, `PATH=${path}:${toolsDirectory}`],
    User: "0",
    Tty: tty,
    ...{ OpenStdin: true, StdinOnce: true },
    ...{ AttachStdin: true, AttachStdout: true, AttachStderr: true },
    HostConfig: {
      AutoRemove: true,
      ReadonlyRootfs: true,
      Tmpfs: tools,
      ...(files.image
        ? { Mounts: [{ Type: "image", Source: files.image, Target: stoppedRoot }] }
        : {
            ...{ PidMode: joined, NetworkMode: joined },
            ...(isShareable && { IpcMode: joined }),
            // To look into the /proc of processes that are not its own.
            CapAdd: ["SYS_PTRACE"],
          }),
    },
  };
}

async function runTools(context: Context, body: ContainerCreateBody): Promise<number> {
  const { containers } = context.client;
  const { id, stream, exitCode } = await containers.run(body);
  const tty = body.Tty === true;
  const unfollow = tty ? followSize(context, (size) => containers.resize(id, size)) : undefined;
  const end = await runSession(context, { stream, stdin: true, tty });
  unfollow?.();
  // Nothing of it may stay, so that its user has to come to an end with it.
  if (end === "detached") await containers.remove(id, { force: true });
  return end === "detached" ? 0 : await exitCode;
}

/** The default image; made of this machine's static busybox when it is missing. */
async function defaultTools(context: Context): Promise<string> {
  const { images } = context.client;
  try {
    await images.inspect(defaultImage);
    return defaultImage;
  } catch (error) {
    if (!isFault(error, "not_found")) throw error;
  }
  const { existsSync } = process.getBuiltinModule("node:fs");
  const busybox = busyboxPlaces.find((path) => existsSync(path));
  if (busybox === undefined)
    throw new Exit(
      1,
      "there is no busybox on this machine to make the tools of: install the package busybox-static, or name an image with a shell (--image debian)",
    );
  const { tarFiles } = await import("../tar-files.ts");
  const files = tarFiles([`${busybox}:/bin/busybox`, `${busybox}:/bin/sh`]);
  await context.err.write(`Making the image ${defaultImage} of ${busybox}, once\n`);
  const request = { method: "scratch", reference: defaultImage, cmd: ["/bin/sh"], files } as const;
  await showProgress(context, images.make(request), "quiet");
  return defaultImage;
}
