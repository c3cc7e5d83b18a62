// A service on the bus that the environment names, which the tests of D-Bus call. It says so when it is there.
import { openHost } from "../../src/host/node.node.ts";
import { DBus, MESSAGE_BUS } from "../../src/net/dbus/bus.ts";
import { ERROR, METHOD_CALL, METHOD_RETURN, SIGNAL } from "../../src/net/dbus/wire.ts";

const host = openHost();
const bus = DBus.open(host);
bus.call(MESSAGE_BUS, "RequestName", "su", "plumb.Test", 0);
host.stdout("ready\n");
for (;;) {
  const call = bus.receive();
  if (call === undefined) continue;
  const { type, serial, sender, member, signature, body } = call;
  if (type !== METHOD_CALL) continue;
  const reply = { destination: sender, replySerial: serial };
  // Answers what it was sent, behind a signal and an answer that nobody waits for.
  if (member === "Echo") {
    bus.send({ type: SIGNAL, destination: sender, path: "/", interface: "plumb.Test", member: "Echoed" });
    bus.send({ type: METHOD_RETURN, ...reply, replySerial: serial + 1000 });
    bus.send({ type: METHOD_RETURN, ...reply, signature, body });
  }
  if (member === "Flood")
    bus.send({ type: METHOD_RETURN, ...reply, signature: "s", body: ["x".repeat(2 ** 20)] });
  if (member === "Refuse")
    bus.send({ type: ERROR, ...reply, errorName: "plumb.Test.Refused", signature, body });
}
