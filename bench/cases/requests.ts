import { connectApi, type EngineApi } from "../engine-api.ts";
import { command } from "../peers.ts";
import type { Finding } from "../report.ts";
import type { Stage } from "../stage.ts";
import { interleave } from "../statistics.ts";

/** Over the API: create, start, wait and remove, and exec; and exec through the docker CLI. */
export async function requests(stage: Stage): Promise<Finding[]> {
  const { subject, peers, image, rounds } = stage;
  const hosts = [
    ["thimble", subject.host] as const,
    ...(peers ? [["docker", peers.dockerHost] as const] : []),
  ];
  const engines = hosts.map(([name, host]) => ({ name, host, api: connectApi(host) }));
  const cycle = await interleave(
    engines.map(({ name, api }) => ({
      name,
      run: async () => {
        await api.runOnce(image, "default");
      },
    })),
    rounds,
  );
  const running = await Promise.all(engines.map(({ api }) => sleeper(api, image)));
  const exec = await interleave(
    engines.map(({ name, host }, index) => ({
      name,
      run: async () => {
        await command(["docker", "-H", host, "exec", running[index] ?? "", "/bin/true"]);
      },
    })),
    rounds,
  );
  const apiExec = await interleave(
    engines.map(({ name, api }, index) => ({
      name,
      run: () => api.exec(running[index] ?? "", ["/bin/true"]),
    })),
    rounds,
  );
  await Promise.all(engines.map(({ api }, index) => api.remove(running[index] ?? "")));
  return [
    {
      kind: "timed",
      title: "API: create, start, wait, remove",
      samples: cycle,
      bars: [{ against: "docker", factor: 15 }],
    },
    {
      kind: "timed",
      title: "API: exec true",
      samples: apiExec,
      bars: [{ against: "docker", factor: 10 }],
    },
    { kind: "timed", title: "docker exec true", samples: exec },
  ];
}

async function sleeper(api: EngineApi, image: string): Promise<string> {
  const id = await api.create(image, ["/bin/sleep", "1000"]);
  await api.start(id);
  return id;
}
