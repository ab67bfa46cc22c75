import { faultOf, type Log } from "#base";
import { containerCreateSchema, sentOf } from "#container";
import type { Engine } from "#engine";
import { parseJsonBody } from "./json-body.ts";

/** Milliseconds that a new server leaves to those who wait for it already. */
const delayMs = 300;
/** As often as it takes until the runtime has compiled most of the code. */
const rounds = 100;
/** Milliseconds between two rounds, of which one takes up to three. */
const pauseMs = 5;

const body = Buffer.from(
  JSON.stringify({
    Image: "none",
    Cmd: ["true"],
    AttachStdout: true,
    AttachStderr: true,
    HostConfig: { AutoRemove: true, NetworkMode: "default" },
  }),
);

/**
 * Goes the way of a create as far as its plan, again and again, soon after the engine began to
 * serve: the first `run` of a user is then as fast as the hundredth. The function ends it early.
 */
export function rehearseCreate(
  { containers }: { readonly containers: Pick<Engine["containers"], "rehearse"> },
  log: Log,
): () => void {
  let left = rounds;
  const rehearse = () => {
    try {
      const sent = sentOf(parseJsonBody(body, containerCreateSchema));
      containers.rehearse({ sent, owner: { uid: 0, gid: 0 } });
    } catch (error) {
      log.warn("creates will be slow at first", { error: faultOf(error).message });
      return;
    }
    if (--left > 0) timer = setTimeout(rehearse, pauseMs);
  };
  let timer = setTimeout(rehearse, delayMs);
  return () => {
    left = 0;
    clearTimeout(timer);
  };
}
