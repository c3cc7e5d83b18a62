import { isAtLeast } from "../spec/versions.ts";
import { takeOperands } from "./arguments.ts";
import { type Command, forPeople } from "./command.ts";
import { ENVIRONMENT_HELP, openRuntime } from "./environment.ts";

export const command: Command = {
  usage: "status [OPTION...] NETWORK [NETNS]",
  about: `Asks the network's plugins whether they are ready to attach containers. Networks
have this since version 1.1.0; older ones are not asked. NETNS is ignored.

  plumb status mynet

${ENVIRONMENT_HELP}`,
  options: {},

  async run(host, args) {
    const [name] = takeOperands(args, "NETWORK", "[NETNS]");
    const runtime = openRuntime(host);
    const network = runtime.network(name!);
    await runtime.status(network);
    if (args.has("json")) host.stdout(`${JSON.stringify({ network: name, ready: true }, null, 4)}\n`);
    else if (forPeople(host, args)) host.stdout(`network ${name} ${answer(network.cniVersion)}\n`);
    return 0;
  },
};

function answer(cniVersion: string): string {
  return isAtLeast(cniVersion, "1.1.0")
    ? "is ready"
    : `was not asked: its cniVersion is ${cniVersion}, and STATUS came with 1.1.0`;
}
