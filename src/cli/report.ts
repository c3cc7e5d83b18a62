import { asCniError, PluginError } from "../runtime/failure.ts";
import { type CniError, errorObject } from "../spec/errors.ts";
import { NEWEST_VERSION } from "../spec/versions.ts";

/** A failure for people, on stderr: what, why and where, and what to do. */
export function errorText(error: unknown): string {
  const failure = asCniError(error);
  const lines = failure.details.split("\n").filter((line) => line !== "");
  return [`plumb: ${failure.message}`, ...lines.map((line) => `  ${line}`), `  ${placeOf(failure)}`, ""].join(
    "\n",
  );
}

/** A failure as the specification's error object, with the plugin and its network where one failed. */
export function errorJson(error: unknown): string {
  const failure = asCniError(error);
  const { plugin, network } = failure instanceof PluginError ? failure.place : {};
  return JSON.stringify(
    { ...errorObject(failure, NEWEST_VERSION), ...(plugin && { plugin }), ...(network && { network }) },
    null,
    4,
  );
}

function placeOf(failure: CniError): string {
  if (!(failure instanceof PluginError)) return `(code ${failure.code})`;
  const { plugin, network, verb } = failure.place;
  return `(code ${failure.code}, ${verb} of plugin ${plugin}${network === undefined ? "" : `, network ${network}`})`;
}
