import { describe, expect, test } from "bun:test";
import { type ImageConfig, parsePlatform } from "#image";
import type { NamedContext } from "./named-context.ts";
import { OperationPool } from "./operation-pool.ts";
import { type Plan, type PlanRequest, planBuild, wantedImages } from "./plan.ts";
import { composeConfig } from "./planned-image.ts";

const platform = parsePlatform("linux/amd64");
const base: ImageConfig = {
  architecture: "amd64",
  os: "linux",
  config: { Env: ["PATH=/bin", "A=1"], Cmd: ["sh"], WorkingDir: "/work", User: "7" },
  rootfs: { type: "layers", diff_ids: [] },
  history: [],
};

function plan(text: string, options: Partial<PlanRequest> = {}): Plan {
  return planBuild(text, {
    buildArgs: new Map(),
    buildPlatform: platform,
    targetPlatform: platform,
    contexts: new Map<string, NamedContext>(),
    configOf: () => base,
    labels: new Map(),
    network: "default",
    hosts: [],
    ignoresCache: false,
    ...options,
  });
}

/** Operations by what distinguishes them. */
const names = ({ operations }: Plan) => operations.map(({ name }) => name);
const history = ({ image }: Plan) => image.history.map(({ entry }) => entry.created_by);

describe("a plan", () => {
  test("names steps as BuildKit does, with variables, stages and their numbers", () => {
    const two = plan(
      "FROM base AS build\nARG V=2\nRUN make $V\nFROM scratch\nCOPY --from=build /a /b",
    );
    expect(names(two)).toEqual([
      "[build 1/2] FROM docker.io/library/base:latest",
      "[build 2/2] RUN make 2",
      "[stage-1 1/1] COPY --from=build /a /b",
    ]);
    expect(names(plan("FROM base\nRUN true"))).toEqual([
      "[1/2] FROM docker.io/library/base:latest",
      "[2/2] RUN true",
    ]);
  });

  test("has what the target needs, each after its inputs, and an image once", () => {
    const text = [
      "FROM base AS a",
      "RUN a",
      "FROM base AS unused",
      "RUN unused",
      "FROM base AS b",
      "COPY --from=a / /x",
      "RUN --mount=from=a,target=/m b",
    ].join("\n");
    const made = plan(text);
    expect(names(made).filter((name) => name.includes("FROM"))).toHaveLength(1);
    expect(names(made).join()).not.toContain("unused");
    const { operations } = made;
    expect(operations.at(-1)).toBe(made.result as (typeof operations)[number]);
  });

  test("shares with other platforms' plans what is the same in them, and tells the rest apart", () => {
    const text = [
      "FROM --platform=$BUILDPLATFORM base AS build",
      "RUN once",
      "ARG TARGETARCH",
      "RUN twice",
      "FROM base",
      "COPY --from=build /a /b",
    ].join("\n");
    const pool = new OperationPool();
    const [own, other] = ["linux/amd64", "linux/arm64"].map((each) =>
      plan(text, { pool, targetPlatform: parsePlatform(each) }),
    );
    const shared = new Set(own?.operations);
    const both = other?.operations.filter((each) => shared.has(each)) ?? [];
    expect(both.map(({ name }) => name)).toEqual([
      "[linux/amd64 stage-1 1/2] FROM docker.io/library/base:latest",
      "[linux/amd64 build 2/3] RUN once",
    ]);
    expect(names(other as Plan)).toContain("[linux/amd64->arm64 build 3/3] RUN twice");
  });

  test("gives RUN the variables of the image, ENV and ARG, its user and directory", () => {
    const made = plan("FROM base\nENV B=2 A=3\nARG C=4\nARG NONE\nUSER x\nWORKDIR sub\nRUN go");
    expect(made.result).toMatchObject({
      kind: "run",
      argv: ["/bin/sh", "-c", "go"],
      env: ["PATH=/bin", "A=3", "B=2", "C=4"],
      cwd: "/work/sub",
      user: "x",
    });
    expect(made.image.config.Env).toEqual(["PATH=/bin", "A=3", "B=2"]);
    expect(history(made)).toEqual([
      "ENV B=2 A=3",
      "ARG C=4",
      "ARG NONE",
      "USER x",
      "WORKDIR /work/sub",
      "RUN |2 C=4 NONE= /bin/sh -c go # buildkit",
    ]);
  });

  test("keeps proxies out of the environment that makes the key", () => {
    const buildArgs = new Map([["http_proxy", "http://p"]]);
    const made = plan("FROM base\nRUN go", { buildArgs });
    expect(made.result).toMatchObject({
      proxy: ["HTTP_PROXY=http://p", "http_proxy=http://p"],
      env: ["PATH=/bin", "A=1"],
    });
  });

  test.each([
    ["RUN <<EOF\necho 1\nEOF", ["/bin/sh", "-c", "echo 1\n"]],
    ["RUN cat <<A >f\n1\nA", ["/bin/sh", "-c", "cat <<A >f\n1\nA"]],
    ["RUN <<S\n#!/bin/x\nS", ["/bin/sh", "-c", "/dev/pipes/S"]],
    ['RUN ["a", "b c"]', ["a", "b c"]],
    ['SHELL ["/bin/ash", "-e"]\nRUN x', ["/bin/ash", "-e", "x"]],
  ])("understands %j", (text, argv) => {
    expect(plan(`FROM base\n${text}`).result).toMatchObject({ argv });
  });

  test("takes files of COPY and ADD apart", () => {
    const text =
      "FROM base\nADD --chown=1:2 a* b/ https://h/x.tgz https://h/r.git#v1:sub <<D /to/\nd\nD\n";
    expect(plan(text).result).toMatchObject({
      destination: "/to/",
      chown: "1:2",
      parts: [
        { kind: "files", path: "/a*", unpacks: true },
        { kind: "files", path: "/b", unpacks: true },
        { kind: "remote", from: { url: "https://h/x.tgz", fileName: "x.tgz" }, unpacks: false },
        { kind: "git", from: { url: "https://h/r.git", ref: "v1", directory: "sub" } },
        { kind: "document", document: { name: "D", text: "d\n" } },
      ],
    });
    const parents = plan("FROM base\nCOPY --parents a/./b/c/ .\n").result;
    expect(parents).toMatchObject({
      destination: "/work/",
      parts: [{ path: "/a", parents: "b/c", unpacks: false }],
    });
  });

  test("gives mounts their defaults", () => {
    const text = `FROM base
RUN --mount=type=cache,target=c --mount=type=secret,id=s --mount=type=secret,id=t,env=T \\
  --mount=type=ssh --mount=target=/b,source=x --mount=type=tmpfs,target=/t,size=1m true`;
    expect(plan(text).result).toMatchObject({
      env: ["PATH=/bin", "A=1", "SSH_AUTH_SOCK=/run/buildkit/ssh_agent.0"],
      mounts: [
        { type: "cache", id: "/c", target: "/work/c", sharing: "shared", mode: 0o755 },
        { type: "secret", id: "s", target: "/run/secrets/s", mode: 0o400 },
        { type: "secret", id: "t", variable: "T" },
        { type: "ssh", id: "default", target: "/run/buildkit/ssh_agent.0" },
        { type: "bind", from: { kind: "context", name: "" }, path: "/x", isReadOnly: true },
        { type: "tmpfs", target: "/t", size: 1048576 },
      ],
    });
  });

  test("puts what changes the configuration alone into the history without layers", () => {
    const text = `FROM base
LABEL a=1 b="2 3"
EXPOSE 80 90/udp
VOLUME /v /w
CMD echo "x"
ENTRYPOINT ["/e"]
HEALTHCHECK --interval=1m30s --retries=3 CMD ok
STOPSIGNAL 9
MAINTAINER me
ONBUILD RUN x`;
    const made = plan(text, { labels: new Map([["c", "4"]]) });
    expect(history(made)).toEqual([
      "LABEL a=1 b=2 3",
      "EXPOSE [80/tcp 90/udp]",
      "VOLUME [/v /w]",
      'CMD ["/bin/sh" "-c" "echo \\"x\\""]',
      'ENTRYPOINT ["/e"]',
      'HEALTHCHECK &{["CMD-SHELL" "ok"] "1m30s" "0s" "0s" "0s" \'\\x03\'}',
      "STOPSIGNAL 9",
      "MAINTAINER me",
    ]);
    const created = "2026-01-01T00:00:00Z";
    const config = composeConfig(made.image, { diffIds: [], hasLayer: () => false, created });
    expect(config).toMatchObject({
      author: "me",
      created,
      config: {
        Labels: { a: "1", b: "2 3", c: "4" },
        ExposedPorts: { "80/tcp": {}, "90/udp": {} },
        Cmd: ["/bin/sh", "-c", 'echo "x"'],
        Entrypoint: ["/e"],
        Healthcheck: { Test: ["CMD-SHELL", "ok"], Interval: 9e10, Retries: 3 },
        OnBuild: ["RUN x"],
      },
    });
    expect(config.history?.every(({ empty_layer }) => empty_layer)).toBe(true);
  });

  test("carries out what ONBUILD left, once", () => {
    const configOf = () => ({ ...base, config: { ...base.config, OnBuild: ["RUN left"] } });
    const made = plan("FROM base AS a\nRUN own\nFROM a\nRUN third", { configOf });
    expect(names(made)).toEqual([
      "[a 1/3] FROM docker.io/library/base:latest",
      "[a 2/3] ONBUILD RUN left",
      "[a 3/3] RUN own",
      "[stage-1 1/1] RUN third",
    ]);
    expect(made.image.config.OnBuild).toBeUndefined();
  });

  test("takes named contexts for images, stages and sources", () => {
    const contexts = new Map<string, NamedContext>([
      ["base", { kind: "image", reference: "other:1" }],
      ["dir", { kind: "directory" }],
      ["early", { kind: "directory" }],
    ]);
    const text =
      "FROM missing AS early\nRUN never\nFROM base\nCOPY --from=dir a b\nCOPY --from=early c d";
    const request = { buildArgs: new Map(), buildPlatform: platform, targetPlatform: platform };
    expect(wantedImages(text, { ...request, contexts })).toEqual([
      { reference: "docker.io/library/other:1", platform },
    ]);
    const made = plan(text, { contexts });
    expect(names(made)[0]).toContain("other:1");
    const copies = made.operations.filter(({ kind }) => kind === "copy");
    const sources = copies.flatMap((copy) => (copy.kind === "copy" ? copy.parts : []));
    expect(sources).toMatchObject([
      { from: { name: "dir" } },
      { from: { name: "early" } },
      { from: { kind: "copy" } },
    ]);
    expect(names(made).join()).not.toContain("never");
  });

  test("refuses what the checks refuse, with the line", () => {
    const text = "FROM base AS early\nCOPY --from=later / /\nFROM base AS later";
    const failed = () => plan(text, { target: "early" });
    expect(failed).toThrow(/circular|cannot copy from stage/);
    expect(() => plan("# check=error=true\nFROM base\nMAINTAINER me")).toThrow("lint violation");
  });
});
