import type { Host } from "../host/host.ts";

/**
 * Says to a plugin of ours that its caller, the process of this number, tells the errors that it answers, and that a line on
 * stderr would tell them twice. A number, for the variable may come through to processes whose caller knows nothing of it.
 */
export const ERRORS_TO = "PLUMB_ERRORS_TO";

/** The variable for a plugin that this process calls. */
export function toldByUs(host: Host): string {
  return `${ERRORS_TO}=${host.sys.getpid()}`;
}
