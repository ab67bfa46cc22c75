/**
 * The numbers of native/init/plan.h and wire.h; a test compares them with the headers.
 * Keys are the headers' names without their prefix.
 */

export const planMagic = 0x4e4c5054;
export const planVersion = 1;
export const planHeader = 16;
/** PLAN_*_MAX; `socket` is the room of a unix address (unix(7)), `filter` BPF_MAXINSNS. */
export const planLimits = {
  bytes: 8 << 20,
  fds: 253,
  list: 4096,
  id: 128,
  socket: 107,
  logAttributes: 32_768,
  filter: 4096,
} as const;
/** Stands for a new namespace where a descriptor's index could be. */
export const NO_FD = 0xffff_ffff;

/** TAG_* */
export const tag = {
  MODE: 1,
  ID: 2,
  NAMESPACE: 3,
  UID_MAP: 4,
  GID_MAP: 5,
  ROOT_ANCHOR: 6,
  MOUNT: 7,
  ROOT_READONLY: 8,
  ROOT_PROPAGATION: 9,
  DEVICE: 10,
  SYMLINK: 11,
  MASKED_PATH: 12,
  READONLY_PATH: 13,
  SYSCTL: 14,
  HOSTNAME: 15,
  DOMAINNAME: 16,
  CGROUP: 17,
  OOM_COUNTER: 18,
  OOM_EVENT: 19,
  RESOURCE_LIMIT: 20,
  OOM_SCORE_ADJ: 21,
  CAPABILITIES: 22,
  NO_NEW_PRIVILEGES: 23,
  SECCOMP: 24,
  SECCOMP_FLAGS: 25,
  PROCESS: 26,
  INIT: 27,
  STDIO: 28,
  LOG: 29,
  CONTROL_SOCKET: 30,
  EXIT_RECORD: 31,
  AWAIT_START: 32,
  LOG_ATTRIBUTES: 33,
  MOUNT_FILESYSTEM: 64,
  MOUNT_FLAG: 65,
  MOUNT_OPTION: 66,
  MOUNT_LEGACY: 67,
  MOUNT_BIND: 68,
  MOUNT_BIND_FD: 69,
  MOUNT_RECURSIVE: 70,
  MOUNT_TARGET: 71,
  MOUNT_ATTRIBUTES: 72,
  MOUNT_RECURSIVE_ATTRIBUTES: 73,
  MOUNT_PROPAGATION: 74,
  MOUNT_CREATE: 75,
  MOUNT_UID_MAP: 76,
  MOUNT_GID_MAP: 77,
  ARGUMENT: 96,
  VARIABLE: 97,
  CWD: 98,
  USER: 99,
  GROUP: 100,
  UMASK: 101,
} as const;

/** Choices in the order of their numbers: MODE_*, NAMESPACE_*, PROPAGATION_*, CREATE_*, STDIO_*. */
export const modes = ["run", "exec", "sandbox"] as const;
export const namespaceKinds = [
  "mnt",
  "net",
  "pid",
  "ipc",
  "uts",
  "cgroup",
  "user",
  "time",
] as const;
export const propagations = ["private", "slave", "shared", "unbindable"] as const;
export const creations = ["directory", "file", "none"] as const;
export const stdioModes = ["pty", "pipes", "null"] as const;

/** STDIO_WITH_* bits. */
export const stdioWith = { STDIN: 1, STDIN_ONCE: 2, ROWS: 4, COLUMNS: 8 } as const;

export const protocolVersion = 1;
/** Of the resolver. */
export const dnsProtocolVersion = 2;

/** FRAME_* */
export const frame = {
  HELLO: 1,
  CREATED: 2,
  STARTED: 3,
  ERROR: 4,
  OOM: 5,
  EXIT: 6,
  GO: 16,
  STATUS: 32,
  ATTACH: 33,
  RESIZE: 34,
  SIGNAL: 35,
  CLOSE_STDIN: 36,
  REOPEN_LOG: 37,
  WATCH: 38,
  START: 39,
  AWAIT_ROTATION: 40,
  COMPRESSED: 41,
  HOLD_ROTATION: 42,
  LIMIT_LOG: 43,
  DNS_BEGIN: 48,
  DNS_COMMIT: 49,
  DNS_ENDPOINT: 50,
  DNS_DROP_ENDPOINT: 51,
  DNS_CLIENT: 52,
  DNS_DROP_CLIENT: 53,
  DNS_STATUS: 54,
  DNS_QUIT: 55,
  LISTEN: 56,
  HOLD: 57,
  UNLISTEN: 58,
  RETARGET: 59,
  CONFIRM: 60,
  COUNT: 61,
  OK: 64,
  STATE: 65,
  DNS_STATE: 66,
  LISTENING: 72,
  COUNTED: 73,
} as const;

/** ATTACH_* bits. */
export const attachTo = { STDIN: 1, STDOUT: 2, STDERR: 4 } as const;

/** STATE_* in the order of their numbers. */
export const states = ["created", "running", "exited"] as const;

/** STAGE_*: where a launch failed, as Fault.stage names it. Number 0 stands for no stage. */
export const stages = [
  "",
  "plan",
  "namespaces",
  "cgroup",
  "root",
  "mount",
  "device",
  "symlink",
  "mask",
  "sysctl",
  "hostname",
  "terminal",
  "limit",
  "user",
  "capabilities",
  "seccomp",
  "cwd",
  "exec",
  "log",
  "monitor",
] as const;
