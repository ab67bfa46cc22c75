import type { Verb } from "../command.ts";
import type { attachFlags, execFlags } from "../table/compose-look.ts";
import { attach as attachContainer } from "../verb/attach.ts";
import { exec as execContainer } from "../verb/exec.ts";
import { serviceContainer } from "./containers.ts";
import { projectName } from "./project.ts";

/** As docker compose: with a terminal where the output is one, and with the standard input. */
export const exec: Verb<typeof execFlags> = async (context, { flags, given, args }) => {
  const [service = "", ...command] = args;
  const project = await projectName(context, flags);
  const choice = { all: false, oneOff: true, service, index: flags.index };
  const { summary } = await serviceContainer(context.client, project, choice);
  const tty = given.has("no-tty") ? !flags["no-tty"] : context.out.isTerminal;
  const { detach, env, interactive, privileged, user, workdir } = flags;
  const own = { detach, env, interactive, privileged, user, workdir };
  return await execContainer(context, {
    flags: { ...own, tty, "detach-keys": undefined, "env-file": [] },
    given: new Set(),
    args: [summary.Id, ...command],
  });
};

export const attach: Verb<typeof attachFlags> = async (context, { flags, args }) => {
  const [service = ""] = args;
  const project = await projectName(context, flags);
  const choice = { all: false, oneOff: true, service, index: flags.index };
  const { summary } = await serviceContainer(context.client, project, choice);
  return await attachContainer(context, { flags, given: new Set(), args: [summary.Id] });
};
