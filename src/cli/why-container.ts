import type { ContainerDiagnosis, ContainerInspect, EventMessage } from "#wire";
import { exitWords, signalName } from "./exit-words.ts";
import { binarySize, humanDuration, humanSince } from "./human.ts";
import { startAdvice } from "./start-advice.ts";

/** All that is known of a container, by which its state is told. */
export interface ContainerFacts {
  readonly container: ContainerInspect;
  /** Absent where the engine is not thimble, or could not look. */
  readonly diagnosis: ContainerDiagnosis | undefined;
  /** Those of its latest run that the engine still has. */
  readonly events: readonly EventMessage[];
  /** The last lines of its log. */
  readonly log: readonly string[];
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** One reason or circumstance, how it is known, and what helps. */
export interface Finding {
  readonly kind: string;
  readonly says: string;
  readonly evidence: readonly string[];
  readonly advice: readonly string[];
}

/** Why a container is in its state, the most important first. */
export function whyContainer(facts: ContainerFacts): readonly Finding[] {
  const { State } = facts.container;
  const isUp = State.Running && !State.Restarting;
  const found = isUp
    ? [running(facts), health(facts)]
    : [started(facts), ...problems(facts), ended(facts), health(facts), policy(facts)];
  return [...found, image(facts)].filter((each) => each !== undefined);
}

function running({ container, now }: ContainerFacts): Finding {
  const { State, RestartCount } = container;
  const since = lowerFirst(humanDuration(now - Date.parse(State.StartedAt)));
  const name = nameOf(container);
  const evidence = [
    `process ${State.Pid} of this host, started at ${State.StartedAt}`,
    ...(RestartCount > 0 ? [restarts(container)] : []),
    ...(State.OOMKilled ? ["the kernel has killed a process in it for want of memory"] : []),
  ];
  if (State.Paused)
    return {
      kind: "paused",
      says: "it is paused: its processes exist and stand still",
      evidence,
      advice: [`thimble unpause ${name}`],
    };
  return { kind: "running", says: `it has been running for ${since}`, evidence, advice: [] };
}

/** A container that was never started, or whose latest start failed. */
function started({ container, diagnosis }: ContainerFacts): Finding | undefined {
  const { State } = container;
  const name = nameOf(container);
  const broken = (diagnosis?.Problems.length ?? 0) > 0;
  if (State.Error !== "")
    return {
      kind: "start-failed",
      says: `it could not be started: ${State.Error}`,
      evidence: [`exit status ${State.ExitCode} in its state`],
      advice: broken ? [] : startAdvice(State.Error, name),
    };
  if (State.Status !== "created") return undefined;
  return {
    kind: "created",
    says: `it was created and never started${broken ? ", and could not be" : ""}`,
    evidence: [`created at ${container.Created}`],
    advice: broken ? [] : [`thimble start ${name}`],
  };
}

/** What stands in the way of the program; of interest only where that may be the cause. */
function problems({ container, diagnosis }: ContainerFacts): readonly Finding[] {
  const { State } = container;
  const mayBe = State.Status === "created" || State.Error !== "" || State.ExitCode > 125;
  if (!diagnosis || !mayBe || State.OOMKilled) return [];
  const asked = [container.Path, ...container.Args].join(" ");
  return diagnosis.Problems.map(({ Kind, Message, Advice }) => ({
    kind: Kind,
    says: Message,
    evidence: [`its command is ${asked}`],
    advice: [Advice],
  }));
}

function ended(facts: ContainerFacts): Finding | undefined {
  const { container, log, now } = facts;
  const { State } = container;
  if (State.Status === "created" || State.Error !== "") return undefined;
  const when = lowerFirst(humanSince(Date.parse(State.FinishedAt), now));
  const evidence = [`it ended ${when} (${State.FinishedAt})`];
  if (State.OOMKilled) return outOfMemory(facts, evidence);
  const stop = stopped(facts);
  if (stop) return { ...stop, evidence: [...evidence, ...stop.evidence] };
  const { says, advice } = exitWords(State.ExitCode);
  const outside = State.ExitCode === 137 || State.ExitCode === 143;
  return {
    kind: State.ExitCode > 128 ? "signal" : "exit",
    says,
    evidence: [
      ...evidence,
      ...(outside ? ["nobody asked this engine to: the signal came from inside or the host"] : []),
      ...(State.ExitCode === 0 ? [] : log.map((line) => `log: ${line}`)),
    ],
    advice: [
      ...(advice ? [advice] : []),
      ...(State.ExitCode === 137
        ? ["look for the host's own want of memory: dmesg | grep -i oom"]
        : []),
      ...(log.length > 0 && State.ExitCode > 0
        ? [`thimble logs --tail 50 ${nameOf(container)}`]
        : []),
      ...(State.ExitCode === 0
        ? ["give it a program that stays in the foreground, if it should go on"]
        : []),
    ],
  };
}

function outOfMemory({ container }: ContainerFacts, evidence: readonly string[]): Finding {
  const { Memory } = container.HostConfig;
  const name = nameOf(container);
  const limit = Memory > 0 ? `its limit of ${binarySize(Memory)}` : "the memory of this host";
  return {
    kind: "out-of-memory",
    says: `the kernel killed it for want of memory: it had used up ${limit}`,
    evidence: [...evidence, "OOMKilled is true in its state"],
    advice: [
      Memory > 0
        ? `give it more, and start it again: thimble update --memory ${mebibytes(2 * Memory)}m --memory-swap ${mebibytes(4 * Memory)}m ${name}`
        : `give it a limit, so that it does not take the host's: thimble update --memory 1g ${name}`,
    ],
  };
}

function mebibytes(bytes: number): number {
  return Math.ceil(bytes / (1 << 20));
}

/** Whether its user stopped or killed it, as far as the engine remembers. */
function stopped({ container, diagnosis, events }: ContainerFacts): Finding | undefined {
  const kills = events.filter(({ Action }) => Action === "kill");
  const asked = kills.length > 0 || diagnosis?.StoppedByUser;
  const { ExitCode } = container.State;
  if (!asked) return undefined;
  const signals = kills.map(({ Actor, time }) => {
    const number = Number(Actor.Attributes.signal);
    return `the engine sent ${signalName(number) ?? `signal ${number}`} at ${new Date(time * 1000).toISOString()}, as a client asked`;
  });
  const last = Number(kills.at(-1)?.Actor.Attributes.signal ?? 0);
  const ignored = kills.length > 1 && last === 9;
  const fatal = ExitCode > 128 && (last === 0 || ExitCode - 128 === last);
  if (!diagnosis?.StoppedByUser && !fatal) return undefined;
  return {
    kind: "stopped",
    says: `it was stopped or killed through the engine (exit status ${ExitCode})${ignored ? "; it did not end in time when it was asked to, and was killed then" : ""}`,
    evidence: signals.length > 0 ? signals : ["the engine has noted that a client stopped it"],
    advice: [
      `thimble start ${nameOf(container)}`,
      ...(ignored
        ? [
            "let it handle its stop signal (--init helps a shell), or give it longer: --stop-timeout 60",
          ]
        : []),
    ],
  };
}

function health({ container }: ContainerFacts): Finding | undefined {
  const { Health } = container.State;
  if (!Health || Health.Status === "healthy" || Health.Log.length === 0) return undefined;
  const { ExitCode = 0, Output = "" } = Health.Log.at(-1) ?? {};
  return {
    kind: "health",
    says: `its health check finds it ${Health.Status}, ${Health.FailingStreak} failures in a row`,
    evidence: [`the latest probe ended with ${ExitCode}: ${Output.trim()}`],
    advice: [`run the probe yourself: thimble exec ${nameOf(container)} ...`],
  };
}

function policy({ container, diagnosis }: ContainerFacts): Finding | undefined {
  const { State, RestartCount } = container;
  const { Name = "no", MaximumRetryCount = 0 } = restartPolicy(container);
  if (State.Status === "created") return undefined;
  const evidence = RestartCount > 0 ? [restarts(container)] : [];
  const says = State.Restarting
    ? `its policy "${Name}" is about to start it again`
    : Name === "no" || Name === ""
      ? "nothing starts it again: it has no restart policy"
      : diagnosis?.StoppedByUser
        ? `its policy "${Name}" does not start what its user has stopped`
        : Name === "on-failure" && State.ExitCode === 0
          ? `its policy "${Name}" starts it only after a failure`
          : Name === "on-failure" && MaximumRetryCount > 0 && RestartCount >= MaximumRetryCount
            ? `its policy gave up after ${RestartCount} of ${MaximumRetryCount} tries`
            : `its policy is "${Name}"`;
  const none = Name === "no" || Name === "";
  const name = nameOf(container);
  return {
    kind: "restart-policy",
    says,
    evidence,
    advice: none && State.ExitCode !== 0 ? [`thimble update --restart unless-stopped ${name}`] : [],
  };
}

function image({ container, diagnosis }: ContainerFacts): Finding | undefined {
  if (diagnosis?.ImageExists !== false) return undefined;
  const name = container.Config.Image;
  return {
    kind: "image-gone",
    says: `its image ${name} is not stored any more; the container keeps its files`,
    evidence: [`no image has the id ${container.Image}`],
    advice: [`thimble pull ${name}, before you make another container of it`],
  };
}

function restartPolicy(container: ContainerInspect) {
  return (container.HostConfig.RestartPolicy ?? {}) as {
    readonly Name?: string;
    readonly MaximumRetryCount?: number;
  };
}

function restarts({ RestartCount }: ContainerInspect): string {
  return `its policy has started it again ${RestartCount} time${RestartCount === 1 ? "" : "s"}`;
}

function nameOf({ Name }: ContainerInspect): string {
  return Name.replace(/^\//, "");
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1);
}
