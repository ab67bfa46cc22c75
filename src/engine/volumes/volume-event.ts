import type { Parts } from "../parts.ts";

/** Docker's mark of a volume whose name was made up; prune goes by it. */
export const anonymousLabel = { "com.docker.volume.anonymous": "" };

/** Tells listeners what happened to a volume, with the attributes that Docker's events have. */
export function publishVolume(
  parts: Parts<"events">,
  action:
    | "create"
    | "rename"
    | "mount"
    | "unmount"
    | "destroy"
    | "backup"
    | "backup-failed"
    | "restore"
    | "snapshot"
    | "snapshot-destroy"
    | "rollback",
  name: string,
  extra: Readonly<Record<string, string>> = {},
): void {
  parts.events.publish("volume", action, name, { driver: "local", ...extra });
}
