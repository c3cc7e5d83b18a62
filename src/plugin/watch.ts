import { CLOCK_MONOTONIC, type Host } from "../host/host.ts";
import { Journal } from "../log/journal.ts";
import { levelOfSuccess } from "../log/level.ts";
import { duration, type Fields } from "../log/logfmt.ts";
import { ObservedHost } from "../log/observed-host.ts";
import { type Attributes, type Span, SpanKind } from "../log/otlp.ts";
import { placeOfCall, placeText } from "../log/place.ts";
import { settingsOfConfig, settingsOfEnvironment } from "../log/settings.ts";
import { Tracer, traceContextOf } from "../log/tracer.ts";
import type { CniError } from "../spec/errors.ts";
import { isObject, type JsonObject } from "../spec/json.ts";
import { explain } from "./explain.ts";
import type { Ipam } from "./ipam.ts";
import { textForStderr } from "./tell.ts";

/** What runtimes pass on without knowing it: it may hold secrets. */
const ANNOTATIONS = "io.kubernetes.cri.pod-annotations";

/** Watches one call of a plugin, because the environment or the configuration asks for it. */
export interface Watch {
  /** What the plugin is to work with from now on. */
  readonly host: Host;
  /** Takes the configuration's keys, which win over the environment. Code 7 for wrong ones, but at DEL. */
  configure(config: JsonObject): void;
  /** The IPAM plugin, watched. */
  delegate(ipam: Ipam): Ipam;
  warn(text: string): void;
  succeeded(): void;
  /** `unheard`: what the caller could not be told. */
  failed(error: CniError, unheard?: string): void;
}

/** Begins to watch as the environment wants it; what it wants in vain is a warning. */
export function watchCall(host: Host, type: string): Watch {
  return new CallWatch(host, type);
}

class CallWatch implements Watch {
  #observed: ObservedHost;
  readonly #host: Host;
  readonly #type: string;
  readonly #journal: Journal;
  readonly #startNs: number;
  #config: JsonObject | undefined;
  #tracer: Tracer | undefined;
  #span: Span | undefined;

  constructor(host: Host, type: string) {
    this.#host = host;
    this.#type = type;
    this.#startNs = host.clock(CLOCK_MONOTONIC);
    const problems: string[] = [];
    const settings = settingsOfEnvironment(host, (problem) => problems.push(problem));
    this.#journal = new Journal(host, settings, `plumb: ${type}: `, () => this.#fields());
    for (const problem of problems) this.warn(problem);
    this.#trace();
    this.#observed = new ObservedHost(host, this.#journal, this.#tracer);
  }

  get host(): Host {
    return this.#observed;
  }

  configure(config: JsonObject): void {
    this.#config = config;
    const problems: string[] = [];
    const wanted = settingsOfConfig(config, (problem) => problems.push(problem));
    // First what is right: an error about the rest goes there too.
    this.#journal.settings = { ...this.#journal.settings, ...wanted };
    this.#trace();
    this.#observed = new ObservedHost(this.#host, this.#journal, this.#tracer);
    if (this.#host.variable("CNI_COMMAND") === "DEL") for (const problem of problems) this.warn(problem);
    else if (problems.length > 0) settingsOfConfig(config);
    if (this.#journal.wants("debug")) this.#debug("request", JSON.stringify(config, withoutAnnotations));
  }

  delegate(ipam: Ipam): Ipam {
    const tracer = this.#tracer;
    // Of a program, the running of it is told.
    if (tracer === undefined || !ipam.isOurs) return ipam;
    const { command } = this.#place();
    const within = <T>(work: () => T): T => {
      const span = tracer.begin(`${ipam.type} ${command}`, SpanKind.Internal, { "cni.plugin": ipam.type });
      tracer.enter(span);
      try {
        const result = work();
        tracer.finish(span);
        return result;
      } catch (error) {
        tracer.finish(span, {}, explain(error));
        throw error;
      } finally {
        tracer.leave();
      }
    };
    return {
      ...ipam,
      add: (undo) => within(() => ipam.add(undo)),
      check: () => within(() => ipam.check()),
      del: () => within(() => ipam.del()),
      status: () => within(() => ipam.status()),
      gc: () => within(() => ipam.gc()),
    };
  }

  warn(text: string): void {
    this.#journal.log("warn", text, {}, `${placeText(this.#place())}: ${text}`);
  }

  succeeded(): void {
    const { printed } = this.#observed;
    if (printed !== "" && this.#journal.wants("debug")) this.#debug("result", printed.trimEnd());
    const [took, place] = [this.#took(), this.#place()];
    const level = levelOfSuccess(place.command);
    this.#journal.log(level, "done", { duration: took }, `${placeText(place)} done in ${took}`);
    this.#end();
  }

  failed(error: CniError, unheard?: string): void {
    const { code, message, details } = error;
    const said = textForStderr(this.#host, this.#place(), error, unheard);
    this.#journal.log("error", message, { code, details, duration: this.#took() }, said);
    this.#end(error);
  }

  #debug(what: string, json: string): void {
    this.#journal.log("debug", what, { [what]: json }, `${placeText(this.#place())}: ${what} ${json}`);
  }

  #place() {
    return placeOfCall(this.#host, this.#config);
  }

  #fields(): Fields {
    const { command, containerId, ifName, network } = this.#place();
    const netns = this.#host.variable("CNI_NETNS");
    const trace = this.#tracer?.traceId;
    return { plugin: this.#type, command, container: containerId, ifname: ifName, network, netns, trace };
  }

  #took(): string {
    return duration(this.#host.clock(CLOCK_MONOTONIC) - this.#startNs);
  }

  /** Begins the call's span, if it is known by now that one is wanted. */
  #trace(): void {
    if (this.#span !== undefined || this.#journal.settings.traceFile === undefined) return;
    this.#tracer = Tracer.open(this.#host, traceContextOf(this.#host));
    if (this.#tracer === undefined) return;
    const name = `${this.#type} ${this.#place().command}`;
    this.#span = this.#tracer.begin(name, SpanKind.Server);
    this.#tracer.enter(this.#span);
  }

  /** Writes the spans. */
  #end(error?: CniError): void {
    const { traceFile } = this.#journal.settings;
    const [tracer, span] = [this.#tracer, this.#span];
    if (tracer === undefined || span === undefined || traceFile === undefined) return;
    tracer.finish(span, this.#attributes(error), error);
    this.#journal.append("spans", traceFile, tracer.line({ "process.pid": this.#host.sys.getpid() }));
  }

  #attributes(error: CniError | undefined): Attributes {
    const { command, containerId, ifName, network } = this.#place();
    const version = this.#config?.["cniVersion"];
    return {
      "cni.plugin": this.#type,
      "cni.command": command,
      "cni.container.id": containerId,
      "cni.ifname": ifName,
      "cni.network": network,
      "cni.netns": this.#host.variable("CNI_NETNS"),
      "cni.version": typeof version === "string" ? version : undefined,
      "cni.error.code": error?.code,
    };
  }
}

/** For JSON.stringify. */
function withoutAnnotations(key: string, value: unknown): unknown {
  return key === ANNOTATIONS && isObject(value)
    ? Object.fromEntries(Object.keys(value).map((name) => [name, "…"]))
    : value;
}
