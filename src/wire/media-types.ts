/** Output in 8-byte frames: a container without a terminal. */
export const MULTIPLEXED_STREAM = "application/vnd.docker.multiplexed-stream";
/** Output as it comes: a container with a terminal, or a client that asked for no upgrade. */
export const RAW_STREAM = "application/vnd.docker.raw-stream";
/** An encoded launch plan. */
export const PLAN_TYPE = "application/vnd.thimble.plan";
export const TAR_TYPE = "application/x-tar";
