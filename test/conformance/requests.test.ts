/**
 * Requests that are wrong in one way or another, with the answers that dockerd 28.5.2 gave to them:
 * testdata/requests.txt. UPDATE=1 with the reference's DOCKER_HOST records them anew.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type DockerTarget,
  dockerPath,
  image,
  isRoot,
  openDockerTarget,
} from "../support/docker-cli.ts";

const here = describe.skipIf(!dockerPath || !isRoot);
const path = join(import.meta.dir, "testdata/requests.txt");

/** "METHOD PATH [FIELD: VALUE] BODY", of which the last two may be absent. */
const form = /^(\S+) (\S+)(?: \[([^:\]]+): ([^\]]+)\])?(?: (.*))?$/;

here("wrong requests [needs docker CLI]", () => {
  let target: DockerTarget;
  const names = { live: "", made: "" };
  beforeAll(async () => {
    target = await openDockerTarget();
    names.live = target.name();
    names.made = target.name();
    await target.ok(["run", "-di", "--name", names.live, image, "cat"]);
    await target.ok(["create", "--name", names.made, image, "true"]);
  });
  afterAll(async () => {
    const made = await target?.ok(["ps", "-aq", "--filter", `name=^${names.made}-`]);
    if (made) await target.ok(["rm", "-f", ...made.split("\n")]);
    await target?.[Symbol.asyncDispose]();
  });

  const filled = (text: string) =>
    text
      .replaceAll("{live}", names.live)
      .replaceAll("{made}", names.made)
      .replaceAll("{image}", image);
  /** Without what differs from run to run. */
  const plain = (text: string) =>
    text
      .replaceAll(names.live, "{live}")
      .replaceAll(names.made, "{made}")
      .replaceAll(image, "{image}")
      .replaceAll(/[0-9a-f]{64}/g, "<id>");

  async function answerTo(line: string): Promise<string> {
    const [, method = "", at = "", field, value = "", body] = form.exec(filled(line)) ?? [];
    const headers = field ? { [field]: value } : { "Content-Type": "application/json" };
    const answer = await fetch(`http://d${at.startsWith("/v1.") ? "" : "/v1.51"}${at}`, {
      ...{ method, unix: target.socket, headers: body === undefined ? {} : headers },
      ...(body !== undefined && { body }),
    });
    return `${answer.status} ${plain((await answer.text()).trim())}`.trim();
  }

  test("are answered as dockerd answers them", async () => {
    const lines = readFileSync(path, "utf8").split("\n");
    const requests = lines.filter((line) => line !== "" && !line.startsWith(" "));
    let seen = "";
    for (const line of requests) seen += `${line}\n  ${await answerTo(line)}\n`;
    if (process.env.UPDATE) writeFileSync(path, seen);
    else expect(seen).toBe(lines.join("\n"));
  });
});
