/** How a resource fares while a plan is carried out. */
export interface Progress {
  /** As "Container shop-web-1", "Network shop_default". */
  readonly id: string;
  /** What is done with it, as "copy web:/a to /b"; it stands before the text. */
  readonly detail?: string;
  /** As "Creating", "Created". */
  readonly text: string;
  readonly status: "working" | "done" | "warning" | "error";
  /** What failed, whose message stands for a text. */
  readonly cause?: unknown;
}

/** Hears of each step, in the order in which they are done. */
export type Report = (progress: Progress) => void;

/** Does a step and tells its beginning and its end, be it a failure that is not expected. */
export async function told<T>(
  report: Report,
  { id, doing, done }: { id: string; doing: string; done: string },
  work: () => Promise<T>,
  isExpected: (error: unknown) => boolean = () => false,
): Promise<T> {
  report({ id, text: doing, status: "working" });
  try {
    const result = await work();
    report({ id, text: done, status: "done" });
    return result;
  } catch (cause) {
    if (!isExpected(cause)) report({ id, text: "Error", status: "error", cause });
    throw cause;
  }
}
