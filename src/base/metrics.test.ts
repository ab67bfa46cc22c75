import { expect, test } from "bun:test";
import { Metrics } from "./metrics.ts";

test("numbers are rendered by name and label, each family with help and type", () => {
  const metrics = new Metrics("shop_");
  const sold = metrics.counter("sold_total", "Things sold.");
  const stock = metrics.gauge("stock", "Things left.");
  sold.add(1, { kind: "pear" });
  sold.add(2, { kind: "pear" });
  sold.add(1, { kind: 'a "b"\\\n' });
  stock.set(5);
  stock.set(3);
  expect(metrics.render()).toBe(`# HELP shop_sold_total Things sold.
# TYPE shop_sold_total counter
shop_sold_total{kind="pear"} 3
shop_sold_total{kind="a \\"b\\"\\\\\\n"} 1
# HELP shop_stock Things left.
# TYPE shop_stock gauge
shop_stock 3
`);
});

test("a histogram counts what is at most as large as each bound", () => {
  const metrics = new Metrics("");
  const waits = metrics.histogram("wait_seconds", "Time waited.", [0.1, 1]);
  waits.declare({ of: "nobody" });
  for (const value of [0.1, 0.5, 7]) waits.observe(value, { of: "all" });
  expect(metrics.render()).toBe(`# HELP wait_seconds Time waited.
# TYPE wait_seconds histogram
wait_seconds_bucket{of="nobody",le="0.1"} 0
wait_seconds_bucket{of="nobody",le="1"} 0
wait_seconds_bucket{of="nobody",le="+Inf"} 0
wait_seconds_sum{of="nobody"} 0
wait_seconds_count{of="nobody"} 0
wait_seconds_bucket{of="all",le="0.1"} 1
wait_seconds_bucket{of="all",le="1"} 2
wait_seconds_bucket{of="all",le="+Inf"} 3
wait_seconds_sum{of="all"} 7.6
wait_seconds_count{of="all"} 3
`);
});
