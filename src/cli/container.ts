import { errno } from "../host/errno.ts";
import { check, type Host, O_CREAT, O_EXCL, O_RDONLY, SysError } from "../host/host.ts";
import { Namespace } from "../net/namespace.ts";
import { setLink } from "../netlink/link.ts";

/** Where `ip netns` looks for namespaces. */
const NETNS_DIR = "/run/netns";
const MS_BIND = 4096;
const MNT_DETACH = 2;

/** A new network namespace with a name, which `ip netns exec NAME` knows. */
export interface Container {
  /** Its container ID and the namespace's name. */
  readonly name: string;
  readonly netns: Namespace;
  /** Removes the name; the namespace goes with its last process. */
  remove(): void;
}

/** Makes a namespace of the name `plumb-` and eight random digits, with its loopback interface up. */
export function createContainer(host: Host): Container {
  const name = `plumb-${Array.from(host.random(4), (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
  const path = `${NETNS_DIR}/${name}`;
  const netns = new Namespace(host, check("unshare", host.sys.newnetns(), "network namespace"), path);
  const remove = () => {
    const result = host.sys.umount(path, MNT_DETACH);
    // EINVAL: it was not mounted yet; ENOENT: somebody has removed it.
    if (result < 0 && result !== -errno.EINVAL && result !== -errno.ENOENT)
      throw new SysError("umount", -result, path);
    host.removeFile(path);
    host.close(netns.fd);
  };
  host.makeDirectories(NETNS_DIR);
  host.close(host.open(path, O_RDONLY | O_CREAT | O_EXCL, 0o444));
  try {
    check("mount", host.sys.mount(`/proc/self/fd/${netns.fd}`, path, "none", MS_BIND), path);
    netns.route.execute([setLink({ index: 1, name: "lo" }, { up: true })]);
  } catch (error) {
    remove();
    throw error;
  }
  return { name, netns, remove };
}
