import { callPlugin, configure } from "./cni.ts";
import { type Figure, figureOf, type Promises, type Side } from "./figure.ts";
import { floorOf } from "./floor.ts";
import { alternate, type Contestant, extend, rehearse, type Samples } from "./harness.ts";
import { makeNamespaces, type World } from "./world.ts";

/** Containers that stay attached throughout, and those that come and go: 20 on average. */
const RESIDENTS = 10;
const GUESTS = 20;

/** Somebody who attaches containers to a network of his own, by index. */
export interface Attacher {
  readonly name: Side;
  /** Makes what must be there before, in a container's namespace too. */
  prepare?(index: number, netns: string): void;
  attach(index: number, netns: string): void;
  detach(index: number, netns: string): void;
  /** Takes away what DEL leaves, off the clock. */
  tidy?(index: number, netns: string): void;
}

export interface AttachmentQuestion {
  readonly title: string;
  readonly type: "bridge" | "ptp";
  readonly ipMasq: boolean;
  /** The second number of the first of three subnets 10.x.0.0/16: no other question may use them. */
  readonly firstSubnet: number;
  readonly add: Promises;
  readonly del: Promises;
}

function pluginAttacher(
  world: World,
  name: "ours" | "reference",
  type: string,
  number: number,
  options: object,
): Attacher {
  const stdin = configure(world.host, type, number, world.scratch, options);
  const call = (command: "ADD" | "DEL", index: number, netns: string) =>
    callPlugin({
      host: world.host,
      path: world[name],
      plugin: type,
      command,
      containerId: `${name}-${index}`,
      netns,
      stdin,
    });
  return {
    name,
    attach: (index, netns) => call("ADD", index, netns),
    detach: (index, netns) => call("DEL", index, netns),
  };
}

/** ADD and DEL of one kind of network, by all sides. */
export function measureAttachments(world: World, question: AttachmentQuestion): Figure[] {
  const { type, ipMasq, firstSubnet } = question;
  return compare(world, `${firstSubnet}`, question, [
    pluginAttacher(world, "ours", type, firstSubnet, { ipMasq }),
    pluginAttacher(world, "reference", type, firstSubnet + 1, { ipMasq }),
    floorOf(world, type, firstSubnet + 2, ipMasq),
  ]);
}

/** What ADD and DEL cost the attachers. `label` keeps the namespaces apart from those of other questions. */
export function compare(
  world: World,
  label: string,
  { title, add, del }: Pick<AttachmentQuestion, "title" | "add" | "del">,
  attachers: readonly Attacher[],
): Figure[] {
  const { able: sites, missing } = rehearse(attachers.map((attacher) => new Site(world, attacher, label)));
  const adds: Samples<Side> = new Map();
  const dels: Samples<Side> = new Map();
  for (let left = world.runs; left > 0 && sites.length > 0; left -= GUESTS) {
    const guests = Array.from({ length: Math.min(left, GUESTS) }, (_, index) => RESIDENTS + index);
    const attaching = sites.map((site) => site.attaching());
    extend(adds, alternate(world.host, attaching, guests));
    const detaching = sites.map((site) => site.detaching());
    extend(dels, alternate(world.host, detaching, guests.toReversed()));
  }
  for (const site of sites) site.leave();
  return [figureOf(`${title} ADD`, "ms", adds, add, missing), figureOf(`${title} DEL`, "ms", dels, del)];
}

/** An attacher with the namespaces of its containers. */
class Site implements Contestant<Side> {
  readonly name: Side;
  readonly #attacher: Attacher;
  readonly #namespaces: readonly string[];

  constructor(world: World, attacher: Attacher, label: string) {
    this.name = attacher.name;
    this.#attacher = attacher;
    this.#namespaces = makeNamespaces(world.host, `${attacher.name}-${label}`, RESIDENTS + GUESTS);
  }

  /** Attaches the residents. */
  step(): void {
    for (const [index, netns] of this.#namespaces.entries()) this.#attacher.prepare?.(index, netns);
    for (let index = 0; index < RESIDENTS; index++) this.#attach(index);
  }

  leave(): void {
    for (let index = 0; index < RESIDENTS; index++) this.#detach(index);
  }

  attaching(): Contestant<Side> {
    return { name: this.name, step: (index) => this.#attach(index) };
  }

  detaching(): Contestant<Side> {
    const after = (index: number) => this.#attacher.tidy?.(index, this.#namespaces[index]!);
    return { name: this.name, step: (index) => this.#detach(index), after };
  }

  #attach(index: number): void {
    this.#attacher.attach(index, this.#namespaces[index]!);
  }

  #detach(index: number): void {
    this.#attacher.detach(index, this.#namespaces[index]!);
  }
}
