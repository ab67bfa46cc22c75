import { Fault } from "#base";
import type { ContainerCreateBody } from "#container";
import type { Values } from "./flag.ts";
import type { updateFlags } from "./table/create-flags.ts";

type HealthFlags = Values<typeof updateFlags>;

const healthTests = {
  "health-cmd": "CMD-SHELL",
  "health-http": "HTTP",
  "health-tcp": "TCP",
  "health-grpc": "GRPC",
} as const;

function healthTest(flags: HealthFlags): string[] | undefined {
  const given = Object.entries(healthTests).flatMap(([flag, kind]) => {
    const value = flags[flag as keyof typeof healthTests];
    return value ? [{ flag, test: [kind, value] }] : [];
  });
  const [first, second] = given;
  if (first && second)
    throw new Fault("invalid", `conflicting options: --${first.flag} and --${second.flag}`);
  return first?.test;
}

/** The check that flags ask for, as the API has it; throws `invalid` for flags that exclude each other. */
export function healthCheck(flags: HealthFlags): Pick<ContainerCreateBody, "Healthcheck"> {
  const check = {
    Test: healthTest(flags),
    Interval: flags["health-interval"],
    Timeout: flags["health-timeout"],
    Retries: flags["health-retries"],
    StartPeriod: flags["health-start-period"],
    StartInterval: flags["health-start-interval"],
  };
  const given = Object.entries(check).filter(([, value]) => value !== undefined);
  if (!flags["no-healthcheck"]) {
    return given.length > 0 ? { Healthcheck: Object.fromEntries(given) } : {};
  }
  if (given.length > 0) {
    throw new Fault("invalid", "--no-healthcheck conflicts with --health-* options");
  }
  return { Healthcheck: { Test: ["NONE"] } };
}
