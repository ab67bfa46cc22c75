/**
 * state: one SQLite database per data root, shared by the modules that list things.
 *
 * It is not a model: each module owns its tables and brings its own migrations
 * under its own name. Writes are synchronous and short; a transaction never spans
 * an await. What was told to a user as done goes through `durably`.
 * Life cycle: `openState` -> `migrate` by every module -> queries -> `close`.
 */

export { openState, type State } from "./state.ts";
