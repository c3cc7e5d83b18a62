import { NoDaemonError } from "../../dhcp/client.ts";
import { leaseDirectory, RECORD_NAME, recordPath } from "../../dhcp/protocol.ts";
import type { Cleanup, GcRequest } from "../../plugin/types.ts";
import { isObject } from "../../spec/json.ts";
import { askDaemon } from "./ask.ts";
import { type DhcpConfig, socketPathOf } from "./config.ts";

/** Ends the leases of the network's attachments that are not in the list. */
export function gc(request: GcRequest<DhcpConfig>, cleanup: Cleanup): void {
  const { network, validAttachments } = request;
  cleanup.step("give stale leases back", () => {
    try {
      askDaemon(request, { command: "GC", network, validAttachments });
    } catch (error) {
      if (!(error instanceof NoDaemonError)) throw error;
      forget(request);
    }
  });
}

/** As the daemon would: its records of the network tell whose they are. */
function forget({ host, config, network, validAttachments }: GcRequest<DhcpConfig>): void {
  const directory = leaseDirectory(socketPathOf(config));
  if (host.statIfAny(directory) === undefined) return;
  const valid = new Set(validAttachments.map((id) => recordPath(host, directory, { ...id, network })));
  for (const name of host.readDirectory(directory)) {
    const path = `${directory}/${name}`;
    if (!RECORD_NAME.test(name) || valid.has(path)) continue;
    if (networkOf(host.readFileIfAny(path) ?? "") === network) host.removeFile(path);
  }
}

/** Undefined for what is no record. */
function networkOf(text: string): unknown {
  try {
    const record: unknown = JSON.parse(text);
    return isObject(record) ? record["network"] : undefined;
  } catch {
    return undefined;
  }
}
