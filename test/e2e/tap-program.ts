// What a virtual machine does with its tap device: attaches to it, prints how that went, then the frames of one EtherType.
//   tap-program.ts INTERFACE FLAGS UID GID [ETHERTYPE]
import { openHost } from "../../src/host/node.node.ts";

const TUNSETIFF = 0x400454ca;
const [name = "", flags = "", uid = "", gid = "", etherType = ""] = process.argv.slice(2);
const host = openHost();
// As root: who may open the file is the business of its mode.
const fd = host.open("/dev/net/tun", 2);
process.setgroups!([]);
process.setgid!(Number(gid));
process.setuid!(Number(uid));
const request = new Uint8Array(40);
request.set(host.encode(name));
new DataView(request.buffer).setUint16(16, Number(flags), true);
const result = host.sys.ioctl(fd, TUNSETIFF, 0, request);
host.stdout(`${result}\n`);
const frame = new Uint8Array(2048);
while (result === 0 && etherType !== "") {
  const length = host.sys.read(fd, frame, 20_000);
  if (length < 0) break;
  const text = Buffer.from(frame.subarray(0, length)).toString("hex");
  if (text.slice(24, 28) === etherType) host.stdout(`${text}\n`);
}
