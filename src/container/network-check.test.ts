import { expect, test } from "bun:test";
import { networkCheckOf } from "./network-check.ts";

const http = (host: string, port: number, path: string) => ({
  kind: "http" as const,
  host,
  port,
  path,
});

test.each([
  [["HTTP", "http://localhost:8080/ready?deep=1"], http("localhost", 8080, "/ready?deep=1")],
  [["HTTP", "http://localhost"], http("localhost", 80, "/")],
  [["HTTP", "8080"], http("localhost", 8080, "/")],
  [["HTTP", "8080/ready"], http("localhost", 8080, "/ready")],
  [["HTTP", ":8080/ready"], http("localhost", 8080, "/ready")],
  [["HTTP", "localhost:81"], http("localhost", 81, "/")],
  [["HTTP", "http://[::1]:82/x"], http("::1", 82, "/x")],
  [["HTTP", "http://10.0.0.1/"], http("10.0.0.1", 80, "/")],
  [["TCP", "5432"], { kind: "tcp" as const, port: 5432 }],
  [["GRPC", "50051"], { kind: "grpc" as const, port: 50_051, service: "" }],
  [["GRPC", "50051/a.b.C"], { kind: "grpc" as const, port: 50_051, service: "a.b.C" }],
])("%j asks over the network", (words, check) => {
  expect(networkCheckOf(words)).toEqual(check);
});

test.each([[[]], [["CMD", "true"]], [["CMD-SHELL", "true"]], [["NONE"]]])(
  "%j asks in another way",
  (words) => {
    expect(networkCheckOf(words)).toBeUndefined();
  },
);

test.each([
  [["HTTP"], "the test HTTP takes one value, 0 were given"],
  [["TCP", "1", "2"], "the test TCP takes one value, 2 were given"],
  [["TCP", "http"], '"http" is no port'],
  [["TCP", "65536"], "it must be a number from 1 to 65535"],
  [["TCP", "0"], "it must be a number from 1 to 65535"],
  [["GRPC", "/service"], '"" is no port'],
  [["HTTP", "https://localhost/"], "only http is supported, not https"],
  [["HTTP", "http://example.com/"], "the host must be localhost or an IP address"],
  [["HTTP", "http://me:secret@localhost/"], "a user in the URL is not supported"],
  [["HTTP", "http://local host/"], "is no URL; an example is http://localhost:8080/ready"],
])("%j is refused", (words, why) => {
  expect(() => networkCheckOf(words)).toThrow(why);
});
