import { writeSync } from "node:fs";
import { Fault } from "#base";
import { useAddon } from "#kernel";
import { embeddedAddon } from "./assets.ts";

const MFD_CLOEXEC = 1;
const MFD_EXEC = 16;

/**
 * Makes the addon of a release loadable, from a file in memory (memfd_create(2)): the dynamic loader
 * wants a file, Bun would leave it to TMPDIR, where others can write, and /run allows no execution on
 * many machines, Debian's and Ubuntu's among them. In a clone there is nothing to do.
 */
export async function useEmbeddedAddon(): Promise<void> {
  const bytes = await embeddedAddon();
  if (bytes === undefined) return;
  const file = await makeMemoryFile();
  for (let written = 0; written < bytes.byteLength; )
    written += writeSync(file, bytes, written, bytes.byteLength - written);
  // It stays open: Workers load the addon by this path too.
  useAddon(`/proc/${process.pid}/fd/${file}`);
}

/** There is no addon yet to make the system call. */
async function makeMemoryFile(): Promise<number> {
  const { dlopen, FFIType } = await import("bun:ffi");
  const { symbols, close } = dlopen("libc.so.6", {
    memfd_create: { args: [FFIType.cstring, FFIType.u32], returns: FFIType.i32 },
  });
  const name = Buffer.from("thimble-addon\0");
  try {
    const file = symbols.memfd_create(name, MFD_CLOEXEC | MFD_EXEC);
    // A kernel before 6.3 does not know MFD_EXEC, and needs none.
    const made = file < 0 ? symbols.memfd_create(name, MFD_CLOEXEC) : file;
    if (made >= 0) return made;
  } finally {
    close();
  }
  throw new Fault(
    "unavailable",
    "cannot make an executable file in memory: does sysctl vm.memfd_noexec forbid it?",
  );
}
