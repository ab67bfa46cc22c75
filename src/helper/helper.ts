import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Fault, isFault, type Log, ReadyPool, silentLog } from "#base";
import {
  type ChildProcess,
  copySealed,
  type Fd,
  memfdSealed,
  openChannel,
  type SpawnOptions,
  sendDescriptors,
  socketPair,
  spawn,
} from "#kernel";
import { Launch } from "./launch.ts";
import { PortProxy } from "./port-proxy.ts";
import { planLimits } from "./tags.ts";

/** One process to launch. */
export interface LaunchRequest {
  /** As `encodePlan` makes it. */
  readonly plan: Uint8Array;
  /** The table of descriptors, in the order of the plan's indices. They stay the caller's to close. */
  readonly fds: readonly Fd[];
}

/** A process that waits for its plan. It ends by itself when our end of the socket is closed before. */
interface Launcher {
  readonly socket: Fd;
  readonly child: ChildProcess;
}

const imageName = "thimble-init";
const SIGKILL = 9;
/** In ps(1) until there is a plan, whose id then takes its place: that of a container has 64 digits. */
const waiting = "waiting".padEnd(64);
/** A process that has nothing left to do but to exit needs far less. */
const patienceMs = 1000;

/**
 * Starts launchers from a copy of native/init that nothing can change. Some may be kept ready:
 * making a process and its exec are a fifth of a launch.
 */
export class Helper implements Disposable {
  #image: Fd;
  readonly #ready: ReadyPool<Launcher>;
  readonly #patienceMs: number;
  readonly #proxies: ReadyPool<Launcher>;
  readonly #leaving = new Set<Promise<unknown>>();

  constructor(
    image: Fd,
    { ready = 0, log = silentLog, patienceMs = 60_000 }: Omit<HelperOptions, "path"> = {},
  ) {
    this.#image = image;
    this.#patienceMs = patienceMs;
    const discard = ({ socket, child }: Launcher) => {
      socket.close();
      this.#leaving.add(child.exited);
    };
    const make = () => this.#start();
    this.#ready = new ReadyPool({ size: ready, make, discard, log, what: "launchers" });
    this.#proxies = new ReadyPool({
      size: Math.min(ready, 2),
      make: () => this.#run(["proxy"], 3),
      discard,
      log,
      what: "proxies of ports",
    });
  }

  /** Makes as many launchers ready as were asked for. */
  prepare(): Promise<void> {
    return this.#ready.fill();
  }

  /**
   * Starts the launcher; all else is told by the promises of what it returns. `invalid` when there
   * are too many descriptors.
   */
  launch(request: LaunchRequest): Launch {
    const { plan, fds } = request;
    if (fds.length > planLimits.fds)
      throw new Fault("invalid", `a launch takes at most ${planLimits.fds} descriptors`);
    for (;;) {
      const ready = this.#ready.takeReady();
      const { socket, child } = ready ?? this.#start();
      using stack = new DisposableStack();
      stack.use(socket);
      let sent: number;
      try {
        sent = sendDescriptors(socket, plan, fds);
      } catch (error) {
        // One that waited may have been killed meanwhile; the next one will do.
        if (ready && isFault(error) && error.errno === "EPIPE") continue;
        throw error;
      }
      const channel = openChannel(socket);
      stack.move();
      const launch = new Launch(channel, child, this.#patienceMs);
      if (sent < plan.byteLength) channel.write(plan.subarray(sent));
      return launch;
    }
  }

  /** A proxy for the ports of one container. Once one was asked for, the next ones are kept ready. */
  proxy(): PortProxy {
    const { socket, child } = this.#proxies.takeReady() ?? this.#run(["proxy"], 3);
    return new PortProxy(socket, {
      pid: child.pid,
      kill: async () => {
        try {
          child.kill(SIGKILL);
        } catch {
          // It has ended by itself.
        }
        await child.exited;
      },
    });
  }

  /**
   * Starts a resolver that listens at a unix socket's path (mode dns of native/init), and gives our
   * end of its first connection. It goes on without this process for as long as containers need it.
   */
  startResolver(path: string): { readonly socket: Fd; readonly pid: number } {
    const { socket, child } = this.#run(["dns", path], 3);
    return { socket, pid: child.pid };
  }

  #start(): Launcher {
    return this.#run(["launch", waiting], 3, 4);
  }

  /** A process that has the other end of a socket pair as these descriptors. */
  #run(argv: readonly string[], ...as: readonly number[]): Launcher {
    const [near, far] = socketPair();
    using stack = new DisposableStack();
    stack.use(near);
    using remote = far;
    const child = this.#spawn({
      argv: [imageName, ...argv],
      env: {},
      cwd: "/",
      fds: as.map((number) => ({ fd: remote, as: number })),
    });
    child.unref();
    stack.move();
    return { socket: near, child };
  }

  /**
   * A container that has run the copy, as the interpreter of a `#!/proc/self/exe` script, can
   * make every later start of it fail: see `memfdSealed`. Its content is sealed, so a new copy runs.
   */
  #spawn(options: Omit<SpawnOptions, "program">): ChildProcess {
    try {
      return spawn({ program: this.#image, ...options });
    } catch (error) {
      if (!isFault(error) || !["EACCES", "ETXTBSY"].includes(error.errno ?? "")) throw error;
    }
    using spoilt = this.#image;
    this.#image = copySealed(imageName, spoilt);
    return spawn({ program: this.#image, ...options });
  }

  /** Ends the launchers that wait. */
  [Symbol.dispose](): void {
    void this.#ready.close();
    void this.#proxies.close();
    this.#image.close();
  }

  /** Disposes, and resolves when the launchers that waited are gone, which takes them a moment. */
  async close(): Promise<void> {
    this[Symbol.dispose]();
    await Promise.all([this.#ready.close(), this.#proxies.close()]);
    const enough = new AbortController();
    const patience = delay(patienceMs, undefined, { signal: enough.signal }).catch(() => undefined);
    await Promise.race([Promise.all(this.#leaving), patience]);
    enough.abort();
  }
}

/** Where the helper's file is, and how many launchers wait for a plan. */
export interface HelperOptions {
  /** The build tree's file by default; in a release the file inside the executable. */
  readonly path?: string;
  /** Launchers that are kept ready once `prepare` or `launch` was called; 0 by default. */
  readonly ready?: number;
  /** Milliseconds within which a launcher must answer to its plan; a minute by default. */
  readonly patienceMs?: number;
  /** Told when no launcher can be made ready; the next launch tries again. */
  readonly log?: Log;
}

/**
 * Reads the helper once and seals the copy that runs from then on, so that no container can change
 * the program that starts the next one (CVE-2019-5736). `not_found` when the file is missing.
 */
export function openHelper(options: HelperOptions = {}): Helper {
  const path = options.path ?? join(import.meta.dir, "../../native/build/thimble-init");
  let image: Buffer;
  try {
    image = readFileSync(path);
  } catch (error) {
    throw new Fault(
      "not_found",
      `cannot read the launcher ${path}: build the native parts with make -C native`,
      { about: path, cause: error },
    );
  }
  return new Helper(memfdSealed(imageName, image), options);
}
