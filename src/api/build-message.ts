import type { BuildEvent } from "#engine";
import type { BuildMessage } from "#wire";

/** An event of a build as a line of its answer; undefined for what only classic clients are told. */
export function buildMessage(event: BuildEvent): BuildMessage | undefined {
  switch (event.kind) {
    case "steps":
      return undefined;
    case "log":
      return {
        ...event,
        data: Buffer.from(event.data).toString("base64"),
        time: String(event.time),
      };
    case "warning":
      return event;
    default: {
      const { started, completed, ...rest } = event;
      return {
        ...rest,
        ...(started !== undefined && { started: String(started) }),
        ...(completed !== undefined && { completed: String(completed) }),
      };
    }
  }
}
