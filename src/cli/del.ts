import type { Attachment } from "../runtime/chain.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { type NetworkConfigList, parseConfigList } from "../spec/config.ts";
import { type Command, forPeople } from "./command.ts";
import {
  attachmentOptions,
  ENVIRONMENT_HELP,
  existingAttachment,
  IFNAME_HELP,
  openRuntime,
} from "./environment.ts";

export const command: Command = {
  usage: "del [OPTION...] NETWORK [NETNS]",
  about: `Detaches the network namespace at the path NETNS from the network. It may be
gone already, and so may the network's configuration: the one of "plumb add" is
remembered, as is NETNS with --id. All plugins are run although some fail.

  plumb del mynet /run/netns/blue
  plumb del --id web mynet

${ENVIRONMENT_HELP}
${IFNAME_HELP}`,
  options: attachmentOptions,

  async run(host, args) {
    const runtime = openRuntime(host);
    const { name, attachment } = existingAttachment(host, args, runtime);
    await runtime.del(networkOf(runtime, name, attachment), attachment);
    if (args.has("json")) host.stdout(`${attachmentJson(name, attachment)}\n`);
    else if (forPeople(host, args))
      host.stdout(
        `${attachment.ifName} in ${attachment.netns || attachment.containerId} is off network ${name}\n`,
      );
    return 0;
  },
};

/** An attachment as `del` and `check` print it with --json. */
export function attachmentJson(network: string, { containerId, netns, ifName }: Attachment): string {
  return JSON.stringify({ network, containerID: containerId, ifname: ifName, netns }, null, 4);
}

/** The network as it is configured now, or, if it is no longer, as it was at ADD. */
function networkOf(runtime: Runtime, name: string, { containerId, ifName }: Attachment): NetworkConfigList {
  try {
    return runtime.network(name);
  } catch (error) {
    const cached = runtime.attachment(name, containerId, ifName);
    if (!cached?.config) throw error;
    return parseConfigList(cached.config);
  }
}
