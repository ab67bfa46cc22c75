import type { z } from "zod";
import { isZero, shapes } from "./option.ts";

const { text, texts, whole, textMap, object, record } = shapes;

/**
 * A container's wishes for one network (Docker's EndpointSettings). Fields that the engine
 * determines itself are ignored when sent, as Docker does.
 */
const endpointShape = object({
  IPAMConfig: object({ IPv4Address: text, IPv6Address: text, LinkLocalIPs: texts }),
  Links: texts,
  Aliases: texts,
  MacAddress: text,
  DriverOpts: textMap,
  GwPriority: whole,
  NetworkID: text,
  IPAddress: text,
});

export const networkingShape = object({ EndpointsConfig: record(endpointShape.nullish()) });

export type NetworkingBody = z.infer<typeof networkingShape>;
type EndpointBody = z.infer<typeof endpointShape>;

const ownNetworks = /^(|default|bridge|none|host|container:.+)$/;

/**
 * The parts of NetworkingConfig that cannot be honoured, as phrases for an error. An entry for the
 * network that the mode names already is left to the mode.
 */
export function refuseNetworking(networks: NetworkingBody, mode: string): readonly string[] {
  return Object.entries(networks.EndpointsConfig ?? {}).flatMap(([name, settings]) => [
    ...(ownNetworks.test(name) || name === mode
      ? []
      : [`the network ${JSON.stringify(name)} (NetworkingConfig)`]),
    ...(settings ? refuseEndpoint(name, settings) : []),
  ]);
}

function refuseEndpoint(name: string, settings: EndpointBody): readonly string[] {
  const addresses = Object.values(settings.IPAMConfig ?? {}).every(isZero);
  const asked: readonly (readonly [boolean, string])[] = [
    [addresses && isZero(settings.IPAddress), "a fixed address on NAME (IPAMConfig)"],
    [isZero(settings.Aliases), "aliases on NAME (Aliases)"],
    [isZero(settings.Links), "links on NAME (Links)"],
    [isZero(settings.MacAddress), "a MAC address on NAME (MacAddress)"],
    [isZero(settings.DriverOpts), "driver options on NAME (DriverOpts)"],
    [isZero(settings.GwPriority), "a gateway priority on NAME (GwPriority)"],
  ];
  return asked.flatMap(([isAbsent, what]) => (isAbsent ? [] : [what.replace("NAME", name)]));
}
