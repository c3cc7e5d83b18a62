import { type Command, forPeople } from "./command.ts";
import { attachmentJson } from "./del.ts";
import {
  attachmentOptions,
  ENVIRONMENT_HELP,
  existingAttachment,
  IFNAME_HELP,
  openRuntime,
} from "./environment.ts";

export const command: Command = {
  usage: "check [OPTION...] NETWORK [NETNS]",
  about: `Asks the network's plugins whether the attachment is still as "plumb add" made
it. Networks have this since version 0.4.0. With --id, NETNS is remembered.

  plumb check mynet /run/netns/blue
  plumb check --id web mynet

${ENVIRONMENT_HELP}
${IFNAME_HELP}`,
  options: attachmentOptions,

  async run(host, args) {
    const runtime = openRuntime(host);
    const { name, attachment } = existingAttachment(host, args, runtime);
    await runtime.check(runtime.network(name), attachment);
    if (args.has("json")) host.stdout(`${attachmentJson(name, attachment)}\n`);
    else if (forPeople(host, args))
      host.stdout(`${attachment.ifName} in ${attachment.netns} is on network ${name}, as it was made\n`);
    return 0;
  },
};
