import { expect, test } from "bun:test";
import { parsePs } from "./top.ts";

const output = `UID          PID    PPID  C STIME TTY          TIME CMD
root           1       0  0 Jan01 ?        00:00:01 /sbin/init
root         812     700  0 10:00 pts/0    00:00:00 sleep 100  # two  spaces
www          813     812  1 10:00 ?        00:00:00 nginx
`;

test("only the container's processes are left, the command as it is but for its spaces", () => {
  expect(parsePs(output, new Set([812, 813]))).toEqual({
    titles: ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"],
    processes: [
      ["root", "812", "700", "0", "10:00", "pts/0", "00:00:00", "sleep 100 # two spaces"],
      ["www", "813", "812", "1", "10:00", "?", "00:00:00", "nginx"],
    ],
  });
});

test("a table without pids is refused", () => {
  expect(() => parsePs("CMD\ninit\n", new Set())).toThrow("PID");
});
