import { command } from "./peers.ts";

/** The fields of a container that the cases set, in the words of Docker's API. */
export interface ContainerBody {
  readonly ExposedPorts?: Readonly<Record<string, object>>;
  readonly HostConfig?: Readonly<Record<string, unknown>>;
  readonly Healthcheck?: Readonly<Record<string, unknown>>;
}

/** The few calls of Docker's API that are measured, alike for every engine, over one socket. */
export interface EngineApi {
  /** Creates, starts, waits for and removes one container; the exit status of its program. */
  runOnce(image: string, network: string, body?: ContainerBody): Promise<number>;
  create(image: string, argv: readonly string[], body?: ContainerBody): Promise<string>;
  start(id: string): Promise<void>;
  pid(id: string): Promise<number>;
  /** Its address in a network. */
  addressIn(id: string, network: string): Promise<string>;
  remove(id: string): Promise<void>;
  /** How many containers there are. */
  list(): Promise<number>;
  /** Runs a program in a container that runs, to its end. */
  exec(id: string, argv: readonly string[]): Promise<void>;
  /** All that there are. */
  removeAll(): Promise<void>;
  createNetwork(name: string): Promise<void>;
  removeNetwork(name: string): Promise<void>;
  connect(network: string, id: string): Promise<void>;
  disconnect(network: string, id: string): Promise<void>;
  import(image: { readonly name: string; readonly archive: string }): Promise<void>;
  /** The version of the engine. */
  version(): Promise<string>;
}

export function connectApi(host: string): EngineApi {
  const unix = host.replace("unix://", "");
  const call = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const response = await fetch(`http://engine/v1.44${path}`, {
      unix,
      method,
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return (text === "" ? undefined : JSON.parse(text)) as T;
  };
  const create = async (image: string, argv: readonly string[], body: ContainerBody = {}) =>
    (await call<{ Id: string }>("POST", "/containers/create", { Image: image, Cmd: argv, ...body }))
      .Id;
  const start = (id: string) => call<void>("POST", `/containers/${id}/start`);
  const remove = (id: string) => call<void>("DELETE", `/containers/${id}?force=true`);
  const all = () => call<readonly { readonly Id: string }[]>("GET", "/containers/json?all=true");
  const inspect = (id: string) => call<Inspected>("GET", `/containers/${id}/json`);
  return {
    create,
    start,
    remove,
    async runOnce(image, network, body = {}) {
      const id = await create(image, ["/bin/true"], {
        ...body,
        HostConfig: { ...body.HostConfig, NetworkMode: network },
      });
      await start(id);
      const { StatusCode } = await call<{ StatusCode: number }>("POST", `/containers/${id}/wait`);
      await remove(id);
      return StatusCode;
    },
    async pid(id) {
      return (await inspect(id)).State.Pid;
    },
    async addressIn(id, network) {
      return (await inspect(id)).NetworkSettings.Networks[network]?.IPAddress ?? "";
    },
    list: async () => (await all()).length,
    async exec(id, argv) {
      const { Id } = await call<{ Id: string }>("POST", `/containers/${id}/exec`, {
        Cmd: argv,
        AttachStdout: true,
      });
      await call<void>("POST", `/exec/${Id}/start`, { Detach: false });
    },
    async removeAll() {
      for (const { Id } of await all()) await remove(Id);
    },
    createNetwork: (name) => call("POST", "/networks/create", { Name: name }),
    removeNetwork: (name) => call("DELETE", `/networks/${name}`),
    connect: (network, id) => call("POST", `/networks/${network}/connect`, { Container: id }),
    disconnect: (network, id) => call("POST", `/networks/${network}/disconnect`, { Container: id }),
    import: async ({ name, archive }) =>
      void (await command(["docker", "-H", host, "import", archive, name])),
    version: async () => (await call<{ Version: string }>("GET", "/version")).Version,
  };
}

interface Inspected {
  readonly State: { readonly Pid: number };
  readonly NetworkSettings: {
    readonly Networks: Readonly<Record<string, { readonly IPAddress: string } | undefined>>;
  };
}
