/**
 * registry-server/web: pages for people: repositories, tags, and the parts of a manifest. All that
 * is shown was written by strangers: it is escaped, and nothing is loaded or run.
 */

export { createWebPages } from "./web-pages.ts";
