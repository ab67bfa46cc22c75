import { expect, test } from "bun:test";
import { type Digest, sha256 } from "#image";
import { PackUses } from "./pack-uses.ts";

const pack = (name: string, size: number) => ({ digest: sha256(name), size });

function uses(packs: readonly { digest: Digest; size: number }[], share: number): PackUses {
  const counted = new PackUses();
  const frames = packs.map(({ size }, number) => {
    const stored = Math.floor(size * share);
    return { pack: number, offset: 0, stored, plain: stored };
  });
  counted.add({ packs, frames, chunks: [] });
  // A frame that several segments need counts once.
  counted.add({ packs, frames, chunks: [] });
  return counted;
}

test("a pack of which less than a quarter is needed is given up", () => {
  const [one] = [pack("one", 1000)];
  expect([...uses([one], 0.3).worthwhile(1000)]).toEqual([one.digest]);
  expect([...uses([one], 0.2).worthwhile(1000)]).toEqual([]);
});

test("small packs are kept while they are few", () => {
  const small = (count: number) => Array.from({ length: count }, (_, i) => pack(`s${i}`, 100));
  const large = pack("large", 1000);
  expect(uses([large, ...small(64)], 1).worthwhile(1000).size).toBe(65);
  expect([...uses([large, ...small(65)], 1).worthwhile(1000)]).toEqual([large.digest]);
});
