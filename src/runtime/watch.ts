import { CLOCK_MONOTONIC, type Host } from "../host/host.ts";
import { Journal } from "../log/journal.ts";
import { levelOfSuccess } from "../log/level.ts";
import { duration, type Fields } from "../log/logfmt.ts";
import { type Attributes, type Span, SpanKind } from "../log/otlp.ts";
import { settingsOfEnvironment } from "../log/settings.ts";
import { Tracer, traceContextOf } from "../log/tracer.ts";
import type { NetworkConfigList } from "../spec/config.ts";
import type { CniError } from "../spec/errors.ts";
import type { JsonObject } from "../spec/json.ts";
import type { Attachment, CallOptions, ChainContext } from "./chain.ts";
import type { PluginCall } from "./exec.ts";
import { asCniError, type Verb } from "./failure.ts";

/** What is done: a verb for a network, and for one container if it is about one. */
export interface Operation {
  readonly verb: Verb;
  readonly network: NetworkConfigList;
  readonly attachment?: Attachment | undefined;
}

/**
 * Does `work`, with a line about it in the log and a span for it and for each plugin's call, as the environment wants them.
 * The plugins are told that their spans are children of these.
 */
export async function watchOperation<T, C extends ChainContext>(
  context: C,
  operation: Operation,
  options: CallOptions,
  work: (context: C, options: CallOptions) => Promise<T>,
): Promise<T> {
  const watch = new OperationWatch(context.host, operation, options);
  try {
    const result = await work({ ...context, around: watch.call }, options);
    watch.end();
    return result;
  } catch (error) {
    watch.end(asCniError(error));
    throw error;
  }
}

class OperationWatch {
  readonly #host: Host;
  readonly #operation: Operation;
  readonly #journal: Journal;
  readonly #startNs: number;
  readonly #tracer: Tracer | undefined;
  readonly #span: Span | undefined;

  constructor(host: Host, operation: Operation, { trace }: CallOptions) {
    this.#host = host;
    this.#operation = operation;
    this.#startNs = host.clock(CLOCK_MONOTONIC);
    // The plugins have the same environment, and tell what is wrong with it.
    const settings = settingsOfEnvironment(host, () => {});
    this.#journal = new Journal(host, settings, "plumb: ", () => this.#fields());
    if (settings.traceFile === undefined) return;
    const inherited = traceContextOf(host);
    this.#tracer = Tracer.open(host, trace?.traceparent === undefined ? inherited : trace);
    this.#span = this.#tracer?.begin(`network ${operation.verb}`, SpanKind.Internal);
    if (this.#span) this.#tracer?.enter(this.#span);
  }

  /** Around the call of one plugin. */
  readonly call = async (
    call: PluginCall,
    run: (call: PluginCall) => Promise<JsonObject>,
  ): Promise<JsonObject> => {
    const tracer = this.#tracer;
    if (tracer === undefined) return run(call);
    const span = tracer.begin(`${call.type} ${call.verb}`, SpanKind.Client, { "cni.plugin": call.type });
    try {
      const answer = await run({ ...call, trace: { ...call.trace, ...this.#contextFor(tracer, span) } });
      tracer.finish(span);
      return answer;
    } catch (error) {
      const failure = asCniError(error);
      tracer.finish(span, { "cni.error.code": failure.code }, failure);
      throw error;
    }
  };

  end(error?: CniError): void {
    const took = duration(this.#host.clock(CLOCK_MONOTONIC) - this.#startNs);
    const { code, details } = error ?? {};
    // Who called tells people: here only a file hears of it.
    if (this.#journal.settings.logFile !== undefined)
      this.#journal.log(
        error ? "error" : levelOfSuccess(this.#operation.verb),
        error?.message ?? "done",
        { code, details, duration: took },
        "",
      );
    this.#write(error);
  }

  /** An inherited `tracestate` belongs to its trace alone. */
  #contextFor(tracer: Tracer, span: Span) {
    const { traceparent, tracestate } = tracer.contextOf(span);
    const stale = this.#host.variable("TRACESTATE") ? "" : undefined;
    const state = tracestate ?? stale;
    return { traceparent, ...(state !== undefined && { tracestate: state }) };
  }

  #write(error: CniError | undefined): void {
    const { traceFile } = this.#journal.settings;
    const [tracer, span] = [this.#tracer, this.#span];
    if (tracer === undefined || span === undefined || traceFile === undefined) return;
    tracer.finish(span, this.#attributes(error), error);
    this.#journal.append("spans", traceFile, tracer.line({ "process.pid": this.#host.sys.getpid() }));
  }

  #fields(): Fields {
    const { verb, network, attachment } = this.#operation;
    const { containerId, ifName, netns } = attachment ?? {};
    const plugins = network.plugins.map(({ type }) => type).join(",");
    const trace = this.#tracer?.traceId;
    return {
      plugins,
      command: verb,
      container: containerId,
      ifname: ifName,
      network: network.name,
      netns,
      trace,
    };
  }

  #attributes(error: CniError | undefined): Attributes {
    const { verb, network, attachment } = this.#operation;
    return {
      "cni.command": verb,
      "cni.network": network.name,
      "cni.version": network.cniVersion,
      "cni.container.id": attachment?.containerId,
      "cni.ifname": attachment?.ifName,
      "cni.netns": attachment?.netns,
      "cni.error.code": error?.code,
    };
  }
}
