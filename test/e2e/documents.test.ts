import { testExample } from "./example.ts";

// The example that a plugin's page opens with does what the page says, when it is pasted.

/** Pages, and what their examples print among other things. */
const pages = {
  bandwidth: /qdisc tbf 1: dev veth\w+ .*rate 8Mbit.*^qdisc tbf 1: dev bwp\w+ .*rate 16Mbit/ms,
  bridge: /1 received.*mynet0: .*inet 10\.77\.0\.1\/24/s,
  dhcp: /inet 10\.77\.0\.\d+\/24 .*^default via 10\.77\.0\.1 dev eth0.*^nameserver 10\.77\.0\.1\nsearch lab\.example$.* mynet +eth0 +10\.77\.0\.\d+\/24 +10\.77\.0\.1 /ms,
  macvlan: /macvlan mode bridge .*inet 10\.77\.0\.2\/24/s,
  ptp: /^default via 10\.77\.0\.1 dev eth0/m,
  "host-device": /eth0@.*alias dev5\n.*dev5@wire5: /s,
  loopback: /"address":"127\.0\.0\.1\/8".*1 received/s,
  "host-local": /"10\.77\.0\.2\/24".*"fd77::2\/64".*^10\.77\.0\.2$/ms,
  firewall: /10\.77\.0\.2 comment ".*, net: mynet, if: eth0, id: .*1 received/s,
  portmap: /tcp \. 8080 comment "mynet\/.*\/eth0" : 10\.77\.0\.2 \. 80/,
  sbr: /from 10\.77\.2\.2 lookup 101.*from 10\.77\.1\.2 lookup 100.*^default via 10\.77\.1\.1 dev eth0.*^default via 10\.77\.2\.1 dev eth1/ms,
  static: /"10\.77\.0\.5\/24"/,
  tap: /eth0.*tun type tap .*multi_queue .*user \S+ group \S+ .*10\.77\.0\.2\/24/s,
  tuning: /mtu 1400 .*02:00:5e:00:53:01.*^40000\t50000$/ms,
};

for (const [page, printed] of Object.entries(pages)) testExample(page, printed);
