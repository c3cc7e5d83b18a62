import type { Dns } from "../spec/result.ts";

/**
 * A resolv.conf(5) from the DNS settings of several networks; undefined if they have none. Where they name no server,
 * those of the host's file stay.
 */
export function resolvConf(settings: readonly Dns[], hostFile: string): string | undefined {
  const all = (list: (dns: Dns) => readonly string[]) => [...new Set(settings.flatMap(list))];
  const nameservers = all((dns) => dns.nameservers ?? []);
  const search = all((dns) => [...(dns.search ?? []), ...(dns.domain ? [dns.domain] : [])]);
  const options = all((dns) => dns.options ?? []);
  if (nameservers.length + search.length + options.length === 0) return undefined;
  const servers = nameservers.length > 0 ? nameservers : nameserversOf(hostFile);
  return [
    ...servers.map((server) => `nameserver ${server}\n`),
    ...(search.length > 0 ? [`search ${search.join(" ")}\n`] : []),
    ...(options.length > 0 ? [`options ${options.join(" ")}\n`] : []),
  ].join("");
}

function nameserversOf(file: string): string[] {
  return [...file.matchAll(/^nameserver\s+(\S+)/gm)].map(([, server]) => server!);
}
