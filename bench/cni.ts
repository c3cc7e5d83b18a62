import type { Host } from "../src/host/host.ts";

/** One call of a plugin as a runtime makes it. */
export interface PluginCall {
  readonly host: Host;
  /** The folder of the plugin and of those it delegates to. */
  readonly path: string;
  readonly plugin: string;
  readonly command: "ADD" | "DEL" | "VERSION";
  readonly containerId: string;
  readonly netns: string;
  /** The configuration, as UTF-8. */
  readonly stdin: Uint8Array;
  /** A program that runs the plugin for us. */
  readonly wrapper?: string;
}

/** Calls a plugin once and gives what it wrote on stderr. Throws with its output unless it succeeds and answers. */
export function callPlugin(call: PluginCall): string {
  const { host, path, plugin, command, containerId, netns, stdin, wrapper } = call;
  const program = `${path}/${plugin}`;
  const argv = wrapper === undefined ? [program] : [wrapper, program];
  const { exitCode, stdout, stderr } = host.run(argv[0]!, {
    argv,
    env: [
      "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
      `CNI_COMMAND=${command}`,
      `CNI_CONTAINERID=${containerId}`,
      `CNI_NETNS=${netns}`,
      "CNI_IFNAME=eth0",
      `CNI_PATH=${path}`,
    ],
    stdin,
    timeoutMs: 60_000,
    captureStderr: true,
  });
  if (exitCode !== 0)
    throw new Error(`${plugin} ${command}: ${(stdout + stderr).replace(/\s+/g, " ").trim()}`);
  return stderr;
}

/**
 * The configuration of one network, as UTF-8. `number` keeps it apart from others: its subnet is 10.number.0.0/16.
 * Its leases lie below `dataDir`, in the folder bench-NUMBER.
 */
export function configure(
  host: Host,
  type: string,
  number: number,
  dataDir: string,
  options: object = {},
): Uint8Array {
  const config = {
    cniVersion: "1.0.0",
    name: `bench-${number}`,
    type,
    ...(type === "bridge" && { bridge: `bench${number}`, isGateway: true }),
    ...options,
    ipam: {
      type: "host-local",
      ranges: [[{ subnet: `10.${number}.0.0/16` }]],
      routes: [{ dst: "0.0.0.0/0" }],
      dataDir,
    },
  };
  return host.encode(JSON.stringify(config));
}
