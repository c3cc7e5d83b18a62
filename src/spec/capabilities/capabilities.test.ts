import assert from "node:assert/strict";
import { test } from "node:test";
import { dictionary, optional, string } from "../schema.ts";
import { bandwidth } from "./bandwidth.ts";
import { cniArgs, labels } from "./cni-args.ts";
import { dnsCapability } from "./dns.ts";
import { wellKnownCapabilities } from "./index.ts";
import { ipRanges } from "./ip-ranges.ts";
import { ips, parseRequestedIp } from "./ips.ts";
import { portMappings } from "./port-mappings.ts";

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

test("port mappings are read from podman's keys and from containerd's", () => {
  const rows: [sent: object, read: object][] = [
    [
      { hostPort: 8080, containerPort: 80, protocol: "tcp" },
      { hostPort: 8080, containerPort: 80, protocol: "tcp" },
    ],
    [
      { HostPort: 53, ContainerPort: 5353, Protocol: "udp", HostIP: "" },
      { hostPort: 53, containerPort: 5353, protocol: "udp" },
    ],
    [
      { HostPort: 1, ContainerPort: 65535, Protocol: "SCTP", HostIP: "fd00::1" },
      { hostPort: 1, containerPort: 65535, protocol: "sctp", hostIP: "fd00::1" },
    ],
    [
      { hostPort: 1, containerPort: 1 },
      { hostPort: 1, containerPort: 1, protocol: "tcp" },
    ],
    [
      { hostPort: 1, containerPort: 1, protocol: "", hostIP: null },
      { hostPort: 1, containerPort: 1, protocol: "tcp" },
    ],
  ];
  for (const [sent, read] of rows) assert.deepEqual(plain(portMappings().parse([sent], "")), [read]);
});

test("wrong port mappings are refused", () => {
  const good = { hostPort: 8080, containerPort: 80, protocol: "tcp" };
  const at = "runtimeConfig.portMappings";
  const rows: [mapping: object, message: string][] = [
    [{ ...good, hostPort: 0 }, "Invalid host port number: 0"],
    [{ ...good, hostPort: -1 }, "Invalid host port number: -1"],
    [{ ...good, hostPort: 65536 }, "Invalid host port number: 65536"],
    [{ ...good, containerPort: 0 }, "Invalid container port number: 0"],
    [{ hostPort: 1 }, "Invalid container port number: 0"],
    [
      { ...good, hostPort: "80" },
      `invalid configuration: ${at}[0].hostPort: expected a whole number from 1 up to 65535, got "80"`,
    ],
    [
      { ...good, protocol: "icmp" },
      `invalid configuration: ${at}[0].protocol: expected one of "tcp", "udp", "sctp", got "icmp"`,
    ],
    [
      { ...good, hostIP: "host" },
      `invalid configuration: ${at}[0].hostIP: expected an IP address such as 10.1.0.1, got "host"`,
    ],
  ];
  for (const [mapping, message] of rows)
    assert.throws(() => portMappings().parse([mapping], at), { code: 7, message });
});

test("bandwidth is read from containerd's keys; what is absent is 0", () => {
  const sent = { IngressRate: 100_000_000, IngressBurst: 4_294_967_295 };
  const read = { ingressRate: 100_000_000, ingressBurst: 4_294_967_295, egressRate: 0, egressBurst: 0 };
  assert.deepEqual(bandwidth().parse(sent, ""), read);
  assert.deepEqual(bandwidth().parse(read, ""), read);
  for (const ingressRate of [-1, 0.5, "1"])
    assert.throws(() => bandwidth().parse({ ingressRate }, ""), { code: 7 });
});

test("dns is read from containerd's keys", () => {
  const read = { servers: ["10.0.0.10"], searches: ["a.example"], options: [] };
  assert.deepEqual(
    dnsCapability().parse({ Servers: ["10.0.0.10"], Searches: ["a.example"], Options: null }, ""),
    read,
  );
});

test("IP ranges are sets of ranges", () => {
  const sent = [
    [{ subnet: "10.1.2.0/24", rangeStart: "10.1.2.3", rangeEnd: "10.1.2.99", gateway: "10.1.2.254" }],
    [{ subnet: "fd00::/64" }],
  ];
  assert.deepEqual(plain(ipRanges().parse(sent, "")), sent);
  assert.throws(() => ipRanges().parse([{ subnet: "10.1.2.0/24" }], "ipRanges"), {
    message: 'invalid configuration: ipRanges[0]: expected a list, got {"subnet":"10.1.2.0/24"}',
  });
});

test("requested addresses come with and without prefix length", () => {
  assert.deepEqual(ips().parse(["10.1.2.3", "any text"], ""), ["10.1.2.3", "any text"]);
  const rows: [text: string, ip: string | undefined, prefixLength: number | undefined][] = [
    ["10.1.2.3", "10.1.2.3", undefined],
    ["10.1.2.3/24", "10.1.2.3", 24],
    ["3ffe:ffff:0:1ff::1/64", "3ffe:ffff:0:1ff::1", 64],
    ["fd00::1", "fd00::1", undefined],
    ["10.1.2.3/33", undefined, undefined],
    ["", undefined, undefined],
  ];
  for (const [text, ip, prefixLength] of rows) {
    const requested = parseRequestedIp(text);
    assert.deepEqual([requested?.ip.toString(), requested?.prefixLength], [ip, prefixLength], text);
  }
});

test("args.cni gives the fields that a plugin uses and does not look at others", () => {
  const schema = cniArgs({
    ips: optional(ips()),
    labels: optional(labels()),
    sysctl: optional(dictionary(string())),
  });
  for (const absent of [undefined, null]) assert.equal(schema.parse(absent, "args"), undefined);
  assert.deepEqual(schema.parse({ podman_options: 5 }, "args"), {});
  const cni = {
    ips: ["10.2.2.42/24"],
    labels: [{ key: "app", value: "web" }],
    sysctl: { "net.core.somaxconn": "500" },
  };
  assert.deepEqual(schema.parse({ cni: { ...cni, mac: 5 } }, "args"), { cni });
  assert.throws(() => schema.parse({ cni: { ips: "10.2.2.42" } }, "args"), {
    message: 'invalid configuration: args.cni.ips: expected a list, got "10.2.2.42"',
  });
});

test("every capability of the conventions takes its example and refuses a number", () => {
  const examples: Record<string, unknown> = {
    portMappings: [{ hostPort: 8080, containerPort: 80, protocol: "tcp" }],
    ipRanges: [[{ subnet: "10.1.2.0/24" }]],
    bandwidth: { ingressRate: 2048, ingressBurst: 1600, egressRate: 4096, egressBurst: 1600 },
    dns: { searches: ["corp.example"], servers: ["10.0.0.10"] },
    ips: ["192.168.0.1", "10.10.0.1/24"],
    mac: "c2:11:22:33:44:55",
    infinibandGUID: "c2:11:22:33:44:55:66:77",
    deviceID: "0000:04:00.5",
    aliases: ["my-container", "primary-db"],
    cgroupPath: "/kubelet.slice/kubelet-kubepods.slice",
  };
  const schemas = wellKnownCapabilities();
  const { infinibandGUID } = schemas;
  assert.deepEqual(Object.keys(schemas), Object.keys(examples));
  for (const [name, schema] of Object.entries(schemas)) {
    assert.doesNotThrow(() => schema.parse(examples[name], name), name);
    assert.throws(() => schema.parse(5, name), { code: 7 }, name);
  }
  assert.throws(() => infinibandGUID!.parse("c2:11:22:33:44:55", ""), { code: 7 });
});
