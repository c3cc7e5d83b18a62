import { takeOperands } from "./arguments.ts";
import { type Command, forPeople } from "./command.ts";
import { attachmentJson } from "./del.ts";
import { attachmentOf, ENVIRONMENT_HELP, IFNAME_HELP, openRuntime } from "./environment.ts";

export const command: Command = {
  usage: "check [OPTION...] NETWORK NETNS",
  about: `Asks the network's plugins whether the attachment is still as "plumb add" made
it. Networks have this since version 0.4.0.

  plumb check mynet /run/netns/blue

${ENVIRONMENT_HELP}
${IFNAME_HELP}`,
  options: { ifname: { short: "i", value: "NAME", help: "name of the interface" } },

  async run(host, args) {
    const [name, netns] = takeOperands(args, "NETWORK", "NETNS");
    const attachment = attachmentOf(host, netns!, args.value("ifname"));
    const runtime = openRuntime(host);
    await runtime.check(runtime.network(name!), attachment);
    if (args.has("json")) host.stdout(`${attachmentJson(name!, attachment)}\n`);
    else if (forPeople(host, args))
      host.stdout(`${attachment.ifName} in ${attachment.netns} is on network ${name}, as it was made\n`);
    return 0;
  },
};
