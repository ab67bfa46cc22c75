/**
 * The launch plan: everything native/init needs to start one process, as data.
 * Policy is spent by the time a plan exists; the helper only carries it out.
 *
 * Descriptors are named by index into the inherited table (index 0 is fd 5 of the
 * helper), never by number, so that a plan can cross a vsock into a VM.
 */
export type FdIndex = number & { readonly __brand: "FdIndex" };

export type NamespaceKind = "mnt" | "net" | "pid" | "ipc" | "uts" | "cgroup" | "user" | "time";

/** A namespace of the container: made new, or the one behind an inherited descriptor. A kind not listed is the helper's own. */
export interface NamespaceEntry {
  readonly kind: NamespaceKind;
  readonly join?: FdIndex;
}

/**
 * A range of ids of a user namespace (user_namespaces(7)): `count` ids from `inside` on are those
 * from `outside` on.
 */
export interface IdMap {
  readonly inside: number;
  readonly outside: number;
  readonly count: number;
}

/** MOUNT_ATTR_* bits of mount_setattr(2), set and cleared. */
export interface MountAttributes {
  readonly set: number;
  readonly clear: number;
}

export type Propagation = "private" | "slave" | "shared" | "unbindable";

/**
 * One mount, in order. `target` is absolute inside the container ("/" for the root
 * itself, which must come first) and is resolved with RESOLVE_IN_ROOT. A missing
 * target is created as `create` says.
 */
export interface MountOperation {
  readonly source:
    | {
        readonly kind: "filesystem";
        readonly type: string;
        readonly options: readonly (readonly [key: string, value: string | null])[];
      }
    /** mount(2) with one data string: for an overlay of many layers on kernels without `lowerdir+` (before 6.8). */
    | { readonly kind: "legacy"; readonly type: string; readonly data: string }
    | { readonly kind: "bind"; readonly path: string; readonly recursive: boolean }
    | { readonly kind: "bind-fd"; readonly fd: FdIndex; readonly recursive: boolean };
  readonly target: string;
  readonly attributes: MountAttributes;
  /** Apply the attributes to the whole tree of a recursive bind. */
  readonly recursiveAttributes: boolean;
  /** For the whole tree of a recursive bind; private when absent. */
  readonly propagation?: Propagation;
  readonly create: "directory" | "file" | "none";
  /** Whose the files of a bind are in the mount: `inside` is the id on the file system, `outside` the one in the mount. */
  readonly owners?: { readonly uids: readonly IdMap[]; readonly gids: readonly IdMap[] };
}

/** A node to make: character or block device, or FIFO ("p"); `mode` without the type. */
export interface DeviceNode {
  readonly path: string;
  readonly type: "c" | "b" | "p";
  readonly major: number;
  readonly minor: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** A limit as setrlimit(2) takes it; 2^64 - 1 is RLIM_INFINITY. */
export interface ResourceLimit {
  /** RLIMIT_* number. */
  readonly resource: number;
  readonly soft: bigint;
  readonly hard: bigint;
}

/** Bit n is capability n. */
export interface CapabilityMasks {
  readonly bounding: bigint;
  readonly effective: bigint;
  readonly permitted: bigint;
  readonly inheritable: bigint;
  readonly ambient: bigint;
}

/** The program; ids and paths are those inside the container. */
export interface PlanProcess {
  /** argv[0] without a slash is looked up in the PATH of `env`. */
  readonly argv: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids: readonly number[];
  readonly umask?: number;
}

/**
 * All that the helper needs to start one process. It carries the parts out in its own order, of
 * which the one that fails is the `stage` of the error.
 */
export interface LaunchPlan {
  /**
   * `run`: make the namespaces without `join`, and stay as monitor. `exec`: enter an existing
   * container, and stay as monitor. `sandbox`: make the namespaces and hold them without a program.
   */
  readonly mode: "run" | "exec" | "sandbox";
  /** Container or exec id; answers STATUS with it. */
  readonly id: string;
  readonly namespaces: readonly NamespaceEntry[];
  readonly uidMaps: readonly IdMap[];
  readonly gidMaps: readonly IdMap[];
  /** An existing empty host directory on which the root is assembled in the private mount namespace. */
  readonly rootAnchor?: string;
  readonly mounts: readonly MountOperation[];
  readonly rootReadonly: boolean;
  /** For the root mount inside the container; private when absent. */
  readonly rootPropagation?: Propagation;
  readonly devices: readonly DeviceNode[];
  readonly symlinks: readonly { readonly target: string; readonly path: string }[];
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
  readonly sysctls: readonly { readonly name: string; readonly value: string }[];
  readonly hostname?: string;
  readonly domainname?: string;
  /** v2: a cgroup directory, entered with CLONE_INTO_CGROUP. v1: the `tasks` files of every hierarchy, into which the child writes "0". */
  readonly cgroup?:
    | { readonly version: 2; readonly directory: FdIndex }
    | { readonly version: 1; readonly tasks: readonly FdIndex[] };
  /** memory.events (v2) or memory.oom_control (v1): the `oom_kill N` line is read from it. */
  readonly oomCounter?: FdIndex;
  /** v1 only: an eventfd registered with cgroup.event_control. */
  readonly oomEvent?: FdIndex;
  readonly resourceLimits: readonly ResourceLimit[];
  readonly oomScoreAdj?: number;
  readonly capabilities?: CapabilityMasks;
  readonly noNewPrivileges: boolean;
  /** An array of struct sock_filter, 8 bytes each. */
  readonly seccomp?: Uint8Array;
  /** SECCOMP_FILTER_FLAG_* bits. */
  readonly seccompFlags?: number;
  readonly process?: PlanProcess;
  /** Run the helper's own reaper as process 1 and the program as its child. */
  readonly init: boolean;
  readonly stdio: {
    readonly mode: "pty" | "pipes" | "null";
    /** Keep a standard input that attached clients write to; otherwise it is /dev/null. */
    readonly stdin: boolean;
    /** Close standard input for good once the first attached client's input ends. */
    readonly stdinOnce: boolean;
    readonly rows?: number;
    readonly columns?: number;
  };
  /** The json-file log. `maxSize` 0 is unlimited; `maxFiles` counts the current one. */
  readonly log?: {
    readonly path: string;
    readonly maxSize: bigint;
    readonly maxFiles: number;
    /** The text of a JSON object, which each line has as `attrs`; at most 32 KiB. */
    readonly attributes?: string;
  };
  /** Where the monitor listens (at most 107 bytes) and where it leaves the exit record. */
  readonly controlSocket?: string;
  readonly exitRecord?: string;
  /**
   * The program waits for GO or for a START on the control socket, also after the end of the
   * process that launched it: create and start as two commands. Otherwise that end kills it.
   */
  readonly awaitStart?: boolean;
}
