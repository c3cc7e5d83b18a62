import { NoDaemonError } from "../../dhcp/client.ts";
import { leaseDirectory, recordPath } from "../../dhcp/protocol.ts";
import type { Attachment, Call, Cleanup, DelRequest } from "../../plugin/types.ts";
import { askDaemon, attachmentOf, calling } from "./ask.ts";
import { type DhcpConfig, socketPathOf } from "./config.ts";

/** Has the daemon give the lease back. Without a daemon, what is kept of the lease goes, and nobody extends it again. */
export function del(request: DelRequest<DhcpConfig>, cleanup: Cleanup): void {
  cleanup.step("give the lease back", () => {
    const problem = release(request);
    if (problem?.foreign) request.warn(`${problem.message}. ${problem.details}`);
  });
}

/** Gives the error, if there is no daemon. */
export function release(request: Call<DhcpConfig> & Attachment): NoDaemonError | undefined {
  const { host, config } = request;
  const id = attachmentOf(request);
  try {
    calling("Release", () => askDaemon(request, { command: "DEL", ...id }));
    return undefined;
  } catch (error) {
    if (!(error instanceof NoDaemonError)) throw error;
    host.removeFile(recordPath(host, leaseDirectory(socketPathOf(config)), id));
    return error;
  }
}
