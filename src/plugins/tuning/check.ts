import { damaged } from "../../net/damaged.ts";
import { getLink } from "../../netlink/link.ts";
import type { CheckRequest } from "../../plugin/types.ts";
import type { TuningConfig } from "./config.ts";
import { differences, settingsIn, settingsOf } from "./settings.ts";
import { isSameValue, readValue } from "./sysctl.ts";
import { requirePrevResult, wishOf } from "./wish.ts";

/** Throws if a sysctl or a setting of the interface is not as ADD has left it. */
export function check(request: CheckRequest<TuningConfig>): void {
  const { netns, ifName } = request;
  const { settings, sysctls } = wishOf(request);
  requirePrevResult(request);
  const link = netns.route.query(getLink(ifName));
  if (link === undefined) throw damaged(`interface ${ifName} is missing in ${netns.path}`);
  for (const sysctl of sysctls) {
    const value = readValue(netns, sysctl);
    if (!isSameValue(value, sysctl.value))
      throw damaged(`sysctl ${sysctl.name} is ${JSON.stringify(value)}, not ${JSON.stringify(sysctl.value)}`);
  }
  const now = settingsOf(link);
  const [wrong] = differences(settingsIn(settings), settings, now);
  if (wrong) throw damaged(`${wrong} of ${ifName} is ${now[wrong]}, not ${settings[wrong]}`);
}
