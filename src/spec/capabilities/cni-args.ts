import { array, type Fields, type ObjectOf, object, optional, type Schema, string } from "../schema.ts";

/**
 * The key `args` of a configuration: optional metadata under `args.cni` (conventions, "args in network config"). A
 * plugin lists only the fields it uses, as `ips: optional(ips())`; the others may hold anything.
 */
export function cniArgs<F extends Fields>(
  fields: F,
): Schema<{ readonly cni?: ObjectOf<F> | undefined } | undefined> {
  return optional(object({ cni: optional(object(fields)) }));
}

export interface Label {
  readonly key: string;
  readonly value: string;
}

export function labels(): Schema<readonly Label[]> {
  return array(object({ key: string(), value: optional(string(), "") }));
}
