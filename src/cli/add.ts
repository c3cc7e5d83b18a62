import type { Attachment } from "../runtime/chain.ts";
import { asCniError, combined, PluginError } from "../runtime/failure.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { NetworkConfigList } from "../spec/config.ts";
import { type CniError, ErrorCode } from "../spec/errors.ts";
import type { JsonObject } from "../spec/json.ts";
import { takeOperands } from "./arguments.ts";
import { warnOfUnusedCapabilities } from "./capabilities.ts";
import { type Command, forPeople } from "./command.ts";
import {
  attachmentOf,
  attachmentOptions,
  ENVIRONMENT_HELP,
  IFNAME_HELP,
  openRuntime,
} from "./environment.ts";
import { readResult, resultText } from "./result.ts";

export const command: Command = {
  usage: "add [OPTION...] NETWORK NETNS",
  about: `Attaches the network namespace at the path NETNS to the network, and prints the
result: for people on a terminal, else as JSON. When a plugin fails, what the
others have set up is removed again.

  ip netns add blue
  plumb add mynet /run/netns/blue
  plumb add --id web mynet /proc/4711/ns/net

${ENVIRONMENT_HELP}
${IFNAME_HELP}`,
  options: attachmentOptions,

  async run(host, args) {
    const [name, netns] = takeOperands(args, "NETWORK", "NETNS");
    const attachment = attachmentOf(host, args, netns!);
    const runtime = openRuntime(host);
    const network = runtime.network(name!);
    warnOfUnusedCapabilities(host, [network], attachment.capabilityArgs);
    const { result, json } = await readResult(await addOrUndo(runtime, network, attachment));
    if (forPeople(host, args)) host.stdout(resultText(network.name, attachment, result));
    // As cnitool, without a newline at the end.
    else host.stdout(json + (host.sys.isatty(1) === 1 ? "\n" : ""));
    return 0;
  },
};

/** ADD; if it fails, DEL. Not where the container was attached already: that attachment is not ours to remove. */
export async function addOrUndo(
  runtime: Runtime,
  network: NetworkConfigList,
  attachment: Attachment,
): Promise<JsonObject> {
  const { containerId, ifName } = attachment;
  const before = runtime.attachment(network.name, containerId, ifName);
  try {
    return await runtime.add(network, attachment);
  } catch (error) {
    if (before !== undefined) throw error;
    await runtime.del(network, attachment).catch((second) => {
      const failures = [asCniError(error), asCniError(second)] as const;
      if (isSameMistake(...failures)) throw error;
      throw combined(`cannot add ${ifName} of ${containerId} to network "${network.name}"`, failures);
    });
    throw error;
  }
}

/** Whether DEL says of the configuration what ADD has said: that plugin did nothing that could be undone. */
function isSameMistake(add: CniError, del: CniError): boolean {
  if (!(add instanceof PluginError && del instanceof PluginError)) return false;
  const [one, other] = [add, del].map(({ message }) =>
    message.replace(/^plugin type=".*?" failed \(\w+\): /, ""),
  );
  return add.code === ErrorCode.InvalidConfig && add.place.plugin === del.place.plugin && one === other;
}
