import { cniArgs } from "../../spec/capabilities/cni-args.ts";
import { dictionary, type Infer, mac, object, optional, string } from "../../spec/schema.ts";
import { settings } from "./settings.ts";

const DATA_DIR = "/run/cni/tuning";

const wishes = () => ({
  ...settings(),
  /** Kernel settings below net, by name; IFNAME in a name stands for the interface. */
  sysctl: optional(dictionary(string())),
});

export const config = object({
  ...wishes(),
  /** The directory of the files that tell DEL what was before. */
  dataDir: optional(string(), ""),
  runtimeConfig: optional(object({ mac: optional(mac()) })),
  args: cniArgs(wishes()),
});

export type TuningConfig = Infer<typeof config>;

export function dataDirOf({ dataDir }: TuningConfig): string {
  return dataDir || DATA_DIR;
}
