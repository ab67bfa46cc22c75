import type { NetworkExplanation } from "#wire";
import type { Verb } from "../command.ts";
import { hostAndPort } from "../show-ports.ts";
import type { json } from "../table/containers.ts";

type Translated = NonNullable<NetworkExplanation["Ports"][number]["Translated"]>;

/** One block for each container: a line for a port, why it is so, and what stands in the way out. */
export const explainNetwork: Verb<{ json: typeof json }> = async (context, { flags, args }) => {
  const explained = await context.client.networks.explain(args[0] ?? "");
  const text = flags.json
    ? `${JSON.stringify(explained)}\n`
    : explained.map((each) => `${linesOf(each).join("\n")}\n`).join("\n");
  await context.out.write(text);
  return 0;
};

function linesOf({ Name, Ports, Egress, Refused }: NetworkExplanation): readonly string[] {
  const ports = Ports.flatMap((port) => [
    `  ${hostAndPort(port.HostIp, String(port.HostPort))} -> ${port.Port}: reached by ${port.ReachedBy}`,
    `    ${pathText(port)}: ${port.Reason}`,
    ...(port.Translated ? [`    ${translatedText(port.Translated)}`] : []),
    `    ${proxyText(port.Proxy)}`,
  ]);
  const egress = Egress.flatMap(({ Network, Reason, Fix }) => [
    `  from ${Network} other machines are not reached: ${Reason}`,
    ...Fix.map((command) => `    ${command}`),
  ]);
  const refused = Refused.filter(({ Packets }) => Packets > 0).map(
    ({ Network, Packets, Bytes }) =>
      `  dropped in ${Network}, as not under the container's own addresses: ${Packets} packets with ${Bytes} bytes`,
  );
  return [Name, ...(ports.length > 0 ? ports : ["  publishes no port"]), ...egress, ...refused];
}

function pathText({ Path, KeepsAddress }: NetworkExplanation["Ports"][number]): string {
  const seen = KeepsAddress
    ? "their addresses are kept"
    : "the container sees the bridge's address";
  return Path === "translated"
    ? `translated for other machines and the host, ${seen}`
    : `through the proxy, ${seen}`;
}

function translatedText({ PacketsIn, BytesIn, PacketsOut, BytesOut }: Translated): string {
  return `translated: ${PacketsIn} packets with ${BytesIn} bytes in, ${PacketsOut} with ${BytesOut} out`;
}

function proxyText(proxy: NetworkExplanation["Ports"][number]["Proxy"]): string {
  if (!proxy) return "its proxy is being replaced";
  const { ClientsNow, Clients, BytesIn, BytesOut } = proxy;
  return `through its proxy: ${Clients} clients, ${ClientsNow} of them now, ${BytesIn} bytes in, ${BytesOut} bytes out`;
}
