/**
 * task: runs of containers, behind a port.
 *
 * `Tasks` and `Task` are the needs of an engine, whatever runs its containers: a process
 * with its streams, its end, its limits and its usage. Pidfds, cgroups and /proc of a
 * container, its monitor and its exit record are behind it alone. `openNativeTasks` is
 * the implementation over our own launcher; each kind of wall is one more. Not here: rows,
 * events, networks and images, which are the engine's. contract.ts is the suite that
 * every implementation must pass. Words: create, start, adopt, exec as in `Tasks`.
 */

export { type NativeTasksOptions, openNativeTasks } from "./native-tasks.ts";
export type * from "./task.ts";
