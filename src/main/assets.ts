import addon from "../../native/build/addon.node" with { type: "file" };
import init from "../../native/build/thimble-init" with { type: "file" };

/** The native parts: files of the build tree in a clone, files inside the executable in a release. */
export const assets = { addon, init } as const;
