import { isFault } from "#base";
import { deleteLink, type RouteTable } from "#kernel";

/**
 * Removes an interface of the host, by its index or name, which is found by nobody any more soon after
 * the request. That the kernel has given back all that it held, which takes 14 to 37 ms, is not waited for.
 */
export async function removeLink(host: RouteTable, ref: number | string): Promise<void> {
  let isAnswered = false;
  const removal = deleteFully(host, ref).finally(() => {
    isAnswered = true;
  });
  removal.catch(() => undefined);
  // The kernel answers a look-up between its changes, not in the middle of one.
  while (!isAnswered && (await host.link(ref)) !== undefined);
  if (isAnswered) await removal;
}

/** As `removeLink`; the kernel holds nothing of it any more. Does nothing when it is gone. */
export async function deleteFully(host: RouteTable, ref: number | string): Promise<void> {
  try {
    await host.apply(deleteLink(ref));
  } catch (error) {
    // The namespace of its other end ended meanwhile.
    if (!isFault(error, "not_found") && !isFault(error, "invalid")) throw error;
  }
}
