import { createReadStream } from "node:fs";
import { Fault, flattenFault } from "#base";
import { readTar } from "#tar";
import { type Compression, findData } from "./debian/archive.ts";
import { clampTimes } from "./debian/clamp-times.ts";
import { decompress } from "./debian/decompress.ts";
import { PackageIndex } from "./debian/package-index.ts";
import { planInstallation } from "./debian/selection.ts";
import { verifyClearSigned } from "./debian/signature.ts";
import type { Answer, Jobs, Request } from "./debian-job.ts";
import { TreeWriter } from "./tree-writer.ts";

/** The thread behind `DebianPool`: one job at a time, until it is told to end. */
declare const self: {
  onmessage: (event: { readonly data: Request | "end" }) => void;
  postMessage(answer: Answer): void;
};

/** A suite's main component is 60 MB; ten times that is not a Packages file. */
const maxIndex = 600_000_000;

self.onmessage = ({ data }) => {
  // A Worker that is terminated from outside takes Bun down now and then; one that exits does not.
  if (data === "end") process.exit(0);
  void perform(data).then(
    (out) => self.postMessage({ out }),
    (error: unknown) => self.postMessage({ fault: flattenFault(error) }),
  );
};

async function perform(request: Request): Promise<unknown> {
  switch (request.name) {
    case "verify": {
      const { message, keyring, about, keyringName, now } = request.in;
      return await verifyClearSigned(message, keyring, { about, keyringName, now: new Date(now) });
    }
    case "plan":
      return await plan(request.in);
    case "extract":
      return await extract(request.in);
    case "clampTimes":
      return clampTimes(request.in.root, request.in.latest);
  }
}

async function plan({ architecture, indexes, variant, include }: Jobs["plan"]["in"]) {
  const index = new PackageIndex(architecture);
  for (const { path, name, repository } of indexes)
    index.add(await readIndex(path, name), repository);
  return planInstallation(index, { variant, include });
}

async function readIndex(path: string, name: string): Promise<string> {
  const compression: Compression = name.endsWith(".xz")
    ? "xz"
    : name.endsWith(".gz")
      ? "gzip"
      : "none";
  const chunks: Uint8Array[] = [];
  let total = 0;
  const source = createReadStream(path, { highWaterMark: 1 << 18 });
  for await (const chunk of decompress(source, compression, name)) {
    total += chunk.byteLength;
    if (total > maxIndex)
      throw new Fault("exhausted", `${name} is larger than ${maxIndex} bytes`, { about: name });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, total).toString("latin1");
}

async function extract({ deb, name, root }: Jobs["extract"]["in"]): Promise<number> {
  const { offset, size, compression } = await findData(deb);
  const source = createReadStream(deb, {
    start: offset,
    end: offset + size - 1,
    highWaterMark: 1 << 18,
  });
  const tree = new TreeWriter(root, name);
  let entries = 0;
  for await (const entry of readTar(decompress(source, compression, name))) {
    await tree.put(entry);
    entries++;
  }
  return entries;
}
