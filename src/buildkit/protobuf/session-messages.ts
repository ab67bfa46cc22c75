/** The services that a client offers in its session: BuildKit's session/*. */

import { BytesMessage } from "./control-messages.ts";
import { Packet } from "./file-messages.ts";
import { bytes, field, int64, map, message, repeated, string } from "./message.ts";
import { service } from "./service.ts";

const auth = service("moby.filesync.v1.Auth");
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

export const Upload = {
  pull: service("moby.upload.v1.Upload")("Pull", BytesMessage, BytesMessage, "both"),
};
