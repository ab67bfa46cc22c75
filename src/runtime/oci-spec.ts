import type { OciResources } from "./oci-resources.ts";

/**
 * An OCI runtime configuration for Linux (github.com/opencontainers/runtime-spec, config.md
 * and config-linux.md). `compilePlan` refuses the fields that it does not carry out.
 */
export interface OciSpec {
  readonly ociVersion: string;
  readonly hostname?: string;
  readonly domainname?: string;
  readonly root?: { readonly path: string; readonly readonly?: boolean };
  readonly mounts?: readonly OciMount[];
  readonly process?: OciProcess;
  readonly hooks?: OciHooks;
  readonly linux?: OciLinux;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A program for a moment of the container's life (config.md, "POSIX-platform Hooks"). */
export interface OciHook {
  readonly path: string;
  readonly args?: readonly string[];
  readonly env?: readonly string[];
  /** Seconds. */
  readonly timeout?: number;
}

/** By the moment at which they run (config.md, "POSIX-platform Hooks"). */
export type OciHooks = Partial<
  Record<
    "prestart" | "createRuntime" | "createContainer" | "startContainer" | "poststart" | "poststop",
    readonly OciHook[]
  >
>;

/** config.md, "Process". Ids and paths are those inside the container. */
export interface OciProcess {
  readonly terminal?: boolean;
  readonly consoleSize?: { readonly height: number; readonly width: number };
  readonly user: {
    readonly uid: number;
    readonly gid: number;
    readonly umask?: number;
    readonly additionalGids?: readonly number[];
  };
  readonly args: readonly string[];
  readonly env?: readonly string[];
  readonly cwd: string;
  readonly capabilities?: OciCapabilities;
  readonly rlimits?: readonly OciRlimit[];
  readonly noNewPrivileges?: boolean;
  readonly oomScoreAdj?: number;
  readonly apparmorProfile?: string;
  readonly selinuxLabel?: string;
  readonly scheduler?: {
    /** "SCHED_OTHER" and so on. */
    readonly policy: string;
    readonly nice?: number;
    readonly priority?: number;
    readonly flags?: readonly string[];
    /** Nanoseconds, for SCHED_DEADLINE. */
    readonly runtime?: number;
    readonly deadline?: number;
    readonly period?: number;
  };
  readonly ioPriority?: {
    /** "IOPRIO_CLASS_BE" and so on. */
    readonly class: string;
    readonly priority: number;
  };
  readonly execCPUAffinity?: { readonly initial?: string; readonly final?: string };
}

/** Names as "CAP_CHOWN"; a set that is absent is empty. */
export interface OciCapabilities {
  readonly bounding?: readonly string[];
  readonly effective?: readonly string[];
  readonly permitted?: readonly string[];
  readonly inheritable?: readonly string[];
  readonly ambient?: readonly string[];
}

/** A limit of setrlimit(2) (config.md, "POSIX process"). */
export interface OciRlimit {
  /** "RLIMIT_NOFILE" and so on. */
  readonly type: string;
  /** -1, or anything from 2^63 on, is unlimited. */
  readonly soft: number;
  readonly hard: number;
}

/** config.md, "Mounts"; options as mount(8) writes them. */
export interface OciMount {
  readonly destination: string;
  readonly type?: string;
  readonly source?: string;
  readonly options?: readonly string[];
  readonly uidMappings?: readonly OciIdMapping[];
  readonly gidMappings?: readonly OciIdMapping[];
}

export type OciNamespaceType =
  | "mount"
  | "network"
  | "pid"
  | "ipc"
  | "uts"
  | "cgroup"
  | "user"
  | "time";

/** config-linux.md, "Namespaces". A kind that is not listed is the one of the engine. */
export interface OciNamespace {
  readonly type: OciNamespaceType;
  /** Present: the namespace behind this path is joined; otherwise a new one is made. */
  readonly path?: string;
}

/**
 * config-linux.md, "Devices"; "u" is a character device too. `fileMode` 0666 and owner root unless
 * given.
 */
export interface OciDevice {
  readonly path: string;
  readonly type: "c" | "b" | "u" | "p";
  readonly major?: number;
  readonly minor?: number;
  readonly fileMode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

/** config-linux.md, "User namespace mappings": a range of ids, inside and on the host. */
export interface OciIdMapping {
  readonly containerID: number;
  readonly hostID: number;
  readonly size: number;
}

/** config-linux.md. Names and defaults are the specification's. */
export interface OciLinux {
  readonly namespaces?: readonly OciNamespace[];
  readonly uidMappings?: readonly OciIdMapping[];
  readonly gidMappings?: readonly OciIdMapping[];
  readonly devices?: readonly OciDevice[];
  /** `Cgroups.create` applies them; a plan has nothing of them. */
  readonly resources?: OciResources;
  readonly cgroupsPath?: string;
  readonly rootfsPropagation?: string;
  readonly seccomp?: OciSeccomp;
  readonly sysctl?: Readonly<Record<string, string>>;
  readonly maskedPaths?: readonly string[];
  readonly readonlyPaths?: readonly string[];
  readonly mountLabel?: string;
  readonly intelRdt?: Readonly<Record<string, unknown>>;
  readonly personality?: {
    readonly domain: "LINUX" | "LINUX32";
    readonly flags?: readonly string[];
  };
  /** "monotonic" and "boottime". */
  readonly timeOffsets?: Readonly<
    Record<string, { readonly secs?: number; readonly nanosecs?: number }>
  >;
  readonly netDevices?: Readonly<Record<string, { readonly name?: string }>>;
  readonly memoryPolicy?: {
    readonly mode: string;
    readonly nodes?: string;
    readonly flags?: readonly string[];
  };
}

export type SeccompAction =
  | "SCMP_ACT_KILL"
  | "SCMP_ACT_KILL_THREAD"
  | "SCMP_ACT_KILL_PROCESS"
  | "SCMP_ACT_TRAP"
  | "SCMP_ACT_ERRNO"
  | "SCMP_ACT_TRACE"
  | "SCMP_ACT_ALLOW"
  | "SCMP_ACT_LOG"
  | "SCMP_ACT_NOTIFY";

export type SeccompOperator =
  | "SCMP_CMP_NE"
  | "SCMP_CMP_LT"
  | "SCMP_CMP_LE"
  | "SCMP_CMP_EQ"
  | "SCMP_CMP_GE"
  | "SCMP_CMP_GT"
  | "SCMP_CMP_MASKED_EQ";

/**
 * A comparison of one syscall argument. For SCMP_CMP_MASKED_EQ `value` is the mask, and `valueTwo`
 * the value that the masked argument must have.
 */
export interface SeccompArgument {
  readonly index: number;
  readonly value: number;
  readonly valueTwo?: number;
  readonly op: SeccompOperator;
}

/** The action for some system calls, if all of `args` are true; `errnoRet` for SCMP_ACT_ERRNO. */
export interface SeccompRule {
  readonly names: readonly string[];
  readonly action: SeccompAction;
  readonly errnoRet?: number;
  readonly args?: readonly SeccompArgument[];
}

/** config-linux.md, "Seccomp", in libseccomp's names. */
export interface OciSeccomp {
  readonly defaultAction: SeccompAction;
  readonly defaultErrnoRet?: number;
  /** "SCMP_ARCH_X86_64" and so on; absent or empty: the machine's own. */
  readonly architectures?: readonly string[];
  /** "SECCOMP_FILTER_FLAG_LOG" and so on. */
  readonly flags?: readonly string[];
  /** Where an agent of SCMP_ACT_NOTIFY listens; nothing is sent there without that action. */
  readonly listenerPath?: string;
  readonly listenerMetadata?: string;
  readonly syscalls?: readonly SeccompRule[];
}
