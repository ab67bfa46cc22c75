import { Fault } from "#base";

const namePattern = /^[a-zA-Z0-9_-]+$/;

/** `invalid` for a name of a target that is not one. */
export function checkTargetName(name: string): void {
  if (!namePattern.test(name)) throw new Fault("invalid", 'only "[a-zA-Z0-9_-]+" are allowed');
}
