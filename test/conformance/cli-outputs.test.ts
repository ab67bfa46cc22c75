/**
 * The docker CLI and thimble's with the same words before one engine: lists, inspections, failures
 * and mistakes have the same exit status and the same output, but for the program's name.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  type DockerTarget,
  dockerPath,
  image,
  isRoot,
  openDockerTarget,
} from "../support/docker-cli.ts";
import { inProcess } from "../support/in-process-cli.ts";

const here = describe.skipIf(!dockerPath || !isRoot);

/** Each list by its command; the words are those that the command gets. */
const lines: Readonly<Record<string, readonly string[]>> = {
  ps: [
    ...["", "-a", "-q", "-aq", "-aq --no-trunc", "-a --no-trunc", "-l", "-n 2", "-as"],
    ...["-a --filter status=exited", "-a --filter exited=1", "--filter name=web", "--filter bogus"],
    ...["--filter label=tier=front", "--filter network=front", "--filter volume=data"],
    ...["-a --filter ancestor=IMAGE", "-a --filter before=made", "-a --filter since=web"],
    ...["-a --filter status=bogus", "--filter bogus=1", "--format table"],
  ],
  container: ["ls", "list -a", "ps -a", "inspect absent", "inspect web"],
  images: [
    ...["-q", "--digests", "--no-trunc", "thimble.example/busybox", "--filter dangling=true"],
    ...["--filter reference=thimble.example/*", "--filter bogus=1", "absent"],
  ],
  image: ["ls -q --no-trunc", "list", "inspect absent", "history IMAGE", "inspect IMAGE"],
  history: ["IMAGE", "-q IMAGE", "--no-trunc IMAGE", "-H=false IMAGE", "absent"],
  network: [
    ...["ls", "ls -q", "ls --no-trunc", "ls --filter driver=bridge", "ls --filter type=custom"],
    ...["ls --filter dangling=true", "list", "inspect front", "inspect -v front bridge"],
    ...["inspect absent", "create front", "connect absent web", "disconnect front made"],
  ],
  volume: [
    ...["ls", "ls -q", "ls --filter dangling=true", "ls --filter name=dat", "list"],
    ...["inspect data", "inspect absent", "rm absent", "rm data", "create data"],
  ],
  inspect: [
    ...["web", "IMAGE", "front", "data", "--type image IMAGE", "-s web", "absent", "web absent"],
  ],
  port: ["web", "web 80", "web 80/tcp", "web 443/udp", "web 9999", "absent"],
  logs: ["done", "--tail 1 done", "-t --tail 0 done", "absent"],
  diff: ["done", "absent"],
  context: ["ls", "ls -q", "show", "inspect --format {{.Name}}"],
  exec: [
    ...["absent ls", "done ls", "made ls", "web absent", "-w /absent web ls", "web", ""],
    ...["-u nobody web id"],
  ],
  start: ["absent", ""],
  stop: ["absent"],
  kill: ["absent", "done", "-s BOGUS web"],
  pause: ["absent", "done"],
  unpause: ["web"],
  wait: ["done", "absent", ""],
  rm: ["absent", "web", ""],
  rmi: ["absent", ""],
  rename: ["absent x", "web done", "web"],
  attach: ["absent", "done"],
  cp: ["absent:/x /tmp/q", "web:/absent /tmp/q", "a b"],
  update: ["absent -m 8m", "web -m 1k"],
  commit: ["absent"],
  save: ["absent"],
  export: ["absent"],
  run: [
    ...["--name web IMAGE true", "IMAGE absent-command", "IMAGE /etc", "--network absent IMAGE"],
    ...["--pull bogus IMAGE", "--memory 1k IMAGE"],
    ...["--restart bogus IMAGE", "", "--bogus IMAGE", "IMAGE sh -c exit\\ 7"],
  ],
};

/** Words that say how long ago something was, which may change between two commands. */
const ago = /\b(\d+|About an?|Less than a) (seconds?|minutes?)( ago)?( +\((healthy|Paused)\))? */g;

here("the words of the docker CLI [needs docker CLI]", () => {
  let target: DockerTarget;

  beforeAll(async () => {
    target = await openDockerTarget();
    const { ok } = target;
    await ok(["network", "create", "--label", "tier=net", "--subnet", "10.93.7.0/24", "front"]);
    await ok(["volume", "create", "--label", "tier=vol", "data"]);
    const ports = ["-p", "127.0.0.1::80", "-p", "127.0.0.1::443/udp"];
    const options = ["--label", "tier=front", "--network", "front", "-v", "data:/data", ...ports];
    await ok(["run", "-d", "--name", "web", ...options, image, "sleep", "1000"]);
    await target.docker(["run", "--name", "done", image, "ls", "/absent"]);
    await ok(["create", "--name", "made", "-v", "/own", image, "true"]);
  }, 600_000);
  afterAll(async () => {
    await target?.docker(["rm", "-fv", "web", "done", "made"]);
    await target?.docker(["network", "rm", "front"]);
    await target?.docker(["volume", "rm", "data"]);
    await target?.[Symbol.asyncDispose]();
  });

  const places = (word: string) => word.replace("IMAGE", image).replaceAll("\\ ", " ");
  const plain = (text: string) =>
    text
      .replaceAll(/\bdocker\b/g, "thimble")
      .replaceAll(ago, "AGO ")
      .replaceAll(/ {2,}/g, "  ")
      .replaceAll(/\b[0-9a-f]{64}\b/g, "ID");

  const commands = Object.entries(lines).flatMap(([command, all]) =>
    all.map((words) => [`${command} ${words}`.trim()] as const),
  );
  test.each(commands)("%s", async (line) => {
    const args = line.split(/(?<!\\) /).map(places);
    const [theirs, ours] = [await target.docker(args), await inProcess(target, args)];
    const shown = (ended: typeof ours) => ({
      status: ended.status,
      stdout: plain(ended.stdout),
      stderr: plain(ended.stderr),
    });
    expect(shown(ours)).toEqual(shown(theirs));
  });
});
