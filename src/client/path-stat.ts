import { Fault } from "#base";
import { decodePathStat, PATH_STAT_HEADER, type PathStat } from "#wire";
import type { HttpResponse } from "./http.ts";

/** The facts about a file that an answer has in its header; closes one that has none. */
export function pathStatOf(response: HttpResponse, path: string): PathStat {
  const stat = decodePathStat(response.headers.get(PATH_STAT_HEADER.toLowerCase()));
  if (stat) return stat;
  response.close();
  throw new Fault("internal", `the answer about ${path} tells nothing about it`, { about: path });
}
