import { isFault } from "#base";
import type { ContainerRun } from "#client";
import type { ContainerCreateBody } from "#container";
import type { ContainerInspect } from "#wire";
import type { Verb } from "../command.ts";
import type { Context, TerminalSize } from "../context.ts";
import { Exit } from "../failure.ts";
import { showProgress } from "../progress.ts";
import { followSize, runSession } from "../session.ts";
import type { debugFlags } from "../table/containers.ts";

/** Made once, of this machine's busybox. */
const defaultImage = "thimble-debug:latest";
const busyboxPlaces = ["/bin/busybox", "/usr/bin/busybox"];

/** Where the tools of a busybox are linked. */
const toolsDirectory = "/tools";

/** The shell of the tools begins where the container's files are. */
const begin = `[ -d ${toolsDirectory} ] && /bin/busybox --install -s ${toolsDirectory} 2>/dev/null
cd /proc/1/root || exit 1
exec "$@"`;

export const debug: Verb<typeof debugFlags> = async (context, { flags, args }) => {
  const [ref = "", ...rest] = args;
  const command = rest[0] === "--" ? rest.slice(1) : rest;
  const target = await context.client.containers.inspect(ref);
  const image = flags.image || (await defaultTools(context));
  const request = { image, target, command, user: flags.user ?? "" };
  return target.State.Running
    ? await runBeside(context, request)
    : await runInside(context, request);
};

interface DebugRequest {
  readonly image: string;
  readonly target: ContainerInspect;
  readonly command: readonly string[];
  /** "": root beside a container that runs, else the container's own. */
  readonly user: string;
}

const onTerminal = ({ stdin, out }: Context) => stdin.isTerminal && out.isTerminal;

/** The tools on the files of a container that is stopped, which it gets back with their end. */
async function runInside(context: Context, request: DebugRequest): Promise<number> {
  const { image, target, command, user } = request;
  const { containers } = context.client;
  const tty = onTerminal(context);
  const body = { Cmd: [...command], User: user, Tty: tty, AttachStdin: true };
  const run = await containers.debug(target.Id, image, body);
  const resize = (size: TerminalSize) => containers.resizeDebug(target.Id, size);
  const end = await followRun(context, run, { tty, resize });
  return end === "detached" ? 0 : await run.exitCode;
}

/** The streams of the tools, to their end. */
async function followRun(
  context: Context,
  { stream }: Pick<ContainerRun, "stream">,
  { tty, resize }: { readonly tty: boolean; resize(size: TerminalSize): Promise<void> },
): Promise<"ended" | "detached"> {
  const unfollow = tty ? followSize(context, resize) : undefined;
  try {
    return await runSession(context, { stream, stdin: true, tty });
  } finally {
    unfollow?.();
  }
}

/** The tools in a read-only container of their own, in the namespaces of the one that runs. */
async function runBeside(context: Context, request: DebugRequest): Promise<number> {
  const { containers } = context.client;
  const tty = onTerminal(context);
  const { id, stream, exitCode } = await containers.run(toolsBody(request, tty));
  const resize = (size: TerminalSize) => containers.resize(id, size);
  const end = await followRun(context, { stream }, { tty, resize });
  // Nothing of it may stay, so that its user has to come to an end with it.
  if (end === "detached") await containers.remove(id, { force: true });
  return end === "detached" ? 0 : await exitCode;
}

function toolsBody(
  { image, target, command, user }: DebugRequest,
  tty: boolean,
): ContainerCreateBody {
  const joined = `container:${target.Id}`;
  const isShareable = target.HostConfig.IpcMode === "shareable";
  const tools = image === defaultImage ? { [toolsDirectory]: "exec,size=1m" } : {};
  const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  return {
    Image: image,
    Entrypoint: [],
    Cmd: ["/bin/sh", "-c", begin, "debug", ...(command.length > 0 ? command : ["/bin/sh"])],
    Env: ["CONTAINER_ROOT=/proc/1/root", `PATH=${path}:${toolsDirectory}`],
    User: user || "0",
    Tty: tty,
    ...{ OpenStdin: true, StdinOnce: true },
    ...{ AttachStdin: true, AttachStdout: true, AttachStderr: true },
    HostConfig: {
      AutoRemove: true,
      ReadonlyRootfs: true,
      Tmpfs: tools,
      ...{ PidMode: joined, NetworkMode: joined },
      ...(isShareable && { IpcMode: joined }),
      // To look into the /proc of processes that are not its own.
      CapAdd: ["SYS_PTRACE"],
    },
  };
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
