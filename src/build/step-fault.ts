import { defined, Fault } from "#base";
import type { StepFailure } from "./contract.ts";

/** A step of a build failed: which one, and how its process ended. */
export class StepFault extends Fault {
  readonly failure: StepFailure;

  constructor({ cause, ...failure }: StepFailure & { readonly cause: Fault }) {
    const { code, message, about, errno, stage } = cause;
    super(code, message, { cause, ...defined({ about, errno, stage }) });
    this.failure = failure;
  }
}

/** A process of RUN ended with another status than 0. */
export class ProcessFault extends Fault {
  readonly exitCode: number;
  readonly command: string;

  /** @param cause the reason why it could not even be started */
  constructor(command: string, exitCode: number, cause?: Fault) {
    const what = `process ${JSON.stringify(command)} did not complete successfully`;
    const why = cause?.message ?? `exit code: ${exitCode}`;
    const detail = defined({ cause, stage: cause?.stage, errno: cause?.errno });
    super("invalid", `${what}: ${why}`, { about: command, ...detail });
    this.exitCode = exitCode;
    this.command = command;
  }
}
