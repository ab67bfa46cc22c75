import { Fault } from "#base";
import { cancellable } from "../cancellable.ts";
import type { Verb } from "../command.ts";
import type { Context } from "../context.ts";
import type { Values } from "../flag.ts";
import type { createFlags, planFlags, scaleFlags, upFlags } from "../table/compose-run.ts";
import { attachUp } from "./attach-up.ts";
import { printPlan } from "./plan-view.ts";
import { type Asked, begin, type CallFlags, make, prepare, within } from "./prepare-up.ts";

type UpFlags = Values<typeof upFlags>;

const notAsked = {
  ...{ "always-recreate-deps": false, "force-recreate": false, "no-recreate": false },
  ...{ "remove-orphans": false, scale: [], pull: undefined, "quiet-pull": false, yes: false },
  ...{ build: false, "no-build": false, "no-deps": false, "renew-anon-volumes": false },
};

export const up: Verb<typeof upFlags> = async (context, { flags, args }) => {
  checkUp(flags);
  const isDetached = flags.detach || flags.wait || flags["no-start"];
  const asked = { ...flags, named: args, isPlanned: flags["dry-run"] };
  if (flags["dry-run"]) return await showPlan(context, flags, asked, "table");
  if (!isDetached)
    return await attachUp(context, {
      flags,
      named: args,
      prepare: (signal) => prepare(context, flags, asked, signal),
    });
  await cancellable(async (signal) => {
    const prepared = await prepare(context, flags, asked, signal);
    await within(prepared.call, async () => {
      const made = await make(prepared);
      if (!flags["no-start"]) await begin(prepared, made, flags);
    });
  });
  return 0;
};

function checkUp(flags: UpFlags): void {
  const refuse = (problem: string) => {
    throw new Fault("invalid", problem);
  };
  const aborts = flags["abort-on-container-exit"] || flags["abort-on-container-failure"];
  if (flags["force-recreate"] && flags["no-recreate"]) {
    refuse("--force-recreate and --no-recreate are incompatible");
  }
  if (flags["always-recreate-deps"] && flags["no-recreate"]) {
    refuse("--always-recreate-deps and --no-recreate are incompatible");
  }
  if (flags.build && flags["no-build"]) refuse("--build and --no-build are incompatible");
  if (flags["abort-on-container-exit"] && flags["abort-on-container-failure"]) {
    refuse("--abort-on-container-failure cannot be combined with --abort-on-container-exit");
  }
  if (flags.detach && (aborts || flags["exit-code-from"] || flags.attach.length > 0)) {
    refuse(
      "--detach cannot be combined with --abort-on-container-exit, --abort-on-container-failure, --exit-code-from or --attach",
    );
  }
  if (flags.wait && (aborts || flags["exit-code-from"])) {
    refuse(
      "--wait cannot be combined with --abort-on-container-exit, --abort-on-container-failure or --exit-code-from",
    );
  }
}

export const create: Verb<typeof createFlags> = async (context, { flags, args }) => {
  if (flags["force-recreate"] && flags["no-recreate"]) {
    throw new Fault("invalid", "--force-recreate and --no-recreate are incompatible");
  }
  const asked = { ...notAsked, ...flags, named: args, isPlanned: flags["dry-run"] };
  if (flags["dry-run"]) return await showPlan(context, flags, asked, "table");
  await cancellable(async (signal) => {
    const prepared = await prepare(context, flags, asked, signal);
    await within(prepared.call, () => make(prepared));
  });
  return 0;
};

export const scale: Verb<typeof scaleFlags> = async (context, { flags, args }) => {
  const names = args.map((arg) => arg.split("=")[0] ?? "");
  const asked = { ...notAsked, ...flags, scale: args, named: names, isPlanned: flags["dry-run"] };
  if (flags["dry-run"]) return await showPlan(context, flags, asked, "table");
  await cancellable(async (signal) => {
    const prepared = await prepare(context, flags, asked, signal);
    await within(prepared.call, async () => {
      await begin(prepared, await make(prepared), { wait: false });
    });
  });
  return 0;
};

export const plan: Verb<typeof planFlags> = async (context, { flags, args }) => {
  const asked = { ...notAsked, ...flags, named: args, isPlanned: true };
  return await showPlan(context, flags, asked, flags.format ?? "table");
};

async function showPlan(
  context: Context,
  flags: CallFlags,
  asked: Asked,
  format: "table" | "json",
): Promise<number> {
  const { signal } = new AbortController();
  const { plan, call } = await prepare(context, { ...flags, progress: "quiet" }, asked, signal);
  await call.view.end();
  await context.out.write(printPlan(plan, format));
  return 0;
}
