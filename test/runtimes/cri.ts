// Kubernetes' side of the Container Runtime Interface: what a kubelet asks of containerd for a pod's network.
import { join } from "node:path";
import { credentials, loadPackageDefinition, type ServiceError } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { until } from "../e2e/program.ts";
import type { Json, Scope } from "../e2e/world.ts";
import { root } from "../root.ts";

/** A call that makes and attaches a pod may take long on a busy machine. */
const PATIENCE_MS = 120_000;

export interface PodSettings {
  readonly portMappings?: readonly {
    protocol?: "TCP" | "UDP";
    containerPort: number;
    hostPort: number;
    hostIp?: string;
  }[];
  readonly annotations?: Readonly<Record<string, string>>;
  readonly dns?: { servers?: readonly string[]; searches?: readonly string[]; options?: readonly string[] };
}

let pods = 0;

export class Cri {
  readonly #client: Json;

  /** `socket`: where the runtime listens, for who is outside its world. */
  constructor(t: Scope, socket: string) {
    const definition = loadSync(join(root, "test/runtimes/cri.proto"), { longs: Number, defaults: true });
    const { runtime }: Json = loadPackageDefinition(definition);
    this.#client = new runtime.v1.RuntimeService(`unix:${socket}`, credentials.createInsecure(), {
      // The connection of an earlier one, to a daemon that was killed, is no connection.
      "grpc.use_local_subchannel_pool": 1,
      // A daemon that was killed is back soon.
      "grpc.initial_reconnect_backoff_ms": 100,
      "grpc.max_reconnect_backoff_ms": 1000,
    });
    t.after(() => this.#client.close());
  }

  /** RunPodSandbox; gives the pod's ID. The image's web server runs in the pod. */
  async run(name: string, { portMappings = [], annotations = {}, dns }: PodSettings = {}): Promise<string> {
    const config = {
      metadata: { name, uid: `uid-${++pods}-${name}`, namespace: "default" },
      hostname: name,
      portMappings,
      annotations,
      ...(dns && { dnsConfig: dns }),
      linux: {},
    };
    const { podSandboxId } = await this.#call("RunPodSandbox", { config });
    return podSandboxId;
  }

  async stop(id: string): Promise<void> {
    await this.#call("StopPodSandbox", { podSandboxId: id });
  }

  async remove(id: string): Promise<void> {
    await this.#call("RemovePodSandbox", { podSandboxId: id });
  }

  /** Its addresses; the network namespace's path is in `info`. */
  async pod(id: string): Promise<{ ready: boolean; ips: string[]; netns: string; pid: number }> {
    const { status, info } = await this.#call("PodSandboxStatus", { podSandboxId: id, verbose: true });
    const { ip, additionalIps = [] } = status.network ?? {};
    const { runtimeSpec, pid } = JSON.parse(info.info);
    const namespaces: Json[] = runtimeSpec?.linux?.namespaces ?? [];
    return {
      ready: status.state === 0,
      ips: [ip, ...additionalIps.map((each: Json) => each.ip)].filter((each) => each !== ""),
      netns: namespaces.find(({ type }) => type === "network")?.path ?? "",
      pid,
    };
  }

  async pods(): Promise<string[]> {
    return (await this.list()).map(({ id }) => id);
  }

  async list(): Promise<{ id: string; name: string }[]> {
    const { items } = await this.#call("ListPodSandbox", {});
    return items.map(({ id, metadata }: Json) => ({ id, name: metadata.name }));
  }

  /** Waits until the runtime has read the newest form of a network's file. */
  async hasRead(list: object): Promise<void> {
    const wanted = JSON.stringify(list);
    await until("the runtime to read a network", async () => {
      const { info } = await this.#call("Status", { verbose: true });
      const { Networks = [] } = JSON.parse(info.cniconfig);
      return Networks.some(({ Config }: Json) => Config.Source === wanted);
    });
  }

  /** What keeps the network from being ready, "" if nothing does. */
  async networkProblem(): Promise<string> {
    const { status } = await this.#call("Status", {});
    const network = status.conditions.find(({ type }: Json) => type === "NetworkReady");
    return network.status ? "" : network.message;
  }

  #call(method: string, request: object): Promise<Json> {
    return new Promise((resolve, reject) => {
      const deadline = Date.now() + PATIENCE_MS;
      this.#client[method](request, { deadline }, (error: ServiceError | null, response: Json) =>
        error ? reject(new Error(`${method}: ${error.details}`)) : resolve(response),
      );
    });
  }
}
