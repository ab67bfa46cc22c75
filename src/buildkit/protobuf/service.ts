import type { Message } from "./message.ts";

/** One method of a gRPC service, as either side needs it. */
export interface Method<Request, RequestDraft, Response, ResponseDraft> {
  /** As "/moby.buildkit.v1.Control/Solve". */
  readonly path: string;
  readonly request: Message<Request, RequestDraft>;
  readonly response: Message<Response, ResponseDraft>;
  readonly streamsRequests: boolean;
  readonly streamsResponses: boolean;
}

/** Makes the methods of a service; `stream` says which side sends any number of messages. */
export function service(name: string) {
  return <Request, RequestDraft, Response, ResponseDraft>(
    method: string,
    request: Message<Request, RequestDraft>,
    response: Message<Response, ResponseDraft>,
    stream: "none" | "responses" | "both" = "none",
  ): Method<Request, RequestDraft, Response, ResponseDraft> => ({
    path: `/${name}/${method}`,
    ...{ request, response },
    streamsRequests: stream === "both",
    streamsResponses: stream !== "none",
  });
}
