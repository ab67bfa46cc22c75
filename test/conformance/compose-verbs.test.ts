/**
 * The verbs of `thimble compose` beside docker compose 2.40 on one engine and one project: what they
 * print, and their exit status. With DOCKER_HOST both are before that engine.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type DockerTarget,
  dockerPath,
  image,
  isRoot,
  openDockerTarget,
} from "../support/docker-cli.ts";
import { dockerPlugin } from "../support/docker-plugins.ts";

const docker = dockerPlugin("docker-compose");
const thimble = `${process.execPath} ${join(import.meta.dir, "../../src/main/tool.ts")} compose`;
const here = describe.skipIf(!docker || !dockerPath || !isRoot);
const project = `conf${process.pid}`;

const file = `name: ${project}
services:
  web:
    image: ${image}
    command: [sh, -c, "echo hello; echo oops >&2; exec sleep 1000"]
    init: true
    ports: ["8080"]
    volumes: ["data:/data"]
    depends_on: [db]
    deploy: {replicas: 2}
  db: {image: ${image}, command: [sleep, "1000"], init: true, environment: {A: b}}
  once: {image: ${image}, command: [sh, -c, "exit 3"]}
  idle: {image: ${image}, profiles: [tool]}
volumes: {data: {}}
`;

here("verbs of compose [needs docker-compose]", () => {
  let target: DockerTarget;
  const run = (program: string, words: string) =>
    target.shell(`${program} ${words}`, target.directory);
  const both = async (words: string) => {
    const ended = await Promise.all([
      run(docker ?? "", words),
      run(`env DOCKER_HOST=${target.host} ${thimble}`, words),
    ]);
    const [theirs, ours] = ended.map(shown);
    return { theirs, ours };
  };

  beforeAll(async () => {
    target = await openDockerTarget();
    writeFileSync(join(target.directory, "compose.yaml"), file);
    expect(await run(docker ?? "", "up -d --quiet-pull")).toMatchObject({ status: 0 });
    await target.ok(["wait", `${project}-once-1`]);
    for (const one of ["web-1", "web-2"]) {
      const log = () => target.docker(["logs", `${project}-${one}`]);
      while (!(await log()).stderr.includes("oops")) await Bun.sleep(10);
    }
  });
  afterAll(async () => {
    if (!target) return;
    await run(docker ?? "", "down -v -t 0");
    await target[Symbol.asyncDispose]();
  });

  test.each(
    [
      ...[
        "ps",
        "ps -a",
        "ps -q",
        "ps --services",
        "ps -a --format json",
        "ps once idle",
        "ps nosuch",
      ],
      ...[
        "ps web --status exited",
        "ps --filter status=exited",
        "ps --filter a=b",
        "ps --filter a",
      ],
      ...["ps --format '{{.Name}} {{.ExitCode}} {{.Publishers}}'", "-p none ps", "-p none ps web"],
      ...["ls -a", "ls -q", `ls --filter name=${project}`, "ls --filter foo=x", "ls --format xml"],
      ...[
        "ls --format json",
        "logs --index 2 web",
        "logs nosuch",
        "logs --index 2",
        "logs -n 1 db once",
      ],
      ...["logs --no-log-prefix --index 1 web", "top", "top db once", "top nosuch"],
      ...[
        "port web 8080",
        "port --index 2 web 8080",
        "port web 80",
        "port nosuch 80",
        "port web abc",
      ],
      ...[
        "port --index 5 web 8080",
        "port --protocol udp web 8080",
        "images",
        "images -q",
        "images db",
      ],
      ...["images --format x", "images nosuch", "images --format json db", "volumes", "volumes -q"],
      ...["volumes nosuch", "volumes web", "volumes db", "volumes --format 'x{{.Name}}'"],
      ...[
        "exec -T db echo hi",
        "exec -T db sh -c 'exit 7'",
        "exec -T once true",
        "exec -T nosuch true",
      ],
      ...["exec -T --index 2 web hostname", "exec -T --index 9 web true", "exec -T db nosuchcmd"],
      ...[
        "exec -d db true",
        "exec -T -e X=1 -u 1:1 -w /tmp db env",
        "attach once",
        "attach nosuch",
      ],
      ...["stats --no-stream --format '{{.Name}}' db"],
      ...["cp db:/etc/plain out", "cp a:/x b:/y", "cp ./a ./b"],
      ...["cp compose.yaml --index 1 web:/tmp/in", "cp nosuch:/x .", "cp db:/nosuch ."],
      ...[
        "export -o x.tar db",
        "export nosuch",
        "commit nosuch a:1",
        "pull nosuch",
        "pull idle --policy missing",
      ],
      ...["push nosuch", "push db"],
    ].map((words) => [words]),
  )("%s", async (words) => {
    const { theirs, ours } = await both(words);
    expect(ours).toEqual(theirs);
  });

  test("build makes the images of services, those that are contexts of others first", async () => {
    const build = (text: string, more = "") =>
      `{build: {context: app, dockerfile_inline: ${JSON.stringify(text)}${more}}}`;
    const services = [
      `  base: ${build(`FROM ${image}\nRUN echo base > /made\n`)}`,
      `  top: ${build("FROM below\n", ', additional_contexts: {below: "service:base"}')}`,
    ];
    mkdirSync(join(target.directory, "app"));
    const path = join(target.directory, "build.yaml");
    writeFileSync(path, `name: ${project}\nservices:\n${services.join("\n")}\n`);
    const at = `env DOCKER_HOST=${target.host} ${thimble} -f build.yaml`;
    const built = await run(at, "build top");
    expect(built).toMatchObject({ status: 0, stderr: expect.stringContaining(" top  Built\n") });
    expect(await target.ok(["run", "--rm", `${project}-top`, "cat", "/made"])).toBe("base");
    await target.ok(["rmi", "-f", `${project}-top`]);
  });

  test("the number of version is one of docker compose 2", async () => {
    const { stdout } = await run(thimble, "version --short");
    expect(stdout).toBe("2.40.3\n");
    const json = await run(thimble, "version --format json");
    expect(JSON.parse(json.stdout)).toEqual({ version: "2.40.3" });
  });

  test("events of a project are told, and end with --until", async () => {
    const since = Math.floor(Date.now() / 1000);
    await target.ok(["exec", `${project}-db-1`, "true"]);
    const words = `events --since ${since} --json db`;
    const ours = await run(`env DOCKER_HOST=${target.host} ${thimble}`, `${words} --until 0s`);
    const events = (text: string) =>
      text
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    const count = events(ours.stdout).length;
    expect(count).toBeGreaterThan(2);
    // At --until docker compose fails with EOF, and loses what it has not printed by then.
    const theirs = await target.shell(
      `${docker} ${words} >events & pid=$!
      until [ "$(wc -l <events)" -ge ${count} ]; do sleep 0.05; done
      kill $pid; head -n ${count} events`,
      target.directory,
    );
    expect(events(ours.stdout)).toEqual(events(theirs.stdout));
  });
});

interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Without times and the order in which Go has the keys of a map, which are never the same. */
function shown({ status, stdout, stderr }: Ended) {
  const text = stdout
    .replaceAll("\\u003e", ">")
    .replace(/("Labels":")([^"]*)"/g, (_, head: string, labels: string) => {
      return `${head}${labels.split(",").toSorted().join(",")}"`;
    })
    .replace(/(\d+|Less than a|About a|an?) (second|minute)s?( ago)?/g, "TIME")
    .replace(/\d\d:\d\d(:\d\d)?/g, "TIME")
    .replace(/ {2,}/g, " ");
  return { status, stdout: text, stderr };
}
