import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { outside } from "../e2e/answering.ts";
import { Program, until } from "../e2e/program.ts";
import { Docker, office } from "./docker.ts";
import { IMAGE, PAGE } from "./image.ts";
import { commandsOf } from "./page.ts";
import { withPrograms } from "./runtime-host.ts";

// dockerd runs containers with --net=none, and `plumb` attaches them.

describe("docker", withPrograms(["dockerd", "docker", "containerd", "runc"]), () => {
  it("attached by its SandboxKey: the container is reached, CHECK passes, DEL leaves nothing", async (t) => {
    const docker = await Docker.start(t);
    const before = docker.used();
    docker.run("web");
    const netns = docker.netns("web");
    const [address] = JSON.parse(docker.succeed(["add", "office", netns])).ips;
    assert.deepEqual(docker.addresses("web"), [address.address]);
    await docker.serves("web");
    assert.equal(docker.curl(address.address.replace("/24", "")), PAGE);
    docker.must("exec", "web", "ping", "-c", "1", "-W", "10", "10.88.0.1");
    docker.succeed(["check", "office", netns]);
    docker.succeed(["del", "office", netns]);
    docker.must("rm", "--force", "web");
    assert.deepEqual(docker.left(), before);
  });

  it("a published port: from the host, from beyond, from another container and from itself", async (t) => {
    const docker = await Docker.start(t);
    const before = docker.used();
    for (const name of ["web", "other"]) docker.run(name);
    docker.attach("web", ["8080:80"]);
    docker.attach("other");
    const machine = outside(docker.host);
    await docker.serves("web");
    assert.equal(docker.curl("10.88.0.1:8080"), PAGE, "the host, at its own address");
    assert.equal(docker.curl("127.0.0.1:8080"), PAGE, "the host, at 127.0.0.1");
    assert.equal(docker.curl("192.0.2.1:8080", "ip", "netns", "exec", machine.id), PAGE, "beyond");
    assert.equal(docker.wget("other", "10.88.0.1:8080"), PAGE, "another container");
    assert.equal(docker.wget("web", "10.88.0.1:8080"), PAGE, "itself");
    for (const name of ["web", "other"]) docker.succeed(["del", "--id", name, "office"]);
    assert.equal(docker.curl("127.0.0.1:8080"), "");
    docker.must("rm", "--force", "web", "other");
    docker.host.must("sh", "-ec", "ip link delete up0; ip netns delete outside");
    assert.deepEqual(docker.left(), before);
  });

  it("plumb check: passes with a published port, fails once the container has lost its address", async (t) => {
    const docker = await Docker.start(t);
    docker.run("web");
    docker.attach("web", ["8080:80"]);
    docker.succeed(["check", "--id", "web", "office"]);
    docker.host.must("nsenter", `--net=${docker.netns("web")}`, "ip", "address", "flush", "dev", "eth0");
    assert.equal(docker.plumb(["check", "--id", "web", "office"]).code, 1);
  });

  it("two networks: eth0 and eth1, removed one by one", async (t) => {
    const docker = await Docker.start(t);
    const bridge = { type: "bridge", bridge: "store0", isGateway: true };
    const ipam = { type: "host-local", subnet: "10.89.0.0/24" };
    docker.host.network("20-store", { ...office, name: "store", plugins: [{ ...bridge, ipam }] });
    const before = [docker.used(), docker.used("store")][1];
    docker.run("web");
    await docker.serves("web");
    const first = docker.attach("web", ["8080:80"]);
    docker.succeed(["add", "--id", "web", "--ifname", "eth1", "store", docker.netns("web")]);
    const [second] = docker.addresses("web", "eth1");
    assert.equal(docker.curl(first), PAGE);
    assert.equal(docker.curl(second!.replace("/24", "")), PAGE);
    docker.succeed(["del", "--id", "web", "--ifname", "eth1", "store"]);
    assert.equal(docker.curl("127.0.0.1:8080"), PAGE);
    docker.succeed(["del", "--id", "web", "office"]);
    docker.must("rm", "--force", "web");
    assert.deepEqual(docker.left(), before);
  });

  it("DEL after docker rm, by the path that is gone: leaves nothing", async (t) => {
    const docker = await Docker.start(t);
    const before = docker.used();
    docker.run("web");
    const netns = docker.netns("web");
    docker.succeed(["add", "office", netns], ["8080:80"]);
    docker.must("rm", "--force", "web");
    docker.succeed(["del", "office", netns]);
    docker.succeed(["del", "office", netns]);
    assert.deepEqual(docker.left(), before);
  });

  it("docker rm and no DEL: plumb gc removes what is left, and nothing of a container that runs", async (t) => {
    const docker = await Docker.start(t);
    docker.used();
    for (const name of ["web", "other"]) docker.run(name);
    docker.attach("other", ["8081:80"]);
    const before = docker.left();
    docker.attach("web", ["8080:80"]);
    docker.must("rm", "--force", "web");
    docker.succeed(["gc", "office"]);
    assert.deepEqual(docker.left(), before);
    await docker.serves("other");
    assert.equal(docker.curl("127.0.0.1:8081"), PAGE);
  });

  it("docker restart: a new namespace, which DEL and ADD under the same ID attach again", async (t) => {
    const docker = await Docker.start(t);
    const before = docker.used();
    docker.run("web");
    const old = docker.netns("web");
    docker.attach("web", ["8080:80"]);
    docker.must("restart", "--time=0", "web");
    assert.notEqual(docker.netns("web"), old);
    await docker.serves("web");
    assert.equal(docker.plumb(["check", "--id", "web", "office"]).code, 1);
    docker.succeed(["del", "--id", "web", "office"]);
    docker.attach("web", ["8080:80"]);
    assert.equal(docker.curl("127.0.0.1:8080"), PAGE);
    docker.must("rm", "--force", "web");
    docker.succeed(["del", "--id", "web", "office"]);
    assert.deepEqual(docker.left(), before);
  });

  it("the container's shim is killed: docker ends the container, DEL leaves nothing", async (t) => {
    const docker = await Docker.start(t);
    const before = docker.used();
    docker.run("web");
    docker.attach("web", ["8080:80"]);
    const pid = docker.must("inspect", "--format", "{{.State.Pid}}", "web");
    const shim = docker.host.must("ps", "-o", "ppid=", "-p", pid).trim();
    docker.host.must("kill", "-KILL", shim);
    const running = () => docker.must("inspect", "--format", "{{.State.Running}}", "web");
    await until("the container's end", () => running() === "false", { seconds: 60 });
    docker.succeed(["del", "--id", "web", "office"]);
    docker.must("rm", "--force", "web");
    assert.deepEqual(docker.left(), before);
  });

  it("--net=container: the second container shares the interface, and keeps it when the first ends", async (t) => {
    const docker = await Docker.start(t);
    const before = docker.used();
    docker.run("pause");
    const address = docker.attach("pause");
    docker.must(
      "run",
      "--detach",
      "--net=container:pause",
      "--name=web",
      IMAGE,
      "httpd",
      "-f",
      "-p",
      "81",
      "-h",
      "/www",
    );
    assert.deepEqual(docker.addresses("web"), [`${address}/24`]);
    await until("its web server", () => docker.curl(`${address}:81`) === PAGE, { seconds: 60 });
    assert.equal(docker.netns("web"), "");
    docker.must("rm", "--force", "pause");
    assert.equal(docker.curl(`${address}:81`), PAGE);
    docker.succeed(["del", "--id", "pause", "office"]);
    assert.doesNotMatch(docker.must("exec", "web", "ip", "link"), /eth0/);
    docker.must("rm", "--force", "web");
    assert.deepEqual(docker.left(), before);
  });

  it("name servers are docker's: those of --dns, reached by the network", async (t) => {
    const docker = await Docker.start(t);
    docker.used();
    new Program(t, docker.host, [
      ...[
        "dnsmasq",
        "--keep-in-foreground",
        "--conf-file=/dev/null",
        "--no-resolv",
        "--no-hosts",
        "--bind-interfaces",
      ],
      ...[
        "--pid-file",
        "--user=root",
        "--listen-address=10.88.0.1",
        "--address=/printer.office.example/10.88.0.99",
      ],
    ]);
    docker.run("web", "--dns=10.88.0.1", "--dns-search=office.example");
    docker.attach("web");
    const asked = ["exec", "web", "nslookup", "printer.office.example"];
    await until("a name's address", () =>
      /10\.88\.0\.99/.test(docker.host.exec(["docker", ...asked]).stdout),
    );
    assert.match(
      docker.must("exec", "web", "cat", "/etc/resolv.conf"),
      /^search office\.example\nnameserver 10\.88\.0\.1$/,
    );
  });

  it("ten containers at once", async (t) => {
    const docker = await Docker.start(t);
    const before = docker.used();
    const names = Array.from({ length: 10 }, (_, index) => `web-${index}`);
    const all = async (script: string) => {
      const running = names.map((name) => docker.host.run(["sh", "-ec", script, "sh", name]));
      for (const { code, stderr } of await Promise.all(running))
        assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    };
    await all(`docker run --detach --net=none --name="$1" ${IMAGE}
      plumb add --id "$1" office "$(docker inspect -f '{{.NetworkSettings.SandboxKey}}' "$1")"`);
    const addresses = names.flatMap((name) => docker.addresses(name));
    assert.equal(new Set(addresses).size, 10);
    for (const name of names) await docker.serves(name);
    for (const address of addresses) assert.equal(docker.curl(address.replace("/24", "")), PAGE);
    await all('plumb del --id "$1" office; docker rm --force "$1"');
    assert.deepEqual(docker.left(), before);
  });

  it("a container that does not run, or has no namespace of its own, is refused, and nothing is made", async (t) => {
    const docker = await Docker.start(t);
    const before = docker.used();
    docker.run("web");
    docker.must("run", "--detach", "--net=container:web", "--name=side", IMAGE);
    const refusals = (name: string, message: RegExp) => {
      const { code, stdout, stderr } = docker.plumb(["add", "office", docker.netns(name)]);
      assert.notEqual(code, 0);
      assert.match(stdout + stderr, message);
    };
    refusals("side", /NETNS is empty/);
    docker.must("stop", "--time=0", "web");
    refusals("web", /netns|namespace/i);
    docker.must("rm", "--force", "web", "side");
    assert.deepEqual(docker.left(), before);
  });

  it("beside docker's own bridge and rules: firewall lets out, a rule in DOCKER-USER lets in", async (t) => {
    const docker = await Docker.start(t, []);
    docker.host.network("10-office", { ...office, plugins: [...office.plugins, { type: "firewall" }] });
    const before = docker.used();
    docker.run("web");
    docker.attach("web", ["8080:80"]);
    const machine = outside(docker.host);
    await docker.serves("web");
    docker.must("exec", "web", "ping", "-c", "1", "-W", "10", "192.0.2.2");
    assert.equal(docker.wget("web", "10.88.0.1:8080"), PAGE);
    const rule = ["DOCKER-USER", "-o", "office0", "-m", "conntrack", "--ctstate", "DNAT", "-j", "ACCEPT"];
    docker.host.must("iptables", "-I", ...rule);
    assert.equal(docker.curl("192.0.2.1:8080", "ip", "netns", "exec", machine.id), PAGE);
    docker.host.must("iptables", "-D", ...rule);
    docker.succeed(["del", "--id", "web", "office"]);
    docker.must("rm", "--force", "web");
    docker.host.must("sh", "-ec", "ip link delete up0; ip netns delete outside");
    assert.deepEqual(docker.left(), before);
  });

  it("docker events: the page's script attaches at the start, with the ports of -p, and detaches at the end", async (t) => {
    const docker = await Docker.start(t);
    const before = docker.used();
    docker.host.must("ln", "--symbolic", "/usr/bin/env", "/usr/local/bin/sudo");
    const script = commandsOf("docker.md").find((block) => block.includes("docker events"))!;
    docker.host.must("sh", "-ec", script.replace(/^sudo sh .*/m, ""));
    const events = new Program(t, docker.host, ["plumb-docker"]);
    const answers = () => docker.curl("127.0.0.1:8080") === PAGE && docker.curl("192.0.2.1:8081") === PAGE;
    outside(docker.host);
    docker.run(
      "web",
      ...["--label=plumb.network=office", "--restart=always"],
      ...["--publish=8080:80", "--publish=192.0.2.1:8081:80/tcp"],
    );
    await events.until("the first attachment", answers, 60);
    const old = docker.netns("web");
    const pid = docker.must("inspect", "--format", "{{.State.Pid}}", "web");
    docker.host.must("kill", "-KILL", pid);
    await events.until("a new namespace", () => ![old, ""].includes(docker.netns("web")), 60);
    await events.until("the second attachment", answers, 60);
    docker.run("plain");
    docker.must("rm", "--force", "web", "plain");
    docker.host.must("sh", "-ec", "ip link delete up0; ip netns delete outside");
    await events.until("the last DEL", () => docker.host.must("ls", "/var/lib/cni/results") === "", 60);
    assert.deepEqual(docker.left(), before);
    assert.equal(events.output, "");
  });

  it("docker events: the page's script attaches what runs already, and leaves alone what is attached", async (t) => {
    const docker = await Docker.start(t);
    const before = docker.used();
    docker.host.must("ln", "--symbolic", "/usr/bin/env", "/usr/local/bin/sudo");
    const script = commandsOf("docker.md").find((block) => block.includes("docker events"))!;
    docker.host.must("sh", "-ec", script.replace(/^sudo sh .*/m, ""));
    for (const [name, port] of [
      ["old", 8080],
      ["lost", 8081],
    ])
      docker.run(`${name}`, "--label=plumb.network=office", `--publish=${port}:80`);
    const id = docker.must("inspect", "--format", "{{.Id}}", "old");
    docker.succeed(["add", "--id", id, "office", docker.netns("old")], ["8080:80"]);
    const index = () =>
      docker.host.must("nsenter", `--net=${docker.netns("old")}`, "ip", "-o", "link", "show", "eth0");
    const link = index();
    const events = new Program(t, docker.host, ["plumb-docker"]);
    await events.until("the attachment of what ran", () => docker.curl("127.0.0.1:8081") === PAGE, 60);
    docker.run("new", "--label=plumb.network=office", "--publish=8082:80");
    await events.until("an attachment", () => docker.curl("127.0.0.1:8082") === PAGE, 60);
    assert.equal(index(), link, "the interface is the one that it had");
    assert.equal(docker.curl("127.0.0.1:8080"), PAGE);
    docker.must("rm", "--force", "old", "lost", "new");
    await events.until("the last DEL", () => docker.host.must("ls", "/var/lib/cni/results") === "", 60);
    assert.deepEqual(docker.left(), before);
    assert.equal(events.output, "");
  });

  it("the commands of docs/runtimes/docker.md, pasted", async (t) => {
    const docker = await Docker.start(t, []);
    docker.must("tag", IMAGE, "nginx");
    docker.host.must("ln", "--symbolic", "/usr/bin/env", "/usr/local/bin/sudo");
    docker.host.must("rm", "-r", "/etc/cni/net.d");
    for (const block of commandsOf("docker.md")) {
      const { code, stdout, stderr } = docker.host.exec(["sh", "-ec", block]);
      assert.equal(code, 0, `${block}${stderr}${stdout}`);
      if (block.includes("curl")) assert.ok(stdout.endsWith(PAGE), `${block}${stderr}${stdout}`);
    }
    assert.equal(docker.host.read("/var/log/plumb-docker.log"), "");
  });
});
