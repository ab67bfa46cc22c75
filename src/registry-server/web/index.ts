/**
 * registry-server/web: pages for people: repositories, tags, and what a manifest is made
 * of. Whatever is shown was written by strangers: all of it is escaped, and nothing is
 * loaded or run.
 */

export { createWebPages } from "./web-pages.ts";
