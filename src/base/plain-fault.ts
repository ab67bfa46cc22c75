import { defined } from "./defined.ts";
import { Fault, type FaultCode, faultOf } from "./fault.ts";

/** A Fault as a message between threads carries it. */
export interface PlainFault {
  readonly code: FaultCode;
  readonly message: string;
  readonly about?: string;
  readonly errno?: string;
  readonly stack?: string;
}

/**
 * A thrown value as a plain object, since the structured clone between threads loses a Fault's
 * class. A defect keeps its stack.
 */
export function flattenFault(error: unknown): PlainFault {
  const { code, message, about, errno, cause, stack: own } = faultOf(error);
  const stack = cause instanceof Error ? cause.stack : own;
  return {
    code,
    message,
    ...defined({ about, errno, stack: code === "internal" ? stack : undefined }),
  };
}

/** The Fault of `flattenFault` again; the stack of a defect in the other thread becomes its cause. */
export function unflattenFault({ code, message, stack, ...detail }: PlainFault): Fault {
  return new Fault(code, message, { ...detail, ...defined({ cause: stack }) });
}
