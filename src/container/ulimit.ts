import { Fault } from "#base";
import { type OciRlimit, parseResourceLimit } from "#runtime";

export interface Ulimit {
  readonly Name: string;
  readonly Hard: number;
  readonly Soft: number;
}

/** A resource limit as the OCI configuration has it; an unknown name or a soft limit above the hard one is `invalid`. */
export function ociRlimit({ Name, Hard, Soft }: Ulimit): OciRlimit {
  const type = parseResourceLimit(Name);
  if (!type) throw new Fault("invalid", `invalid ulimit type: ${Name}`, { about: Name });
  if (Hard >= 0 && (Soft > Hard || Soft < 0)) {
    throw new Fault(
      "invalid",
      `ulimit soft limit must be less than or equal to hard limit: ${Soft} > ${Hard}`,
      { about: Name },
    );
  }
  return { type, soft: Soft, hard: Hard };
}
