import { expect, test } from "bun:test";
import { Fault } from "#base";
import { parseReference } from "#image";
import { registryFault } from "./registry-wording.ts";

const asked = { pulled: parseReference("registry.example/app"), hasCredentials: false };

test("a registry that answers 403 denies access, as dockerd says it", () => {
  const answered = Object.assign(new Fault("denied", "it answers 403"), { registryStatus: 403 });
  expect(registryFault(answered, asked)).toMatchObject({
    code: "not_found",
    message:
      "pull access denied for registry.example/app, repository does not exist or may require 'docker login': denied: it answers 403",
  });
});

test("a refusal by policy, certificate or redirect does not ask for a login", () => {
  const refused = new Fault("denied", "it sends us to file:///etc/passwd");
  expect(registryFault(refused, asked)).toBe(refused);
});
