// buildah in a world: containers that are built, which have the network while a command runs in them.
import type { TestContext } from "node:test";
import { outside } from "../e2e/answering.ts";
import { until } from "../e2e/program.ts";
import type { Container, Outcome, Scope } from "../e2e/world.ts";
import { PAGE } from "./image.ts";
import { bootForContainers, CNI_BACKEND, page } from "./podman.ts";
import { IMAGE_ARCHIVE, type RuntimeHost, side } from "./runtime-host.ts";

export const BUILDAH_PROGRAMS = ["buildah", "runc", "curl", "busybox"];

/** A page of the world: what a build fetches. */
export const SOURCE = "http://192.0.2.2/";

export class Buildah {
  readonly host: RuntimeHost;
  /** A machine on another network of the host, with a web server. */
  readonly outside: Container;

  private constructor(host: RuntimeHost) {
    this.host = host;
    this.outside = outside(host);
  }

  /** Takes the image, and has the plugins make what they make once for a machine. */
  static async start(t: Scope, plugins = side): Promise<Buildah> {
    const host = await bootForContainers(t, CNI_BACKEND, plugins);
    const buildah = new Buildah(host);
    buildah.must("pull", "--quiet", `docker-archive:${IMAGE_ARCHIVE}`);
    host.write("/run/www/index.html", PAGE);
    const server = ["setpriv", "--pdeathsig", "KILL", "busybox", "httpd", "-f", "-h", "/run/www"];
    host.spawn(t, "ip", "netns", "exec", buildah.outside.id, ...server);
    await until("the web server", () => page(host, SOURCE, 1) === PAGE);
    const first = buildah.from("first");
    buildah.must("run", first, "true");
    buildah.must("rm", first);
    return buildah;
  }

  exec(...args: string[]): Outcome {
    return this.host.exec(["buildah", ...args]);
  }

  /** What must succeed, without a word of complaint. */
  must(...args: string[]): string {
    return this.host.quietly("buildah", ...args);
  }

  /** As `exec`, while other things go on. */
  async run(...args: string[]): Promise<Outcome> {
    return await this.host.run(["buildah", ...args]);
  }

  /** A container made of the image; gives its name. */
  from(name: string): string {
    return this.must("from", "--pull-never", "--name", name, "localhost/box:1");
  }

  /** Writes a Containerfile that begins with the image; gives its folder. */
  containerfile(name: string, ...steps: string[]): string {
    const folder = `/run/contexts/${name}`;
    this.host.write(`${folder}/Containerfile`, ["FROM localhost/box:1", ...steps, ""].join("\n"));
    return folder;
  }

  /** A case after which the machine must be as it was. What one that fails leaves is taken away. */
  case(body: (t: TestContext) => void | Promise<void>): (t: TestContext) => Promise<void> {
    return this.host.leftAsItWas(() => this.exec("rm", "--all"), body);
  }
}
