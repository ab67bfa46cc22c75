import type { Verb } from "../command.ts";
import type { quickstartFlags } from "../table/system.ts";
export const quickstart: Verb<typeof quickstartFlags> = async () => 0;
