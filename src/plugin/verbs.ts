import type { CniVersion } from "../spec/versions.ts";
import type { Verbs } from "./define.ts";

export type Command = "ADD" | "DEL" | "CHECK" | "STATUS" | "GC";

interface Rule {
  readonly verb: keyof Verbs<unknown>;
  /** The first version of the specification that has it. */
  readonly since: CniVersion;
  /** Environment variables that must be set (specification, "Parameters"). */
  readonly required: readonly string[];
  /** Whether CNI_NETNS must lead to a namespace, may, or has no meaning. */
  readonly netns: "required" | "optional" | "none";
}

/** What each command demands. VERSION is not among them: it needs a configuration's version at the most. */
export const COMMANDS: Readonly<Record<Command, Rule>> = {
  ADD: {
    verb: "add",
    since: "0.1.0",
    required: ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"],
    netns: "required",
  },
  DEL: { verb: "del", since: "0.1.0", required: ["CNI_CONTAINERID", "CNI_IFNAME"], netns: "optional" },
  CHECK: {
    verb: "check",
    since: "0.4.0",
    required: ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"],
    netns: "required",
  },
  STATUS: { verb: "status", since: "1.1.0", required: [], netns: "none" },
  GC: { verb: "gc", since: "1.1.0", required: [], netns: "none" },
};
