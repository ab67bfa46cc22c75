import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { storeStream } from "./index.ts";

test.each([true, false])(
  "chunks that are given (%p) are taken only when they are a whole buffer",
  async (isGiven) => {
    const directory = mkdtempSync(join(tmpdir(), "thimble-given-"));
    const path = join(directory, "blob");
    const whole = new Uint8Array(Buffer.from("a whole buffer, "));
    const larger = new Uint8Array(Buffer.from("a part of one|and the rest"));
    const source = async function* () {
      yield whole;
      yield larger.subarray(0, 13);
    };
    try {
      await storeStream(source(), { path, limit: 100 }, { isGiven });
      expect(readFileSync(path, "utf8")).toBe("a whole buffer, a part of one");
      expect(whole.byteLength).toBe(isGiven ? 0 : 16);
      expect(Buffer.from(larger).toString()).toBe("a part of one|and the rest");
    } finally {
      rmSync(directory, { recursive: true });
    }
  },
);
