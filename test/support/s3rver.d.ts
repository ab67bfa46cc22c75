declare module "s3rver" {
  interface Store {
    getResourcePath(bucket: string, key: string | undefined, resource: string): string;
    putMetadata(bucket: string, key: string, metadata: object, md5: string): Promise<void>;
    listObjects(
      bucket: string,
      options: object,
    ): Promise<{
      readonly objects: readonly { readonly key: string }[];
      readonly commonPrefixes: readonly string[];
      readonly isTruncated: boolean;
    }>;
    putObject: unknown;
    putPart: unknown;
  }
  export default class S3rver {
    constructor(options: object);
    readonly store: Store;
    run(): Promise<{ readonly port: number }>;
    close(): Promise<void>;
  }
}
