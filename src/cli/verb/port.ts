import { Fault } from "#base";
import type { Verb } from "../command.ts";
import { hostAndPort } from "../show-ports.ts";

/** As the docker CLI: all mappings, or those of one port, in its words when there is none. */
export const port: Verb<Record<never, never>> = async (context, { args }) => {
  const [ref = "", wanted] = args;
  const { NetworkSettings } = await context.client.containers.inspect(ref);
  const published = Object.entries(NetworkSettings.Ports).sort(([a], [b]) => (a < b ? -1 : 1));
  const key = wanted === undefined || wanted.includes("/") ? wanted : `${wanted}/tcp`;
  const found = published.filter(([name]) => key === undefined || name === key.toLowerCase());
  const lines = found.flatMap(([name, bindings]) =>
    (bindings ?? []).map(({ HostIp, HostPort }) => {
      const host = hostAndPort(HostIp, HostPort);
      return key === undefined ? `${name} -> ${host}` : host;
    }),
  );
  if (key !== undefined && lines.length === 0)
    throw new Fault("not_found", `No public port '${wanted}' published for ${ref}`, { about: ref });
  await context.out.write(lines.map((line) => `${line}\n`).join(""));
  return 0;
};
