import { Fault } from "#base";
import type { Verb } from "../command.ts";
import type { networkFaultFlags } from "../table/networks.ts";

const NANOSECONDS = 1_000_000;

/** `network fault`: sets all that is asked for instead of what was before, or takes it back. */
export const faultNetwork: Verb<typeof networkFaultFlags> = async (context, { flags, args }) => {
  const [container = ""] = args;
  const { clear, delay, loss, partition } = flags;
  const { networks } = context.client;
  const isAsked = delay !== undefined || loss !== undefined || partition.length > 0;
  if (clear === isAsked)
    throw new Fault("invalid", "give --loss, --delay or --partition, or --clear alone");
  if (clear) await networks.mend(container);
  else
    await networks.fault(container, {
      LossPercent: percentOf(loss ?? "0"),
      DelayMs: (delay ?? 0) / NANOSECONDS,
      Partition: [...partition],
    });
  return 0;
};

/** "5%", "0.5" */
function percentOf(text: string): number {
  const [, number] = /^(\d{1,3}(?:\.\d{1,4})?)%?$/.exec(text) ?? [];
  if (number !== undefined && Number(number) <= 100) return Number(number);
  throw new Fault(
    "invalid",
    `invalid argument "${text}" for "--loss" flag: it is from 0% to 100%`,
    {
      about: text,
    },
  );
}
