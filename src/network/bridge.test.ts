import { expect, test } from "bun:test";
import { bridgeNames } from "./bridge.ts";

test("names of bridge and table fit, and differ by run root", () => {
  expect(bridgeNames("/run/thimble").bridge).toBe("thimble0");
  const [a, b] = [bridgeNames("/tmp/a"), bridgeNames("/tmp/b")];
  expect(a.bridge).toMatch(/^thimble[0-9a-f]{4}$/);
  expect(a.bridge).not.toBe(b.bridge);
  expect(a.table).not.toBe(b.table);
  expect(bridgeNames(`/${"x".repeat(500)}`).alias.length).toBeLessThanOrEqual(255);
});
