import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Fault, isFault } from "#base";
import {
  type ChildProcess,
  copySealed,
  type Fd,
  memfdSealed,
  openChannel,
  type SpawnOptions,
  socketPair,
  spawn,
} from "#kernel";
import { Launch } from "./launch.ts";
import { planLimits } from "./tags.ts";

/** One process to launch. */
export interface LaunchRequest {
  /** As `encodePlan` makes it. */
  readonly plan: Uint8Array;
  /** The inherited table, in the order of the plan's indices. They stay the caller's to close. */
  readonly fds: readonly Fd[];
  /** Shows in ps(1) beside the monitor's name. */
  readonly label?: string;
}

const imageName = "thimble-init";

/** Starts launchers from a copy of native/init that nothing can change. */
export class Helper implements Disposable {
  #image: Fd;

  constructor(image: Fd) {
    this.#image = image;
  }

  /**
   * Starts the launcher; all else is told by the promises of what it returns. `invalid` when there
   * are too many descriptors.
   */
  launch(request: LaunchRequest): Launch {
    const { plan, fds, label } = request;
    if (fds.length > planLimits.fds)
      throw new Fault("invalid", `a launch takes at most ${planLimits.fds} descriptors`);
    const [near, far] = socketPair();
    using stack = new DisposableStack();
    stack.use(near);
    using remote = far;
    const child = this.#start({
      argv: ["thimble-init", "launch", ...(label === undefined ? [] : [label])],
      env: {},
      cwd: "/",
      fds: [
        { fd: remote, as: 3 },
        { fd: remote, as: 4 },
        ...fds.map((fd, index) => ({ fd, as: 5 + index })),
      ],
    });
    const channel = openChannel(near);
    stack.move();
    const launch = new Launch(channel, child);
    channel.write(plan);
    return launch;
  }

  /**
   * A container that has run the copy, as the interpreter of a `#!/proc/self/exe` script, can
   * make every later start of it fail: see `memfdSealed`. Its content is sealed, so a new copy runs.
   */
  #start(options: Omit<SpawnOptions, "program">): ChildProcess {
    try {
      return spawn({ program: this.#image, ...options });
    } catch (error) {
      if (!isFault(error) || !["EACCES", "ETXTBSY"].includes(error.errno ?? "")) throw error;
    }
    using spoilt = this.#image;
    this.#image = copySealed(imageName, spoilt);
    return spawn({ program: this.#image, ...options });
  }

  [Symbol.dispose](): void {
    this.#image.close();
  }
}

/** Where the helper's file is. */
export interface HelperOptions {
  /** The build tree's file by default; in a release the file inside the executable. */
  readonly path?: string;
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
  return new Helper(memfdSealed(imageName, image));
}
