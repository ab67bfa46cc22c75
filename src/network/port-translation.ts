import { isIPv6 } from "node:net";
import { Nftables } from "#kernel";
import type { ForeignFirewall } from "./foreign-firewall.ts";
import { type PortElement, PortRules, type PortRulesOptions } from "./port-rules.ts";
import type { TranslatedTraffic } from "./port-traffic.ts";

export interface PortTranslationOptions extends Omit<PortRulesOptions, "filter" | "dropsForeign"> {
  /** Whether a policy of dropping what is forwarded is this engine's own doing. */
  readonly dropsForeign: (version: 4 | 6) => boolean;
}

/** The rules of published ports of both families; those of IPv6 are made with the first port that needs them. */
export class PortTranslation {
  readonly #rules: readonly PortRules[];

  constructor({ dropsForeign, ...options }: PortTranslationOptions) {
    this.#rules = (["ip", "ip6"] as const).map(
      (family) =>
        new PortRules({
          ...options,
          filter: new Nftables({ family, keepsSocket: true }),
          dropsForeign: () => dropsForeign(family === "ip" ? 4 : 6),
        }),
    );
  }

  /** See `PortRules.add`. */
  async add(elements: readonly PortElement[]): Promise<void> {
    await this.replace([], elements);
  }

  /** See `PortRules.replace`. */
  async replace(before: readonly PortElement[], after: readonly PortElement[]): Promise<void> {
    await this.#each([before, after], async (rules, [gone = [], come = []]) => {
      if (gone.length > 0) await rules.replace(gone, come);
      else if (come.length > 0) await rules.add(come);
    });
  }

  /** See `PortRules.remove`. */
  async remove(elements: readonly PortElement[]): Promise<void> {
    await this.#each([elements], (rules, [own = []]) => rules.remove(own));
  }

  /** See `PortRules.reset`. */
  async reset(elements: readonly PortElement[]): Promise<void> {
    await this.#each([elements], (rules, [own = []]) => rules.reset(own));
  }

  /** What of the host's firewall concerns packets of a family, read now. */
  async firewall(version: 4 | 6): Promise<ForeignFirewall> {
    return (await this.#rules[version === 4 ? 0 : 1]?.firewall()) ?? {};
  }

  /** See `PortRules.traffic`. */
  async traffic(element: PortElement): Promise<TranslatedTraffic | undefined> {
    return await this.#rules[isIPv6(element.from.address) ? 1 : 0]?.traffic(element);
  }

  /** Stops looking at the firewall; what is translated stays so. */
  async close(): Promise<void> {
    await Promise.all(this.#rules.map((rules) => rules.close()));
  }

  async #each(
    lists: readonly (readonly PortElement[])[],
    work: (rules: PortRules, own: readonly (readonly PortElement[])[]) => Promise<void>,
  ): Promise<void> {
    const split = (isOf6: boolean) =>
      lists.map((list) => list.filter(({ from }) => isIPv6(from.address) === isOf6));
    await Promise.all(this.#rules.map((rules, index) => work(rules, split(index === 1))));
  }
}
