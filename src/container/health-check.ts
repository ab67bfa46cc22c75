import { Fault } from "#base";
import { type NetworkCheck, networkCheckOf } from "./network-check.ts";

/** A health check as it was sent or as an image has it; 0 and an empty test stand for what the other one says. Times in nanoseconds. */
export interface HealthCheck {
  /** `["CMD", program, ...]`, `["CMD-SHELL", script]`, `["NONE"]`, or one of network-check.ts. */
  readonly Test: readonly string[];
  readonly Interval: number;
  readonly Timeout: number;
  readonly StartPeriod: number;
  readonly StartInterval: number;
  readonly Retries: number;
}

type Sent = { readonly [Key in keyof HealthCheck]?: HealthCheck[Key] | null | undefined };

const none = { Test: [], Interval: 0, Timeout: 0, StartPeriod: 0, StartInterval: 0, Retries: 0 };

/** Undefined where nothing was asked for. */
export function healthCheckOf(sent: Sent | undefined): HealthCheck | undefined {
  const given = Object.entries(sent ?? {}).filter(([, value]) =>
    Array.isArray(value) ? value.length > 0 : Boolean(value),
  );
  return given.length === 0 ? undefined : { ...none, ...Object.fromEntries(given) };
}

/** The user's check, whose gaps the image's fills. */
export function mergeHealthCheck(
  own: HealthCheck | undefined,
  image: Sent | undefined,
): HealthCheck | undefined {
  const base = healthCheckOf(image);
  if (!own || !base) return own ?? base;
  const given = Object.entries(own).filter(([, value]) =>
    Array.isArray(value) ? value.length > 0 : value !== 0,
  );
  return { ...base, ...Object.fromEntries(given) };
}

/** Nanoseconds. */
const least = 1_000_000;

/** Throws `invalid`, in Docker's words. */
export function checkHealthCheck(check: HealthCheck | undefined): void {
  if (!check) return;
  for (const name of ["Interval", "Timeout", "StartPeriod", "StartInterval"] as const) {
    if (check[name] !== 0 && check[name] < least)
      throw new Fault("invalid", `${name} in Healthcheck cannot be less than 1ms`);
  }
  networkCheckOf(check.Test);
  if (check.Retries < 0) throw new Fault("invalid", "Retries in Healthcheck cannot be negative");
}

/** The form in inspect: without what is zero. */
export function shownHealthCheck(check: HealthCheck | undefined): Partial<HealthCheck> | undefined {
  if (!check) return undefined;
  const shown = Object.entries(check).filter(([, value]) =>
    Array.isArray(value) ? value.length > 0 : value !== 0,
  );
  return Object.fromEntries(shown);
}

/** How a container is asked: by a program that is run in it, or over its network. */
type ProbeTest = { readonly kind: "program"; readonly argv: readonly string[] } | NetworkCheck;

/** What is done to see whether a container is well, with Docker's defaults. Times in milliseconds. */
export interface Probe {
  readonly test: ProbeTest;
  readonly interval: number;
  readonly timeout: number;
  /** After the start, in which a failure does not count. */
  readonly startPeriod: number;
  /** Between two probes of that time. */
  readonly startInterval: number;
  /** Failures in a row that make it unhealthy. */
  readonly retries: number;
}

/** Undefined for a container without a check. */
export function probeOf(
  check: HealthCheck | undefined,
  shell: readonly string[] = ["/bin/sh", "-c"],
): Probe | undefined {
  const test = check && testOf(check.Test, shell);
  if (!test) return undefined;
  const milliseconds = (nanoseconds: number, fallback: number) =>
    nanoseconds === 0 ? fallback : nanoseconds / 1e6;
  return {
    test,
    interval: milliseconds(check.Interval, 30_000),
    timeout: milliseconds(check.Timeout, 30_000),
    startPeriod: milliseconds(check.StartPeriod, 0),
    startInterval: milliseconds(check.StartInterval, 5_000),
    retries: check.Retries || 3,
  };
}

function testOf(words: readonly string[], shell: readonly string[]): ProbeTest | undefined {
  const [kind, ...argv] = words;
  if (argv.length === 0) return undefined;
  if (kind === "CMD") return { kind: "program", argv };
  if (kind === "CMD-SHELL") return { kind: "program", argv: [...shell, ...argv] };
  return networkCheckOf(words);
}
