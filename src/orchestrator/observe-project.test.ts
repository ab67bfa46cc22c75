import { expect, test } from "bun:test";
import type { Client } from "#client";
import { observeProject } from "#orchestrator";

function summary(name: string, state: string, labels: Record<string, string>) {
  const named = Object.entries(labels).map(([key, value]) => [`com.docker.compose.${key}`, value]);
  return { Id: `id-${name}`, Names: [`/${name}`], State: state, Labels: Object.fromEntries(named) };
}

test("a project is found by its labels, with one list of each kind", async () => {
  const asked: unknown[] = [];
  const answer =
    <T>(value: T) =>
    (question: unknown) => {
      asked.push(question);
      return Promise.resolve(value);
    };
  const client = {
    containers: {
      list: answer([
        summary("shop-web-10", "running", { service: "web", "container-number": "10" }),
        summary("shop-web-2", "exited", { service: "web", "container-number": "2" }),
        summary("shop-db-run-1", "created", { service: "db", oneoff: "True" }),
      ]),
    },
    networks: { list: answer([{ Name: "shop_default" }]) },
    volumes: { list: answer({ Volumes: null }) },
  } as unknown as Client;
  const { containers, networks, volumes } = await observeProject(client, "shop");
  const filters = { label: ["com.docker.compose.project=shop"] };
  expect(asked).toEqual([{ all: true, filters }, filters, { filters }]);
  expect(containers.map(({ summary: _, ...rest }) => rest)).toEqual([
    {
      id: "id-shop-db-run-1",
      name: "shop-db-run-1",
      service: "db",
      number: 0,
      isOneOff: true,
      state: "created",
    },
    ...[["shop-web-2", 2, "exited"] as const, ["shop-web-10", 10, "running"] as const].map(
      ([name, number, state]) => ({
        id: `id-${name}`,
        name,
        service: "web",
        number,
        isOneOff: false,
        state,
      }),
    ),
  ]);
  expect({ networks: networks.length, volumes }).toEqual({ networks: 1, volumes: [] });
});
