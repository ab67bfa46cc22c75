/** Everything that needs zod; loaded by `loadSchemas` of the index so that a CLI start never pays for it. */
export { authSchema } from "./auth.ts";
export {
  backupCreateSchema,
  backupListSchema,
  backupPruneSchema,
  backupRestoreSchema,
} from "./backup.ts";
export { buildBodySchema, contextEntrySchema, contextQuerySchema } from "./build.ts";
export { execCreateSchema, execStartSchema } from "./exec-create.ts";
export { explainQuerySchema, imageDiffQuerySchema, squashQuerySchema } from "./explain.ts";
export { imageMakeSchema } from "./image-make.ts";
export { networkCreateSchema, networkDisconnectSchema } from "./network-create.ts";
export { volumeCreateSchema } from "./volume-create.ts";
