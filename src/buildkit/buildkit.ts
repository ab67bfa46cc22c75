import { createHash } from "node:crypto";
import type { Duplex } from "node:stream";
import type { Log } from "#base";
import { controlService } from "./build/control.ts";
import { type Builds, gatewayService } from "./build/gateway.ts";
import { History } from "./build/history.ts";
import { Jobs } from "./build/jobs.ts";
import { Solutions } from "./build/solutions.ts";
import type { Solver } from "./build/solver.ts";
import { workerRecord } from "./build/worker.ts";
import { type OpenCopies, ReceivedDirectories } from "./files/received-directories.ts";
import { createGrpcServer } from "./grpc/server.ts";
import { SessionClient } from "./session/build-client.ts";
import { type SessionHeaders, Sessions } from "./session/sessions.ts";

/** What the protocol is served with. */
export interface BuildKitOptions {
  readonly solver: Solver;
  /** Where copies of clients' files are. */
  readonly copies: OpenCopies;
  /** Tells the engine's worker from those of others. */
  readonly name: string;
  /** The version of thimble. */
  readonly version: string;
  readonly log: Log;
}

/** BuildKit's protocol on connections that others have accepted. */
export interface BuildKit {
  /** Serves gRPC on a paused connection, of which these bytes have come already. */
  accept(connection: Duplex, early: Uint8Array): Promise<void>;
  /** Throws what is wrong with the headers of a session, before its connection is taken over. */
  checkSession(headers: SessionHeaders): Promise<void>;
  /** Uses a connection, as in `accept`, as a client's session, until that ends. */
  serveSession(connection: Duplex, headers: SessionHeaders, early: Uint8Array): Promise<void>;
  /** Ends all builds and connections. */
  close(): Promise<void>;
}

/** Serves BuildKit's protocol over a solver. */
export function createBuildKit(options: BuildKitOptions): BuildKit {
  const { solver, copies, name, version, log } = options;
  const sessions = new Sessions(log);
  const jobs = new Jobs();
  const solutions = new Solutions();
  const directories = new ReceivedDirectories(copies);
  const id = createHash("sha256").update(name).digest("hex").slice(0, 25);
  const builds: Builds = {
    ...{ solver, jobs, solutions },
    workers: async () => [
      workerRecord({
        ...{ id, version, platforms: solver.platforms },
        hostGateway: await solver.hostGateway(),
      }),
    ],
    clientOf: async ({ request, signal }) => {
      const session = await sessions.get(request.session, signal);
      return new SessionClient(session, directories, signal);
    },
  };
  const history = new History();
  const server = createGrpcServer([
    controlService({ builds, sessions, history, version }),
    gatewayService(builds),
  ]);
  return {
    async accept(connection, early) {
      server.accept(connection);
      replay(connection, early);
    },
    checkSession: async (headers) => sessions.check(headers("x-docker-expose-session-uuid") ?? ""),
    async serveSession(connection, headers, early) {
      const served = sessions.serve(connection, headers);
      replay(connection, early);
      await served;
    },
    async close() {
      jobs.close();
      server.close();
      await solutions.close();
    },
  };
}

/** Gives early bytes to who reads from now on: the runtime's HTTP/2 does not see what is unshifted. */
function replay(connection: Duplex, early: Uint8Array): void {
  if (early.byteLength > 0) connection.emit("data", Buffer.from(early));
  connection.resume();
}
