/**
 * rootfs: root file systems from scratch. Two methods so far: `scratch`, from
 * files that need nothing else to run, and `debootstrap`, from signed Debian
 * packages with nothing of Debian's on the host but its keys.
 *
 * Each makes a tree in a work directory of the caller's; making an image of it is
 * the caller's business; `checkProgram` looks into any tree. Programs that must run inside a tree (dpkg) run through the
 * `Executor` port, which the engine provides.
 */
export { type DebianTree, type DebootstrapOptions, debootstrap } from "./debian/debootstrap.ts";
export { type HostMirror, hostMirror } from "./debian/host-mirror.ts";
export type { Variant } from "./debian/selection.ts";
export type { Executor, ExecutorTask } from "./executor.ts";
export { architecturesHere, emulationOf } from "./machine-name.ts";
export { checkProgram, type ProgramCheck, type ProgramProblem } from "./program-check.ts";
export { ProgramTree } from "./program-tree.ts";
export type { Progress, Report } from "./progress.ts";
export type { RootTree } from "./root-tree.ts";
export { makeScratch, type ScratchOptions } from "./scratch.ts";
export { squash } from "./squash.ts";
export { squashCrashPoints } from "./squash-crash-point.ts";
