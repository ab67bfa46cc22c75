/** The services that a client offers in its session: BuildKit's session/*, and containerd's content. */

import { BytesMessage } from "./control-messages.ts";
import { Packet } from "./file-messages.ts";
import { bytes, field, int32, int64, map, message, repeated, string } from "./message.ts";
import { service } from "./service.ts";

const auth = service("moby.filesync.v1.Auth");
const content = service("containerd.services.content.v1.Content");
const ssh = service("moby.sshforward.v1.SSH");

export const FileSync = {
  diffCopy: service("moby.filesync.v1.FileSync")("DiffCopy", Packet, Packet, "both"),
};

/** A client that takes a file is sent pieces; one that takes a directory, packets. */
export const FileSend = {
  file: service("moby.filesync.v1.FileSend")("DiffCopy", BytesMessage, BytesMessage, "both"),
  directory: service("moby.filesync.v1.FileSend")("DiffCopy", Packet, Packet, "both"),
};

export const Auth = {
  credentials: auth(
    "Credentials",
    message({ host: field(1, string) }),
    message({ username: field(1, string), secret: field(2, string) }),
  ),
  fetchToken: auth(
    "FetchToken",
    message({
      clientId: field(1, string),
      host: field(2, string),
      realm: field(3, string),
      service: field(4, string),
      scopes: repeated(5, string),
    }),
    message({ token: field(1, string), expiresIn: field(2, int64), issuedAt: field(3, int64) }),
  ),
};

export const Secrets = {
  getSecret: service("moby.buildkit.secrets.v1.Secrets")(
    "GetSecret",
    message({ id: field(1, string), annotations: map(2, string) }),
    message({ data: field(1, bytes) }),
  ),
};

export const Ssh = {
  checkAgent: ssh("CheckAgent", message({ id: field(1, string) }), message({})),
  forwardAgent: ssh("ForwardAgent", BytesMessage, BytesMessage, "both"),
};

/** Of containerd: the blobs of an OCI layout that the client has. */
export const ContentStore = {
  info: content(
    "Info",
    message({ digest: field(1, string) }),
    message({ info: field(1, message({ digest: field(1, string), size: field(2, int64) })) }),
  ),
  read: content(
    "Read",
    message({ digest: field(1, string), offset: field(2, int64), size: field(3, int64) }),
    message({ offset: field(1, int64), data: field(2, bytes) }),
    "responses",
  ),
  write: content(
    "Write",
    message({
      action: field(1, int32),
      ref: field(2, string),
      total: field(3, int64),
      expected: field(4, string),
      offset: field(5, int64),
      data: field(6, bytes),
    }),
    message({ action: field(1, int32), offset: field(4, int64), digest: field(6, string) }),
    "both",
  ),
};

export const Upload = {
  pull: service("moby.upload.v1.Upload")("Pull", BytesMessage, BytesMessage, "both"),
};
