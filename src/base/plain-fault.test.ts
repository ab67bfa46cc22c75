import { expect, test } from "bun:test";
import { Fault } from "./fault.ts";
import { flattenFault, unflattenFault } from "./plain-fault.ts";

const across = (error: unknown) => unflattenFault(structuredClone(flattenFault(error)));

test("a Fault comes through a message as it was", () => {
  const fault = new Fault("denied", "cannot read x", { about: "x", errno: "EACCES" });
  expect(across(fault)).toBeInstanceOf(Fault);
  const { code, message, about, errno, cause } = across(fault);
  expect({ code, message, about, errno, cause }).toEqual({
    ...{ code: "denied", message: "cannot read x", about: "x", errno: "EACCES" },
    cause: undefined,
  });
});

test("a defect keeps the stack of where it was thrown", () => {
  const defect = new TypeError("no such field");
  expect(across(defect)).toHaveProperty("code", "internal");
  expect(across(defect).cause).toBe(defect.stack);
});
