import { describe, expect, test } from "bun:test";
import type { ContainerDiagnosis, ContainerInspect, EventMessage } from "#wire";
import { type ContainerFacts, whyContainer } from "./why-container.ts";

const now = Date.parse("2026-01-01T00:01:00Z");

type State = Partial<ContainerInspect["State"]>;

function facts(
  state: State,
  change: {
    readonly policy?: object;
    readonly restarts?: number;
    readonly diagnosis?: Partial<ContainerDiagnosis>;
    readonly signals?: readonly number[];
    readonly memory?: number;
    readonly log?: readonly string[];
  } = {},
): ContainerFacts {
  const { policy = { Name: "no" }, restarts = 0, signals = [], memory = 0, log = [] } = change;
  const container = {
    Name: "/web",
    Path: "app",
    Args: ["--serve"],
    Created: "2026-01-01T00:00:00Z",
    Image: "sha256:1",
    RestartCount: restarts,
    Config: { Image: "shop" },
    HostConfig: { RestartPolicy: policy, Memory: memory },
    State: {
      Status: "exited",
      Running: false,
      Restarting: false,
      Paused: false,
      OOMKilled: false,
      Pid: 0,
      ExitCode: 0,
      Error: "",
      StartedAt: "2026-01-01T00:00:10Z",
      FinishedAt: "2026-01-01T00:00:30Z",
      ...state,
    },
  } as unknown as ContainerInspect;
  const events = signals.map(
    (signal) =>
      ({ Action: "kill", time: 1, Actor: { Attributes: { signal: String(signal) } } }) as unknown,
  );
  return {
    container,
    diagnosis: {
      ...{ ImageExists: true, StoppedByUser: false, Program: "app", Path: "/app", Problems: [] },
      ...change.diagnosis,
    },
    events: events as EventMessage[],
    log,
    now,
  };
}

const told = (...given: Parameters<typeof facts>) =>
  whyContainer(facts(...given)).map(({ kind, says, evidence, advice }) =>
    [`${kind}: ${says}`, ...evidence, ...advice].join("\n"),
  );

describe("why a container is in its state", () => {
  test("it runs, is paused, or waits for its policy", () => {
    const up = { Status: "running", Running: true, Pid: 7 } as State;
    expect(told(up)[0]).toStartWith("running: it has been running for 50 seconds\nprocess 7");
    expect(told({ ...up, Paused: true })[0]).toContain("thimble unpause web");
    const again = { Status: "restarting", Running: true, Restarting: true, ExitCode: 1 } as State;
    const [first, second] = told(again, { policy: { Name: "always" }, restarts: 3 });
    expect(first).toStartWith("exit: its program ended with an error of its own (exit status 1)");
    expect(second).toContain(
      'its policy "always" is about to start it again\nits policy has started it again 3 times',
    );
  });

  test("a status of a signal, and who sent it", () => {
    expect(told({ ExitCode: 139 })[0]).toContain("SIGSEGV");
    expect(told({ ExitCode: 137 })[0]).toContain("nobody asked this engine to");
    const stop = told({ ExitCode: 137 }, { signals: [15, 9], diagnosis: { StoppedByUser: true } });
    expect(stop[0]).toStartWith(
      "stopped: it was stopped or killed through the engine (exit status 137); it did not end in time",
    );
    expect(stop[0]).toContain("the engine sent SIGTERM");
    // A signal that it took and lived on with is not the reason of a later failure.
    expect(told({ ExitCode: 3 }, { signals: [1] })[0]).toStartWith("exit:");
    expect(told({ ExitCode: 0 }, { diagnosis: { StoppedByUser: true } })[0]).toStartWith(
      "stopped:",
    );
  });

  test("want of memory, with the limit and a larger one", () => {
    const [first] = told({ ExitCode: 137, OOMKilled: true }, { memory: 64 << 20 });
    expect(first).toContain("its limit of 64MiB");
    expect(first).toContain("--memory 128m --memory-swap 256m web");
    expect(told({ ExitCode: 137, OOMKilled: true })[0]).toContain("the memory of this host");
  });

  test("a start that failed, by what is known of the program", () => {
    const failed = { Status: "created", ExitCode: 127, Error: 'exec: "app": no' } as State;
    const problem = { Kind: "missing-loader", Message: "/app lacks ld.so", Advice: "add it" };
    const found = told(failed, { diagnosis: { Problems: [problem] } });
    expect(found[0]).toStartWith("start-failed: it could not be started: exec");
    expect(found[1]).toBe("missing-loader: /app lacks ld.so\nits command is app --serve\nadd it");
    const busy = { ...failed, Error: "Bind for 0.0.0.0:8080 failed: port is already allocated" };
    expect(told(busy)[0]).toContain("--filter publish=8080");
  });

  test("the last lines of the log stand for an error of the program's own", () => {
    const [first] = told({ ExitCode: 3 }, { log: ["no such table"] });
    expect(first).toContain("log: no such table");
    expect(first).toContain("thimble logs --tail 50 web");
  });

  test("health, policy and image stand behind the reason", () => {
    const Health = {
      Status: "unhealthy",
      FailingStreak: 3,
      Log: [{ ExitCode: 7, Output: "refused\n" }],
    };
    const found = told({ ExitCode: 1, Health } as unknown as State, {
      policy: { Name: "on-failure", MaximumRetryCount: 2 },
      restarts: 2,
      diagnosis: { ImageExists: false },
    });
    expect(found.map((each) => each.split(":")[0])).toEqual([
      "exit",
      "health",
      "restart-policy",
      "image-gone",
    ]);
    expect(found[1]).toContain("the latest probe ended with 7: refused");
    expect(found[2]).toContain("its policy gave up after 2 of 2 tries");
    expect(found[3]).toContain("thimble pull shop");
  });
});
