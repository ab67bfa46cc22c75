import { Fault } from "#base";
import { type Fd, limitRate, RouteTable } from "#kernel";

/** Both ends of a pair of interfaces: the index of the one in a namespace, and the name of the host's. */
export interface PairEnds {
  readonly netns: Fd;
  readonly index: number;
  readonly port: string;
}

/**
 * Limits what goes through a pair to so many bytes per second each way: the container's end what it sends,
 * the host's what it gets. `unsupported` where the kernel cannot.
 */
export async function limitEnds(rate: number, { netns, index, port }: PairEnds): Promise<void> {
  const host = new RouteTable();
  const link = await host.link(port);
  if (link === undefined)
    throw new Fault("unavailable", "the container's interface vanished while it was set up");
  try {
    await host.apply(limitRate(link.index, rate));
    await new RouteTable({ netns }).apply(limitRate(index, rate));
  } catch (error) {
    const isMissing =
      error instanceof Fault && ["EOPNOTSUPP", "ENOENT"].includes(error.errno ?? "");
    if (!isMissing) throw error;
    throw new Fault("unsupported", "this kernel cannot limit a rate: it lacks the module sch_tbf", {
      cause: error,
    });
  }
}
