import { AnalysisClient } from "./analysis.ts";
import { BackupsClient } from "./backups.ts";
import { BuildsClient } from "./builds.ts";
import { ContainersClient } from "./containers.ts";
import { type Dial, dial } from "./dial.ts";
import { ExecsClient } from "./execs.ts";
import { type Host, parseHost } from "./host.ts";
import { ImagesClient } from "./images.ts";
import { NetworksClient } from "./networks.ts";
import { SystemClient } from "./system.ts";
import { Transport } from "./transport.ts";
import { VolumesClient } from "./volumes.ts";

/**
 * The endpoints of one engine, by what they are about. Failures that the engine answers are
 * ResponseFaults with its own message; `unavailable` or `denied` when it cannot be reached.
 */
export interface Client {
  readonly host: Host;
  /** The API version that requests carry; settled once an answer has come. */
  readonly apiVersion: string;
  readonly analysis: AnalysisClient;
  readonly backups: BackupsClient;
  readonly builds: BuildsClient;
  readonly containers: ContainersClient;
  readonly execs: ExecsClient;
  readonly images: ImagesClient;
  readonly networks: NetworksClient;
  readonly system: SystemClient;
  readonly volumes: VolumesClient;
}

/** A client of the engine at `host`. Nothing is opened before the first call, and nothing stays open after one. */
export function openClient(options: {
  readonly host: Host | string;
  readonly dial?: Dial;
  /** Sent with each request. */
  readonly headers?: Readonly<Record<string, string>>;
}): Client {
  const host = typeof options.host === "string" ? parseHost(options.host) : options.host;
  const transport = new Transport(host, options.dial ?? dial, options.headers);
  return {
    host,
    get apiVersion() {
      return transport.version;
    },
    analysis: new AnalysisClient(transport),
    backups: new BackupsClient(transport),
    builds: new BuildsClient(transport),
    containers: new ContainersClient(transport),
    execs: new ExecsClient(transport),
    images: new ImagesClient(transport),
    networks: new NetworksClient(transport),
    system: new SystemClient(transport),
    volumes: new VolumesClient(transport),
  };
}
