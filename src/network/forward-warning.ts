import type { Log } from "#base";
import type { Nftables } from "#kernel";
import { type ForwardPolicy, foreignFirewall } from "./foreign-firewall.ts";

/** Says once, with the commands that would change it, that a chain of others drops what containers send and receive. */
export class ForwardWarning {
  readonly #log: Log;
  #told: string | undefined;
  #policy: ForwardPolicy | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  get hasLooked(): boolean {
    return this.#told !== undefined;
  }

  /** The policy of dropping what is forwarded as it was when it was looked at. */
  get policy(): ForwardPolicy | undefined {
    return this.#policy;
  }

  /** `bridge` is one of those whose packets pass there; the same holds for all. */
  async look(
    filter: Nftables,
    bridge: string,
    options: { readonly dropsForeign: boolean },
  ): Promise<void> {
    const { forward } = await foreignFirewall(filter, options);
    const told = forward?.reason ?? "";
    for (const { reason, fix } of told === this.#told ? [] : (forward?.blocking(bridge) ?? []))
      this.#log.warn(
        "packets between containers and other machines are dropped by this host's firewall, which thimble does not change",
        { reason, fix: fix.join("; ") },
      );
    this.#told = told;
    this.#policy = forward;
  }
}
