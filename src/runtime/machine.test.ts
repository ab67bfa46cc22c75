import { expect, test } from "bun:test";
import { parseHardLimits } from "./machine.ts";

test("hard limits of /proc/PID/limits, as proc(5) shows them", () => {
  const text = `Limit                     Soft Limit           Hard Limit           Units     
Max cpu time              unlimited            unlimited            seconds   
Max processes             96282                96282                processes 
Max open files            1024                 20000                files     
Max realtime timeout      unlimited            unlimited            us        
`;
  expect(parseHardLimits(text)).toEqual({
    RLIMIT_CPU: 2n ** 64n - 1n,
    RLIMIT_NPROC: 96282n,
    RLIMIT_NOFILE: 20000n,
    RLIMIT_RTTIME: 2n ** 64n - 1n,
  });
});
