import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { applyUnits, planUnits } from "./daemon-units.ts";

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "thimble-units-"));
});
afterAll(() => rmSync(root, { recursive: true }));

const unit = (name: string) => join(root, "etc/systemd/system", name);
const request = (action: "install" | "uninstall") => {
  const program = '/opt/a "b" 100%/$HOME/thimble';
  return { action, root, group: "wheel", program } as const;
};
/** The plan's own steps, without systemd. */
const apply = (plan: ReturnType<typeof planUnits>) =>
  applyUnits({ ...plan, before: [], after: [] });

test("the units hold the socket, the group and the program, and are removed again", () => {
  const plan = planUnits(request("install"));
  expect(plan.after).toEqual([["systemctl", `--root=${root}`, "enable", "thimble.socket"]]);
  expect(existsSync(unit("thimble.service"))).toBe(false);
  apply(plan);
  apply(planUnits(request("install")));
  expect(readFileSync(unit("thimble.socket"), "utf8")).toContain("\nSocketGroup=wheel\n");
  const service = readFileSync(unit("thimble.service"), "utf8");
  expect(service).toContain(
    String.raw`ExecStart="/opt/a \"b\" 100%%/$$HOME/thimble" daemon -H fd://`,
  );
  expect(service).toMatch(/^KillMode=process$[\s\S]*^Delegate=yes$/m);
  const undo = planUnits(request("uninstall"));
  expect(undo.before).toEqual([
    ["systemctl", `--root=${root}`, "disable", "thimble.socket", "thimble.service"],
  ]);
  apply(undo);
  expect(existsSync(unit("thimble.socket"))).toBe(false);
  expect(planUnits(request("uninstall"))).toEqual({ before: [], write: [], remove: [], after: [] });
});

test("a unit that someone else wrote is neither replaced nor removed", () => {
  apply(planUnits(request("install")));
  writeFileSync(unit("thimble.service"), "[Service]\nExecStart=/bin/true\n");
  for (const action of ["install", "uninstall"] as const)
    expect(() => planUnits(request(action))).toThrow("was not written by thimble daemon install");
});
