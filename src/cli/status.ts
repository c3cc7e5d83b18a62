import { takeOperands } from "./arguments.ts";
import { type Command, forPeople } from "./command.ts";
import { ENVIRONMENT_HELP, openRuntime } from "./environment.ts";

export const command: Command = {
  usage: "status [OPTION...] NETWORK [NETNS]",
  about: `Asks the network's plugins whether they are ready to attach containers. Networks
have this since version 1.1.0; older ones always are. NETNS is ignored.

  plumb status mynet

${ENVIRONMENT_HELP}`,
  options: {},

  async run(host, args) {
    const [name] = takeOperands(args, "NETWORK", "[NETNS]");
    const runtime = openRuntime(host);
    await runtime.status(runtime.network(name!));
    if (args.has("json")) host.stdout(`${JSON.stringify({ network: name, ready: true }, null, 4)}\n`);
    else if (forPeople(host, args)) host.stdout(`network ${name} is ready\n`);
    return 0;
  },
};
