import { Fault } from "#base";
import type { Verb } from "../command.ts";
import { hostAndPort } from "../show-ports.ts";
import type { portFlags } from "../table/compose-look.ts";
import { serviceContainer } from "./containers.ts";
import { projectName } from "./project.ts";

export const port: Verb<typeof portFlags> = async (context, { flags, args }) => {
  const [service = "", text = ""] = args;
  const wanted = portNumber(text);
  const protocol = (flags.protocol ?? "tcp").toLowerCase();
  const project = await projectName(context, flags);
  const choice = { all: false, oneOff: false, service, index: flags.index };
  const { name, summary } = await serviceContainer(context.client, project, choice);
  const found = summary.Ports.find(
    ({ PrivatePort, Type, PublicPort }) =>
      PrivatePort === wanted && Type === protocol && PublicPort !== undefined,
  );
  if (found === undefined) {
    const others = summary.Ports.map(({ PublicPort = 0, Type }) => `${PublicPort}/${Type}`);
    const problem = `no port ${wanted}/${protocol} for container ${name}: ${others.join(", ")}`;
    throw new Fault("not_found", problem, { about: name });
  }
  await context.out.write(`${hostAndPort(found.IP ?? "", String(found.PublicPort))}\n`);
  return 0;
};

function portNumber(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value <= 65_535) return value;
  const why = /^\d+$/.test(text) ? "value out of range" : "invalid syntax";
  throw new Fault("invalid", `strconv.ParseUint: parsing ${JSON.stringify(text)}: ${why}`);
}
