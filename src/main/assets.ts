import init from "../../native/build/thimble-init" with { type: "file" };

/** Whether this is the release file, with everything inside, and not a clone. */
export const isRelease: boolean = Bun.main.startsWith("/$bunfs/");

/** The launcher and monitor: a file of the build tree, or one inside the release. */
export const helperPath: string = init;

/**
 * The addon's bytes when they are inside the release; a clone loads its build tree's.
 * Bun refuses to import an addon as a file where it could load it, hence the condition.
 */
export async function embeddedAddon(): Promise<Uint8Array | undefined> {
  if (!isRelease) return undefined;
  const { default: path } = await import("../../native/build/addon.node", {
    with: { type: "file" },
  });
  return Bun.file(path).bytes();
}
