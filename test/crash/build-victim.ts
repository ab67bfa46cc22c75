/**
 * An engine process that is to die: has built one step, and then builds it with another above it,
 * with THIMBLE_CRASH_AT naming the step at which it kills itself.
 * Usage: build-victim.ts DATA_ROOT RUN_ROOT STEP
 */
import { crashedBuild, failedBuild } from "../support/crashed-build.ts";
import { openEngineAt } from "../support/engine.ts";

const [dataRoot = "", runRoot = "", step = ""] = process.argv.slice(2);
const { engine } = await openEngineAt({ dataRoot, runRoot });
await crashedBuild(engine, 1);
process.env.THIMBLE_CRASH_AT = step;
if (step === "build:failed-step-kept") await failedBuild(engine);
await crashedBuild(engine, 2);
// Only reached when the step was never met.
process.exit(99);
