import type { ConfigBody, HostConfigBody } from "#container";
import type { CreateRequest } from "#engine";

/** Port 80 of a container, published at all addresses of the host. */
export function publishing(port: number): {
  readonly config: ConfigBody;
  readonly host: HostConfigBody;
} {
  return {
    config: { ExposedPorts: { "80/tcp": {} } },
    host: { PortBindings: { "80/tcp": [{ HostPort: String(port) }] } },
  };
}

/** A create request as the docker CLI sends it for `docker create IMAGE COMMAND...`. */
export function createRequest(
  image: string,
  cmd: readonly string[],
  change: {
    readonly name?: string;
    readonly platform?: string;
    readonly config?: ConfigBody;
    readonly host?: HostConfigBody;
  } = {},
): CreateRequest {
  return {
    ...(change.name !== undefined && { name: change.name }),
    ...(change.platform !== undefined && { platform: change.platform }),
    owner: { uid: 0, gid: 0 },
    sent: {
      Config: {
        Image: image,
        Cmd: [...cmd],
        AttachStdout: true,
        AttachStderr: true,
        ...change.config,
      },
      HostConfig: { ...change.host },
    },
  };
}
