import type { Finding } from "../report.ts";
import type { Stage } from "../stage.ts";
import { interleave } from "../statistics.ts";
import { startSubject } from "../subject.ts";

const count = 10_000;
const atOnce = 16;
const atMost = 50;
const prefix = "thimble-bench-volume";

/** GET /volumes of an engine that has ten thousand, to the last byte. */
export async function volumeList(stage: Stage): Promise<Finding[]> {
  await using scope = new AsyncDisposableStack();
  const subject = scope.use(await startSubject());
  const engines = [
    { name: "thimble", host: subject.host },
    ...(stage.peers ? [{ name: "docker", host: stage.peers.dockerHost }] : []),
  ];
  const lists = [];
  for (const { name, host } of engines) {
    const names = Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
    const waiting = [...names];
    const make = async () => {
      for (let next = waiting.pop(); next !== undefined; next = waiting.pop())
        await ask(host, "/volumes/create", { Name: next, Labels: { [prefix]: "" } });
    };
    scope.defer(() => prune(host));
    await Promise.all(Array.from({ length: atOnce }, make));
    const run = async () => {
      const bytes = (await ask(host, "/volumes")).match(new RegExp(`"Name":"${prefix}-`, "g"));
      if (bytes?.length !== count) throw new Error(`${name} lists ${bytes?.length} volumes`);
    };
    lists.push({ name, run });
  }
  const samples = await interleave(lists, stage.rounds);
  return [{ kind: "timed", title: "GET /volumes, with 10,000 of them", samples, atMost }];
}

async function ask(host: string, path: string, body?: object): Promise<string> {
  const response = await fetch(`http://engine/v1.44${path}`, {
    unix: host.replace("unix://", ""),
    ...(body && {
      method: "POST",
      body: JSON.stringify(body),
      headers: { "content-type": "application/json" },
    }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
  return text;
}

async function prune(host: string): Promise<void> {
  const filters = JSON.stringify({ all: { true: true }, label: { [prefix]: true } });
  await ask(host, `/volumes/prune?filters=${encodeURIComponent(filters)}`, {});
}
