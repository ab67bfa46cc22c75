import { resolve } from "node:path";
import type { Verb } from "../command.ts";
import type { Context, UnitRequest } from "../context.ts";
import type { daemonInstallFlags, daemonUninstallFlags } from "../table/daemon.ts";

export const daemonInstall: Verb<typeof daemonInstallFlags> = async (context, { flags }) => {
  await change(context, {
    action: "install",
    root: resolve(flags.root ?? "/"),
    group: flags.group ?? "root",
    isRehearsal: flags["dry-run"],
  });
  if (!flags["dry-run"])
    await context.out.write(
      "The engine starts with the first client of /run/thimble/thimble.sock.\n",
    );
  return 0;
};

export const daemonUninstall: Verb<typeof daemonUninstallFlags> = async (context, { flags }) => {
  const isDone = await change(context, {
    action: "uninstall",
    root: resolve(flags.root ?? "/"),
    group: "root",
    isRehearsal: flags["dry-run"],
  });
  if (!isDone) await context.out.write("Nothing was installed.\n");
  await context.out.write(
    [
      "What stays:",
      "  containers that run, until they end (thimble daemon takes them over again)",
      "  /var/lib/thimble   images, containers, volumes",
      "  /etc/thimble       configuration and certificates",
      "  /run/thimble       files of this boot",
      "",
    ].join("\n"),
  );
  return 0;
};

type Change = Omit<UnitRequest, "program"> & { readonly isRehearsal: boolean };

/** Tells each step, and takes it unless this is a rehearsal; false when there was none. */
async function change({ out, options }: Context, wanted: Change): Promise<boolean> {
  const { isRehearsal, ...request } = wanted;
  const plan = await options.local.daemonUnits(request, { isRehearsal });
  const { before, write, remove, after } = plan;
  const run = (commands: readonly (readonly string[])[]) =>
    commands.map((command) => `run ${command.join(" ")}\n`);
  const written = write.map(
    ({ path, text }) => `write ${path}\n${isRehearsal ? indented(text) : ""}`,
  );
  const removed = remove.map((path) => `remove ${path}\n`);
  const lines = [...run(before), ...written, ...removed, ...run(after)];
  await out.write(lines.join(""));
  return lines.length > 0;
}

function indented(text: string): string {
  return text.replace(/^(?=.)/gm, "    ");
}
