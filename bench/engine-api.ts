/** The few calls of Docker's API that are measured, alike for every engine, over one socket. */
export interface EngineApi {
  /** Creates, starts, waits for and removes one container; the exit status of its program. */
  runOnce(image: string, network: string): Promise<number>;
  create(image: string, argv: readonly string[]): Promise<string>;
  start(id: string): Promise<void>;
  pid(id: string): Promise<number>;
  remove(id: string): Promise<void>;
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
  const create = async (image: string, argv: readonly string[], network = "default") => {
    const body = { Image: image, Cmd: argv, HostConfig: { NetworkMode: network } };
    return (await call<{ Id: string }>("POST", "/containers/create", body)).Id;
  };
  const start = (id: string) => call<void>("POST", `/containers/${id}/start`);
  const remove = (id: string) => call<void>("DELETE", `/containers/${id}?force=true`);
  return {
    create,
    start,
    remove,
    async runOnce(image, network) {
      const id = await create(image, ["/bin/true"], network);
      await start(id);
      const { StatusCode } = await call<{ StatusCode: number }>("POST", `/containers/${id}/wait`);
      await remove(id);
      return StatusCode;
    },
    async pid(id) {
      return (await call<{ State: { Pid: number } }>("GET", `/containers/${id}/json`)).State.Pid;
    },
  };
}
