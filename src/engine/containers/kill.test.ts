import { expect, test } from "bun:test";
import { secondsToStop } from "./kill.ts";

test.each([
  [undefined, undefined, 10],
  [3, undefined, 3],
  [0, undefined, 0],
  [-1, undefined, -1],
  [3, 0, 0],
  [undefined, 7, 7],
])("a container configured with %p and stopped with %p has %i s", (configured, asked, seconds) => {
  const options = asked === undefined ? {} : { timeout: asked };
  expect(secondsToStop({ StopTimeout: configured }, options)).toBe(seconds);
});
