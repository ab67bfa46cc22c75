import { Fault } from "#base";
import type { EngineFiles } from "#engine";

/** A container with a directory /dir, a link to it, and /endless; what is put is read and forgotten. */
export function fakeFiles(calls: string[]): EngineFiles {
  const stat = async (_ref: string, path: string) => {
    const name = path.split("/").at(-1) ?? "";
    const common = { name, size: 4096, mtime: 1_700_000_000_000_000_000n, linkTarget: "" };
    if (path === "/dir" || path === "/endless") return { ...common, mode: 0o040755 };
    if (path === "/link") return { ...common, mode: 0o120777, linkTarget: "/dir" };
    const errno = path === "/dir/file/x" ? "ENOTDIR" : "ENOENT";
    throw new Fault("not_found", "it is not there", { about: path, stage: "path", errno });
  };
  return {
    stat,
    open: async (ref, path) => ({
      stat: await stat(ref, path),
      archive: async function* ({ holes }) {
        while (path === "/endless") yield Buffer.alloc(1 << 20);
        yield Buffer.from(`archive of ${path}${holes ? " with holes" : ""}`);
      },
      [Symbol.asyncDispose]: async () => {
        calls.push(`close ${path}`);
      },
    }),
    put: async (_ref, path, { archive, keepsKinds, toUser }) => {
      let size = 0;
      for await (const chunk of archive) size += chunk.byteLength;
      calls.push(`put ${path} ${size}${keepsKinds ? " keeps" : ""}${toUser ? " user" : ""}`);
      if (path === "/bad")
        throw new Fault("invalid", "the archive is damaged", { stage: "unpack" });
    },
  };
}
