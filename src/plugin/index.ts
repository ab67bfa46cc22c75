/**
 * plugin: programs of others that the engine asks, by Docker's plugin protocol
 * (docs.docker.com/engine/extend/plugin_api): where they listen, what they say they are, and calls.
 *
 * A plugin is known by its name. It is looked for whenever it is asked, so that it may come, go
 * and move while the engine runs, and each call ends within a bounded time and size. What is
 * asked, and what an answer means, is for those to say who have a use for a plugin.
 */

export type { PluginAnswer, PluginCall } from "./call.ts";
export type { PluginPlaces } from "./discovery.ts";
export { Plugins, type PluginsOptions } from "./plugins.ts";
